//! Watching a service: sketches per window, the verdict that ends a window, and what a verdict leads to.
//!
//! Windows are in event time, the time of the predictions. A window is closed when its end has passed, or when a later
//! window has predictions (a replay runs faster than the clock), and its sketches have been quiet for a while.

use std::collections::BTreeMap;

use chasqui_drift::{DriftPolicy, DriftVerdict, Profile, WindowSketch, scan};
use chasqui_registry::db::Tx;
use chasqui_registry::name::{ModelName, ServiceName};
use chasqui_registry::service::{MonitorPolicy, Service};
use chasqui_registry::version::Version;
use chasqui_registry::{Micros, Page, PageRequest, Registry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::alert::{self, Kind, NewAlert, Severity};
use crate::error::{Error, Result};

/// The scan looks at this many windows at most.
const WINDOWS: i64 = 8;
/// Replicas write their sketches every second or so; a window that was quiet this long has them all.
const QUIET: i64 = 3_000_000;
const SECONDS_PER_YEAR: f64 = 365.25 * 86_400.0;

/// One window of one version of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowKey {
    /// The service.
    pub service: String,
    /// The model.
    pub model: String,
    /// The version that answered.
    pub version: i64,
    /// The window's first instant.
    pub window_start: Micros,
}

/// A verdict as stored.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StoredVerdict {
    /// Its id.
    pub id: String,
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
    /// Something changed.
    pub drifted: bool,
    /// What.
    pub verdict: DriftVerdict,
    /// When it was judged.
    pub created_at: Micros,
}

/// The first instant of the window that an instant is in.
pub fn window_start(at: Micros, policy: &MonitorPolicy) -> Micros {
    let length = window_length(policy);
    Micros(at.0.div_euclid(length) * length)
}

