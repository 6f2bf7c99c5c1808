//! How a prediction is asked for and answered, for the API's document. Requests are read and answers written without
//! any type that schemas could be derived from.

use chasqui_registry::Error;
use chasqui_registry::user::Role;
use serde_json::{Value, json};

use crate::api::predict;
use crate::inference::NO_EXPLANATION;
use crate::limits::Limits;
use crate::openapi::{EXAMPLE_ID, Operation};
use crate::problem::{Fault, Faults, Problem};

/// `POST /services/{service}/predict`
pub(super) fn operation() -> Operation {
    let unnamed = "the inputs of `demanda` are not named columns; send tensors to /v2/models/demanda/infer";
    let operation = Operation::post("/api/v1/services/{service}/predict", "predict", "Asks a service about records")
        .tag("predictions")
        .about(
            "Every answered record is logged and has a `prediction_id`, under which its outcome can be sent. Requests \
             of one key are answered by the same version. Messages are in Spanish when `lang=es` or the \
             `Accept-Language` asks for it.\n\nLines of JSON (`application/x-ndjson`) are answered line by line while \
             they arrive, however many they are: each is a record, and the answer to a line at fault has the problem \
             as its `error`.",
        )
        .by(Role::Viewer)
        .not_kept()
        .parameter(language())
        .takes("application/json", request(), Some(json!({ "records": [{ "precio": 1.5, "promocion": 1 }] })))
        .takes("application/x-ndjson", any_lines(), Some("{\"precio\": 1.5, \"promocion\": 1}\n".into()))
        .gives(200, "A prediction for each record, in their order", "application/json", answer(), Some(answered()))
        .gives(200, "A prediction for each", "application/x-ndjson", lines(), Some(answered_line().into()))
        .fails(Problem::bad_request("the body is not valid JSON: EOF while parsing an object at line 1 column 2"))
        .fails(Error::not_found("service", "demanda"))
        .fails(wrong_value())
        .fails(unexpected_value())
        .fails(Problem::unprocessable(unnamed))
        .fails(Problem::unprocessable(NO_EXPLANATION));
    predict::described(operation)
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

/// Whatever is sent, each of its lines is answered.
fn any_lines() -> Value {
    json!({ "description": "A record in every line." })
}

fn lines() -> Value {
    json!({ "type": "string", "description": "An object in every line.", "minLength": 1 })
}

fn answered_line() -> String {
    let prediction = json!({ "line": 1, "prediction_id": EXAMPLE_ID, "version": 1, "value": 118.4 });
    format!("{prediction}\n")
}

fn answered() -> Value {
    json!({
        "service": "demanda",
        "predictions": [{ "prediction_id": EXAMPLE_ID, "version": 1, "value": 118.4 }],
    })
}
