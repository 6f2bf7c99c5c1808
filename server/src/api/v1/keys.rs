//! `/keys`: for admins. A secret is shown once, when its key is made.

use actix_web::{HttpResponse, web};
use chasqui_registry::name::Actor;
use chasqui_registry::user::{ApiKey, Role};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::Paging;
use crate::api::{created, ok};
use crate::app::App;
use crate::auth::{Admin, Identity};
use crate::body::{Json, Query};
use crate::problem::Result;

/// What makes a key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    name: Actor,
    role: Role,
}

#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    key: &'a ApiKey,
    secret: &'a str,
}

pub(super) async fn create(
    app: web::Data<App>,
    Admin(who): Admin,
    Json(create): Json<Create>,
) -> Result<HttpResponse> {
    let (key, secret) = app.registry.create_key(&who.actor, &create.name, create.role).await?;
    app.keys.refresh().await?;
    created(&format!("/api/v1/keys/{}", key.id), &Made { key: &key, secret: secret.expose() })
}

pub(super) async fn list(
    app: web::Data<App>,
    _: Admin,
    Query(paging): Query<Paging>,
) -> Result<HttpResponse> {
    ok(&app.registry.list_keys(&paging.request()?).await?)
}

pub(super) async fn revoke(
    app: web::Data<App>,
    Admin(who): Admin,
    id: web::Path<Uuid>,
) -> Result<HttpResponse> {
    app.registry.revoke_key(&who.actor, *id).await?;
    app.keys.refresh().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Whose key this request carries.
pub(super) async fn whoami(who: Identity) -> Result<HttpResponse> {
    ok(&json!({ "id": who.key, "name": who.actor, "role": who.role }))
}