fn window_length(policy: &MonitorPolicy) -> i64 {
    policy.window_seconds.max(1).saturating_mul(Micros::PER_SECOND)
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

/// Judges a window: merges the sketches of all replicas, scans the last 1, 2, 4 and 8 windows against the version's
/// profile, stores the verdict and raises an alert when a change begins. None when the version has no profile.
pub async fn judge(registry: &Registry, service: &Service, key: &WindowKey) -> Result<Option<StoredVerdict>> {
    let model = ModelName::try_from(key.model.as_str())?;
    let Some(version) = registry.get_version(&model, key.version).await? else { return Ok(None) };
    let Some(profile) = registry.profile_of(&version).await? else { return Ok(None) };
    let windows = windows(registry, key, &profile).await?;
    let policy = drift_policy(&service.config.monitor);
    let seed = u64::try_from(key.window_start.0).unwrap_or(0);
    let verdict = tokio::task::spawn_blocking(move || scan(&profile, &windows, &policy, seed)).await?;
    let now = registry.now();
    let stored = StoredVerdict {
        id: now.new_id().to_string(),
        service: key.service.clone(),
        model: key.model.clone(),
        version: key.version,
        window_start: key.window_start,
        window_end: Micros(key.window_start.0.saturating_add(window_length(&service.config.monitor))),
        drifted: verdict.drifted || verdict.missing_changed,
        verdict,
        created_at: now,
    };
    let mut tx = registry.db.begin().await?;
    lock(&mut tx, key).await?;
    let before = latest_before(&mut tx, key).await?;
    if before.as_ref().is_some_and(|(at, _)| *at == key.window_start) {
        tx.rollback().await?;
        return verdict_of(registry, key).await;
    }
    insert(&mut tx, &stored).await?;
    let was_drifted = before.is_some_and(|(_, drifted)| drifted);
    if stored.drifted && !was_drifted {
        alert::raise(&mut tx, now, &drift_alert(&stored, &version)).await?;
    }
    tx.commit().await?;
    Ok(Some(stored))
}

/// The scan's settings for windows of this length: the chance of a false alarm stays that of a year.
pub fn drift_policy(policy: &MonitorPolicy) -> DriftPolicy {
    let windows_per_year = (SECONDS_PER_YEAR / policy.window_seconds.max(1) as f64).max(1.0);
    DriftPolicy { windows_per_year, ignore: policy.ignore.clone(), ..DriftPolicy::default() }
}

/// The last windows of a version up to this one, replicas merged, the oldest first.
async fn windows(registry: &Registry, key: &WindowKey, profile: &Profile) -> Result<Vec<WindowSketch>> {
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
    let mut windows: BTreeMap<i64, WindowSketch> = BTreeMap::new();
    for row in rows {
        let start: i64 = row.try_get("window_start")?;
        let sketch: WindowSketch = serde_json::from_str(&row.try_get::<String, _>("body")?)?;
        let merged = windows.entry(start).or_insert_with(|| WindowSketch::new(profile));
        merged.merge(&sketch).map_err(Error::internal)?;
    }
    Ok(windows.into_values().collect())
}

/// Verdicts of a service, the newest window first.
pub async fn verdicts(
    registry: &Registry,
    service: &ServiceName,
    page: &PageRequest,
) -> Result<Page<StoredVerdict>> {
    let rows = sqlx::query(
        "SELECT * FROM drift_verdicts WHERE service = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3",
    )
    .bind(service.as_str())
    .bind(page.after_text())
    .bind(page.fetch_limit())
    .fetch_all(registry.db.pool())
    .await?;
    let verdicts = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
    Ok(Page::of_rows(verdicts, page, |verdict| verdict.id.clone()))
}

/// The verdict of one window, if it was judged.
pub async fn verdict_of(registry: &Registry, key: &WindowKey) -> Result<Option<StoredVerdict>> {
    let row = sqlx::query(
        "SELECT * FROM drift_verdicts WHERE service = $1 AND model = $2 AND version = $3 AND window_start = $4",
    )
    .bind(&key.service)
    .bind(&key.model)
    .bind(key.version)
    .bind(key.window_start.0)
    .fetch_optional(registry.db.pool())
    .await?;
    row.as_ref().map(from_row).transpose()
}

/// Keeps everybody else who judges this service waiting until this transaction ends: a window is judged once.
async fn lock(tx: &mut Tx, key: &WindowKey) -> Result<()> {
    sqlx::query("UPDATE services SET updated_at = updated_at WHERE name = $1")
        .bind(&key.service)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn latest_before(tx: &mut Tx, key: &WindowKey) -> Result<Option<(Micros, bool)>> {
    let row = sqlx::query(
        "SELECT window_start, drifted FROM drift_verdicts WHERE service = $1 AND model = $2 AND version = $3 \
         AND window_start <= $4 ORDER BY window_start DESC LIMIT 1",
    )
    .bind(&key.service)
    .bind(&key.model)
    .bind(key.version)
    .bind(key.window_start.0)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((Micros(row.try_get("window_start")?), row.try_get::<i64, _>("drifted")? != 0)))
}

async fn insert(tx: &mut Tx, stored: &StoredVerdict) -> Result<()> {
    sqlx::query(
        "INSERT INTO drift_verdicts (id, service, model, version, window_start, window_end, drifted, body, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&stored.id)
    .bind(&stored.service)
    .bind(&stored.model)
    .bind(stored.version)
    .bind(stored.window_start.0)
    .bind(stored.window_end.0)
    .bind(i64::from(stored.drifted))
    .bind(serde_json::to_string(&stored.verdict)?)
    .bind(stored.created_at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What people hear when a change begins.
fn drift_alert(stored: &StoredVerdict, version: &Version) -> NewAlert {
    let verdict = &stored.verdict;
    let changed: Vec<&str> = verdict
        .features
        .iter()
        .filter(|feature| feature.drifted || feature.missing_changed)
        .map(|feature| feature.name.as_str())
        .collect();
    let what = match changed[..] {
        [] => "las respuestas del modelo cambiaron".to_owned(),
        [one] => format!("cambió «{one}»"),
        [first, second] => format!("cambiaron «{first}» y «{second}»"),
        [first, second, ..] => format!("cambiaron «{first}», «{second}» y {} más", changed.len() - 2),
    };
    let severity = if verdict.missing_changed { Severity::Importante } else { Severity::Atencion };
    NewAlert {
        service: stored.service.clone(),
        kind: Kind::Drift,
        severity,
        title: format!("Los datos de «{}» ya no se parecen a los del entrenamiento: {what}.", stored.service),
        body: json!({
            "verdict_id": stored.id,
            "model": version.model,
            "version": stored.version,
            "window_start": stored.window_start,
            "window_end": stored.window_end,
            "rows": verdict.rows,
            "features": changed,
        }),
        dedup_key: format!(
            "drift:{}:{}/{}:{}",
            stored.service, stored.model, stored.version, stored.window_start.0
        ),
    }
}

fn from_row(row: &AnyRow) -> Result<StoredVerdict> {
    Ok(StoredVerdict {
        id: row.try_get("id")?,
        service: row.try_get("service")?,
        model: row.try_get("model")?,
        version: row.try_get("version")?,
        window_start: Micros(row.try_get("window_start")?),
        window_end: Micros(row.try_get("window_end")?),
        drifted: row.try_get::<i64, _>("drifted")? != 0,
        verdict: serde_json::from_str(&row.try_get::<String, _>("body")?)?,
        created_at: Micros(row.try_get("created_at")?),
    })
}
