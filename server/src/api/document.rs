//! `/api/openapi.json`: the document of the API. It holds no secrets, but like everything it is for those with a key.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::ServiceConfig;
use serde_json::json;

use super::resource;
use crate::openapi::{self, Operation};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(resource("/api/openapi.json", "GET").get(show));
}

async fn show() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(openapi::text())
}

pub(super) fn operations() -> Vec<Operation> {
    let schema = json!({ "type": "object", "required": ["openapi", "info", "paths"] });
    vec![
        Operation::get("/api/openapi.json", "openapi", "Gives this document")
            .about("The page `/api` shows it to people.")
            .gives(200, "OpenAPI 3.1", "application/json", schema, None),
    ]
}
