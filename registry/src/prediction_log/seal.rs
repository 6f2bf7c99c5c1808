//! From local segments to Parquet in object storage.
//!
//! Object path and row id follow from the segment's file name and what is in it: after a crash at any point the
//! same work is done again and overwrites itself.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::local::{self, Group};
use super::segment::{Contents, Segment};
use super::shape::Shape;
use super::{Log, columns, unavailable};
use crate::artifact::Artifacts;
use crate::dataset::columnar;
use crate::db::Tx;
use crate::{Error, Micros, Registry, Result};

/// What [`Log::seal`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Local files that are in object storage now, and deleted.
    pub segments: u64,
    /// The Parquet files made of them.
    pub files: u64,
    /// The predictions in those.
    pub records: u64,
}

/// One Parquet file to be.
struct SealedFile {
    id: Uuid,
    path: String,
    shape: Shape,
    parquet: Bytes,
    rows: u64,
    size: u64,
    from_at: Micros,
    to_at: Micros,
}

impl Log {
    /// Stores every closed segment, and the open one when it is old enough. Call it every second or so.
    ///
    /// # Errors
    /// What is not stored stays local and is tried again by the next call.
    pub async fn seal(self: &Arc<Self>, registry: &Registry) -> Result<Sealed> {
        self.seal_segments(registry, false).await
    }

    /// Stores everything, for a graceful end and before a read that must not depend on this process.
    pub async fn seal_all(self: &Arc<Self>, registry: &Registry) -> Result<Sealed> {
        self.seal_segments(registry, true).await
    }

    async fn seal_segments(self: &Arc<Self>, registry: &Registry, in_any_case: bool) -> Result<Sealed> {
        let _turn = self.sealing.lock().await;
        let log = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            log.close_current(in_any_case);
            log.adopt_orphans()
        })
        .await??;
        let mut sealed = Sealed::default();
        for segment in self.idle_segments() {
            let files = self.seal_one(registry, &segment).await?;
            sealed.segments += 1;
            sealed.files += files.0;
            sealed.records += files.1;
        }
        Ok(sealed)
    }

    /// Closed segments that no thread is still writing to.
    fn idle_segments(&self) -> Vec<Arc<Segment>> {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        closed.iter().filter(|segment| Arc::strong_count(segment) == 1).cloned().collect()
    }

    async fn seal_one(&self, registry: &Registry, segment: &Arc<Segment>) -> Result<(u64, u64)> {
        let path = segment.path().to_owned();
        let mut files = tokio::task::spawn_blocking(move || files_of(&path)).await??;
        for file in &mut files {
            registry.artifacts.put_at(&file.path, std::mem::take(&mut file.parquet)).await?;
        }
        if !files.is_empty() {
            let mut tx = registry.db.begin().await?;
            for file in &files {
                insert(&mut tx, file, registry.now()).await?;
            }
            tx.commit().await?;
        }
        let (log_path, count) = (segment.path().to_owned(), files.len() as u64);
        tokio::task::spawn_blocking(move || remove(&log_path)).await??;
        self.closed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|other| !Arc::ptr_eq(other, segment));
        Ok((count, files.iter().map(|file| file.rows).sum()))
    }
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(unavailable("delete a sealed segment of", &error))
        }
        _ => Ok(()),
    }
}

fn files_of(path: &Path) -> Result<Vec<SealedFile>> {
    let contents = Contents::read(path).map_err(|error| unavailable("read a segment of", &error))?;
    let (groups, damaged) = local::groups(&contents, |_, _| true)?;
    if damaged > 0 {
        tracing::warn!(
            path = %path.display(), bytes = damaged,
            "a log segment ends in records that were cut short; they were never acknowledged"
        );
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    groups.into_iter().map(|group| sealed_file(&name, group)).collect()
}

fn sealed_file(segment: &str, group: Group) -> Result<SealedFile> {
    let Group { shape, rows } = group;
    let (from_at, to_at) = times(&rows)?;
    let id = file_id(segment, &shape);
    let parquet = columnar::write_slowly(&rows, &[columns::ID, columns::REQUEST_ID])?;
    Ok(SealedFile {
        path: Artifacts::predictions_path(shape.service(), shape.version(), from_at, id),
        size: parquet.len() as u64,
        parquet,
        rows: rows.num_rows() as u64,
        id,
        shape,
        from_at,
        to_at,
    })
}

fn times(rows: &RecordBatch) -> Result<(Micros, Micros)> {
    let at =
        rows.column_by_name(columns::AT).and_then(|at| at.as_primitive_opt::<TimestampMicrosecondType>());
    let values =
        at.map(arrow::array::PrimitiveArray::values).ok_or_else(|| Error::internal("no time column"))?;
    let from = values.iter().min().copied().unwrap_or(0);
    Ok((Micros(from), Micros(values.iter().max().copied().unwrap_or(0))))
}

/// A UUIDv8 of the segment's file name and the shape, by SHA-256.
fn file_id(segment: &str, shape: &Shape) -> Uuid {
    let digest =
        Sha256::new().chain_update(segment).chain_update([0]).chain_update(shape.encoded()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

async fn insert(tx: &mut Tx, file: &SealedFile, now: Micros) -> Result<()> {
    sqlx::query(
        "INSERT INTO prediction_segments \
         (id, service, model, version, path, row_count, size_bytes, from_at, to_at, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING",
    )
    .bind(file.id.to_string())
    .bind(file.shape.service().as_str())
    .bind(file.shape.model().as_str())
    .bind(file.shape.version())
    .bind(&file.path)
    .bind(file.rows as i64)
    .bind(file.size as i64)
    .bind(file.from_at.0)
    .bind(file.to_at.0)
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
