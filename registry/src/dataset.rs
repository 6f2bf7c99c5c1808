//! Datasets: versioned tables, stored as Parquet under their hash, with schema, profile and where they came from.
//!
//! An upload may be delimited text in any common dialect, JSON lines or Parquet; what is not stated is detected
//! from the whole file. The same table again is the same version.

mod cells;
pub(crate) mod columnar;
mod delimited;
mod dialect;
mod foreign;
mod infer;
mod input;
mod lines;
mod moment;
mod number;
mod pages;
mod profile;
mod table_file;
mod text;
mod upload;
mod writer;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::any::AnyRow;

pub use dialect::Dialect;
pub use infer::{ColumnFormat, ColumnType};
pub use moment::DateOrder;
pub use number::DecimalMark;
pub use profile::ColumnSummary;
pub use table_file::{Piece, Seen, TableFile};
pub use text::TextEncoding;
pub use upload::{Format, Upload};

use crate::artifact::Sha256Hex;
use crate::db::Tx;
use crate::name::{Actor, DatasetName, ServiceName};
use crate::prediction_log::{self, Log, PredictionRange};
use crate::{Error, Micros, Page, PageRequest, Registry, Result, audit, row};
use columnar::Wanted;
use writer::{DatasetWriter, Written};

/// Largest upload when nothing else is said.
pub const DEFAULT_MAX_BYTES: usize = 512 << 20;
/// Most columns of a dataset.
pub const MAX_COLUMNS: usize = 4096;
/// Longest text of a cell.
pub const MAX_CELL_BYTES: usize = 1 << 20;

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Dataset {
    /// Its name.
    pub name: DatasetName,
    /// What it holds, in the words of whoever made it.
    pub description: String,
    /// When its first version came.
    pub created_at: Micros,
    /// The number of its latest version.
    pub latest_version: i64,
}

/// One column of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnSchema {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ColumnType,
}

/// Where a version came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[schemars(rename = "DatasetSource")]
pub enum Source {
    /// A file.
    Upload {
        /// Its format.
        format: Format,
        /// Its hash, as it was uploaded.
        sha256: Sha256Hex,
        /// Its size.
        size_bytes: u64,
        /// How it was laid out, when it was delimited text.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        dialect: Option<Dialect>,
        /// How its columns were read, in their order; empty for Parquet, which says so itself.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        columns: Vec<ColumnFormat>,
    },
    /// The prediction log joined with its outcomes.
    Predictions {
        /// Whose predictions.
        service: ServiceName,
        /// The first instant.
        from: Micros,
        /// The first instant after.
        to: Micros,
    },
}

/// An immutable version of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DatasetVersion {
    /// The dataset.
    pub dataset: DatasetName,
    /// 1, 2, 3 …
    pub version: i64,
    /// Of the Parquet file.
    pub sha256: Sha256Hex,
    /// Of the Parquet file.
    pub size_bytes: u64,
    /// Its rows.
    pub row_count: u64,
    /// Its columns.
    pub schema: Vec<ColumnSchema>,
    /// What they hold.
    pub profile: Vec<ColumnSummary>,
    /// Where it came from.
    pub source: Source,
    /// When it was added.
    pub created_at: Micros,
    /// By whom.
    pub created_by: String,
}

impl Registry {
    /// Adds a version from an uploaded file, and the dataset if there is none of this name. The same table as an
    /// earlier version's is that version.
    ///
    /// # Errors
    /// `Invalid` with row and column of what cannot be read, `TooLarge` beyond the limits; nothing is kept then.
    pub async fn add_dataset_version(
        &self,
        actor: &Actor,
        name: &DatasetName,
        bytes: Bytes,
        upload: Upload,
    ) -> Result<DatasetVersion> {
        let (written, source) =
            tokio::task::spawn_blocking(move || upload::convert(&bytes, &upload)).await??;
        self.store_dataset(actor, name, written, source).await
    }

