//! Everything that is asked over HTTP: our own API, the protocols of other servers, health and metrics.
//!
//! Handlers parse, call, render. Errors are problems ([`crate::problem`]) until the last moment; each protocol tells
//! them in its own form.

mod document;
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

use crate::openapi::Operation;
use crate::pages;
use crate::problem::{Problem, Result};

/// Declares every route.
pub fn routes(config: &mut ServiceConfig) {
    programs(config);
    pages::routes(config);
}

/// Declares what programs ask; a route that is declared here is described in [`operations`].
///
/// A path is held against one route after the other, so what is asked most comes first, here and in each of these.
fn programs(config: &mut ServiceConfig) {
    config.service(v1::scope());
    oip::routes(config);
    kserve_v1::routes(config);
    mlflow::routes(config);
    health::routes(config);
    document::routes(config);
}

/// What the routes for programs say about themselves, for the API's document.
pub fn operations() -> Vec<Operation> {
    let all = [
        health::operations(),
        oip::operations(),
        kserve_v1::operations(),
        mlflow::operations(),
        document::operations(),
        v1::operations(),
    ];
    all.into_iter().flatten().collect()
}

/// A resource that answers methods it does not have with a problem that names those it has.
pub fn resource(path: &str, allow: &'static str) -> Resource {
    #[cfg(test)]
    tests::declared(path, allow);
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
    wrong_path(error).into()
}

/// What is said about it.
pub fn wrong_path(error: &actix_web::error::PathError) -> Problem {
    Problem::bad_request(format!("the path is wrong: {error}"))
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
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;

    thread_local! {
        static DECLARED: RefCell<Vec<(String, &'static str)>> = const { RefCell::new(Vec::new()) };
    }

    /// Notes a route that is being declared.
    pub(super) fn declared(path: &str, allow: &'static str) {
        DECLARED.with_borrow_mut(|all| all.push((path.to_owned(), allow)));
    }

    /// The routes that are declared by something, with the path that they are under.
    fn declared_by(under: &str, declare: impl FnOnce()) -> BTreeSet<(String, String)> {
        DECLARED.take();
        declare();
        let all = DECLARED.take().into_iter();
        all.flat_map(|(path, allow)| {
            allow.split(", ").map(move |method| (format!("{under}{path}"), method.to_ascii_lowercase()))
        })
        .collect()
    }

    #[test]
    fn every_route_is_described_and_every_described_route_is_there() {
        let whole = declared_by("", || {
            let _ = actix_web::App::new().configure(programs);
        });
        let inner = declared_by("", || {
            let _ = v1::scope();
        });
        let under_v1 = declared_by("/api/v1", || {
            let _ = v1::scope();
        });
        let routes: BTreeSet<_> = whole.difference(&inner).cloned().chain(under_v1).collect();
        let operations = operations();
        let described: BTreeSet<_> = operations
            .iter()
            .map(|operation| (operation.path().to_owned(), operation.method().to_owned()))
            .collect();
        assert_eq!(described.len(), operations.len(), "an operation is described twice");
        let missing: Vec<_> = routes.difference(&described).collect();
        let surplus: Vec<_> = described.difference(&routes).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "not described: {missing:?}; not there: {surplus:?}"
        );
        assert!(routes.len() > 60, "{routes:?}");
    }

    #[test]
    fn names_become_segments() {
        assert_eq!(segment("ventas-1"), "ventas-1");
        assert_eq!(segment("año nuevo?"), "a%C3%B1o%20nuevo%3F");
    }
}
