//! When an estimate must not be believed, and what labels say about it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measure::INTERVAL;

/// Labels a week that are enough to notice that the estimates have gone wrong.
pub const LABELS_PER_WEEK: u64 = 50;
/// Fewer rows than this estimate nothing but noise.
const MIN_ROWS: u64 = 30;
/// More rows than this share with scores that the reference never had: the calibration only guesses.
const MAX_OUTSIDE: f64 = 0.05;
/// Fewer labels than this cannot contradict an estimate.
const MIN_LABELS: u64 = 30;

/// Why an estimate is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "EstimateDoubt")]
pub enum Doubt {
    /// The window has too few rows.
    TooFewRows {
        /// Its rows.
        rows: u64,
        /// Rows needed.
        needed: u64,
    },
    /// Too many rows have scores outside the reference's.
    OutsideReference {
        /// Their share, 0–1.
        share: f64,
    },
    /// Labels contradict the estimate: inputs and truth are no longer related as in the reference (concept change).
    ConceptChange {
        /// Realized minus estimated, in the measure's unit.
        difference: f64,
    },
}

/// An estimate beside what labels say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reconciliation {
    /// Labels behind it.
    pub labels: u64,
    /// Realized minus estimated, in the measure's unit.
    pub difference: f64,
    /// What chance alone allows either way: three standard errors of the difference.
    pub allowed: f64,
    /// The labels contradict the estimate.
    pub contradicted: bool,
}

/// Compares an estimate with the same measure from `labels` rows of the same window, each as (value, sampling
/// error). None with fewer than 30 labels, which contradict nothing.
pub fn reconcile(estimated: (f64, f64), realized: (f64, f64), labels: u64) -> Option<Reconciliation> {
    let difference = realized.0 - estimated.0;
    let allowed = INTERVAL * estimated.1.hypot(realized.1);
    if labels < MIN_LABELS || !difference.is_finite() || !allowed.is_finite() {
        return None;
    }
    Some(Reconciliation { labels, difference, allowed, contradicted: difference.abs() > allowed })
}

/// Why the estimates of a window of `rows` rows, `outside` (0–1) of them outside the reference's scores, are not
/// valid. Empty when they are. `latest` is the newest comparison with labels, of this window or an earlier one: a
/// concept that has changed stays changed until the model is trained again.
pub fn doubts(rows: u64, outside: f64, latest: Option<&Reconciliation>) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    if rows < MIN_ROWS {
        doubts.push(Doubt::TooFewRows { rows, needed: MIN_ROWS });
    }
    if outside > MAX_OUTSIDE {
        doubts.push(Doubt::OutsideReference { share: outside });
    }
    if let Some(latest) = latest.filter(|latest| latest.contradicted) {
        doubts.push(Doubt::ConceptChange { difference: latest.difference });
    }
    doubts
}

/// How many more labels to ask for this week.
pub fn labels_wanted(labels_this_week: u64) -> u64 {
    LABELS_PER_WEEK.saturating_sub(labels_this_week)
}

#[cfg(test)]
mod tests {
    use super::{Doubt, doubts, labels_wanted, reconcile};

    #[test]
    fn labels_contradict_only_beyond_chance() {
        let near = reconcile((0.9, 0.01), (0.85, 0.04), 80).unwrap();
        assert!(!near.contradicted);
        let far = reconcile((0.9, 0.01), (0.6, 0.04), 80).unwrap();
        assert!(far.contradicted);
        assert!(matches!(doubts(500, 0.0, Some(&far))[..], [Doubt::ConceptChange { .. }]));
        assert!(doubts(500, 0.0, Some(&near)).is_empty());
        assert!(reconcile((0.9, 0.01), (0.1, 0.04), 10).is_none());
        assert!(reconcile((f64::NAN, 0.01), (0.1, 0.04), 100).is_none());
    }

    #[test]
    fn small_or_strange_windows_are_doubtful() {
        assert_eq!(doubts(5, 0.5, None).len(), 2);
        assert_eq!((labels_wanted(0), labels_wanted(48), labels_wanted(90)), (50, 2, 0));
    }
}
