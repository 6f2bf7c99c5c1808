//! Sketches of windows as rows, and which windows wait for a verdict.

use std::collections::BTreeMap;

use chasqui_drift::{Profile, WindowSketch};
use chasqui_registry::name::ServiceName;
use chasqui_registry::service::Service;
use chasqui_registry::{Micros, Registry};
use sqlx::Row;

use super::flow::{self, QUIET, is_settled};
use super::{WindowKey, window_length};
use crate::error::{Error, Result};

/// The scan looks at this many windows at most.
const WINDOWS: i64 = 8;

/// Stores what one replica start has seen so far in one window. It is absolute: a repeat or an older one changes
/// nothing.
pub async fn store_sketch(
    registry: &Registry,
    key: &WindowKey,
    boot: &str,
    sketch: &WindowSketch,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO sketches (service, model, version, window_start, boot, rows_seen, body, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (service, model, version, window_start, boot) DO UPDATE SET rows_seen = excluded.rows_seen, \
         body = excluded.body, updated_at = excluded.updated_at WHERE excluded.rows_seen > sketches.rows_seen",
    )
    .bind(&key.service)
    .bind(&key.model)
    .bind(key.version)
    .bind(key.window_start.0)
    .bind(boot)
    .bind(i64::try_from(sketch.rows).unwrap_or(i64::MAX))
    .bind(serde_json::to_string(sketch)?)
    .bind(registry.now().0)
    .execute(registry.db.pool())
    .await?;
    Ok(())
}

/// Closed windows without a verdict, the oldest first: those with rows, and those in which none came. A window with fewer
/// rows than the policy asks for is one when nothing more can be expected.
pub async fn due(registry: &Registry, service: &Service) -> Result<Vec<WindowKey>> {
    let policy = &service.config.monitor;
    let now = registry.now();
    let rows = sqlx::query(
        "SELECT s.model, s.version, s.window_start, CAST(SUM(s.rows_seen) AS BIGINT) AS rows_seen, \
         MAX(s.updated_at) AS updated_at, \
         (SELECT MAX(l.window_start) FROM sketches l WHERE l.service = $1) AS latest \
         FROM sketches s WHERE s.service = $1 AND NOT EXISTS (SELECT 1 FROM drift_verdicts v \
         WHERE v.service = s.service AND v.model = s.model AND v.version = s.version \
         AND v.window_start = s.window_start) \
         GROUP BY s.model, s.version, s.window_start ORDER BY s.window_start, s.version",
    )
    .bind(service.name.as_str())
    .fetch_all(registry.db.pool())
    .await?;
    let mut due = Vec::new();
    for row in &rows {
        let start: i64 = row.try_get("window_start")?;
        let ended = start.saturating_add(window_length(policy)) <= now.0;
        let latest: i64 = row.try_get("latest")?;
        let overtaken = latest > start;
        let quiet = row.try_get::<i64, _>("updated_at")?.saturating_add(QUIET) <= now.0;
        let rows_seen: i64 = row.try_get("rows_seen")?;
        let is_whole = u64::try_from(rows_seen).unwrap_or(0) >= policy.min_rows;
        let complete = ended && (is_whole || is_settled(start, latest, policy, now));
        if (overtaken || complete) && quiet {
            due.push(WindowKey {
                service: service.name.to_string(),
                model: row.try_get("model")?,
                version: row.try_get("version")?,
                window_start: Micros(start),
            });
        }
    }
    due.extend(flow::silent(registry, service).await?);
    due.sort_by_key(|key| (key.window_start, key.version));
    Ok(due)
}

/// The last windows of a version up to this one, replicas merged, by their first instant; this one is empty where no rows
/// came.
pub(super) async fn windows(
    registry: &Registry,
    key: &WindowKey,
    profile: &Profile,
) -> Result<BTreeMap<i64, WindowSketch>> {
    let rows = sqlx::query(
        "SELECT window_start, body FROM sketches WHERE service = $1 AND model = $2 AND version = $3 \
         AND window_start IN (SELECT DISTINCT window_start FROM sketches WHERE service = $1 AND model = $2 \
         AND version = $3 AND window_start <= $4 ORDER BY window_start DESC LIMIT $5)",
    )
    .bind(&key.service)
    .bind(&key.model)
    .bind(key.version)
    .bind(key.window_start.0)
    .bind(WINDOWS)
    .fetch_all(registry.db.pool())
    .await?;
    let mut windows = BTreeMap::from([(key.window_start.0, WindowSketch::new(profile))]);
    for row in rows {
        let start: i64 = row.try_get("window_start")?;
        let sketch: WindowSketch = serde_json::from_str(&row.try_get::<String, _>("body")?)?;
        let merged: &mut WindowSketch = windows.entry(start).or_insert_with(|| WindowSketch::new(profile));
        merged.merge(&sketch).map_err(Error::internal)?;
    }
    Ok(windows)
}

/// Rows that a window of a service usually has: the middle of its last windows. None before it has any.
pub async fn usual_rows(registry: &Registry, service: &ServiceName) -> Result<Option<usize>> {
    let rows = sqlx::query(
        "SELECT window_start, MAX(seen) AS seen FROM (SELECT window_start, version, \
         CAST(SUM(rows_seen) AS BIGINT) AS seen FROM sketches WHERE service = $1 GROUP BY window_start, version) s \
         GROUP BY window_start ORDER BY window_start DESC LIMIT $2",
    )
    .bind(service.as_str())
    .bind(WINDOWS)
    .fetch_all(registry.db.pool())
    .await?;
    let mut seen = rows.iter().map(|row| row.try_get::<i64, _>("seen")).collect::<Result<Vec<_>, _>>()?;
    seen.sort_unstable();
    Ok(seen.get(seen.len() / 2).and_then(|rows| usize::try_from(*rows).ok()))
}
