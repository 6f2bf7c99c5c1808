//! `/models/{model}/versions`: the ONNX file is the body, what is said about it is in the query.

use std::collections::BTreeMap;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use chasqui_pipelines::reference;
use chasqui_registry::name::ModelName;
use chasqui_registry::version::{DatasetVersionRef, Lineage, NewVersion, Version};
use chasqui_registry::{Error, Page};
use chasqui_runtime::{Limits, ModelError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Paging, Why};
use crate::api::{created, ok, segment};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{self, Json, Query, strict};
use crate::openapi::Operation;
use crate::problem::{Problem, Result};

/// What is said about a version; objects and lists are JSON texts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Said {
    /// Figures by name, as a JSON object: `{"mae": 12.4}`.
    #[schemars(example = r#"{"mae":12.4}"#)]
    metrics: Option<String>,
    /// Settings by name, as a JSON object of texts.
    params: Option<String>,
    /// Anything else by name, as a JSON object of texts.
    tags: Option<String>,
    /// Where it comes from, as a JSON object with `dataset`, `pipeline_run`, `parent_version`, `code_revision`.
    lineage: Option<String>,
    /// A description for people, in Markdown.
    card: Option<String>,
    /// Names for the columns of its only input: a JSON array, or separated by commas.
    #[schemars(example = "precio,promocion")]
    feature_names: Option<String>,
}

impl Said {
    fn into_new(self, max_bytes: usize) -> Result<NewVersion> {
        Ok(NewVersion {
            metrics: json_of("metrics", self.metrics)?.unwrap_or_default(),
            params: json_of::<BTreeMap<String, String>>("params", self.params)?.unwrap_or_default(),
            tags: json_of::<BTreeMap<String, String>>("tags", self.tags)?.unwrap_or_default(),
            lineage: json_of::<Lineage>("lineage", self.lineage)?.unwrap_or_default(),
            card: self.card.unwrap_or_default(),
            profile: None,
            feature_names: self.feature_names.map(|text| names(&text)).transpose()?,
            limits: Limits { max_bytes, ..Limits::default() },
        })
    }
}

fn json_of<T: DeserializeOwned>(name: &str, text: Option<String>) -> Result<Option<T>> {
    let Some(text) = text else { return Ok(None) };
    let parsed = strict::from_slice(text.as_bytes());
    parsed.map(Some).map_err(|error| {
        Problem::unprocessable(format!("`{name}` in the query is not the right JSON: {error}"))
    })
}

/// Names as a JSON array, or separated by commas.
fn names(text: &str) -> Result<Vec<String>> {
    if text.trim_start().starts_with('[') {
        return Ok(json_of("feature_names", Some(text.to_owned()))?.unwrap_or_default());
    }
    Ok(text.split(',').map(|name| name.trim().to_owned()).collect())
}

pub(super) async fn register(
    app: web::Data<App>,
    who: Identity,
    model: web::Path<ModelName>,
    Query(said): Query<Said>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let limit = app.config.limits.model_bytes;
    let new = said.into_new(limit)?;
    let _turn = app.uploads.acquire().await.map_err(|_| Problem::unavailable("the server is ending", 1))?;
    let bytes = body::read(&request, payload, limit).await?;
    if bytes.is_empty() {
        return Err(Problem::unprocessable("the body is empty; send the ONNX file as it is"));
    }
    let trained_on = new.lineage.dataset.clone();
    let mut version = app.registry.register_version(&who.actor, &model, bytes, new).await?;
    if let Some(dataset) = trained_on.filter(|_| version.profile_sha256.is_none()) {
        match reference::give(&app.registry, &who.actor, &version, &dataset).await {
            Ok(watched) => version = watched,
            // It may be what the features were made from, and not the features.
            Err(error) => {
                tracing::warn!(model.name = %model, model.version = version.version, error = %error,
                "the version has no reference profile: its dataset does not give one");
            }
        }
    }
    app.inference.catch_up().await?;
    created(&format!("/api/v1/models/{}/versions/{}", segment(model.as_str()), version.version), &version)
}

