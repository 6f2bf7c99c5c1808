//! The document holds together, and the checked-in one is this one.

use std::collections::BTreeSet;

use super::*;

/// Calls `look` with every value of the document.
fn walk(value: &Value, look: &mut impl FnMut(&Value)) {
    look(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, look)),
        Value::Object(members) => members.values().for_each(|member| walk(member, look)),
        _ => {}
    }
}

fn operations() -> impl Iterator<Item = (String, &'static Value)> {
    let paths = document()["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, told)| (format!("{method} {path}"), told))
    })
}

#[test]
fn the_document_that_is_checked_in_is_this_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == text(), "docs/openapi.json is stale: cargo run -- openapi > docs/openapi.json");
}

#[test]
fn every_reference_leads_somewhere() {
    walk(document(), &mut |value| {
        if let Some(place) = value.get("$ref").and_then(Value::as_str) {
            let found = place.strip_prefix('#').and_then(|pointer| document().pointer(pointer));
            assert!(found.is_some(), "{place}");
        }
    });
}

#[test]
fn every_operation_says_everything() {
    let mut ids = BTreeSet::new();
    let tags: Vec<&str> = TAGS.iter().map(|(name, _)| *name).collect();
    for (name, told) in operations() {
        assert!(ids.insert(told["operationId"].to_string()), "{name}: its id is another's too");
        assert!(tags.contains(&told["tags"][0].as_str().unwrap()), "{name}: its tag is unknown");
        let summary = told["summary"].as_str().unwrap();
        assert!(
            summary.chars().next().is_some_and(char::is_uppercase) && !summary.ends_with('.'),
            "{name}: {summary}"
        );
        let answers = told["responses"].as_object().unwrap();
        let is_offered = answers.keys().any(|status| status.starts_with('2'));
        assert!(is_offered || answers.contains_key("501"), "{name}: it never succeeds");
        let is_open = told["security"].as_array().is_some_and(Vec::is_empty);
        for status in ["401", "500", "503"] {
            assert!(is_open || answers.contains_key(status), "{name}: {status}");
        }
        for parameter in told["parameters"].as_array().into_iter().flatten() {
            assert!(!parameter["schema"].is_null(), "{name}: {parameter}");
            let is_told = parameter.get("description").is_some() || parameter["schema"].get("$ref").is_some();
            let is_obvious = parameter["in"] == "path";
            assert!(is_told || is_obvious, "{name}: {parameter} is not described");
        }
    }
}

#[test]
fn every_refusal_has_an_example_made_by_the_code() {
    for (name, told) in operations() {
        for (status, answer) in told["responses"].as_object().unwrap() {
            let answer = match answer["$ref"].as_str() {
                Some(place) => document().pointer(&place[1..]).unwrap(),
                None => answer,
            };
            if status.starts_with('2') {
                continue;
            }
            let contents = answer["content"].as_object().into_iter().flatten();
            for (_, media) in contents.filter(|(_, media)| media.get("schema").is_some()) {
                let examples =
                    media["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
                let examples: Vec<&Value> = examples.chain(media.get("example")).collect();
                assert!(!examples.is_empty(), "{name}: {status} has no example");
                for example in examples.into_iter().filter(|example| example.get("status").is_some()) {
                    assert_eq!(example["status"].to_string(), *status, "{name}: {example}");
                }
            }
        }
    }
}

#[test]
fn refusals_carry_the_headers_that_go_with_them() {
    let refused = &document()["components"]["responses"];
    assert!(refused["Unauthorized"]["headers"].get("WWW-Authenticate").is_some());
    assert!(refused["ProtocolUnavailable"]["headers"].get("Retry-After").is_some());
    assert_eq!(
        refused["ProtocolUnauthorized"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/ProtocolError"
    );
}

#[test]
fn nothing_in_it_is_secret_or_of_this_machine() {
    let text = text();
    for word in ["localhost", "127.0.0.1", "/root", "/home"] {
        assert!(!text.contains(word), "{word}");
    }
}
