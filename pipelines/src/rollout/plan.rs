//! The plan of a rollout: what the person who starts it declares, checked before anything runs.
//!
//! Unknown keys and misspelt metrics are refused here, so a rollout never runs on half of what was meant.

use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as friendly;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::window::Window;
use crate::error::{Error, Result};

/// A guarded metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "GuardedMetric")]
pub enum Metric {
    /// The version failed or timed out.
    Errors,
    /// The answer took longer than the service's objective.
    Latency,
}

impl Metric {
    /// Its name, as written in plans and counts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Latency => "latency",
        }
    }
}

/// One step: a share of the traffic, for how long, and how much must be seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RolloutStep")]
pub struct Step {
    /// The canary's share, between 0 and 1, both excluded.
    pub weight: f64,
    /// The least time at this share: `"30s"`, `"10m"`, `"1h"`.
    #[serde(with = "friendly", default)]
    #[schemars(with = "String")]
    pub hold: Duration,
    /// The least number of canary requests at this share; at least one, so that silence never promotes.
    #[serde(default = "default_min_requests")]
    pub min_requests: u64,
    /// Go on only when the canary is shown to be no worse than the margin.
    #[serde(default)]
    pub non_inferiority: bool,
    /// Go on only when a person approves.
    #[serde(default)]
    pub approval: bool,
}

/// The last stretch before success: nearly all traffic, a small hold-back on the old version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RolloutBake")]
pub struct Bake {
    /// The canary's share.
    pub weight: f64,
    /// It succeeds after this time …
    #[serde(with = "friendly")]
    #[schemars(with = "String")]
    pub hold: Duration,
    /// … with at least this many canary requests …
    pub min_requests: u64,
    /// … or at once after this many.
    pub requests: u64,
}

impl Default for Bake {
    fn default() -> Self {
        Self { weight: 0.95, hold: Duration::from_hours(1), min_requests: 30, requests: 10_000 }
    }
}

/// How the error probability of a rollout is spent. The shares of quality and business are kept for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RolloutBudget")]
pub struct Budget {
    /// Probability of rolling back a version that is no worse, over all guards and the whole rollout.
    pub harm_alpha: f64,
    /// Share of it for errors.
    pub errors: f64,
    /// Share of it for latency.
    pub latency: f64,
    /// Share of it for quality.
    pub quality: f64,
    /// Share of it for business.
    pub business: f64,
    /// Probability of holding because of the split although it is right.
    pub sample_ratio_alpha: f64,
    /// Probability of calling a version non-inferior that is not.
    pub promotion_alpha: f64,
    /// `r`: the canary may have this many times stable's rate of bad events.
    pub tolerated: f64,
    /// The ratio that non-inferiority must exclude.
    pub margin: f64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            harm_alpha: 0.01,
            errors: 0.4,
            latency: 0.3,
            quality: 0.2,
            business: 0.1,
            sample_ratio_alpha: 0.001,
            promotion_alpha: 0.05,
            tolerated: 1.0,
            margin: 1.25,
        }
    }
}

impl Budget {
    /// `1/α` of one guard: 250 for errors and 333.3 for latency by default.
    pub fn threshold(&self, metric: Metric) -> f64 {
        let share = match metric {
            Metric::Errors => self.errors,
            Metric::Latency => self.latency,
        };
        1.0 / (self.harm_alpha * share)
    }
}

/// The least that must have gone wrong on the canary before it is rolled back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RolloutFloor")]
pub struct Floor {
    /// Bad events.
    pub events: u64,
    /// Entities that they come from.
    pub entities: u64,
}

impl Default for Floor {
    fn default() -> Self {
        Self { events: 5, entities: 3 }
    }
}

/// What both arms together must not miss: the absolute guard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RolloutObjectives")]
pub struct Objectives {
    /// Share of failed requests.
    pub errors: f64,
    /// Share of requests slower than the service's objective.
    pub latency: f64,
    /// The least number of requests of each arm in the last minute.
    pub min_requests: u64,
}

