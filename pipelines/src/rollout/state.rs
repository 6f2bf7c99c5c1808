//! The state machine of a rollout: `step(context, state, event, now)` is a pure function.
//!
//! `DRAFT → SCHEDULED → WARMING → STEP_i … → BAKING → SUCCEEDED`; every live state may go to
//! `ROLLING_BACK → ROLLED_BACK` or to `SUPERSEDED`; `HOLDING`, `AWAIT_APPROVAL` and `PAUSED` keep the share of the
//! stage they interrupt (rollout specification, §3). Absence of evidence never promotes and never rolls back; windows
//! block increases of the weight only. `SHADOW` is not here: it needs requests that are mirrored. Nothing here reads a
//! clock, a row or a count: the ticker does.

use chasqui_registry::clock::Micros;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::plan::{Metric, Plan, Step};

pub use step::{AFTER_INCREASE, DRAIN, WARMING_DEADLINE, step};

mod step;

/// Where the traffic is: a step of the plan, or the last stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RolloutStage")]
pub enum Stage {
    /// A step, counted from 0.
    Step(usize),
    /// Nearly all traffic.
    Baking,
}

impl Stage {
    /// The canary's share at this stage.
    pub fn weight(self, plan: &Plan) -> f64 {
        match self {
            Self::Step(index) => plan.steps.get(index).map_or(0.0, |step| step.weight),
            Self::Baking => plan.bake.weight,
        }
    }

    fn previous(self, plan: &Plan) -> Option<Self> {
        match self {
            Self::Step(index) => index.checked_sub(1).map(Self::Step),
            Self::Baking => plan.steps.len().checked_sub(1).map(Self::Step),
        }
    }

    fn next(self, plan: &Plan) -> Option<Self> {
        match self {
            Self::Step(index) if index + 1 < plan.steps.len() => Some(Self::Step(index + 1)),
            Self::Step(_) => Some(Self::Baking),
            Self::Baking => None,
        }
    }

    fn step(self, plan: &Plan) -> Option<&Step> {
        match self {
            Self::Step(index) => plan.steps.get(index),
            Self::Baking => None,
        }
    }
}

/// Why a stage does not go on although its time has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HoldReason {
    /// Too few canary requests so far.
    NotEnoughRequests {
        /// How many are needed at this stage.
        needed: u64,
    },
    /// `E ≥ 10` on a guard.
    Suspicion {
        /// The guard.
        metric: Metric,
    },
    /// The canary is not yet shown to be no worse than the margin.
    NotShownNonInferior,
    /// The split is not the planned one.
    SampleRatioMismatch,
    /// Both arms miss the objective together.
    JointOutage {
        /// The metric.
        metric: Metric,
    },
    /// No deployment window is open.
    WindowClosed,
}

impl HoldReason {
    /// In words, for events and pages.
    pub fn text(&self) -> String {
        match self {
            Self::NotEnoughRequests { needed } => format!("fewer than {needed} canary requests at this step"),
            Self::Suspicion { metric } => format!("E ≥ 10 for {}", metric.name()),
            Self::NotShownNonInferior => "not yet shown to be no worse than the margin".into(),
            Self::SampleRatioMismatch => "the split of the traffic is not the planned one".into(),
            Self::JointOutage { metric } => {
                format!("both versions miss the objective for {} together", metric.name())
            }
            Self::WindowClosed => "outside the deployment windows".into(),
        }
    }

    /// After these the time at the stage starts again: what was seen meanwhile says little.
    fn restarts_dwell(&self) -> bool {
        matches!(self, Self::JointOutage { .. } | Self::SampleRatioMismatch)
    }
}

/// What an approval is asked for, and what it lifts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "asked_for", rename_all = "snake_case")]
pub enum Question {
    /// The plan asks for a person before going on.
    GoOn,
    /// A hold lasted too long; going on means going on without what was missing.
    HeldTooLong {
        /// The hold.
        reason: HoldReason,
    },
}

