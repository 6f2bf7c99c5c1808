//! Outcomes as they are received: their two forms in JSON, and what is wrong with them.

use std::borrow::Cow;
use std::fmt::Write;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{MAX_OUTCOMES, Outcome, SHOWN, Target};
use crate::name::{ServiceName, check_text};
use crate::{Error, Micros, Result};

const LABEL_BYTES: usize = 1024;
const KEY_BYTES: usize = 4096;

impl JsonSchema for Outcome {
    fn schema_name() -> Cow<'static, str> {
        "Outcome".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut told = generator.subschema_for::<RawOutcome>();
        told.insert("oneOf".into(), json!([
            { "required": ["prediction_id"], "properties": {
                "prediction_id": { "type": "string" }, "key": { "type": "null" }, "at": { "type": "null" } } },
            { "required": ["service", "key", "at"], "properties": {
                "prediction_id": { "type": "null" }, "service": { "type": "string" },
                "key": { "not": { "type": "null" } }, "at": { "not": { "type": "null" } } } },
        ]));
        let known = |field: &str| json!({ "required": [field], "properties": { field: { "not": { "type": "null" } } } });
        told.insert("anyOf".into(), json!([known("label"), known("value"), known("converted")]));
        told
    }
}

/// What became of a prediction, which is named by its id, or by the service, the entity's key and about when it was
/// asked. At least one of `label`, `value` and `converted` is given.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOutcome {
    /// Which prediction.
    prediction_id: Option<Uuid>,
    /// The service that was asked.
    service: Option<ServiceName>,
    /// The entity that it was about.
    key: Option<RawLabel>,
    /// About when it was asked.
    at: Option<RawTime>,
    /// The class that turned out to be true.
    label: Option<RawLabel>,
    /// The number that turned out to be true, or the revenue.
    value: Option<f64>,
    /// Whether the customer did it.
    converted: Option<bool>,
    /// When it happened; when it was received if nothing is said.
    occurred_at: Option<RawTime>,
}

/// Classes and keys are texts here, whatever they are in the caller's JSON.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(untagged)]
enum RawLabel {
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

impl From<RawLabel> for String {
    fn from(label: RawLabel) -> String {
        match label {
            RawLabel::Boolean(label) => label.to_string(),
            RawLabel::Integer(label) => label.to_string(),
            RawLabel::Number(label) => label.to_string(),
            RawLabel::Text(label) => label,
        }
    }
}

/// Microseconds since 1970, or RFC 3339.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(untagged)]
enum RawTime {
    Micros(i64),
    Text(String),
}

impl RawTime {
    fn parse(self) -> Result<Micros> {
        match self {
            Self::Micros(micros) => Ok(Micros(micros)),
            Self::Text(text) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => Ok(Micros(time.as_microsecond())),
                Err(_) => Err(Error::Invalid(format!(
                    "{text:?} is not a time; write 2026-01-31T08:00:00-05:00 or microseconds since 1970"
                ))),
            },
        }
    }
}

impl TryFrom<RawOutcome> for Outcome {
    type Error = Error;

    fn try_from(raw: RawOutcome) -> Result<Self> {
        let target = match (raw.prediction_id, raw.service, raw.key, raw.at) {
            (Some(id), _, None, None) => Target::Prediction(id),
            (None, Some(service), Some(key), Some(at)) => {
                Target::Key { service, key: key.into(), at: at.parse()? }
            }
            _ => {
                return Err(Error::Invalid(
                    "an outcome needs either `prediction_id`, or `service`, `key` and `at`".to_owned(),
                ));
            }
        };
        let occurred_at = raw.occurred_at.map(RawTime::parse).transpose()?;
        let label = raw.label.map(String::from);
        Ok(Self { target, label, value: raw.value, converted: raw.converted, occurred_at })
    }
}

impl Outcome {
    fn problem(&self) -> Option<String> {
        if self.label.is_none() && self.value.is_none() && self.converted.is_none() {
            return Some("give at least one of `label`, `value` and `converted`".to_owned());
        }
        if self.value.is_some_and(|value| !value.is_finite()) {
            return Some("`value` is not a finite number".to_owned());
        }
        let label = self.label.as_deref().map(|label| check_text("label", label, LABEL_BYTES));
        let key = match &self.target {
            Target::Key { key, .. } => Some(check_text("key", key, KEY_BYTES)),
            Target::Prediction(_) => None,
        };
        [label, key].into_iter().flatten().find_map(Result::err).map(|error| error.to_string())
    }
}

pub(super) fn check(outcomes: &[Outcome]) -> Result<()> {
    if outcomes.len() > MAX_OUTCOMES {
        let count = outcomes.len();
        return Err(Error::TooLarge(format!("{count} outcomes in one call; send at most {MAX_OUTCOMES}")));
    }
    let mut message = String::new();
    let mut count = 0;
    for (place, outcome) in outcomes.iter().enumerate() {
        let Some(problem) = outcome.problem() else { continue };
        count += 1;
        if count <= SHOWN {
            let separator = if message.is_empty() { "" } else { "; " };
            write!(message, "{separator}outcome {place}: {problem}").map_err(Error::internal)?;
        }
    }
    match count {
        0 => Ok(()),
        1..=SHOWN => Err(Error::Invalid(message)),
        _ => Err(Error::Invalid(format!("{message}; and {} more", count - SHOWN))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> std::result::Result<Outcome, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn reads_both_ways_to_name_a_prediction() {
        let id = Uuid::nil();
        let by_id = parse(&format!(r#"{{"prediction_id": "{id}", "label": 1}}"#)).unwrap();
        assert_eq!((by_id.target, by_id.label.as_deref()), (Target::Prediction(id), Some("1")));
        let by_key = parse(r#"{"service":"s","key":7,"at":"1970-01-01T00:00:01Z","value":2}"#).unwrap();
        let service = ServiceName::try_from("s").unwrap();
        assert_eq!(by_key.target, Target::Key { service, key: "7".into(), at: Micros(1_000_000) });
        for wrong in [
            "{}",
            r#"{"service":"s","key":"7","label":"x"}"#,
            r#"{"service":"s","key":"7","at":"ayer","label":"x"}"#,
            r#"{"prediction_id":"x","label":"y"}"#,
            r#"{"prediction_id":"00000000-0000-0000-0000-000000000000","laebl":"y"}"#,
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_every_wrong_one() {
        let outcome = |value| Outcome {
            target: Target::Prediction(Uuid::nil()),
            label: None,
            value,
            converted: None,
            occurred_at: None,
        };
        let outcomes = [outcome(Some(1.0)), outcome(None), outcome(Some(f64::NAN))];
        let message = check(&outcomes).unwrap_err().to_string();
        assert!(message.contains("outcome 1: give") && message.contains("outcome 2: `value`"), "{message}");
        assert!(check(&vec![outcome(None); 30]).unwrap_err().to_string().ends_with("and 10 more"));
        assert!(matches!(check(&vec![outcome(None); 10_001]), Err(Error::TooLarge(_))));
    }
}
