//! One attempt of one job: take it, keep its lease, call its handler, write what came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch;
use uuid::Uuid;

use super::store::Outcome;
use super::{Attempt, Job, JobError, JobKind, JobResult, compact, drift_check, report, retrain};
use crate::alert::{self, Kind, NewAlert, Severity};
use crate::error::Result;
use crate::worker::{self, WorkerContext};

/// How often a lease of 15 seconds is renewed.
const RENEW: Duration = Duration::from_secs(5);

/// Runs one attempt of a job, if there is something to do.
pub(crate) async fn execute(context: &WorkerContext, id: &str) {
    if let Err(error) = try_execute(context, id).await {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(job.id = id, %error, source, "a job could not be run; the sweep tries again");
    }
}

async fn try_execute(context: &WorkerContext, id: &str) -> Result<()> {
    let token = Uuid::now_v7().to_string();
    let Some(job) = context.jobs.claim(id, &token).await? else { return Ok(()) };
    let stopped = Arc::new(AtomicBool::new(job.cancel_requested_at.is_some()));
    let attempt = Attempt { job, token, store: context.jobs.clone(), stopped };
    if attempt.job.attempts > attempt.job.max_attempts {
        let why = format!("given up after {} attempts", attempt.job.max_attempts);
        return finish(context, &attempt, Outcome::Failed(why)).await;
    }
    if attempt.stopped() {
        return finish(context, &attempt, Outcome::Cancelled).await;
    }
    tracing::info!(
        job.id = id,
        job.kind = attempt.job.kind.name(),
        job.attempt = attempt.job.attempts,
        "job begins"
    );
    let mut shutdown = context.shutdown.clone();
    let outcome = match work(context, &attempt, &mut shutdown).await {
        Ok(result) => Outcome::Succeeded(result),
        Err(JobError::Stopped) if *shutdown.borrow() => Outcome::Released,
        Err(JobError::Stopped) => Outcome::Cancelled,
        Err(JobError::Retry(error)) => Outcome::Retry(failure(id, &error)),
        Err(JobError::Fail(error)) => Outcome::Failed(failure(id, &error)),
    };
    finish(context, &attempt, outcome).await
}

/// Calls the handler and renews the lease beside it. A handler that panics fails; one that is at work when the worker
/// shuts down is asked to stop, and its job is left to another worker.
async fn work(context: &WorkerContext, attempt: &Attempt, shutdown: &mut watch::Receiver<bool>) -> JobResult {
    let handler = std::panic::AssertUnwindSafe(handle(context, attempt)).catch_unwind();
    tokio::pin!(handler);
    loop {
        tokio::select! {
            result = &mut handler => {
                let panicked = |_| Err(JobError::Fail(crate::Error::internal("the handler panicked")));
                return result.unwrap_or_else(panicked);
            }
            () = worker::stopped(shutdown), if !attempt.stopped() => {
                attempt.stopped.store(true, Ordering::SeqCst);
            }
            () = tokio::time::sleep(RENEW) => {
                // A database that is away is not a reason to give up: the lease may run out, the work is not lost.
                if let Ok(false) = context.jobs.renew(&attempt.job.id, &attempt.token).await {
                    attempt.stopped.store(true, Ordering::SeqCst);
                }
            }
        }
    }
}

async fn handle(context: &WorkerContext, attempt: &Attempt) -> JobResult {
    match attempt.job.kind {
        JobKind::Retrain => retrain::run(context, attempt).await,
        JobKind::DriftCheck => drift_check::run(context, attempt).await,
        JobKind::Report => report::run(context, attempt).await,
        JobKind::Compact => compact::run(context, attempt).await,
    }
}

async fn finish(context: &WorkerContext, attempt: &Attempt, outcome: Outcome) -> Result<()> {
    let failed = match &outcome {
        Outcome::Failed(error) => Some(error.clone()),
        Outcome::Retry(error) if attempt.job.attempts >= attempt.job.max_attempts => Some(error.clone()),
        _ => None,
    };
    // What was asked to stop because another worker has the job by now is not ended here.
    let ended = context.jobs.finish(&attempt.job, &attempt.token, outcome).await?;
    if let Some(error) = failed.filter(|_| ended && attempt.job.kind == JobKind::Retrain) {
        retrain_failed(context, &attempt.job, &error).await?;
    }
    Ok(())
}

async fn retrain_failed(context: &WorkerContext, job: &Job, error: &str) -> Result<()> {
    let registry = &context.registry;
    let service = crate::pipeline::get(registry, &job.subject).await?.map(|pipeline| pipeline.service);
    let now = registry.now();
    let new = NewAlert {
        service: service.unwrap_or_else(|| job.subject.clone()),
        kind: Kind::RetrainFailed,
        severity: Severity::Atencion,
        title: format!("El reentrenamiento de «{}» no terminó.", job.subject),
        body: serde_json::json!({ "job_id": job.id, "error": error }),
        dedup_key: format!("retrain_failed:{}", job.id),
    };
    let mut tx = registry.db.begin().await?;
    alert::raise(&mut tx, now, &new).await?;
    tx.commit().await?;
    Ok(())
}

/// Logs a failure once; the row gets what people may read.
fn failure(id: &str, error: &crate::Error) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(job.id = id, %error, source, "a job failed");
    error.to_string()
}
