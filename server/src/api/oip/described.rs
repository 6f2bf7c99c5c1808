//! The routes of the protocol, for the API's document.

use chasqui_registry::Error;
use chasqui_registry::user::Role;
use chasqui_runtime::DataType;
use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::api::health::flag_schema;
use crate::api::v1::version_header;
use crate::body;
use crate::limits::Limits;
use crate::openapi::{EXAMPLE_ID, Operation};
use crate::problem::Problem;

/// All of them.
pub(super) fn operations() -> Vec<Operation> {
    let ready = |is_ready: bool| Some(json!({ "ready": is_ready }));
    let all = [
        Operation::get("/v2/health/live", "protocolLive", "Tells that the process answers").open().gives(
            200,
            "It does",
            "application/json",
            flag_schema("live"),
            Some(json!({ "live": true })),
        ),
        Operation::get("/v2/health/ready", "protocolReady", "Tells whether requests can be answered now")
            .open()
            .gives(200, "They can", "application/json", flag_schema("ready"), ready(true))
            .gives(503, "They cannot now", "application/json", flag_schema("ready"), ready(false)),
        Operation::get("/v2", "serverMetadata", "Names the server and its extensions of the protocol").gives(
            200,
            "The server",
            "application/json",
            server_schema(),
            Some(json!({ "name": "chasqui", "version": env!("CARGO_PKG_VERSION"), "extensions": [] })),
        ),
        metadata("/v2/models/{model}", "modelMetadata", "Names the tensors that a service takes and gives"),
        metadata(
            "/v2/models/{model}/versions/{version}",
            "versionMetadata",
            "Names the tensors that a version of a service takes and gives",
        ),
        readiness("/v2/models/{model}/ready", "modelReady", "Tells whether a service answers now"),
        readiness(
            "/v2/models/{model}/versions/{version}/ready",
            "versionReady",
            "Tells whether a version of a service answers now",
        ),
        infer("/v2/models/{model}/infer", "infer", "Asks a service with tensors").parameter(version_header()),
        infer("/v2/models/{model}/versions/{version}/infer", "inferVersion", "Asks a version with tensors"),
    ];
    all.into_iter().map(|operation| operation.tag("inference protocol")).collect()
}

fn missing() -> Error {
    Error::not_found("service", "demanda")
}

/// What is answered for a version that does not serve.
fn with_version(operation: Operation) -> Operation {
    if !operation.path().contains("{version}") {
        return operation;
    }
    operation
        .fails(Problem::not_found("the version `x` does not exist; versions are numbers"))
        .fails(Problem::not_found("version 7 of the service `demanda` is not loaded; 1, 2 can be asked for"))
}

fn metadata(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    let operation = Operation::get(path, id, summary)
        .gives(200, "Its metadata", "application/json", metadata_schema(), Some(metadata_example()))
        .fails(missing());
    with_version(operation)
}

fn readiness(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    let mut schema = flag_schema("ready");
    schema["properties"]["name"] = json!({ "type": "string" });
    let example = |ready: bool| Some(json!({ "name": "demanda", "ready": ready }));
    let operation = Operation::get(path, id, summary)
        .gives(200, "It does", "application/json", schema.clone(), example(true))
        .gives(503, "It does not now", "application/json", schema, example(false))
        .fails(missing());
    with_version(operation)
}

fn infer(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    let unlogged = "the prediction log cannot be written; nothing is answered unlogged";
    let operation = Operation::post(path, id, summary)
        .about(
            "A model of the protocol is a service here. Every row is logged; `prediction_id` among the answer's \
             parameters names them, in their order and separated by commas. The request's parameter `key` is the \
             entity's key.",
        )
        .by(Role::Viewer)
        .not_kept()
        .takes("application/json", request(), Some(request_example()))
        .gives(200, "The outputs", "application/json", answer(), Some(answer_example()))
        .header("X-Model-Version")
        .header("X-Rollout-Id")
        .fails(Problem::bad_request("the body is not valid JSON: EOF while parsing an object at line 1 column 2"))
        .fails(Problem::bad_request("the input `X` must have the shape [-1, 2] (-1: any), not [1, 3]"))
        .fails(missing())
        .fails(Problem::too_large("the body", Limits::default().predict_bytes))
        .fails(body::unknown_encoding("br"))
        .fails(Problem::unprocessable("field `precio`: -3 is below the minimum 0"))
        .fails(Problem::model_failed("the model failed: the answer is not a number"))
        .fails(Problem::unsupported("binary tensors are not supported; send `data` as JSON"))
        .fails(Problem::unavailable(unlogged, 1));
    with_version(operation)
}

