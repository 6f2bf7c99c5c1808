//! Errors in the document: each is made by the code that refuses, and told as that tells it.

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::http::header::HeaderMap;
use chasqui_registry::idempotency;
use chasqui_registry::name::{Actor, ModelName};
use chasqui_registry::page::PageRequest;
use chasqui_registry::user::Role;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::auth::Identity;
use crate::limits::Limits;
use crate::problem::Problem;
use crate::{api, body, edge};

/// The form in which errors are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// RFC 9457.
    Problem,
    /// `{"error": "…"}`, of both versions of the inference protocol.
    Protocol,
    /// `{"error_code": "…", "message": "…"}`
    Mlflow,
}

impl Dialect {
    /// The dialect of a path, as the code answers it.
    fn of(path: &str) -> Self {
        let (_, body) = told(path, &Problem::not_found(""));
        match (body.get("error_code"), body.get("error")) {
            (Some(_), _) => Self::Mlflow,
            (None, Some(_)) => Self::Protocol,
            (None, None) => Self::Problem,
        }
    }

    /// Begins the names of its responses.
    fn prefix(self) -> &'static str {
        match self {
            Self::Problem => "",
            Self::Protocol => "Protocol",
            Self::Mlflow => "Mlflow",
        }
    }

    /// Its schema.
    fn schema(self) -> &'static str {
        match self {
            Self::Problem => "Problem",
            Self::Protocol => "ProtocolError",
            Self::Mlflow => "MlflowError",
        }
    }
}

/// The head and the body of a refusal.
fn told(path: &str, problem: &Problem) -> (HttpResponse<()>, Value) {
    let (head, body) = api::in_dialect(path, problem).into_parts();
    let body = body.try_into_bytes().unwrap_or_default();
    (head, serde_json::from_slice(&body).unwrap_or_default())
}

/// Whether a path is another server's, which has other names for the same things.
pub(super) fn is_protocol(path: &str) -> bool {
    Dialect::of(path) != Dialect::Problem
}

/// The status with which a problem is told at a path.
pub(super) fn status(path: &str, problem: &Problem) -> u16 {
    api::in_dialect(path, problem).status().as_u16()
}

/// A response that is in the components, by its name in the dialect of the path.
pub(super) fn reference(path: &str, name: &str) -> Value {
    let dialect = Dialect::of(path).prefix();
    json!({ "$ref": format!("#/components/responses/{dialect}{name}") })
}

/// The name of the response to a key whose role is too low.
pub(super) fn forbidden(least: Role) -> &'static str {
    match least {
        Role::Admin => "ForbiddenToEditors",
        Role::Editor => "ForbiddenToViewers",
        Role::Viewer => "ForbiddenToOtherSites",
    }
}

/// Responses that many operations share, in every dialect.
pub(super) fn shared() -> Value {
    let no_key = "a key is needed: send `Authorization: Bearer <key>`";
    let all = [
        (
            "Unauthorized",
            vec![Problem::unauthorized(no_key), Problem::unauthorized("this key is not known here")],
        ),
        ("ForbiddenToOtherSites", vec![other_site()]),
        ("ForbiddenToViewers", vec![too_low(Role::Viewer, Role::Editor), other_site()]),
        ("ForbiddenToEditors", vec![too_low(Role::Editor, Role::Admin), other_site()]),
        ("Failed", vec![Problem::failed()]),
        ("Unavailable", vec![Problem::unavailable("the database does not answer now; try again", 1)]),
    ];
    let mut responses = Map::new();
    for (name, problems) in all {
        for path in ["/", "/v2", "/invocations"] {
            let dialect = Dialect::of(path).prefix();
            responses.insert(format!("{dialect}{name}"), response(path, &problems));
        }
    }
    responses.into()
}

/// What the session of a browser is told when a page of another site uses it.
fn other_site() -> Problem {
    Problem::forbidden("a session may change things from our own pages only")
}

fn too_low(role: Role, least: Role) -> Problem {
    let nobody = Identity { key: Uuid::nil(), actor: Actor::system(), role };
    nobody.require(least).err().unwrap_or_else(|| Problem::forbidden("the key's role is too low"))
}

/// The response of one status, with an example of each problem that has it.
pub(super) fn response(path: &str, problems: &[Problem]) -> Value {
    let mut examples = Map::new();
    let (mut kind, mut headers, mut title) = (String::new(), json!({}), "Error");
    for problem in problems {
        let (head, value) = told(path, problem);
        kind = text_of(head.headers(), "content-type");
        headers = headers_of(head.headers());
        title = head.status().canonical_reason().unwrap_or(title);
        let name = example_name(problem.detail());
        examples.insert(name, json!({ "summary": problem.detail(), "value": value }));
    }
    let schema = Dialect::of(path).schema();
    json!({
        "description": title,
        "headers": headers,
        "content": { kind: {
            "schema": { "$ref": format!("#/components/schemas/{schema}") },
            "examples": examples,
        } },
    })
}

