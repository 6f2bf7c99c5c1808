//! What is usual: the mean of the reference's chunks and three standard deviations around it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Standard deviations of the reference's chunks between their mean and a threshold.
const SIGMAS: f64 = 3.0;

/// The usual range of a measure, both ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PerformanceThresholds")]
pub struct Thresholds {
    /// Below this is an alert.
    pub lower: f64,
    /// Above this is an alert.
    pub upper: f64,
}

impl Thresholds {
    /// Mean ± 3 population standard deviations of the chunks' values, within `limits`. None without values.
    pub(super) fn of_chunks(values: &[f64], limits: (f64, f64)) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let rows = values.len() as f64;
        let mean = values.iter().sum::<f64>() / rows;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / rows;
        let reach = SIGMAS * variance.sqrt();
        Some(Self { lower: (mean - reach).max(limits.0), upper: (mean + reach).min(limits.1) })
    }

    /// The value is unusual.
    pub fn excludes(&self, value: f64) -> bool {
        value < self.lower || value > self.upper
    }
}

#[cfg(test)]
mod tests {
    use super::Thresholds;

    #[test]
    fn three_sigma_within_what_is_possible() {
        let usual = Thresholds::of_chunks(&[0.8, 0.9, 1.0], (0.0, 1.0)).unwrap();
        assert!((usual.lower - (0.9 - 3.0 * (0.02f64 / 3.0).sqrt())).abs() < 1e-12);
        assert_eq!(usual.upper, 1.0);
        assert!(usual.excludes(0.6) && !usual.excludes(1.0));
        assert!(Thresholds::of_chunks(&[], (0.0, 1.0)).is_none());
    }
}
