//! The measures of performance and their figures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::thresholds::Thresholds;

/// How many sampling errors an estimate's interval reaches to either side.
pub(super) const INTERVAL: f64 = 3.0;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PerformanceMeasure")]
pub enum Measure {
    /// Area under the ROC curve, 0–1; over classes their mean, one against the rest.
    RocAuc,
    /// Share of right answers, 0–1.
    Accuracy,
    /// Harmonic mean of precision and recall, 0–1.
    F1,
    /// Share of the predicted yes that are yes, 0–1.
    Precision,
    /// Share of the yes that are predicted yes, 0–1.
    Recall,
    /// Share of the no that are predicted no, 0–1.
    Specificity,
    /// Dollars that the window's answers are worth by the business-value matrix.
    Value,
    /// Rows predicted yes that are yes.
    TruePositive,
    /// Rows predicted no that are no.
    TrueNegative,
    /// Rows predicted yes that are no.
    FalsePositive,
    /// Rows predicted no that are yes.
    FalseNegative,
}

impl Measure {
    /// The measures of a binary classifier.
    pub const BINARY: [Self; 11] = [
        Self::RocAuc,
        Self::Accuracy,
        Self::F1,
        Self::Precision,
        Self::Recall,
        Self::Specificity,
        Self::Value,
        Self::TruePositive,
        Self::TrueNegative,
        Self::FalsePositive,
        Self::FalseNegative,
    ];

    /// The measures of a classifier of more than two classes.
    pub const MULTICLASS: [Self; 6] =
        [Self::RocAuc, Self::Accuracy, Self::F1, Self::Precision, Self::Recall, Self::Specificity];

    /// It grows with the rows: a sum, not a share.
    pub(super) fn is_sum(self) -> bool {
        matches!(
            self,
            Self::Value | Self::TruePositive | Self::TrueNegative | Self::FalsePositive | Self::FalseNegative
        )
    }

    /// A larger value is worse.
    pub(super) fn is_error(self) -> bool {
        matches!(self, Self::FalsePositive | Self::FalseNegative)
    }

    /// The least and the largest that it can be.
    pub(super) fn limits(self) -> (f64, f64) {
        match self {
            Self::Value => (f64::NEG_INFINITY, f64::INFINITY),
            _ if self.is_sum() => (0.0, f64::INFINITY),
            _ => (0.0, 1.0),
        }
    }
}

/// An estimated measure of one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// What is estimated.
    pub measure: Measure,
    /// The estimate, in the measure's unit.
    pub value: f64,
    /// Standard error from the window's size alone.
    pub sampling_error: f64,
    /// Three sampling errors below the estimate, not below what the measure can be.
    pub lower: f64,
    /// Three above, not above what it can be.
    pub upper: f64,
    /// Where the reference's chunks lie.
    pub thresholds: Thresholds,
    /// The estimate lies outside the thresholds.
    pub alert: bool,
}

impl Estimate {
    pub(super) fn new(measure: Measure, value: f64, error: f64, thresholds: Thresholds) -> Self {
        let (least, most) = measure.limits();
        Self {
            measure,
            value,
            sampling_error: error,
            lower: (value - INTERVAL * error).max(least),
            upper: (value + INTERVAL * error).min(most),
            thresholds,
            alert: thresholds.excludes(value),
        }
    }

    /// The alert is for the worse: an estimate above its upper threshold is unusual, but no loss.
    pub fn fell(&self) -> bool {
        fell(self.measure, self.value, self.thresholds)
    }
}

fn fell(measure: Measure, value: f64, thresholds: Thresholds) -> bool {
    if measure.is_error() { value > thresholds.upper } else { value < thresholds.lower }
}

/// A measure of one window whose labels have come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Realized {
    /// What is measured.
    pub measure: Measure,
    /// The measure.
    pub value: f64,
    /// Standard error from the number of labelled rows.
    pub sampling_error: f64,
    /// Where the reference's chunks lie.
    pub thresholds: Thresholds,
    /// The value lies outside the thresholds.
    pub alert: bool,
}

impl Realized {
    /// The alert is for the worse.
    pub fn fell(&self) -> bool {
        fell(self.measure, self.value, self.thresholds)
    }
}

#[cfg(test)]
mod tests {
    use super::{Estimate, Measure, Thresholds};

    #[test]
    fn only_the_worse_side_is_a_fall() {
        let usual = Thresholds { lower: 0.7, upper: 0.9 };
        let of = |measure, value| Estimate::new(measure, value, 0.01, usual);
        assert!(of(Measure::Accuracy, 0.6).fell() && !of(Measure::Accuracy, 0.95).fell());
        assert!(of(Measure::Accuracy, 0.95).alert);
        let rows = Thresholds { lower: 10.0, upper: 20.0 };
        assert!(Estimate::new(Measure::FalsePositive, 30.0, 1.0, rows).fell());
        assert!(!Estimate::new(Measure::FalsePositive, 5.0, 1.0, rows).fell());
    }

    #[test]
    fn an_interval_stays_within_what_is_possible() {
        let estimate = Estimate::new(Measure::RocAuc, 0.99, 0.01, Thresholds { lower: 0.9, upper: 1.0 });
        assert_eq!(estimate.upper, 1.0);
        assert!((estimate.lower - 0.96).abs() < 1e-12);
    }
}
