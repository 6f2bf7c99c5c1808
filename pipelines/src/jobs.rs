//! Jobs: rows that say what is to be done, how far it is and who does it. The queue only wakes workers
//! ([`queue`](crate::queue)); everything that counts is in the row, so that any worker can go on after another died.
//!
//! A worker takes a job by writing a lease of 15 seconds into its row and renews it every 5. A sweep sends messages for
//! jobs that wait and for those whose lease ran out. Handlers may be called twice and do only what is still to do.

pub mod compact;
pub mod drift_check;
pub mod report;
pub mod retrain;
mod run;
mod store;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chasqui_registry::Micros;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use run::execute;
pub use store::JobStore;

use crate::error::Error;

/// How long a worker may be silent before its job is given to another.
pub const LEASE: i64 = 15_000_000;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Trains a candidate, holds it against the champion and starts a rollout.
    Retrain,
    /// Judges closed windows of a service for drift.
    DriftCheck,
    /// Writes the report of a service.
    Report,
    /// Seals the prediction log into the object store.
    Compact,
}

impl JobKind {
    /// Its name in `jobs.kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retrain => "retrain",
            Self::DriftCheck => "drift_check",
            Self::Report => "report",
            Self::Compact => "compact",
        }
    }
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for a worker.
    Queued,
    /// A worker has it, as long as its lease runs.
    Running,
    /// Done.
    Succeeded,
    /// Given up.
    Failed,
    /// A person ended it.
    Cancelled,
}

impl JobState {
    /// Its name in `jobs.state`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// True when nothing more will happen.
    pub fn terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// A job as stored.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// What it does.
    pub kind: JobKind,
    /// The pipeline or service it is for.
    pub subject: String,
    /// What it was told.
    pub payload: Value,
    /// Where it is.
    pub state: JobState,
    /// How often a worker took it.
    pub attempts: i64,
    /// How often a worker may take it.
    pub max_attempts: i64,
    /// Share that is done, 0 to 1.
    pub progress: f64,
    /// What it is doing.
    pub message: String,
    /// What came of it.
    pub result: Option<Value>,
    /// Why it failed.
    pub error: Option<String>,
    /// The attempt that has it.
    pub worker: Option<String>,
    /// Until when that attempt has it.
    pub lease_until: Option<Micros>,
    /// When a person asked to end it.
    pub cancel_requested_at: Option<Micros>,
    /// Not before.
    pub run_after: Micros,
    /// When it was created.
    pub created_at: Micros,
    /// By whom.
    pub created_by: String,
    /// When it last changed.
    pub updated_at: Micros,
    /// When it ended.
    pub finished_at: Option<Micros>,
}

/// How often a job of the same key may exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dedup {
    /// As often as it is asked for.
    None,
    /// Once at a time: the key is free again when the job has ended.
    WhileLive(String),
    /// Once and never again.
    Once(String),
}

/// A job to be created.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// What it does.
    pub kind: JobKind,
    /// The pipeline or service it is for.
    pub subject: String,
    /// What it is told.
    pub payload: Value,
    /// How often it may exist.
    pub dedup: Dedup,
    /// How often a worker may take it.
    pub max_attempts: i64,
}

/// Why a handler did not succeed, and what is to be done about it.
#[derive(Debug)]
pub enum JobError {
    /// Passing: try again later.
    Retry(Error),
    /// It would fail again.
    Fail(Error),
    /// A person ended it, or another worker has it now.
    Stopped,
}

impl From<Error> for JobError {
    /// What is only unavailable passes; everything else would fail again.
    fn from(error: Error) -> Self {
        if error.code() == "unavailable" { Self::Retry(error) } else { Self::Fail(error) }
    }
}

impl From<chasqui_registry::Error> for JobError {
    fn from(error: chasqui_registry::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<sqlx::Error> for JobError {
    fn from(error: sqlx::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<serde_json::Error> for JobError {
    fn from(error: serde_json::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<tokio::task::JoinError> for JobError {
    fn from(error: tokio::task::JoinError) -> Self {
        Error::from(error).into()
    }
}

/// What a handler returns: the job's result.
pub type JobResult = std::result::Result<Value, JobError>;

/// One attempt of one job, in the hands of a worker.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The job as it was taken.
    pub job: Job,
    /// The name of the attempt, in `jobs.worker`.
    pub(crate) token: String,
    store: JobStore,
    stopped: Arc<AtomicBool>,
}

impl Attempt {
    /// Writes how far it is.
    ///
    /// # Errors
    /// `Stopped` when the job was cancelled or taken away; the handler gives up then.
    pub async fn progress(&self, share: f64, message: &str) -> std::result::Result<(), JobError> {
        if self.stopped() || !self.store.progress(&self.job.id, &self.token, share, message).await? {
            self.stopped.store(true, Ordering::SeqCst);
            return Err(JobError::Stopped);
        }
        Ok(())
    }

    /// True when the handler should give up; cheap, for loops on blocking threads.
    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// The same as a [`ControlFlow`].
    pub fn flow(&self) -> ControlFlow<()> {
        if self.stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
