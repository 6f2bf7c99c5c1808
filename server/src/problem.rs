//! Errors as RFC 9457 problems. This is the one place where codes become HTTP statuses.
//!
//! Inside goes a message for the caller; what we did wrong is logged here once and never sent.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

/// Every code, for the API's document.
pub const CODES: [&str; 14] = [
    "invalid",
    "unauthorized",
    "forbidden",
    "not_found",
    "method_not_allowed",
    "already_exists",
    "conflict",
    "slow_body",
    "too_large",
    "unsupported",
    "unavailable",
    "internal",
    "model_failed",
    "timed_out",
];

/// An error as the caller sees it.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    place: Option<Place>,
    faults: Option<Box<Faults>>,
    retry_after: Option<u32>,
    allow: Option<&'static str>,
}

/// Where in a batch of records the fault is.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// Position of the record, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<usize>,
    /// The field's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// A value of a request that is not as the service expects it.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// Position of the record, counted from 0; none when the whole request is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<usize>,
    /// The field's name.
    pub field: String,
    /// The part of the declaration that it breaks.
    pub rule: &'static str,
    /// Why, in English.
    pub message: String,
    /// Why, in Spanish.
    pub message_es: String,
}

/// All faults of a request.
#[derive(Debug, Clone)]
pub struct Faults {
    /// The sentence for the caller in Spanish.
    pub detail_es: String,
    /// The first of them.
    pub errors: Vec<Fault>,
    /// How many there are.
    pub count: usize,
}

/// The members of the document.
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    #[serde(flatten)]
    place: Option<&'a Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'a [Fault]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_count: Option<usize>,
}

/// What handlers return.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        debug_assert!(CODES.contains(&code), "the document does not name the code {code}");
        Self {
            status,
            code,
            detail: detail.into(),
            place: None,
            faults: None,
            retry_after: None,
            allow: None,
        }
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", detail)
    }

    /// 422: understood, but a value in it is wrong.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    /// 401: no key, or one that we do not know.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// 403: the key's role is too low.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 405, with the methods that the resource has.
    pub fn method_not_allowed(method: &str, allow: &'static str) -> Self {
        let detail = format!("{method} is not offered here; {allow} is");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail) }
    }

    /// 409: the present state forbids it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// 413, with the limit that was exceeded.
    pub fn too_large(what: &str, limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("{what} is larger than {limit} bytes"))
    }

    /// 415: a content encoding or type that we do not read.
    pub fn unsupported_media(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported", detail)
    }

    /// 501: a part of a protocol that we do not have.
    pub fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "unsupported", detail)
    }

    /// 503: the same request may succeed after `seconds`.
    pub fn unavailable(detail: impl Into<String>, seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
        }
    }

    /// 408: the client sent nothing for too long.
    pub fn slow_body(patience: std::time::Duration) -> Self {
        let detail = format!("nothing more of the body arrived within {} s", patience.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, "slow_body", detail)
    }

    /// 504: it waited for so long that nobody may want the answer any more.
    pub fn late(patience: std::time::Duration) -> Self {
        let detail = format!("the request waited for {} ms, which is its deadline", patience.as_millis());
        Self { retry_after: Some(1), ..Self::timed_out(detail) }
    }

    /// 504: the time that the caller allowed has passed.
    pub fn timed_out(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timed_out", detail)
    }

    /// 500: a defect of ours; the source goes to the log.
    pub fn internal(source: &dyn fmt::Display) -> Self {
        tracing::error!(error = %source, "a request failed by a fault of ours");
        Self::failed()
    }

    /// What the caller is told of a defect of ours.
    pub fn failed() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server failed; its log has the reason under this request's id",
        )
    }

    /// 500: the model itself failed, on stable too.
    pub fn model_failed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "model_failed", detail)
    }

    /// Names the record and the field.
    #[must_use]
    pub fn at(mut self, record: Option<usize>, field: Option<&str>) -> Self {
        self.place = Some(Place { record, field: field.map(str::to_owned) });
        self
    }

    /// Lists every fault.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = Some(Box::new(faults));
        self
    }

    /// The same in Spanish, where there are words for it.
    #[must_use]
    pub fn in_spanish(mut self) -> Self {
        if let Some(faults) = &self.faults {
            self.detail.clone_from(&faults.detail_es);
        }
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The small code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence for the caller.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Seconds after which the same request may succeed.
    pub fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }

    fn document(&self) -> Document<'_> {
        Document {
            r#type: format!("urn:chasqui:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            place: self.place.as_ref(),
            errors: self.faults.as_ref().map(|faults| faults.errors.as_slice()),
            error_count: self.faults.as_ref().map(|faults| faults.count),
        }
    }

    /// Writes the document.
    pub fn write(&self, body: &mut Vec<u8>) {
        // Writing into a vector cannot fail, and texts and numbers are always valid JSON.
        let _ = serde_json::to_writer(body, &self.document());
    }

    /// The response with `application/problem+json`.
    pub fn response(&self) -> HttpResponse {
        let mut body = Vec::new();
        self.write(&mut body);
        let mut response = HttpResponse::build(self.status);
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        self.add_headers(&mut response);
        response.body(body)
    }

    /// The headers that go with the status, in whatever dialect the body is.
    pub fn add_headers(&self, response: &mut actix_web::HttpResponseBuilder) {
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(allow) = self.allow {
            response.insert_header((header::ALLOW, allow));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"chasqui\""));
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}

