//! One file of the local log: created locked by its process, appended to by one `write` a request, read after.
//!
//! - A file is visible under its final name (`*.seg`) only once its header is written and its lock is held, so
//!   whoever gets the lock of a visible file knows that its process is gone.
//! - Nothing is ever changed in a file; a write that fails leaves damage that the reader steps over.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use uuid::Uuid;

use super::record::{self, Frames, Record};
use super::shape::Shape;
use crate::Micros;
use crate::pace::Pace;

const MAGIC: &[u8; 8] = b"CHQSEG01";
const HEADER: usize = 16;
/// Bytes of a file that are read without a pause.
const PART_BYTES: u64 = 256 << 10;
pub(super) const EXTENSION: &str = "seg";
/// Of a file that has no header or lock yet.
pub(super) const UNFINISHED: &str = "new";

/// A segment file whose lock this process holds.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    mark: u32,
    opened_at: Micros,
    bytes: AtomicU64,
    records: AtomicU64,
    first_at: AtomicI64,
    damaged: AtomicBool,
    /// Digests of the shapes that are in the file for certain.
    shapes: RwLock<Vec<u64>>,
}

impl Segment {
    /// Creates the next file of a process that calls itself `boot`.
    pub(super) fn create(folder: &Path, boot: Uuid, sequence: u64, now: Micros) -> io::Result<Self> {
        let name = format!("{}-{sequence:08}", boot.simple());
        let fresh = folder.join(format!("{name}.{UNFINISHED}"));
        let path = folder.join(format!("{name}.{EXTENSION}"));
        let mut file = OpenOptions::new().append(true).create_new(true).open(&fresh)?;
        file.lock()?;
        let mark = crc32fast::hash(name.as_bytes()) | 1;
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&mark.to_le_bytes());
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        let published = file.write_all(&header).and_then(|()| std::fs::rename(&fresh, &path));
        if let Err(error) = published {
            // On a full disk even the remains of the attempt matter.
            let _ = std::fs::remove_file(&fresh);
            return Err(error);
        }
        Ok(Self::with_file(path, file, mark, now))
    }

    fn with_file(path: PathBuf, file: File, mark: u32, opened_at: Micros) -> Self {
        Self {
            path,
            file,
            mark,
            opened_at,
            bytes: AtomicU64::new(HEADER as u64),
            records: AtomicU64::new(0),
            first_at: AtomicI64::new(i64::MAX),
            damaged: AtomicBool::new(false),
            shapes: RwLock::new(Vec::new()),
        }
    }

    /// Takes over a file that a process left behind; `None` while its process lives, or when it is gone.
    pub(super) fn adopt(path: &Path, now: Micros) -> io::Result<Option<Self>> {
        let file = match OpenOptions::new().read(true).append(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let contents = match Contents::read(path) {
            Ok(contents) => contents,
            // Its owner sealed and deleted it between the opening and the lock.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                // Out of the way, for a person to look at: it would fail again with every seal.
                std::fs::rename(path, path.with_extension("unreadable"))?;
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        let segment = Self::with_file(path.to_owned(), file, contents.mark, now);
        segment.bytes.store(contents.bytes.len() as u64, Ordering::Relaxed);
        let mut records = 0;
        contents.visit(|_, record| {
            records += 1;
            segment.first_at.fetch_min(record.at.0, Ordering::Relaxed);
        });
        segment.records.store(records, Ordering::Relaxed);
        Ok(Some(segment))
    }

    /// Appends whole frames by a single `write`, so that they are in the file before this returns and no other
    /// thread's frames get in between.
    pub(super) fn append(&self, frames: &[u8], records: u64, at: Micros) -> io::Result<()> {
        match write_once(&self.file, frames) {
            Ok(()) => {
                self.bytes.fetch_add(frames.len() as u64, Ordering::Relaxed);
                self.records.fetch_add(records, Ordering::Relaxed);
                self.first_at.fetch_min(at.0, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                self.damaged.store(true, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// A segment whose every write fails as on a full disk.
    #[cfg(test)]
    pub(super) fn on_full_disk(folder: &Path) -> Self {
        let file = OpenOptions::new().append(true).open("/dev/full").expect("Linux has /dev/full");
        Self::with_file(folder.join("full.seg"), file, 1, Micros(0))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn mark(&self) -> u32 {
        self.mark
    }

    pub(super) fn opened_at(&self) -> Micros {
        self.opened_at
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// The time of the earliest record.
    pub(super) fn first_at(&self) -> Option<Micros> {
        Some(self.first_at.load(Ordering::Relaxed)).filter(|&at| at != i64::MAX).map(Micros)
    }

    /// A write failed: nothing more should go in here.
    pub(super) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    pub(super) fn has_shape(&self, digest: u64) -> bool {
        self.shapes.read().is_ok_and(|shapes| shapes.contains(&digest))
    }

    /// Remembers a shape after its frame has been written; until then every writer adds it again.
    pub(super) fn remember_shape(&self, digest: u64) {
        if let Ok(mut shapes) = self.shapes.write()
            && !shapes.contains(&digest)
        {
            shapes.push(digest);
        }
    }
}

/// Removes a file whose process ended before it was finished; there is nothing in it.
pub(super) fn remove_abandoned(path: &Path) {
    let Ok(file) = File::open(path) else { return };
    if file.try_lock().is_ok() {
        // Whoever else clears up may have been faster.
        let _ = std::fs::remove_file(path);
    }
}

/// One `write`: for a regular file it is short only when the disk is full or a limit is reached.
fn write_once(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    loop {
        match file.write(bytes) {
            Ok(written) if written == bytes.len() => return Ok(()),
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::WriteZero,
                    "the disk took only a part of the record",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The bytes of a segment, as far as it is written.
pub(super) struct Contents {
    mark: u32,
    bytes: Vec<u8>,
}

impl Contents {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let (mut bytes, mut pace) = (Vec::with_capacity(length), Pace::new());
        while Read::by_ref(&mut file).take(PART_BYTES).read_to_end(&mut bytes)? > 0 {
            pace.step();
        }
        let mark = header_mark(&bytes)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the segment's header is damaged"))?;
        Ok(Self { mark, bytes })
    }

    /// Calls `each` with every whole record and its shape, in the order of the file; returns the bytes that
    /// belong to none.
    pub(super) fn visit<'a>(&'a self, mut each: impl FnMut(&Shape, Record<'a>)) -> usize {
        let shapes = self.shapes();
        let mut frames = Frames::new(self.mark, &self.bytes[HEADER..]);
        let mut undecodable = 0;
        for payload in frames.by_ref() {
            let Some((shape, record)) = record::decode_record(payload) else { continue };
            match shapes.iter().find(|known| known.digest() == shape) {
                Some(shape) => each(shape, record),
                None => undecodable += payload.len(),
            }
        }
        frames.damaged_bytes() + undecodable
    }

    /// The distinct shapes of the file, wherever they stand in it.
    pub(super) fn shapes(&self) -> Vec<Shape> {
        let (mut shapes, mut pace) = (Vec::<Shape>::new(), Pace::new());
        for payload in Frames::new(self.mark, &self.bytes[HEADER..]) {
            pace.step();
            let Some(shape) = record::decode_shape(payload) else { continue };
            if shapes.iter().all(|known| known.digest() != shape.digest()) {
                shapes.push(shape);
            }
        }
        shapes
    }
}

fn header_mark(bytes: &[u8]) -> Option<u32> {
    let header = bytes.get(..HEADER)?;
    let (head, crc) = header.split_at(12);
    let intact = head.starts_with(MAGIC) && crc32fast::hash(head).to_le_bytes() == crc;
    intact.then(|| u32::from_le_bytes([head[8], head[9], head[10], head[11]]))
}
