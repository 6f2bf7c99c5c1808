//! What happens to every request before and after its handler: an id, a key, a count, a line in the log.
//!
//! Closed unless listed: a path that is not in [`is_open`] needs a key, whatever its handler does.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use chasqui_registry::user::Role;
use prometheus::IntGauge;

use crate::app::App;
use crate::auth::Identity;
use crate::problem::Problem;
use crate::{api, telemetry};

/// The id of a request, for handlers.
#[derive(Debug, Clone)]
pub struct RequestId(pub HeaderValue);

impl RequestId {
    /// As text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("-")
    }
}

impl FromRequest for RequestId {
    type Error = Error;
    type Future = std::future::Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let id = request.extensions().get::<Self>().cloned();
        std::future::ready(Ok(id.unwrap_or_else(|| Self(telemetry::request_id(None)))))
    }
}

/// Counts a request while it is in progress.
struct InProgress(IntGauge);

impl InProgress {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The middleware around everything.
pub async fn handle(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let Some(app) = request.app_data::<web::Data<App>>().cloned() else {
        return Ok(request.into_response(HttpResponse::InternalServerError().finish()));
    };
    let _in_progress = InProgress::new(&app.metrics.in_flight);
    let id = telemetry::request_id(request.headers().get(telemetry::REQUEST_ID));
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = match admit(&app, &request) {
        Ok(identity) => {
            if let Some(identity) = identity {
                request.extensions_mut().insert(identity);
            }
            in_dialect(next.call(request).await?.map_into_boxed_body())
        }
        Err(problem) => {
            let refusal = refusal(&request, &problem);
            request.into_response(refusal)
        }
    };
    let is_draining = app.is_draining();
    let head = response.response_mut().head_mut();
    head.headers.insert(HeaderName::from_static(telemetry::REQUEST_ID), id);
    head.headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_draining {
        head.set_connection_type(ConnectionType::Close);
    }
    account(&app, &response, started);
    Ok(response)
}

/// Whether a path is asked by machines again and again to learn how the server is.
fn is_probe(path: &str) -> bool {
    ["/metrics", "/ping", "/health"].contains(&path)
        || ["/health/", "/v2/health/"].iter().any(|start| path.starts_with(start))
}

/// Whether a path needs no key.
fn is_open(path: &str) -> bool {
    is_probe(path) || path == "/login" || path.starts_with("/static/")
}

/// Whether a request asks for predictions, which every role may: an application's key need not be an editor's.
fn is_prediction(method: &Method, path: &str) -> bool {
    let service = path.strip_prefix("/api/v1/services/").and_then(|rest| rest.strip_suffix("/predict"));
    // A service may be called `predict` too, and `PUT /api/v1/services/predict` changes it.
    let is_friendly = service.is_some_and(|service| !service.is_empty() && !service.contains('/'));
    let is_v2 = path.starts_with("/v2/models/") && path.ends_with("/infer");
    let is_v1 = path.starts_with("/v1/models/") && (path.ends_with(":predict") || path.ends_with(":explain"));
    let is_mlflow = api::mlflow::has(path);
    *method == Method::POST && (is_friendly || is_v2 || is_v1 || is_mlflow)
}

/// Why the escapes of a path are refused, if they are. What is not UTF-8 the router would read as a replacement
/// character, and two names would be one; NUL is in no name, and PostgreSQL does not take it in a question.
pub(crate) fn fault_of_escapes(path: &str) -> Option<&'static str> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| tail.get(..2)).flatten().and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    match std::str::from_utf8(&bytes) {
        Err(_) => Some("the escapes in the path are not UTF-8"),
        Ok(text) if text.contains('\0') => Some("there is a NUL character in the path; leave it out"),
        Ok(_) => None,
    }
}

/// Who is asking, when that may be asked: everything that changes something needs an editor.
fn admit(app: &App, request: &ServiceRequest) -> Result<Option<Identity>, Problem> {
    if let Some(fault) = fault_of_escapes(request.path()) {
        return Err(Problem::bad_request(fault));
    }
    if request.query_string().contains("%00") {
        return Err(Problem::bad_request("there is a NUL character in the query; leave it out"));
    }
    if is_open(request.path()) {
        return Ok(None);
    }
    let identity = app.keys.identify(request.method(), request.headers())?;
    let (method, path) = (request.method(), request.path());
    let is_question = path == "/logout" || path == "/v2/repository/index" || is_prediction(method, path);
    let changes = !method.is_safe() && !is_question;
    identity.require(if changes { Role::Editor } else { Role::Viewer })?;
    Ok(Some(identity))
}

