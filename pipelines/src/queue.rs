//! The queue that wakes workers. This is the only file that knows apalis.
//!
//! A message is the id of a job and nothing else: the job's row is the truth ([`jobs`](crate::jobs)), so a message that
//! is lost is sent again by the sweep, and one that comes twice finds nothing to do. What was learned about apalis:
//! - a worker name that comes back within the heartbeat ends the worker at once, hence a new name per start;
//! - a heartbeat that fails (database away) ends the worker, hence the loop around it;
//! - the orphans of a killed worker come back after `heartbeat × missed`: 10 seconds on both engines here;
//! - SQLite gets a file of its own, PostgreSQL a schema of its own.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{BackendExt, BoxDynError, Data, TaskSink, WorkerBuilder};
use apalis_postgres::{PgConnectOptions, PgPool, PostgresStorage};
use apalis_sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteStorage};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use crate::error::{Error, Result};

const HEARTBEAT: Duration = Duration::from_secs(5);
const MISSED_HEARTBEATS: usize = 2;
/// How often a worker looks for messages.
const POLL: Duration = Duration::from_millis(250);
/// How long a worker that ended without being asked waits before it starts again.
const RESTART: Duration = Duration::from_secs(2);
const QUEUE: &str = "chasqui-jobs";

/// Where the queue is kept.
#[derive(Debug, Clone)]
pub enum QueueConfig {
    /// A file of its own, for example `queue.db` in the data folder.
    Sqlite(std::path::PathBuf),
    /// The database of the registry; the queue has the schema `apalis` there. Needs the extension hstore.
    Postgres(String),
}

/// What a worker does with the id of a job.
#[derive(Clone)]
pub struct Handler(Arc<dyn Fn(String) -> BoxFuture<'static, ()> + Send + Sync>);

impl Handler {
    /// Wraps a function of the id.
    pub fn new(handle: impl Fn(String) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(handle))
    }

    /// Does it.
    pub fn call(&self, job_id: String) -> BoxFuture<'static, ()> {
        let Self(handle) = self;
        handle(job_id)
    }
}

/// A message.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wake {
    job_id: String,
}

/// The queue; cloning shares it.
#[derive(Clone)]
pub struct Queue(Backend);

#[derive(Clone)]
enum Backend {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self.0 {
            Backend::Sqlite(_) => "Queue(sqlite)",
            Backend::Postgres(_) => "Queue(postgres)",
        })
    }
}

impl Queue {
    /// Opens the queue and brings its tables up to date.
    pub async fn open(config: &QueueConfig) -> Result<Self> {
        match config {
            QueueConfig::Sqlite(path) => open_sqlite(path).await,
            QueueConfig::Postgres(url) => open_postgres(url).await,
        }
    }

    /// Sends a message.
    pub async fn push(&self, job_id: &str) -> Result<()> {
        let wake = Wake { job_id: job_id.to_owned() };
        let unavailable = |error: String| Error::Unavailable(format!("the queue does not answer: {error}"));
        match &self.0 {
            Backend::Sqlite(pool) => {
                let pushed = sqlite(pool).push(wake).await;
                pushed.map_err(|error| unavailable(error.to_string()))
            }
            Backend::Postgres(pool) => {
                let pushed = postgres(pool).push(wake).await;
                pushed.map_err(|error| unavailable(error.to_string()))
            }
        }
    }

    /// Hands messages to the handler until `shutdown` turns true, then waits for handlers at work.
    pub async fn work(&self, handler: Handler, mut shutdown: watch::Receiver<bool>) {
        while !*shutdown.borrow() {
            let name = format!("chasqui-{}", Uuid::now_v7());
            let ended = match &self.0 {
                Backend::Sqlite(pool) => {
                    let worker = WorkerBuilder::new(name)
                        .backend(sqlite(pool).poll_with_interval(POLL))
                        .data(handler.clone())
                        .build(handle);
                    worker.run_until(stop(shutdown.clone())).await
                }
                Backend::Postgres(pool) => {
                    let worker = WorkerBuilder::new(name)
                        .backend(postgres(pool).poll_with_interval(POLL))
                        .data(handler.clone())
                        .build(handle);
                    worker.run_until(stop(shutdown.clone())).await
                }
            };
            if *shutdown.borrow() {
                return;
            }
            tracing::warn!(ended = ?ended, "the queue worker ended; it starts again");
            tokio::select! {
                () = tokio::time::sleep(RESTART) => {}
                _ = shutdown.changed() => {}
            }
        }
    }

    /// Deletes messages that were handled; their jobs keep what there is to know.
    pub async fn sweep(&self) -> Result<()> {
        match &self.0 {
            Backend::Sqlite(pool) => {
                sqlx::query("DELETE FROM Jobs WHERE status IN ('Done', 'Killed')").execute(pool).await?;
            }
            Backend::Postgres(pool) => {
                sqlx::query("DELETE FROM apalis.jobs WHERE status IN ('Done', 'Killed')")
                    .execute(pool)
                    .await?;
            }
        }
        Ok(())
    }
}

async fn handle(wake: Wake, handler: Data<Handler>) -> std::result::Result<(), BoxDynError> {
    handler.call(wake.job_id).await;
    Ok(())
}

async fn stop(mut shutdown: watch::Receiver<bool>) -> std::result::Result<(), std::io::Error> {
    crate::worker::stopped(&mut shutdown).await;
    Ok(())
}

fn sqlite(pool: &SqlitePool) -> SqliteStorage<Wake> {
    let config = apalis_sqlite::Config::default()
        .queue(QUEUE)
        .heartbeat_interval(HEARTBEAT)
        .missed_heartbeats(MISSED_HEARTBEATS)
        .persist_results(false);
    SqliteStorage::new(pool).with_config(config)
}

fn postgres(pool: &PgPool) -> PostgresStorage<Wake> {
    let config = apalis_postgres::Config::default()
        .queue(QUEUE)
        .heartbeat_interval(HEARTBEAT)
        .missed_heartbeats(MISSED_HEARTBEATS)
        .persist_results(false);
    PostgresStorage::new(pool).with_config(config)
}

async fn open_sqlite(path: &Path) -> Result<Queue> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(Duration::from_secs(10));
    let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
    SqliteStorage::setup(&pool).await.map_err(Error::internal)?;
    Ok(Queue(Backend::Sqlite(pool)))
}

async fn open_postgres(url: &str) -> Result<Queue> {
    let options = PgConnectOptions::from_str(url)?;
    let pool = PgPool::connect_with(options).await?;
    PostgresStorage::setup(&pool).await.map_err(Error::internal)?;
    Ok(Queue(Backend::Postgres(pool)))
}