impl Default for Objectives {
    fn default() -> Self {
        Self { errors: 0.1, latency: 0.2, min_requests: 10 }
    }
}

impl Objectives {
    /// The share of bad events that is still acceptable.
    pub fn of(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Errors => self.errors,
            Metric::Latency => self.latency,
        }
    }
}

/// What a person declares for a rollout; see the module.
///
/// - `steps` is not empty, its weights rise strictly and stay below `bake.weight`.
/// - Every step asks for at least one canary request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RolloutPlan")]
pub struct Plan {
    /// The steps, in order.
    #[serde(default = "default_steps")]
    pub steps: Vec<Step>,
    /// The guarded metrics.
    #[serde(default = "default_metrics")]
    pub metrics: Vec<Metric>,
    /// The last stretch.
    #[serde(default)]
    pub bake: Bake,
    /// Deployment windows; none means always. They block increases of the weight only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// A person must approve before the last stretch, in which the canary gets nearly all traffic.
    #[serde(default)]
    pub approval: bool,
    /// The person who approves is not the one who started it.
    #[serde(default)]
    pub four_eyes: bool,
    /// After the first canary request may come, this long nothing is counted for either arm.
    #[serde(with = "friendly", default)]
    #[schemars(with = "String")]
    pub warmup: Duration,
    /// Synthetic requests that the version must answer before it gets real ones.
    #[serde(default = "default_warm_requests")]
    pub warm_requests: u32,
    /// A hold that lasts longer asks a person.
    #[serde(with = "friendly", default = "default_hold_max")]
    #[schemars(with = "String")]
    pub hold_max: Duration,
    /// How α is spent.
    #[serde(default)]
    pub budget: Budget,
    /// The least number of bad events.
    #[serde(default)]
    pub floor: Floor,
    /// The absolute guard.
    #[serde(default)]
    pub objectives: Objectives,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            steps: default_steps(),
            metrics: default_metrics(),
            bake: Bake::default(),
            windows: Vec::new(),
            approval: false,
            four_eyes: false,
            warmup: Duration::ZERO,
            warm_requests: default_warm_requests(),
            hold_max: default_hold_max(),
            budget: Budget::default(),
            floor: Floor::default(),
            objectives: Objectives::default(),
        }
    }
}

fn default_min_requests() -> u64 {
    100
}

fn default_warm_requests() -> u32 {
    20
}

fn default_hold_max() -> Duration {
    Duration::from_hours(24)
}

fn default_metrics() -> Vec<Metric> {
    vec![Metric::Errors, Metric::Latency]
}

fn default_steps() -> Vec<Step> {
    let step = |weight: f64, minutes: u64| Step {
        weight,
        hold: Duration::from_mins(minutes),
        min_requests: default_min_requests(),
        non_inferiority: false,
        approval: false,
    };
    vec![step(0.05, 10), step(0.25, 10), step(0.5, 10)]
}

impl Plan {
    /// Reads a plan from JSON and checks it.
    pub fn from_json(json: &str) -> Result<Self> {
        let plan: Self =
            serde_json::from_str(json).map_err(|error| Error::Invalid(format!("plan: {error}")))?;
        plan.checked()
    }

    /// Checks what types cannot say; the first fault is named.
    pub fn checked(mut self) -> Result<Self> {
        let invalid = |message: String| Err(Error::Invalid(format!("plan: {message}")));
        if self.metrics.is_empty() {
            return invalid("metrics is empty; use errors, latency or both".into());
        }
        self.metrics.sort_unstable();
        self.metrics.dedup();
        if self.steps.is_empty() || self.steps.len() > 50 {
            return invalid(format!("{} steps; give 1 to 50", self.steps.len()));
        }
        let mut previous = 0.0;
        for (i, step) in self.steps.iter().enumerate() {
            if !(step.weight > previous && step.weight < self.bake.weight) {
                return invalid(format!(
                    "steps[{i}].weight is {}; weights must rise strictly and stay below bake.weight ({}), \
                     the step that leads to the whole traffic",
                    step.weight, self.bake.weight
                ));
            }
            if step.min_requests == 0 {
                return invalid(format!("steps[{i}].min_requests is 0; at least 1, silence never promotes"));
            }
            previous = step.weight;
        }
        if self.bake.weight >= 1.0 {
            return invalid(format!("bake.weight is {}; keep it below 1", self.bake.weight));
        }
        if self.bake.min_requests == 0 {
            return invalid("bake.min_requests is 0; at least 1, silence never promotes".into());
        }
        self.check_budget()?;
        for window in &self.windows {
            window.check()?;
        }
        Ok(self)
    }

