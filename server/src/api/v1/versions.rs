//! `/models/{model}/versions`: the ONNX file is the body, what is said about it is in the query.

use std::collections::BTreeMap;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use chasqui_registry::Error;
use chasqui_registry::name::ModelName;
use chasqui_registry::version::{Lineage, NewVersion, Version};
use chasqui_runtime::Limits;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Paging, Why};
use crate::api::{created, ok, segment};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{self, Query};
use crate::problem::{Problem, Result};

/// What is said about a version; objects and lists are JSON texts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Said {
    metrics: Option<String>,
    params: Option<String>,
    tags: Option<String>,
    lineage: Option<String>,
    card: Option<String>,
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
    let parsed = serde_json::from_str(&text);
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
        return Err(Problem::bad_request("the body is empty; send the ONNX file as it is"));
    }
    let version = app.registry.register_version(&who.actor, &model, bytes, new).await?;
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
