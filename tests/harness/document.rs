//! What the API's document promises. Every answer that a test gets is held against it, so that a status or a content
//! type that the document does not know is found wherever a test happens to meet it.

use std::sync::LazyLock;

use reqwest::Method;
use serde_json::Value;

use crate::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let text = std::fs::read_to_string(path).expect("docs/openapi.json is there");
    serde_json::from_str(&text).expect("docs/openapi.json is JSON")
});

/// Panics when the document does not know this answer; pages for people are not in it.
#[track_caller]
pub(crate) fn hold(method: &Method, path: &str, answer: &Answer) {
    let Some(item) = item(path) else { return };
    let status = answer.status.as_u16();
    let Some(operation) = item.get(method.as_str().to_ascii_lowercase()) else {
        let is_refused = [400, 401, 403, 405].contains(&status) || *method == Method::HEAD;
        assert!(is_refused, "{method} {path} is not in the document and answers {status}");
        return;
    };
    let Some(promised) = operation["responses"].get(status.to_string()) else {
        panic!("{method} {path}: {status} is not in docs/openapi.json: {}", answer.text());
    };
    let promised = match promised["$ref"].as_str() {
        Some(place) => DOCUMENT.pointer(&place[1..]).expect("references lead somewhere"),
        None => promised,
    };
    let kind = answer.header("content-type").and_then(|kind| kind.split(';').next());
    let is_promised = kind.is_none_or(|kind| promised["content"].get(kind).is_some());
    assert!(is_promised, "{method} {path}: {status} of type {kind:?} is not in docs/openapi.json");
}

/// What is offered at a path; a path with fewer names in braces fits better, then one with more beside them.
fn item(path: &str) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object()?;
    let fitting = paths.iter().filter(|(template, _)| fits(template, path));
    let rank = |template: &str| (template.matches('{').count(), std::cmp::Reverse(template.len()));
    fitting.min_by_key(|(template, _)| rank(template)).map(|(_, item)| item)
}

fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if segment_fits(wanted, given) => {}
            _ => return false,
        }
    }
}

/// Whether a segment is the one that is wanted; a name in braces may have a word behind it.
fn segment_fits(wanted: &str, given: &str) -> bool {
    let name = wanted.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    match name {
        None => wanted == given,
        Some((_, ending)) => given.strip_suffix(ending).is_some_and(|name| !name.is_empty()),
    }
}
