//! Every answered prediction, from the moment before its answer leaves until it is Parquet in object storage.
//!
//! [`Log::append`] writes one record into a local segment file with a single `write(2)`: a killed process loses
//! nothing that was written. [`Log::seal`] turns full or old segments into one Parquet file per service version,
//! stores it, inserts its row and deletes the local file; each step may be repeated after a crash without
//! doubling anything. [`read_predictions`], [`labelled`] and [`find_prediction`] see both halves as one.
//!
//! A record survives the end of its process, not a power cut within the operating system's write-back time.

mod columns;
mod find;
mod labelled;
mod local;
mod pseudonym;
mod read;
mod record;
mod seal;
mod segment;
mod shape;

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use uuid::Uuid;

pub use columns::{LABELLED_PREFIX, LoggedValue, label_text};
pub use find::{StoredPrediction, find_prediction};
pub use labelled::labelled;
pub use pseudonym::Pseudonymiser;
pub use read::{PredictionRange, PredictionStream, count_predictions, holds_any, read_predictions};
pub use record::{Arm, MAX_PAYLOAD, Record, RolloutMark};
pub use seal::Sealed;
pub use shape::{FeatureColumn, Personal, Shape};

pub(crate) use read::{PredictionKey, prediction_keys};

use crate::{Clock, Error, Micros, Result};
use segment::Segment;

/// How the local log works.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A segment of this size is sealed.
    pub segment_bytes: u64,
    /// A segment of this age is sealed.
    pub segment_seconds: i64,
    /// The time, for ages and names.
    pub clock: Arc<dyn Clock>,
    /// Makes the pseudonyms of personal values; the same on every replica.
    pub pseudonymiser: Pseudonymiser,
}

impl LogConfig {
    /// 16 MiB or 60 seconds: sealing holds a segment in memory a few times over.
    pub fn new(clock: Arc<dyn Clock>, pseudonymiser: Pseudonymiser) -> Self {
        Self { segment_bytes: 16 << 20, segment_seconds: 60, clock, pseudonymiser }
    }
}

/// What is not yet in object storage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// Local files.
    pub segments: u64,
    /// Their size.
    pub bytes: u64,
    /// The predictions in them.
    pub records: u64,
    /// The earliest of those.
    pub oldest_at: Option<Micros>,
}

