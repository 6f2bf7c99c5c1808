//! The declaration of a pipeline: source → features → learner → gates → rollout → triggers, in TOML.
//!
//! Unknown keys are errors that name the key and where it stands. What is declared here is checked before it is stored,
//! as far as that is possible without the data.

use std::time::Duration;

use chasqui_registry::name::{DatasetName, ModelName, ServiceName};
use chasqui_trainer::{Holdout, Learner, Task, TrainSpec};
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as friendly;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::gate::GatePolicy;
use crate::pipeline::Trigger;
use crate::rollout::plan::{Bake, Metric, Plan, Step};
use crate::rollout::window::Window;
use crate::schedule::cron::Cron;

/// A pipeline as declared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineSpec {
    /// The service that it keeps fresh.
    pub service: ServiceName,
    /// The model that it registers versions of; the service's name when absent.
    #[serde(default)]
    pub model: Option<ModelName>,
    /// Seed of everything random: the same data and seed give the same bytes.
    #[serde(default)]
    pub seed: u64,
    /// Where the rows come from.
    pub source: SourceSpec,
    /// What is learned from them.
    pub features: FeatureSpec,
    /// How.
    pub learner: Learner,
    /// What a candidate must show.
    #[serde(default)]
    pub gates: GatePolicy,
    /// How a better candidate is brought in.
    #[serde(default)]
    pub rollout: RolloutSpec,
    /// When it runs by itself.
    #[serde(default)]
    pub triggers: TriggerSpec,
}

/// Where the rows come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// The dataset; its latest version.
    pub dataset: DatasetName,
    /// Rows that the service answered, with what really happened, are added to it.
    #[serde(default)]
    pub append_predictions: bool,
}

/// What is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureSpec {
    /// The column to predict.
    pub target: String,
    /// What kind of prediction.
    pub task: Task,
    /// Columns that are numbers.
    #[serde(default)]
    pub numeric: Vec<String>,
    /// Columns that are categories.
    #[serde(default)]
    pub categorical: Vec<String>,
    /// The column that orders the rows in time; the order of the table when absent.
    #[serde(default)]
    pub time: Option<String>,
}

/// How a better candidate is brought in: a [`Plan`] with what to do when the gates cannot tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RolloutSpec {
    /// The steps.
    pub steps: Vec<Step>,
    /// The guarded metrics.
    pub metrics: Vec<Metric>,
    /// The last stretch.
    pub bake: Bake,
    /// Deployment windows.
    pub windows: Vec<Window>,
    /// A person must approve before the last stretch.
    pub approval: bool,
    /// What to do with a candidate that the rows cannot tell from the champion.
    pub on_undecided: OnUndecided,
}

impl Default for RolloutSpec {
    fn default() -> Self {
        let Plan { steps, metrics, bake, windows, approval, .. } = Plan::default();
        Self { steps, metrics, bake, windows, approval, on_undecided: OnUndecided::Keep }
    }
}

/// What to do with a candidate that the rows cannot tell from the champion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUndecided {
    /// The champion stays.
    #[default]
    Keep,
    /// The canary decides.
    Rollout,
}

/// When it runs by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TriggerSpec {
    /// When the service's data drifted, and no season explains it.
    pub drift: bool,
    /// When the performance of the serving version fell, estimated or by outcomes. With this alone performance decides
    /// and drift only explains.
    pub performance: bool,
    /// Five fields of cron in the time of Guayaquil: `"0 3 * * 1"` is Mondays at three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The least time between two runs that drift or performance starts.
    #[serde(with = "friendly")]
    #[schemars(with = "String")]
    pub cooldown: Duration,
}

impl Default for TriggerSpec {
    fn default() -> Self {
        Self { drift: false, performance: false, schedule: None, cooldown: Duration::from_hours(24) }
    }
}

impl TriggerSpec {
    /// Whether this starts a run by itself.
    pub fn waits_for(&self, reason: Trigger) -> bool {
        match reason {
            Trigger::Drift => self.drift,
            Trigger::Performance => self.performance,
            Trigger::Schedule => self.schedule.is_some(),
            Trigger::Hand => false,
        }
    }
}

