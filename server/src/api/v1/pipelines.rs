//! `/pipelines`: a declaration in TOML, and its runs.

use actix_web::{HttpRequest, HttpResponse, web};
use chasqui_pipelines::pipeline::{self, Pipeline, Trigger};
use chasqui_registry::name::PipelineName;
use serde_json::json;

use super::{Paging, Why};
use crate::api::{accepted, ok};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{self, Query};
use crate::problem::{Problem, Result};

pub(super) async fn list(app: web::Data<App>) -> Result<HttpResponse> {
    ok(&json!({ "items": pipeline::all(&app.registry).await?, "next_cursor": null }))
}

async fn find(app: &App, name: &PipelineName) -> Result<Pipeline> {
    let found = pipeline::get(&app.registry, name.as_str()).await?;
    found.ok_or_else(|| Problem::not_found(format!("the pipeline `{name}` does not exist")))
}

pub(super) async fn get(app: web::Data<App>, name: web::Path<PipelineName>) -> Result<HttpResponse> {
    ok(&find(&app, &name).await?)
}

pub(super) async fn put(
    app: web::Data<App>,
    who: Identity,
    name: web::Path<PipelineName>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let body = body::read(&request, payload, app.config.limits.json_bytes).await?;
    let declaration = std::str::from_utf8(&body)
        .map_err(|_| Problem::bad_request("the declaration must be TOML in UTF-8"))?;
    ok(&pipeline::put(&app.registry, &who.actor, &name, declaration).await?)
}

pub(super) async fn delete(
    app: web::Data<App>,
    who: Identity,
    name: web::Path<PipelineName>,
    Query(why): Query<Why>,
) -> Result<HttpResponse> {
    pipeline::delete(&app.registry, &who.actor, &name, &why.reason).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn run(
    app: web::Data<App>,
    who: Identity,
    name: web::Path<PipelineName>,
) -> Result<HttpResponse> {
    let pipeline = find(&app, &name).await?;
    let (job, started) = pipeline::start(&app.jobs, &who.actor, &pipeline, Trigger::Hand).await?;
    accepted(&format!("/api/v1/jobs/{}", job.id), &json!({ "job": job, "started": started }))
}

pub(super) async fn runs(
    app: web::Data<App>,
    name: web::Path<PipelineName>,
    Query(paging): Query<Paging>,
) -> Result<HttpResponse> {
    find(&app, &name).await?;
    ok(&pipeline::runs(&app.registry, Some(name.as_str()), &paging.request()?).await?)
}
