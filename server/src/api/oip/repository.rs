//! `/v2/repository`: which services answer, taking one out of service and bringing it back.

use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::app::App;
use crate::auth::Identity;
use crate::body;
use crate::problem::{Problem, Result};

/// The body of a question for the index.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "AskForIndex")]
#[serde(default)]
pub(super) struct Wanted {
    /// Only those that answer.
    ready: bool,
}

/// The body of a load or an unload.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "LoadOrUnload")]
#[serde(default)]
pub(super) struct Change {
    /// A load takes none; of an unload they have no effect.
    parameters: Map<String, Value>,
}

pub(super) async fn index(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let wanted: Wanted = body::parse(&read(&app, &request, payload).await?)?;
    Ok(HttpResponse::Ok().json(app.inference.index(wanted.ready)))
}

pub(super) async fn load(
    app: web::Data<App>,
    path: web::Path<String>,
    who: Identity,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let change: Change = body::parse(&read(&app, &request, payload).await?)?;
    if let Some(name) = change.parameters.keys().next() {
        return Err(cannot_override(name));
    }
    app.inference.set_loaded(&who.actor, &path, true).await?;
    Ok(HttpResponse::Ok().finish())
}

pub(super) async fn unload(
    app: web::Data<App>,
    path: web::Path<String>,
    who: Identity,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    // `unload_dependents` asks for what cannot be otherwise: no service depends on another.
    let _: Change = body::parse(&read(&app, &request, payload).await?)?;
    app.inference.set_loaded(&who.actor, &path, false).await?;
    Ok(HttpResponse::Ok().finish())
}

/// The refusal of a load that brings a configuration or files of its own.
pub fn cannot_override(parameter: &str) -> Problem {
    let shown: String = parameter.chars().take(100).collect();
    Problem::unsupported(format!(
        "a load takes no parameter `{shown}`; PUT /api/v1/services configures, and versions are registered"
    ))
}

async fn read(app: &App, request: &HttpRequest, payload: web::Payload) -> Result<Bytes> {
    body::read(request, payload, app.config.limits.json_bytes).await
}
