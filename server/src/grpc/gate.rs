//! What happens to every call before and after it is answered: a key, an id, a count, a line in the log.
//!
//! Closed unless listed: a method that is not in [`is_open`] needs a key, and what changes something an editor's.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderValue;
use chasqui_registry::user::Role;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap};
use hyper::{Request, Response};
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::{Code, Status};

use super::calls::Calls;
use super::health::Health;
use super::messages::health::health_server::HealthServer;
use super::messages::inference::grpc_inference_service_server::GrpcInferenceServiceServer;
use super::status;
use crate::app::App;
use crate::auth::Identity;
use crate::edge::RequestId;
use crate::problem::Problem;
use crate::telemetry;

const INFERENCE: &str = "/inference.GRPCInferenceService/";
const HEALTH: &str = "/grpc.health.v1.Health/";
const STATUS: &str = "grpc-status";
const TIMEOUT: &str = "grpc-timeout";

/// Who calls, for those who answer.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// Whose key it is; none where no key is needed and none was sent.
    pub identity: Option<Identity>,
    /// The call's id.
    pub id: RequestId,
    /// How long the caller waits.
    pub timeout: Option<Duration>,
}

/// Admits calls and hands them on.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    app: Arc<App>,
    closing: watch::Receiver<bool>,
    inference: GrpcInferenceServiceServer<Calls>,
    health: HealthServer<Health>,
}

impl Gate {
    /// A gate before this server.
    pub(super) fn new(app: Arc<App>, closing: watch::Receiver<bool>) -> Self {
        let most_bytes = app.config.limits.predict_bytes;
        let calls = Calls::new(Arc::clone(&app), closing.clone());
        let inference = GrpcInferenceServiceServer::new(calls)
            .max_decoding_message_size(most_bytes)
            .max_encoding_message_size(usize::MAX);
        let health = HealthServer::new(Health::new(Arc::clone(&app), closing.clone()));
        Self { app, closing, inference, health }
    }

    /// Turns true when no more calls are taken.
    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.clone()
    }

    /// Answers a call.
    pub(super) async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        let started = Instant::now();
        let path = request.uri().path().to_owned();
        let id = RequestId(request_id(request.headers()));
        let mut response = match self.admit(&path, request.headers()) {
            Ok(identity) => {
                let timeout = request.headers().get(TIMEOUT).and_then(|value| timeout(value.as_bytes()));
                request.extensions_mut().insert(Caller { identity, id: id.clone(), timeout });
                self.hand_on(&path, request).await
            }
            Err(problem) => status::of(&problem).into_http(),
        };
        response = in_our_words(response, self.app.config.limits.predict_bytes);
        if let Ok(id) = header::HeaderValue::from_bytes(id.0.as_bytes()) {
            response.headers_mut().insert(telemetry::REQUEST_ID, id);
        }
        self.account(&path, &response, &id, started);
        response
    }

    async fn hand_on(&self, path: &str, request: Request<Incoming>) -> Response<Body> {
        let answered: Result<_, Infallible> = if path.starts_with(INFERENCE) {
            self.inference.clone().call(request).await
        } else if path.starts_with(HEALTH) {
            self.health.clone().call(request).await
        } else {
            Ok(Status::unimplemented("there is no such service here").into_http())
        };
        let Ok(response) = answered;
        response
    }

    fn admit(&self, path: &str, headers: &HeaderMap) -> Result<Option<Identity>, Problem> {
        let given = headers.get(header::AUTHORIZATION);
        let Some(given) = given else {
            if is_open(path) {
                return Ok(None);
            }
            return Err(Problem::unauthorized(
                "a key is needed: send the metadata `authorization: Bearer <key>`",
            ));
        };
        let identity = self.app.keys.by_authorization(given.to_str().ok())?;
        identity.require(least_role(path))?;
        Ok(Some(identity))
    }

    /// Counts and logs, as HTTP does: predictions have metrics of their own.
    fn account(&self, path: &str, response: &Response<Body>, id: &RequestId, started: Instant) {
        let method = method(path);
        let code = response.headers().get(STATUS).map_or("0", |code| code.to_str().unwrap_or("2"));
        let is_prediction = matches!(method, "ModelInfer" | "ModelStreamInfer");
        if !is_prediction {
            self.app.metrics.grpc.with_label_values(&[method, code]).inc();
        }
        let elapsed_us = started.elapsed().as_micros() as u64;
        if is_prediction || is_open(path) {
            tracing::debug!(
                request.id = id.as_str(),
                grpc.method = method,
                grpc.status = code,
                elapsed_us,
                "{method} {code}"
            );
        } else {
            tracing::info!(
                request.id = id.as_str(),
                grpc.method = method,
                grpc.status = code,
                elapsed_us,
                "{method} {code}"
            );
        }
    }
}

/// Whether a method needs no key.
fn is_open(path: &str) -> bool {
    path.starts_with(HEALTH) || matches!(path.strip_prefix(INFERENCE), Some("ServerLive" | "ServerReady"))
}

fn least_role(path: &str) -> Role {
    match path.strip_prefix(INFERENCE) {
        Some("RepositoryModelLoad" | "RepositoryModelUnload") => Role::Editor,
        _ => Role::Viewer,
    }
}

/// The method as a label; what a client may invent is one label.
fn method(path: &str) -> &'static str {
    const KNOWN: [&str; 14] = [
        "ServerLive",
        "ServerReady",
        "ModelReady",
        "ServerMetadata",
        "ModelMetadata",
        "ModelInfer",
        "ModelStreamInfer",
        "ModelConfig",
        "ModelStatistics",
        "RepositoryIndex",
        "RepositoryModelLoad",
        "RepositoryModelUnload",
        "Check",
        "Watch",
    ];
    let name = path.strip_prefix(INFERENCE).or_else(|| path.strip_prefix(HEALTH));
    KNOWN.into_iter().find(|known| Some(*known) == name).unwrap_or("other")
}

/// Refusals that the library makes before we are asked.
fn in_our_words(response: Response<Body>, most_bytes: usize) -> Response<Body> {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() == Code::OutOfRange => {
            status::of_message(status, most_bytes).into_http()
        }
        _ => response,
    }
}

fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(telemetry::REQUEST_ID);
    let given = given.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
    telemetry::request_id(given.as_ref())
}

/// `grpc-timeout`: up to eight digits and a unit.
fn timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    if digits.len() > 8 {
        return None;
    }
    match unit {
        b'H' => Some(Duration::from_hours(number)),
        b'M' => Some(Duration::from_mins(number)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_a_unit() {
        assert_eq!(timeout(b"250m"), Some(Duration::from_millis(250)));
        assert_eq!(timeout(b"1H"), Some(Duration::from_hours(1)));
        for wrong in [&b""[..], b"7", b"m", b"1x", b"123456789m", b"-1S"] {
            assert_eq!(timeout(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn only_health_is_open_and_changes_need_an_editor() {
        assert!(is_open("/grpc.health.v1.Health/Check"));
        assert!(is_open("/inference.GRPCInferenceService/ServerLive"));
        for closed in ["ModelInfer", "ServerMetadata", "ServerLive/", "RepositoryIndex"] {
            assert!(!is_open(&format!("{INFERENCE}{closed}")), "{closed}");
        }
        assert_eq!(least_role("/inference.GRPCInferenceService/RepositoryModelUnload"), Role::Editor);
        assert_eq!(least_role("/inference.GRPCInferenceService/ModelInfer"), Role::Viewer);
    }
}