/// The states of §3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
#[schemars(rename = "RolloutPhase")]
pub enum Phase {
    /// Declared, not started.
    Draft,
    /// Waits for a deployment window.
    Scheduled,
    /// The version is loaded and answers synthetic requests.
    Warming,
    /// Serves the share of a step.
    Step {
        /// Which, counted from 0.
        index: usize,
    },
    /// Serves nearly all traffic.
    Baking,
    /// Keeps the share and waits for a reason to clear.
    Holding {
        /// Where.
        stage: Stage,
        /// Why.
        reason: HoldReason,
    },
    /// Keeps the share and waits for a person.
    AwaitApproval {
        /// Where.
        stage: Stage,
        /// What is asked.
        question: Question,
    },
    /// Stopped by a person at its share.
    Paused {
        /// Where.
        stage: Stage,
        /// Why.
        reason: String,
    },
    /// The share is 0; replicas are being told.
    RollingBack {
        /// Why.
        reason: String,
    },
    /// Over: the old version serves.
    RolledBack {
        /// Why.
        reason: String,
    },
    /// Over: the new version serves.
    Succeeded,
    /// Over: a newer rollout or another champion took its place.
    Superseded {
        /// By what.
        by: String,
    },
    /// Over: the version could not be warmed.
    Failed {
        /// Why.
        reason: String,
    },
}

impl Phase {
    /// The name in `rollouts.status`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Warming => "warming",
            Self::Step { .. } => "step",
            Self::Baking => "baking",
            Self::Holding { .. } => "holding",
            Self::AwaitApproval { .. } => "await_approval",
            Self::Paused { .. } => "paused",
            Self::RollingBack { .. } => "rolling_back",
            Self::RolledBack { .. } => "rolled_back",
            Self::Succeeded => "succeeded",
            Self::Superseded { .. } => "superseded",
            Self::Failed { .. } => "failed",
        }
    }

    /// True when nothing can happen any more.
    pub fn terminal(&self) -> bool {
        matches!(
            self,
            Self::RolledBack { .. } | Self::Succeeded | Self::Superseded { .. } | Self::Failed { .. }
        )
    }

    /// The stage whose share is served, if any.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Step { index } => Some(Stage::Step(*index)),
            Self::Baking => Some(Stage::Baking),
            Self::Holding { stage, .. } | Self::AwaitApproval { stage, .. } | Self::Paused { stage, .. } => {
                Some(*stage)
            }
            _ => None,
        }
    }
}

impl From<Stage> for Phase {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Step(index) => Self::Step { index },
            Stage::Baking => Self::Baking,
        }
    }
}

/// What an approval allows until the next stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Nothing was approved.
    #[default]
    None,
    /// The plan's question is answered.
    Given,
    /// The missing evidence is done without.
    Overrides,
}

/// The state of a rollout, as stored.
///
/// - `weights[segment]` is the canary's share of every segment so far; `segment` is the last of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RolloutState")]
pub struct State {
    /// Where it is.
    pub phase: Phase,
    /// When it got there.
    pub since: Micros,
    /// When the time at the current stage began.
    pub stage_since: Micros,
    /// When the weight was last raised.
    pub raised_at: Option<Micros>,
    /// Nothing is counted before.
    pub counts_from: Option<Micros>,
    /// Grows with every change of the weight.
    pub segment: i64,
    /// The canary's share in every segment.
    pub weights: Vec<f64>,
    /// What was approved for the current stage.
    pub approval: Approval,
}

impl State {
    /// The beginning: a draft, or scheduled at once.
    pub fn new(draft: bool, now: Micros) -> Self {
        let phase = if draft { Phase::Draft } else { Phase::Scheduled };
        Self {
            phase,
            since: now,
            stage_since: now,
            raised_at: None,
            counts_from: None,
            segment: 0,
            weights: vec![0.0],
            approval: Approval::None,
        }
    }

