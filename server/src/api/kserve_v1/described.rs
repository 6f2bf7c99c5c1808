//! The routes of KServe's first protocol, for the API's document.

use chasqui_registry::Error;
use chasqui_registry::user::Role;
use serde_json::{Value, json};

use super::no_explanation;
use crate::api::health::flag_schema;
use crate::api::predict;
use crate::openapi::{EXAMPLE_ID, Operation};
use crate::problem::Problem;

/// All of them.
pub(super) fn operations() -> Vec<Operation> {
    let names = json!({
        "type": "object",
        "required": ["models"],
        "properties": { "models": { "type": "array", "items": { "type": "string" } } },
    });
    let all = [
        Operation::get("/v1/models", "v1Models", "Lists the services that answer now").gives(
            200,
            "Their names",
            "application/json",
            names,
            Some(json!({ "models": ["demanda"] })),
        ),
        ready(),
        answer(),
        explain(),
    ];
    all.into_iter().map(|operation| operation.tag("inference protocol 1")).collect()
}

fn missing() -> Error {
    Error::not_found("service", "demanda")
}

fn ready() -> Operation {
    let mut schema = flag_schema("ready");
    schema["required"] = json!(["name", "ready"]);
    schema["properties"]["name"] = json!({ "type": "string" });
    let mut not_ready = schema.clone();
    not_ready["properties"]["error"] = json!({ "type": "string", "description": "Why it does not answer." });
    let why = "the service `demanda` is not ready: it is unloaded";
    let example = json!({ "name": "demanda", "ready": false, "error": why });
    Operation::get("/v1/models/{model}", "v1Ready", "Tells whether a service answers now")
        .gives(200, "It does", "application/json", schema, Some(json!({ "name": "demanda", "ready": true })))
        .gives(503, "It does not now", "application/json", not_ready, Some(example))
        .fails(missing())
}

fn answer() -> Operation {
    let example = json!({ "instances": [{ "precio": 1.5, "promocion": 1 }] });
    let operation = Operation::post("/v1/models/{model}:predict", "v1Predict", "Asks a service about instances")
        .about(
            "A model of the protocol is a service here. Rows are under `instances` or, by columns, under `inputs`. \
             `key` among the `parameters` is the entity's key; others are passed over. Every row is logged.",
        )
        .by(Role::Viewer)
        .not_kept()
        .takes("application/json", request(), Some(example))
        .gives(200, "What was predicted", "application/json", predicted(), Some(predicted_example()))
        .fails(missing())
        .fails(Problem::unavailable("the service `demanda` is not ready: it is unloaded", 5))
        .fails(Problem::bad_request("the body is not valid JSON: EOF while parsing an object at line 1 column 2"))
        .fails(Problem::unprocessable("record 0, field `precio`: expected a number, got the text \"1.5\""))
        .fails(Problem::unprocessable("there are no rows; send at least one"));
    predict::described(operation)
}

fn explain() -> Operation {
    Operation::post("/v1/models/{model}:explain", "v1Explain", "Would ask a service why")
        .about("No model explains itself: it is refused, in the protocol's form.")
        .by(Role::Viewer)
        .not_kept()
        .fails(missing())
        .fails(no_explanation())
}

fn request() -> Value {
    let rows = |about: &str| json!({ "description": about, "type": ["array", "object"] });
    json!({
        "type": "object",
        "description": "Exactly one of `instances` and `inputs`.",
        "oneOf": [{ "required": ["instances"] }, { "required": ["inputs"] }],
        "properties": {
            "instances": rows("Rows, one after another or as columns."),
            "inputs": rows("Rows, one after another or as columns."),
            "parameters": {
                "type": ["object", "null"],
                "properties": {
                    "key": {
                        "type": ["string", "number", "boolean", "null"],
                        "description": "The entity that all rows are about; it decides the version.",
                    },
                },
            },
        },
    })
}

/// What KServe's first protocol and MLflow answer.
pub(in crate::api) fn predicted() -> Value {
    json!({
        "type": "object",
        "required": ["predictions"],
        "properties": {
            "predictions": {
                "type": "array",
                "description": "Of each row the class or the number, or its outputs where their meaning is not known.",
            },
            "prediction_ids": {
                "type": "array",
                "description": "The ids under which outcomes can be sent, in the rows' order; of up to 1000 rows.",
                "items": { "type": "string", "format": "uuid" },
            },
            "warnings": {
                "type": "array",
                "description": "What was not as expected, where the service warns; the first of them.",
                "items": { "$ref": "#/components/schemas/Fault" },
            },
            "warning_count": { "type": "integer", "description": "How many there are." },
            "notes": {
                "type": "array",
                "description": "What was passed over.",
                "items": { "type": "string" },
            },
        },
    })
}

/// An example of it.
pub(in crate::api) fn predicted_example() -> Value {
    json!({ "predictions": [118.4], "prediction_ids": [EXAMPLE_ID] })
}
