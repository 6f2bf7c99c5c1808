//! A registry of its own for each test, and short ways to upload and look.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use bytes::Bytes;
use chasqui_registry::clock::ManualClock;
use chasqui_registry::dataset::{DatasetVersion, Upload};
use chasqui_registry::name::{Actor, DatasetName};
use chasqui_registry::{Db, Micros, Registry, Result};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) struct Fixture {
    pub(crate) registry: Registry,
    schema: Option<(Db, String)>,
    _folder: TempDir,
}

impl Fixture {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().join("chasqui.db").to_str().unwrap().to_owned();
        Self::open(url, None, folder).await
    }

    /// A schema of its own on the server that the environment names.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub(crate) async fn postgres() -> Option<Self> {
        let Ok(url) = std::env::var("CHASQUI_TEST_POSTGRES_URL") else {
            eprintln!("SKIPPED: CHASQUI_TEST_POSTGRES_URL is not set");
            return None;
        };
        let server = Db::connect(&url).await.unwrap();
        let schema = format!("test_{}", Uuid::now_v7().simple());
        sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(server.pool()).await.unwrap();
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{separator}options=-csearch_path%3D{schema}");
        Some(Self::open(url, Some((server, schema)), tempfile::tempdir().unwrap()).await)
    }

    async fn open(url: String, schema: Option<(Db, String)>, folder: TempDir) -> Self {
        let clock = Arc::new(ManualClock::new(Micros(1_700_000_000_000_000)));
        let registry = Registry::open(&url, "memory://", clock).await.unwrap();
        Self { registry, schema, _folder: folder }
    }

    pub(crate) async fn drop_schema(self) {
        self.registry.db.close().await;
        if let Some((server, schema)) = self.schema {
            let drop = AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"));
            sqlx::query(drop).execute(server.pool()).await.unwrap();
        }
    }

    pub(crate) async fn upload(&self, bytes: impl Into<Bytes>, upload: Upload) -> Result<DatasetVersion> {
        self.registry.add_dataset_version(&actor(), &name("datos"), bytes.into(), upload).await
    }

    /// Uploads with everything detected and reads back.
    pub(crate) async fn table(&self, bytes: impl Into<Bytes>) -> (DatasetVersion, RecordBatch) {
        let version = self.upload(bytes, Upload::default()).await.unwrap();
        let rows = self.rows(&version).await;
        (version, rows)
    }

    pub(crate) async fn rows(&self, version: &DatasetVersion) -> RecordBatch {
        let batches = self.registry.read_dataset(&version.dataset, version.version).await.unwrap();
        concat_batches(&batches[0].schema(), &batches).unwrap()
    }

    /// The message with which an upload is refused; nothing of it is kept.
    pub(crate) async fn refusal(&self, bytes: impl Into<Bytes>) -> String {
        let error = self.upload(bytes, Upload::default()).await.unwrap_err();
        assert!(matches!(error.code(), "invalid" | "too_large"), "{error:?}");
        assert_eq!(self.registry.get_dataset(&name("datos")).await.unwrap(), None);
        assert!(self.registry.artifacts.artifacts().await.unwrap().is_empty());
        error.to_string()
    }
}

pub(crate) fn actor() -> Actor {
    Actor::try_from("author").unwrap()
}

pub(crate) fn name(text: &str) -> DatasetName {
    DatasetName::try_from(text).unwrap()
}

/// The types of the columns, as the schema's JSON says them.
pub(crate) fn types(version: &DatasetVersion) -> String {
    let schema = serde_json::to_value(&version.schema).unwrap();
    let kinds = schema.as_array().unwrap().iter().map(|column| column["type"].as_str().unwrap().to_owned());
    kinds.collect::<Vec<_>>().join(" ")
}

/// A column as text; what is missing is `∅`.
pub(crate) fn texts(rows: &RecordBatch, column: &str) -> Vec<String> {
    let column = rows.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
    let texts = cast(column, &DataType::Utf8).unwrap();
    assert_eq!(texts.null_count(), column.null_count());
    texts.as_string::<i32>().iter().map(|text| text.unwrap_or("∅").to_owned()).collect()
}
