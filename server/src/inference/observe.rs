//! Sketches of what was asked and answered, and the counts of rollouts.
//!
//! A few rows are sketched where they were answered, while they are in that processor's cache, unless somebody else is at
//! the sketches; everything else goes through a bounded queue to one thread that counts. Every second it gives absolute
//! totals to a task that writes them to the database: a write that fails or is repeated does no harm, the next one holds
//! everything.

mod sketches;
mod trials;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chasqui_registry::Micros;
use chasqui_registry::prediction_log::Arm;
use chasqui_runtime::Tensor;
use smallvec::SmallVec;
use tokio::sync::mpsc;

use super::queue::Queue;
use super::snapshot::{LoadedVersion, ServiceRoute, Trial};
use crate::metrics::Metrics;
use sketches::Sketches;
pub(super) use sketches::WindowTotal;
use trials::Trials;
pub(super) use trials::{TrialTotal, counters};

/// Rows that are sketched where they were answered: some ten microseconds.
const FEW: usize = 4;
/// Rows that may wait; at about 200 bytes a row some tens of megabytes.
const CAPACITY: usize = 200_000;
/// How long events gather before they are counted: whoever is woken for each of them takes the core from those who
/// answer.
const GATHER: Duration = Duration::from_millis(2);
/// How often totals are given away.
const EVERY: Duration = Duration::from_secs(1);
/// The same after a bad event of a canary: rollback should not wait for the second to end.
const EVERY_URGENT: Duration = Duration::from_millis(100);

/// Something that was answered or failed.
#[derive(Debug)]
pub(super) struct Event {
    /// The service.
    pub route: Arc<ServiceRoute>,
    /// The moment that it is about.
    pub at: Micros,
    /// When it happened.
    pub now: Micros,
    /// What was asked and answered, when it is to be sketched.
    pub batch: Option<Batch>,
    /// Its part in a trial.
    pub part: Option<Part>,
}

/// The tensors of an answer.
#[derive(Debug)]
pub(super) struct Batch {
    /// The version that answered.
    pub version: Arc<LoadedVersion>,
    /// In the order of its signature.
    pub inputs: Vec<Tensor>,
    /// In the order of its signature.
    pub outputs: Vec<Tensor>,
    /// Rows of each.
    pub rows: usize,
}

/// What a request was in a trial.
#[derive(Debug)]
pub(super) struct Part {
    /// The trial.
    pub trial: Arc<Trial>,
    /// The side that it was routed to.
    pub arm: Arm,
    /// The entities that it was about.
    pub entities: SmallVec<[u64; 1]>,
    /// The version failed.
    pub failed: bool,
    /// The answer took longer than the objective.
    pub slow: bool,
}

/// Absolute totals, to be written.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Sketches that changed.
    pub windows: Vec<WindowTotal>,
    /// Counts that changed.
    pub trials: Vec<TrialTotal>,
}

impl Totals {
    fn is_empty(&self) -> bool {
        self.windows.is_empty() && self.trials.is_empty()
    }
}

/// The thread and its queue.
#[derive(Debug)]
pub(super) struct Observer {
    queue: Arc<Queue<Event>>,
    sketches: Arc<Mutex<Sketches>>,
    metrics: Metrics,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Observer {
    /// Starts the thread; totals go into `totals`, which holds one at a time.
    pub(super) fn start(metrics: Metrics, totals: mpsc::Sender<Totals>) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::new(CAPACITY));
        let sketches = Arc::default();
        let counter = Counter {
            queue: Arc::clone(&queue),
            metrics: metrics.clone(),
            sketches: Arc::clone(&sketches),
            trials: Trials::default(),
            totals,
        };
        let thread =
            std::thread::Builder::new().name("chasqui-observe".into()).spawn(move || counter.run())?;
        Ok(Self { queue, sketches, metrics, thread: Mutex::new(Some(thread)) })
    }

    /// Counts an event of so many rows, or hands it over.
    pub(super) fn push(&self, mut event: Event, rows: usize) {
        if rows <= FEW
            && event.batch.is_some()
            && let Ok(mut sketches) = self.sketches.try_lock()
            && let Some(batch) = event.batch.take()
        {
            sketches.count(&event.route, &batch, event.at);
            if event.part.is_none() {
                return;
            }
        }
        if self.queue.push(event, rows) {
            self.metrics.observer_waits.inc();
        }
    }

    /// Counts what is still waiting, gives the last totals away and ends. Blocks.
    pub(super) fn finish(&self) {
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the counting thread panicked");
        }
    }
}

struct Counter {
    queue: Arc<Queue<Event>>,
    metrics: Metrics,
    sketches: Arc<Mutex<Sketches>>,
    trials: Trials,
    totals: mpsc::Sender<Totals>,
}

impl Counter {
    fn run(mut self) {
        let mut events = Vec::new();
        let mut last = Instant::now();
        let mut is_urgent = false;
        loop {
            let every = if is_urgent { EVERY_URGENT } else { EVERY };
            let may_come = self.queue.take(&mut events, every.saturating_sub(last.elapsed()));
            for event in events.drain(..) {
                is_urgent |= self.count(&event);
            }
            self.metrics.observer_rows.set(self.queue.rows() as i64);
            if !may_come {
                break;
            }
            if last.elapsed() >= every {
                last = Instant::now();
                is_urgent = false;
                self.give_totals();
            }
            std::thread::sleep(GATHER);
        }
        let totals = self.totals_that_changed();
        if !totals.is_empty() && self.totals.blocking_send(totals).is_err() {
            tracing::error!("the last sketches and counts could not be handed over");
        }
    }

    /// Counts an event; says whether it was bad news about a canary.
    fn count(&mut self, event: &Event) -> bool {
        if let Some(batch) = &event.batch {
            self.sketches().count(&event.route, batch, event.at);
        }
        event.part.as_ref().is_some_and(|part| self.trials.count(part, event.now))
    }

    /// Gives the totals away unless the last ones are still being written: then the next hold these too.
    fn give_totals(&mut self) {
        let Ok(place) = self.totals.clone().try_reserve_owned() else { return };
        let totals = self.totals_that_changed();
        if !totals.is_empty() {
            place.send(totals);
        }
    }

    fn totals_that_changed(&mut self) -> Totals {
        let windows = self.sketches().changed();
        Totals { windows, trials: self.trials.changed() }
    }

    fn sketches(&self) -> MutexGuard<'_, Sketches> {
        self.sketches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
