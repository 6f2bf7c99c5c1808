//! The prediction log from append to labelled rows, on both databases, and through killed processes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "prediction_log/crash.rs"]
mod crash;
#[path = "prediction_log/fixture.rs"]
mod fixture;
#[path = "prediction_log/local.rs"]
mod local;
#[path = "prediction_log/outcomes.rs"]
mod outcomes;
#[path = "prediction_log/reading.rs"]
mod reading;

/// Makes a module of tests for each database out of `async fn(&Fixture)`.
macro_rules! on_both_databases {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(&crate::fixture::Fixture::sqlite().await).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test]
                async fn $test() {
                    let Some(fixture) = crate::fixture::Fixture::postgres().await else { return };
                    super::$test(&fixture).await;
                    fixture.drop_schema().await;
                }
            )*
        }
    };
}
pub(crate) use on_both_databases;
