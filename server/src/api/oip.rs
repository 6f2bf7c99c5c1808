//! The Open Inference Protocol v2 over REST; a model's name in it is a service's name here.
//!
//! Only the JSON form is spoken; binary tensors are refused in words.

mod described;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use chasqui_runtime::TensorSpec;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{health, predict, resource};
use crate::app::App;
use crate::inference::Form;
use crate::openapi::Operation;
use crate::problem::Problem;

const BINARY_HEADER: &str = "inference-header-content-length";

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/v2/health/live", "GET").get(live))
        .service(resource("/v2/health/ready", "GET").get(ready))
        .service(resource("/v2", "GET").get(server))
        .service(resource("/v2/models/{model}", "GET").get(metadata))
        .service(resource("/v2/models/{model}/ready", "GET").get(model_ready))
        .service(resource("/v2/models/{model}/infer", "POST").post(infer))
        .service(resource("/v2/models/{model}/versions/{version}", "GET").get(metadata))
        .service(resource("/v2/models/{model}/versions/{version}/ready", "GET").get(model_ready))
        .service(resource("/v2/models/{model}/versions/{version}/infer", "POST").post(infer));
}

/// What these routes say about themselves.
pub(super) fn operations() -> Vec<Operation> {
    described::operations()
}

/// An error as the protocol tells it.
#[derive(Debug)]
pub struct OipError(Problem);

impl From<Problem> for OipError {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl std::fmt::Display for OipError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

impl ResponseError for OipError {
    fn error_response(&self) -> HttpResponse {
        error(&self.0)
    }
}

/// A problem as the protocol tells it: `{"error": "…"}`.
pub fn error(problem: &Problem) -> HttpResponse {
    let mut response = HttpResponse::build(problem.status());
    problem.add_headers(&mut response);
    response.json(json!({ "error": problem.detail() }))
}

/// The named segments of a path; not every route has a version.
#[derive(Debug, Deserialize)]
struct Names {
    model: String,
    version: Option<String>,
}

type Result<T> = std::result::Result<T, OipError>;

/// The name and the version that a path carries.
#[derive(Debug)]
struct Asked {
    model: String,
    version: Option<i64>,
}

impl Asked {
    fn of(path: Names) -> Result<Self> {
        let version = path.version.map(|text| {
            let number = text.parse::<i64>();
            number.map_err(|_| {
                Problem::not_found(format!("the version `{text}` does not exist; versions are numbers"))
            })
        });
        Ok(Self { model: path.model, version: version.transpose()? })
    }
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "live": true }))
}

async fn ready(app: web::Data<App>) -> HttpResponse {
    health::status(app.is_ready()).json(json!({ "ready": app.is_ready() }))
}

async fn server() -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "name": "chasqui",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": [],
    }))
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
    versions: Vec<String>,
    platform: &'static str,
    inputs: &'a [TensorSpec],
    outputs: &'a [TensorSpec],
}

async fn metadata(app: web::Data<App>, path: web::Path<Names>) -> Result<HttpResponse> {
    let asked = Asked::of(path.into_inner())?;
    let route = app.inference.route(&asked.model)?;
    let target = match asked.version {
        None => &route.stable,
        Some(number) => crate::inference::pinned(&route, number)?,
    };
    let signature = &target.version.signature;
    Ok(HttpResponse::Ok().json(Metadata {
        name: route.name.as_str(),
        versions: route.numbers().iter().map(ToString::to_string).collect(),
        platform: "onnx_onnxv1",
        inputs: &signature.inputs,
        outputs: &signature.outputs,
    }))
}

async fn model_ready(app: web::Data<App>, path: web::Path<Names>) -> Result<HttpResponse> {
    let asked = Asked::of(path.into_inner())?;
    let ready = match app.inference.route(&asked.model) {
        Ok(route) => {
            if let Some(number) = asked.version {
                crate::inference::pinned(&route, number)?;
            }
            true
        }
        Err(problem) if problem.status().is_server_error() => false,
        Err(problem) => return Err(problem.into()),
    };
    Ok(health::status(ready).json(json!({ "name": asked.model, "ready": ready })))
}

async fn infer(
    app: web::Data<App>,
    path: web::Path<Names>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let asked = Asked::of(path.into_inner())?;
    if request.headers().contains_key(BINARY_HEADER) {
        return Err(Problem::unsupported("binary tensors are not supported; send `data` as JSON").into());
    }
    let answer = predict::predict(&app, &request, payload, &asked.model, Form::Tensors, asked.version);
    Ok(answer.await?)
}
