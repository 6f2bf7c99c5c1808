//! The name of an event of the company's own.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::DriftError;

/// Longest name, in bytes.
const LONGEST: usize = 48;
/// What a name is made of; `try_from` is the rule itself.
const PATTERN: &str = r"^[^\s\x00-\x1F\x7F-\x9F]([^\x00-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F])?$";

/// A short name, kept in place so that events can be copied.
///
/// - 1 to 48 bytes of UTF-8 without control characters or blanks at its ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventName {
    bytes: [u8; LONGEST],
    length: u8,
}

impl EventName {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl TryFrom<String> for EventName {
    type Error = DriftError;

    fn try_from(name: String) -> Result<Self, DriftError> {
        let fits = !name.is_empty() && name.len() <= LONGEST;
        if !fits || name.trim() != name || name.chars().any(char::is_control) {
            let why = "needs 1 to 48 bytes, without blanks at its ends or control characters";
            return Err(DriftError::Invalid(format!("the name of an event {why}: {name:?}")));
        }
        let mut bytes = [0; LONGEST];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Ok(Self { bytes, length: name.len() as u8 })
    }
}

impl From<EventName> for String {
    fn from(name: EventName) -> String {
        name.as_str().to_owned()
    }
}

impl JsonSchema for EventName {
    fn schema_name() -> Cow<'static, str> {
        "EventName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "The name of an event of the company's own, 1 to 48 bytes of UTF-8.",
            "minLength": 1,
            "maxLength": LONGEST,
            "pattern": PATTERN,
        })
    }
}

impl fmt::Debug for EventName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::EventName;

    #[test]
    fn names_are_short_and_come_back() {
        let name: EventName = serde_json::from_str(r#""Aniversario de la cadena""#).unwrap();
        assert_eq!(name.as_str(), "Aniversario de la cadena");
        assert_eq!(serde_json::to_string(&name).unwrap(), r#""Aniversario de la cadena""#);
        for broken in [String::new(), " a".into(), "a\nb".into(), "ñ".repeat(25)] {
            assert!(EventName::try_from(broken).is_err());
        }
    }
}