impl From<chasqui_registry::Error> for Problem {
    fn from(error: chasqui_registry::Error) -> Self {
        use chasqui_registry::Error as E;
        match error {
            E::NotFound(text) => Self::not_found(text),
            E::AlreadyExists(text) => Self::new(StatusCode::CONFLICT, "already_exists", text),
            E::Conflict(text) => Self::conflict(text),
            E::Invalid(text) => Self::unprocessable(text),
            E::TooLarge(text) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text),
            E::Unavailable(text) => Self::unavailable(text, 1),
            E::Internal(source) => Self::internal(&Chain(source.as_ref())),
        }
    }
}

impl From<chasqui_pipelines::Error> for Problem {
    fn from(error: chasqui_pipelines::Error) -> Self {
        use chasqui_pipelines::Error as E;
        match error {
            E::NotFound(text) => Self::not_found(text),
            E::AlreadyExists(text) => Self::new(StatusCode::CONFLICT, "already_exists", text),
            E::Conflict(text) => Self::conflict(text),
            E::Invalid(text) => Self::unprocessable(text),
            E::Unavailable(text) => Self::unavailable(text, 1),
            E::Internal(source) => Self::internal(&Chain(source.as_ref())),
            E::Registry(error) => error.into(),
        }
    }
}

/// An error and everything it came from, for the log.
pub struct Chain<'a>(pub &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(formatter, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::MessageBody;

    fn body(problem: &Problem) -> serde_json::Value {
        let bytes = problem.response().into_body().try_into_bytes().unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_problem_names_the_record_and_the_field() {
        let problem = Problem::unprocessable("expected a number").at(Some(3), Some("price"));
        let body = body(&problem);
        assert_eq!(body["status"], 422);
        assert_eq!(body["record"], 3);
        assert_eq!(body["field"], "price");
        assert_eq!(body["code"], "invalid");
    }

    #[test]
    fn faults_of_ours_keep_their_source_to_themselves() {
        let problem = Problem::from(chasqui_registry::Error::internal("disk 7 melted"));
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!body(&problem).to_string().contains("disk"));
    }

    #[test]
    fn headers_go_with_their_status() {
        let response = Problem::unavailable("busy", 7).response();
        assert_eq!(response.headers().get("retry-after").unwrap(), "7");
        let response = Problem::method_not_allowed("PATCH", "GET, PUT").response();
        assert_eq!(response.headers().get("allow").unwrap(), "GET, PUT");
        assert!(Problem::unauthorized("no key").response().headers().contains_key("www-authenticate"));
    }
}
