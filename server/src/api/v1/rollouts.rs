//! `/services/{service}/rollouts` and `/rollouts`

use actix_web::{HttpResponse, web};
use chasqui_pipelines::rollout::plan::Plan;
use chasqui_pipelines::rollout::{self, EvidenceReport, NewRollout, Rollout};
use chasqui_registry::name::ServiceName;
use chasqui_registry::{Error, Page};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Paging, PagingOf, Why};
use crate::api::{created, ok};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{Json, Query, strict, unfit};
use crate::openapi::{EXAMPLE_ID, Operation};
use crate::problem::Result;

/// What starts a rollout: the version, and the plan's own members beside it.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewRollout")]
pub(super) struct Create {
    /// The version that is to take over.
    version: i64,
    /// Waits for an approval before anything happens.
    #[serde(default)]
    draft: bool,
    /// Ends the service's live rollout, if there is one.
    #[serde(default)]
    supersede: bool,
    /// Why, for the audit log.
    #[serde(default)]
    reason: String,
    #[serde(flatten)]
    #[schemars(with = "Plan")]
    plan: Map<String, Value>,
}

impl Create {
    fn into_new(self, service: ServiceName) -> Result<NewRollout> {
        let plan: Plan = strict::read(Value::Object(self.plan)).map_err(|error| unfit(&error))?;
        Ok(NewRollout {
            service,
            version: self.version,
            plan,
            draft: self.draft,
            supersede: self.supersede,
            reason: self.reason,
        })
    }
}

pub(super) async fn create(
    app: web::Data<App>,
    who: Identity,
    service: web::Path<ServiceName>,
    Json(create): Json<Create>,
) -> Result<HttpResponse> {
    let new = create.into_new(service.into_inner())?;
    let rollout = rollout::create(&app.registry, &who.actor, new).await?;
    app.inference.catch_up().await?;
    created(&format!("/api/v1/rollouts/{}", rollout.id), &rollout)
}

pub(super) async fn list(
    app: web::Data<App>,
    service: web::Path<ServiceName>,
    Query(paging): Query<Paging>,
) -> Result<HttpResponse> {
    app.registry.get_service(&service).await?.ok_or_else(|| Error::not_found("service", &*service))?;
    ok(&rollout::list(&app.registry, Some(service.as_str()), &paging.request()?).await?)
}

pub(super) async fn list_all(app: web::Data<App>, Query(paging): Query<PagingOf>) -> Result<HttpResponse> {
    let (service, page) = paging.split()?;
    ok(&rollout::list(&app.registry, service.as_deref(), &page).await?)
}

pub(super) async fn get(app: web::Data<App>, id: web::Path<String>) -> Result<HttpResponse> {
    ok(&rollout::get(&app.registry, &id).await?)
}

pub(super) async fn evidence(app: web::Data<App>, id: web::Path<String>) -> Result<HttpResponse> {
    ok(&rollout::evidence(&app.registry, &id).await?)
}

pub(super) async fn approve(
    app: web::Data<App>,
    who: Identity,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let changed = rollout::approve(&app.registry, &who.actor, &id).await?;
    done(&app, changed).await
}

pub(super) async fn pause(
    app: web::Data<App>,
    who: Identity,
    id: web::Path<String>,
    Json(why): Json<Why>,
) -> Result<HttpResponse> {
    let changed = rollout::pause(&app.registry, &who.actor, &id, &why.reason).await?;
    done(&app, changed).await
}

pub(super) async fn resume(
    app: web::Data<App>,
    who: Identity,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let changed = rollout::resume(&app.registry, &who.actor, &id).await?;
    done(&app, changed).await
}

pub(super) async fn abort(
    app: web::Data<App>,
    who: Identity,
    id: web::Path<String>,
    Json(why): Json<Why>,
) -> Result<HttpResponse> {
    let changed = rollout::abort(&app.registry, &who.actor, &id, &why.reason).await?;
    done(&app, changed).await
}

/// When a command is answered, this replica routes by it.
async fn done(app: &App, changed: Rollout) -> Result<HttpResponse> {
    app.inference.catch_up().await?;
    ok(&changed)
}

