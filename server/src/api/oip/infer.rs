//! `POST /v2/models/M[/versions/V]/infer`, with JSON tensors and with binary ones.

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::header::{self, HeaderName};
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse};

use super::{Asked, Names};
use crate::api::{language, predict};
use crate::app::App;
use crate::body;
use crate::inference::tensors::rest;
use crate::inference::{Ask, Inferred, JsonAnswer, Pin};
use crate::problem::{Problem, Result};

/// Where the JSON ends and the binary tensors begin.
const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

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
    let (received, bytes, id) = (Instant::now(), body.len(), predict::request_id(&request));
    let (work, asked) = (app.clone(), Arc::clone(&route));
    let answered = app.inference.compute(&route, pin, bytes, move |turn| {
        let call = work.inference.call(id.as_str(), received, turn);
        work.inference.infer(
            &Ask { route: &asked, pin, call: &call },
            |signature, most_rows| rest::parse(&body, json_length, signature, most_rows),
            JsonAnswer::of,
        )
    });
    let inferred = answered.await.map_err(|problem| language::told_to(&request, problem))?;
    Ok(response(inferred))
}

/// The length of the JSON, when the header says it.
fn json_length(request: &HttpRequest) -> Result<Option<usize>> {
    let Some(value) = request.headers().get(&JSON_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let wrong =
        || Problem::bad_request("the header Inference-Header-Content-Length must be a number of bytes");
    length.map(Some).ok_or_else(wrong)
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
