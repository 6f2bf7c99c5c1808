//! Retrainings with their verdicts, and jobs with their progress.

mod gate;

use chasqui_pipelines::jobs::{Job, JobKind, JobState};
use chasqui_pipelines::pipeline::Run;
use chasqui_report::{Level, fill, page};

use super::picture;
use super::voice::{Voice, clip};

pub(super) use gate::GateView;

/// One run of a pipeline.
pub(super) struct RunView {
    pub(super) pipeline: String,
    pub(super) began: String,
    pub(super) trigger: String,
    pub(super) candidate: String,
    pub(super) gate: GateView,
}

impl RunView {
    pub(super) fn new(run: &Run, voice: Voice) -> Self {
        let t = voice.t;
        let trigger = match run.trigger.as_str() {
            "drift" => t.triggers[0].into(),
            "schedule" => t.triggers[1].into(),
            "hand" => t.triggers[2].into(),
            "performance" => t.triggers[3].into(),
            other => clip(other),
        };
        let version = run.version.map(|version| fill(t.version, &[("n", &version.to_string())]));
        Self {
            pipeline: clip(&run.pipeline),
            began: voice.at(run.created_at),
            trigger,
            candidate: version.unwrap_or_else(|| t.nothing_known.into()),
            gate: GateView::new(run, voice),
        }
    }
}

/// One job.
pub(super) struct JobView {
    pub(super) kind: &'static str,
    pub(super) subject: String,
    pub(super) badge: String,
    pub(super) is_live: bool,
    /// How far it is, as a bar and in figures.
    pub(super) bar: String,
    pub(super) progress: String,
    /// What it is doing, or why it failed.
    pub(super) message: String,
    pub(super) when: String,
}

impl JobView {
    pub(super) fn new(job: &Job, voice: Voice) -> Self {
        let t = voice.t;
        let kind = match job.kind {
            JobKind::Retrain => t.job_kinds[0],
            JobKind::DriftCheck => t.job_kinds[1],
            JobKind::Report => t.job_kinds[2],
            JobKind::Compact => t.job_kinds[3],
        };
        let is_live = !job.state.terminal();
        let at = job.finished_at.unwrap_or(job.created_at);
        Self {
            kind,
            subject: clip(&job.subject),
            badge: badge(job.state, voice),
            is_live,
            bar: picture::bar(job.progress, "calm"),
            progress: voice.format.percent_with(job.progress, 0),
            message: message(job, voice),
            when: if is_live { fill(t.since, &[("at", &voice.at(at))]) } else { voice.at(at) },
        }
    }
}

fn badge(state: JobState, voice: Voice) -> String {
    let words = voice.t.job_states;
    match state {
        JobState::Queued => page::neutral_badge(words[0]),
        JobState::Running => picture::badge(Level::Esperado, words[1]),
        JobState::Succeeded => picture::badge(Level::Normal, words[2]),
        JobState::Failed => picture::badge(Level::Importante, words[3]),
        JobState::Cancelled => page::neutral_badge(words[4]),
    }
}

/// What a job is doing; the handlers say it in the words of engineers. What failed is told as it was written.
fn message(job: &Job, voice: Voice) -> String {
    let t = voice.t;
    let mut message = match (job.state, &job.error) {
        (JobState::Succeeded | JobState::Cancelled, _) => String::new(),
        (JobState::Failed | JobState::Queued, Some(error)) => error.clone(),
        _ => translated(job, voice),
    };
    if job.attempts > 1 && !job.state.terminal() {
        let (n, most) = (job.attempts.to_string(), job.max_attempts.to_string());
        let attempt = fill(t.job_attempts, &[("n", &n), ("most", &most)]);
        message = if message.is_empty() { attempt } else { format!("{message} · {attempt}") };
    }
    message
}

fn translated(job: &Job, voice: Voice) -> String {
    let told = voice.t.job_messages;
    let of_retraining = [
        "reading the data",
        "holding the candidate against the champion",
        "starting the rollout",
        "registering the candidate",
    ];
    let place = match job.kind {
        _ if job.message.is_empty() => return String::new(),
        // The trainer reports its own stages between these; to whoever waits they are all training.
        JobKind::Retrain => of_retraining.iter().position(|known| *known == job.message).unwrap_or(7),
        JobKind::DriftCheck => 4,
        JobKind::Report => 5,
        JobKind::Compact => 6,
    };
    told[place].into()
}

#[cfg(test)]
mod tests {
    use chasqui_registry::Micros;
    use chasqui_report::Language;
    use serde_json::Value;

    use super::*;

    fn job(state: JobState, message: &str) -> Job {
        Job {
            id: "j".into(),
            kind: JobKind::Retrain,
            subject: "ventas-semanal".into(),
            payload: Value::Null,
            state,
            attempts: 1,
            max_attempts: 3,
            progress: 0.42,
            message: message.into(),
            result: None,
            error: None,
            worker: None,
            lease_until: None,
            cancel_requested_at: None,
            run_after: Micros(0),
            created_at: Micros(1_795_280_700_000_000),
            created_by: "author".into(),
            updated_at: Micros(0),
            finished_at: None,
        }
    }

    #[test]
    fn a_running_job_says_how_far_it_is() {
        let view = JobView::new(&job(JobState::Running, "reading the data"), Voice::new(Language::Es));
        assert_eq!((view.kind, view.progress.as_str()), ("Reentrenamiento", "42 %"));
        assert_eq!(view.message, "leyendo los datos");
        assert_eq!(view.when, "desde 21 nov 2026, 12:05");
        assert!(view.is_live);
        let training = JobView::new(&job(JobState::Running, "tree 12 of 100"), Voice::new(Language::Es));
        assert_eq!(training.message, "entrenando");
    }

    #[test]
    fn a_failed_job_says_why_and_a_repeated_one_which_attempt_it_is() {
        let voice = Voice::new(Language::Es);
        let mut failed = job(JobState::Failed, "reading the data");
        failed.error = Some("the column `y` is missing".into());
        assert_eq!(message(&failed, voice), "the column `y` is missing");
        let mut again = job(JobState::Running, "reading the data");
        again.attempts = 2;
        assert_eq!(message(&again, voice), "leyendo los datos · intento 2 de 3");
        assert_eq!(message(&job(JobState::Succeeded, "training"), voice), "");
    }
}