pub(super) fn operations() -> Vec<Operation> {
    let page = || json!({ "items": [example()], "next_cursor": null });
    let all = [
        Operation::get(
            "/api/v1/services/{service}/rollouts",
            "listServiceRollouts",
            "Lists a service's rollouts",
        )
        .query::<Paging>()
        .answers::<Page<Rollout>>(200, "A page of rollouts, the newest first", page())
        .fails(Error::not_found("service", "demanda")),
        start(),
        Operation::get("/api/v1/rollouts", "listRollouts", "Lists rollouts, of one service when given")
            .query::<PagingOf>()
            .answers::<Page<Rollout>>(200, "A page of rollouts, the newest first", page()),
        Operation::get("/api/v1/rollouts/{rollout}", "getRollout", "Shows a rollout")
            .answers::<Rollout>(200, "The rollout", example())
            .fails(missing()),
        Operation::get(
            "/api/v1/rollouts/{rollout}/evidence",
            "getEvidence",
            "Shows what is known of a rollout",
        )
        .about(
            "Every decision can be computed again from it; `chain_holds` says whether nothing was changed.",
        )
        .answers::<EvidenceReport>(200, "Counts, e-values and events", evidence_example())
        .fails(missing()),
        command(
            "/api/v1/rollouts/{rollout}/approve",
            "approveRollout",
            "Lets a rollout go on that waits for a person",
        ),
        command("/api/v1/rollouts/{rollout}/pause", "pauseRollout", "Stops a rollout where it is")
            .body::<Why>(json!({ "reason": "esperamos al feriado" })),
        command("/api/v1/rollouts/{rollout}/resume", "resumeRollout", "Lets a paused rollout go on"),
        command("/api/v1/rollouts/{rollout}/abort", "abortRollout", "Takes the new version out of traffic")
            .body::<Why>(json!({ "reason": "clientes se quejan" })),
    ];
    all.into_iter().map(|operation| operation.tag("rollouts")).collect()
}

fn missing() -> Error {
    Error::not_found("rollout", EXAMPLE_ID)
}

fn start() -> Operation {
    let live = "the service `demanda` has a live rollout already; abort it or ask to supersede it";
    let plan = "plan: steps[1].weight is 0.1; weights must rise strictly and stay below bake.weight (0.95), the step \
                that leads to the whole traffic";
    Operation::post(
        "/api/v1/services/{service}/rollouts",
        "startRollout",
        "Brings a version in, step by step",
    )
    .body::<Create>(json!({
        "version": 2,
        "steps": [{ "weight": 0.1, "hold": "10m", "min_requests": 100 }, { "weight": 0.5, "hold": "1h" }],
        "reason": "mejor en el control de paso",
    }))
    .answers::<Rollout>(201, "The rollout", example())
    .fails(Error::not_found("service", "demanda"))
    .fails(Error::not_found("version", "demanda/2"))
    .fails(Error::Conflict(live.into()))
    .fails(Error::Conflict("version 2 of `demanda` serves already".into()))
    .fails(Error::Invalid(plan.into()))
}

fn command(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::post(path, id, summary)
        .answers::<Rollout>(200, "The rollout as it is now", example())
        .fails(missing())
        .fails(Error::Conflict("the rollout is over (it is rolled_back)".into()))
}

fn example() -> Value {
    let at = 1_795_280_700_000_000_i64;
    let plan = serde_json::to_value(Plan::default()).unwrap_or_default();
    json!({
        "id": EXAMPLE_ID,
        "service": "demanda",
        "model": "demanda",
        "stable_version": 1,
        "canary_version": 2,
        "plan": plan,
        "salt": "5b1f6f1e0c44",
        "state": {
            "phase": { "status": "step", "index": 0 },
            "since": at, "stage_since": at, "raised_at": at, "counts_from": at,
            "segment": 1, "weights": [0.05], "approval": "none",
        },
        "status": "step",
        "terminal": false,
        "weight": 0.05,
        "segment": 1,
        "epoch": 3,
        "created_at": at,
        "created_by": "admin",
        "updated_at": at,
        "finished_at": null,
    })
}

fn evidence_example() -> Value {
    let none = json!({
        "requests": 0, "entities": 0, "errors": 0, "error_entities": 0, "latency": 0, "latency_entities": 0,
    });
    let split = json!({ "weight": 0.05, "canary": 1, "stable": 20 });
    json!({
        "rollout": example(),
        "evidence": {
            "segments": [{ "segment": 1, "weight": 0.05, "arms": { "stable": none, "canary": none } }],
            "guards": [{
                "metric": "errors", "splits": [split], "tolerated": 1.0, "ln_e": 0.4, "threshold": 250.0,
                "canary_events": 1, "canary_entities": 1, "breached": false, "ln_e_non_inferior": -0.2,
                "non_inferior_threshold": 20.0,
            }],
            "sample_ratio": { "splits": [split], "ln_e": 0.0, "threshold": 1000.0, "mismatch": false },
            "recent": { "stable": none, "canary": none },
            "joint_outage": null,
        },
        "events": [{
            "rollout_id": EXAMPLE_ID, "epoch": 1, "from_status": "", "to_status": "scheduled", "actor": "admin",
            "reason": "", "evidence": "{}", "previous_hash": "",
            "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "at": 1_795_280_700_000_000_i64,
        }],
        "chain_holds": true,
    })
}
