//! The performance of a version window by window: estimated when the window closes, realized as outcomes come, what
//! both are worth, when retraining will be needed, and whether groups are treated alike.
//!
//! A version's estimator is made from its held-out rows when it is trained ([`estimator`]); its rows are read from the
//! prediction log here. A version without one is measured by its outcomes alone, without thresholds.

mod answers;
pub mod estimator;
mod figures;
mod outcomes;
mod outlook;
mod store;
mod watch;

use chasqui_drift::decision::{Advice, GroupFairness, Loss as Dollars, RetrainingForecast};
use chasqui_drift::performance::{Doubt, Reconciliation, Thresholds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use estimator::{Estimator, Reference};
pub use store::{StoredPerformance, of_window, windows};
pub use watch::{estimate, refresh, stale};
pub(super) use watch::{fell_before, keep};

/// One measure of one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PerformanceFigure")]
pub struct Figure {
    /// `accuracy`, `roc_auc`, …; `mean_absolute` or `root_mean_squared` of a regression.
    pub measure: String,
    /// Its value, in the measure's unit.
    pub value: f64,
    /// Standard error from the rows alone.
    #[serde(default)]
    pub sampling_error: f64,
    /// Three of those below.
    pub lower: f64,
    /// Three of those above.
    pub upper: f64,
    /// Where the reference's chunks lie; none where there is no reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Thresholds>,
    /// The value at which the version was accepted, on its held-out rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<f64>,
    /// It lies outside the thresholds, for the worse.
    #[serde(default)]
    pub fell: bool,
}

impl Figure {
    /// A larger value is worse.
    pub fn is_loss(&self) -> bool {
        matches!(self.measure.as_str(), "mean_absolute" | "root_mean_squared")
    }
}

/// What the answers of a window are worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WindowValue")]
pub struct Value {
    /// Dollars a prediction in the window.
    pub per_prediction: f64,
    /// Its standard error.
    pub error: f64,
    /// Dollars a prediction when the version was accepted.
    pub at_reference: f64,
    /// Predictions a week.
    pub weekly_predictions: f64,
    /// Dollars a week lost against the reference; negative when more is earned.
    pub weekly_loss: Dollars,
    /// Whether retraining pays.
    pub advice: Advice,
}

/// The performance of a version in one window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WindowPerformance {
    /// Predictions.
    pub rows: u64,
    /// Those whose outcome is known.
    pub labels: u64,
    /// Estimated without outcomes, the decisive measure first.
    pub estimated: Vec<Figure>,
    /// Measured with outcomes, the decisive measure first.
    pub realized: Vec<Figure>,
    /// Why the estimates must not be believed; empty when they may.
    pub doubts: Vec<Doubt>,
    /// The decisive measure, estimated beside realized.
    pub reconciliation: Option<Reconciliation>,
    /// What the answers are worth, as far as that is declared.
    pub value: Option<Value>,
    /// When the decisive measure will leave its thresholds.
    pub forecast: Option<RetrainingForecast>,
    /// Whether groups are treated alike, where they are declared.
    pub fairness: Vec<GroupFairness>,
    /// The figures on groups rest on outcomes, not on estimates.
    pub fairness_realized: bool,
    /// Why there is no estimate.
    pub not_estimated: Option<NotEstimated>,
}

/// Why the performance of a window is not estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotEstimated {
    /// The version has no estimator: it was not trained here, or on too few rows.
    NoEstimator,
    /// The window has too few rows.
    FewRows,
    /// The version has too few held-out rows to know its losses.
    FewHeldOutRows,
    /// The log does not hold what the model must be asked again.
    InputsNotLogged,
    /// An input is personal: the log holds its pseudonyms, which no model can be asked about.
    PersonalInputs,
}

/// Outcomes below which a measure says nothing.
pub const FEWEST_LABELS: u64 = 30;

impl WindowPerformance {
    /// Performance fell: by outcomes where enough are known, else by estimates that may be believed.
    pub fn fell(&self) -> bool {
        if self.labels >= FEWEST_LABELS && !self.realized.is_empty() {
            return self.realized.iter().any(|figure| figure.fell);
        }
        self.doubts.is_empty() && self.estimated.iter().any(|figure| figure.fell)
    }

    /// The decisive figure and whether it is estimated: by outcomes where enough are known.
    pub fn decisive(&self) -> Option<(&Figure, bool)> {
        let realized = self.realized.first().filter(|_| self.labels >= FEWEST_LABELS);
        realized.map(|figure| (figure, false)).or_else(|| self.estimated.first().map(|figure| (figure, true)))
    }

    /// A group is treated worse than is fair.
    pub fn unfair_groups(&self) -> impl Iterator<Item = &GroupFairness> {
        self.fairness.iter().filter(|group| group.unfair())
    }
}
