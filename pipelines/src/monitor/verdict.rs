//! Verdicts as rows.

use chasqui_drift::DriftVerdict;
use chasqui_registry::db::Tx;
use chasqui_registry::name::ServiceName;
use chasqui_registry::{Micros, Page, PageRequest, Registry};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Assessment, WindowKey};
use crate::error::Result;

/// Verdicts among which the last one on a window with enough rows is looked for.
const LOOKED_BACK: i64 = 16;

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
    /// Something changed that deserves an alarm: the values did and no season explains it, or cells are missing.
    pub drifted: bool,
    /// What the scan found.
    pub verdict: DriftVerdict,
    /// What it means: faults, season, kinds and dates, incidents.
    pub assessment: Assessment,
    /// When it was judged.
    pub created_at: Micros,
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
pub(super) async fn lock(tx: &mut Tx, key: &WindowKey) -> Result<()> {
    sqlx::query("UPDATE services SET updated_at = updated_at WHERE name = $1")
        .bind(&key.service)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Verdicts on windows of a version up to one.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// On the last window.
    pub(super) latest: Option<StoredVerdict>,
    /// On the last window that had enough rows to be compared.
    pub(super) whole: Option<StoredVerdict>,
}

impl Earlier {
    pub(super) async fn read(
        executor: impl sqlx::Executor<'_, Database = sqlx::Any>,
        key: &WindowKey,
    ) -> Result<Self> {
        let rows = sqlx::query(
            "SELECT * FROM drift_verdicts WHERE service = $1 AND model = $2 AND version = $3 \
             AND window_start <= $4 ORDER BY window_start DESC LIMIT $5",
        )
        .bind(&key.service)
        .bind(&key.model)
        .bind(key.version)
        .bind(key.window_start.0)
        .bind(LOOKED_BACK)
        .fetch_all(executor)
        .await?;
        let verdicts = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
        let whole = verdicts.iter().find(|verdict| !verdict.assessment.few_rows).cloned();
        Ok(Self { latest: verdicts.into_iter().next(), whole })
    }
}

pub(super) async fn insert(tx: &mut Tx, stored: &StoredVerdict) -> Result<()> {
    sqlx::query(
        "INSERT INTO drift_verdicts (id, service, model, version, window_start, window_end, drifted, body, \
         assessment, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&stored.id)
    .bind(&stored.service)
    .bind(&stored.model)
    .bind(stored.version)
    .bind(stored.window_start.0)
    .bind(stored.window_end.0)
    .bind(i64::from(stored.drifted))
    .bind(serde_json::to_string(&stored.verdict)?)
    .bind(serde_json::to_string(&stored.assessment)?)
    .bind(stored.created_at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
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
        assessment: match row.try_get::<Option<String>, _>("assessment")? {
            Some(text) => serde_json::from_str(&text)?,
            None => Assessment::default(),
        },
        created_at: Micros(row.try_get("created_at")?),
    })
}
