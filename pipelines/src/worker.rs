//! The worker: queue, sweep and tickers of one process, started together and stopped together.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chasqui_registry::Registry;
use chasqui_registry::prediction_log::Log;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::error::Result;
use crate::jobs::{self, JobStore};
use crate::queue::{Handler, Queue};
use crate::schedule;

/// How long a worker that is stopped waits for jobs to reach a place where they can be left.
const GRACE: Duration = Duration::from_secs(20);

/// What a worker is told.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Jobs at the same time.
    pub concurrency: usize,
    /// How often rollouts are ticked.
    pub rollout_tick: Duration,
    /// How often closed windows are looked for.
    pub drift_check: Duration,
    /// How often schedules are looked at.
    pub cron: Duration,
    /// How often waiting and abandoned jobs are announced again.
    pub sweep: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            concurrency: 2,
            rollout_tick: Duration::from_millis(500),
            drift_check: Duration::from_secs(5),
            cron: Duration::from_secs(10),
            sweep: Duration::from_secs(5),
        }
    }
}

/// What handlers and tickers of a worker share.
#[derive(Debug, Clone)]
pub struct WorkerContext {
    /// Rows, bytes and the time.
    pub registry: Registry,
    /// Jobs.
    pub jobs: JobStore,
    /// The prediction log of this process, when it has one.
    pub log: Option<Arc<Log>>,
    /// Turns true when the worker stops.
    pub(crate) shutdown: watch::Receiver<bool>,
}

/// Starts workers.
#[derive(Debug)]
pub struct Worker;

/// A worker that runs; dropped, it is told to stop but not waited for.
#[derive(Debug)]
pub struct WorkerHandle {
    shutdown: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Worker {
    /// Starts the loops of a worker on the current runtime. `log` is the prediction log when it lives in this process.
    pub async fn start(
        registry: Registry,
        queue: Queue,
        log: Option<Arc<Log>>,
        config: WorkerConfig,
    ) -> Result<WorkerHandle> {
        registry.db.ping().await?;
        let (sender, shutdown) = watch::channel(false);
        let jobs = JobStore::new(registry.clone(), queue.clone());
        let context = WorkerContext { registry, jobs, log, shutdown: shutdown.clone() };
        let handler = handler(context.clone(), config.concurrency);
        let tasks = vec![
            tokio::spawn(take_messages(queue.clone(), handler.clone(), shutdown)),
            tokio::spawn(schedule::rollouts(context.clone(), config.rollout_tick)),
            tokio::spawn(schedule::drift_checks(context.clone(), config.drift_check)),
            tokio::spawn(schedule::crons(context.clone(), config.cron)),
            tokio::spawn(schedule::sweep(context, queue, handler, config.sweep)),
        ];
        Ok(WorkerHandle { shutdown: sender, tasks })
    }
}

impl WorkerHandle {
    /// Stops taking jobs, lets those at work reach a place where another worker can go on, and waits for that.
    pub async fn shutdown(mut self) {
        let _ = self.shutdown.send(true);
        for task in self.tasks.drain(..) {
            let aborter = task.abort_handle();
            if tokio::time::timeout(GRACE, task).await.is_err() {
                aborter.abort();
            }
        }
    }

    /// Ends everything at once, as a crash would: leases run out and other workers go on.
    pub fn abort(self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        let _ = self.shutdown.send(true);
    }
}

/// Hands messages to the handler until the worker stops. Should the queue panic, it starts again.
async fn take_messages(queue: Queue, handler: Handler, mut shutdown: watch::Receiver<bool>) {
    loop {
        let (messages, handler, stop) = (queue.clone(), handler.clone(), shutdown.clone());
        let mut work = tokio::spawn(async move { messages.work(handler, stop).await });
        let _ending = AbortOnDrop(work.abort_handle());
        match (&mut work).await {
            Ok(()) => return,
            Err(error) => tracing::error!(%error, "the queue worker broke off; it starts again"),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
            () = stopped(&mut shutdown) => return,
        }
    }
}

/// Ends a task with the one that waits for it.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits until the worker is told to stop; a handle that is gone says the same.
pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// Runs a job when there is room for it; what waits for room is still free for other workers.
fn handler(context: WorkerContext, concurrency: usize) -> Handler {
    let room = Arc::new(Semaphore::new(concurrency.max(1)));
    let known = Arc::new(Mutex::new(HashSet::new()));
    Handler::new(move |job_id| {
        let (context, room, known) = (context.clone(), Arc::clone(&room), Arc::clone(&known));
        Box::pin(async move {
            // A job that waits is announced again and again; one of its messages is enough.
            let Some(_known) = Known::new(known, &job_id) else { return };
            let Ok(_place) = room.acquire_owned().await else { return };
            if !*context.shutdown.borrow() {
                jobs::execute(&context, &job_id).await;
            }
        })
    })
}

/// A job that this worker has or will have, as long as this value lives.
struct Known {
    jobs: Arc<Mutex<HashSet<String>>>,
    id: String,
}

impl Known {
    /// None when the job is known already.
    fn new(jobs: Arc<Mutex<HashSet<String>>>, id: &str) -> Option<Self> {
        let new = jobs.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        new.then(|| Self { jobs, id: id.to_owned() })
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
