//! States of a rollout and reasons to hold it, in words.

use chasqui_pipelines::rollout::Rollout;
use chasqui_pipelines::rollout::plan::Metric;
use chasqui_pipelines::rollout::state::{HoldReason, Phase, Question};
use chasqui_report::{Level, fill, page};

use crate::pages::picture;
use crate::pages::voice::Voice;

/// The state in a word, in the colour of what it asks from people.
pub(super) fn badge(phase: &Phase, voice: Voice) -> String {
    let word = status(phase.name(), voice);
    let level = match phase {
        Phase::Draft | Phase::Scheduled | Phase::Superseded { .. } => return page::neutral_badge(word),
        Phase::Warming | Phase::Step { .. } | Phase::Baking => Level::Esperado,
        Phase::Holding { .. } | Phase::AwaitApproval { .. } | Phase::Paused { .. } => Level::Atencion,
        Phase::RollingBack { .. } | Phase::RolledBack { .. } | Phase::Failed { .. } => Level::Importante,
        Phase::Succeeded => Level::Normal,
    };
    picture::badge(level, word)
}

/// The word for a status as stored.
pub(super) fn status(name: &str, voice: Voice) -> &'static str {
    let t = voice.t;
    match name {
        "draft" => t.status_draft,
        "scheduled" => t.status_scheduled,
        "warming" => t.status_warming,
        "step" => t.status_running,
        "baking" => t.status_baking,
        "holding" => t.status_holding,
        "await_approval" => t.status_await,
        "paused" => t.status_paused,
        "rolling_back" => t.status_rolling_back,
        "rolled_back" => t.status_rolled_back,
        "succeeded" => t.status_succeeded,
        "superseded" => t.status_superseded,
        "failed" => t.status_failed,
        _ => t.nothing_known,
    }
}

/// Where a rollout is, in a sentence.
pub(super) fn words(rollout: &Rollout, voice: Voice) -> String {
    let t = voice.t;
    let (text, reason) = match &rollout.state.phase {
        Phase::Draft => (t.phase_draft, None),
        Phase::Scheduled => (t.phase_scheduled, None),
        Phase::Warming => (t.phase_warming, None),
        Phase::Step { .. } => (t.phase_step, None),
        Phase::Baking => (t.phase_baking, None),
        Phase::Holding { reason, .. } => (t.phase_holding, Some(hold(reason, voice))),
        Phase::AwaitApproval { question: Question::GoOn, .. } => (t.phase_await, None),
        Phase::AwaitApproval { question: Question::HeldTooLong { reason }, .. } => {
            (t.phase_await_held, Some(hold(reason, voice)))
        }
        Phase::Paused { .. } => (t.phase_paused, None),
        Phase::RollingBack { .. } => (t.phase_rolling_back, None),
        Phase::RolledBack { .. } => (t.phase_rolled_back, None),
        Phase::Succeeded => (t.phase_succeeded, None),
        Phase::Superseded { .. } => (t.phase_superseded, None),
        Phase::Failed { .. } => (t.phase_failed, None),
    };
    let step = match rollout.state.phase {
        Phase::Step { index } => index + 1,
        _ => 0,
    };
    let values = [
        ("canary", rollout.canary_version.to_string()),
        ("stable", rollout.stable_version.to_string()),
        ("share", voice.format.percent_with(rollout.weight, 0)),
        ("step", step.to_string()),
        ("steps", rollout.plan.steps.len().to_string()),
        ("reason", reason.unwrap_or_default()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    fill(text, &values)
}

/// Why it holds.
pub(super) fn hold(reason: &HoldReason, voice: Voice) -> String {
    let t = voice.t;
    match reason {
        HoldReason::NotEnoughRequests { needed } => {
            fill(t.hold_requests, &[("needed", &voice.format.count(*needed))])
        }
        HoldReason::Suspicion { metric: of } => fill(t.hold_suspicion, &[("metric", metric(*of, voice))]),
        HoldReason::NotShownNonInferior => t.hold_not_shown.into(),
        HoldReason::SampleRatioMismatch => t.hold_split.into(),
        HoldReason::JointOutage { metric: of } => fill(t.hold_outage, &[("metric", metric(*of, voice))]),
        HoldReason::WindowClosed => t.hold_window.into(),
    }
}

/// What a guard watches for.
pub(super) fn metric(metric: Metric, voice: Voice) -> &'static str {
    match metric {
        Metric::Errors => voice.t.metric_errors,
        Metric::Latency => voice.t.metric_latency,
    }
}
