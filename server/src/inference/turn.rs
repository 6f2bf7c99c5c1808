//! Turns of requests that compute for long: they leave the threads that serve others, and only so many may wait.
//!
//! A request that cannot be answered in time is told so at once: a full line is a 503 with Retry-After, a wait beyond
//! the deadline a 504. Nobody computes an answer that nobody waits for any more. Those that wait for the same version
//! are computed together: whoever gets a core computes for all of them ([`super::batch`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chasqui_registry::service::Batching;
use chasqui_runtime::Tensor;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout_at;

use super::batch::{Computed, Gathering};
use super::snapshot::LoadedVersion;
use crate::problem::Problem;

/// Hands out turns.
#[derive(Debug)]
pub(super) struct Turns {
    shared: Arc<Shared>,
    longest_line: usize,
}

#[derive(Debug)]
struct Shared {
    cores: Semaphore,
    patience: Duration,
    runtime: Handle,
}

/// The right to wait for a core, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    shared: Arc<Shared>,
    until: Instant,
    _place: Place,
}

/// Requests of one version that wait for a core or have one.
#[derive(Debug, Default)]
pub(super) struct Line {
    places: AtomicUsize,
    gathering: Gathering,
}

/// A place in a version's line; whoever goes away gives it back.
#[derive(Debug)]
struct Place(Arc<LoadedVersion>);

/// What comes first to a request that waits.
enum First<'a> {
    /// Somebody else computed it.
    Done(Computed),
    /// It may compute.
    Core(SemaphorePermit<'a>),
    /// Its deadline.
    Late,
    /// The end of the program.
    End,
}

impl Place {
    fn take(version: &Arc<LoadedVersion>, longest_line: usize) -> Option<Self> {
        let joined = version.line.places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting < longest_line).then_some(waiting + 1)
        });
        joined.is_ok().then(|| Self(Arc::clone(version)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.line.places.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    /// `cores` requests compute at a time; `longest_line` bounds each version's line, `patience` the wait in it. Must
    /// run inside a Tokio runtime that outlives every turn.
    pub(super) fn new(cores: usize, longest_line: usize, patience: Duration) -> Self {
        let shared = Shared { cores: Semaphore::new(cores), patience, runtime: Handle::current() };
        Self { shared: Arc::new(shared), longest_line }
    }

    /// Takes a place in the line of `version`.
    pub(super) fn join(&self, version: &Arc<LoadedVersion>) -> Result<Turn, Problem> {
        let Some(place) = Place::take(version, self.longest_line) else {
            let (number, model) = (version.number, &version.model_name);
            let waiting = self.longest_line;
            return Err(Problem::unavailable(
                format!("{waiting} requests wait for version {number} of `{model}` already"),
                1,
            ));
        };
        let until = Instant::now() + self.shared.patience;
        Ok(Turn { shared: Arc::clone(&self.shared), until, _place: place })
    }
}

impl Turn {
    /// Does `work` on a thread of its own.
    pub(super) async fn spend<T: Send + 'static>(
        self,
        work: impl FnOnce(Option<&Turn>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let shared = Arc::clone(&self.shared);
        let done = shared.runtime.spawn_blocking(move || work(Some(&self)));
        done.await.unwrap_or_else(|_| Err(ending()))
    }

    /// Asks `version` once there is a core, together with whoever else waits for it by then as far as `batching`
    /// allows. Waits until `until` at most, and never beyond the turn's own deadline.
    pub(super) fn predict(
        &self,
        version: &LoadedVersion,
        batching: &Batching,
        until: Option<Instant>,
        inputs: Vec<Tensor>,
    ) -> Result<Computed, Problem> {
        let until = until.map_or(self.until, |until| until.min(self.until)).into();
        let asked = Instant::now();
        let Shared { cores, runtime, .. } = &*self.shared;
        if !version.can_join(&inputs, batching) {
            let core = runtime.block_on(timeout_at(until, cores.acquire()));
            let _core = core.map_err(|_| Problem::late(asked.elapsed()))?.map_err(|_| ending())?;
            return Ok(Computed::alone(version, inputs, asked));
        }
        let gathering = &version.line.gathering;
        let (ticket, mut done) = gathering.join(inputs, asked, batching);
        let first = runtime.block_on(async {
            let core = async {
                gathering.complete(asked, batching).await;
                cores.acquire().await
            };
            tokio::select! {
                biased;
                done = &mut done => done.map_or(First::End, First::Done),
                core = timeout_at(until, core) => match core {
                    Ok(Ok(core)) => First::Core(core),
                    Ok(Err(_)) => First::End,
                    Err(_) => First::Late,
                },
            }
        });
        match first {
            First::Done(computed) => Ok(computed),
            First::Core(core) => {
                // The oldest come first: it may take several batches until its own turn comes.
                while gathering.waits(ticket) {
                    gathering.compute(version, batching);
                }
                drop(core);
                done.blocking_recv().map_err(|_| ending())
            }
            First::Late if gathering.leave(ticket) => Err(Problem::late(asked.elapsed())),
            First::Late => done.blocking_recv().map_err(|_| ending()),
            First::End => Err(ending()),
        }
    }
}

fn ending() -> Problem {
    Problem::unavailable("the server is ending", 1)
}
