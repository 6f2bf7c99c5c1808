//! The contract of the pipelines: what holds on SQLite holds on PostgreSQL.
//!
//! PostgreSQL takes part when `CHASQUI_TEST_POSTGRES_URL` names a server on which databases may be made; without it
//! its tests say that they were skipped. Each test has a database, a queue and a clock of its own.
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
                fixture.drop_database().await;
            })+
        }
    };
}

mod drift;
mod fixture;
mod flow;
mod gates;
mod jobs;
mod performance;
mod retraining;
mod rollouts;
mod season;
