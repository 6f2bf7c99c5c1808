//! Writes the report of a service.

use serde_json::json;

use super::{Attempt, JobResult};
use crate::report::{self, ReportRequest};
use crate::worker::WorkerContext;

/// The handler; the report has the job's id, so that a repeat finds it.
pub(crate) async fn run(context: &WorkerContext, attempt: &Attempt) -> JobResult {
    let request: ReportRequest = serde_json::from_value(attempt.job.payload.clone())?;
    attempt.progress(0.1, "collecting the figures").await?;
    let stored = report::write(&context.registry, context.log.as_deref(), &attempt.job.id, &request).await?;
    Ok(json!({ "report_id": stored.id, "level": stored.level, "sha256": stored.sha256 }))
}
