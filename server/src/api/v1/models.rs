//! `/models`

use actix_web::{HttpResponse, web};
use chasqui_registry::model::{Model, NewModel};
use chasqui_registry::name::ModelName;
use chasqui_registry::page::PageRequest;
use chasqui_registry::{Error, Page};
use chasqui_runtime::Task;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Why;
use crate::api::{created, ok, segment};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{Json, Query};
use crate::openapi::Operation;
use crate::problem::Result;

/// What creates a model.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewModel")]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    /// Its name, which its first service gets too.
    name: ModelName,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// What its answers are; found out from the first version without it.
    #[serde(default)]
    task: Option<Task>,
}

/// `?search=…&cursor=…&limit=…`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    /// Only models with this in their name.
    #[serde(rename = "search")]
    part: Option<String>,
    /// `next_cursor` of the page before; from the start without it.
    cursor: Option<String>,
    /// Items of a page, 100 unless given.
    #[schemars(range(min = 1, max = 1000))]
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

pub(super) fn operations() -> Vec<Operation> {
    let missing = || Error::not_found("model", "demanda");
    let exists = Error::AlreadyExists(
        "the model `demanda` exists already, perhaps deleted; choose another name or restore it".into(),
    );
    let in_use = Error::Conflict(
        "the service `demanda` answers with the model `demanda`; delete the service first".into(),
    );
    vec![
        Operation::get("/api/v1/models", "listModels", "Lists models by name")
            .query::<Search>()
            .answers::<Page<Model>>(
                200,
                "A page of models",
                json!({ "items": [example()], "next_cursor": null }),
            ),
        Operation::post("/api/v1/models", "createModel", "Creates a model without versions")
            .about("Registering a version creates its model too.")
            .body::<Create>(
                json!({ "name": "demanda", "description": "Ventas por semana", "task": "regression" }),
            )
            .answers::<Model>(201, "The model", example())
            .fails(exists),
        Operation::get("/api/v1/models/{model}", "getModel", "Shows a model")
            .answers::<Model>(200, "The model", example())
            .fails(missing()),
        Operation::delete(
            "/api/v1/models/{model}",
            "deleteModel",
            "Deletes a model that no service routes to",
        )
        .query::<Why>()
        .about("It can be restored.")
        .done("It is deleted")
        .fails(missing())
        .fails(in_use),
        Operation::post("/api/v1/models/{model}/restore", "restoreModel", "Restores a deleted model")
            .body::<Why>(json!({ "reason": "it was deleted by mistake" }))
            .answers::<Model>(200, "The model", example())
            .fails(Error::NotFound("there is no deleted model `demanda`".into())),
    ]
    .into_iter()
    .map(|operation| operation.tag("models"))
    .collect()
}

fn example() -> Value {
    json!({
        "name": "demanda",
        "description": "Ventas por semana",
        "task": "regression",
        "created_at": 1_795_280_700_000_000_i64,
        "updated_at": 1_795_280_700_000_000_i64,
    })
}
