//! The contract of the registry: what holds on SQLite holds on PostgreSQL, and every object store behaves
//! alike.
//!
//! PostgreSQL takes part when `CHASQUI_TEST_POSTGRES_URL` names a server, S3 when `CHASQUI_TEST_S3_ENDPOINT`
//! does; without them their tests say that they were skipped. Each test has a schema or bucket prefix of its
//! own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

/// Runs each contract function once on SQLite and once on PostgreSQL.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let fixture = crate::fixture::Fixture::sqlite().await;
                super::$name(&fixture).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(fixture) = crate::fixture::Fixture::postgres().await else { return };
                super::$name(&fixture).await;
                fixture.drop_schema().await;
            })+
        }
    };
}

mod aliases;
mod artifacts;
mod audit;
mod database;
mod fixture;
mod idempotency;
mod models;
mod onnx;
mod services;
mod users;
mod versions;
