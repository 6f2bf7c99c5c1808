//! Predictions: routing, the models, the log and what is counted.
//!
//! The request path reads one immutable [`snapshot::RoutingTable`], runs the model, writes one log record and
//! answers. Everything slower happens elsewhere: [`loader`] loads versions, [`observe`] counts.

mod cell;
mod execute;
mod expect;
mod friendly;
pub mod hash;
mod infer;
mod json;
mod loader;
mod observe;
mod queue;
mod records;
mod route;
mod schema;
pub mod snapshot;
mod store;
mod tensors;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderValue;
use arc_swap::ArcSwap;
use chasqui_registry::prediction_log::Log;
use chasqui_registry::{Micros, Registry};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

pub use self::execute::Call;
pub use self::friendly::NO_EXPLANATION;
use self::loader::Loader;
pub use self::loader::POLL;
use self::observe::{Event, Observer};
pub use self::route::{Pin, pinned};
use self::snapshot::{Entry, RoutingTable, ServiceRoute};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::problem::Problem;

/// How long a change waits for this replica's routing to show it.
const CATCH_UP: Duration = Duration::from_secs(10);
/// A request that is expected to compute for longer leaves the thread that serves others.
const INLINE_NANOSECONDS: u64 = 2_000_000;
/// A larger body is parsed elsewhere too.
const INLINE_BYTES: usize = 128 << 10;

/// Everything that answers predictions.
#[derive(Debug)]
pub struct Inference {
    table: Arc<ArcSwap<RoutingTable>>,
    log: Arc<Log>,
    observer: Observer,
    limits: Limits,
    metrics: Metrics,
    registry: Registry,
    epoch: watch::Receiver<i64>,
    wake: Arc<Notify>,
    tasks: std::sync::Mutex<Option<Tasks>>,
}

#[derive(Debug)]
struct Tasks {
    loader: JoinHandle<()>,
    writer: JoinHandle<()>,
}

/// An answer, ready to be sent.
#[derive(Debug)]
pub struct Answer {
    /// JSON.
    pub body: Vec<u8>,
    /// `x-model-version`.
    pub version: HeaderValue,
    /// `x-rollout-id`.
    pub rollout: Option<HeaderValue>,
}

/// The form that a request comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Records with named fields.
    Records,
    /// Tensors of the Open Inference Protocol.
    Tensors,
}

impl Inference {
    /// Starts the tasks behind predictions; the routing table is loaded by the first of them, at once. Must run
    /// inside a Tokio runtime that outlives it.
    pub fn start(
        registry: Registry,
        log: Arc<Log>,
        limits: Limits,
        metrics: Metrics,
        boot: String,
    ) -> chasqui_registry::Result<Arc<Self>> {
        let table = Arc::new(ArcSwap::from_pointee(RoutingTable::default()));
        let (sender, epoch) = watch::channel(0);
        let wake = Arc::new(Notify::new());
        let loader =
            Loader::new(registry.clone(), metrics.clone(), Arc::clone(&table), sender, Arc::clone(&wake));
        let (totals, receiver) = mpsc::channel(1);
        let observer = Observer::start(metrics.clone(), totals).map_err(chasqui_registry::Error::internal)?;
        let writer = store::Writer::new(registry.clone(), metrics.clone(), boot);
        let tasks = Tasks { loader: tokio::spawn(loader.run()), writer: tokio::spawn(writer.run(receiver)) };
        let tasks = std::sync::Mutex::new(Some(tasks));
        Ok(Arc::new(Self { table, log, observer, limits, metrics, registry, epoch, wake, tasks }))
    }

    /// The table of this moment.
    pub fn table(&self) -> Arc<RoutingTable> {
        self.table.load_full()
    }

    /// The route of a service, or why there is none.
    pub fn route(&self, service: &str) -> Result<Arc<ServiceRoute>, Problem> {
        match self.table.load().services.get(service) {
            Some(Entry::Ready(route)) => Ok(Arc::clone(route)),
            Some(Entry::NotReady(why)) => {
                Err(Problem::unavailable(format!("the service `{service}` is not ready: {why}"), 5))
            }
            None if !self.is_loaded() => Err(Problem::unavailable("the server is starting", 1)),
            None => Err(Problem::not_found(format!("the service `{service}` does not exist"))),
        }
    }

    /// Whether a request of this size should be answered on a thread of its own.
    pub fn is_heavy(&self, route: &ServiceRoute, body_bytes: usize) -> bool {
        // A row takes a hundred bytes of JSON or more: with little said about the cost, this errs to caution.
        let rows = (body_bytes / 100).max(1) as u64;
        body_bytes > INLINE_BYTES || rows.saturating_mul(route.stable.version.row_cost()) > INLINE_NANOSECONDS
    }

    /// Answers a request. Blocks for as long as the model computes.
    pub fn answer(
        &self,
        form: Form,
        route: &Arc<ServiceRoute>,
        body: &[u8],
        pin: Pin,
        call: &Call<'_>,
    ) -> Result<Answer, Problem> {
        let answered = match form {
            Form::Records => friendly::answer(self, route, body, pin, call),
            Form::Tensors => infer::answer(self, route, body, pin, call),
        };
        answered.inspect_err(|problem| self.metrics.refuse(route.name.as_str(), problem.code()))
    }

    /// The present instant of the registry's clock.
    pub fn now(&self) -> Micros {
        self.registry.now()
    }

    /// A call that begins now.
    pub fn call<'a>(&self, request_id: &'a str) -> Call<'a> {
        let now = self.now();
        Call { request_id, started: Instant::now(), now, at: now }
    }

    /// Waits until this replica routes by everything that was committed before: a client that registers a model
    /// can ask it with its next request.
    pub async fn catch_up(&self) -> Result<(), Problem> {
        let wanted = self.registry.epoch().await?;
        let mut epoch = self.epoch.clone();
        self.wake.notify_one();
        let reached = epoch.wait_for(|epoch| *epoch >= wanted);
        if !matches!(tokio::time::timeout(CATCH_UP, reached).await, Ok(Ok(_))) {
            // The change itself is made; the table follows.
            tracing::warn!(routing.epoch = wanted, "routing takes long to follow a change");
        }
        Ok(())
    }

    /// Whether routing was loaded.
    pub fn is_loaded(&self) -> bool {
        *self.epoch.borrow() > 0
    }

    /// Counts what is waiting and writes the last totals. Call it when no request is in progress any more.
    pub async fn finish(self: Arc<Self>) {
        let this = Arc::clone(&self);
        if tokio::task::spawn_blocking(move || this.observer.finish()).await.is_err() {
            tracing::error!("the counting thread could not be ended");
        }
        let tasks = self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(tasks) = tasks else { return };
        tasks.loader.abort();
        if tasks.writer.await.is_err() {
            tracing::error!("the task that writes sketches and counts panicked");
        }
    }

    fn observe(&self, event: Event, rows: usize) {
        self.observer.push(event, rows);
    }
}
