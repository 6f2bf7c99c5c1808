//! The five levels of a report and the rule that assigns them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How serious the state of a service is, from green to red; the order is the order of severity.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ReportLevel")]
pub enum Level {
    /// Green: no significant change. Nothing to do.
    #[default]
    Normal,
    /// Blue: a change that the season explains. For information.
    Esperado,
    /// Yellow: a change, confirmed or watched, performance still within its range. Review within two weeks.
    Atencion,
    /// Orange: a loss is likely, or the limit is expected within 30 days. Decide this week.
    Importante,
    /// Red: below the minimum, damaged data, or a group of people harmed. Act today.
    Urgente,
}

/// What the tests of the columns said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportChangeFact")]
pub enum ChangeFact {
    /// No significant change.
    #[default]
    None,
    /// Only the training reference is rejected; the same season of last year is not.
    Seasonal,
    /// The training reference is rejected, and there is no same season of an earlier year to explain it.
    Watched,
    /// A confirmed change.
    Confirmed,
}

/// What is known, or estimated, about the performance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportPerformanceFact")]
pub enum PerformanceFact {
    /// Neither measured nor estimated.
    #[default]
    Unknown,
    /// Within the agreed range.
    WithinRange,
    /// Probably losing against its reference.
    LossLikely,
    /// Below the agreed minimum.
    BelowMinimum,
}

/// The facts that decide the level, and nothing else.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "ReportFacts")]
pub struct Facts {
    /// What the tests of the columns said.
    pub change: ChangeFact,
    /// What is known about the performance.
    pub performance: PerformanceFact,
    /// Data arrive broken: empty columns, impossible values, wrong formats.
    pub data_damaged: bool,
    /// A group of people is treated worse than the agreed limit allows.
    pub group_harmed: bool,
    /// Days until the performance is expected to reach its minimum, when there is such a forecast.
    pub days_to_minimum: Option<f64>,
}

/// A limit forecast for sooner than this makes the level orange.
const DAYS_THAT_MAKE_IT_IMPORTANT: f64 = 30.0;

impl Level {
    /// The five levels, in order of severity.
    pub const ALL: [Self; 5] =
        [Self::Normal, Self::Esperado, Self::Atencion, Self::Importante, Self::Urgente];

    /// The level that the report's table of rules gives to these facts; the most severe rule that applies wins.
    /// A season never mutes a fall in performance or damaged data.
    pub fn of(facts: &Facts) -> Self {
        if facts.data_damaged || facts.group_harmed || facts.performance == PerformanceFact::BelowMinimum {
            return Self::Urgente;
        }
        let limit_is_near = facts.days_to_minimum.is_some_and(|days| days < DAYS_THAT_MAKE_IT_IMPORTANT);
        if facts.performance == PerformanceFact::LossLikely || limit_is_near {
            return Self::Importante;
        }
        match facts.change {
            ChangeFact::Confirmed | ChangeFact::Watched => Self::Atencion,
            ChangeFact::Seasonal => Self::Esperado,
            ChangeFact::None => Self::Normal,
        }
    }

    /// Orange and red: somebody must be responsible, until a date.
    pub fn needs_responsible(self) -> bool {
        self >= Self::Importante
    }

    /// The stable word of the level in JSON, CSS classes (`badge-importante`) and URLs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Esperado => "esperado",
            Self::Atencion => "atencion",
            Self::Importante => "importante",
            Self::Urgente => "urgente",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_change_is_normal() {
        assert_eq!(Level::of(&Facts::default()), Level::Normal);
    }

    #[test]
    fn a_change_that_only_the_training_reference_sees_is_expected() {
        let facts = Facts { change: ChangeFact::Seasonal, ..Facts::default() };
        assert_eq!(Level::of(&facts), Level::Esperado);
    }

    #[test]
    fn a_change_without_an_earlier_year_is_not_expected() {
        let facts = Facts { change: ChangeFact::Watched, ..Facts::default() };
        assert_eq!(Level::of(&facts), Level::Atencion);
    }

    #[test]
    fn a_confirmed_change_within_range_or_unmeasured_is_for_attention() {
        for performance in [PerformanceFact::WithinRange, PerformanceFact::Unknown] {
            let facts = Facts { change: ChangeFact::Confirmed, performance, ..Facts::default() };
            assert_eq!(Level::of(&facts), Level::Atencion);
        }
    }

    #[test]
    fn a_likely_loss_or_a_limit_within_thirty_days_is_important() {
        let loss = Facts { performance: PerformanceFact::LossLikely, ..Facts::default() };
        assert_eq!(Level::of(&loss), Level::Importante);
        let near = |days| Level::of(&Facts { days_to_minimum: Some(days), ..Facts::default() });
        assert_eq!(near(29.9), Level::Importante);
        assert_eq!(near(30.0), Level::Normal);
        assert_eq!(near(f64::NAN), Level::Normal);
    }

    #[test]
    fn damage_harm_and_the_minimum_are_urgent_whatever_the_season() {
        let seasonal = Facts { change: ChangeFact::Seasonal, ..Facts::default() };
        for facts in [
            Facts { data_damaged: true, ..seasonal.clone() },
            Facts { group_harmed: true, ..seasonal.clone() },
            Facts { performance: PerformanceFact::BelowMinimum, ..seasonal },
        ] {
            assert_eq!(Level::of(&facts), Level::Urgente);
        }
    }

    #[test]
    fn only_orange_and_red_need_a_responsible() {
        let needing: Vec<Level> = Level::ALL.into_iter().filter(|level| level.needs_responsible()).collect();
        assert_eq!(needing, [Level::Importante, Level::Urgente]);
    }
}
