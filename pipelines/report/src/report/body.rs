//! The figures of the report's one page: what changed, money, season, recommendation, certainty, fairness.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::format::{Range, Unit};

/// One thing that changed, before → after, in the units of the business.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportChange")]
pub struct Change {
    /// The column's name in the data.
    pub feature: String,
    /// What the company calls it (`ingreso`); without it the column's name is quoted.
    #[serde(default)]
    pub label: Option<String>,
    /// Which figure of the column is compared.
    pub measure: Measure,
    /// The unit of both figures.
    pub unit: Unit,
    /// The figure with which the model learned.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub before: f64,
    /// The figure of the period.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub after: f64,
    /// The range in which the period's figure lies.
    #[serde(default)]
    pub range: Option<Range>,
    /// From one day to the next, or slowly.
    #[serde(default)]
    pub pace: Pace,
    /// A known event of the same dates, as a hypothesis ("coincide con …").
    #[serde(default)]
    pub coincides_with: Option<String>,
    /// The cause, when somebody verified it.
    #[serde(default)]
    pub verified_cause: Option<String>,
    /// The distribution before and after, for the chart.
    #[serde(default)]
    pub distribution: Option<Distribution>,
}

/// Which figure of a column a [`Change`] compares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportMeasure")]
pub enum Measure {
    /// The mean of the values.
    Mean,
    /// The share of rows with this value (fractions of 1, whatever the unit says).
    Share {
        /// The value whose share is compared.
        value: String,
    },
    /// The share of rows that would need another value to be spread as before; of columns whose values are not told.
    Moved,
    /// The share of rows without a value.
    Missing,
    /// The mean of the model's own answers.
    Prediction,
}

/// How a change came.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportPace")]
pub enum Pace {
    /// Too few periods to tell.
    #[default]
    Unknown,
    /// From one day to the next.
    Sudden {
        /// The day of the change.
        on: Date,
    },
    /// Slowly.
    Gradual {
        /// When it began, if known.
        #[serde(default)]
        since: Option<Date>,
        /// Weeks until retraining will be needed if it goes on like this.
        #[serde(default)]
        weeks_left: Option<Range>,
    },
}

/// The same cells before and after, as counts or shares: each side is scaled to its own sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportDistribution")]
pub enum Distribution {
    /// Intervals of a number, in ascending order.
    Intervals {
        /// The borders of the intervals, one more than there are intervals; the outermost may be infinite
        /// (`null` in JSON).
        edges: Vec<Option<f64>>,
        /// Count or share before, per interval.
        before: Vec<Option<f64>>,
        /// Count or share in the period, per interval.
        after: Vec<Option<f64>>,
    },
    /// Categories, the most frequent first.
    Categories(Vec<DistributionCell>),
}

/// One category of a [`Distribution`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportDistributionCell")]
pub struct DistributionCell {
    /// The category.
    pub label: String,
    /// Count or share before.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub before: f64,
    /// Count or share in the period.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub after: f64,
}

/// How good the answers are, before and now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportQuality")]
pub struct Quality {
    /// What is measured.
    pub measure: QualityMeasure,
    /// The value with which the model was accepted.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub before: f64,
    /// The value in the period.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub now: f64,
    /// The range of the value in the period.
    pub range: Range,
    /// `true` when estimated without outcomes, `false` when measured with them.
    pub estimated: bool,
    /// What will confirm an estimate (`los pagos de diciembre`).
    #[serde(default)]
    pub awaited: Option<String>,
}

/// What [`Quality`] measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportQualityMeasure")]
pub enum QualityMeasure {
    /// The share of correct answers, a fraction of 1.
    Hits,
    /// The mean absolute error, in the unit of the answer.
    Error {
        /// The unit of the answer.
        unit: Unit,
    },
}

/// What the change means in dollars.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportMoney")]
pub enum Money {
    /// It can be calculated.
    Known {
        /// What is being lost each month (a negative range is a gain).
        loss_per_month: Range,
    },
    /// It cannot be calculated yet, and this is what is missing.
    Unknown {
        /// What is missing.
        missing: Vec<MissingForMoney>,
    },
}

impl Default for Money {
    fn default() -> Self {
        Self::Unknown { missing: Vec::new() }
    }
}

