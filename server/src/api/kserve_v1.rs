//! KServe's first protocol: `/v1/models`, `:predict` and `:explain`; a model's name in it is a service's name here.

mod described;

use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::{health, predict, resource};
use crate::app::App;
use crate::inference::Form;
use crate::openapi::Operation;
use crate::problem::{Problem, Result};

pub(super) use described::{predicted, predicted_example};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/v1/models", "GET").get(list))
        .service(resource("/v1/models/{model}:predict", "POST").post(answer))
        .service(resource("/v1/models/{model}:explain", "POST").post(explain))
        .service(resource("/v1/models/{model}", "GET").get(ready));
}

/// What these routes say about themselves.
pub(super) fn operations() -> Vec<Operation> {
    described::operations()
}

/// A problem as the protocol tells it: `{"error": "…"}`, with 400 for every wrong input.
pub fn error(problem: &Problem) -> HttpResponse {
    let status = match problem.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    };
    let mut response = HttpResponse::build(status);
    problem.add_headers(&mut response);
    response.json(json!({ "error": problem.detail() }))
}

async fn list(app: web::Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "models": app.inference.table().names() }))
}

async fn ready(app: web::Data<App>, model: web::Path<String>) -> Result<HttpResponse> {
    match app.inference.route(&model) {
        Ok(_) => Ok(HttpResponse::Ok().json(json!({ "name": *model, "ready": true }))),
        Err(problem) if problem.status().is_server_error() => {
            Ok(health::status(false)
                .json(json!({ "name": *model, "ready": false, "error": problem.detail() })))
        }
        Err(problem) => Err(problem),
    }
}

async fn answer(
    app: web::Data<App>,
    model: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    predict::predict(&app, &request, payload, &model, Form::KserveV1, None).await
}

async fn explain(app: web::Data<App>, model: web::Path<String>) -> Result<HttpResponse> {
    app.inference.route(&model)?;
    Err(no_explanation())
}

fn no_explanation() -> Problem {
    Problem::unsupported("explanations are not offered for this model; ask :predict")
}
