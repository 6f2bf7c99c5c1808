//! `/services/{service}/rollouts` and `/rollouts`

use actix_web::{HttpResponse, web};
use chasqui_pipelines::rollout::plan::Plan;
use chasqui_pipelines::rollout::{self, NewRollout, Rollout};
use chasqui_registry::Error;
use chasqui_registry::name::ServiceName;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Paging, PagingOf, Why};
use crate::api::{created, ok};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{Json, Query};
use crate::problem::{Problem, Result};

/// What starts a rollout: the version, and the plan's own members beside it.
#[derive(Debug, Deserialize)]
pub(super) struct Create {
    version: i64,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    supersede: bool,
    #[serde(default)]
    reason: String,
    #[serde(flatten)]
    plan: Map<String, Value>,
}

impl Create {
    fn into_new(self, service: ServiceName) -> Result<NewRollout> {
        let plan: Plan = serde_json::from_value(Value::Object(self.plan))
            .map_err(|error| Problem::unprocessable(format!("the plan is wrong: {error}")))?;
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
