//! `/services/{service}/reports` and `/reports/{id}.{html,json}`

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use chasqui_pipelines::jobs::{Dedup, Job, JobKind, NewJob};
use chasqui_pipelines::report::{self, ReportRequest, StoredReport};
use chasqui_registry::name::ServiceName;
use chasqui_registry::{Error, Page};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Paging;
use super::log::Instant;
use crate::api::{accepted, ok};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{Json, Query};
use crate::openapi::{EXAMPLE_ID, Operation};
use crate::problem::{Problem, Result};

/// Attempts to write a report.
const ATTEMPTS: i64 = 3;

/// What a report is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "AskForReport")]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// The first moment; four weeks before the end unless given.
    from: Option<Instant>,
    /// The first moment after; now unless given.
    to: Option<Instant>,
    /// Who is to act on it.
    responsible: Option<String>,
    /// Whose report it is.
    company: Option<String>,
}

/// A report that was asked for.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AskedReport")]
struct Asked {
    /// Its id, once it is written.
    report_id: String,
    /// The job that writes it.
    job: Job,
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
    let location = format!("/api/v1/reports/{}", job.id);
    accepted(&location, &Asked { report_id: job.id.clone(), job })
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
        other => Err(no_form(other)),
    }
}

fn no_form(name: &str) -> Problem {
    Problem::not_found(format!("there is no form {name:?} of a report; html and json are"))
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

pub(super) fn operations() -> Vec<Operation> {
    let no_service = || Error::not_found("service", "demanda");
    let missing = format!("the report `{EXAMPLE_ID}` does not exist, or is still being written");
    let page = json!({ "type": "string", "description": "The page, complete in itself." });
    let all = [
        Operation::get("/api/v1/services/{service}/reports", "listReports", "Lists a service's reports")
            .query::<Paging>()
            .answers::<Page<StoredReport>>(
                200,
                "A page of reports, the newest first",
                json!({ "items": [example()], "next_cursor": null }),
            )
            .fails(no_service()),
        Operation::post("/api/v1/services/{service}/reports", "writeReport", "Has a report written")
            .body::<Ask>(json!({ "responsible": "Jefatura de ventas" }))
            .answers::<Asked>(
                202,
                "Where it will be, and the job that writes it",
                json!({ "report_id": EXAMPLE_ID, "job": super::jobs::example() }),
            )
            .fails(no_service()),
        Operation::get("/api/v1/reports/{report}", "getReport", "Shows a report as figures or as its page")
            .answers::<StoredReport>(200, "The figures; the page for an id with `.html`", example())
            .gives(200, "", "text/html", page, None)
            .fails(Problem::not_found(missing))
            .fails(no_form("pdf")),
    ];
    all.into_iter().map(|operation| operation.tag("reports")).collect()
}

fn example() -> Value {
    json!({
        "id": EXAMPLE_ID,
        "service": "demanda",
        "from": 1_792_800_000_000_000_i64,
        "to": 1_795_280_700_000_000_i64,
        "level": "normal",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "report": {
            "level": "normal",
            "service": "demanda",
            "company": null,
            "subject": null,
            "generated_at": "2026-11-21T17:05:00Z",
            "period": { "from": "2026-10-24", "to": "2026-11-20" },
            "numbers": "by_language",
            "facts": {
                "change": "none", "performance": "within_range", "data_damaged": false, "group_harmed": false,
                "days_to_minimum": null,
            },
            "quality": null,
            "changes": [],
            "money": { "unknown": { "missing": ["value_per_answer"] } },
            "season": "no_change",
            "recommendation": { "action": "nothing", "responsible": null, "due": null },
            "inaction": "no_consequence",
            "confidence": {
                "certainty": null, "rows_reference": 1000, "rows_current": 5210, "rows_needed": 100, "outcomes": 4801,
            },
            "fairness": "not_measured",
            "history": { "days": [], "unit": "plain", "target": null, "events": [], "shares": [] },
            "annex": {
                "features": [], "windows": 4, "alpha": 0.05, "versions": [], "gate": null, "rollout": null,
                "lineage": {
                    "version": "1", "dataset": null, "dataset_sha256": null, "run": null, "parent": null,
                    "algorithm": null, "code": null, "trained_at": null,
                },
            },
        },
        "created_at": 1_795_280_700_000_000_i64,
    })
}
