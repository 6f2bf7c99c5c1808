//! The performance of windows as rows.

use chasqui_registry::db::Tx;
use chasqui_registry::name::ServiceName;
use chasqui_registry::{Micros, Registry};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::WindowPerformance;
use crate::error::Result;
use crate::monitor::WindowKey;

/// The performance of a window as stored.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StoredPerformance {
    /// The service.
    pub service: String,
    /// The model.
    pub model: String,
    /// The version that answered.
    pub version: i64,
    /// The window's first instant.
    pub window_start: Micros,
    /// The first instant after it.
    pub window_end: Micros,
    /// It left its thresholds for the worse.
    pub fell: bool,
    /// The figures.
    #[serde(flatten)]
    pub performance: WindowPerformance,
    /// When outcomes were last looked for.
    pub updated_at: Micros,
}

/// The windows of a service whose first instant lies in a span, the newest first, at most `limit`.
pub async fn windows(
    registry: &Registry,
    service: &ServiceName,
    (from, to): (Micros, Micros),
    limit: i64,
) -> Result<Vec<StoredPerformance>> {
    let rows = sqlx::query(
        "SELECT * FROM performance_windows WHERE service = $1 AND window_start >= $2 AND window_start < $3 \
         ORDER BY window_start DESC, version DESC LIMIT $4",
    )
    .bind(service.as_str())
    .bind(from.0)
    .bind(to.0)
    .bind(limit)
    .fetch_all(registry.db.pool())
    .await?;
    rows.iter().map(from_row).collect()
}

/// The windows of a version before and up to one, the oldest first, at most `limit`.
pub(super) async fn history(
    registry: &Registry,
    key: &WindowKey,
    limit: i64,
) -> Result<Vec<StoredPerformance>> {
    let rows = sqlx::query(
        "SELECT * FROM performance_windows WHERE service = $1 AND model = $2 AND version = $3 \
         AND window_start <= $4 ORDER BY window_start DESC LIMIT $5",
    )
    .bind(&key.service)
    .bind(&key.model)
    .bind(key.version)
    .bind(key.window_start.0)
    .bind(limit)
    .fetch_all(registry.db.pool())
    .await?;
    rows.iter().rev().map(from_row).collect()
}

/// The performance of one window, if it was looked at.
pub async fn of_window(
    executor: impl sqlx::Executor<'_, Database = sqlx::Any>,
    key: &WindowKey,
) -> Result<Option<StoredPerformance>> {
    let row = sqlx::query(
        "SELECT * FROM performance_windows WHERE service = $1 AND model = $2 AND version = $3 AND window_start = $4",
    )
    .bind(&key.service)
    .bind(&key.model)
    .bind(key.version)
    .bind(key.window_start.0)
    .fetch_optional(executor)
    .await?;
    row.as_ref().map(from_row).transpose()
}

/// Writes the performance of a window over what was known before.
pub(super) async fn save(tx: &mut Tx, stored: &StoredPerformance) -> Result<()> {
    sqlx::query(
        "INSERT INTO performance_windows (service, model, version, window_start, window_end, labels, fell, body, \
         updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (service, model, version, window_start) DO UPDATE SET labels = excluded.labels, \
         fell = excluded.fell, body = excluded.body, updated_at = excluded.updated_at",
    )
    .bind(&stored.service)
    .bind(&stored.model)
    .bind(stored.version)
    .bind(stored.window_start.0)
    .bind(stored.window_end.0)
    .bind(i64::try_from(stored.performance.labels).unwrap_or(i64::MAX))
    .bind(i64::from(stored.fell))
    .bind(serde_json::to_string(&stored.performance)?)
    .bind(stored.updated_at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn from_row(row: &AnyRow) -> Result<StoredPerformance> {
    Ok(StoredPerformance {
        service: row.try_get("service")?,
        model: row.try_get("model")?,
        version: row.try_get("version")?,
        window_start: Micros(row.try_get("window_start")?),
        window_end: Micros(row.try_get("window_end")?),
        fell: row.try_get::<i64, _>("fell")? != 0,
        performance: serde_json::from_str(&row.try_get::<String, _>("body")?)?,
        updated_at: Micros(row.try_get("updated_at")?),
    })
}
