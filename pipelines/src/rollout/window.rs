//! Deployment windows: when the weight of a canary may be raised. Rolling back needs no window.

use jiff::{Timestamp, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use chasqui_registry::clock::Micros;

use crate::error::{Error, Result};

/// The time zone of windows and schedules.
pub const ZONE: &str = "America/Guayaquil";

/// A weekly window in the time of Guayaquil, for example Monday to Thursday from 02:00 to 06:00.
///
/// `from` is inside, `to` is not; a window with `from > to` runs over midnight and belongs to the day it begins on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeploymentWindow")]
pub struct Window {
    /// Days, 1 = Monday … 7 = Sunday; empty means every day.
    #[serde(default)]
    pub days: Vec<i8>,
    /// Beginning, `HH:MM`.
    pub from: String,
    /// End, `HH:MM`.
    pub to: String,
}

impl Window {
    /// Checks days and times.
    pub fn check(&self) -> Result<()> {
        if let Some(day) = self.days.iter().find(|day| !(1..=7).contains(*day)) {
            return Err(Error::Invalid(format!("window day {day}; use 1 (Monday) to 7 (Sunday)")));
        }
        for time in [&self.from, &self.to] {
            if minutes(time).is_none() {
                return Err(Error::Invalid(format!("window time {time:?}; use HH:MM")));
            }
        }
        if self.from == self.to {
            return Err(Error::Invalid(format!("window from {} to {} is empty", self.from, self.to)));
        }
        Ok(())
    }

    /// True when the window is open at `now`.
    pub fn open(&self, now: Micros) -> bool {
        let (Some(from), Some(to)) = (minutes(&self.from), minutes(&self.to)) else { return false };
        let Some((day, minute)) = local(now) else { return false };
        if from < to {
            return self.has(day) && (from..to).contains(&minute);
        }
        let yesterday = if day == 1 { 7 } else { day - 1 };
        (self.has(day) && minute >= from) || (self.has(yesterday) && minute < to)
    }

    fn has(&self, day: i8) -> bool {
        self.days.is_empty() || self.days.contains(&day)
    }
}

/// Minutes since midnight of `HH:MM`.
fn minutes(text: &str) -> Option<i32> {
    let (hours, minutes) = text.split_once(':')?;
    let parse = |part: &str, end: i32| {
        let value: i32 = if part.len() == 2 { part.parse().ok()? } else { return None };
        (0..end).contains(&value).then_some(value)
    };
    Some(parse(hours, 24)? * 60 + parse(minutes, 60)?)
}

/// Day of the week (1 = Monday) and minutes since midnight in Guayaquil.
fn local(now: Micros) -> Option<(i8, i32)> {
    let zone = TimeZone::get(ZONE).ok()?;
    let local = Timestamp::from_microsecond(now.0).ok()?.to_zoned(zone);
    let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
    Some((local.weekday().to_monday_one_offset(), minute))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Micros {
        Micros(text.parse::<Timestamp>().unwrap().as_microsecond())
    }

    fn window(days: &[i8], from: &str, to: &str) -> Window {
        Window { days: days.to_vec(), from: from.into(), to: to.into() }
    }

    #[test]
    fn opens_by_day_and_local_time() {
        // 2026-11-23 is a Monday; Guayaquil is five hours behind UTC.
        let monday = window(&[1], "02:00", "06:00");
        assert!(monday.open(at("2026-11-23T07:00:00Z")));
        assert!(!monday.open(at("2026-11-23T11:00:00Z")));
        assert!(!monday.open(at("2026-11-24T07:00:00Z")));
    }

    #[test]
    fn runs_over_midnight() {
        let night = window(&[1], "22:00", "04:00");
        assert!(night.open(at("2026-11-24T04:00:00Z")), "Monday 23:00");
        assert!(night.open(at("2026-11-24T08:59:00Z")), "Tuesday 03:59");
        assert!(!night.open(at("2026-11-24T09:00:00Z")), "Tuesday 04:00");
        assert!(!night.open(at("2026-11-23T08:00:00Z")), "Monday 03:00 belongs to Sunday");
    }

    #[test]
    fn refuses_what_is_not_a_time() {
        for bad in ["24:00", "7:00", "ab:cd", "12:60", ""] {
            assert!(window(&[], bad, "06:00").check().is_err(), "{bad}");
        }
        assert!(window(&[0], "01:00", "02:00").check().is_err());
        assert!(window(&[], "01:00", "01:00").check().is_err());
    }
}
