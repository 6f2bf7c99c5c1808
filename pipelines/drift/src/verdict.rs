//! What a scan found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Summary, Untested};

/// Whether a column holds numbers or categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Numbers, tested by Kolmogorov–Smirnov.
    Number,
    /// Categories, tested by chi-squared.
    Text,
}

/// What changed in one column. Every number is finite; where a test does not apply, `reason` says why, the
/// statistics are 0 and the p-values 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeatureDrift {
    /// The column's name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// Its share of the model's decisions, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<f64>,
    /// The test's name as users know it: `ks` or `chisquare`.
    pub test: String,
    /// The test's statistic at the strongest look.
    pub statistic: f64,
    /// Four times the smallest p-value of the looks, at most 1.
    pub p_value: f64,
    /// `p_value` after Benjamini–Hochberg over all columns: for the table, not for the alarm.
    pub adjusted_p: f64,
    /// Population stability index over deciles or categories at the strongest look.
    pub psi: f64,
    /// Kolmogorov–Smirnov distance or total variation distance at the strongest look (0–1).
    pub effect: f64,
    /// What `effect` stays below in 99 % of the windows of that size when nothing changed.
    pub effect_floor: f64,
    /// How many windows the strongest look merged.
    pub windows: usize,
    /// The values changed: the calibrated alarm.
    pub drifted: bool,
    /// Why the column was not tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub reason: Option<Untested>,
    /// Share of rows without a value in the training data.
    pub missing_before: f64,
    /// Share of rows without a value at the look where it differs most.
    pub missing_after: f64,
    /// Four times the smallest p-value (Fisher's exact test) that the share of missing values is unchanged.
    pub missing_p_value: f64,
    /// The missing share changed: a fault of the data, never muted.
    pub missing_changed: bool,
    /// The training data.
    pub before: Summary,
    /// The windows of the strongest look.
    pub after: Summary,
}

/// What changed in a model's data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftVerdict {
    /// A feature or the prediction drifted.
    pub drifted: bool,
    /// The share of missing values of a column changed.
    pub missing_changed: bool,
    /// Rows of the windows looked at.
    pub rows: u64,
    /// Windows looked at (at most 8).
    pub windows: usize,
    /// One entry per feature, in the profile's order.
    pub features: Vec<FeatureDrift>,
    /// The model's answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<FeatureDrift>,
}
