//! Everything that is asked over HTTP: our own API, the protocols of other servers, health and metrics.
//!
//! Handlers parse, call, render. Errors are problems ([`crate::problem`]) until the last moment; each protocol tells
//! them in its own form.

pub mod health;
pub mod idempotency;
pub mod kserve_v1;
mod language;
pub mod mlflow;
pub mod ndjson;
pub mod oip;
pub mod predict;
pub mod v1;

use actix_web::http::header;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde::Serialize;

use crate::pages;
use crate::problem::{Problem, Result};

/// Declares every route.
pub fn routes(config: &mut ServiceConfig) {
    health::routes(config);
    oip::routes(config);
    kserve_v1::routes(config);
    mlflow::routes(config);
    config.service(v1::scope());
    pages::routes(config);
}

/// A resource that answers methods it does not have with a problem that names those it has.
pub fn resource(path: &str, allow: &'static str) -> Resource {
    let refuse = move |request: HttpRequest| async move {
        let problem = Problem::method_not_allowed(request.method().as_str(), allow);
        in_dialect(request.path(), &problem)
    };
    web::resource(path).default_service(web::to(refuse))
}

/// What answers where nothing is.
pub async fn not_found(request: HttpRequest) -> HttpResponse {
    let problem = Problem::not_found(format!("there is nothing at {}", request.path()));
    in_dialect(request.path(), &problem)
}

/// A name in a path that is not one.
pub fn bad_path(error: &actix_web::error::PathError) -> actix_web::Error {
    Problem::bad_request(format!("the path is wrong: {error}")).into()
}

/// A problem in the form that callers of this path expect.
pub fn in_dialect(path: &str, problem: &Problem) -> HttpResponse {
    let is_below =
        |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match path {
        _ if is_below("/v2") => oip::error(problem),
        _ if is_below("/v1") => kserve_v1::error(problem),
        _ if mlflow::has(path) => mlflow::error(problem),
        _ => problem.response(),
    }
}

/// 200 with JSON.
pub fn ok(value: &impl Serialize) -> Result<HttpResponse> {
    json(HttpResponse::Ok(), value)
}

/// 201 with JSON, and where the new thing is.
pub fn created(location: &str, value: &impl Serialize) -> Result<HttpResponse> {
    let mut response = HttpResponse::Created();
    response.insert_header((header::LOCATION, location));
    json(response, value)
}

/// 202 with JSON: it is under way.
pub fn accepted(location: &str, value: &impl Serialize) -> Result<HttpResponse> {
    let mut response = HttpResponse::Accepted();
    response.insert_header((header::LOCATION, location));
    json(response, value)
}

fn json(mut response: actix_web::HttpResponseBuilder, value: &impl Serialize) -> Result<HttpResponse> {
    let body = serde_json::to_vec(value).map_err(|error| Problem::internal(&error))?;
    Ok(response.insert_header((header::CONTENT_TYPE, "application/json")).body(body))
}

/// A segment of a path as it stands in a URL.
pub fn segment(text: &str) -> String {
    const KEPT: &[u8] = b"-._~";
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || KEPT.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            for digit in [byte >> 4, byte & 15] {
                escaped.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn names_become_segments() {
        assert_eq!(segment("ventas-1"), "ventas-1");
        assert_eq!(segment("año nuevo?"), "a%C3%B1o%20nuevo%3F");
    }
}
