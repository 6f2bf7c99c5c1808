//! Runs jobs in this process until it ends.

use std::sync::Arc;

use anyhow::Context;
use chasqui_pipelines::queue::Queue;
use chasqui_pipelines::{Worker, WorkerConfig, WorkerHandle};
use chasqui_registry::Registry;
use chasqui_registry::prediction_log::Log;

use crate::config::Config;

/// Starts the worker. `log` is the prediction log when it is in this process.
pub(crate) async fn start(
    config: &Config,
    registry: Registry,
    queue: Queue,
    log: Option<Arc<Log>>,
) -> anyhow::Result<WorkerHandle> {
    let config = WorkerConfig { concurrency: config.jobs, ..WorkerConfig::default() };
    Worker::start(registry, queue, log, config).await.context("the job worker cannot start")
}