pub(super) async fn list(
    app: web::Data<App>,
    model: web::Path<ModelName>,
    Query(paging): Query<Paging>,
) -> Result<HttpResponse> {
    app.registry.get_model(&model).await?.ok_or_else(|| Error::not_found("model", &*model))?;
    ok(&app.registry.list_versions(&model, &paging.request()?).await?)
}

async fn find(app: &App, path: &(ModelName, i64)) -> Result<Version> {
    let (model, version) = path;
    let found = app.registry.get_version(model, *version).await?;
    Ok(found.ok_or_else(|| Error::not_found("version", format!("{model}/{version}")))?)
}

pub(super) async fn get(app: web::Data<App>, path: web::Path<(ModelName, i64)>) -> Result<HttpResponse> {
    ok(&find(&app, &path).await?)
}

pub(super) async fn delete(
    app: web::Data<App>,
    who: Identity,
    path: web::Path<(ModelName, i64)>,
    Query(why): Query<Why>,
) -> Result<HttpResponse> {
    app.registry.delete_version(&who.actor, &path.0, path.1, &why.reason).await?;
    app.inference.catch_up().await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn download(app: web::Data<App>, path: web::Path<(ModelName, i64)>) -> Result<HttpResponse> {
    let version = find(&app, &path).await?;
    let bytes = app.registry.version_bytes(&version).await?;
    let name = format!("attachment; filename=\"version-{}.onnx\"", version.version);
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .insert_header((header::CONTENT_DISPOSITION, name))
        .insert_header((header::ETAG, format!("\"{}\"", version.sha256)))
        .body(bytes))
}

pub(super) async fn profile(app: web::Data<App>, path: web::Path<(ModelName, i64)>) -> Result<HttpResponse> {
    let version = find(&app, &path).await?;
    let profile = app.registry.profile_of(&version).await?;
    ok(&profile.ok_or_else(|| Problem::not_found("the version has no reference profile"))?)
}

pub(super) async fn give_profile(
    app: web::Data<App>,
    who: Identity,
    path: web::Path<(ModelName, i64)>,
    Json(dataset): Json<DatasetVersionRef>,
) -> Result<HttpResponse> {
    let version = find(&app, &path).await?;
    let watched = reference::give(&app.registry, &who.actor, &version, &dataset).await?;
    app.inference.catch_up().await?;
    ok(&watched)
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get(
            "/api/v1/models/{model}/versions",
            "listVersions",
            "Lists a model's versions, newest first",
        )
        .query::<Paging>()
        .answers::<Page<Version>>(
            200,
            "A page of versions",
            json!({ "items": [example()], "next_cursor": null }),
        )
        .fails(Error::not_found("model", "demanda")),
        registration(),
        Operation::get("/api/v1/models/{model}/versions/{version}", "getVersion", "Shows a version")
            .answers::<Version>(200, "The version", example())
            .fails(missing()),
        Operation::delete(
            "/api/v1/models/{model}/versions/{version}",
            "deleteVersion",
            "Deletes an unused version",
        )
        .query::<Why>()
        .done("It is deleted")
        .fails(missing())
        .fails(Error::Conflict("the alias `champion` uses version 1 of `demanda`; change that first".into())),
        Operation::get(
            "/api/v1/models/{model}/versions/{version}/download",
            "downloadVersion",
            "Gives the ONNX file back, byte for byte",
        )
        .gives_file("application/octet-stream")
        .header("Content-Disposition")
        .header("ETag")
        .fails(missing()),
        Operation::get(
            "/api/v1/models/{model}/versions/{version}/profile",
            "getProfile",
            "Shows the reference profile: what the training columns looked like",
        )
        .gives(200, "The profile", "application/json", profile_schema(), Some(profile_example()))
        .fails(missing())
        .fails(Problem::not_found("the version has no reference profile")),
        giving(),
    ]
    .into_iter()
    .map(|operation| operation.tag("models"))
    .collect()
}

fn missing() -> Error {
    Error::not_found("version", "demanda/1")
}

