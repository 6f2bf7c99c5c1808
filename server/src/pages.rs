//! Pages for people: the dashboard, services, reports, the API's reference, and signing in and out.
//!
//! Rendered here, in Spanish unless English is asked for, and complete without JavaScript; a small script only
//! refreshes what is on the screen. Pages read what the API reads and say it in plain words; the few forms call what
//! the API calls. Nothing is decided here. Every text from outside is escaped by the templates.

mod alerts;
mod asset;
mod dashboard;
mod drift;
mod facts;
mod login;
mod performance;
mod picture;
mod reference;
mod reports;
mod rollouts;
mod runs;
mod service;
mod texts;
mod visit;
mod voice;

use actix_web::dev::RequestHead;
use actix_web::guard::{self, GuardContext};
use actix_web::http::{Method, header};
use actix_web::web::{self, ServiceConfig};
use actix_web::{Resource, Route};

use crate::api::resource;

/// Declares the pages. They come after everything else: what a browser asks for and nobody has is a page too.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(page("/").route(read().to(dashboard::show)))
        .service(page("/services/{service}").route(read().to(service::show)))
        .service(page("/services/{service}/drift").route(read().to(drift::page::show)))
        .service(page("/api").route(read().to(reference::show)))
        .service(page("/reports/{report}").route(read().to(reports::show)))
        .service(resource("/login", "GET, HEAD, POST").route(read().to(login::form)).post(login::sign_in))
        .service(resource("/logout", "POST").post(login::sign_out))
        .service(resource("/alerts/{alert}/acknowledge", "POST").post(alerts::acknowledge))
        .service(resource("/rollouts/{rollout}/{command}", "POST").post(rollouts::command))
        .service(page("/static/{file}").route(read().to(asset::show)))
        .service(web::resource("/{rest:.*}").guard(guard::fn_guard(is_for_people)).to(visit::not_found));
}

fn page(path: &str) -> Resource {
    resource(path, "GET, HEAD")
}

/// A route for what changes nothing.
fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// Whether somebody looks at it in a browser: programs are answered by the API, with problems.
fn is_for_people(context: &GuardContext<'_>) -> bool {
    let head: &RequestHead = context.head();
    let is_read = matches!(head.method, Method::GET | Method::HEAD);
    let is_program = ["/api/", "/v1/", "/v2/"].iter().any(|start| head.uri.path().starts_with(start));
    let accept = head.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    is_read && !is_program && accept.is_some_and(|accept| accept.contains("text/html"))
}
