//! One value of a record, between the JSON text and the tensor: what it is, and whether a field takes it.

use std::borrow::Cow;
use std::fmt;

use chasqui_runtime::DataType;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value as it stands in the JSON text; texts without escapes are borrowed from the body.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// The record does not have the field.
    Absent,
    /// `null`: a missing value.
    Missing,
    /// A whole number that fits 64 bits.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// `true` or `false`.
    Flag(bool),
    /// A text.
    Text(Cow<'a, str>),
}

/// Whole numbers up to here are exact in a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Cell<'_> {
    /// The value as a number; NaN when it is missing. `None` for texts.
    pub fn number(&self) -> Option<f64> {
        match self {
            Cell::Absent | Cell::Missing => Some(f64::NAN),
            Cell::Integer(number) => Some(*number as f64),
            Cell::Number(number) => Some(*number),
            Cell::Flag(flag) => Some(f64::from(u8::from(*flag))),
            Cell::Text(_) => None,
        }
    }

    /// The value as a whole number, if it is one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Cell::Integer(number) => Some(*number),
            Cell::Number(number) if number.fract() == 0.0 && number.abs() < EXACT => Some(*number as i64),
            Cell::Flag(flag) => Some(i64::from(*flag)),
            _ => None,
        }
    }

    /// Why an input of this type does not take the value; `None` when it does.
    pub fn refusal(&self, datatype: DataType) -> Option<String> {
        match datatype {
            DataType::Bytes => self.refusal_as_text(),
            DataType::Bool => self.refusal_as_flag(),
            DataType::Fp16 | DataType::Fp32 | DataType::Fp64 => self.refusal_as_number(datatype),
            _ => self.refusal_as_integer(datatype),
        }
    }

    fn refusal_as_text(&self) -> Option<String> {
        match self {
            Cell::Text(_) | Cell::Missing | Cell::Absent => None,
            Cell::Integer(number) => {
                Some(format!("expected a text, got the number {number}; send \"{number}\""))
            }
            Cell::Number(number) => {
                Some(format!("expected a text, got the number {number}; send \"{number}\""))
            }
            Cell::Flag(flag) => Some(format!("expected a text, got {flag}; send \"{flag}\"")),
        }
    }

    fn refusal_as_flag(&self) -> Option<String> {
        match self {
            Cell::Flag(_) | Cell::Integer(0 | 1) => None,
            other => Some(format!("expected true or false, got {other}")),
        }
    }

    fn refusal_as_number(&self, datatype: DataType) -> Option<String> {
        match self {
            Cell::Text(text) if text.trim().parse::<f64>().is_ok() => {
                Some(format!("expected a number, got the text {text:?}; send it without quotes"))
            }
            Cell::Text(_) | Cell::Flag(_) => Some(format!("expected a number, got {self}")),
            Cell::Number(number) if datatype != DataType::Fp64 && number.abs() > f64::from(f32::MAX) => {
                Some(format!("{number} is too large for {datatype}"))
            }
            _ => None,
        }
    }

    fn refusal_as_integer(&self, datatype: DataType) -> Option<String> {
        if matches!(self, Cell::Missing | Cell::Absent) {
            return Some(format!("null is not possible: {datatype} has no missing value"));
        }
        if matches!(self, Cell::Text(_) | Cell::Flag(_)) {
            return Some(format!("expected a whole number, got {self}"));
        }
        let Some(number) = self.integer() else {
            return Some(format!("expected a whole number for {datatype}, got {self}"));
        };
        let (least, most) = integer_range(datatype);
        let inside = (least..=most).contains(&i128::from(number));
        (!inside).then(|| format!("{number} does not fit {datatype} ({least} to {most})"))
    }
}

/// The range of a whole-number type.
fn integer_range(datatype: DataType) -> (i128, i128) {
    match datatype {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::Uint8 => (0, u8::MAX.into()),
        DataType::Uint16 => (0, u16::MAX.into()),
        DataType::Uint32 => (0, u32::MAX.into()),
        DataType::Uint64 => (0, i64::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    }
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Absent => formatter.write_str("nothing"),
            Cell::Missing => formatter.write_str("null"),
            Cell::Integer(number) => write!(formatter, "{number}"),
            Cell::Number(number) => write!(formatter, "{number}"),
            Cell::Flag(flag) => write!(formatter, "{flag}"),
            Cell::Text(text) => {
                let short: String = text.chars().take(40).collect();
                write!(formatter, "the text {short:?}")
            }
        }
    }
}

impl From<u64> for Cell<'_> {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(Cell::Number(number as f64), Cell::Integer)
    }
}

impl<'de> Deserialize<'de> for Cell<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number, a text, true, false or null")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Cell::Missing)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Cell::Flag(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Cell::Integer(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Cell::from(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Cell::Number(number))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cell::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cell::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(de::Error::custom("expected a single value, got an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(de::Error::custom("expected a single value, got an object"))
    }
}

/// A text, borrowed from the body when it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// Reads a key that entities are known by: a text, or a whole number as its decimal text.
pub(super) struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        key_text(Cell::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The text of a key.
pub(super) fn key_text(cell: Cell<'_>) -> Result<Option<Cow<'_, str>>, String> {
    match cell {
        Cell::Absent | Cell::Missing => Ok(None),
        Cell::Text(text) if text.is_empty() => Err("a key must not be empty; leave it out".into()),
        Cell::Text(text) if text.len() > MAX_KEY_BYTES => {
            Err(format!("a key has at most {MAX_KEY_BYTES} bytes, this one has {}", text.len()))
        }
        Cell::Text(text) => Ok(Some(text)),
        Cell::Integer(number) => Ok(Some(Cow::Owned(number.to_string()))),
        other => Err(format!("a key is a text or a whole number, not {other}")),
    }
}

/// Longest entity key.
pub(super) const MAX_KEY_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(json: &str) -> Cell<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_in_quotes_are_refused_with_advice() {
        assert!(cell("\"3.5\"").refusal(DataType::Fp32).unwrap().contains("without quotes"));
        assert!(cell("\"abc\"").refusal(DataType::Fp32).unwrap().contains("abc"));
        assert!(cell("7").refusal(DataType::Bytes).unwrap().contains("\"7\""));
    }

    #[test]
    fn each_type_takes_what_it_can_hold() {
        let fits = |json: &str, datatype| cell(json).refusal(datatype).is_none();
        assert!(fits("null", DataType::Fp32) && fits("1", DataType::Fp32) && fits("1e3", DataType::Int64));
        assert!(!fits("1e39", DataType::Fp32) && fits("1e39", DataType::Fp64));
        assert!(!fits("null", DataType::Int64) && !fits("1.5", DataType::Int64));
        assert!(
            fits("255", DataType::Uint8) && !fits("256", DataType::Uint8) && !fits("-1", DataType::Uint8)
        );
        assert!(fits("true", DataType::Bool) && fits("0", DataType::Bool) && !fits("2", DataType::Bool));
        assert!(fits("null", DataType::Bytes) && fits("\"x\"", DataType::Bytes));
        assert_eq!(cell("9007199254740993").integer(), Some(9_007_199_254_740_993));
    }

    #[test]
    fn keys_are_texts_or_whole_numbers() {
        assert_eq!(key_text(cell("17")).unwrap().unwrap(), "17");
        assert_eq!(key_text(cell("\"a\"")).unwrap().unwrap(), "a");
        assert!(key_text(cell("\"\"")).is_err() && key_text(cell("1.5")).is_err());
        assert_eq!(key_text(cell("null")).unwrap(), None);
    }
}
