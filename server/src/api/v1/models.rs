//! `/models`

use actix_web::{HttpResponse, web};
use chasqui_registry::Error;
use chasqui_registry::model::NewModel;
use chasqui_registry::name::ModelName;
use chasqui_registry::page::PageRequest;
use chasqui_runtime::Task;
use serde::Deserialize;

use super::Why;
use crate::api::{created, ok, segment};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{Json, Query};
use crate::problem::Result;

/// What creates a model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    name: ModelName,
    #[serde(default)]
    description: String,
    #[serde(default)]
    task: Option<Task>,
}

/// `?search=…&cursor=…&limit=…`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    #[serde(rename = "search")]
    part: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn create(
    app: web::Data<App>,
    who: Identity,
    Json(create): Json<Create>,
) -> Result<HttpResponse> {
    let new = NewModel { description: create.description, task: create.task };
    let model = app.registry.create_model(&who.actor, &create.name, new).await?;
    created(&format!("/api/v1/models/{}", segment(model.name.as_str())), &model)
}

pub(super) async fn list(app: web::Data<App>, Query(search): Query<Search>) -> Result<HttpResponse> {
    let page = PageRequest::new(search.cursor, search.limit)?;
    ok(&app.registry.list_models(search.part.as_deref(), &page).await?)
}

pub(super) async fn get(app: web::Data<App>, name: web::Path<ModelName>) -> Result<HttpResponse> {
    let model = app.registry.get_model(&name).await?;
    ok(&model.ok_or_else(|| Error::not_found("model", &*name))?)
}

pub(super) async fn delete(
    app: web::Data<App>,
    who: Identity,
    name: web::Path<ModelName>,
    Query(why): Query<Why>,
) -> Result<HttpResponse> {
    app.registry.delete_model(&who.actor, &name, &why.reason).await?;
    app.inference.catch_up().await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn restore(
    app: web::Data<App>,
    who: Identity,
    name: web::Path<ModelName>,
    Json(why): Json<Why>,
) -> Result<HttpResponse> {
    app.registry.restore_model(&who.actor, &name, &why.reason).await?;
    app.inference.catch_up().await?;
    get(app, name).await
}
