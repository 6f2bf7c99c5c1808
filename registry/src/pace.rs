//! Long work beside requests: in short stretches, so that whoever answers one never waits for a whole slice of the
//! scheduler.

use std::thread;
use std::time::{Duration, Instant};

/// How long to work without a pause.
const STRETCH: Duration = Duration::from_micros(200);
/// How long to pause at least.
const PAUSE: Duration = Duration::from_micros(50);

/// The pace of one piece of work, on a thread that may sleep.
#[derive(Debug)]
pub(crate) struct Pace {
    since: Instant,
}

impl Pace {
    /// The work begins.
    pub(crate) fn new() -> Self {
        Self { since: Instant::now() }
    }

    /// Call it wherever the work could pause: every few microseconds, if it can be.
    pub(crate) fn step(&mut self) {
        if self.since.elapsed() >= STRETCH {
            thread::sleep(PAUSE);
            self.since = Instant::now();
        }
    }
}
