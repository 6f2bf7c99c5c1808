//! Reports of services: assembled from what is stored, kept as an HTML artifact and a row with the same figures.

mod annex;
mod assemble;
mod changes;
mod history;
mod meaning;
mod quality;
mod rows;

use bytes::Bytes;
use chasqui_registry::artifact::Sha256Hex;
use chasqui_registry::name::ServiceName;
use chasqui_registry::prediction_log::Log;
use chasqui_registry::{Micros, Page, PageRequest, Registry};
use chasqui_report::{Language, Report};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::{Error, Result};

/// The days of a report when nothing is said: the last four weeks.
const DEFAULT_SECONDS: i64 = 28 * 86_400;

/// What a report is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportRequest {
    /// The service.
    pub service: ServiceName,
    /// The first instant; four weeks before `to` when absent.
    #[serde(default)]
    pub from: Option<Micros>,
    /// The first instant after; now when absent.
    #[serde(default)]
    pub to: Option<Micros>,
    /// Who answers for the recommendation: a role or a team.
    #[serde(default)]
    pub responsible: Option<String>,
    /// The company's name.
    #[serde(default)]
    pub company: Option<String>,
}

/// A report as stored.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StoredReport {
    /// Its id.
    pub id: String,
    /// The service.
    pub service: String,
    /// The first instant it covers.
    pub from: Micros,
    /// The first instant after.
    pub to: Micros,
    /// Its level: `normal`, `esperado`, `atencion`, `importante`, `urgente`.
    pub level: String,
    /// The hash of the HTML page.
    pub sha256: String,
    /// The figures.
    pub report: Report,
    /// When it was written.
    pub created_at: Micros,
}

/// Writes a report under an id. The same id again gives the report that is there.
pub async fn write(
    registry: &Registry,
    log: Option<&Log>,
    id: &str,
    request: &ReportRequest,
) -> Result<StoredReport> {
    if let Some(stored) = get(registry, id).await? {
        return Ok(stored);
    }
    let now = registry.now();
    let to = request.to.unwrap_or(now);
    let from = request.from.unwrap_or(to.plus_seconds(-DEFAULT_SECONDS));
    if from >= to {
        return Err(Error::Invalid("the report ends before it begins; `from` must be before `to`".into()));
    }
    let report = assemble::assemble(registry, log, request, from, to).await?;
    let page = report.clone();
    let html =
        tokio::task::spawn_blocking(move || page.html(Language::Es)).await?.map_err(Error::internal)?;
    let sha256 = registry.artifacts.put(Bytes::from(html)).await?;
    sqlx::query(
        "INSERT INTO reports (id, service, from_at, to_at, level, sha256, body, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
    )
    .bind(id)
    .bind(request.service.as_str())
    .bind(from.0)
    .bind(to.0)
    .bind(report.level().code())
    .bind(sha256.as_str())
    .bind(serde_json::to_string(&report)?)
    .bind(now.0)
    .execute(registry.db.pool())
    .await?;
    let stored = get(registry, id).await?;
    stored.ok_or_else(|| Error::internal(format!("the report {id} was not stored")))
}

/// One report.
pub async fn get(registry: &Registry, id: &str) -> Result<Option<StoredReport>> {
    let row = sqlx::query("SELECT * FROM reports WHERE id = $1")
        .bind(id)
        .fetch_optional(registry.db.pool())
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Reports of a service, the newest first.
pub async fn list(
    registry: &Registry,
    service: &ServiceName,
    page: &PageRequest,
) -> Result<Page<StoredReport>> {
    let rows = sqlx::query(
        "SELECT * FROM reports WHERE service = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3",
    )
    .bind(service.as_str())
    .bind(page.after_text())
    .bind(page.fetch_limit())
    .fetch_all(registry.db.pool())
    .await?;
    let reports = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
    Ok(Page::of_rows(reports, page, |report| report.id.clone()))
}

/// The HTML page of a report, as it was written.
pub async fn html(registry: &Registry, stored: &StoredReport) -> Result<Bytes> {
    let sha256 = Sha256Hex::try_from(stored.sha256.clone()).map_err(Error::internal)?;
    Ok(registry.artifacts.get(&sha256).await?)
}

fn from_row(row: &AnyRow) -> Result<StoredReport> {
    Ok(StoredReport {
        id: row.try_get("id")?,
        service: row.try_get("service")?,
        from: Micros(row.try_get("from_at")?),
        to: Micros(row.try_get("to_at")?),
        level: row.try_get("level")?,
        sha256: row.try_get("sha256")?,
        report: serde_json::from_str(&row.try_get::<String, _>("body")?)?,
        created_at: Micros(row.try_get("created_at")?),
    })
}
