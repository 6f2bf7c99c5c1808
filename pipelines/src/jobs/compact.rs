//! Seals the prediction log: what lies in local segments becomes Parquet in the object store.

use serde_json::json;

use super::{Attempt, JobResult};
use crate::worker::WorkerContext;

/// The handler. A worker without a log of its own (a process beside the server) has nothing to seal.
pub(crate) async fn run(context: &WorkerContext, attempt: &Attempt) -> JobResult {
    let Some(log) = &context.log else {
        return Ok(json!({ "segments": 0, "reason": "the log lives in the server's process" }));
    };
    attempt.progress(0.1, "sealing the prediction log").await?;
    let sealed = log.seal_all(&context.registry).await?;
    Ok(json!({ "segments": sealed.segments, "files": sealed.files, "records": sealed.records }))
}