    fn check_budget(&self) -> Result<()> {
        let budget = &self.budget;
        let open_unit = [
            ("budget.harm_alpha", budget.harm_alpha),
            ("budget.errors", budget.errors),
            ("budget.latency", budget.latency),
            ("budget.sample_ratio_alpha", budget.sample_ratio_alpha),
            ("budget.promotion_alpha", budget.promotion_alpha),
            ("objectives.errors", self.objectives.errors),
            ("objectives.latency", self.objectives.latency),
        ];
        for (name, value) in open_unit {
            if !(value > 0.0 && value <= 1.0) {
                return Err(Error::Invalid(format!("plan: {name} is {value}; it must lie in (0, 1]")));
            }
        }
        if budget.quality < 0.0 || budget.business < 0.0 {
            return Err(Error::Invalid("plan: shares of the budget must not be negative".into()));
        }
        let total = budget.errors + budget.latency + budget.quality + budget.business;
        if total > 1.0 + 1e-9 {
            return Err(Error::Invalid(format!("plan: the budget's shares add up to {total}; at most 1")));
        }
        for (name, value) in [("budget.tolerated", budget.tolerated), ("budget.margin", budget.margin)] {
            if !(1.0..=100.0).contains(&value) {
                return Err(Error::Invalid(format!("plan: {name} is {value}; it must lie in 1..=100")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_a_valid_plan() {
        let plan = Plan::default().checked().unwrap();
        assert_eq!(plan, Plan::from_json("{}").unwrap());
        assert_eq!(plan.budget.threshold(Metric::Errors), 250.0);
        assert!((plan.budget.threshold(Metric::Latency) - 333.333).abs() < 0.01);
    }

    #[test]
    fn reads_steps_with_friendly_times() {
        let plan = Plan::from_json(
            r#"{"steps":[{"weight":0.1,"hold":"30s","min_requests":50},{"weight":0.5,"hold":"1m 30s"}]}"#,
        )
        .unwrap();
        assert_eq!(plan.steps[0].hold, Duration::from_secs(30));
        assert_eq!(plan.steps[1].hold, Duration::from_secs(90));
        let again = Plan::from_json(&serde_json::to_string(&plan).unwrap()).unwrap();
        assert_eq!(plan, again);
    }

    #[test]
    fn refuses_a_misspelt_metric_and_unknown_keys_by_name() {
        let error = Plan::from_json(r#"{"metrics":["erors"]}"#).unwrap_err().to_string();
        assert!(error.contains("erors") && error.contains("errors"), "{error}");
        let error = Plan::from_json(r#"{"stepps":[]}"#).unwrap_err().to_string();
        assert!(error.contains("stepps"), "{error}");
        let error = Plan::from_json(r#"{"steps":[{"weight":0.1,"holt":"1s"}]}"#).unwrap_err().to_string();
        assert!(error.contains("holt"), "{error}");
    }

    #[test]
    fn refuses_weights_that_do_not_rise_or_leave_no_comparison() {
        for weights in [vec![0.5, 0.1], vec![0.1, 0.1], vec![0.0], vec![1.0], vec![f64::NAN], vec![]] {
            let step = |weight| Step { weight, ..default_steps()[0].clone() };
            let plan = Plan { steps: weights.iter().copied().map(step).collect(), ..Plan::default() };
            assert!(plan.checked().is_err(), "{weights:?}");
        }
        let silent = Step { min_requests: 0, ..default_steps()[0].clone() };
        assert!(Plan { steps: vec![silent], ..Plan::default() }.checked().is_err());
    }
}
