//! `/models/{model}/aliases`

use actix_web::{HttpResponse, web};
use chasqui_registry::Error;
use chasqui_registry::alias::SetAlias;
use chasqui_registry::name::{AliasName, ModelName};
use serde::Deserialize;
use serde_json::json;

use super::Why;
use crate::api::ok;
use crate::app::App;
use crate::auth::Identity;
use crate::body::{Json, Query};
use crate::problem::Result;

/// What moves an alias.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Move {
    version: i64,
    #[serde(default)]
    reason: String,
}

pub(super) async fn list(app: web::Data<App>, model: web::Path<ModelName>) -> Result<HttpResponse> {
    app.registry.get_model(&model).await?.ok_or_else(|| Error::not_found("model", &*model))?;
    let aliases = app.registry.list_aliases(&model).await?;
    ok(&json!({ "items": aliases, "next_cursor": null }))
}

pub(super) async fn get(
    app: web::Data<App>,
    path: web::Path<(ModelName, AliasName)>,
) -> Result<HttpResponse> {
    let (model, alias) = path.into_inner();
    let version = app.registry.resolve_alias(&model, &alias).await?;
    let version = version.ok_or_else(|| Error::not_found("alias", format!("{model}@{alias}")))?;
    ok(&json!({ "model": model, "alias": alias, "version": version }))
}

pub(super) async fn put(
    app: web::Data<App>,
    who: Identity,
    path: web::Path<(ModelName, AliasName)>,
    Json(wanted): Json<Move>,
) -> Result<HttpResponse> {
    let (model, alias) = path.into_inner();
    let set = SetAlias { model: &model, alias: &alias, version: wanted.version, reason: &wanted.reason };
    let moved = app.registry.set_alias(&who.actor, set).await?;
    app.inference.catch_up().await?;
    ok(&moved)
}

pub(super) async fn delete(
    app: web::Data<App>,
    who: Identity,
    path: web::Path<(ModelName, AliasName)>,
    Query(why): Query<Why>,
) -> Result<HttpResponse> {
    let (model, alias) = path.into_inner();
    app.registry.remove_alias(&who.actor, &model, &alias, &why.reason).await?;
    app.inference.catch_up().await?;
    Ok(HttpResponse::NoContent().finish())
}
