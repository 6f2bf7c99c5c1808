//! Is it alive, is it ready, how is it doing. These need no key.

use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::{Value, json};

use super::resource;
use crate::app::App;
use crate::openapi::Operation;
use crate::problem::{Problem, Result};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/health/live", "GET").get(live).head(live))
        .service(resource("/health/ready", "GET").get(ready).head(ready))
        .service(resource("/metrics", "GET").get(metrics));
}

/// The process answers.
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "live": true }))
}

/// Routing is loaded and the server is not ending.
async fn ready(app: web::Data<App>) -> HttpResponse {
    let reason = if app.is_draining() {
        "draining"
    } else if app.inference.is_loaded() {
        "ready"
    } else {
        "loading"
    };
    status(app.is_ready()).json(json!({ "ready": app.is_ready(), "state": reason }))
}

/// 200 or 503.
pub(super) fn status(is_ready: bool) -> HttpResponseBuilder {
    if is_ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() }
}

async fn metrics(app: web::Data<App>) -> Result<HttpResponse> {
    let text = app.metrics.render().map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4")).body(text))
}

pub(super) fn operations() -> Vec<Operation> {
    let text = json!({ "type": "string", "description": "Prometheus's text format, version 0.0.4." });
    let metrics = "# TYPE chasqui_http_requests_in_flight gauge\nchasqui_http_requests_in_flight 1\n";
    vec![
        Operation::get("/health/live", "live", "Tells that the process answers").open().gives(
            200,
            "It does",
            "application/json",
            flag_schema("live"),
            Some(json!({ "live": true })),
        ),
        Operation::get(
            "/health/ready",
            "ready",
            "Tells whether requests can be answered and should come here",
        )
        .open()
        .gives(200, "They can", "application/json", state_schema(), Some(state_example(true, "ready")))
        .gives(
            503,
            "They cannot now",
            "application/json",
            state_schema(),
            Some(state_example(false, "draining")),
        ),
        Operation::get("/metrics", "metrics", "Shows what is measured").open().gives(
            200,
            "The metrics",
            "text/plain",
            text,
            Some(metrics.into()),
        ),
    ]
}

/// An object of one flag.
pub(super) fn flag_schema(name: &str) -> Value {
    json!({ "type": "object", "required": [name], "properties": { name: { "type": "boolean" } } })
}

fn state_schema() -> Value {
    let mut schema = flag_schema("ready");
    schema["properties"]["state"] = json!({ "type": "string", "enum": ["ready", "loading", "draining"] });
    schema
}

fn state_example(ready: bool, state: &str) -> Value {
    json!({ "ready": ready, "state": state })
}
