//! MLflow's scoring server: `/invocations` for one service, `/services/{service}/invocations` for each.

mod described;

use actix_web::http::{StatusCode, header};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::{health, predict, resource};
use crate::app::App;
use crate::inference::{Form, Written};
use crate::openapi::Operation;
use crate::problem::{Problem, Result};

/// Names the service that `/invocations` asks.
const SERVICE: &str = "x-chasqui-service";
/// Most services that a refusal names.
const MAX_NAMES: usize = 20;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/invocations", "POST").post(invoke_one))
        .service(resource("/services/{service}/invocations", "POST").post(invoke))
        .service(resource("/ping", "GET, HEAD").get(ping).head(ping))
        .service(resource("/health", "GET, HEAD").get(ping).head(ping))
        .service(resource("/version", "GET").get(version));
}

/// What these routes say about themselves.
pub(super) fn operations() -> Vec<Operation> {
    described::operations()
}

/// Whether a path is one of the scoring server's.
pub fn has(path: &str) -> bool {
    ["/invocations", "/ping", "/health", "/version"].contains(&path)
        || path.starts_with("/services/") && path.ends_with("/invocations")
}

/// A problem as MLflow tells it: `{"error_code": "…", "message": "…"}`, with 400 for every wrong input.
pub fn error(problem: &Problem) -> HttpResponse {
    let status = match problem.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    };
    let mut response = HttpResponse::build(status);
    problem.add_headers(&mut response);
    response.json(json!({ "error_code": code(status), "message": problem.detail() }))
}

/// MLflow's name for a status (`mlflow.exceptions.ERROR_CODE_TO_HTTP_STATUS`).
fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
        StatusCode::FORBIDDEN => "PERMISSION_DENIED",
        StatusCode::NOT_FOUND => "RESOURCE_DOES_NOT_EXIST",
        StatusCode::CONFLICT => "RESOURCE_CONFLICT",
        StatusCode::TOO_MANY_REQUESTS => "REQUEST_LIMIT_EXCEEDED",
        StatusCode::NOT_IMPLEMENTED => "NOT_IMPLEMENTED",
        StatusCode::SERVICE_UNAVAILABLE => "TEMPORARILY_UNAVAILABLE",
        StatusCode::GATEWAY_TIMEOUT => "DEADLINE_EXCEEDED",
        status if status.is_server_error() => "INTERNAL_ERROR",
        _ => "BAD_REQUEST",
    }
}

async fn ping(app: web::Data<App>) -> HttpResponse {
    health::status(app.is_ready()).insert_header((header::CONTENT_TYPE, "application/json")).body("\n")
}

/// The version of this program, where MLflow's has its own.
async fn version() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(env!("CARGO_PKG_VERSION"))
}

async fn invoke_one(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let service = meant(&app, &request)?;
    answer(&app, &request, payload, &service).await
}

async fn invoke(
    app: web::Data<App>,
    service: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    answer(&app, &request, payload, &service).await
}

async fn answer(
    app: &web::Data<App>,
    request: &HttpRequest,
    payload: web::Payload,
    service: &str,
) -> Result<HttpResponse> {
    let content_type = request.headers().get(header::CONTENT_TYPE).map(|value| {
        value.to_str().map_err(|_| Problem::unsupported_media("the content type is not readable"))
    });
    let written = Written::of(content_type.transpose()?)?;
    predict::predict(app, request, payload, service, Form::Mlflow(written), None).await
}

/// The service that a request without one in its path means: the header's, else the configured one, else the only one.
fn meant(app: &App, request: &HttpRequest) -> Result<String> {
    if let Some(name) = request.headers().get(SERVICE) {
        let name = std::str::from_utf8(name.as_bytes()).map(|name| name.trim().to_owned());
        return name.map_err(|_| Problem::bad_request(format!("the header {SERVICE} is not UTF-8")));
    }
    if let Some(name) = &app.config.invocations_service {
        return Ok(name.clone());
    }
    let table = app.inference.table();
    match table.names().as_slice() {
        [only] => Ok((*only).to_owned()),
        [] if !app.inference.is_loaded() => Err(Problem::unavailable("the server is starting", 1)),
        [] => Err(Problem::not_found("there is no service yet; register a model first")),
        several => {
            let told = several.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join("`, `");
            let more = if several.len() > MAX_NAMES { " and more" } else { "" };
            Err(Problem::bad_request(format!(
                "there are {} services, `{told}`{more}: name one with the header {SERVICE}, \
                 or post to /services/{{service}}/invocations",
                several.len()
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_the_scoring_server() {
        for path in ["/invocations", "/services/ventas/invocations", "/ping", "/health", "/version"] {
            assert!(has(path), "{path}");
        }
        for path in ["/services/ventas", "/health/live", "/invocations/x", "/api/v1/services/invocations"] {
            assert!(!has(path), "{path}");
        }
    }

    #[test]
    fn codes_are_mlflows() {
        for (status, name) in [
            (400, "BAD_REQUEST"),
            (401, "UNAUTHENTICATED"),
            (404, "RESOURCE_DOES_NOT_EXIST"),
            (405, "BAD_REQUEST"),
            (415, "BAD_REQUEST"),
            (500, "INTERNAL_ERROR"),
            (503, "TEMPORARILY_UNAVAILABLE"),
        ] {
            assert_eq!(code(StatusCode::from_u16(status).unwrap()), name);
        }
    }
}
