//! `/services/{service}/reports` and `/reports/{id}.{html,json}`

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use chasqui_pipelines::jobs::{Dedup, JobKind, NewJob};
use chasqui_pipelines::report::{self, ReportRequest, StoredReport};
use chasqui_registry::Error;
use chasqui_registry::name::ServiceName;
use serde::Deserialize;
use serde_json::json;

use super::Paging;
use super::log::Instant;
use crate::api::{accepted, ok};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{Json, Query};
use crate::problem::{Problem, Result};

/// Attempts to write a report.
const ATTEMPTS: i64 = 3;

/// What a report is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    from: Option<Instant>,
    to: Option<Instant>,
    responsible: Option<String>,
    company: Option<String>,
}

pub(super) async fn create(
    app: web::Data<App>,
    who: Identity,
    service: web::Path<ServiceName>,
    Json(ask): Json<Ask>,
) -> Result<HttpResponse> {
    app.registry.get_service(&service).await?.ok_or_else(|| Error::not_found("service", &*service))?;
    let request = ReportRequest {
        service: service.clone(),
        from: ask.from.map(|instant| instant.0),
        to: ask.to.map(|instant| instant.0),
        responsible: ask.responsible,
        company: ask.company,
    };
    let new = NewJob {
        kind: JobKind::Report,
        subject: service.to_string(),
        payload: serde_json::to_value(request).map_err(|error| Problem::internal(&error))?,
        dedup: Dedup::None,
        max_attempts: ATTEMPTS,
    };
    let (job, _) = app.jobs.create(&who.actor, new).await?;
    accepted(&format!("/api/v1/reports/{}", job.id), &json!({ "report_id": job.id, "job": job }))
}

pub(super) async fn list(
    app: web::Data<App>,
    service: web::Path<ServiceName>,
    Query(paging): Query<Paging>,
) -> Result<HttpResponse> {
    app.registry.get_service(&service).await?.ok_or_else(|| Error::not_found("service", &*service))?;
    ok(&report::list(&app.registry, &service, &paging.request()?).await?)
}

/// The form is the suffix: `.html` is the page, `.json` and no suffix are the figures.
pub(super) async fn get(app: web::Data<App>, name: web::Path<String>) -> Result<HttpResponse> {
    let (id, form) = name.rsplit_once('.').unwrap_or((&name, "json"));
    match form {
        "json" => ok(&find(&app, id).await?),
        "html" => page(&app, &find(&app, id).await?).await,
        "pdf" => Err(Problem::unsupported("reports are not written as PDF yet; ask for .html")),
        other => {
            Err(Problem::not_found(format!("there is no form {other:?} of a report; html and json are")))
        }
    }
}

async fn find(app: &App, id: &str) -> Result<StoredReport> {
    let found = report::get(&app.registry, id).await?;
    found.ok_or_else(|| {
        Problem::not_found(format!("the report `{id}` does not exist, or is still being written"))
    })
}

async fn page(app: &App, stored: &StoredReport) -> Result<HttpResponse> {
    let html = report::html(&app.registry, stored).await?;
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8")).body(html))
}
