//! Turns of requests that compute for long: they leave the threads that serve others, and only so many may wait.
//!
//! A request that cannot be answered in time is told so at once: a full line is a 503 with Retry-After, a wait beyond
//! the deadline a 504. Nobody computes an answer that nobody waits for any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::snapshot::LoadedVersion;
use crate::problem::Problem;

/// Hands out turns.
#[derive(Debug)]
pub(super) struct Turns {
    cores: Arc<Semaphore>,
    longest_line: usize,
    patience: Duration,
}

/// The right to compute, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _core: OwnedSemaphorePermit,
    _place: Place,
}

/// Requests of one version that wait for a turn or have one.
#[derive(Debug, Default)]
pub(super) struct Line(AtomicUsize);

/// A place in a version's line; whoever goes away, a client that hangs up for instance, gives it back.
#[derive(Debug)]
struct Place(Arc<LoadedVersion>);

impl Place {
    fn take(version: &Arc<LoadedVersion>, longest_line: usize) -> Option<Self> {
        let joined = version.line.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting < longest_line).then_some(waiting + 1)
        });
        joined.is_ok().then(|| Self(Arc::clone(version)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.line.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    /// `cores` requests compute at a time; `longest_line` bounds each version's line, `patience` the wait in it.
    pub(super) fn new(cores: usize, longest_line: usize, patience: Duration) -> Self {
        Self { cores: Arc::new(Semaphore::new(cores)), longest_line, patience }
    }

    /// Waits for a turn to ask `version`.
    pub(super) async fn wait(&self, version: &Arc<LoadedVersion>) -> Result<Turn, Problem> {
        let Some(place) = Place::take(version, self.longest_line) else {
            let (number, model) = (version.number, &version.model_name);
            let waiting = self.longest_line;
            return Err(Problem::unavailable(
                format!("{waiting} requests wait for version {number} of `{model}` already"),
                1,
            ));
        };
        let acquired = tokio::time::timeout(self.patience, Arc::clone(&self.cores).acquire_owned()).await;
        let core = acquired.map_err(|_| Problem::late(self.patience))?;
        let core = core.map_err(|_| Problem::unavailable("the server is ending", 1))?;
        Ok(Turn { _core: core, _place: place })
    }
}
