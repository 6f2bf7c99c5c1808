//! How far the reading of two files has come, told while it lasts.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use chasqui_report::{Format, Language};

use crate::cli::output;

/// Reading that takes less than this needs no progress on a terminal.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two lines on a terminal, and elsewhere.
const OFTEN: Duration = Duration::from_millis(250);
const SELDOM: Duration = Duration::from_secs(2);

/// How far one file has been read; set by its reader.
#[derive(Default)]
pub(super) struct Reading {
    /// In millionths.
    share: AtomicU64,
    rows: AtomicU64,
}

impl Reading {
    pub(super) fn set(&self, share: f64, rows: u64) {
        self.share.store((share * 1e6) as u64, Ordering::Relaxed);
        self.rows.store(rows, Ordering::Relaxed);
    }

    fn share(&self) -> f64 {
        self.share.load(Ordering::Relaxed) as f64 / 1e6
    }

    fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
}

/// Two files being read.
pub(super) struct Progress {
    pub(super) reference: Reading,
    pub(super) current: Reading,
    sizes: [u64; 2],
    is_forced: bool,
}

impl Progress {
    /// `sizes` are bytes; with `is_forced` progress is told wherever errors go, else only to a terminal.
    pub(super) fn new(sizes: [u64; 2], is_forced: bool) -> Self {
        Self { reference: Reading::default(), current: Reading::default(), sizes, is_forced }
    }

    /// Does `work` while progress is told.
    pub(super) fn during<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let is_terminal = std::io::stderr().is_terminal();
        if !(self.is_forced || is_terminal) {
            return work();
        }
        std::thread::scope(|scope| {
            let (done, waiting) = mpsc::channel::<()>();
            scope.spawn(move || self.tell(&waiting, is_terminal));
            let result = work();
            drop(done);
            result
        })
    }

    fn tell(&self, waiting: &mpsc::Receiver<()>, is_terminal: bool) {
        let begun = Instant::now();
        let mut told = false;
        let pause = if is_terminal { OFTEN } else { SELDOM };
        loop {
            let ended = !matches!(waiting.recv_timeout(pause), Err(RecvTimeoutError::Timeout));
            let is_due = self.is_forced || begun.elapsed() >= PATIENCE;
            if is_due && (!ended || told || self.is_forced) {
                output::progress(
                    if ended { 1.0 } else { self.share().min(0.99) },
                    &self.line(begun.elapsed()),
                );
                told = true;
            }
            if ended {
                return;
            }
        }
    }

    /// The share of both files together that was read.
    fn share(&self) -> f64 {
        let [before, after] = self.sizes.map(|size| size.max(1) as f64);
        (self.reference.share() * before + self.current.share() * after) / (before + after)
    }

    fn line(&self, elapsed: Duration) -> String {
        let format = Format::new(Language::En);
        let (before, after) = (self.reference.rows(), self.current.rows());
        let rate = (before + after) as f64 / elapsed.as_secs_f64().max(1e-3);
        format!(
            "reading: {} rows of the reference, {} of the current data, {} rows/s",
            format.count(before),
            format.count(after),
            format.count(rate as u64)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_weighs_files_by_their_size() {
        let progress = Progress::new([300, 100], false);
        progress.reference.set(1.0, 12_000);
        progress.current.set(0.0, 500);
        assert!((progress.share() - 0.75).abs() < 1e-9);
        let line = progress.line(Duration::from_secs(2));
        assert_eq!(line, "reading: 12,000 rows of the reference, 500 of the current data, 6,250 rows/s");
        assert_eq!(progress.during(|| 7), 7);
    }
}
