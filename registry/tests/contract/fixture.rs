//! A registry of its own for each test.

use std::sync::Arc;

use bytes::Bytes;
use chasqui_registry::clock::ManualClock;
use chasqui_registry::name::{Actor, ModelName, ServiceName};
use chasqui_registry::version::{NewVersion, Version};
use chasqui_registry::{Db, Micros, Registry, Result};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use uuid::Uuid;

/// A registry with a clock that stands still, artifacts in memory, and what must be taken away afterwards.
pub(crate) struct Fixture {
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) database_url: String,
    schema: Option<(Db, String)>,
    _folder: Option<TempDir>,
}

impl Fixture {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().join("ñandú #1/chasqui.db").to_str().unwrap().to_owned();
        Self::open(url, None, Some(folder)).await
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
        Some(Self::open(url, Some((server, schema)), None).await)
    }

    async fn open(database_url: String, schema: Option<(Db, String)>, folder: Option<TempDir>) -> Self {
        let clock = Arc::new(ManualClock::new(Micros(1_700_000_000_000_000)));
        let registry = Registry::open(&database_url, "memory://", clock.clone()).await.unwrap();
        Fixture { registry, clock, database_url, schema, _folder: folder }
    }

    pub(crate) async fn drop_schema(self) {
        self.registry.db.close().await;
        if let Some((server, schema)) = self.schema {
            let drop = AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"));
            sqlx::query(drop).execute(server.pool()).await.unwrap();
        }
    }

    /// Registers a file with nothing said about it.
    pub(crate) async fn register(&self, model_name: &str, bytes: Bytes) -> Result<Version> {
        self.registry.register_version(&actor(), &model(model_name), bytes, NewVersion::default()).await
    }
}

pub(crate) fn actor() -> Actor {
    Actor::try_from("author").unwrap()
}

pub(crate) fn model(name: &str) -> ModelName {
    ModelName::try_from(name).unwrap()
}

pub(crate) fn service(name: &str) -> ServiceName {
    ServiceName::try_from(name).unwrap()
}
