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

impl Number {
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// A number in the notation in which nearly every cell of a table is written: digits, perhaps with a minus before and
/// one decimal mark within.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plain {
    pub(crate) number: Number,
    /// The other notation reads the same cell as a grouped integer: `1.234`.
    pub(crate) looks_grouped: bool,
}

/// Up to this many digits an integer is below 2⁵³, so that it and its sum of digits are exact doubles.
const EXACT_DIGITS: usize = 15;
/// The powers of ten that belong to [`EXACT_DIGITS`]; all are exact doubles.
const POWERS: [f64; EXACT_DIGITS + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Reads a plain number in one look, to the same double as [`parse`]: digits and power of ten are exact and the one
/// division rounds once (Clinger 1990, "How to read floating point numbers accurately"). `None` for every other cell,
/// numbers in other notations among them.
pub(crate) fn plain(cell: &str, mark: DecimalMark) -> Option<Plain> {
    let bytes = cell.as_bytes();
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let decimal = mark.bytes().0;
    let (mut value, mut place) = (0_u64, None);
    for (index, &byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        } else if byte == decimal && place.is_none() {
            place = Some(index);
        } else {
            return None;
        }
    }
    let whole = place.unwrap_or(digits.len());
    if whole == 0 || (whole > 1 && digits[0] == b'0') {
        return None;
    }
    let Some(fraction) = place.map(|place| digits.len() - place - 1) else {
        let integer = (whole <= EXACT_DIGITS).then_some(value as i64)?;
        let number = Number::Integer(if negative { -integer } else { integer });
        return Some(Plain { number, looks_grouped: false });
    };
    let looks_grouped = fraction == 3 && whole <= 3 && digits[0] != b'0';
    let size = if fraction > 0 && whole + fraction <= EXACT_DIGITS {
        value as f64 / POWERS[fraction]
    } else if mark == DecimalMark::Point && fraction > 0 {
        cell.trim_start_matches('-').parse().ok().filter(|size: &f64| size.is_finite())?
    } else {
        return None;
    };
    Some(Plain { number: Number::Float(if negative { -size } else { size }), looks_grouped })
}

/// Parses a trimmed or untrimmed cell; `None` when it is not a number in this notation.
pub(crate) fn parse(cell: &str, mark: DecimalMark) -> Option<Number> {
    plain(cell, mark).map(|plain| plain.number).or_else(|| parse_any(cell, mark))
}

/// Numbers with signs of currency, groups, exponents or space around them.
fn parse_any(cell: &str, mark: DecimalMark) -> Option<Number> {
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
        as_programs_write(digits, decimal, thousands).parse::<f64>().ok()?
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
fn as_programs_write(digits: &[u8], decimal: u8, thousands: u8) -> String {
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
    use proptest::prelude::*;

    use super::DecimalMark::{Comma, Point};
    use super::{DecimalMark, Number, parse, parse_any, plain};

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

    /// The quick way and the careful one give the same number, bit by bit.
    fn assert_same(cell: &str, mark: DecimalMark) {
        let Some(quick) = plain(cell, mark) else { return };
        let bits = |number| match number {
            Number::Integer(value) => (value, 0),
            Number::Float(value) => (i64::MIN, value.to_bits()),
        };
        assert_eq!(Some(bits(quick.number)), parse_any(cell, mark).map(bits), "{cell:?} {mark:?}");
        let other = if mark == Point { Comma } else { Point };
        let grouped = matches!(parse_any(cell, other), Some(Number::Integer(_))) && cell.contains(['.', ',']);
        assert_eq!(quick.looks_grouped, grouped, "{cell:?} {mark:?}");
    }

    #[test]
    fn the_quick_way_reads_what_the_careful_one_does() {
        for cell in [
            "0",
            "-0",
            "0.0",
            "-0.0",
            "0.123",
            "1.234",
            "-12.345",
            "123.456",
            "1234.567",
            "12.3456",
            "00.1",
            ".5",
            "5.",
            "999999999999999",
            "9999999999999999",
            "0.1",
            "0.30000000000000004",
            "2.2250738585072014",
            "1.7976931348623157",
            "123456789012345678901234567890.5",
            "--1",
            "-",
            "",
        ] {
            assert_same(cell, Point);
            assert_same(&cell.replace('.', ","), Comma);
        }
        assert!(
            plain("-12.345", Point).is_some()
                && plain("12", Comma).is_some()
                && plain("1e5", Point).is_none()
        );
    }

    proptest! {
        #[test]
        fn doubles_come_back_as_they_were_written(value in proptest::num::f64::NORMAL, digits in 0_usize..18) {
            for cell in [format!("{value}"), format!("{:.digits$}", value.rem_euclid(1e7)), format!("{value:e}")] {
                assert_same(&cell, Point);
                assert_same(&cell.replace('.', ","), Comma);
                if let Some(Number::Float(read)) = parse(&cell, Point) {
                    prop_assert_eq!(read.to_bits(), cell.parse::<f64>().unwrap().to_bits());
                }
            }
        }
    }
}