fn server_schema() -> Value {
    json!({
        "type": "object",
        "required": ["name", "version", "extensions"],
        "properties": {
            "name": { "type": "string" },
            "version": { "type": "string" },
            "extensions": { "type": "array", "items": { "type": "string" } },
        },
    })
}

fn metadata_schema() -> Value {
    let tensors = json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name", "datatype", "shape"],
            "properties": {
                "name": { "type": "string" },
                "datatype": datatype(),
                "shape": { "type": "array", "items": { "type": "integer" }, "description": "-1 is any." },
            },
        },
    });
    json!({
        "type": "object",
        "required": ["name", "versions", "platform", "inputs", "outputs"],
        "properties": {
            "name": { "type": "string" },
            "versions": { "type": "array", "items": { "type": "string" } },
            "platform": { "type": "string" },
            "inputs": tensors,
            "outputs": tensors,
        },
    })
}

fn datatype() -> Value {
    let mut schema: Value = DataType::json_schema(&mut schemars::SchemaGenerator::default()).into();
    schema["description"] = "The type of the elements.".into();
    schema
}

fn metadata_example() -> Value {
    json!({
        "name": "demanda",
        "versions": ["1", "2"],
        "platform": "onnx_onnxv1",
        "inputs": [{ "name": "X", "datatype": "FP32", "shape": [-1, 2] }],
        "outputs": [{ "name": "variable", "datatype": "FP32", "shape": [-1, 1] }],
    })
}

fn request() -> Value {
    json!({
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": { "type": ["string", "null"], "description": "Given back in the answer." },
            "parameters": { "type": ["object", "null"], "description": "`key` is the entity's key." },
            "inputs": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["name", "shape", "datatype", "data"],
                    "properties": {
                        "name": { "type": "string" },
                        "shape": { "type": "array", "minItems": 1, "items": { "type": "integer", "minimum": 0 } },
                        "datatype": datatype(),
                        "parameters": { "description": "Not read." },
                        "data": { "type": "array", "description": "The elements in row-major order, flat or nested." },
                    },
                },
            },
            "outputs": {
                "type": ["array", "null"],
                "description": "The outputs wanted; all without it.",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": { "name": { "type": "string" }, "parameters": { "description": "Not read." } },
                },
            },
        },
    })
}

fn request_example() -> Value {
    json!({ "inputs": [{ "name": "X", "shape": [1, 2], "datatype": "FP32", "data": [1.5, 1.0] }] })
}

fn answer() -> Value {
    json!({
        "type": "object",
        "required": ["model_name", "model_version", "outputs"],
        "properties": {
            "model_name": { "type": "string" },
            "model_version": { "type": "string" },
            "id": { "type": "string" },
            "parameters": {
                "type": "object",
                "properties": {
                    "prediction_id": { "type": "string" },
                    "warning": { "type": "string" },
                    "warning_count": { "type": "integer" },
                },
            },
            "outputs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "shape", "datatype", "data"],
                    "properties": {
                        "name": { "type": "string" },
                        "shape": { "type": "array", "items": { "type": "integer" } },
                        "datatype": datatype(),
                        "data": { "type": "array" },
                    },
                },
            },
        },
    })
}

fn answer_example() -> Value {
    json!({
        "model_name": "demanda",
        "model_version": "1",
        "parameters": { "prediction_id": EXAMPLE_ID },
        "outputs": [{ "name": "variable", "shape": [1, 1], "datatype": "FP32", "data": [118.4] }],
    })
}