/// A short name for an example: its first words.
fn example_name(detail: &str) -> String {
    let words = detail.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.take(6).collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

fn text_of(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// The documented headers that a refusal carries.
fn headers_of(headers: &HeaderMap) -> Value {
    let mut told = json!({ "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } });
    for name in ["Retry-After", "WWW-Authenticate", "Allow"] {
        if headers.contains_key(name) {
            told[name] = json!({ "$ref": format!("#/components/headers/{name}") });
        }
    }
    told
}

/// What is answered to bodies that are not JSON, not an object, not of the type, or too large.
pub(super) fn wrong_bodies<T: DeserializeOwned>() -> Vec<Problem> {
    let read = |text: &str| body::parse::<T>(text.as_bytes()).err();
    let mut problems: Vec<Problem> =
        ["{\"", "[]", "{\"surprise\": 1}"].into_iter().filter_map(read).collect();
    problems.push(Problem::too_large("the body", Limits::default().json_bytes));
    problems.push(body::unknown_encoding("br"));
    problems
}

/// What a client that stops in the middle of a body is answered.
pub(super) fn slow_body() -> Problem {
    Problem::slow_body(body::IDLE)
}

/// What a name in the path that is none is answered.
pub(super) fn wrong_name() -> Problem {
    let fault = ModelName::try_from("a:b").err().map(|error| error.to_string()).unwrap_or_default();
    let error = serde::de::Error::custom(fault);
    api::wrong_path(&actix_web::error::PathError::Deserialize(error))
}

/// What escapes in the path that spell nothing are answered.
pub(super) fn wrong_escapes() -> Problem {
    Problem::bad_request(edge::fault_of_escapes("/%FF").unwrap_or_default())
}

/// What goes wrong with an `Idempotency-Key`.
pub(super) fn of_idempotency() -> [Problem; 2] {
    [idempotency::in_progress().into(), idempotency::used_otherwise().into()]
}

/// What a limit that no list takes is answered.
pub(super) fn wrong_limit() -> Option<Problem> {
    PageRequest::new(None, Some(0)).err().map(Problem::from)
}

/// The forms that errors have.
pub(super) fn schemas() -> [(&'static str, Value); 4] {
    [
        ("Problem", problem()),
        ("Fault", fault()),
        ("ProtocolError", protocol_error()),
        ("MlflowError", mlflow_error()),
    ]
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "An error, as RFC 9457 forms it.",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": { "type": "string", "description": "`urn:chasqui:problem:` and the code." },
            "title": { "type": "string", "description": "What the status means." },
            "status": { "type": "integer", "description": "The HTTP status." },
            "code": {
                "type": "string",
                "description": "What the caller can do about it; stable, for programs.",
                "enum": crate::problem::CODES,
            },
            "detail": { "type": "string", "description": "What is wrong with this request, for people." },
            "record": { "type": "integer", "description": "The record at fault, counted from 0." },
            "field": { "type": "string", "description": "The field at fault." },
            "errors": {
                "type": "array",
                "description": "The values that are not as the service expects; the first of them, when there are many.",
                "items": { "$ref": "#/components/schemas/Fault" },
            },
            "error_count": { "type": "integer", "description": "How many there are." },
        },
    })
}

fn fault() -> Value {
    json!({
        "type": "object",
        "description": "A value of a request that is not as the service expects it.",
        "required": ["field", "rule", "message", "message_es"],
        "properties": {
            "record": { "type": "integer", "description": "The record, counted from 0." },
            "field": { "type": "string", "description": "The field." },
            "rule": { "type": "string", "description": "The part of the expectation that it breaks." },
            "message": { "type": "string", "description": "Why, in English." },
            "message_es": { "type": "string", "description": "Why, in Spanish." },
        },
    })
}

fn protocol_error() -> Value {
    json!({
        "type": "object",
        "description": "An error, as both versions of the inference protocol form it.",
        "required": ["error"],
        "properties": { "error": { "type": "string", "description": "What is wrong." } },
    })
}

fn mlflow_error() -> Value {
    json!({
        "type": "object",
        "description": "An error, as MLflow forms it.",
        "required": ["error_code", "message"],
        "properties": {
            "error_code": { "type": "string", "description": "MLflow's name for the status." },
            "message": { "type": "string", "description": "What is wrong." },
        },
    })
}
