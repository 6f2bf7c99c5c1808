//! The routes of the protocol, for the API's document.

mod repository;
mod tensors;

use chasqui_registry::Error;
use chasqui_registry::user::Role;
use serde_json::{Value, json};

use super::description::Statistics;
use super::{EXTENSIONS, PLATFORM};
use crate::api::health::flag_schema;
use crate::api::predict;
use crate::openapi::Operation;
use crate::problem::Problem;

/// A service.
const MODEL: &str = "/v2/models/{model}";

/// All of them.
pub(super) fn operations() -> Vec<Operation> {
    let described = [health().into(), of_models(), statistics(), repository::operations()];
    described.into_iter().flatten().map(|operation| operation.tag("inference protocol")).collect()
}

fn health() -> [Operation; 3] {
    let schema = || {
        let mut schema = flag_schema("live");
        schema["required"] = json!(["live", "ready"]);
        schema["properties"]["ready"] = json!({ "type": "boolean" });
        schema
    };
    let state = |is_ready: bool| Some(json!({ "live": true, "ready": is_ready }));
    [
        Operation::get("/v2/health/live", "protocolLive", "Tells that the process answers").open().gives(
            200,
            "It does",
            "application/json",
            schema(),
            state(true),
        ),
        Operation::get("/v2/health/ready", "protocolReady", "Tells whether requests can be answered now")
            .open()
            .gives(200, "They can", "application/json", schema(), state(true))
            .gives(503, "They cannot now", "application/json", schema(), state(false)),
        Operation::get("/v2", "serverMetadata", "Names the server and its extensions of the protocol").gives(
            200,
            "The server",
            "application/json",
            server_schema(),
            Some(
                json!({ "name": "chasqui", "version": env!("CARGO_PKG_VERSION"), "extensions": EXTENSIONS }),
            ),
        ),
    ]
}

fn of_models() -> Vec<Operation> {
    vec![
        metadata(MODEL, "modelMetadata", "Names the tensors that a service takes and gives"),
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
        infer("/v2/models/{model}/infer", "infer", "Asks a service with tensors"),
        infer("/v2/models/{model}/versions/{version}/infer", "inferVersion", "Asks a version with tensors"),
        configuration("/v2/models/{model}/config", "modelConfiguration", "Tells how a service is asked"),
        configuration(
            "/v2/models/{model}/versions/{version}/config",
            "versionConfiguration",
            "Tells how a version of a service is asked",
        ),
    ]
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
    let (schema, example) = (tensors::metadata_schema(), Some(tensors::metadata_example()));
    let operation = Operation::get(path, id, summary)
        .gives(200, "Its metadata", "application/json", schema, example)
        .fails(not_ready())
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
    let late = "the timeout of 20000 µs ended before the model was asked; nothing was predicted";
    let operation = Operation::post(path, id, summary)
        .about(
            "A model of the protocol is a service here. Every row is logged; `prediction_id` among the answer's \
             parameters names them, in their order and separated by commas. Of the request's parameters `key` is the \
             entity's key and `timeout` how long the answer is of use. Tensors may be binary: then the body is JSON, \
             whose length the header says, and the bytes of the tensors after it.",
        )
        .by(Role::Viewer)
        .not_kept()
        .parameter(json_length())
        .takes("application/json", tensors::request(), Some(tensors::request_example()))
        .takes_file("application/octet-stream")
        .gives(200, "The outputs", "application/json", tensors::answer(), Some(tensors::answer_example()))
        .gives(200, "The outputs", "application/octet-stream", tensors::binary(), None)
        .header("Inference-Header-Content-Length")
        .fails(Problem::bad_request("the body is not valid JSON: EOF while parsing an object at line 1 column 2"))
        .fails(Problem::bad_request("the input `X` must have the shape [-1, 2] (-1: any), not [1, 3]"))
        .fails(Problem::bad_request("the header Inference-Header-Content-Length must be a number of bytes"))
        .fails(missing())
        .fails(not_ready())
        .fails(Problem::unprocessable("field `precio`: -3 is below the minimum 0"))
        .fails(Problem::timed_out(late));
    with_version(predict::described(operation))
}

/// `Inference-Header-Content-Length` of a request.
fn json_length() -> Value {
    json!({
        "name": "Inference-Header-Content-Length",
        "in": "header",
        "description": "The bytes of JSON before the binary tensors; 0 makes the body the only input, and without it \
                        everything is JSON.",
        "schema": { "type": "string", "pattern": "^[0-9]{1,18}$" },
    })
}

fn not_ready() -> Problem {
    Problem::unavailable("the service `demanda` is not ready: it is unloaded", 5)
}

fn statistics() -> Vec<Operation> {
    let of = |path, id, summary| {
        Operation::get(path, id, summary)
            .about("Since this replica started; times are sums of nanoseconds.")
            .answers::<Statistics>(200, "The counts of each version", statistics_example())
    };
    let all = of("/v2/models/stats", "statistics", "Tells what every loaded version has done");
    let one = [
        of("/v2/models/{model}/stats", "modelStatistics", "Tells what the versions of a service have done"),
        of(
            "/v2/models/{model}/versions/{version}/stats",
            "versionStatistics",
            "Tells what a version of a service has done",
        ),
    ];
    let one = one.into_iter().map(|operation| with_version(operation.fails(missing()).fails(not_ready())));
    std::iter::once(all).chain(one).collect()
}

fn statistics_example() -> Value {
    let spent = |count: u64| json!({ "count": count, "ns": 20_000 * count });
    let parts = |count: u64| json!({ "compute_input": spent(count), "compute_infer": spent(count), "compute_output": spent(count) });
    let mut all = parts(12);
    all["success"] = spent(12);
    all["fail"] = spent(1);
    all["queue"] = spent(12);
    let mut batch = parts(12);
    batch["batch_size"] = 1.into();
    json!({ "model_stats": [{
        "name": "demanda",
        "version": "1",
        "last_inference": 1_795_280_700_000_i64,
        "inference_count": 12,
        "execution_count": 12,
        "inference_stats": all,
        "batch_stats": [batch],
    }] })
}

fn configuration(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    let example = json!({
        "name": "demanda",
        "platform": PLATFORM,
        "backend": "onnx",
        "version_policy": { "specific": { "versions": [1, 2] } },
        "max_batch_size": 1_048_576,
        "input": [{ "name": "X", "data_type": "TYPE_FP32", "dims": [2] }],
        "output": [{ "name": "variable", "data_type": "TYPE_FP32", "dims": [1] }],
    });
    let operation = Operation::get(path, id, summary)
        .gives(200, "Its configuration", "application/json", tensors::configuration(), Some(example))
        .fails(missing())
        .fails(not_ready());
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
