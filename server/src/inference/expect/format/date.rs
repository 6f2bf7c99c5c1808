//! Days of the calendar: `yyyy-mm-dd` (ISO 8601) and `dd/mm/yyyy`, the custom of Ecuador.

use jiff::civil::Date;

use super::{Flaw, Form, digits};

/// `2026-01-31`
pub(super) fn iso(text: &str) -> Result<Form, Flaw> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || !text.is_ascii() || bytes[4] != b'-' || bytes[7] != b'-' {
        return Err(Flaw::Shape);
    }
    exact(&text[..4], &text[5..7], &text[8..])
}

/// `31/01/2026`
pub(super) fn day_first(text: &str) -> Result<Form, Flaw> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || !text.is_ascii() || bytes[2] != b'/' || bytes[5] != b'/' {
        return Err(Flaw::Shape);
    }
    exact(&text[6..], &text[3..5], &text[..2])
}

fn exact(year: &str, month: &str, day: &str) -> Result<Form, Flaw> {
    let year: [u8; 4] = digits(year).ok_or(Flaw::Shape)?;
    let (month, day): ([u8; 2], [u8; 2]) =
        (digits(month).ok_or(Flaw::Shape)?, digits(day).ok_or(Flaw::Shape)?);
    let number = |digits: &[u8]| digits.iter().fold(0, |sum: i16, digit| sum * 10 + i16::from(*digit));
    date(number(&year), number(&month), number(&day)).map(|_| Form::Normal).ok_or(Flaw::NoSuchDay)
}

fn date(year: i16, month: i16, day: i16) -> Option<Date> {
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    if year < 1000 { None } else { Date::new(year, month, day).ok() }
}

/// Of a date in either order; with the year last the day is first, whatever else a clock of another country says.
pub(super) fn to_iso(text: &str) -> Option<String> {
    loose(text).map(|date| format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()))
}

/// The same the other way round.
pub(super) fn to_day_first(text: &str) -> Option<String> {
    loose(text).map(|date| format!("{:02}/{:02}/{:04}", date.day(), date.month(), date.year()))
}

/// Reads `31/1/2026`, `31-01-2026`, `31.01.2026` and `2026-1-31`, `2026/01/31`; years have four digits.
fn loose(text: &str) -> Option<Date> {
    let text = text.trim();
    let separator = text.chars().find(|letter| !letter.is_ascii_digit())?;
    if !matches!(separator, '/' | '-' | '.') {
        return None;
    }
    let mut parts = text.split(separator);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let number = |part: &str, most: usize| -> Option<i16> {
        let fits = (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| part.parse().ok()).flatten()
    };
    let (year, day) = if first.len() == 4 { (first, third) } else { (third, first) };
    if year.len() != 4 {
        return None;
    }
    date(number(year, 4)?, number(second, 2)?, number(day, 2)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_of_the_calendar() {
        assert_eq!(iso("2024-02-29"), Ok(Form::Normal));
        assert_eq!(day_first("29/02/2024"), Ok(Form::Normal));
        for (wrong, flaw) in [
            ("2026-02-29", Flaw::NoSuchDay),
            ("2026-13-01", Flaw::NoSuchDay),
            ("0000-01-01", Flaw::NoSuchDay),
            ("2026-1-31", Flaw::Shape),
            ("31/01/2026", Flaw::Shape),
            ("2026-01-31T00:00", Flaw::Shape),
            ("2026-01-3ñ", Flaw::Shape),
            ("2026-01-+1", Flaw::Shape),
            ("ñññññ", Flaw::Shape),
            ("", Flaw::Shape),
        ] {
            assert_eq!(iso(wrong), Err(flaw), "{wrong}");
        }
        assert_eq!(day_first("31/04/2026"), Err(Flaw::NoSuchDay));
        assert_eq!(day_first("2026-04-30"), Err(Flaw::Shape));
    }

    #[test]
    fn one_order_becomes_the_other() {
        for text in ["31/1/2026", " 31-01-2026", "31.01.2026", "2026-1-31", "2026/01/31"] {
            assert_eq!(to_iso(text).as_deref(), Some("2026-01-31"), "{text}");
            assert_eq!(to_day_first(text).as_deref(), Some("31/01/2026"), "{text}");
        }
        for doubtful in
            ["31/01/26", "01/31/2026", "31 de enero", "20260131", "1/2", "1/2/3/2026", "31/02/2026"]
        {
            assert_eq!(to_iso(doubtful), None, "{doubtful}");
        }
    }

    proptest! {
        #[test]
        fn every_day_has_both_ways(day in 1_i8..=28, month in 1_i8..=12, year in 1000_i16..=9999) {
            let (first, second) = (format!("{year:04}-{month:02}-{day:02}"), format!("{day:02}/{month:02}/{year:04}"));
            prop_assert_eq!(iso(&first), Ok(Form::Normal));
            prop_assert_eq!(day_first(&second), Ok(Form::Normal));
            prop_assert_eq!(to_iso(&second), Some(first.clone()));
            prop_assert_eq!(to_day_first(&first), Some(second));
        }
    }
}