/// A problem that a handler returned, told in the dialect of the path.
fn in_dialect(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let problem = response.response().error().and_then(|error| error.as_error::<Problem>());
    match problem.map(|problem| api::in_dialect(response.request().path(), problem)) {
        Some(told) => response.into_response(told),
        None => response,
    }
}

/// A refusal in the dialect of the path; browsers are sent to sign in, those that sent a form to the first page after.
fn refusal(request: &ServiceRequest, problem: &Problem) -> HttpResponse {
    let path = request.path();
    let is_program = ["/api/", "/v1", "/v2"].iter().any(|start| path.starts_with(start));
    let is_page = !is_program && !api::mlflow::has(path);
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let is_browser = accept.is_some_and(|accept| accept.contains("text/html"));
    if problem.status() == StatusCode::UNAUTHORIZED && is_page && is_browser {
        let wanted = if request.method().is_safe() { request.uri().to_string() } else { "/".into() };
        let next: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
        return HttpResponse::SeeOther()
            .insert_header((header::LOCATION, format!("/login?next={next}")))
            .finish();
    }
    api::in_dialect(path, problem)
}

/// Counts and logs. Predictions have metrics of their own, per version, and their lines are for debugging.
fn account(app: &App, response: &ServiceResponse<BoxBody>, started: Instant) {
    let request = response.request();
    let path = request.path();
    let status = response.status();
    let is_prediction = is_prediction(request.method(), path);
    if !is_prediction {
        let route = request.match_pattern();
        let route = route.as_deref().unwrap_or("other");
        app.metrics.http.with_label_values(&[method_label(request.method()), route, status.as_str()]).inc();
    }
    let is_quiet = is_prediction || is_probe(path);
    if is_quiet && !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let elapsed_us = started.elapsed().as_micros() as u64;
    let extensions = request.extensions();
    let actor = extensions.get::<Identity>().map_or("", |identity| identity.actor.as_str());
    let id = extensions.get::<RequestId>().map_or("", RequestId::as_str);
    let (method, status) = (request.method().as_str(), status.as_u16());
    if is_quiet {
        tracing::debug!(
            request.id = id,
            http.method = method,
            http.path = path,
            http.status = status,
            actor,
            elapsed_us,
            "{method} {path} {status}"
        );
    } else {
        tracing::info!(
            request.id = id,
            http.method = method,
            http.path = path,
            http.status = status,
            actor,
            elapsed_us,
            "{method} {path} {status}"
        );
    }
}

/// The method as a label; what a client may invent is one label.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_are_asked_for_and_services_are_changed() {
        for path in
            ["/api/v1/services/ventas/predict", "/api/v1/services/predict/predict", "/v2/models/x/infer"]
        {
            assert!(is_prediction(&Method::POST, path), "{path}");
        }
        for path in [
            "/v2/models/x/versions/3/infer",
            "/v1/models/x:predict",
            "/v1/models/x:explain",
            "/invocations",
            "/services/x/invocations",
        ] {
            assert!(is_prediction(&Method::POST, path), "{path}");
            assert!(!is_prediction(&Method::PUT, path), "{path}");
        }
        for path in ["/api/v1/services/predict", "/api/v1/services//predict", "/api/v1/services/a/b/predict"]
        {
            assert!(!is_prediction(&Method::POST, path), "{path}");
        }
        assert!(!is_prediction(&Method::PUT, "/api/v1/services/ventas/predict"));
        assert!(!is_prediction(&Method::POST, "/api/v1/models/x/versions/predict"));
    }

    #[test]
    fn escapes_spell_utf8_without_nul() {
        for fine in ["/", "/a%20b", "/a%C3%B1o", "/100%", "/%zz", "/%2"] {
            assert!(fault_of_escapes(fine).is_none(), "{fine}");
        }
        for wrong in ["/a%FFb", "/%C3", "/%C3/%B1", "/a%00", "/%00"] {
            assert!(fault_of_escapes(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn only_health_metrics_and_the_sign_in_page_are_open() {
        for open in
            ["/health/live", "/health", "/ping", "/v2/health/ready", "/metrics", "/login", "/static/a.css"]
        {
            assert!(is_open(open), "{open}");
        }
        for closed in [
            "/",
            "/v2",
            "/api/v1/models",
            "/metrics/x",
            "/invocations",
            "/version",
            "/v1/models",
            "/api/health/live",
            "//metrics",
        ] {
            assert!(!is_open(closed), "{closed}");
        }
    }
}
