//! The technical annex: tests, distances, versions, gates, rollout evidence, lineage.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What engineers and auditors read; the page for managers never quotes it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "ReportAnnex")]
pub struct Annex {
    /// One entry per column; the page shows the most important ones and counts the rest.
    pub features: Vec<FeatureTest>,
    /// How many windows were looked at.
    pub windows: Option<u64>,
    /// The significance level of the whole scan (0.05 = at most 5 % false alarms a year).
    pub alpha: Option<f64>,
    /// Which versions answered, how much and since when.
    pub versions: Vec<VersionUse>,
    /// The verdict of the gates on the last candidate.
    pub gate: Option<GateReport>,
    /// The last rollout, step by step.
    pub rollout: Option<RolloutReport>,
    /// Where the model comes from.
    pub lineage: Lineage,
}

/// The tests of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportFeatureTest")]
pub struct FeatureTest {
    /// The column.
    pub feature: String,
    /// The test's name (`ks`, `chisquare`, …).
    pub test: String,
    /// The statistic.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub statistic: f64,
    /// The p-value.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub p_value: f64,
    /// The p-value after correcting for several tests.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub adjusted_p: f64,
    /// The population stability index.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub psi: f64,
    /// The size of the effect.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub effect: f64,
    /// The size that an effect must exceed.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub effect_floor: f64,
    /// How much the model depends on the column, a share of 1.
    #[serde(default)]
    pub importance: Option<f64>,
    /// Whether the column drifted.
    pub drifted: bool,
}

/// One version in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportVersionUse")]
pub struct VersionUse {
    /// The version.
    pub version: String,
    /// Its aliases (`champion`).
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Its share of the period's answers, a fraction of 1.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub share: f64,
    /// First answer of the period.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Last answer of the period; none while it still answers.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// SHA-256 of the model file, in hexadecimal.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// What the gates said about a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportGate")]
pub struct GateReport {
    /// The candidate version.
    pub candidate: String,
    /// The version it was compared with.
    pub champion: String,
    /// The verdict of all gates together.
    pub outcome: GateOutcome,
    /// When.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// The single gates.
    pub checks: Vec<GateCheck>,
}

/// The verdict of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportGateOutcome")]
pub enum GateOutcome {
    /// The candidate may go on.
    Passed,
    /// The candidate is refused.
    Failed,
    /// The evidence is not enough either way.
    Undecided,
}

/// One gate with its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportGateCheck")]
pub struct GateCheck {
    /// What was compared (`log_loss`, `latency_p99_ms`).
    pub name: String,
    /// The verdict.
    pub outcome: GateOutcome,
    /// The champion's figure.
    #[serde(default)]
    pub champion: Option<f64>,
    /// The candidate's figure.
    #[serde(default)]
    pub candidate: Option<f64>,
    /// The paired difference, candidate minus champion.
    #[serde(default)]
    pub difference: Option<f64>,
    /// Lower end of the difference's interval.
    #[serde(default)]
    pub low: Option<f64>,
    /// Upper end of the difference's interval.
    #[serde(default)]
    pub high: Option<f64>,
    /// The reason in words.
    #[serde(default)]
    pub detail: Option<String>,
}

/// A rollout, step by step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportRollout")]
pub struct RolloutReport {
    /// The rollout's id.
    pub id: String,
    /// The version that was let in.
    pub version: String,
    /// Its state (`SUCCEEDED`, `ROLLED_BACK`, …).
    pub state: String,
    /// What happened, oldest first.
    pub events: Vec<RolloutEvent>,
}

/// One transition of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportRolloutEvent")]
pub struct RolloutEvent {
    /// When.
    pub at: Timestamp,
    /// The state entered.
    pub state: String,
    /// The canary's share from then on, a fraction of 1.
    #[serde(default)]
    pub weight: Option<f64>,
    /// Why, in words.
    #[serde(default)]
    pub reason: Option<String>,
    /// The evidence of the guards at that moment.
    #[serde(default)]
    pub guards: Vec<Guard>,
}

/// The evidence of one guard: it acts when `evidence` reaches `threshold`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportGuard")]
pub struct Guard {
    /// The metric (`errors`, `latency`).
    pub metric: String,
    /// The e-value.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub evidence: f64,
    /// The value at which the guard acts.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub threshold: f64,
}

/// Where the model comes from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "ReportLineage")]
pub struct Lineage {
    /// The version that answers most.
    pub version: Option<String>,
    /// The dataset and its version.
    pub dataset: Option<String>,
    /// SHA-256 of the dataset, in hexadecimal.
    pub dataset_sha256: Option<String>,
    /// The pipeline and its run.
    pub run: Option<String>,
    /// The version from which it was trained.
    pub parent: Option<String>,
    /// The learner.
    pub algorithm: Option<String>,
    /// The code's revision.
    pub code: Option<String>,
    /// When it was trained.
    pub trained_at: Option<Timestamp>,
}
