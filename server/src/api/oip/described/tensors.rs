//! Tensors as they are asked for, sent and told.

use chasqui_runtime::DataType;
use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::openapi::EXAMPLE_ID;

pub(super) fn metadata_schema() -> Value {
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

/// The type of an input, which may be one that widens to the model's.
fn sent_datatype() -> Value {
    json!({ "anyOf": [datatype(), { "const": "BF16", "description": "The upper half of an FP32; only binary." }] })
}

/// What a request says about itself.
fn request_parameters() -> Value {
    parameters(&json!({
        "key": { "type": ["string", "number", "boolean", "null"], "description": "The entity's key." },
        "timeout": {
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": u64::MAX,
            "description": "Microseconds after which nobody wants the answer; 0 is never.",
        },
        "priority": { "type": ["integer", "null"], "minimum": 0, "maximum": u64::MAX, "description": "Without effect." },
        "binary_data_output": {
            "type": ["boolean", "null"],
            "description": "Whether outputs are binary unless they say otherwise.",
        },
    }))
}

fn output_parameters() -> Value {
    parameters(&json!({
        "binary_data": { "type": ["boolean", "null"], "description": "Whether it is binary." },
        "classification": {
            "type": ["integer", "null"],
            "minimum": 0,
            "description": "So many largest elements are told as `value:index[:label]` in place of the tensor.",
        },
    }))
}

/// Parameters with a meaning here; others are passed over.
fn parameters(known: &Value) -> Value {
    json!({ "type": ["object", "null"], "properties": known })
}

/// JSON, as long as the answer's header says, and binary tensors.
pub(super) fn binary() -> Value {
    json!({
        "type": "string",
        "format": "binary",
        "description": "JSON, as long as `Inference-Header-Content-Length` says, and the bytes of the tensors.",
    })
}

pub(super) fn configuration() -> Value {
    let tensors = json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name", "data_type", "dims"],
            "properties": {
                "name": { "type": "string" },
                "data_type": { "type": "string", "description": "`TYPE_` and the protocol's name." },
                "dims": {
                    "type": "array",
                    "items": { "type": "integer" },
                    "description": "-1 is any; without the batch where `max_batch_size` speaks of it.",
                },
            },
        },
    });
    json!({
        "type": "object",
        "required": ["name", "platform", "backend", "version_policy", "max_batch_size", "input", "output"],
        "properties": {
            "name": { "type": "string" },
            "platform": { "type": "string" },
            "backend": { "type": "string" },
            "version_policy": {
                "type": "object",
                "required": ["specific"],
                "properties": { "specific": {
                    "type": "object",
                    "required": ["versions"],
                    "properties": { "versions": { "type": "array", "items": { "type": "integer" } } },
                } },
            },
            "max_batch_size": { "type": "integer", "description": "Most rows; 0 when the first axis is no batch." },
            "input": tensors,
            "output": tensors,
        },
    })
}

pub(super) fn metadata_example() -> Value {
    json!({
        "name": "demanda",
        "versions": ["1", "2"],
        "platform": "onnx_onnxv1",
        "inputs": [{ "name": "X", "datatype": "FP32", "shape": [-1, 2] }],
        "outputs": [{ "name": "variable", "datatype": "FP32", "shape": [-1, 1] }],
    })
}

pub(super) fn request() -> Value {
    json!({
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": { "type": ["string", "null"], "description": "Given back in the answer." },
            "parameters": request_parameters(),
            "inputs": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["name", "shape", "datatype"],
                    "properties": {
                        "name": { "type": "string" },
                        "shape": { "type": "array", "minItems": 1, "items": { "type": "integer", "minimum": 0 } },
                        "datatype": sent_datatype(),
                        "parameters": parameters(&json!({ "binary_data_size": {
                            "type": ["integer", "null"],
                            "minimum": 0,
                            "description": "The input's bytes behind the JSON, in place of `data`.",
                        } })),
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
                    "properties": { "name": { "type": "string" }, "parameters": output_parameters() },
                },
            },
        },
    })
}

pub(super) fn request_example() -> Value {
    json!({ "inputs": [{ "name": "X", "shape": [1, 2], "datatype": "FP32", "data": [1.5, 1.0] }] })
}

pub(super) fn answer() -> Value {
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
                    "required": ["name", "shape", "datatype"],
                    "properties": {
                        "name": { "type": "string" },
                        "shape": { "type": "array", "items": { "type": "integer" } },
                        "datatype": datatype(),
                        "data": { "type": "array", "description": "Flat, in row-major order." },
                        "parameters": {
                            "type": "object",
                            "properties": { "binary_data_size": {
                                "type": "integer",
                                "description": "The output's bytes behind the JSON, in place of `data`.",
                            } },
                        },
                    },
                },
            },
        },
    })
}

pub(super) fn answer_example() -> Value {
    json!({
        "model_name": "demanda",
        "model_version": "1",
        "parameters": { "prediction_id": EXAMPLE_ID },
        "outputs": [{ "name": "variable", "shape": [1, 1], "datatype": "FP32", "data": [118.4] }],
    })
}
