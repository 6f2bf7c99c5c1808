//! The four cells of a binary model's answers, counted or expected, and what follows from them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measure::Measure;

/// Rows by prediction and truth; expected rows need not be whole. Adding two adds their rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Predicted no, is no.
    pub true_negative: f64,
    /// Predicted yes, is no.
    pub false_positive: f64,
    /// Predicted no, is yes.
    pub false_negative: f64,
    /// Predicted yes, is yes.
    pub true_positive: f64,
}

/// What one answer is worth in dollars (negative: what it costs), by prediction and truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValueMatrix {
    /// Predicted no, is no.
    pub true_negative: f64,
    /// Predicted yes, is no.
    pub false_positive: f64,
    /// Predicted no, is yes.
    pub false_negative: f64,
    /// Predicted yes, is yes.
    pub true_positive: f64,
}

impl Confusion {
    /// Counts a row that is a yes with the given probability, 0–1. With 0 and 1 it counts what is known.
    pub fn add(&mut self, predicted: bool, probability: f64) {
        if predicted {
            self.true_positive += probability;
            self.false_positive += 1.0 - probability;
        } else {
            self.false_negative += probability;
            self.true_negative += 1.0 - probability;
        }
    }

    /// The expected or real cells of rows.
    pub fn of(rows: impl IntoIterator<Item = (bool, f64)>) -> Self {
        let mut cells = Self::default();
        for (predicted, probability) in rows {
            cells.add(predicted, probability);
        }
        cells
    }

    /// Adds another window's rows.
    pub fn merge(&mut self, other: &Self) {
        self.true_negative += other.true_negative;
        self.false_positive += other.false_positive;
        self.false_negative += other.false_negative;
        self.true_positive += other.true_positive;
    }

    /// All rows.
    pub fn rows(&self) -> f64 {
        self.true_negative + self.false_positive + self.false_negative + self.true_positive
    }

    /// What the rows are worth together, in dollars.
    pub fn value(&self, matrix: &ValueMatrix) -> f64 {
        self.true_negative * matrix.true_negative
            + self.false_positive * matrix.false_positive
            + self.false_negative * matrix.false_negative
            + self.true_positive * matrix.true_positive
    }

    /// What one row is worth in dollars on average, and the standard error of that. None without rows.
    pub fn value_per_row(&self, matrix: &ValueMatrix) -> Option<(f64, f64)> {
        let scatter = self.value_scatter(matrix)?;
        Some((self.value(matrix) / self.rows(), scatter.error_of_mean(self.rows())))
    }

    /// A measure that follows from the cells. None where it has no denominator, for the area under the ROC curve,
    /// and for the value, which needs a matrix.
    pub fn measure(&self, measure: Measure) -> Option<f64> {
        let Self { true_negative, false_positive, false_negative, true_positive } = *self;
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        match measure {
            Measure::Accuracy => share(true_positive + true_negative, self.rows()),
            Measure::Precision => share(true_positive, true_positive + false_positive),
            Measure::Recall => share(true_positive, true_positive + false_negative),
            Measure::Specificity => share(true_negative, true_negative + false_positive),
            Measure::F1 => {
                share(true_positive, true_positive + f64::midpoint(false_positive, false_negative))
            }
            Measure::TruePositive => Some(true_positive),
            Measure::TrueNegative => Some(true_negative),
            Measure::FalsePositive => Some(false_positive),
            Measure::FalseNegative => Some(false_negative),
            Measure::RocAuc | Measure::Value => None,
        }
    }

    /// How far a measure of one row scatters and how large the share of rows is that it looks at, by the standard
    /// error of the mean as NannyML modifies it per measure. None where [`measure`](Self::measure) is None.
    pub(super) fn scatter(&self, measure: Measure) -> Option<Scatter> {
        let Self { true_negative, false_positive, false_negative, true_positive } = *self;
        let rows = self.rows();
        let of = |hits: f64, relevant: f64| {
            (relevant > 0.0).then(|| {
                let p = hits / relevant;
                Scatter { variance: p * (1.0 - p), share: relevant / rows }
            })
        };
        match measure {
            Measure::Accuracy => of(true_positive + true_negative, rows),
            Measure::Precision => of(true_positive, true_positive + false_positive),
            Measure::Recall => of(true_positive, true_positive + false_negative),
            Measure::Specificity => of(true_negative, true_negative + false_positive),
            Measure::F1 => of(true_positive, true_positive + false_positive + false_negative),
            Measure::TruePositive => of(true_positive, rows),
            Measure::TrueNegative => of(true_negative, rows),
            Measure::FalsePositive => of(false_positive, rows),
            Measure::FalseNegative => of(false_negative, rows),
            Measure::RocAuc | Measure::Value => None,
        }
    }

    /// By what the scatter of F1's hits must be multiplied to be that of F1: its rows count errors by half.
    pub(super) fn f1_correction(&self) -> f64 {
        let errors = self.false_positive + self.false_negative;
        (self.true_positive + errors) / (self.true_positive + errors / 2.0)
    }

    /// Scatter of one row's value in dollars. None without rows.
    pub(super) fn value_scatter(&self, matrix: &ValueMatrix) -> Option<Scatter> {
        let rows = self.rows();
        if rows <= 0.0 {
            return None;
        }
        let mean = self.value(matrix) / rows;
        let off = |value: f64| (value - mean).powi(2);
        let squared = ValueMatrix {
            true_negative: off(matrix.true_negative),
            false_positive: off(matrix.false_positive),
            false_negative: off(matrix.false_negative),
            true_positive: off(matrix.true_positive),
        };
        Some(Scatter { variance: self.value(&squared) / rows, share: 1.0 })
    }
}

/// Variance of one relevant row and the share of the rows that are relevant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Scatter {
    pub(super) variance: f64,
    pub(super) share: f64,
}

impl Scatter {
    /// Standard error of a mean over `rows` rows.
    pub(super) fn error_of_mean(self, rows: f64) -> f64 {
        (self.variance / (rows * self.share)).sqrt()
    }

    /// Standard error of a sum over `rows` rows.
    pub(super) fn error_of_sum(self, rows: f64) -> f64 {
        (self.variance * rows).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::{Confusion, ValueMatrix};
    use crate::performance::Measure;

    #[test]
    fn measures_of_known_cells() {
        let cells =
            Confusion { true_negative: 50.0, false_positive: 10.0, false_negative: 5.0, true_positive: 35.0 };
        assert_eq!(cells.measure(Measure::Accuracy), Some(0.85));
        assert_eq!(cells.measure(Measure::Precision), Some(35.0 / 45.0));
        assert_eq!(cells.measure(Measure::Recall), Some(0.875));
        assert_eq!(cells.measure(Measure::F1), Some(35.0 / 42.5));
        let matrix = ValueMatrix {
            true_negative: 1.0,
            false_positive: -10.0,
            false_negative: -25.0,
            true_positive: 20.0,
        };
        assert_eq!(cells.value(&matrix), 50.0 - 100.0 - 125.0 + 700.0);
    }

    #[test]
    fn nothing_has_no_measure() {
        let cells = Confusion::default();
        assert_eq!(cells.measure(Measure::Accuracy), None);
        assert_eq!(cells.measure(Measure::F1), None);
        assert!(cells.value_scatter(&ValueMatrix::default()).is_none());
    }
}
