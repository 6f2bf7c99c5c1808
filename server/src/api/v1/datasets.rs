//! `/datasets`: a file as the body, or `{"predictions": {…}}` as JSON for the log joined with its outcomes.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use chasqui_registry::dataset::{
    ColumnType, Dataset, DatasetVersion, DateOrder, DecimalMark, Format, TextEncoding, Upload,
};
use chasqui_registry::name::{DatasetName, ServiceName};
use chasqui_registry::prediction_log::PredictionRange;
use chasqui_registry::{Error, Micros, Page};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::Paging;
use crate::api::{created, ok, segment};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{self, Query};
use crate::limits::Limits;
use crate::openapi::Operation;
use crate::problem::{Problem, Result};

/// What is stated about a file; the rest is detected.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Stated {
    /// The kind of file.
    format: Option<Format>,
    /// What separates cells.
    #[schemars(example = ';')]
    delimiter: Option<char>,
    /// What surrounds texts.
    #[schemars(example = '"')]
    quote: Option<char>,
    /// What separates the fraction of a number.
    decimal: Option<DecimalMark>,
    /// How letters are written as bytes.
    encoding: Option<TextEncoding>,
    /// Whether the first line has the names.
    header: Option<bool>,
    /// How days are written.
    date_format: Option<DateOrder>,
    /// The types of columns by name, as a JSON object; the rest is detected.
    #[schemars(example = r#"{"codigo":"text"}"#)]
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
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "DatasetFromPredictions")]
#[serde(deny_unknown_fields)]
struct Derived {
    /// Logged predictions with their outcomes.
    predictions: Predictions,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "PredictionsOfTime")]
#[serde(deny_unknown_fields)]
struct Predictions {
    /// Whose predictions.
    service: ServiceName,
    /// The first instant.
    from: super::log::Instant,
    /// The first instant after.
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
            return Err(Problem::unprocessable("the body is empty; send the file as it is"));
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

pub(super) fn operations() -> Vec<Operation> {
    let missing = || Error::not_found("dataset", "ventas");
    let no_version = || Error::not_found("dataset version", "ventas/1");
    vec![
        Operation::get("/api/v1/datasets", "listDatasets", "Lists datasets by name")
            .query::<Paging>()
            .answers::<Page<Dataset>>(
                200,
                "A page of datasets",
                json!({ "items": [dataset()], "next_cursor": null }),
            ),
        Operation::get("/api/v1/datasets/{dataset}", "getDataset", "Shows a dataset")
            .answers::<Dataset>(200, "The dataset", dataset())
            .fails(missing()),
        Operation::get(
            "/api/v1/datasets/{dataset}/versions",
            "listDatasetVersions",
            "Lists a dataset's versions",
        )
        .query::<Paging>()
        .answers::<Page<DatasetVersion>>(
            200,
            "A page of versions",
            json!({ "items": [example()], "next_cursor": null }),
        )
        .fails(missing()),
        addition(),
        Operation::get(
            "/api/v1/datasets/{dataset}/versions/{version}",
            "getDatasetVersion",
            "Shows a version of a dataset",
        )
        .answers::<DatasetVersion>(200, "The version", example())
        .fails(no_version()),
        Operation::get(
            "/api/v1/datasets/{dataset}/versions/{version}/download",
            "downloadDatasetVersion",
            "Gives a version as Parquet",
        )
        .gives_file("application/vnd.apache.parquet")
        .header("Content-Disposition")
        .fails(no_version()),
    ]
    .into_iter()
    .map(|operation| operation.tag("datasets"))
    .collect()
}

fn addition() -> Operation {
    let text = |example: &str| (json!({ "type": "string", "minLength": 1 }), Some(Value::from(example)));
    let (csv, csv_example) = text("semana;precio;ventas\n2026-01-05;1,50;120\n2026-01-12;1,75;98\n");
    let (lines, lines_example) =
        text("{\"precio\": 1.5, \"ventas\": 120}\n{\"precio\": 1.75, \"ventas\": 98}\n");
    Operation::post("/api/v1/datasets/{dataset}/versions", "addDatasetVersion", "Adds a version to a dataset")
        .about(
            "The body is the file: CSV, JSON lines or Parquet, found out from its content whatever its type says. \
             A body of type `application/json` names logged predictions instead. The first version makes the \
             dataset; the same content again is the same version.",
        )
        .query::<Stated>()
        .body::<Derived>(json!({ "predictions": { "service": "demanda", "from": "2026-01-01T00:00:00-05:00",
                                                  "to": "2026-02-01T00:00:00-05:00" } }))
        .takes("text/csv", csv, csv_example)
        .takes("application/x-ndjson", lines, lines_example)
        .takes_file("application/vnd.apache.parquet")
        .answers::<DatasetVersion>(201, "The version", example())
        .fails(Problem::unprocessable("the body is empty; send the file as it is"))
        .fails(Error::not_found("service", "demanda"))
        .fails(Error::Conflict("the dataset `ventas` was deleted; choose another name".into()))
        .fails(Problem::too_large("the body", Limits::default().dataset_bytes))
}

fn dataset() -> Value {
    json!({
        "name": "ventas",
        "description": "",
        "created_at": 1_795_280_700_000_000_i64,
        "latest_version": 1,
    })
}

fn example() -> Value {
    json!({
        "dataset": "ventas",
        "version": 1,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "size_bytes": 1412,
        "row_count": 2,
        "schema": [{ "name": "precio", "type": "float64" }, { "name": "ventas", "type": "int64" }],
        "profile": [{
            "name": "precio", "type": "float64", "count": 2, "missing": 0, "distinct": 2, "distinct_is_bound": false,
            "min": 1.5, "max": 1.75, "mean": 1.625, "std": 0.1768,
        }],
        "source": {
            "kind": "upload",
            "format": "csv",
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "size_bytes": 66,
            "dialect": { "encoding": "utf-8", "delimiter": ";", "quote": "\"", "header": true },
            "columns": [{ "type": "float64", "decimal": "comma" }, { "type": "int64" }],
        },
        "created_at": 1_795_280_700_000_000_i64,
        "created_by": "admin",
    })
}
