//! Why a scan did not test a column.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason that a column was not tested. In JSON it is the sentence that [`fmt::Display`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Untested {
    /// Its values move by nature.
    Ignored,
    /// Its sketches are of other cells than the profile's.
    NotHeld,
    /// The training data are empty here.
    NoTrainingValues,
    /// The windows are empty here.
    NoValues,
    /// Fewer values than the policy asks for.
    FewValues {
        /// Values in the longest look.
        values: u64,
        /// Values that are needed.
        needed: u64,
    },
    /// One value only, or none that stands twice.
    Constant,
}

impl Untested {
    const PLAIN: [Self; 5] =
        [Self::Ignored, Self::NotHeld, Self::NoTrainingValues, Self::NoValues, Self::Constant];
}

impl fmt::Display for Untested {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ignored => "the service does not watch this column",
            Self::NotHeld => "no window holds this column whole, in the cells of its training data",
            Self::NoTrainingValues => "the training data has no values in this column",
            Self::NoValues => "the windows have no values in this column",
            Self::FewValues { values, needed } => {
                return write!(formatter, "only {values} values; {needed} are needed");
            }
            Self::Constant => "the column is constant, or no value stands twice in the training data",
        })
    }
}

impl From<Untested> for String {
    fn from(reason: Untested) -> Self {
        reason.to_string()
    }
}

impl TryFrom<String> for Untested {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(plain) = Self::PLAIN.into_iter().find(|reason| reason.to_string() == text) {
            return Ok(plain);
        }
        let counts = || {
            let (values, needed) = text.strip_prefix("only ")?.split_once(" values; ")?;
            let needed = needed.strip_suffix(" are needed")?.parse().ok()?;
            Some(Self::FewValues { values: values.parse().ok()?, needed })
        };
        counts().ok_or_else(|| format!("`{text}` is no reason for a column not to be tested"))
    }
}

#[cfg(test)]
mod tests {
    use super::Untested;

    #[test]
    fn every_reason_is_its_sentence_in_json_and_read_back() {
        let few = Untested::FewValues { values: 12, needed: 30 };
        for reason in Untested::PLAIN.into_iter().chain([few]) {
            let json = serde_json::to_string(&reason).unwrap();
            assert_eq!(json, format!("\"{reason}\""));
            assert_eq!(serde_json::from_str::<Untested>(&json).unwrap(), reason);
        }
        assert_eq!(few.to_string(), "only 12 values; 30 are needed");
        assert!(serde_json::from_str::<Untested>("\"only some values\"").is_err());
    }
}
