//! Is it alive, is it ready, how is it doing. These need no key.

use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::json;

use super::resource;
use crate::app::App;
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
