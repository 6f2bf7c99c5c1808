//! `Idempotency-Key`: a POST that is sent again gets the first answer and is not done twice.
//!
//! One wrapper around every POST of our API but predictions, which are made anew each time. What fails by a fault
//! of ours or of the moment gives its key back, so that it can be tried again.

use actix_web::body::{BoxBody, MessageBody, to_bytes_limited};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpMessage, HttpResponse};
use chasqui_registry::artifact::Sha256Hex;
use chasqui_registry::idempotency::Begin;
use chasqui_registry::name::Actor;

use crate::app::App;
use crate::auth::Identity;
use crate::body;
use crate::problem::{Problem, Result};

const KEY: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest answer that is kept.
const MAX_ANSWER: usize = 4 << 20;

/// A request that carries a key.
struct Keyed {
    actor: Actor,
    key: String,
}

/// The wrapper.
pub async fn wrap(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> std::result::Result<ServiceResponse<BoxBody>, Error> {
    let (Some(keyed), Some(app)) = (keyed(&request), request.app_data::<web::Data<App>>().cloned()) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    match begin(&app, &keyed, &mut request).await {
        Ok(Begin::Fresh) => {}
        Ok(Begin::Done { status, body }) => return Ok(request.into_response(replay(status, body))),
        Err(problem) => return Ok(request.into_response(problem.response())),
    }
    match next.call(request).await {
        Ok(response) => finish(&app, &keyed, response).await,
        Err(error) => {
            abandon(&app, &keyed).await;
            Err(error)
        }
    }
}

fn keyed(request: &ServiceRequest) -> Option<Keyed> {
    // The answer to a new key holds its secret, which is never stored.
    let is_never_kept = ["/predict", "/keys"].iter().any(|end| request.path().ends_with(end));
    if request.method() != Method::POST || is_never_kept {
        return None;
    }
    let key = String::from_utf8_lossy(request.headers().get(KEY)?.as_bytes()).into_owned();
    let actor = request.extensions().get::<Identity>()?.actor.clone();
    Some(Keyed { actor, key })
}

/// Claims the key for this request, whose body is read for its hash and put back.
async fn begin(app: &App, keyed: &Keyed, request: &mut ServiceRequest) -> Result<Begin> {
    let payload = request
        .extract::<web::Payload>()
        .await
        .map_err(|error| Problem::bad_request(format!("the body cannot be read: {error}")))?;
    let limit = limit(app, request.path());
    let read = body::raw(payload, limit).await?;
    let described = format!("{} {}\n", request.method(), request.uri());
    let hash = Sha256Hex::of(Bytes::from([described.as_bytes(), &read].concat())).await?;
    request.set_payload(Payload::from(read));
    Ok(app.registry.begin_request(&keyed.actor, &keyed.key, &hash).await?)
}

/// The largest body that the route takes.
fn limit(app: &App, path: &str) -> usize {
    let limits = &app.config.limits;
    match path.strip_prefix("/api/v1/").and_then(|path| path.split('/').next()) {
        Some("models") => limits.model_bytes,
        Some("datasets") => limits.dataset_bytes,
        _ => limits.json_bytes,
    }
}

fn replay(status: u16, body: String) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, kind))
        .insert_header((REPLAYED, HeaderValue::from_static("true")))
        .body(body)
}

/// Keeps the answer, unless trying again may do better.
async fn finish<B: MessageBody + 'static>(
    app: &App,
    keyed: &Keyed,
    response: ServiceResponse<B>,
) -> std::result::Result<ServiceResponse<BoxBody>, Error> {
    let status = response.status();
    let may_do_better = status.is_server_error()
        || [StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS, StatusCode::UNAUTHORIZED].contains(&status);
    if may_do_better {
        abandon(app, keyed).await;
        return Ok(response.map_into_boxed_body());
    }
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let Ok(Ok(bytes)) = to_bytes_limited(body, MAX_ANSWER).await else {
        abandon(app, keyed).await;
        return Ok(ServiceResponse::new(
            request,
            Problem::internal(&"an answer is too long to be kept").response(),
        ));
    };
    let text = String::from_utf8_lossy(&bytes);
    if let Err(error) = app.registry.finish_request(&keyed.actor, &keyed.key, status.as_u16(), &text).await {
        tracing::warn!(error = %error, "the answer to a request with an idempotency key could not be kept");
    }
    Ok(ServiceResponse::new(request, head.set_body(BoxBody::new(bytes))))
}

async fn abandon(app: &App, keyed: &Keyed) {
    if let Err(error) = app.registry.abandon_request(&keyed.actor, &keyed.key).await {
        tracing::warn!(error = %error, "an idempotency key could not be given back");
    }
}
