//! What the forms of prediction have in common: read the body, answer here or on a thread of its own, add headers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{self, HeaderName};
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::language;
use crate::app::App;
use crate::body;
use crate::edge::RequestId;
use crate::inference::{Form, Pin};
use crate::limits::Limits;
use crate::openapi::Operation;
use crate::problem::{Problem, Result};

pub(super) const MODEL_VERSION: HeaderName = HeaderName::from_static("x-model-version");
pub(super) const ROLLOUT_ID: HeaderName = HeaderName::from_static("x-rollout-id");

/// Answers a prediction request of any form. A version in the path wins over one in the header.
pub async fn predict(
    app: &web::Data<App>,
    request: &HttpRequest,
    payload: web::Payload,
    service: &str,
    form: Form,
    version: Option<i64>,
) -> Result<HttpResponse> {
    let route = app.inference.route(service)?;
    let pin = match version {
        Some(version) => Pin::Version(version),
        None => pin(request)?,
    };
    let id = request_id(request);
    let body = body::read(request, payload, app.config.limits.predict_bytes).await?;
    let (received, bytes) = (Instant::now(), body.len());
    let (work, asked) = (app.clone(), Arc::clone(&route));
    let answered = app.inference.compute(&route, pin, bytes, move |turn| {
        let call = work.inference.call(id.as_str(), received, turn);
        work.inference.answer(form, &asked, &body, pin, &call)
    });
    let answer = answered.await.map_err(|problem| language::told_to(request, problem))?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((MODEL_VERSION, answer.version));
    if let Some(rollout) = answer.rollout {
        response.insert_header((ROLLOUT_ID, rollout));
    }
    Ok(response.body(answer.body))
}

/// Adds what every form of prediction has to say about itself, for the API's document.
pub(super) fn described(operation: Operation) -> Operation {
    let limits = Limits::default();
    let operation = if operation.path().contains("{version}") {
        operation
    } else {
        operation
            .parameter(version_header())
            .fails(Problem::bad_request("the header x-model-version must be a version's number"))
            .fails(Problem::not_found(
                "version 7 of the service `demanda` is not loaded; 1, 2 can be asked for",
            ))
    };
    let full = format!("{} requests wait for version 1 of `demanda` already", limits.queue);
    operation
        .header("X-Model-Version")
        .header("X-Rollout-Id")
        .fails(Problem::too_large("the body", limits.predict_bytes))
        .fails(body::unknown_encoding("br"))
        .fails(Problem::model_failed("the model failed: the answer is not a number"))
        .fails(Problem::unavailable("the prediction log cannot be written; nothing is answered unlogged", 1))
        .fails(Problem::unavailable(full, 1))
        .fails(Problem::late(Duration::from_millis(limits.deadline_ms)))
}

/// `X-Model-Version` of a request.
fn version_header() -> Value {
    json!({
        "name": "X-Model-Version",
        "in": "header",
        "description": "The version that must answer, whatever the routing says; one that serves now.",
        "schema": { "type": "string", "pattern": "^[0-9]{1,18}$" },
        "example": "1",
    })
}

/// The version that the header asks for.
pub(super) fn pin(request: &HttpRequest) -> Result<Pin> {
    let Some(value) = request.headers().get(MODEL_VERSION) else { return Ok(Pin::None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    number
        .map(Pin::Version)
        .ok_or_else(|| Problem::bad_request("the header x-model-version must be a version's number"))
}

/// The id that the middleware gave the request.
pub(super) fn request_id(request: &HttpRequest) -> RequestId {
    use actix_web::HttpMessage;
    let id = request.extensions().get::<RequestId>().cloned();
    id.unwrap_or_else(|| RequestId(crate::telemetry::request_id(None)))
}