    /// Adds a version from the predictions of a span of time that have an outcome, with the columns of
    /// [`prediction_log::labelled`].
    pub async fn add_from_predictions(
        &self,
        actor: &Actor,
        name: &DatasetName,
        range: &PredictionRange,
        log: Option<&Log>,
    ) -> Result<DatasetVersion> {
        let PredictionRange { service, from, to } = range.clone();
        let range = prediction_log::PredictionRange { service: service.clone(), from, to };
        let batches = prediction_log::labelled(self, log, &range, None).await?;
        let Some(first) = batches.first() else {
            return Err(Error::Invalid(format!(
                "no prediction of `{service}` in that time has an outcome yet"
            )));
        };
        let schema = first.schema();
        let write = move || {
            let mut writer = DatasetWriter::new(schema)?;
            batches.iter().try_for_each(|batch| writer.write(batch))?;
            writer.finish()
        };
        let written = tokio::task::spawn_blocking(write).await??;
        self.store_dataset(actor, name, written, Source::Predictions { service, from, to }).await
    }

    async fn store_dataset(
        &self,
        actor: &Actor,
        name: &DatasetName,
        written: Written,
        source: Source,
    ) -> Result<DatasetVersion> {
        let size_bytes = written.parquet.len() as u64;
        let sha256 = self.artifacts.put(written.parquet.clone()).await?;
        let now = self.now();
        let mut tx = self.db.begin().await?;
        create_and_lock(&mut tx, actor, name, now).await?;
        if let Some(same) = with_hash(&mut tx, name, &sha256).await? {
            return Ok(same);
        }
        let version = DatasetVersion {
            dataset: name.clone(),
            version: next_version(&mut tx, name).await?,
            sha256,
            size_bytes,
            row_count: written.rows,
            schema: written.profile.iter().map(ColumnSchema::of).collect(),
            profile: written.profile,
            source,
            created_at: now,
            created_by: actor.to_string(),
        };
        insert(&mut tx, &version).await?;
        let entry = audit::Entry {
            actor,
            action: "dataset.add_version",
            subject: format!("dataset:{name}/{}", version.version),
            before: None,
            after: Some(json!({
                "sha256": version.sha256, "row_count": version.row_count,
                "schema": version.schema, "source": version.source,
            })),
            reason: "",
        };
        audit::record(&mut tx, now, entry).await?;
        tx.commit().await?;
        Ok(version)
    }

    /// The dataset of this name.
    pub async fn get_dataset(&self, name: &DatasetName) -> Result<Option<Dataset>> {
        let row = sqlx::query(
            "SELECT d.name, d.description, d.created_at, \
             (SELECT MAX(v.version) FROM dataset_versions v WHERE v.dataset = d.name) AS latest \
             FROM datasets d WHERE d.name = $1 AND d.deleted_at IS NULL",
        )
        .bind(name.as_str())
        .fetch_optional(self.db.pool())
        .await?;
        row.as_ref().map(dataset_from_row).transpose()
    }

    /// Datasets by name.
    pub async fn list_datasets(&self, page: &PageRequest) -> Result<Page<Dataset>> {
        let rows = sqlx::query(
            "SELECT d.name, d.description, d.created_at, \
             (SELECT MAX(v.version) FROM dataset_versions v WHERE v.dataset = d.name) AS latest \
             FROM datasets d WHERE d.deleted_at IS NULL AND d.name > $1 ORDER BY d.name LIMIT $2",
        )
        .bind(page.after_text())
        .bind(page.fetch_limit())
        .fetch_all(self.db.pool())
        .await?;
        let datasets = rows.iter().map(dataset_from_row).collect::<Result<Vec<_>>>()?;
        Ok(Page::of_rows(datasets, page, |dataset| dataset.name.to_string()))
    }

    /// One version of a dataset, the latest when no number is given.
    pub async fn get_dataset_version(
        &self,
        name: &DatasetName,
        version: Option<i64>,
    ) -> Result<Option<DatasetVersion>> {
        let row = sqlx::query(
            "SELECT * FROM dataset_versions WHERE dataset = $1 AND ($2 < 0 OR version = $2) \
             ORDER BY version DESC LIMIT 1",
        )
        .bind(name.as_str())
        .bind(version.map_or(-1, |version| version.max(0)))
        .fetch_optional(self.db.pool())
        .await?;
        row.as_ref().map(from_row).transpose()
    }

    /// The versions of a dataset, latest first.
    pub async fn list_dataset_versions(
        &self,
        name: &DatasetName,
        page: &PageRequest,
    ) -> Result<Page<DatasetVersion>> {
        let rows = sqlx::query(
            "SELECT * FROM dataset_versions WHERE dataset = $1 AND version < $2 ORDER BY version DESC LIMIT $3",
        )
        .bind(name.as_str())
        .bind(page.after_number(i64::MAX)?)
        .bind(page.fetch_limit())
        .fetch_all(self.db.pool())
        .await?;
        let versions = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
        Ok(Page::of_rows(versions, page, |version| version.version.to_string()))
    }

