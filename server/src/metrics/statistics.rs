//! What one version of one service has done since the start, in the stages that the Open Inference Protocol's
//! statistics tell. A request touches atomics only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chasqui_registry::Micros;

/// Batch sizes that are told apart, first come, first served.
const BATCH_SIZES: usize = 16;

/// Occurrences and the time they took.
#[derive(Debug, Default)]
struct Sum {
    count: AtomicU64,
    nanoseconds: AtomicU64,
}

/// A [`Sum`] at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// How often.
    pub count: u64,
    /// How long in all.
    pub nanoseconds: u64,
}

impl Sum {
    fn add(&self, time: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    fn read(&self) -> Spent {
        Spent {
            count: self.count.load(Ordering::Relaxed),
            nanoseconds: self.nanoseconds.load(Ordering::Relaxed),
        }
    }
}

/// Executions of one batch size; 0 rows is a free place.
#[derive(Debug, Default)]
struct Batch {
    rows: AtomicU64,
    input: Sum,
    infer: Sum,
    output: Sum,
}

/// Where the time of one answered request went.
#[derive(Debug, Clone, Copy)]
pub struct Stages {
    /// Waiting for a thread.
    pub queue: Duration,
    /// Reading and checking.
    pub input: Duration,
    /// The model.
    pub infer: Duration,
    /// The log and writing the answer.
    pub output: Duration,
    /// Rows of the request.
    pub rows: usize,
    /// Rows of the batch that it was computed in; told of one of its requests only.
    pub batch: Option<usize>,
    /// When it came.
    pub now: Micros,
}

/// Counters of one version of one service.
#[derive(Debug, Default)]
pub struct Statistics {
    last_millis: AtomicU64,
    rows: AtomicU64,
    success: Sum,
    fail: Sum,
    queue: Sum,
    input: Sum,
    infer: Sum,
    output: Sum,
    executions: AtomicU64,
    batches: [Batch; BATCH_SIZES],
}

/// Executions of one batch size at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchTotals {
    /// Rows of the batch.
    pub rows: u64,
    /// See [`Stages::input`].
    pub input: Spent,
    /// See [`Stages::infer`].
    pub infer: Spent,
    /// See [`Stages::output`].
    pub output: Spent,
}

/// [`Statistics`] at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// When the last request came, milliseconds since 1970; 0 when none has.
    pub last_millis: u64,
    /// Rows answered.
    pub rows: u64,
    /// Requests answered.
    pub success: Spent,
    /// Requests that failed, or were ready too late.
    pub fail: Spent,
    /// See [`Stages::queue`].
    pub queue: Spent,
    /// See [`Stages::input`].
    pub input: Spent,
    /// See [`Stages::infer`].
    pub infer: Spent,
    /// See [`Stages::output`].
    pub output: Spent,
    /// How often the model ran: seldom more than once a request, and once for requests that waited together.
    pub executions: u64,
    /// The first batch sizes that occurred, by size.
    pub batches: Vec<BatchTotals>,
}

impl Statistics {
    /// Counts a request that was answered.
    pub fn succeeded(&self, stages: &Stages) {
        let Stages { queue, input, infer, output, rows, batch, now } = *stages;
        self.last_millis.fetch_max(u64::try_from(now.0 / 1000).unwrap_or(0), Ordering::Relaxed);
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.success.add(queue + input + infer + output);
        self.queue.add(queue);
        self.input.add(input);
        self.infer.add(infer);
        self.output.add(output);
        let Some(rows) = batch else { return };
        self.executions.fetch_add(1, Ordering::Relaxed);
        if let Some(batch) = self.batch(rows as u64) {
            batch.input.add(input);
            batch.infer.add(infer);
            batch.output.add(output);
        }
    }

    /// Counts a request that the version failed.
    pub fn failed(&self, time: Duration) {
        self.fail.add(time);
    }

    /// The place of a batch size; `None` when all are taken by others.
    fn batch(&self, rows: u64) -> Option<&Batch> {
        self.batches.iter().find(|batch| {
            let free = batch.rows.compare_exchange(0, rows, Ordering::Relaxed, Ordering::Relaxed);
            free.is_ok() || free == Err(rows)
        })
    }

    /// The counts of this moment.
    pub fn read(&self) -> Totals {
        let taken = self.batches.iter().map(|batch| BatchTotals {
            rows: batch.rows.load(Ordering::Relaxed),
            input: batch.input.read(),
            infer: batch.infer.read(),
            output: batch.output.read(),
        });
        let mut batches: Vec<BatchTotals> = taken.filter(|batch| batch.rows > 0).collect();
        batches.sort_unstable_by_key(|batch| batch.rows);
        Totals {
            last_millis: self.last_millis.load(Ordering::Relaxed),
            rows: self.rows.load(Ordering::Relaxed),
            success: self.success.read(),
            fail: self.fail.read(),
            queue: self.queue.read(),
            input: self.input.read(),
            infer: self.infer.read(),
            output: self.output.read(),
            executions: self.executions.load(Ordering::Relaxed),
            batches,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(rows: usize, micros: u64) -> Stages {
        let time = Duration::from_micros(micros);
        Stages {
            queue: time,
            input: time,
            infer: time,
            output: time,
            rows,
            batch: Some(rows),
            now: Micros(5_000),
        }
    }

    #[test]
    fn stages_and_batches_add_up() {
        let statistics = Statistics::default();
        statistics.succeeded(&stages(1, 1));
        statistics.succeeded(&stages(64, 2));
        statistics.succeeded(&stages(1, 1));
        // Its rows were computed with those of another request.
        statistics.succeeded(&Stages { batch: None, ..stages(2, 0) });
        statistics.failed(Duration::from_micros(9));
        let totals = statistics.read();
        assert_eq!((totals.rows, totals.last_millis, totals.executions), (68, 5, 3));
        assert_eq!(totals.success, Spent { count: 4, nanoseconds: 16_000 });
        assert_eq!(totals.fail, Spent { count: 1, nanoseconds: 9_000 });
        let sizes: Vec<(u64, u64)> =
            totals.batches.iter().map(|batch| (batch.rows, batch.infer.count)).collect();
        assert_eq!(sizes, [(1, 2), (64, 1)]);
    }

    #[test]
    fn sizes_beyond_the_table_are_not_told_apart() {
        let statistics = Statistics::default();
        for rows in 1..=40 {
            statistics.succeeded(&stages(rows, 1));
        }
        let totals = statistics.read();
        assert_eq!(totals.batches.len(), BATCH_SIZES);
        assert_eq!(totals.success.count, 40);
    }
}
