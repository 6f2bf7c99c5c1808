//! Where a table's bytes come from: a file that is opened as often as needed, never held whole.
//!
//! What cannot be read twice (a pipe) is held in memory after all.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::{Error, Result};

/// Bytes read for one row at most: a quote that is left open would swallow the rest of the file.
const MAX_ROW_BYTES: u64 = 64 << 20;

enum Source {
    File(PathBuf),
    Memory(Bytes),
}

/// Bytes that can be read from the beginning as often as needed.
pub(super) struct Input {
    source: Source,
    length: u64,
    meter: Arc<Meter>,
}

/// How far the latest reader has come.
#[derive(Default)]
struct Meter {
    read: AtomicU64,
    row_began: AtomicU64,
}

impl Input {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(Error::Invalid("it is a folder, not a file".to_owned()));
        }
        if metadata.is_file() {
            // That it may be opened is seen here, before any work.
            File::open(path).map_err(unreadable)?;
            let source = Source::File(path.to_owned());
            return Ok(Self { source, length: metadata.len(), meter: Arc::default() });
        }
        let bytes = Bytes::from(std::fs::read(path).map_err(unreadable)?);
        Ok(Self { length: bytes.len() as u64, source: Source::Memory(bytes), meter: Arc::default() })
    }

    /// Its size in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes that the latest reader has taken.
    pub(super) fn read_so_far(&self) -> u64 {
        self.meter.read.load(Ordering::Relaxed)
    }

    /// A reader from the beginning; what is read is counted.
    pub(super) fn reader(&self) -> Result<Box<dyn Read + Send>> {
        self.meter.read.store(0, Ordering::Relaxed);
        self.meter.row_began.store(0, Ordering::Relaxed);
        let meter = Arc::clone(&self.meter);
        Ok(match &self.source {
            Source::File(path) => Box::new(Metered { source: File::open(path).map_err(unreadable)?, meter }),
            Source::Memory(bytes) => Box::new(Metered { source: Cursor::new(bytes.clone()), meter }),
        })
    }

    /// A row has been read whole: the next one may be as long again.
    pub(super) fn begin_row(&self) {
        self.meter.row_began.store(self.read_so_far(), Ordering::Relaxed);
    }

    /// At most so many of the first bytes.
    pub(super) fn beginning(&self, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader()?.take(count).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }

    /// At most so many of the last bytes.
    pub(super) fn end(&self, count: u64) -> Result<Vec<u8>> {
        let start = self.length.saturating_sub(count);
        let mut bytes = Vec::new();
        match &self.source {
            Source::File(path) => {
                let mut file = File::open(path).map_err(unreadable)?;
                file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
                file.read_to_end(&mut bytes).map_err(unreadable)?;
            }
            Source::Memory(held) => bytes.extend_from_slice(&held[start as usize..]),
        }
        Ok(bytes)
    }

    /// The whole of it in memory, when it is there already.
    pub(super) fn held(&self) -> Option<Bytes> {
        match &self.source {
            Source::File(_) => None,
            Source::Memory(bytes) => Some(bytes.clone()),
        }
    }

    /// The open file, when it is one.
    pub(super) fn file(&self) -> Result<Option<File>> {
        match &self.source {
            Source::File(path) => File::open(path).map(Some).map_err(unreadable),
            Source::Memory(_) => Ok(None),
        }
    }
}

struct Metered<R> {
    source: R,
    meter: Arc<Meter>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.source.read(buffer)?;
        let read = self.meter.read.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
        if read - self.meter.row_began.load(Ordering::Relaxed) > MAX_ROW_BYTES {
            return Err(std::io::Error::other(format!(
                "a row of more than {MAX_ROW_BYTES} bytes; is a quote left open?"
            )));
        }
        Ok(count)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` takes")]
fn unreadable(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => Error::NotFound("there is no such file".to_owned()),
        _ => Error::Invalid(format!("it cannot be read: {error}")),
    }
}
