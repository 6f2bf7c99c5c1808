//! Parameters of paths by their names, and the headers that answers and requests carry.

use chasqui_registry::name::{AliasName, DatasetName, ModelName, PipelineName, ServiceName};
use serde_json::{Value, json};
use uuid::Uuid;

use super::schemas::{SchemaOf, Schemas, of};

/// The names in the braces of a path.
pub(super) fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
}

/// What a name in braces stands for.
pub(super) enum Segment {
    /// Something with a type of its own.
    Typed(SchemaOf, &'static str),
    /// A text that either names something or nothing.
    Text(&'static str, &'static str),
}

/// A segment of a path; the protocols of other servers have other names for the same things.
pub(super) fn segment(name: &str, is_protocol: bool) -> Segment {
    match (name, is_protocol) {
        // A model of those protocols is a service here, and a name that is none is not found.
        ("model" | "service", true) => Segment::Text("The service.", "demanda"),
        ("version", true) => Segment::Text("The version's number.", "1"),
        ("model", _) => Segment::Typed(of::<ModelName>(), "demanda"),
        ("alias", _) => Segment::Typed(of::<AliasName>(), "champion"),
        ("dataset", _) => Segment::Typed(of::<DatasetName>(), "ventas"),
        ("service", _) => Segment::Typed(of::<ServiceName>(), "demanda"),
        ("pipeline", _) => Segment::Typed(of::<PipelineName>(), "semanal"),
        ("version", _) => Segment::Typed(of::<i64>(), "1"),
        ("prediction" | "key", _) => Segment::Typed(of::<Uuid>(), super::operation::EXAMPLE_ID),
        ("job", _) => Segment::Text("The job's id.", super::operation::EXAMPLE_ID),
        ("rollout", _) => Segment::Text("The rollout's id.", super::operation::EXAMPLE_ID),
        ("alert", _) => Segment::Text("The alert's id.", super::operation::EXAMPLE_ID),
        ("report", _) => Segment::Text(
            "The report's id; with `.html` the page, with `.json` or nothing the figures.",
            super::operation::EXAMPLE_ID,
        ),
        _ => Segment::Text("", ""),
    }
}

/// A parameter of the path.
pub(super) fn of_path(name: &str, segment: &Segment, schemas: &mut Schemas) -> Value {
    let (schema, example, about) = match segment {
        Segment::Typed(schema, example) => (schemas.read(*schema), *example, None),
        Segment::Text(about, example) => {
            (json!({ "type": "string", "minLength": 1 }), *example, Some(*about))
        }
    };
    let number = example.parse::<i64>().ok().filter(|_| schema["type"] == "integer");
    let example = number.map_or(Value::from(example), Value::from);
    let mut told =
        json!({ "name": name, "in": "path", "required": true, "schema": schema, "example": example });
    if let Some(about) = about {
        told["description"] = about.into();
    }
    told
}

/// The parameters of a query: the fields of the type that it is read as.
pub(super) fn of_query(query: SchemaOf, schemas: &mut Schemas) -> Vec<Value> {
    let (fields, required) = schemas.fields(query);
    let parameters = fields.into_iter().map(|(name, mut schema)| {
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let examples = schema.as_object_mut().and_then(|schema| schema.remove("examples"));
        without_null(&mut schema);
        without_nul(&mut schema);
        let mut told =
            json!({ "name": name, "in": "query", "required": required.contains(&name), "schema": schema });
        if let Some(about) = about {
            told["description"] = about;
        }
        if let Some(example) = examples.as_ref().and_then(|examples| examples.get(0)) {
            told["example"] = example.clone();
        }
        told
    });
    parameters.collect()
}

/// What is left out of a query is not there; there is no null in it.
fn without_null(schema: &mut Value) {
    if let Some(types) = schema["type"].as_array() {
        let kept: Vec<Value> = types.iter().filter(|kind| *kind != "null").cloned().collect();
        schema["type"] = if let [only] = kept.as_slice() { only.clone() } else { kept.into() };
    }
    let Some(members) = schema.as_object_mut() else { return };
    members.remove("type").filter(|kind| !kind.is_null()).map(|kind| members.insert("type".into(), kind));
    if members.get("default").is_some_and(Value::is_null) {
        members.remove("default");
    }
    if let Some(any) = members.get("anyOf").and_then(Value::as_array)
        && let [only, null] = any.as_slice()
        && null["type"] == "null"
    {
        let only = only.clone();
        members.remove("anyOf");
        members.extend(only.as_object().cloned().unwrap_or_default());
    }
}

/// A text of a query has no NUL in it, which is refused before the handler.
pub(super) fn without_nul(schema: &mut Value) {
    let is_any_text =
        schema["type"] == "string" && schema.get("enum").is_none() && schema.get("pattern").is_none();
    if is_any_text {
        schema["pattern"] = r"^[^\x00]*$".into();
    }
}

/// `Idempotency-Key`
pub(super) fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key with the same content gets the first answer again; a fresh UUID for every new \
                        request.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$" },
        "example": "8f14e45f-ceea-4a7e-9d2b-0a1b2c3d4e5f",
    })
}

/// The headers of answers.
pub(super) fn headers() -> Value {
    let text = |about: &str, example: &str| json!({ "description": about, "schema": { "type": "string" }, "example": example });
    json!({
        "X-Request-Id": text("Names the request, here and in the server's log.", "019a1f2e-7c3d-7b11-8a22-5b1f6f1e0c44"),
        "Location": text("Where the new thing is.", "/api/v1/models/demanda"),
        "Idempotency-Replayed": text("`true` when this is the kept answer to an earlier request.", "true"),
        "Retry-After": {
            "description": "Seconds after which the same request may succeed.",
            "schema": { "type": "integer", "minimum": 0 },
            "example": 1,
        },
        "WWW-Authenticate": text("How to say who is asking.", "Bearer realm=\"chasqui\""),
        "Allow": text("The methods that the path has.", "GET, POST"),
        "X-Model-Version": text("The version that answered; several, when the records were divided.", "3"),
        "X-Rollout-Id": text("The rollout that chose the version.", super::operation::EXAMPLE_ID),
        "Inference-Header-Content-Length": {
            "description": "The bytes of JSON before the binary tensors.",
            "schema": { "type": "integer", "minimum": 0 },
            "example": 214,
        },
        "Content-Disposition": text("The file's name.", "attachment; filename=\"version-1.onnx\""),
        "ETag": text("The file's SHA-256.", "\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\""),
    })
}
