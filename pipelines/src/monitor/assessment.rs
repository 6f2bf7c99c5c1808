//! What a verdict means, as it is kept beside it.

use chasqui_drift::calendar::{Event, SeasonalVerdict};
use chasqui_drift::decision::{Incident, Severity};
use chasqui_drift::groups::GroupShift;
use chasqui_drift::kind::ChangeDescription;
use chasqui_drift::quality::Fault;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a verdict means. Everything is absent in verdicts from before it was known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "DriftAssessment")]
pub struct Assessment {
    /// The window has fewer predictions than the service's policy asks for: only how they came was judged.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub few_rows: bool,
    /// Faults of the window's data; a season never explains them.
    pub faults: Vec<Fault>,
    /// What the season makes of the change; none when nothing changed, or where windows are shorter than a day.
    pub season: Option<SeasonReading>,
    /// Kind and date of each column that changed, in the verdict's order.
    pub changes: Vec<ColumnChange>,
    /// There are more than 500 groups: none was followed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub too_many_groups: bool,
    /// What changed together, the gravest first.
    pub incidents: Vec<Incident>,
    /// How much a person must care.
    pub severity: Option<Severity>,
    /// The performance of the model fell in this window, as far as it was known when the window was judged.
    pub performance_fell: bool,
    /// Dollars a week at risk, as far as they are known.
    pub dollars: f64,
}

impl Assessment {
    /// An earlier year explains the change.
    pub fn is_explained(&self) -> bool {
        let verdict = self.season.as_ref().map(|season| season.verdict);
        matches!(verdict, Some(SeasonalVerdict::Expected { .. }))
    }

    /// The season may explain the change, but there is no earlier year to say so.
    pub fn is_watched(&self) -> bool {
        let verdict = self.season.as_ref().map(|season| season.verdict);
        matches!(verdict, Some(SeasonalVerdict::Watched { .. }))
    }

    /// The season that the change is part of, when it is much stronger than the year before.
    pub fn stronger_season(&self) -> Option<Event> {
        match self.season.as_ref()?.verdict {
            SeasonalVerdict::Expected { event, notice: true } => Some(event),
            _ => None,
        }
    }
}

/// What the season makes of a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeasonReading {
    /// Whether it explains it.
    pub verdict: SeasonalVerdict,
    /// The stretch of an earlier year that it was compared with, both days included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<(Date, Date)>,
    /// The last day of the first window in which the change was there and nothing explained it; kept while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Date>,
    /// Where the rows of that stretch are from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SeasonSource>,
    /// Rows of that stretch.
    #[serde(default)]
    pub rows: u64,
    /// The columns that changed, beside both.
    #[serde(default)]
    pub columns: Vec<ColumnLikeness>,
}

/// Where the rows of an earlier year are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeasonSource {
    /// The prediction log.
    Log,
    /// The dataset that the version was trained on.
    Dataset,
}

/// A column beside training and beside the earlier year.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnLikeness {
    /// The column.
    pub column: String,
    /// Its distances.
    #[serde(flatten)]
    pub likeness: chasqui_drift::calendar::Likeness,
}

/// Kind and date of a column's change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnChange {
    /// The column.
    pub column: String,
    /// Its kind and size.
    pub description: ChangeDescription,
    /// When it began; none for kinds that do not begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<ChangeInterval>,
    /// The groups that moved otherwise than the rest, the most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupShift>,
}

/// When a change began, in days of Guayaquil.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeInterval {
    /// The likeliest day.
    pub on: Date,
    /// The first day of the 90 % interval.
    pub earliest: Date,
    /// Its last day.
    pub latest: Date,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_is_not_explained() {
        let of = |verdict| {
            let season = SeasonReading {
                verdict,
                compared_with: None,
                since: None,
                source: None,
                rows: 0,
                columns: Vec::new(),
            };
            Assessment { season: Some(season), ..Assessment::default() }
        };
        let watched = of(SeasonalVerdict::Watched { event: Event::Carnaval, since: Date::MIN });
        assert!(watched.is_watched() && !watched.is_explained());
        let stronger = of(SeasonalVerdict::Expected { event: Event::Carnaval, notice: true });
        assert!(stronger.is_explained() && stronger.stronger_season() == Some(Event::Carnaval));
        assert_eq!(of(SeasonalVerdict::Alarm).stronger_season(), None);
    }
}
