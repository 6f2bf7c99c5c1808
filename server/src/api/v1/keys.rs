//! `/keys`: for admins. A secret is shown once, when its key is made.

use actix_web::{HttpResponse, web};
use chasqui_registry::name::Actor;
use chasqui_registry::user::{ApiKey, Role};
use chasqui_registry::{Error, Page};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Paging;
use crate::api::{created, ok};
use crate::app::App;
use crate::auth::{Admin, Identity};
use crate::body::{Json, Query};
use crate::openapi::{EXAMPLE_ID, Operation};
use crate::problem::Result;

/// What makes a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewKey")]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    /// Whose it is, or what for; the audit log knows its acts by this name.
    name: Actor,
    /// What it may do.
    role: Role,
}

/// A new key with its secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeyWithSecret")]
struct Made<'a> {
    #[serde(flatten)]
    key: &'a ApiKey,
    /// What is sent as `Authorization: Bearer …`; it is shown only this time.
    secret: &'a str,
}

/// Whose key a request carries.
#[derive(Serialize, JsonSchema)]
struct Caller {
    /// The key's id.
    id: Uuid,
    /// Its name.
    name: Actor,
    /// What it may do.
    role: Role,
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
    ok(&Caller { id: who.key, name: who.actor, role: who.role })
}

pub(super) fn operations() -> Vec<Operation> {
    let page = || json!({ "items": [example()], "next_cursor": null });
    let mut with_secret = example();
    with_secret["secret"] = "chq_…".into();
    let all = [
        Operation::get("/api/v1/keys", "listKeys", "Lists API keys without their secrets")
            .by(Role::Admin)
            .query::<Paging>()
            .answers::<Page<ApiKey>>(200, "A page of keys, revoked ones too", page()),
        Operation::post("/api/v1/keys", "createKey", "Makes an API key")
            .about(
                "The secret is in this answer only, which is therefore not kept under an `Idempotency-Key`.",
            )
            .by(Role::Admin)
            .not_kept()
            .body::<Create>(json!({ "name": "tienda en línea", "role": "viewer" }))
            .answers::<Made>(201, "The key and its secret", with_secret),
        Operation::delete("/api/v1/keys/{key}", "revokeKey", "Revokes an API key for good")
            .by(Role::Admin)
            .done("It does not work any more")
            .fails(Error::not_found("key", EXAMPLE_ID))
            .fails(Error::Conflict("this is the last admin key; create another first".into())),
        Operation::get(
            "/api/v1/users",
            "listUsers",
            "Lists who may ask: the keys, which are the users of today",
        )
        .by(Role::Admin)
        .query::<Paging>()
        .answers::<Page<ApiKey>>(200, "A page of keys, revoked ones too", page()),
        Operation::get("/api/v1/whoami", "whoami", "Tells whose key a request carries").answers::<Caller>(
            200,
            "The key",
            json!({ "id": EXAMPLE_ID, "name": "tienda en línea", "role": "viewer" }),
        ),
    ];
    all.into_iter().map(|operation| operation.tag("keys")).collect()
}

fn example() -> Value {
    json!({
        "id": EXAMPLE_ID,
        "name": "tienda en línea",
        "role": "viewer",
        "created_at": 1_795_280_700_000_000_i64,
        "created_by": "admin",
        "last_used_at": null,
        "revoked_at": null,
    })
}