impl PipelineSpec {
    /// Reads a declaration and checks it.
    ///
    /// # Errors
    /// `Invalid`, with the line, the key and what is known instead.
    pub fn from_toml(text: &str) -> Result<Self> {
        let spec: Self =
            toml::from_str(text).map_err(|error| Error::Invalid(format!("pipeline: {error}")))?;
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> Result<()> {
        self.gates.check()?;
        self.train_spec().validate().map_err(|error| Error::Invalid(format!("pipeline: {error}")))?;
        self.plan().checked()?;
        self.cron().map(|_| ())
    }

    /// The model that it registers versions of.
    pub fn model(&self) -> Result<ModelName> {
        match &self.model {
            Some(model) => Ok(model.clone()),
            None => Ok(ModelName::try_from(self.service.as_str())?),
        }
    }

    /// What the trainer is told.
    pub fn train_spec(&self) -> TrainSpec {
        let FeatureSpec { target, task, numeric, categorical, time } = self.features.clone();
        TrainSpec {
            target,
            task,
            numeric,
            categorical,
            learner: self.learner.clone(),
            time_column: time,
            holdout: Holdout { fraction: self.gates.holdout },
            seed: self.seed,
        }
    }

    /// How a better candidate is brought in.
    pub fn plan(&self) -> Plan {
        let RolloutSpec { steps, metrics, bake, windows, approval, on_undecided: _ } = self.rollout.clone();
        Plan { steps, metrics, bake, windows, approval, ..Plan::default() }
    }

    /// The parsed schedule, if there is one.
    pub fn cron(&self) -> Result<Option<Cron>> {
        self.triggers.schedule.as_deref().map(Cron::parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: &str = r#"
        service = "ventas"
        seed = 7

        [source]
        dataset = "ventas"
        append_predictions = true

        [features]
        target = "transactions"
        task = "regression"
        numeric = ["promotions", "weekday"]
        categorical = ["store"]
        time = "date"

        [learner]
        kind = "gradient_boosting"
        trees = 100

        [gates]
        holdout = 0.25
        min_effect = 0.01

        [rollout]
        steps = [{ weight = 0.1, hold = "30s", min_requests = 200 }, { weight = 0.5, hold = "1m" }]
        metrics = ["errors", "latency"]
        on_undecided = "rollout"

        [triggers]
        drift = true
        performance = true
        schedule = "0 3 * * 1"
        cooldown = "12h"
    "#;

    #[test]
    fn reads_a_whole_declaration() {
        let spec = PipelineSpec::from_toml(DECLARED).unwrap();
        assert_eq!(spec.model().unwrap().as_str(), "ventas");
        assert_eq!(spec.train_spec().holdout.fraction, 0.25);
        assert_eq!(spec.plan().steps[1].hold, Duration::from_mins(1));
        assert_eq!(spec.rollout.on_undecided, OnUndecided::Rollout);
        assert_eq!(spec.triggers.cooldown, Duration::from_hours(12));
        assert!(spec.cron().unwrap().is_some());
        let triggers = &spec.triggers;
        assert!(triggers.waits_for(Trigger::Drift) && triggers.waits_for(Trigger::Performance));
        assert!(!triggers.waits_for(Trigger::Hand));
    }

    #[test]
    fn little_is_needed() {
        let text = r#"
            service = "ventas"
            source = { dataset = "ventas" }
            features = { target = "y", task = "binary", numeric = ["x"] }
            learner = { kind = "logistic" }
        "#;
        let spec = PipelineSpec::from_toml(text).unwrap();
        assert!(!spec.triggers.drift && !spec.source.append_predictions);
        assert_eq!(spec.plan(), Plan::default());
    }

    #[test]
    fn unknown_keys_and_values_are_named() {
        for (from, to, named) in [
            ("seed = 7", "sede = 7", "sede"),
            ("append_predictions", "apend_predictions", "apend_predictions"),
            ("trees = 100", "treez = 100", "treez"),
            ("min_effect", "min_efect", "min_efect"),
            ("on_undecided = \"rollout\"", "on_undecided = \"maybe\"", "maybe"),
            ("\"errors\", \"latency\"", "\"errors\", \"latencia\"", "latencia"),
            ("\"0 3 * * 1\"", "\"0 33 * * 1\"", "33"),
            ("holdout = 0.25", "holdout = 1.5", "holdout"),
            ("weight = 0.5", "weight = 0.05", "steps[1]"),
            ("task = \"regression\"", "task = \"regresion\"", "regresion"),
            ("numeric = [\"promotions\", \"weekday\"]", "numeric = [\"transactions\"]", "transactions"),
            ("kind = \"gradient_boosting\"", "kind = \"forest\"", "forest"),
        ] {
            let text = DECLARED.replace(from, to);
            assert_ne!(text, DECLARED, "{from}");
            let error = PipelineSpec::from_toml(&text).unwrap_err().to_string();
            assert!(error.contains(named), "{named}: {error}");
        }
    }
}
