//! Dates and times of day as exports write them, and the order of day, month and year that a column uses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// The order in which a date names its parts; `-`, `/` and `.` separate them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DateOrder {
    /// 2026-12-31
    #[serde(rename = "yyyy-mm-dd")]
    YearMonthDay,
    /// 31/12/2026, the custom of Ecuador
    #[serde(rename = "dd/mm/yyyy")]
    DayMonthYear,
    /// 12/31/2026
    #[serde(rename = "mm/dd/yyyy")]
    MonthDayYear,
}

/// The orders that a cell, or every cell of a column, can be read in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Orders(u8);

impl Orders {
    pub(crate) const ALL: Self = Self(0b111);
    pub(crate) const NONE: Self = Self(0);

    fn bit(order: DateOrder) -> u8 {
        match order {
            DateOrder::YearMonthDay => 1,
            DateOrder::DayMonthYear => 2,
            DateOrder::MonthDayYear => 4,
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The order to use: day first when nothing decides between day and month.
    pub(crate) fn preferred(self) -> Option<DateOrder> {
        [DateOrder::YearMonthDay, DateOrder::DayMonthYear, DateOrder::MonthDayYear]
            .into_iter()
            .find(|&order| self.allows(order))
    }

    pub(crate) fn allows(self, order: DateOrder) -> bool {
        self.0 & Self::bit(order) != 0
    }
}

/// What a cell could be: the orders that give a date of the calendar, and whether a time of day follows.
pub(crate) fn orders(cell: &str) -> Option<(Orders, bool)> {
    let (date, time) = split(cell.trim());
    if let Some(time) = time {
        time_of_day(time)?;
    }
    let mut found = Orders::NONE;
    for order in [DateOrder::YearMonthDay, DateOrder::DayMonthYear, DateOrder::MonthDayYear] {
        if days(date, order).is_some() {
            found.0 |= Orders::bit(order);
        }
    }
    (found != Orders::NONE).then_some((found, time.is_some()))
}

/// Days since 1970-01-01 of a cell without a time of day.
pub(crate) fn parse_date(cell: &str, order: DateOrder) -> Option<i32> {
    days(cell.trim(), order)
}

/// Microseconds since 1970; a cell without an offset is taken as written, one with an offset is turned to UTC.
pub(crate) fn parse_timestamp(cell: &str, order: DateOrder) -> Option<i64> {
    let (date, time) = split(cell.trim());
    let day = i64::from(days(date, order)?) * SECONDS_PER_DAY * MICROS_PER_SECOND;
    match time {
        Some(time) => Some(day + time_of_day(time)?),
        None => Some(day),
    }
}

fn split(cell: &str) -> (&str, Option<&str>) {
    match cell.find(['T', 't', ' ']) {
        Some(place) => (&cell[..place], Some(cell[place + 1..].trim_start())),
        None => (cell, None),
    }
}

fn days(date: &str, order: DateOrder) -> Option<i32> {
    let separator = date.bytes().find(|byte| !byte.is_ascii_digit())?;
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    let mut parts = date.split(separator as char);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (year, month, day) = match order {
        DateOrder::YearMonthDay => (first, second, third),
        DateOrder::DayMonthYear => (third, second, first),
        DateOrder::MonthDayYear => (third, first, second),
    };
    let short_year_allowed = separator == b'/' && order != DateOrder::YearMonthDay;
    from_civil(year_number(year, short_year_allowed)?, digits(month, 1, 2)?, digits(day, 1, 2)?)
}

/// Two digits mean 1969 to 2068, as POSIX `strptime` reads them.
fn year_number(text: &str, short_allowed: bool) -> Option<i64> {
    match text.len() {
        4 => digits(text, 4, 4).filter(|&year| year >= 1000),
        2 if short_allowed => {
            digits(text, 2, 2).map(|year| if year < 69 { 2000 + year } else { 1900 + year })
        }
        _ => None,
    }
}

fn digits(text: &str, least: usize, most: usize) -> Option<i64> {
    let fits = (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level date
/// algorithms", `days_from_civil`).
fn from_civil(year: i64, month: i64, day: i64) -> Option<i32> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    i32::try_from(era * 146_097 + day_of_era - 719_468).ok()
}

/// `HH:MM[:SS[.ffffff]]` and an optional `Z`, `+05`, `-0500` or `-05:00`, as microseconds of the UTC day.
fn time_of_day(text: &str) -> Option<i64> {
    let (clock, offset_minutes) = split_offset(text)?;
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 1, 2).filter(|&hour| hour < 24)?;
    let minute = digits(parts.next()?, 2, 2).filter(|&minute| minute < 60)?;
    let (second, micros) = match parts.next() {
        Some(seconds) => seconds_and_micros(seconds)?,
        None => (0, 0),
    };
    if parts.next().is_some() {
        return None;
    }
    Some(((hour * 60 + minute - offset_minutes) * 60 + second) * MICROS_PER_SECOND + micros)
}

fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(place) = text.find(['+', '-']) else { return Some((text, 0)) };
    let sign = if text.as_bytes()[place] == b'-' { -1 } else { 1 };
    let offset = text[place + 1..].replace(':', "");
    let hours = digits(offset.get(..2)?, 2, 2).filter(|&hours| hours < 24)?;
    let minutes = match offset.get(2..)? {
        "" => 0,
        minutes => digits(minutes, 2, 2).filter(|&minutes| minutes < 60)?,
    };
    Some((text[..place].trim_end(), sign * (hours * 60 + minutes)))
}

fn seconds_and_micros(text: &str) -> Option<(i64, i64)> {
    let (seconds, fraction) = match text.split_once(['.', ',']) {
        Some((seconds, fraction)) => (seconds, Some(fraction)),
        None => (text, None),
    };
    let second = digits(seconds, 2, 2).filter(|&second| second < 60)?;
    let Some(fraction) = fraction else { return Some((second, 0)) };
    digits(fraction, 1, 9)?;
    let micros = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Some((second, micros))
}

/// Writes days since 1970-01-01 as `yyyy-mm-dd` (Hinnant, `civil_from_days`).
pub(crate) fn format_date(days: i64) -> String {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Writes microseconds since 1970 as `yyyy-mm-ddThh:mm:ss`, with the fraction when there is one.
pub(crate) fn format_timestamp(micros: i64) -> String {
    let seconds = micros.div_euclid(MICROS_PER_SECOND);
    let fraction = micros.rem_euclid(MICROS_PER_SECOND);
    let second_of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    let date = format_date(seconds.div_euclid(SECONDS_PER_DAY));
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}") };
    format!("{date}T{hour:02}:{minute:02}:{second:02}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_orders_apart() {
        let preferred = |cell| orders(cell).and_then(|(found, _)| found.preferred());
        assert_eq!(preferred("2026-02-03"), Some(DateOrder::YearMonthDay));
        assert_eq!(preferred("31/12/2026"), Some(DateOrder::DayMonthYear));
        assert_eq!(preferred("12/31/2026"), Some(DateOrder::MonthDayYear));
        assert_eq!(preferred("12/11/2026"), Some(DateOrder::DayMonthYear));
        assert_eq!(preferred("4/14/12"), Some(DateOrder::MonthDayYear));
        assert_eq!(preferred("2026/02/28 23:59"), Some(DateOrder::YearMonthDay));
        for cell in
            ["", "2026-02-30", "29/02/2025", "10-11-12", "1/2", "1/2/3/2026", "31/31/2026", "2026-02-03x"]
        {
            assert_eq!(preferred(cell), None, "{cell:?}");
        }
    }

    #[test]
    fn counts_days_and_micros() {
        assert_eq!(parse_date("1970-01-01", DateOrder::YearMonthDay), Some(0));
        assert_eq!(parse_date("29/02/2024", DateOrder::DayMonthYear), Some(19_782));
        assert_eq!(parse_date("31.12.1969", DateOrder::DayMonthYear), Some(-1));
        let parse = |cell| parse_timestamp(cell, DateOrder::YearMonthDay);
        assert_eq!(parse("1970-01-02"), Some(86_400_000_000));
        assert_eq!(parse("1970-01-01T00:00:01.5Z"), Some(1_500_000));
        assert_eq!(parse("1970-01-01 00:00:00-05:00"), Some(5 * 3600 * 1_000_000));
        assert_eq!(parse("1970-01-01 24:00"), None);
        assert_eq!(parse("1970-01-01 1:2:3:4"), None);
    }

    #[test]
    fn writes_back_what_it_read() {
        for cell in ["1970-01-01", "2000-02-29", "1600-12-31", "9999-12-31", "1969-12-31"] {
            let days = parse_date(cell, DateOrder::YearMonthDay).unwrap();
            assert_eq!(format_date(i64::from(days)), cell);
        }
        let micros = parse_timestamp("1969-12-31T23:59:59.000001", DateOrder::YearMonthDay).unwrap();
        assert_eq!(format_timestamp(micros), "1969-12-31T23:59:59.000001");
    }
}
