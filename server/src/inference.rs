//! Predictions: routing, the models, the log and what is counted.
//!
//! The request path reads one immutable [`snapshot::RoutingTable`], runs the model, writes one log record and
//! answers. Everything slower happens elsewhere: [`loader`] loads versions, [`observe`] counts.

mod batch;
mod cell;
mod execute;
mod expect;
mod foreign;
mod friendly;
pub mod hash;
mod infer;
mod json;
pub mod lines;
mod loader;
mod mlflow;
mod nested;
mod observe;
mod predicted;
pub mod probe;
mod python_json;
mod queue;
mod records;
mod repository;
mod route;
mod rows;
mod schema;
pub mod snapshot;
pub mod statistics;
mod store;
mod stream;
mod table;
pub mod tensors;
mod turn;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderValue;
use arc_swap::ArcSwap;
use chasqui_registry::prediction_log::Log;
use chasqui_registry::{Micros, Registry};
use chasqui_runtime::{Signature, TensorSpec};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

pub use self::execute::Call;
pub use self::friendly::NO_EXPLANATION;
pub use self::infer::{Ask, Inferred, JsonAnswer, Outcome, Output};
use self::lines::Line;
use self::loader::Loader;
pub use self::loader::POLL;
pub use self::mlflow::Written;
use self::observe::{Event, Observer};
pub use self::repository::IndexEntry;
pub use self::route::{Pin, pinned};
use self::rows::Inquiry;
use self::snapshot::{Entry, RoutingTable, ServiceRoute, Target};
use self::tensors::InferRequest;
pub use self::turn::Turn;
use self::turn::Turns;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::problem::Problem;

/// How long a change waits for this replica's routing to show it.
const CATCH_UP: Duration = Duration::from_secs(10);
/// A request that is expected to compute for longer leaves the thread that serves others.
const INLINE_NANOSECONDS: u64 = 200_000;
/// A larger body is parsed elsewhere too.
const INLINE_BYTES: usize = 128 << 10;

/// Everything that answers predictions.
#[derive(Debug)]
pub struct Inference {
    table: Arc<ArcSwap<RoutingTable>>,
    log: Arc<Log>,
    observer: Observer,
    limits: Limits,
    turns: Turns,
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

/// The line that tells a problem in a stream, from this line on when it is the last.
pub fn fault_line(number: u64, problem: &Problem) -> Vec<u8> {
    let mut line = Vec::new();
    stream::fault(&mut line, number, problem);
    line
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
    /// Rows or columns of KServe v1.
    KserveV1,
    /// A body of MLflow's scoring server.
    Mlflow(Written),
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
        let loader = Loader::new(
            registry.clone(),
            metrics.clone(),
            limits.models_bytes,
            Arc::clone(&table),
            sender,
            Arc::clone(&wake),
        );
        let (totals, receiver) = mpsc::channel(1);
        let observer = Observer::start(metrics.clone(), totals).map_err(chasqui_registry::Error::internal)?;
        let writer = store::Writer::new(registry.clone(), metrics.clone(), boot);
        let tasks = Tasks { loader: tokio::spawn(loader.run()), writer: tokio::spawn(writer.run(receiver)) };
        let tasks = std::sync::Mutex::new(Some(tasks));
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        let turns = Turns::new(cores, limits.queue, Duration::from_millis(limits.deadline_ms));
        Ok(Arc::new(Self { table, log, observer, limits, turns, metrics, registry, epoch, wake, tasks }))
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

    /// Does `work`, which asks `route` by a body of so many bytes: here when it is light, else on a thread of its own,
    /// with a turn.
    pub async fn compute<T: Send + 'static>(
        &self,
        route: &ServiceRoute,
        pin: Pin,
        body_bytes: usize,
        work: impl FnOnce(Option<&Turn>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let target = route.target(pin)?;
        if !is_heavy(route, target, pin, body_bytes) {
            return work(None);
        }
        let turn = self.turns.join(&target.version);
        let turn = turn.inspect_err(|problem| self.metrics.refuse(route.name.as_str(), problem.code()))?;
        turn.spend(work).await
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
        let inquiry = Inquiry { inference: self, route, pin, call: *call };
        let answered = match form {
            Form::Records => friendly::answer(inquiry, body),
            Form::KserveV1 => foreign::answer_v1(&inquiry, body),
            Form::Mlflow(written) => mlflow::answer(&inquiry, written, body),
        };
        answered.inspect_err(|problem| self.metrics.refuse(route.name.as_str(), problem.code()))
    }

    /// Answers a request of the Open Inference Protocol that `read` reads, in the form that `write` writes. Blocks
    /// for as long as the model computes.
    pub fn infer<'r, T>(
        &self,
        ask: &Ask<'_>,
        read: impl FnOnce(&Signature, usize) -> Result<InferRequest<'r>, Problem>,
        write: impl FnOnce(&Outcome<'_>) -> T,
    ) -> Result<Inferred<T>, Problem> {
        let inferred = infer::answer(self, ask, read, write);
        inferred.inspect_err(|problem| self.metrics.refuse(ask.route.name.as_str(), problem.code()))
    }

    /// Whether a request with lines of records can be answered by this service: what would refuse every one of them.
    pub fn takes_lines(&self, route: &Arc<ServiceRoute>, pin: Pin, call: &Call<'_>) -> Result<(), Problem> {
        Inquiry { inference: self, route, pin, call: *call }.records_only().map(drop)
    }

    /// Answers lines with one record each by as many lines. Blocks for as long as the model computes.
    pub fn answer_lines(
        &self,
        route: &Arc<ServiceRoute>,
        lines: &[Line],
        pin: Pin,
        call: &Call<'_>,
        is_spanish: bool,
    ) -> Result<Vec<u8>, Problem> {
        stream::answer(&Inquiry { inference: self, route, pin, call: *call }, lines, is_spanish)
    }

    /// The present instant of the registry's clock.
    pub fn now(&self) -> Micros {
        self.registry.now()
    }

    /// A call that begins now, of a request whose body was complete at `received`.
    pub fn call<'a>(&self, request_id: &'a str, received: Instant, turn: Option<&'a Turn>) -> Call<'a> {
        let (now, started) = (self.now(), Instant::now());
        let waited = started.saturating_duration_since(received);
        Call { request_id, started, waited, now, at: now, turn, until: None }
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

/// Whether a request of this size leaves the thread that serves others: it is expected to keep it for too long,
/// whichever version answers, or may have to wait for others.
fn is_heavy(route: &ServiceRoute, target: &Target, pin: Pin, body_bytes: usize) -> bool {
    let on_trial = route.canary.as_ref().filter(|_| pin == Pin::None);
    let cost = on_trial.map_or(0, |canary| canary.target.version.row_cost()).max(target.version.row_cost());
    // An element takes four bytes in binary form, and seldom less in JSON.
    let elements = target.version.signature.inputs.iter().map(TensorSpec::row_elements).sum::<usize>();
    let rows = (body_bytes / elements.saturating_mul(4).max(1)).max(1) as u64;
    let waits = !route.config.batching.max_delay().is_zero();
    waits || body_bytes > INLINE_BYTES || rows.saturating_mul(cost) > INLINE_NANOSECONDS
}