    /// The shares of stable and canary; they add up to one.
    pub fn shares(&self, plan: &Plan) -> (f64, f64) {
        let canary = match self.phase {
            Phase::Succeeded => 1.0,
            _ => self.phase.stage().map_or(0.0, |stage| stage.weight(plan)),
        };
        (1.0 - canary, canary)
    }

    /// The canary's share.
    pub fn weight(&self, plan: &Plan) -> f64 {
        self.shares(plan).1
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Time passed; this is known now.
    Tick(Observation),
    /// The version answered its synthetic requests.
    Warmed,
    /// The version cannot be warmed.
    WarmingFailed {
        /// Why.
        reason: String,
    },
    /// A person lets it go on.
    Approve {
        /// Who.
        actor: String,
    },
    /// A person stops it where it is.
    Pause {
        /// Who.
        actor: String,
        /// Why.
        reason: String,
    },
    /// A person starts a draft or goes on after a pause.
    Resume {
        /// Who.
        actor: String,
    },
    /// A person ends it, a rejection included.
    Abort {
        /// Who.
        actor: String,
        /// Why.
        reason: String,
    },
    /// Something newer takes its place.
    Supersede {
        /// What.
        by: String,
    },
}

/// What a tick sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// A deployment window is open, or there are none.
    pub window_open: bool,
    /// The guard that reached its threshold.
    pub breach: Option<Breach>,
    /// A guard with `E ≥ 10`.
    pub suspicion: Option<Metric>,
    /// Non-inferiority is shown on all guards.
    pub non_inferior: bool,
    /// The split is not the planned one.
    pub sample_ratio_mismatch: bool,
    /// The metric both arms miss together.
    pub joint_outage: Option<Metric>,
    /// Canary requests counted in the current segment.
    pub canary_requests: u64,
}

/// A guard that reached its threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Breach {
    /// The metric.
    pub metric: Metric,
    /// `ln E`.
    pub ln_e: f64,
    /// What E had to reach.
    pub threshold: f64,
}

impl Observation {
    /// Reads what the machine needs from the evidence.
    pub fn new(evidence: &Evidence, segment: i64, window_open: bool) -> Self {
        let breach = evidence.breach().map(|guard| Breach {
            metric: guard.metric,
            ln_e: guard.ln_e,
            threshold: guard.threshold,
        });
        Self {
            window_open,
            breach,
            suspicion: evidence.suspicion().map(|guard| guard.metric),
            non_inferior: evidence.non_inferior(),
            sample_ratio_mismatch: evidence.sample_ratio.mismatch,
            joint_outage: evidence.joint_outage,
            canary_requests: evidence.canary_requests(segment),
        }
    }

    /// Nothing seen yet.
    pub fn nothing(window_open: bool) -> Self {
        Self {
            window_open,
            breach: None,
            suspicion: None,
            non_inferior: false,
            sample_ratio_mismatch: false,
            joint_outage: None,
            canary_requests: 0,
        }
    }
}

/// What the shell must do besides storing the new state.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The canary's share changed.
    Weight {
        /// Before.
        from: f64,
        /// Now.
        to: f64,
    },
    /// The canary becomes the champion.
    Promote,
    /// People must hear of it.
    Notify(Notice),
    /// The command does not fit the state; nothing changed.
    Refused(String),
}

/// What people must hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The canary was taken out.
    RolledBack,
    /// A person has to decide.
    ApprovalNeeded,
    /// The version could not be warmed.
    Failed,
    /// The new version serves.
    Succeeded,
}

/// What a step led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The new state; equal to the old one when nothing happened.
    pub state: State,
    /// What to do.
    pub effects: Vec<Effect>,
    /// Why, for the event and the audit.
    pub reason: String,
}

/// What does not change during a rollout.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Who started it.
    pub author: &'a str,
}

#[cfg(test)]
mod tests;
