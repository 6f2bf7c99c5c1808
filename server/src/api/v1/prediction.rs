//! How a prediction is asked for and answered, for the API's document. Requests are read and answers written without
//! any type that schemas could be derived from.

use chasqui_registry::Error;
use chasqui_registry::user::Role;
use serde_json::{Value, json};

use crate::body;
use crate::inference::NO_EXPLANATION;
use crate::limits::Limits;
use crate::openapi::{EXAMPLE_ID, Operation};
use crate::problem::{Fault, Faults, Problem};

/// `POST /services/{service}/predict`
pub(super) fn operation() -> Operation {
    let unnamed = "the inputs of `demanda` are not named columns; send tensors to /v2/models/demanda/infer";
    let unlogged = "the prediction log cannot be written; nothing is answered unlogged";
    Operation::post("/api/v1/services/{service}/predict", "predict", "Asks a service about records")
        .tag("predictions")
        .about(
            "Every answered record is logged and has a `prediction_id`, under which its outcome can be sent. Requests \
             of one key are answered by the same version. Messages are in Spanish when `lang=es` or the \
             `Accept-Language` asks for it.",
        )
        .by(Role::Viewer)
        .not_kept()
        .parameter(language())
        .parameter(version_header())
        .takes("application/json", request(), Some(json!({ "records": [{ "precio": 1.5, "promocion": 1 }] })))
        .gives(200, "A prediction for each record, in their order", "application/json", answer(), Some(answered()))
        .header("X-Model-Version")
        .header("X-Rollout-Id")
        .fails(Problem::bad_request("the body is not valid JSON: EOF while parsing an object at line 1 column 2"))
        .fails(Problem::bad_request("the header x-model-version must be a version's number"))
        .fails(Error::not_found("service", "demanda"))
        .fails(Problem::not_found("version 7 of the service `demanda` is not loaded; 1, 2 can be asked for"))
        .fails(Problem::too_large("the body", Limits::default().predict_bytes))
        .fails(body::unknown_encoding("br"))
        .fails(wrong_value())
        .fails(unexpected_value())
        .fails(Problem::unprocessable(unnamed))
        .fails(Problem::model_failed("the model failed: the answer is not a number"))
        .fails(Problem::unprocessable(NO_EXPLANATION))
        .fails(Problem::unavailable(unlogged, 1))
}

fn wrong_value() -> Problem {
    let sentence =
        "record 0, field `precio`: expected a number, got the text \"1.5\"; send it without quotes";
    Problem::unprocessable(sentence).at(Some(0), Some("precio"))
}

fn unexpected_value() -> Problem {
    let fault = Fault {
        record: Some(0),
        field: "precio".into(),
        rule: "min",
        message: "-3 is below the minimum 0".into(),
        message_es: "-3 es menor que el mínimo 0".into(),
    };
    let detail = format!("record 0, field `precio`: {}", fault.message);
    let detail_es = format!("registro 0, campo `precio`: {}", fault.message_es);
    let faults = Faults { detail_es, errors: vec![fault], count: 1 };
    Problem::unprocessable(detail).at(Some(0), Some("precio")).with_faults(faults)
}

/// `?lang=`
fn language() -> Value {
    json!({
        "name": "lang",
        "in": "query",
        "description": "The language of messages about faults: `es`, or English.",
        "schema": { "type": "string", "pattern": r"^[^\x00]*$" },
        "example": "es",
    })
}

/// `X-Model-Version` of a request.
pub(in crate::api) fn version_header() -> Value {
    json!({
        "name": "X-Model-Version",
        "in": "header",
        "description": "The version that must answer, whatever the routing says; one that serves now.",
        "schema": { "type": "integer", "minimum": 1, "maximum": i64::MAX },
    })
}

fn request() -> Value {
    json!({
        "type": "object",
        "required": ["records"],
        "additionalProperties": false,
        "properties": {
            "records": {
                "type": "array",
                "description": "What is asked about: named values, whose names are the service's `fields`.",
                "minItems": 1,
                "maxItems": Limits::default().records,
                "items": { "type": "object" },
            },
            "key": {
                "description": "The entity that all records are about; it decides the version.",
                "type": ["string", "number", "boolean", "null"],
            },
            "at": {
                "description": "When they are about, if not now; not in the future.",
                "type": ["string", "null"],
                "format": "date-time",
            },
            "context": { "description": "Anything; it is not read." },
            "explain": { "type": "boolean", "description": "Whether to say why." },
        },
    })
}

fn answer() -> Value {
    json!({
        "type": "object",
        "required": ["service", "predictions"],
        "properties": {
            "service": { "type": "string" },
            "predictions": { "type": "array", "items": prediction() },
            "warnings": {
                "type": "array",
                "description": "What was not as expected, where the service warns; the first of them.",
                "items": { "$ref": "#/components/schemas/Fault" },
            },
            "warning_count": { "type": "integer", "description": "How many there are." },
        },
    })
}

fn prediction() -> Value {
    json!({
        "type": "object",
        "required": ["prediction_id", "version"],
        "properties": {
            "prediction_id": { "type": "string", "format": "uuid", "description": "Its outcome is sent under it." },
            "version": { "type": "integer", "description": "The version that answered." },
            "label": { "type": ["string", "number", "null"], "description": "The predicted class." },
            "probability": { "type": ["number", "null"], "description": "Of the predicted class." },
            "probabilities": {
                "type": "object",
                "description": "Of each class, up to 100 of them.",
                "additionalProperties": { "type": ["number", "null"] },
            },
            "value": { "type": ["number", "null"], "description": "The predicted number." },
            "outputs": {
                "type": "object",
                "description": "What a model says whose outputs have no known meaning, by their names.",
                "additionalProperties": { "type": "array" },
            },
        },
    })
}

fn answered() -> Value {
    json!({
        "service": "demanda",
        "predictions": [{ "prediction_id": EXAMPLE_ID, "version": 1, "value": 118.4 }],
    })
}
