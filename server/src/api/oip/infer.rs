//! `POST /v2/models/M[/versions/V]/infer`, with JSON tensors and with binary ones.

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::header::{self, HeaderName};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};

use super::{Asked, Names, Result};
use crate::api::{language, predict};
use crate::app::App;
use crate::body;
use crate::edge::RequestId;
use crate::inference::snapshot::ServiceRoute;
use crate::inference::tensors::rest;
use crate::inference::{Ask, Inferred, JsonAnswer, Pin};
use crate::problem::Problem;

/// Where the JSON ends and the binary tensors begin.
const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

/// A request whose body is complete.
struct Request {
    route: Arc<ServiceRoute>,
    pin: Pin,
    id: RequestId,
    json_length: Option<usize>,
    body: Bytes,
    received: Instant,
}

pub(super) async fn infer(
    app: web::Data<App>,
    path: web::Path<Names>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let Asked { model, pin } = Asked::of(path.into_inner())?;
    let route = app.inference.route(&model)?;
    let pin = if pin == Pin::None { predict::pin(&request)? } else { pin };
    let json_length = json_length(&request)?;
    let body = body::read(&request, payload, app.config.limits.predict_bytes).await?;
    let is_heavy = app.inference.is_heavy(&route, body.len());
    let id = predict::request_id(&request);
    let asked = Request { route, pin, id, json_length, body, received: Instant::now() };
    let answered = if is_heavy { elsewhere(&app, asked).await } else { answer(&app, &asked) };
    let inferred = answered.map_err(|problem| language::told_to(&request, problem))?;
    Ok(response(inferred))
}

/// The length of the JSON, when the header says it.
fn json_length(request: &HttpRequest) -> std::result::Result<Option<usize>, Problem> {
    let Some(value) = request.headers().get(&JSON_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let wrong =
        || Problem::bad_request("the header Inference-Header-Content-Length must be a number of bytes");
    length.map(Some).ok_or_else(wrong)
}

fn answer(app: &App, asked: &Request) -> std::result::Result<Inferred<JsonAnswer>, Problem> {
    let mut call = app.inference.call(asked.id.as_str());
    call.waited = call.started.saturating_duration_since(asked.received);
    let ask = Ask { route: &asked.route, pin: asked.pin, call: &call };
    app.inference.infer(
        &ask,
        |signature, most_rows| rest::parse(&asked.body, asked.json_length, signature, most_rows),
        JsonAnswer::of,
    )
}

async fn elsewhere(
    app: &web::Data<App>,
    asked: Request,
) -> std::result::Result<Inferred<JsonAnswer>, Problem> {
    let turn = app.inference.turn(&asked.route, asked.pin).await?;
    let app = app.clone();
    let answered = web::block(move || {
        let answer = answer(&app, &asked);
        drop(turn);
        answer
    })
    .await;
    answered.map_err(|_| Problem::unavailable("the server is ending", 1))?
}

fn response(inferred: Inferred<JsonAnswer>) -> HttpResponse {
    let Inferred { written: JsonAnswer { body, json_length }, version, rollout } = inferred;
    let mut response = HttpResponse::Ok();
    match json_length {
        None => response.insert_header((header::CONTENT_TYPE, "application/json")),
        Some(length) => response
            .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
            .insert_header((JSON_LENGTH, length)),
    };
    response.insert_header((predict::MODEL_VERSION, version));
    if let Some(rollout) = rollout {
        response.insert_header((predict::ROLLOUT_ID, rollout));
    }
    response.body(body)
}
