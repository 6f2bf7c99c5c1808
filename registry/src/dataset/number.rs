//! Numbers as people and programs write them: `1234.5`, `1.234,50`, `$ 1,234.50`, `-3e-4`.
//!
//! Codes that merely look like numbers stay text: a leading zero (`0912345678`, a cédula) or more digits than
//! a 64-bit integer holds (an SRI access key) would be damaged by conversion.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The sign that separates the whole part from the fraction; the other one groups thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecimalMark {
    /// `1,234.5`
    Point,
    /// `1.234,5`
    Comma,
}

impl DecimalMark {
    fn bytes(self) -> (u8, u8) {
        match self {
            Self::Point => (b'.', b','),
            Self::Comma => (b',', b'.'),
        }
    }
}

/// A parsed number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Integer(i64),
    Float(f64),
}

/// Parses a trimmed or untrimmed cell; `None` when it is not a number in this notation.
pub(crate) fn parse(cell: &str, mark: DecimalMark) -> Option<Number> {
    let (negative, digits) = split_sign(cell.trim())?;
    let (mantissa, exponent) = split_exponent(digits)?;
    let (decimal, thousands) = mark.bytes();
    let (whole, fraction) = match mantissa.iter().position(|&byte| byte == decimal) {
        Some(place) => (&mantissa[..place], Some(&mantissa[place + 1..])),
        None => (mantissa, None),
    };
    let grouped = whole.contains(&thousands);
    let whole_is_good =
        if grouped { exponent.is_none() && well_grouped(whole, thousands) } else { all_digits(whole) };
    let empty = whole.is_empty() && fraction.is_none_or(<[u8]>::is_empty);
    let code = whole.len() > 1 && whole.starts_with(b"0");
    if !whole_is_good || !fraction.is_none_or(all_digits) || empty || code {
        return None;
    }
    if fraction.is_none() && exponent.is_none() {
        return integer(whole, negative).map(Number::Integer);
    }
    let size = if mark == DecimalMark::Point && !grouped {
        std::str::from_utf8(digits).ok()?.parse::<f64>().ok()?
    } else {
        plain(digits, decimal, thousands).parse::<f64>().ok()?
    };
    size.is_finite().then_some(Number::Float(if negative { -size } else { size }))
}

/// Digits, perhaps grouped, as an integer; counted downwards, because there is one more negative than positive.
fn integer(whole: &[u8], negative: bool) -> Option<i64> {
    let mut value = 0_i64;
    for digit in whole.iter().filter(|byte| byte.is_ascii_digit()) {
        value = value.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// The notation of programs: a point, and no groups.
fn plain(digits: &[u8], decimal: u8, thousands: u8) -> String {
    let kept = digits.iter().filter(|&&byte| byte != thousands);
    kept.map(|&byte| if byte == decimal { '.' } else { char::from(byte) }).collect()
}

fn split_sign(cell: &str) -> Option<(bool, &[u8])> {
    let unpriced = cell.strip_prefix('$').map_or(cell, str::trim_start);
    let (negative, rest) = match unpriced.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest.strip_prefix(b"+").unwrap_or(rest)),
    };
    let rest = if unpriced.len() == cell.len() {
        rest.strip_prefix(b"$").map_or(rest, <[u8]>::trim_ascii_start)
    } else {
        rest
    };
    (!rest.is_empty()).then_some((negative, rest))
}

fn split_exponent(digits: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let Some(place) = digits.iter().position(|byte| matches!(byte, b'e' | b'E')) else {
        return Some((digits, None));
    };
    let exponent = &digits[place + 1..];
    let unsigned = exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
    (!unsigned.is_empty() && unsigned.len() <= 3 && all_digits(unsigned))
        .then_some((&digits[..place], Some(exponent)))
}

fn all_digits(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_digit)
}

/// One to three digits, then groups of exactly three.
fn well_grouped(whole: &[u8], thousands: u8) -> bool {
    let mut groups = whole.split(|&byte| byte == thousands);
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len())
        && all_digits(first)
        && groups.all(|group| group.len() == 3 && all_digits(group))
}

#[cfg(test)]
mod tests {
    use super::DecimalMark::{Comma, Point};
    use super::{Number, parse};

    #[test]
    fn reads_both_notations() {
        assert_eq!(parse("1.234,50", Comma), Some(Number::Float(1234.5)));
        assert_eq!(parse("1,234.50", Point), Some(Number::Float(1234.5)));
        assert_eq!(parse("1.234.567", Comma), Some(Number::Integer(1_234_567)));
        assert_eq!(parse("-0,5", Comma), Some(Number::Float(-0.5)));
        assert_eq!(parse(" 42 ", Point), Some(Number::Integer(42)));
        assert_eq!(parse("$ 1.234,5", Comma), Some(Number::Float(1234.5)));
        assert_eq!(parse("-$3.5", Point), Some(Number::Float(-3.5)));
        assert_eq!(parse("$-3.5", Point), Some(Number::Float(-3.5)));
        assert_eq!(parse("1e-3", Point), Some(Number::Float(0.001)));
        assert_eq!(parse(".5", Point), Some(Number::Float(0.5)));
        assert_eq!(parse("5.", Point), Some(Number::Float(5.0)));
        assert_eq!(parse("-9223372036854775808", Point), Some(Number::Integer(i64::MIN)));
    }

    #[test]
    fn leaves_codes_and_words_alone() {
        let texts = [
            "",
            " ",
            "-",
            ".",
            ",",
            "0912345678",
            "9223372036854775808",
            "12.34.5",
            "1,23,4",
            "1e",
            "e5",
            "1e9999",
            "$$3",
            "1 2",
            "--1",
            "١٢",
            "inf",
            "1.2.3",
            "007.5",
        ];
        for text in texts {
            assert_eq!(parse(text, Point), None, "{text:?}");
            assert_eq!(parse(&text.replace(['.', ','], "x"), Comma), None, "{text:?}");
        }
    }
}
