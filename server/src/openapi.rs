//! The OpenAPI document: what every route for programs takes, answers and refuses, with an example of each.
//!
//! A route is declared once, beside its handlers (`routes` or `scope`), and described once, in the same file
//! (`operations`). What is written here by hand is held against the code by tests: every declared route is described
//! and every described one is declared; schemas are derived from the types that are read and written; examples of
//! errors are made by the code that refuses. Pages for people are not in it.

mod operation;
mod parameters;
mod problems;
mod schemas;

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

pub use operation::{EXAMPLE_ID, Operation};
use schemas::Schemas;

use crate::api;

/// What the reader needs to know before the routes.
const ABOUT: &str = "\
Chasqui answers predictions, keeps models and datasets, watches for drift, and brings new versions in and out.

**Keys.** Everything but health and metrics needs an API key: `Authorization: Bearer <key>`. A key has a role: \
*viewer* reads and asks for predictions, *editor* changes things, *admin* hands out keys. Each operation says which \
it needs in `x-role`.

**Errors** are problems of RFC 9457 (`application/problem+json`); `code` is stable, `detail` is for people. Under \
`/v2` and `/v1` they have the form of the inference protocol, `{\"error\": \"…\"}`; where MLflow's scoring server \
answers, the form of MLflow, `{\"error_code\": \"…\", \"message\": \"…\"}`. A path that has other methods answers 405 \
with `Allow`.

**Lists** come in pages: give `next_cursor` back as `cursor`. `limit` is 100 unless given, 1000 at most.

**Sending again.** A POST with an `Idempotency-Key` gets the first answer when it is sent again with the same key and \
the same content, marked by `Idempotency-Replayed: true`, and is not done twice. Answers that may turn out better \
(401, 409, 429 and 5xx) are not kept.

**Times** are microseconds since 1970, UTC. Every answer carries `X-Request-Id`, which is also in the server's log.";

/// The groups of operations, in the order of the page.
const TAGS: [(&str, &str); 15] = [
    ("predictions", "Asking, the log of what was answered, and what became of it"),
    ("services", "The names that applications call, and how they are watched"),
    ("rollouts", "Bringing a new version in, step by step, or back"),
    ("models", "Models, their versions and aliases"),
    ("datasets", "Tables that models learn from"),
    ("pipelines", "Declared retraining and its runs"),
    ("jobs", "Work in the background"),
    ("reports", "What managers read, and the same as figures"),
    ("alerts", "What a person should see"),
    ("keys", "Who may ask, and who did what"),
    ("calendar", "Holidays and seasons, which explain changes"),
    ("inference protocol", "The Open Inference Protocol, version 2, with extensions"),
    ("inference protocol 1", "The first version of KServe's protocol"),
    ("mlflow", "What MLflow's scoring server answers"),
    ("server", "Is it alive, is it ready, how is it doing"),
];

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| describe(api::operations()));
static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", *DOCUMENT));

/// The document.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// The document as it is checked in and served: indented JSON.
pub fn text() -> &'static str {
    &TEXT
}

fn describe(operations: Vec<Operation>) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let (path, method) = (operation.path().to_owned(), operation.method());
        let described = operation.describe(&mut schemas);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[method] = described;
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Chasqui",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "the server that this document came from" }],
        "security": [{ "key": [] }],
        "tags": TAGS.map(|(name, about)| json!({ "name": name, "description": about })),
        "paths": paths,
    });
    document["components"] = components(schemas, &mut document["paths"]);
    document
}

fn components(schemas: Schemas, paths: &mut Value) -> Value {
    json!({
        "schemas": schemas.finish(paths),
        "responses": problems::shared(),
        "headers": parameters::headers(),
        "securitySchemes": {
            "key": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key. Browsers that signed in on the pages send their session's cookie instead.",
            },
        },
    })
}

#[cfg(test)]
mod tests;