fn giving() -> Operation {
    Operation::put(
        "/api/v1/models/{model}/versions/{version}/profile",
        "giveProfile",
        "Gives a version its reference profile from a dataset, so that its traffic is watched for drift",
    )
    .about(
        "For versions that were trained elsewhere: each feature must be a column of the dataset, which should be what \
         the model was trained on. A version that is registered with `lineage.dataset` gets it by itself where that \
         fits. Once given it stays.",
    )
    .body::<DatasetVersionRef>(json!({ "name": "ventas", "version": 1 }))
    .answers::<Version>(200, "The version", example())
    .fails(missing())
    .fails(Error::not_found("dataset", "ventas"))
    .fails(Error::Conflict("version 1 of `demanda` has another reference profile already".into()))
    .fails(Error::Invalid("the dataset does not fit the model: the table has no column `precio`".into()))
}

fn registration() -> Operation {
    Operation::post("/api/v1/models/{model}/versions", "registerVersion", "Registers an ONNX file as a version")
        .about(
            "The file is checked and tried once; what cannot run is refused and nothing is kept. The first version \
             becomes `champion` and gets a service of the model's name; later ones become `challenger`. The same \
             file again is the same version.",
        )
        .query::<Said>()
        .takes_file("application/octet-stream")
        .answers::<Version>(201, "The version", example())
        .fails(Problem::unprocessable("the body is empty; send the ONNX file as it is"))
        .fails(Error::Conflict("the model `demanda` was deleted; restore it or choose another name".into()))
        .fails(Problem::too_large("the body", Limits::default().max_bytes))
        .fails(body::unknown_encoding("br"))
        .fails(Error::from(ModelError::Invalid("the file is not ONNX".into())))
}

fn example() -> Value {
    json!({
        "model": "demanda",
        "version": 1,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "size_bytes": 48_210,
        "signature": {
            "inputs": [{ "name": "X", "datatype": "FP32", "shape": [-1, 2] }],
            "outputs": [{ "name": "variable", "datatype": "FP32", "shape": [-1, 1] }],
            "features": [
                { "name": "precio", "kind": "number", "input": 0, "column": 0 },
                { "name": "promocion", "kind": "number", "input": 0, "column": 1 },
            ],
            "task": "regression",
            "classes": [],
            "roles": { "label": null, "scores": null, "value": 0 },
        },
        "metrics": { "mae": 12.4 },
        "params": { "trees": "100" },
        "tags": {},
        "lineage": { "dataset": { "name": "ventas", "version": 1 } },
        "card": "",
        "profile_sha256": null,
        "created_at": 1_795_280_700_000_000_i64,
        "created_by": "admin",
    })
}

/// Only its frame: how columns are kept in cells is not for callers to rely on.
fn profile_schema() -> Value {
    let column = json!({
        "type": "object",
        "required": ["name", "reference"],
        "properties": {
            "name": { "type": "string" },
            "importance": { "type": "number", "description": "How much the model heeds it." },
            "reference": { "type": "object", "description": "Its values in cells, under `number` or `text`." },
        },
    });
    json!({
        "type": "object",
        "required": ["rows", "features"],
        "properties": {
            "rows": { "type": "integer", "description": "Rows that it was made of." },
            "features": { "type": "array", "items": column.clone() },
            "prediction": column,
        },
    })
}

fn profile_example() -> Value {
    json!({ "rows": 1000, "features": [{ "name": "precio", "reference": { "number": { "cuts": [1.5, 2.5] } } }] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_from_json_texts() {
        let said = Said {
            metrics: Some(r#"{"auc":0.9}"#.into()),
            feature_names: Some("price, age".into()),
            ..Said::default()
        };
        let new = said.into_new(7).unwrap();
        assert_eq!(new.metrics["auc"], 0.9);
        assert_eq!(new.feature_names.unwrap(), ["price", "age"]);
        assert_eq!(new.limits.max_bytes, 7);
        assert_eq!(names(r#"["a,b","c"]"#).unwrap(), ["a,b", "c"]);
    }

    #[test]
    fn wrong_json_is_named() {
        let said = Said { tags: Some("{".into()), ..Said::default() };
        assert!(said.into_new(7).unwrap_err().detail().contains("tags"));
    }
}
