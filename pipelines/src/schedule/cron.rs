//! The five fields of cron, in the time of Guayaquil: minute, hour, day of month, month, day of week.
//!
//! `*`, numbers, ranges `1-5`, lists `1,15` and steps `*/10`, `8-18/2`. Days of the week are 0–7, 0 and 7 being Sunday.
//! As in every cron, a day matches when *either* day field does, if both are given.

use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, ToSpan, tz::TimeZone};

use chasqui_registry::clock::Micros;

use crate::error::{Error, Result};
use crate::rollout::window::ZONE;

/// No schedule with a date needs a longer look: 29 February comes within eight years.
const HORIZON_DAYS: usize = 8 * 366 + 1;

/// A parsed schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    either_day: bool,
}

impl Cron {
    /// Parses five fields.
    ///
    /// # Errors
    /// `Invalid`, naming the field.
    pub fn parse(text: &str) -> Result<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(invalid(text, "five fields: minute hour day month weekday"));
        };
        let parse = |field: &str, name: &str, from: u32, to: u32| {
            bits(field, from, to).ok_or_else(|| invalid(text, &format!("{name} {field:?}, use {from}-{to}")))
        };
        let weekdays = parse(weekday, "weekday", 0, 7)?;
        let cron = Self {
            minutes: parse(minute, "minute", 0, 59)?,
            hours: parse(hour, "hour", 0, 23)?,
            days: parse(day, "day", 1, 31)?,
            months: parse(month, "month", 1, 12)?,
            weekdays: (weekdays | (weekdays >> 7)) & 0x7f,
            either_day: day != "*" && weekday != "*",
        };
        if cron.next_after(Micros(0)).is_none() {
            return Err(invalid(text, "no such day exists"));
        }
        Ok(cron)
    }

    /// The first matching minute after `now`.
    pub fn next_after(&self, now: Micros) -> Option<Micros> {
        let zone = TimeZone::get(ZONE).ok()?;
        let local = Timestamp::from_microsecond(now.0).ok()?.to_zoned(zone.clone()).datetime();
        let first =
            DateTime::new(local.year(), local.month(), local.day(), local.hour(), local.minute(), 0, 0)
                .ok()?
                .checked_add(1.minute())
                .ok()?;
        let mut date = first.date();
        let mut earliest = (first.hour(), first.minute());
        for _ in 0..HORIZON_DAYS {
            if self.has_day(date)
                && let Some((hour, minute)) = self.time_from(earliest)
            {
                let at = date.at(hour, minute, 0, 0).to_zoned(zone).ok()?;
                return Some(Micros(at.timestamp().as_microsecond()));
            }
            date = date.tomorrow().ok()?;
            earliest = (0, 0);
        }
        None
    }

    fn has_day(&self, date: Date) -> bool {
        let has = |bits: u64, value: i8| bits >> value & 1 == 1;
        if !has(self.months, date.month()) {
            return false;
        }
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        if self.either_day { day || weekday } else { day && weekday }
    }

    fn time_from(&self, (hour, minute): (i8, i8)) -> Option<(i8, i8)> {
        let hours = (hour..24).filter(|h| self.hours >> h & 1 == 1);
        for h in hours {
            let from = if h == hour { minute } else { 0 };
            if let Some(m) = (from..60).find(|m| self.minutes >> m & 1 == 1) {
                return Some((h, m));
            }
        }
        None
    }
}

fn invalid(text: &str, what: &str) -> Error {
    Error::Invalid(format!("schedule {text:?}: {what}"))
}

/// The set of a field as bits.
fn bits(field: &str, from: u32, to: u32) -> Option<u64> {
    let mut set = 0;
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<u32>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (low, high) = if range == "*" {
            (from, to)
        } else if let Some((low, high)) = range.split_once('-') {
            (low.parse().ok()?, high.parse().ok()?)
        } else {
            let value: u32 = range.parse().ok()?;
            (value, if step > 1 { to } else { value })
        };
        if low < from || high > to || low > high {
            return None;
        }
        for value in (low..=high).step_by(step as usize) {
            set |= 1 << value;
        }
    }
    Some(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next time after an instant, both written in the time of Guayaquil.
    fn next(cron: &str, after: &str) -> String {
        let zone = TimeZone::get(ZONE).unwrap();
        let after: DateTime = after.parse().unwrap();
        let after = Micros(after.to_zoned(zone.clone()).unwrap().timestamp().as_microsecond());
        let next = Cron::parse(cron).unwrap().next_after(after).unwrap();
        let next = Timestamp::from_microsecond(next.0).unwrap().to_zoned(zone).datetime();
        next.to_string()
    }

    #[test]
    fn next_times() {
        // 2026-11-23 is a Monday.
        for (cron, after, expected) in [
            ("0 3 * * 1", "2026-11-22T10:00", "2026-11-23T03:00:00"),
            ("0 3 * * 1", "2026-11-23T03:00", "2026-11-30T03:00:00"),
            ("0 3 * * 1", "2026-11-23T02:59:59", "2026-11-23T03:00:00"),
            ("*/15 * * * *", "2026-11-23T10:14", "2026-11-23T10:15:00"),
            ("*/15 * * * *", "2026-11-23T23:50", "2026-11-24T00:00:00"),
            ("30 8-18/5 * * *", "2026-11-23T13:31", "2026-11-23T18:30:00"),
            ("0 0 1,15 * *", "2026-11-23T00:00", "2026-12-01T00:00:00"),
            ("0 0 29 2 *", "2026-11-23T00:00", "2028-02-29T00:00:00"),
            ("0 0 13 * 5", "2026-11-23T00:00", "2026-11-27T00:00:00"),
            ("0 6 * * 7", "2026-11-23T00:00", "2026-11-29T06:00:00"),
            ("0 6 * * 0", "2026-11-23T00:00", "2026-11-29T06:00:00"),
            ("59 23 31 12 *", "2026-12-31T23:59", "2027-12-31T23:59:00"),
        ] {
            assert_eq!(next(cron, after), expected, "{cron} after {after}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_schedule() {
        for bad in ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8"] {
            assert!(Cron::parse(bad).is_err(), "{bad}");
        }
        for bad in ["*/0 * * * *", "5-1 * * * *", "a * * * *", "0 0 30 2 *", "-1 * * * *", "1,, * * * *"] {
            assert!(Cron::parse(bad).is_err(), "{bad}");
        }
        let message = Cron::parse("0 25 * * *").unwrap_err().to_string();
        assert!(message.contains("hour") && message.contains("25"), "{message}");
    }
}
