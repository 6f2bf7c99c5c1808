//! `/jobs`, and their progress as server-sent events.

use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpResponse};
use chasqui_pipelines::jobs::Job;
use chasqui_registry::{Error as RegistryError, Page};
use futures::stream;
use serde_json::{Value, json};

use super::{PagingOf, Why};
use crate::api::ok;
use crate::app::App;
use crate::auth::Identity;
use crate::body::{Json, Query};
use crate::openapi::{EXAMPLE_ID, Operation};
use crate::problem::{Problem, Result};

/// How often the row is looked at.
const LOOK: Duration = Duration::from_millis(300);
/// Looks without news after which a comment keeps the connection from being taken for dead: 15 seconds.
const SILENT_LOOKS: u32 = 50;

pub(super) async fn list(app: web::Data<App>, Query(paging): Query<PagingOf>) -> Result<HttpResponse> {
    let (subject, page) = paging.split()?;
    ok(&app.jobs.list(subject.as_deref(), &page).await?)
}

pub(super) async fn get(app: web::Data<App>, id: web::Path<String>) -> Result<HttpResponse> {
    ok(&app.jobs.get(&id).await?)
}

pub(super) async fn cancel(
    app: web::Data<App>,
    who: Identity,
    id: web::Path<String>,
    Json(why): Json<Why>,
) -> Result<HttpResponse> {
    ok(&app.jobs.cancel(&who.actor, &id, &why.reason).await?)
}

/// Sends the job whenever it changes, until it has ended: `event: job`, `data: {the job}`.
pub(super) async fn events(app: web::Data<App>, id: web::Path<String>) -> Result<HttpResponse> {
    let job = app.jobs.get(&id).await?;
    let watch = Watch { app: app.into_inner(), id: id.into_inner(), next: Some(job), last: None };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(stream::unfold(watch, Watch::step)))
}

struct Watch {
    app: std::sync::Arc<App>,
    id: String,
    /// What is to be sent next.
    next: Option<Job>,
    /// What was sent last.
    last: Option<Job>,
}

impl Watch {
    async fn step(mut self) -> Option<(std::result::Result<Bytes, Error>, Self)> {
        if self.last.as_ref().is_some_and(|job| job.state.terminal()) || self.app.is_draining() {
            return None;
        }
        for _ in 0..SILENT_LOOKS {
            let job = match self.next.take() {
                Some(job) => job,
                None => match self.look().await {
                    Ok(job) => job,
                    Err(problem) => return Some((Err(problem.into()), self)),
                },
            };
            if self.last.as_ref() != Some(&job) {
                let event = event(&job);
                self.last = Some(job);
                return Some((event, self));
            }
            if self.app.is_draining() {
                return None;
            }
        }
        Some((Ok(Bytes::from_static(b": still here\n\n")), self))
    }

    async fn look(&self) -> Result<Job> {
        tokio::time::sleep(LOOK).await;
        let mut job = self.app.jobs.get(&self.id).await?;
        // The lease is renewed while nothing else changes; that is no news.
        if let Some(last) = &self.last {
            job.lease_until = last.lease_until;
            job.updated_at = last.updated_at;
        }
        Ok(job)
    }
}

fn event(job: &Job) -> std::result::Result<Bytes, Error> {
    let data = serde_json::to_string(job).map_err(|error| Problem::internal(&error))?;
    Ok(Bytes::from(format!("event: job\ndata: {data}\n\n")))
}

pub(super) fn operations() -> Vec<Operation> {
    let missing = || RegistryError::not_found("job", EXAMPLE_ID);
    let ended = RegistryError::Conflict(format!("the job `{EXAMPLE_ID}` has succeeded already"));
    // OpenAPI 3.1 has no words for streams; this is one event of it.
    let event = json!({
        "type": "object",
        "required": ["event", "data"],
        "properties": {
            "event": { "const": "job" },
            "data": {
                "type": "string",
                "description": "The job, as JSON.",
                "contentMediaType": "application/json",
                "contentSchema": { "$ref": "#/components/schemas/Job" },
            },
        },
    });
    let all = [
        Operation::get("/api/v1/jobs", "listJobs", "Lists jobs, the newest first")
            .query::<PagingOf>()
            .answers::<Page<Job>>(
                200,
                "A page of jobs",
                json!({ "items": [example()], "next_cursor": null }),
            ),
        Operation::get("/api/v1/jobs/{job}", "getJob", "Shows a job")
            .answers::<Job>(200, "The job", example())
            .fails(missing()),
        Operation::get("/api/v1/jobs/{job}/events", "followJob", "Follows a job as server-sent events")
            .about("The job is sent whenever it changes; the stream ends with it.")
            .gives(200, "The stream", "text/event-stream", event, None)
            .fails(missing()),
        Operation::post("/api/v1/jobs/{job}/cancel", "cancelJob", "Ends a job: at once, or at its next step")
            .body::<Why>(json!({ "reason": "datos equivocados" }))
            .answers::<Job>(200, "The job", example())
            .fails(missing())
            .fails(ended),
    ];
    all.into_iter().map(|operation| operation.tag("jobs")).collect()
}

pub(super) fn example() -> Value {
    json!({
        "id": EXAMPLE_ID,
        "kind": "retrain",
        "subject": "semanal",
        "payload": { "pipeline": "semanal", "trigger": "hand" },
        "state": "running",
        "attempts": 1,
        "max_attempts": 3,
        "progress": 0.4,
        "message": "training",
        "result": null,
        "error": null,
        "worker": "host-1",
        "lease_until": 1_795_280_715_000_000_i64,
        "cancel_requested_at": null,
        "run_after": 1_795_280_700_000_000_i64,
        "created_at": 1_795_280_700_000_000_i64,
        "created_by": "admin",
        "updated_at": 1_795_280_705_000_000_i64,
        "finished_at": null,
    })
}