/// What is missing to speak of dollars.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportMissingForMoney")]
pub enum MissingForMoney {
    /// What a right answer is worth and what a wrong one costs.
    ValuePerAnswer,
    /// What really happened after each answer.
    Outcomes,
    /// The performance with which the model was accepted.
    ReferenceQuality,
    /// How many answers a month are used.
    Volume,
    /// Anything else, in the company's words.
    Other(String),
}

/// Whether the season explains it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportSeason")]
pub enum Season {
    /// There is no same season of a past year to compare with.
    #[default]
    Unknown,
    /// There was nothing to explain.
    NoChange,
    /// The same happened last year.
    Expected {
        /// The relative change, a fraction (0.34 = +34 %).
        #[serde(deserialize_with = "crate::nan::or_nan")]
        #[schemars(with = "Option<f64>")]
        change: f64,
        /// The reason, with its article (`el décimo tercero`).
        event: String,
    },
    /// It also happens every year, but this time it is stronger.
    Stronger {
        /// How many times last year's size.
        #[serde(deserialize_with = "crate::nan::or_nan")]
        #[schemars(with = "Option<f64>")]
        times: f64,
        /// The reason, with its article.
        event: String,
    },
    /// Last year's season did not look like this.
    No,
}

/// What to do, who, until when. Orange and red need both the person and the date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportRecommendation")]
pub struct Recommendation {
    /// What to do.
    pub action: Action,
    /// Who answers for it: a person, a role or a team.
    #[serde(default)]
    pub responsible: Option<String>,
    /// Until when.
    #[serde(default)]
    pub due: Option<Date>,
}

/// What is recommended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportAction")]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Look again in two weeks.
    Review,
    /// Check the system in which the data originate.
    CheckSource,
    /// Retrain the model.
    Retrain {
        /// What it costs, in dollars.
        #[serde(default)]
        cost: Option<f64>,
        /// What it would avoid losing each month.
        #[serde(default)]
        avoids_per_month: Option<Range>,
    },
    /// Let the new version through to everybody.
    Promote {
        /// The new version.
        version: String,
    },
    /// Stay with the previous version: the new one was withdrawn.
    KeepPrevious {
        /// The version that was withdrawn.
        withdrawn: String,
    },
    /// Send what really happened, so that the model can be measured.
    SendOutcomes {
        /// How many a week are enough.
        per_week: u64,
    },
    /// Stop using the answers for the group until the cause is clear.
    ProtectGroup {
        /// The group.
        group: String,
    },
    /// Anything else, in the company's words.
    Other(String),
}

/// What happens if nobody does anything.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportInaction")]
pub enum Inaction {
    /// It cannot be said yet.
    #[default]
    Unknown,
    /// Nothing is expected to happen.
    NoConsequence,
    /// The loss goes on.
    LossPerMonth(Range),
    /// Retraining becomes necessary in so many weeks.
    RetrainInWeeks(Range),
    /// The change is slow and no date can be foreseen.
    NoDate,
}

/// How sure the conclusions are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "ReportConfidence")]
pub struct Confidence {
    /// In what fraction of repetitions the same conclusion would be reached (0–1), when it was calculated.
    pub certainty: Option<f64>,
    /// Rows with which the model learned.
    pub rows_reference: u64,
    /// Rows of the period.
    pub rows_current: u64,
    /// Fewer rows than this, and no conclusion is given.
    pub rows_needed: u64,
    /// How many of the period's answers are known to have been right or wrong.
    pub outcomes: Option<u64>,
}

impl Confidence {
    /// Whether the period has too few rows for a conclusion.
    pub fn too_few_rows(&self) -> bool {
        self.rows_current < self.rows_needed
    }
}

/// Whether groups of people are treated alike.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportFairness")]
pub enum Fairness {
    /// It is not measured yet.
    #[default]
    NotMeasured,
    /// The share of favourable answers per group.
    Measured {
        /// What the groups are (`región`).
        attribute: String,
        /// The groups.
        groups: Vec<GroupShare>,
    },
}

/// The favourable answers of one group of people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportGroupShare")]
pub struct GroupShare {
    /// The group.
    pub group: String,
    /// The share of favourable answers, a fraction of 1.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub favourable: f64,
    /// Its range.
    #[serde(default)]
    pub range: Option<Range>,
    /// How many cases.
    pub cases: u64,
}
