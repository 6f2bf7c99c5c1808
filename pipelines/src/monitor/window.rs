//! Sketches and flows of windows as rows, and which windows wait for a verdict.

use std::collections::BTreeMap;

use chasqui_drift::quality::Flow;
use chasqui_drift::{Profile, WindowSketch};
use chasqui_registry::name::ServiceName;
use chasqui_registry::service::{MonitorPolicy, Service};
use chasqui_registry::{Micros, Registry};
use sqlx::Row;

use super::{WindowKey, window_length};
use crate::error::{Error, Result};

/// The scan looks at this many windows at most.
const WINDOWS: i64 = 8;
/// Replicas write their sketches every second or so; a window that was quiet this long has them all.
const QUIET: i64 = 3_000_000;

/// How the rows of one window came, as one replica start has seen it so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowTotal {
    /// Rows.
    pub rows: u64,
    /// Those that were sent a moment before already.
    pub repeated: u64,
    /// The time of the first.
    pub first_at: Micros,
    /// The time of the last.
    pub last_at: Micros,
}

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

/// Stores how the rows of a window came. It is absolute, as a sketch is.
pub async fn store_flow(registry: &Registry, key: &WindowKey, boot: &str, flow: &FlowTotal) -> Result<()> {
    sqlx::query(
        "INSERT INTO flows (service, model, version, window_start, boot, rows_seen, repeated, first_at, last_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (service, model, version, window_start, boot) DO UPDATE SET rows_seen = excluded.rows_seen, \
         repeated = excluded.repeated, first_at = excluded.first_at, last_at = excluded.last_at \
         WHERE excluded.rows_seen > flows.rows_seen",
    )
    .bind(&key.service)
    .bind(&key.model)
    .bind(key.version)
    .bind(key.window_start.0)
    .bind(boot)
    .bind(i64::try_from(flow.rows).unwrap_or(i64::MAX))
    .bind(i64::try_from(flow.repeated).unwrap_or(i64::MAX))
    .bind(flow.first_at.0)
    .bind(flow.last_at.0)
    .execute(registry.db.pool())
    .await?;
    Ok(())
}

/// Closed windows without a verdict, the oldest first. A window with fewer rows than the policy asks for is left out.
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
        let overtaken = row.try_get::<i64, _>("latest")? > start;
        let quiet = row.try_get::<i64, _>("updated_at")?.saturating_add(QUIET) <= now.0;
        let rows_seen: i64 = row.try_get("rows_seen")?;
        if (ended || overtaken) && quiet && u64::try_from(rows_seen).unwrap_or(0) >= policy.min_rows {
            due.push(WindowKey {
                service: service.name.to_string(),
                model: row.try_get("model")?,
                version: row.try_get("version")?,
                window_start: Micros(start),
            });
        }
    }
    Ok(due)
}

/// The last windows of a version up to this one, replicas merged, by their first instant.
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
    let mut windows = BTreeMap::new();
    for row in rows {
        let start: i64 = row.try_get("window_start")?;
        let sketch: WindowSketch = serde_json::from_str(&row.try_get::<String, _>("body")?)?;
        let merged: &mut WindowSketch = windows.entry(start).or_insert_with(|| WindowSketch::new(profile));
        merged.merge(&sketch).map_err(Error::internal)?;
    }
    Ok(windows)
}

/// Whether all rows of a window can be expected to be there: a later one has begun, or its end has only just passed. A
/// replay of old days that pauses is neither.
pub(super) async fn is_settled(registry: &Registry, key: &WindowKey, policy: &MonitorPolicy) -> Result<bool> {
    let row = sqlx::query("SELECT MAX(window_start) AS latest FROM flows WHERE service = $1")
        .bind(&key.service)
        .fetch_one(registry.db.pool())
        .await?;
    let overtaken =
        row.try_get::<Option<i64>, _>("latest")?.is_some_and(|latest| latest > key.window_start.0);
    let end = key.window_start.0.saturating_add(window_length(policy));
    Ok(overtaken || registry.now().0.saturating_sub(end) <= window_length(policy))
}

/// The flow of this window, when it was counted, and those of the windows before it.
///
/// A rollout counts every row for both versions: the version that saw most saw them all.
pub(super) async fn flows(
    registry: &Registry,
    key: &WindowKey,
    policy: &MonitorPolicy,
) -> Result<(Option<Flow>, Vec<Flow>)> {
    let rows = sqlx::query(
        "SELECT window_start, CAST(SUM(rows_seen) AS BIGINT) AS rows_seen, \
         CAST(SUM(repeated) AS BIGINT) AS repeated, MAX(last_at) AS last_at \
         FROM flows WHERE service = $1 AND window_start <= $2 AND window_start >= $3 \
         GROUP BY window_start, model, version ORDER BY window_start",
    )
    .bind(&key.service)
    .bind(key.window_start.0)
    .bind(key.window_start.0.saturating_sub(WINDOWS.saturating_mul(window_length(policy))))
    .fetch_all(registry.db.pool())
    .await?;
    let length = window_length(policy);
    let mut flows: BTreeMap<i64, Flow> = BTreeMap::new();
    for row in &rows {
        let start: i64 = row.try_get("window_start")?;
        let seen = u64::try_from(row.try_get::<i64, _>("rows_seen")?).unwrap_or(0);
        let end = start.saturating_add(length);
        let quiet = end.saturating_sub(row.try_get("last_at")?).max(0) as f64 / length as f64;
        let flow = flows.entry(start).or_insert(Flow { rows: 0, repeated: 0, quiet: 1.0 });
        flow.quiet = flow.quiet.min(quiet.min(1.0));
        if seen > flow.rows {
            flow.rows = seen;
            flow.repeated = u64::try_from(row.try_get::<i64, _>("repeated")?).unwrap_or(0);
        }
    }
    let now = flows.remove(&key.window_start.0);
    Ok((now, flows.into_values().collect()))
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
