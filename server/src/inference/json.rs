//! Writes strict JSON straight into a byte buffer: no NaN, no infinities, numbers by the shortest text that
//! reads back as the same number.

use chasqui_runtime::{TensorData, Value};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// Writes a text with quotes and escapes.
pub(super) fn text(buffer: &mut Vec<u8>, text: &str) {
    let is_plain = text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if is_plain {
        buffer.push(b'"');
        buffer.extend_from_slice(text.as_bytes());
        buffer.push(b'"');
        return;
    }
    // Writing into a vector cannot fail, and a text is always valid JSON.
    let _ = serde_json::to_writer(buffer, text);
}

/// Writes an id without quotes.
pub(super) fn id(buffer: &mut Vec<u8>, id: Uuid) {
    let mut text = [0; Hyphenated::LENGTH];
    buffer.extend_from_slice(id.hyphenated().encode_lower(&mut text).as_bytes());
}

/// Writes a whole number.
pub(super) fn integer(buffer: &mut Vec<u8>, number: i128) {
    use std::io::Write;
    let _ = write!(buffer, "{number}");
}

/// Writes a double; `null` when it is not finite. Whole numbers lose their `.0`.
pub(super) fn double(buffer: &mut Vec<u8>, number: f64) {
    if !number.is_finite() {
        return buffer.extend_from_slice(b"null");
    }
    shortest(buffer, ryu::Buffer::new().format_finite(number));
}

/// Writes a single-precision number as briefly as it can be read back: `4.7`, not `4.699999809265137`.
pub(super) fn single(buffer: &mut Vec<u8>, number: f32) {
    if !number.is_finite() {
        return buffer.extend_from_slice(b"null");
    }
    shortest(buffer, ryu::Buffer::new().format_finite(number));
}

fn shortest(buffer: &mut Vec<u8>, text: &str) {
    buffer.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

/// Writes a cell of an answer.
pub(super) fn value(buffer: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Missing => buffer.extend_from_slice(b"null"),
        Value::Number(number) => double(buffer, number),
        Value::Text(words) => text(buffer, words),
    }
}

/// Writes elements `range` of a tensor, separated by commas.
pub(super) fn elements(buffer: &mut Vec<u8>, data: &TensorData, range: std::ops::Range<usize>) {
    macro_rules! list {
        ($values:expr, $write:expr) => {
            for (position, element) in $values[range].iter().enumerate() {
                if position > 0 {
                    buffer.push(b',');
                }
                $write(buffer, element);
            }
        };
    }
    match data {
        TensorData::Bool(values) => list!(values, |buffer: &mut Vec<u8>, flag: &bool| {
            buffer.extend_from_slice(if *flag { b"true" } else { b"false" });
        }),
        TensorData::I8(values) => list!(values, |buffer, number: &i8| integer(buffer, i128::from(*number))),
        TensorData::I16(values) => list!(values, |buffer, number: &i16| integer(buffer, i128::from(*number))),
        TensorData::I32(values) => list!(values, |buffer, number: &i32| integer(buffer, i128::from(*number))),
        TensorData::I64(values) => list!(values, |buffer, number: &i64| integer(buffer, i128::from(*number))),
        TensorData::U8(values) => list!(values, |buffer, number: &u8| integer(buffer, i128::from(*number))),
        TensorData::U16(values) => list!(values, |buffer, number: &u16| integer(buffer, i128::from(*number))),
        TensorData::U32(values) => list!(values, |buffer, number: &u32| integer(buffer, i128::from(*number))),
        TensorData::U64(values) => list!(values, |buffer, number: &u64| integer(buffer, i128::from(*number))),
        TensorData::F32(values) => list!(values, |buffer, number: &f32| single(buffer, *number)),
        TensorData::F64(values) => list!(values, |buffer, number: &f64| double(buffer, *number)),
        TensorData::Text(values) => list!(values, |buffer, words: &String| text(buffer, words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut buffer = Vec::new();
        write(&mut buffer);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn numbers_are_short_and_strict() {
        assert_eq!(written(|b| single(b, 4.7)), "4.7");
        assert_eq!(written(|b| single(b, 3.0)), "3");
        assert_eq!(written(|b| double(b, 0.1)), "0.1");
        assert_eq!(written(|b| double(b, f64::NAN)), "null");
        assert_eq!(written(|b| single(b, f32::INFINITY)), "null");
        assert_eq!(
            written(|b| elements(b, &TensorData::I64(vec![1, i64::MIN]), 0..2)),
            "1,-9223372036854775808"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(number: f32, words: String) {
            let json = written(|b| single(b, number));
            if number.is_finite() {
                prop_assert_eq!(json.parse::<f32>().unwrap(), number);
                prop_assert!(serde_json::from_str::<f64>(&json).is_ok());
            }
            let json = written(|b| text(b, &words));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), words);
        }
    }
}