    /// The Parquet file of a version.
    pub async fn dataset_bytes(&self, name: &DatasetName, version: i64) -> Result<Bytes> {
        let Some(found) = self.get_dataset_version(name, Some(version)).await? else {
            return Err(Error::not_found("dataset version", format!("{name}/{version}")));
        };
        self.artifacts.get(&found.sha256).await
    }

    /// The rows of a version.
    pub async fn read_dataset(&self, name: &DatasetName, version: i64) -> Result<Vec<RecordBatch>> {
        let bytes = self.dataset_bytes(name, version).await?;
        tokio::task::spawn_blocking(move || columnar::read_own(bytes, &Wanted::All)).await?
    }
}

impl ColumnSchema {
    fn of(summary: &ColumnSummary) -> Self {
        Self { name: summary.name.clone(), kind: summary.kind }
    }
}

/// Makes sure the dataset is there, and keeps other additions to it waiting until this transaction ends.
async fn create_and_lock(tx: &mut Tx, actor: &Actor, name: &DatasetName, now: Micros) -> Result<()> {
    let created = sqlx::query(
        "INSERT INTO datasets (name, description, created_at) VALUES ($1, '', $2) ON CONFLICT (name) DO NOTHING",
    )
    .bind(name.as_str())
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    if created.rows_affected() == 1 {
        let subject = format!("dataset:{name}");
        let entry =
            audit::Entry { actor, action: "dataset.create", subject, before: None, after: None, reason: "" };
        audit::record(tx, now, entry).await?;
        return Ok(());
    }
    let locked =
        sqlx::query("UPDATE datasets SET description = description WHERE name = $1 AND deleted_at IS NULL")
            .bind(name.as_str())
            .execute(&mut **tx)
            .await?;
    if locked.rows_affected() == 0 {
        return Err(Error::Conflict(format!("the dataset `{name}` was deleted; choose another name")));
    }
    Ok(())
}

async fn with_hash(tx: &mut Tx, name: &DatasetName, sha256: &Sha256Hex) -> Result<Option<DatasetVersion>> {
    let row = sqlx::query(
        "SELECT * FROM dataset_versions WHERE dataset = $1 AND sha256 = $2 ORDER BY version LIMIT 1",
    )
    .bind(name.as_str())
    .bind(sha256.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(from_row).transpose()
}

async fn next_version(tx: &mut Tx, name: &DatasetName) -> Result<i64> {
    let row = sqlx::query("SELECT MAX(version) FROM dataset_versions WHERE dataset = $1")
        .bind(name.as_str())
        .fetch_one(&mut **tx)
        .await?;
    Ok(row::aggregate(&row)?.unwrap_or(0) + 1)
}

async fn insert(tx: &mut Tx, version: &DatasetVersion) -> Result<()> {
    sqlx::query(
        "INSERT INTO dataset_versions \
         (dataset, version, sha256, size_bytes, row_count, schema, profile, source, created_at, created_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(version.dataset.as_str())
    .bind(version.version)
    .bind(version.sha256.as_str())
    .bind(version.size_bytes as i64)
    .bind(version.row_count as i64)
    .bind(row::to_json(&version.schema)?)
    .bind(row::to_json(&version.profile)?)
    .bind(row::to_json(&version.source)?)
    .bind(version.created_at.0)
    .bind(&version.created_by)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn dataset_from_row(row: &AnyRow) -> Result<Dataset> {
    Ok(Dataset {
        name: row::parsed(row, "name")?,
        description: row::text(row, "description")?,
        created_at: row::micros(row, "created_at")?,
        latest_version: row::integer(row, "latest")?,
    })
}

fn from_row(row: &AnyRow) -> Result<DatasetVersion> {
    Ok(DatasetVersion {
        dataset: row::parsed(row, "dataset")?,
        version: row::integer(row, "version")?,
        sha256: row::parsed(row, "sha256")?,
        size_bytes: row::integer(row, "size_bytes")? as u64,
        row_count: row::integer(row, "row_count")? as u64,
        schema: row::json(row, "schema")?,
        profile: row::json(row, "profile")?,
        source: row::json(row, "source")?,
        created_at: row::micros(row, "created_at")?,
        created_by: row::text(row, "created_by")?,
    })
}
