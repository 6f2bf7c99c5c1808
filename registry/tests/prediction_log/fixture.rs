//! A registry and a log of their own for each test.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chasqui_registry::clock::{Clock, ManualClock};
use chasqui_registry::name::{Actor, ModelName, ServiceName};
use chasqui_registry::prediction_log::{FeatureColumn, Log, LogConfig, Pseudonymiser, Record, Shape};
use chasqui_registry::{Db, Micros, Registry};
use chasqui_runtime::{FeatureKind, Value};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const START: Micros = Micros(1_700_000_000_000_000);

pub(crate) struct Fixture {
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) folder: TempDir,
    schema: Option<(Db, String)>,
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
        let clock = Arc::new(ManualClock::new(START));
        let registry = Registry::open(&url, "memory://", clock.clone()).await.unwrap();
        Self { registry, clock, folder, schema }
    }

    pub(crate) async fn drop_schema(self) {
        self.registry.db.close().await;
        if let Some((server, schema)) = self.schema {
            let drop = AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"));
            sqlx::query(drop).execute(server.pool()).await.unwrap();
        }
    }

    pub(crate) fn log_folder(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn log(&self) -> Arc<Log> {
        open_log(&self.log_folder(), self.clock.clone())
    }
}

pub(crate) fn open_log(folder: &Path, clock: Arc<dyn Clock>) -> Arc<Log> {
    Arc::new(Log::open(folder, config(clock)).unwrap())
}

pub(crate) fn config(clock: Arc<dyn Clock>) -> LogConfig {
    LogConfig::new(clock, Pseudonymiser::new(b"a key for tests"))
}

pub(crate) fn actor() -> Actor {
    Actor::try_from("author").unwrap()
}

pub(crate) fn service(name: &str) -> ServiceName {
    ServiceName::try_from(name).unwrap()
}

/// Two inputs: a number `precio` and a text `ciudad`.
pub(crate) fn shape(service_name: &str, version: i64) -> Shape {
    let column = |name: &str, kind| FeatureColumn { name: name.to_owned(), kind, personal: false };
    let features = vec![column("precio", FeatureKind::Number), column("ciudad", FeatureKind::Text)];
    Shape::new(service(service_name), ModelName::try_from("ventas").unwrap(), version, features, false)
}

/// A prediction for the entity `key` at `at`.
pub(crate) fn record(at: Micros, key: &str) -> Record<'_> {
    Record {
        id: at.new_id(),
        at,
        latency_us: 250,
        rollout: None,
        key: Some(key),
        request_id: None,
        inputs: vec![Value::Number(1.5), Value::Text("Quito")],
        label: Value::Number(1.0),
        score: Some(0.75),
        value: None,
        error: false,
    }
}
