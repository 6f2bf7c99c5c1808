//! Ecuador's year: national and local holidays by law, the seasons that move what customers do, and whether a
//! change of the data is what the season explains.
//!
//! Dates are civil dates in Ecuador. Nothing here knows today's date. The words are Spanish because the calendar
//! is: they are names, shown as they stand.

mod easter;
mod edits;
mod event_name;
mod holidays;
mod likeness;
mod season;
mod seasonal;

pub use easter::easter_sunday;
pub use edits::{AddedDay, Calendar};
pub use event_name::EventName;
pub use holidays::{Holiday, Place, local_holidays, national_holidays, observed};
pub use likeness::{Likeness, likeness};
pub use season::{
    Counterpart, Event, Region, Season, counterpart, counterparts, school_is_on, school_year, seasons,
};
pub use seasonal::{OBSERVATION_DAYS, SeasonalChange, SeasonalVerdict, judge};

use jiff::Span;
use jiff::civil::Date;

/// `days` later, or earlier when negative.
fn shift(date: Date, days: i32) -> Date {
    date.saturating_add(Span::new().days(days))
}

/// Days from one date to another, negative when the other is earlier.
fn days_between(from: Date, to: Date) -> i32 {
    (from.duration_until(to).as_secs() / 86_400) as i32
}

/// A day that every year has; the first of all dates for a year beyond jiff's (−9999 to 9999).
fn day(year: i16, month: i8, day: i8) -> Date {
    Date::new(year, month, day).unwrap_or(Date::MIN)
}
