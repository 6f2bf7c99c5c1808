//! `/pipelines`: a declaration in TOML, and its runs.

use actix_web::{HttpRequest, HttpResponse, web};
use chasqui_pipelines::jobs::Job;
use chasqui_pipelines::pipeline::{self, Pipeline, Run, Trigger};
use chasqui_registry::name::PipelineName;
use chasqui_registry::{Error, Page};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Paging, Why};
use crate::api::{accepted, ok};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{self, Query};
use crate::limits::Limits;
use crate::openapi::{EXAMPLE_ID, Operation};
use crate::problem::{Problem, Result};

/// A run that was asked for.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AskedRun")]
struct Asked {
    /// Its job.
    job: Job,
    /// Whether it was started by this; a run that waits or runs already is not started twice.
    started: bool,
}

pub(super) async fn list(app: web::Data<App>) -> Result<HttpResponse> {
    ok(&Page { items: pipeline::all(&app.registry).await?, next_cursor: None })
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
    accepted(&format!("/api/v1/jobs/{}", job.id), &Asked { job, started })
}

pub(super) async fn runs(
    app: web::Data<App>,
    name: web::Path<PipelineName>,
    Query(paging): Query<Paging>,
) -> Result<HttpResponse> {
    find(&app, &name).await?;
    ok(&pipeline::runs(&app.registry, Some(name.as_str()), &paging.request()?).await?)
}

pub(super) fn operations() -> Vec<Operation> {
    let missing = || Error::NotFound("the pipeline `semanal` does not exist".into());
    let toml = json!({ "type": "string", "minLength": 1, "description": "The declaration, in TOML." });
    let all = [
        Operation::get("/api/v1/pipelines", "listPipelines", "Lists pipelines by name")
            .answers::<Page<Pipeline>>(
                200,
                "All of them",
                json!({ "items": [example()], "next_cursor": null }),
            ),
        Operation::get("/api/v1/pipelines/{pipeline}", "getPipeline", "Shows a pipeline")
            .answers::<Pipeline>(200, "The pipeline", example())
            .fails(missing()),
        Operation::put(
            "/api/v1/pipelines/{pipeline}",
            "putPipeline",
            "Declares a pipeline, or declares it anew",
        )
        .takes("application/toml", toml, Some(DECLARATION.into()))
        .answers::<Pipeline>(200, "The pipeline", example())
        .fails(Problem::bad_request("the declaration must be TOML in UTF-8"))
        .fails(Error::Conflict("the pipeline `semanal` was deleted meanwhile".into()))
        .fails(Problem::too_large("the body", Limits::default().json_bytes))
        .fails(body::unknown_encoding("br"))
        .fails(Error::Invalid("the declaration has no `service`".into())),
        Operation::delete(
            "/api/v1/pipelines/{pipeline}",
            "deletePipeline",
            "Deletes a pipeline; its runs stay",
        )
        .query::<Why>()
        .done("It is deleted")
        .fails(missing()),
        Operation::get(
            "/api/v1/pipelines/{pipeline}/runs",
            "listRuns",
            "Lists a pipeline's runs, the newest first",
        )
        .query::<Paging>()
        .answers::<Page<Run>>(200, "A page of runs", json!({ "items": [run_example()], "next_cursor": null }))
        .fails(missing()),
        Operation::post("/api/v1/pipelines/{pipeline}/runs", "runPipeline", "Runs a pipeline now")
            .answers::<Asked>(202, "Its job", json!({ "job": super::jobs::example(), "started": true }))
            .fails(missing()),
    ];
    all.into_iter().map(|operation| operation.tag("pipelines")).collect()
}

const DECLARATION: &str = "\
service = \"demanda\"

[source]
dataset = \"ventas\"

[features]
target = \"ventas\"
task = \"regression\"
numeric = [\"precio\"]

[learner]
kind = \"gradient_boosting\"
";

fn example() -> Value {
    let spec = chasqui_pipelines::spec::PipelineSpec::from_toml(DECLARATION);
    json!({
        "name": "semanal",
        "service": "demanda",
        "declaration": DECLARATION,
        "spec": spec.ok(),
        "created_at": 1_795_280_700_000_000_i64,
        "updated_at": 1_795_280_700_000_000_i64,
    })
}

fn run_example() -> Value {
    let latency = json!({ "median_us": 40.0, "p95_us": 62.0 });
    json!({
        "id": EXAMPLE_ID,
        "pipeline": "semanal",
        "job_id": EXAMPLE_ID,
        "trigger": "hand",
        "dataset": "ventas",
        "dataset_version": 1,
        "model": "demanda",
        "version": 2,
        "gate": {
            "verdict": "better",
            "model": "demanda",
            "champion": 1,
            "candidate": 2,
            "quality": {
                "verdict": "better", "rows": 400, "champion_loss": 14.1, "candidate_loss": 12.4,
                "mean_difference": -1.7, "low": -2.3, "high": -1.1, "min_effect": 0.0, "confidence": 0.95,
                "resamples": 2000, "seed": 7,
            },
            "latency": { "champion": latency, "candidate": latency, "limit_us": 500.0, "passed": true },
            "signature_clash": null,
            "reasons": [],
        },
        "rollout_id": EXAMPLE_ID,
        "created_at": 1_795_280_700_000_000_i64,
        "finished_at": 1_795_280_760_000_000_i64,
    })
}
