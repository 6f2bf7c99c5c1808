//! Bytes in object storage. Every object path of the system is made here and nowhere else.
//!
//! What a row refers to is content-addressed: `artifacts/sha256/ab/<64 hex digits>`. An artifact is never
//! changed, and [`Artifacts::put`] returns only when it is durable and has been looked at again. Segments of
//! the prediction log have plain paths under `predictions/`.

mod digest;
mod store;

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use uuid::Uuid;

pub use digest::Sha256Hex;

use crate::name::ServiceName;
use crate::{Error, Micros, Result};

/// Objects above this size are sent in parts.
const PART_BYTES: usize = 8 << 20;
/// Parts on their way at the same time.
const PARTS_AT_ONCE: usize = 4;

/// An object store and the folder in it that is ours; cloning shares it.
#[derive(Debug, Clone)]
pub struct Artifacts {
    store: Arc<dyn ObjectStore>,
    /// Whether reading an object back costs nothing, so that what was written is hashed once more.
    rereads: bool,
}

/// An object with a plain path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its path, as [`Artifacts::get_at`] takes it.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
}

impl Artifacts {
    /// Opens a storage URL: `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix`,
    /// `az://container/prefix` or `memory://`. Credentials, region and endpoint come from the environment
    /// variables that each cloud's own tools read (`AWS_…`, `GOOGLE_…`, `AZURE_…`).
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, store::settings_of_environment()).await
    }

    /// Opens a storage URL with these settings instead of the environment's.
    pub async fn open_with(url: &str, settings: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let (store, rereads) = store::open(url, settings.into_iter().collect()).await?;
        Ok(Artifacts { store, rereads })
    }

    /// Stores bytes under their hash. The same bytes again are found to be there and not written twice.
    pub async fn put(&self, bytes: Bytes) -> Result<Sha256Hex> {
        let sha256 = Sha256Hex::of(bytes.clone()).await?;
        let path = artifact_path(&sha256);
        if self.holds(&path, &sha256, bytes.len()).await? {
            return Ok(sha256);
        }
        let size = bytes.len();
        self.write(&path, bytes).await?;
        if !self.holds(&path, &sha256, size).await? {
            return Err(Error::internal(format!("the store did not keep {path} as it was written")));
        }
        Ok(sha256)
    }

    /// Reads the bytes of this hash, and checks that they are.
    pub async fn get(&self, sha256: &Sha256Hex) -> Result<Bytes> {
        let path = artifact_path(sha256);
        let bytes = self.read(&path).await?;
        if Sha256Hex::of(bytes.clone()).await? != *sha256 {
            return Err(Error::internal(format!(
                "{path} has changed in the store; restore it from a backup"
            )));
        }
        Ok(bytes)
    }

    /// Whether the bytes of this hash are there; looks, does not read.
    pub async fn contains(&self, sha256: &Sha256Hex) -> Result<bool> {
        Ok(self.size_at(&artifact_path(sha256)).await?.is_some())
    }

    /// The hashes of every artifact.
    pub async fn artifacts(&self) -> Result<Vec<Sha256Hex>> {
        let objects = self.list("artifacts/sha256").await?;
        let names = objects.iter().filter_map(|object| object.path.rsplit('/').next());
        Ok(names.filter_map(|name| Sha256Hex::try_from(name).ok()).collect())
    }

    /// The path of a Parquet file of one service version's predictions, sorted by the day of its first one.
    pub fn predictions_path(service: &ServiceName, version: i64, from_at: Micros, id: Uuid) -> String {
        let day = jiff::Timestamp::from_microsecond(from_at.0)
            .map_or_else(|_| "unknown".into(), |at| at.strftime("%Y-%m-%d").to_string());
        let parts = ["predictions", service.as_str(), &version.to_string(), &day, &format!("{id}.parquet")];
        Path::from_iter(parts).to_string()
    }

    /// Stores bytes at a plain path, replacing what was there; checks the size in the store.
    pub async fn put_at(&self, path: &str, bytes: Bytes) -> Result<()> {
        let path = parse_path(path)?;
        let size = bytes.len() as u64;
        self.write(&path, bytes).await?;
        if self.size_at(&path).await? != Some(size) {
            return Err(Error::internal(format!("the store did not keep {path} as it was written")));
        }
        Ok(())
    }

    /// Reads the bytes at a plain path.
    pub async fn get_at(&self, path: &str) -> Result<Bytes> {
        self.read(&parse_path(path)?).await
    }

    /// Deletes what is at a plain path; nothing there is fine.
    pub async fn delete_at(&self, path: &str) -> Result<()> {
        match self.store.delete(&parse_path(path)?).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Every object below a folder, by path.
    pub async fn list(&self, folder: &str) -> Result<Vec<StoredObject>> {
        let folder = parse_path(folder)?;
        let found: Vec<_> = self.store.list(Some(&folder)).try_collect().await?;
        let mut objects: Vec<StoredObject> = found
            .into_iter()
            .map(|meta| StoredObject { path: meta.location.to_string(), size_bytes: meta.size })
            .collect();
        objects.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(objects)
    }

    /// Whether the store answers.
    pub async fn ping(&self) -> Result<()> {
        self.size_at(&Path::from("ping")).await.map(|_| ())
    }

    async fn read(&self, path: &Path) -> Result<Bytes> {
        Ok(self.store.get(path).await?.bytes().await?)
    }

    async fn size_at(&self, path: &Path) -> Result<Option<u64>> {
        match self.store.head(path).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the artifact is there and whole. Clouds checked the hash when they received it: the request
    /// that carries the bytes is signed over their SHA-256.
    async fn holds(&self, path: &Path, sha256: &Sha256Hex, size: usize) -> Result<bool> {
        if self.size_at(path).await? != Some(size as u64) {
            return Ok(false);
        }
        if !self.rereads {
            return Ok(true);
        }
        Ok(Sha256Hex::of(self.read(path).await?).await? == *sha256)
    }

    async fn write(&self, path: &Path, bytes: Bytes) -> Result<()> {
        if bytes.len() <= PART_BYTES {
            self.store.put(path, PutPayload::from_bytes(bytes)).await?;
            return Ok(());
        }
        let mut parts =
            WriteMultipart::new_with_chunk_size(self.store.put_multipart(path).await?, PART_BYTES);
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Err(error) = parts.wait_for_capacity(PARTS_AT_ONCE).await {
                // Parts that were sent are kept, and paid for, until the upload is given up.
                parts.abort().await.ok();
                return Err(error.into());
            }
            parts.put(rest.split_to(PART_BYTES.min(rest.len())));
        }
        parts.finish().await?;
        Ok(())
    }
}

fn artifact_path(sha256: &Sha256Hex) -> Path {
    Path::from_iter(["artifacts", "sha256", &sha256.as_str()[..2], sha256.as_str()])
}

fn parse_path(path: &str) -> Result<Path> {
    Path::parse(path).map_err(|error| Error::Invalid(format!("the object path is wrong: {error}")))
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { path, .. } => Error::not_found("object", path),
            object_store::Error::Generic { .. } => {
                tracing::warn!(error = %error, "the object store did not answer");
                Error::Unavailable("the object store is not reachable or full; try again".into())
            }
            error => Error::internal(error),
        }
    }
}
