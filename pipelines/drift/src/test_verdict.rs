//! The answer of one test on one column.

use serde::{Deserialize, Serialize};

use crate::{NotApplicable, ScoreKind, Test};

/// The answer of one test: every number is finite.
///
/// - A test that applies has a score.
/// - A test that does not apply has a reason, no score (`null`), and never drifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestVerdict {
    /// The test's statistic, where it has one beside the score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistic: Option<f64>,
    /// The p-value, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// What is compared with the threshold: a p-value, a distance or an area under the curve, by the test.
    pub score: Option<f64>,
    /// The threshold.
    pub threshold: f64,
    /// The score is on the far side of the threshold.
    pub drifted: bool,
    /// Why the test does not apply, why a significant score is not called drift, or why it cannot be significant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same for programs; not part of the stored or printed form.
    #[serde(skip)]
    pub cause: Option<Cause>,
}

/// What stands behind a [`TestVerdict::reason`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause {
    /// The test has no answer.
    NotApplicable(NotApplicable),
    /// Significant, but the distribution moved less than what is called drift.
    Small {
        /// How far it moved (0–1).
        effect: f64,
        /// From where on it is drift.
        floor: f64,
    },
    /// The p-value is the smallest that the test can give, and a smaller one would be needed.
    Coarse {
        /// That p-value.
        smallest: f64,
    },
}

/// What a test measured, before it is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    /// The test's statistic, where it has one beside the score.
    pub(crate) statistic: Option<f64>,
    /// The p-value, where it has one.
    pub(crate) p_value: Option<f64>,
    /// What is judged.
    pub(crate) score: f64,
    /// The smallest p-value that the test could have given, where that is no small one.
    pub(crate) smallest: Option<f64>,
}

impl Measured {
    /// A distance.
    pub(crate) fn distance(score: f64) -> Self {
        Self { statistic: None, p_value: None, score, smallest: None }
    }

    /// A p-value and perhaps a statistic.
    pub(crate) fn p_value(statistic: Option<f64>, p_value: f64) -> Self {
        Self { statistic, p_value: Some(p_value), score: p_value, smallest: None }
    }
}

impl TestVerdict {
    /// Judges what `test` measured. An area under the curve must also have a p-value of at most `sure`.
    pub(crate) fn of(
        test: Test,
        measured: Result<Measured, NotApplicable>,
        threshold: f64,
        sure: f64,
    ) -> Self {
        match measured {
            Ok(Measured { statistic, p_value, score, .. }) => {
                let drifted = match test.score_kind() {
                    ScoreKind::PValue => score <= threshold,
                    ScoreKind::Distance => score >= threshold,
                    ScoreKind::AreaUnderCurve => score > threshold && p_value.is_some_and(|p| p <= sure),
                };
                Self { statistic, p_value, score: Some(score), threshold, drifted, reason: None, cause: None }
            }
            Err(reason) => Self {
                statistic: None,
                p_value: None,
                score: None,
                threshold,
                drifted: false,
                reason: Some(reason.to_string()),
                cause: Some(Cause::NotApplicable(reason)),
            },
        }
    }
}
