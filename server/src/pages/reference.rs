//! `/api`: the API's document as a page, with a form for every operation.
//!
//! The document is in English; the words around it are in the reader's language. Without JavaScript everything can be
//! read; the forms, which send what a program would send, appear with it.

mod shape;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use serde_json::Value;

use super::texts::Texts;
use super::visit::{Frame, Visit, render};
use crate::openapi;
use crate::problem::Result;
use shape::{Piece, Row, kind, pretty, rows, text};

/// The whole document as the page tells it.
struct View {
    about: Vec<String>,
    groups: Vec<Group>,
    schemas: Vec<Schema>,
}

/// The operations of one tag.
struct Group {
    name: String,
    anchor: String,
    about: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    about: String,
    /// The place of the role's name among the texts; none when no key is needed.
    role: Option<usize>,
    parameters: Vec<Parameter>,
    body: Vec<Content>,
    answers: Vec<Answer>,
}

struct Parameter {
    name: String,
    place: String,
    is_required: bool,
    kind: Vec<Piece>,
    about: String,
    example: String,
}

struct Content {
    media: String,
    kind: Vec<Piece>,
    rows: Vec<Row>,
    example: String,
    /// Bytes that a file gives, rather than a text.
    is_file: bool,
}

struct Answer {
    status: String,
    about: String,
    is_refusal: bool,
    headers: Vec<String>,
    contents: Vec<Content>,
    examples: Vec<Example>,
}

struct Example {
    summary: String,
    value: String,
}

struct Schema {
    name: String,
    about: String,
    kind: Vec<Piece>,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "reference.html")]
struct ReferencePage {
    frame: Frame,
    t: &'static Texts,
    view: &'static View,
}

static VIEW: LazyLock<View> = LazyLock::new(|| View::of(openapi::document()));

/// Answers with the page.
pub(super) async fn show(visit: Visit) -> HttpResponse {
    match page(&visit) {
        Ok(html) => visit.html(StatusCode::OK, html),
        Err(problem) => visit.failed(&problem),
    }
}

fn page(visit: &Visit) -> Result<String> {
    let t = visit.voice.t;
    render(&ReferencePage { frame: visit.frame(t.api_title), t, view: &VIEW })
}

impl View {
    fn of(document: &Value) -> Self {
        let about = text(&document["info"], "description");
        let tags = document["tags"].as_array().into_iter().flatten();
        let groups = tags.map(|tag| Group::of(document, &text(tag, "name"), text(tag, "description")));
        let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
        Self {
            // The document's Markdown; the page has no use for its stars.
            about: about.split("\n\n").map(|paragraph| paragraph.replace('*', "")).collect(),
            groups: groups.collect(),
            schemas: schemas.map(|(name, schema)| Schema::of(name, schema)).collect(),
        }
    }
}

impl Group {
    fn of(document: &Value, name: &str, about: String) -> Self {
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            // In the order of what they do, not of the alphabet.
            for method in ["get", "post", "put", "delete"] {
                let told = &item[method];
                if told["tags"][0] == name {
                    operations.push(Operation::of(document, path, method, told));
                }
            }
        }
        Self { name: name.to_owned(), anchor: name.replace(' ', "-"), about, operations }
    }
}

impl Operation {
    fn of(document: &Value, path: &str, method: &str, told: &Value) -> Self {
        let parameters = told["parameters"].as_array().into_iter().flatten();
        let answers = told["responses"].as_object().into_iter().flatten();
        Self {
            id: text(told, "operationId"),
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            summary: text(told, "summary"),
            about: text(told, "description"),
            role: ["viewer", "editor", "admin"].iter().position(|role| told["x-role"] == *role),
            parameters: parameters.map(Parameter::of).collect(),
            body: contents(&told["requestBody"]["content"]),
            answers: answers.map(|(status, answer)| Answer::of(document, status, answer)).collect(),
        }
    }
}

impl Parameter {
    fn of(told: &Value) -> Self {
        Self {
            name: text(told, "name"),
            place: text(told, "in"),
            is_required: told["required"] == true,
            kind: kind(&told["schema"]),
            about: text(told, "description"),
            example: text(told, "example"),
        }
    }
}

impl Answer {
    fn of(document: &Value, status: &str, told: &Value) -> Self {
        let told = match told["$ref"].as_str().and_then(|place| place.strip_prefix('#')) {
            Some(pointer) => document.pointer(pointer).unwrap_or(told),
            None => told,
        };
        let headers = told["headers"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
        let media = told["content"].as_object().into_iter().flatten();
        let examples = media.flat_map(|(_, media)| media["examples"].as_object().into_iter().flatten());
        let examples = examples.map(|(_, example)| Example {
            summary: text(example, "summary"),
            value: pretty(&example["value"]),
        });
        let examples: Vec<Example> = examples.collect();
        Self {
            status: status.to_owned(),
            about: text(told, "description"),
            is_refusal: !examples.is_empty(),
            headers: headers.collect(),
            contents: contents(&told["content"]),
            examples,
        }
    }
}

impl Schema {
    fn of(name: &str, schema: &Value) -> Self {
        let about = text(schema, "description");
        Self { name: name.to_owned(), about, kind: kind(schema), rows: rows(schema) }
    }
}

fn contents(content: &Value) -> Vec<Content> {
    let all = content.as_object().into_iter().flatten();
    all.map(|(media, told)| {
        let schema = &told["schema"];
        Content {
            media: media.clone(),
            kind: kind(schema),
            rows: rows(schema),
            example: told.get("example").map(pretty).unwrap_or_default(),
            is_file: schema["format"] == "binary",
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::FromRequest;
    use actix_web::body::MessageBody;
    use actix_web::test::TestRequest;

    #[actix_web::test]
    async fn every_operation_is_on_the_page_in_both_languages() {
        for (language, word) in [("es", "Parámetros"), ("en", "Parameters")] {
            let request = TestRequest::with_uri(&format!("/api?lang={language}")).to_http_request();
            let Ok(visit) = Visit::from_request(&request, &mut actix_web::dev::Payload::None).await;
            let answer = show(visit).await;
            assert_eq!(answer.status(), 200);
            let html = answer.into_body().try_into_bytes().unwrap();
            let html = std::str::from_utf8(&html).unwrap();
            assert!(html.contains(word));
            for group in &VIEW.groups {
                assert!(!group.operations.is_empty(), "{} has no operations", group.name);
                for operation in &group.operations {
                    assert!(html.contains(&format!("id=\"{}\"", operation.id)), "{}", operation.id);
                }
            }
            assert!(
                !html.contains("style=\"") && !html.contains("onclick"),
                "the policy forbids what is inline"
            );
        }
    }

    #[test]
    fn every_link_to_a_schema_leads_somewhere() {
        let names: Vec<&str> = VIEW.schemas.iter().map(|schema| schema.name.as_str()).collect();
        let inner = VIEW.schemas.iter().flat_map(|schema| &schema.rows).flat_map(|row| &row.kind);
        for piece in inner {
            assert!(piece.link.is_empty() || names.contains(&piece.link.as_str()), "{}", piece.link);
        }
    }
}
