//! The Open Inference Protocol v2 over REST; a model's name in it is a service's name here.

mod described;
mod description;
mod infer;
pub mod repository;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use chasqui_runtime::TensorSpec;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{health, resource};
use crate::app::App;
use crate::inference::Pin;
use crate::openapi::Operation;
use crate::problem::{Problem, Result};

/// What kind of models these are.
pub const PLATFORM: &str = "onnx_onnxv1";

/// The parts of the protocol beyond its core that are spoken here.
pub const EXTENSIONS: [&str; 6] = [
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "schedule_policy",
    "statistics",
];

pub(super) fn routes(config: &mut ServiceConfig) {
    let models = ["/v2/models/{model}", "/v2/models/{model}/versions/{version}"];
    for model in models {
        config.service(resource(&format!("{model}/infer"), "POST").post(infer::infer));
    }
    config
        .service(resource("/v2/health/live", "GET").get(live))
        .service(resource("/v2/health/ready", "GET").get(ready))
        .service(resource("/v2", "GET").get(server))
        .service(resource("/v2/models/stats", "GET").get(description::all_statistics))
        .service(resource("/v2/repository/index", "POST").post(repository::index))
        .service(resource("/v2/repository/models/{model}/load", "POST").post(repository::load))
        .service(resource("/v2/repository/models/{model}/unload", "POST").post(repository::unload));
    for model in models {
        let under = |name: &str| format!("{model}/{name}");
        config
            .service(resource(model, "GET").get(metadata))
            .service(resource(&under("ready"), "GET").get(model_ready))
            .service(resource(&under("stats"), "GET").get(description::statistics))
            .service(resource(&under("config"), "GET").get(description::configuration));
    }
}

/// What these routes say about themselves.
pub(super) fn operations() -> Vec<Operation> {
    described::operations()
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

/// The name and the version that a path carries.
#[derive(Debug)]
struct Asked {
    model: String,
    pin: Pin,
}

impl Asked {
    fn of(path: Names) -> Result<Self> {
        let pin = path.version.map_or(Ok(Pin::None), |text| version(&text))?;
        Ok(Self { model: path.model, pin })
    }
}

/// A version as the protocol writes it.
pub fn version(text: &str) -> Result<Pin> {
    let number = text.parse().map(Pin::Version);
    number.map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        Problem::not_found(format!("the version `{shown}` does not exist; versions are numbers"))
    })
}

/// Clients read either key, here and in [`ready`].
async fn live(app: web::Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "live": true, "ready": app.is_ready() }))
}

async fn ready(app: web::Data<App>) -> HttpResponse {
    let is_ready = app.is_ready();
    health::status(is_ready).json(json!({ "live": true, "ready": is_ready }))
}

async fn server() -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "name": "chasqui",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": EXTENSIONS,
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
    let found = app.inference.configuration(&asked.model, asked.pin)?;
    let signature = found.signature();
    Ok(HttpResponse::Ok().json(Metadata {
        name: found.route.name.as_str(),
        versions: found.route.numbers().iter().map(ToString::to_string).collect(),
        platform: PLATFORM,
        inputs: &signature.inputs,
        outputs: &signature.outputs,
    }))
}

async fn model_ready(app: web::Data<App>, path: web::Path<Names>) -> Result<HttpResponse> {
    let asked = Asked::of(path.into_inner())?;
    let ready = app.inference.is_ready(&asked.model, asked.pin)?;
    Ok(health::status(ready).json(json!({ "name": asked.model, "ready": ready })))
}
