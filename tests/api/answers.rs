//! What answers look like, asserted in one place.

use chasqui_tests::Answer;
use serde_json::Value;

/// Asserts that an answer is a problem (RFC 9457) of this status whose detail mentions `part`.
#[track_caller]
pub(crate) fn assert_problem(answer: &Answer, status: u16, part: &str) {
    let text = answer.text();
    assert_eq!(answer.status.as_u16(), status, "{text}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{text}");
    let document = answer.json();
    assert_eq!(document["status"], status, "{text}");
    assert!(document["title"].is_string() && document["type"].is_string(), "{text}");
    let detail = document["detail"].as_str().unwrap_or_default();
    assert!(detail.contains(part), "`{part}` is not in: {text}");
}

/// Asserts that an answer is an error in the form of the Open Inference Protocol, by a fault of the client's.
#[track_caller]
pub(crate) fn assert_protocol_error(answer: &Answer, what: &str) {
    let text = answer.text();
    assert!(answer.status.is_client_error(), "{what}: {}: {text}", answer.status);
    let document = answer.json();
    assert!(document["error"].as_str().is_some_and(|error| !error.is_empty()), "{what}: {text}");
}

/// The items of a page.
#[track_caller]
pub(crate) fn items(page: &Value) -> &[Value] {
    page["items"].as_array().unwrap_or_else(|| panic!("not a page: {page}"))
}

/// A text member.
#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}