/// The local log of one process. Any number of threads append; processes may share the folder.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    config: LogConfig,
    boot: Uuid,
    sequence: AtomicU64,
    /// Where records go now; none before the first. The lock is held to copy or swap the pointer only.
    current: RwLock<Option<Arc<Segment>>>,
    /// Files that nothing is added to any more. Writers that still hold one count as references to it.
    closed: Mutex<Vec<Arc<Segment>>>,
    /// Held by whoever opens a file, so that one file follows another.
    opening: Mutex<()>,
    sealing: tokio::sync::Mutex<()>,
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Log {
    /// Opens the log in a folder, which is created when missing, and takes over the segments of processes that
    /// are gone; the next [`Log::seal`] stores them. Reads and writes files: call it where blocking is allowed.
    pub fn open(folder: impl Into<PathBuf>, config: LogConfig) -> Result<Self> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder).map_err(|error| unavailable("create the folder of", &error))?;
        let log = Self {
            folder,
            boot: config.clock.now().new_id(),
            config,
            sequence: AtomicU64::new(0),
            current: RwLock::new(None),
            closed: Mutex::new(Vec::new()),
            opening: Mutex::new(()),
            sealing: tokio::sync::Mutex::new(()),
        };
        log.adopt_orphans()?;
        Ok(log)
    }

    /// Writes the predictions of one request. When it returns `Ok`, they survive the end of this process.
    ///
    /// # Errors
    /// `Unavailable` when the disk is full or fails: the predictions are not logged, and must not be answered.
    /// `TooLarge` when one has more than [`MAX_PAYLOAD`] bytes, `Invalid` when it does not fit the shape.
    pub fn append(&self, shape: &Shape, records: &[Record<'_>]) -> Result<()> {
        let Some(first_at) = records.iter().map(|record| record.at).min() else { return Ok(()) };
        let segment = self.current().map_err(|error| unavailable("open a segment of", &error))?;
        BUFFER.with_borrow_mut(|buffer| -> Result<()> {
            buffer.clear();
            self.encode(buffer, &segment, shape, records)?;
            segment
                .append(buffer, records.len() as u64, first_at)
                .map_err(|error| unavailable("append to", &error))?;
            // One outsized request must not keep its memory for the life of the thread.
            buffer.shrink_to(1 << 20);
            Ok(())
        })?;
        segment.remember_shape(shape.digest());
        if segment.bytes() >= self.config.segment_bytes
            && let Err(error) = self.rotate(&segment)
        {
            tracing::warn!(error = %error, "the prediction log could not begin its next segment yet");
        }
        Ok(())
    }

    fn encode(
        &self,
        buffer: &mut Vec<u8>,
        segment: &Segment,
        shape: &Shape,
        records: &[Record<'_>],
    ) -> Result<()> {
        let too_large = || Error::TooLarge(format!("a logged prediction has more than {MAX_PAYLOAD} bytes"));
        if !segment.has_shape(shape.digest()) && !record::encode_shape(buffer, segment.mark(), shape) {
            return Err(too_large());
        }
        for record in records {
            if record.inputs.len() != shape.features().len() {
                return Err(Error::Invalid(format!(
                    "a prediction has {} inputs where its model takes {}",
                    record.inputs.len(),
                    shape.features().len()
                )));
            }
            if !record::encode(buffer, segment.mark(), shape, record, &self.config.pseudonymiser) {
                return Err(too_large());
            }
        }
        Ok(())
    }

    /// What is not yet in object storage, as far as this process is responsible for it.
    pub fn lag(&self) -> Lag {
        let mut lag = Lag::default();
        for segment in self.open_segment().iter().chain(&self.closed_segments()) {
            if segment.records() == 0 {
                continue;
            }
            lag.segments += 1;
            lag.bytes += segment.bytes();
            lag.records += segment.records();
            lag.oldest_at = [lag.oldest_at, segment.first_at()].into_iter().flatten().min();
        }
        lag
    }

    /// The key under which personal values are pseudonymised.
    pub fn pseudonymiser(&self) -> &Pseudonymiser {
        &self.config.pseudonymiser
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    fn open_segment(&self) -> Option<Arc<Segment>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn closed_segments(&self) -> Vec<Arc<Segment>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The segment to write to; begins one when there is none, or when the last took damage.
    fn current(&self) -> io::Result<Arc<Segment>> {
        if let Some(segment) = self.open_segment().filter(|segment| !segment.is_damaged()) {
            return Ok(segment);
        }
        let turn = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have begun one while this one waited for its turn.
        if let Some(segment) = self.open_segment().filter(|segment| !segment.is_damaged()) {
            return Ok(segment);
        }
        let segment = self.begin_next()?;
        drop(turn);
        Ok(segment)
    }

    /// Begins the next segment unless another thread has already; writers go on in the old one meanwhile.
    fn rotate(&self, from: &Arc<Segment>) -> io::Result<()> {
        let Ok(_turn) = self.opening.try_lock() else { return Ok(()) };
        if self.open_segment().is_some_and(|current| Arc::ptr_eq(&current, from)) {
            self.begin_next()?;
        }
        Ok(())
    }

    fn begin_next(&self) -> io::Result<Arc<Segment>> {
        let next = Arc::new(self.create_segment()?);
        self.replace_current(Some(Arc::clone(&next)));
        Ok(next)
    }

    fn create_segment(&self) -> io::Result<Segment> {
        let create = || {
            let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
            Segment::create(&self.folder, self.boot, sequence, self.config.clock.now())
        };
        match create() {
            // Another process that was clearing up took the file for an abandoned one before it was locked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(),
            other => other,
        }
    }

    fn replace_current(&self, next: Option<Arc<Segment>>) {
        // Closed before it is replaced: a segment is always in one of the two places.
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = std::mem::replace(&mut *current, next) {
            closed.push(old);
        }
    }

    /// Closes the current segment when it is old, or in any case when `now`; an empty one stays.
    fn close_current(&self, in_any_case: bool) {
        let _turn = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(segment) = self.open_segment().filter(|segment| segment.records() > 0) else { return };
        let age = self.config.clock.now().0 - segment.opened_at().0;
        if in_any_case || segment.is_damaged() || age >= self.config.segment_seconds * Micros::PER_SECOND {
            self.replace_current(None);
        }
    }

    /// Takes over the files of processes that are gone.
    fn adopt_orphans(&self) -> Result<()> {
        let failed = |error: io::Error| unavailable("list the folder of", &error);
        let mut own: HashSet<PathBuf> = self.closed_segments().iter().map(|s| s.path().to_owned()).collect();
        own.extend(self.open_segment().map(|segment| segment.path().to_owned()));
        for path in local::files(&self.folder, segment::UNFINISHED).map_err(failed)? {
            segment::remove_abandoned(&path);
        }
        for path in local::files(&self.folder, segment::EXTENSION).map_err(failed)? {
            if own.contains(&path) {
                continue;
            }
            match Segment::adopt(&path, self.config.clock.now()) {
                Ok(Some(segment)) => {
                    self.closed.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(segment));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(path = %path.display(), error = %error, "a leftover log segment is not readable");
                }
            }
        }
        Ok(())
    }
}

fn unavailable(what: &str, error: &io::Error) -> Error {
    tracing::error!(error = %error, "cannot {what} the prediction log");
    Error::Unavailable("the prediction log cannot be written; the disk may be full".to_owned())
}

#[cfg(test)]
mod tests {
    use chasqui_runtime::Value;

    use super::*;
    use crate::clock::ManualClock;
    use crate::name::{ModelName, ServiceName};

    fn record(at: Micros) -> Record<'static> {
        Record {
            id: at.new_id(),
            at,
            latency_us: 1,
            rollout: None,
            key: None,
            request_id: None,
            inputs: Vec::new(),
            label: Value::Missing,
            score: None,
            value: None,
            error: false,
        }
    }

    #[test]
    fn a_full_disk_is_an_error_and_the_next_record_goes_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let now = Micros(1_700_000_000_000_000);
        let config = LogConfig::new(Arc::new(ManualClock::new(now)), Pseudonymiser::new(b"key"));
        let log = Log::open(folder.path(), config).unwrap();
        let full = Arc::new(Segment::on_full_disk(folder.path()));
        log.replace_current(Some(Arc::clone(&full)));
        let (service, model) = (ServiceName::try_from("s").unwrap(), ModelName::try_from("m").unwrap());
        let shape = Shape::new(service, model, 1, Vec::new(), false);
        assert!(matches!(log.append(&shape, &[record(now)]), Err(Error::Unavailable(_))));
        assert_eq!((full.records(), full.has_shape(shape.digest())), (0, false));
        log.append(&shape, &[record(now)]).unwrap();
        assert_eq!(log.lag().records, 1);
    }
}
