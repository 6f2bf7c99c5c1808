//! `/models/{model}/aliases`

use actix_web::{HttpResponse, web};
use chasqui_registry::alias::{Alias, SetAlias};
use chasqui_registry::name::{AliasName, ModelName};
use chasqui_registry::{Error, Page};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Why;
use crate::api::ok;
use crate::app::App;
use crate::auth::Identity;
use crate::body::{Json, Query};
use crate::openapi::Operation;
use crate::problem::Result;

/// What moves an alias.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "MoveAlias")]
#[serde(deny_unknown_fields)]
pub(super) struct Move {
    /// The version that it names from now on.
    version: i64,
    /// Why, for the audit log.
    #[serde(default)]
    reason: String,
}

/// What an alias names.
#[derive(Serialize, JsonSchema)]
struct AliasTarget {
    /// The model.
    model: ModelName,
    /// The alias.
    alias: AliasName,
    /// The version that it names.
    version: i64,
}

pub(super) async fn list(app: web::Data<App>, model: web::Path<ModelName>) -> Result<HttpResponse> {
    app.registry.get_model(&model).await?.ok_or_else(|| Error::not_found("model", &*model))?;
    let aliases = app.registry.list_aliases(&model).await?;
    ok(&Page { items: aliases, next_cursor: None })
}

pub(super) async fn get(
    app: web::Data<App>,
    path: web::Path<(ModelName, AliasName)>,
) -> Result<HttpResponse> {
    let (model, alias) = path.into_inner();
    let version = app.registry.resolve_alias(&model, &alias).await?;
    let version = version.ok_or_else(|| Error::not_found("alias", format!("{model}@{alias}")))?;
    ok(&AliasTarget { model, alias, version })
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

pub(super) fn operations() -> Vec<Operation> {
    let missing = || Error::not_found("alias", "demanda@champion");
    let no_version = || Error::not_found("version", "demanda/7");
    vec![
        Operation::get("/api/v1/models/{model}/aliases", "listAliases", "Lists a model's aliases")
            .answers::<Page<Alias>>(200, "All of them", json!({ "items": [example()], "next_cursor": null }))
            .fails(Error::not_found("model", "demanda")),
        Operation::get("/api/v1/models/{model}/aliases/{alias}", "getAlias", "Tells which version an alias names")
            .answers::<AliasTarget>(
                200,
                "The version",
                json!({ "model": "demanda", "alias": "champion", "version": 1 }),
            )
            .fails(missing()),
        Operation::put("/api/v1/models/{model}/aliases/{alias}", "moveAlias", "Moves an alias to a version")
            .about("Services that route to the alias answer with the version at once; a rollout is the careful way.")
            .body::<Move>(json!({ "version": 1, "reason": "aprobada por ventas" }))
            .answers::<Alias>(200, "The alias", example())
            .fails(no_version())
            .fails(Error::Conflict(
                "version 7 cannot take the place of 1 in the service `demanda`: the input `X` is missing".into(),
            )),
        Operation::delete("/api/v1/models/{model}/aliases/{alias}", "removeAlias", "Removes an alias")
            .query::<Why>()
            .done("It is removed")
            .fails(missing())
            .fails(Error::Conflict("the service `demanda` routes to the alias `champion`".into())),
    ]
    .into_iter()
    .map(|operation| operation.tag("models"))
    .collect()
}

fn example() -> Value {
    json!({ "model": "demanda", "alias": "champion", "version": 1, "updated_at": 1_795_280_700_000_000_i64 })
}
