//! Whether the season explains a change.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Event, days_between};

/// A change without a last year to compare it with must be over within so many days.
pub const OBSERVATION_DAYS: i32 = 14;
/// A season so many times stronger than last year's deserves a notice.
const NOTICE_RATIO: f64 = 1.5;

/// What is known of a change of the window at hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeasonalChange {
    /// The window differs from the training data (R0).
    pub differs_from_training: bool,
    /// The window differs from the same stretch of the season last year (R1); None without such data.
    pub differs_from_last_year: Option<bool>,
    /// The season that the window lies in.
    pub season: Option<Event>,
    /// Distance between the window and the training data.
    pub size: f64,
    /// The same distance of last year's stretch.
    pub size_last_year: Option<f64>,
    /// Since when the change is there, if it was there before.
    pub since: Option<Date>,
    /// The window before raised an alarm about it.
    pub alarmed: bool,
    /// The last day of the window.
    pub today: Date,
    /// The data are faulty or performance fell: never explained by a season.
    pub fault_or_loss: bool,
}

/// What the season makes of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum SeasonalVerdict {
    /// Nothing changed, or it has gone back.
    Steady,
    /// The change deserves an alarm.
    Alarm,
    /// «Cambio esperado por temporada»: listed, no alarm.
    Expected {
        /// The season.
        event: Event,
        /// It is more than half as strong again as last year: say so.
        notice: bool,
    },
    /// «En observación»: a season without a last year; an alarm if it is not over in 14 days.
    Watched {
        /// The season.
        event: Event,
        /// The first day of the change.
        since: Date,
    },
}

/// Judges a change by two references: the training data and the same season last year.
///
/// Different from both: alarm. Different from training alone: expected. Without last year: watched, then alarm, which
/// stays one until the change is over. Outside every season, and for faulty data or fallen performance: alarm.
pub fn judge(change: &SeasonalChange) -> SeasonalVerdict {
    if change.fault_or_loss {
        return SeasonalVerdict::Alarm;
    }
    if !change.differs_from_training {
        return SeasonalVerdict::Steady;
    }
    let Some(event) = change.season else { return SeasonalVerdict::Alarm };
    match change.differs_from_last_year {
        Some(true) => SeasonalVerdict::Alarm,
        Some(false) => {
            let stronger = |last: f64| last.is_finite() && change.size > NOTICE_RATIO * last;
            SeasonalVerdict::Expected { event, notice: change.size_last_year.is_some_and(stronger) }
        }
        None => {
            let since = change.since.unwrap_or(change.today).min(change.today);
            if change.alarmed || days_between(since, change.today) >= OBSERVATION_DAYS {
                SeasonalVerdict::Alarm
            } else {
                SeasonalVerdict::Watched { event, since }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{SeasonalChange, SeasonalVerdict, judge};
    use crate::calendar::Event;

    const CHANGE: SeasonalChange = SeasonalChange {
        differs_from_training: true,
        differs_from_last_year: Some(false),
        season: Some(Event::Carnaval),
        size: 0.2,
        size_last_year: Some(0.2),
        since: None,
        alarmed: false,
        today: date(2026, 2, 16),
        fault_or_loss: false,
    };

    #[test]
    fn the_same_as_last_year_is_expected_and_stronger_gets_a_notice() {
        let expected = |notice| SeasonalVerdict::Expected { event: Event::Carnaval, notice };
        assert_eq!(judge(&CHANGE), expected(false));
        assert_eq!(judge(&SeasonalChange { size: 0.31, ..CHANGE }), expected(true));
    }

    #[test]
    fn other_than_last_year_is_an_alarm() {
        let other = SeasonalChange { differs_from_last_year: Some(true), ..CHANGE };
        assert_eq!(judge(&other), SeasonalVerdict::Alarm);
    }

    #[test]
    fn the_first_year_is_watched_for_fourteen_days() {
        let first = SeasonalChange { differs_from_last_year: None, ..CHANGE };
        let since = date(2026, 2, 16);
        assert_eq!(judge(&first), SeasonalVerdict::Watched { event: Event::Carnaval, since });
        let later = SeasonalChange { since: Some(since), today: date(2026, 3, 1), ..first };
        assert_eq!(judge(&later), SeasonalVerdict::Watched { event: Event::Carnaval, since });
        let too_long = SeasonalChange { today: date(2026, 3, 2), ..later };
        assert_eq!(judge(&too_long), SeasonalVerdict::Alarm);
        let told = SeasonalChange { alarmed: true, since: None, ..first };
        assert_eq!(judge(&told), SeasonalVerdict::Alarm, "a season that begins takes no alarm back");
        let back = SeasonalChange { differs_from_training: false, ..too_long };
        assert_eq!(judge(&back), SeasonalVerdict::Steady);
    }

    #[test]
    fn faults_losses_and_ordinary_days_are_never_muted() {
        let faulty = SeasonalChange { fault_or_loss: true, differs_from_training: false, ..CHANGE };
        assert_eq!(judge(&faulty), SeasonalVerdict::Alarm);
        assert_eq!(judge(&SeasonalChange { season: None, ..CHANGE }), SeasonalVerdict::Alarm);
    }
}
