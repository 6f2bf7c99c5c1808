//! `/datasets`: a file as the body, or `{"predictions": {…}}` as JSON for the log joined with its outcomes.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use chasqui_registry::dataset::{
    ColumnType, DatasetVersion, DateOrder, DecimalMark, Format, TextEncoding, Upload,
};
use chasqui_registry::name::{DatasetName, ServiceName};
use chasqui_registry::prediction_log::PredictionRange;
use chasqui_registry::{Error, Micros};
use serde::Deserialize;
use std::collections::BTreeMap;

use super::Paging;
use crate::api::{created, ok, segment};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{self, Query};
use crate::problem::{Problem, Result};

/// What is stated about a file; the rest is detected.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Stated {
    format: Option<Format>,
    delimiter: Option<char>,
    quote: Option<char>,
    decimal: Option<DecimalMark>,
    encoding: Option<TextEncoding>,
    header: Option<bool>,
    date_format: Option<DateOrder>,
    /// A JSON object, column to type.
    types: Option<String>,
}

impl Stated {
    fn into_upload(self, max_bytes: usize) -> Result<Upload> {
        let types = self.types.map(|text| serde_json::from_str::<BTreeMap<String, ColumnType>>(&text));
        let types = types.transpose().map_err(|error| {
            Problem::unprocessable(format!("`types` in the query is not the right JSON: {error}"))
        })?;
        Ok(Upload {
            format: self.format,
            delimiter: self.delimiter,
            quote: self.quote,
            decimal: self.decimal,
            encoding: self.encoding,
            header: self.header,
            date_format: self.date_format,
            types: types.unwrap_or_default(),
            max_bytes,
        })
    }
}

/// A body that names where the rows are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Derived {
    predictions: Predictions,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Predictions {
    service: ServiceName,
    from: super::log::Instant,
    to: super::log::Instant,
}

pub(super) async fn add(
    app: web::Data<App>,
    who: Identity,
    name: web::Path<DatasetName>,
    Query(stated): Query<Stated>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_derived = kind.is_some_and(|kind| kind.split(';').next() == Some("application/json"));
    let version = if is_derived {
        let bytes = body::read(&request, payload, app.config.limits.json_bytes).await?;
        from_predictions(&app, &who, &name, body::parse(&bytes)?).await?
    } else {
        let limit = app.config.limits.dataset_bytes;
        let upload = stated.into_upload(limit)?;
        let _turn =
            app.uploads.acquire().await.map_err(|_| Problem::unavailable("the server is ending", 1))?;
        let bytes = body::read(&request, payload, limit).await?;
        if bytes.is_empty() {
            return Err(Problem::bad_request("the body is empty; send the file as it is"));
        }
        app.registry.add_dataset_version(&who.actor, &name, bytes, upload).await?
    };
    created(&format!("/api/v1/datasets/{}/versions/{}", segment(name.as_str()), version.version), &version)
}

async fn from_predictions(
    app: &App,
    who: &Identity,
    name: &DatasetName,
    derived: Derived,
) -> Result<DatasetVersion> {
    let Predictions { service, from, to } = derived.predictions;
    let (from, to): (Micros, Micros) = (from.0, to.0);
    let range = PredictionRange { service, from, to };
    Ok(app.registry.add_from_predictions(&who.actor, name, &range, Some(&app.log)).await?)
}

pub(super) async fn list(app: web::Data<App>, Query(paging): Query<Paging>) -> Result<HttpResponse> {
    ok(&app.registry.list_datasets(&paging.request()?).await?)
}

pub(super) async fn get(app: web::Data<App>, name: web::Path<DatasetName>) -> Result<HttpResponse> {
    let dataset = app.registry.get_dataset(&name).await?;
    ok(&dataset.ok_or_else(|| Error::not_found("dataset", &*name))?)
}

pub(super) async fn versions(
    app: web::Data<App>,
    name: web::Path<DatasetName>,
    Query(paging): Query<Paging>,
) -> Result<HttpResponse> {
    app.registry.get_dataset(&name).await?.ok_or_else(|| Error::not_found("dataset", &*name))?;
    ok(&app.registry.list_dataset_versions(&name, &paging.request()?).await?)
}

pub(super) async fn version(
    app: web::Data<App>,
    path: web::Path<(DatasetName, i64)>,
) -> Result<HttpResponse> {
    let (name, number) = path.into_inner();
    let found = app.registry.get_dataset_version(&name, Some(number)).await?;
    ok(&found.ok_or_else(|| Error::not_found("dataset version", format!("{name}/{number}")))?)
}

pub(super) async fn download(
    app: web::Data<App>,
    path: web::Path<(DatasetName, i64)>,
) -> Result<HttpResponse> {
    let (name, number) = path.into_inner();
    let bytes = app.registry.dataset_bytes(&name, number).await?;
    let disposition = format!("attachment; filename=\"version-{number}.parquet\"");
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/vnd.apache.parquet"))
        .insert_header((header::CONTENT_DISPOSITION, disposition))
        .body(bytes))
}
