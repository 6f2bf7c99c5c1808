//! Rows of several requests that wait for the same version, computed at once.
//!
//! Nobody waits for others to come unless the service says so (`batching.max_delay_ms`): what has gathered while the
//! cores were busy is one batch. Only models whose rows do not depend on each other are asked this way
//! ([`chasqui_runtime::Model::has_independent_rows`]).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chasqui_registry::service::Batching;
use chasqui_runtime::{ModelError, Tensor};
use tokio::sync::{Notify, oneshot};

use super::snapshot::LoadedVersion;

/// When a model computed the rows of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// How long the request had waited for it by then.
    pub waited: Duration,
    /// When it began.
    pub began: Instant,
    /// How long it took, with the rows of the other requests.
    pub took: Duration,
    /// Rows of all requests; told to one of them only.
    pub batch: Option<usize>,
}

/// A request that a version was asked about.
#[derive(Debug)]
pub(super) struct Computed {
    /// What was asked.
    pub inputs: Vec<Tensor>,
    /// What came of it.
    pub result: Result<(Vec<Tensor>, Span), ModelError>,
}

/// Requests of one version that can be computed together.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    waiting: Mutex<Waiting>,
    is_full: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    jobs: VecDeque<Job>,
}

#[derive(Debug)]
struct Job {
    ticket: u64,
    inputs: Vec<Tensor>,
    asked: Instant,
    done: oneshot::Sender<Computed>,
}

impl Computed {
    /// Asks a version about one request.
    pub(super) fn alone(version: &LoadedVersion, inputs: Vec<Tensor>, asked: Instant) -> Self {
        let began = Instant::now();
        let rows = inputs.first().map_or(1, Tensor::rows);
        let result = version.model.predict(&inputs).map(|outputs| {
            let took = began.elapsed();
            version.note_cost(took.as_nanos() as u64, rows);
            let waited = began.saturating_duration_since(asked);
            (outputs, Span { waited, began, took, batch: Some(rows) })
        });
        Self { inputs, result }
    }
}

impl LoadedVersion {
    /// Computes a row that nobody asked for, so that the first who asks neither waits for cold memory nor is answered
    /// on the wrong thread. A model that refuses it is asked cold.
    pub(super) fn warm_up(&self) {
        let Some(row) = self.signature.blank_row() else { return };
        if self.model.predict(&row).is_ok() {
            Computed::alone(self, row, Instant::now());
        }
    }

    /// Whether a request may be computed with others.
    pub(super) fn can_join(&self, inputs: &[Tensor], batching: &Batching) -> bool {
        let rows = inputs.first().map_or(0, Tensor::rows);
        let is_whole = || inputs.iter().all(|tensor| tensor.shape.first() == Some(&rows));
        rows < batching.max_rows && self.model.has_independent_rows() && is_whole()
    }
}

impl Gathering {
    /// Adds a request; what comes of it is sent to the receiver.
    pub(super) fn join(
        &self,
        inputs: Vec<Tensor>,
        asked: Instant,
        batching: &Batching,
    ) -> (u64, oneshot::Receiver<Computed>) {
        let (done, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        let ticket = waiting.next;
        waiting.next += 1;
        waiting.jobs.push_back(Job { ticket, inputs, asked, done });
        if waiting.rows() >= batching.max_rows {
            self.is_full.notify_waiters();
        }
        (ticket, receiver)
    }

    /// Waits until a batch is full, or a request has waited for as long as the service allows.
    pub(super) async fn complete(&self, asked: Instant, batching: &Batching) {
        let delay = batching.max_delay();
        if delay.is_zero() {
            return;
        }
        let full = async {
            loop {
                let is_full = self.is_full.notified();
                if self.lock().rows() >= batching.max_rows {
                    return;
                }
                is_full.await;
            }
        };
        // Either end will do.
        let _ = tokio::time::timeout_at((asked + delay).into(), full).await;
    }

    /// Whether nobody has taken the request up yet.
    pub(super) fn waits(&self, ticket: u64) -> bool {
        self.lock().jobs.iter().any(|job| job.ticket == ticket)
    }

    /// Takes a request back; `false` when it is being computed.
    pub(super) fn leave(&self, ticket: u64) -> bool {
        let mut waiting = self.lock();
        let place = waiting.jobs.iter().position(|job| job.ticket == ticket);
        place.and_then(|place| waiting.jobs.remove(place)).is_some()
    }

    /// Computes the oldest request and what fits beside it.
    pub(super) fn compute(&self, version: &LoadedVersion, batching: &Batching) {
        let jobs = self.lock().take(batching.max_rows);
        let Err(jobs) = together(version, jobs) else { return };
        for Job { inputs, asked, done, .. } in jobs {
            // Whoever has gone away misses nothing.
            let _ = done.send(Computed::alone(version, inputs, asked));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn rows(&self) -> usize {
        self.jobs.iter().map(Job::rows).sum()
    }

    /// Takes the oldest and, in their order, those of its form that fit beside it.
    fn take(&mut self, most_rows: usize) -> Vec<Job> {
        let Some(oldest) = self.jobs.pop_front() else { return Vec::new() };
        let mut rows = oldest.rows();
        let mut taken = vec![oldest];
        let mut place = 0;
        while rows < most_rows
            && let Some(job) = self.jobs.get(place)
        {
            if rows + job.rows() > most_rows || !job.is_like(&taken[0]) {
                place += 1;
                continue;
            }
            rows += job.rows();
            taken.extend(self.jobs.remove(place));
        }
        taken
    }
}

impl Job {
    fn rows(&self) -> usize {
        self.inputs.first().map_or(1, Tensor::rows)
    }

    /// Whether rows of the two can stand in the same tensors.
    fn is_like(&self, other: &Job) -> bool {
        let form = |tensor: &Tensor| (tensor.datatype(), tensor.shape.len());
        self.inputs.len() == other.inputs.len()
            && self
                .inputs
                .iter()
                .zip(&other.inputs)
                .all(|(a, b)| form(a) == form(b) && a.shape[1..] == b.shape[1..])
    }
}

/// Computes several requests at once; gives them back when that cannot be done. A batch that fails need not be the
/// fault of all that are in it.
fn together(version: &LoadedVersion, jobs: Vec<Job>) -> Result<(), Vec<Job>> {
    let [first, others @ ..] = jobs.as_slice() else { return Err(jobs) };
    if others.is_empty() {
        return Err(jobs);
    }
    let began = Instant::now();
    let mut inputs = first.inputs.clone();
    let mut add = |job: &Job| inputs.iter_mut().zip(&job.inputs).all(|(all, more)| all.append(more).is_ok());
    let joined = others.iter().all(&mut add);
    let rows: usize = jobs.iter().map(Job::rows).sum();
    let outputs = if joined { version.model.predict(&inputs).ok() } else { None };
    let Some(outputs) =
        outputs.filter(|outputs| outputs.iter().all(|output| output.shape.first() == Some(&rows)))
    else {
        return Err(jobs);
    };
    let took = began.elapsed();
    let (mut start, mut batch) = (0, Some(rows));
    for job in jobs {
        let end = start + job.rows();
        let own = outputs.iter().map(|output| output.slice(start..end)).collect();
        let span =
            Span { waited: began.saturating_duration_since(job.asked), began, took, batch: batch.take() };
        // Whoever has gone away misses nothing.
        let _ = job.done.send(Computed { inputs: job.inputs, result: Ok((own, span)) });
        start = end;
    }
    Ok(())
}
