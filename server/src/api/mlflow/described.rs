//! The routes of MLflow's scoring server, for the API's document.

use chasqui_registry::Error;
use chasqui_registry::user::Role;
use serde_json::{Value, json};

use crate::api::kserve_v1::{predicted, predicted_example};
use crate::api::predict;
use crate::openapi::Operation;
use crate::problem::Problem;

/// All of them.
pub(super) fn operations() -> Vec<Operation> {
    let ready = "It can";
    let not_ready = "It cannot now";
    let ping = |path, id, head_id| {
        let summary = "Tells whether requests can be answered now";
        [
            Operation::get(path, id, summary)
                .about("A line feed that calls itself JSON, as MLflow's.")
                .open()
                .calls_itself(200, ready, "application/json")
                .calls_itself(503, not_ready, "application/json"),
            Operation::head(path, head_id, summary).open().empty(200, ready).empty(503, not_ready),
        ]
    };
    let version = Operation::get("/version", "mlflowVersion", "Tells the version of this program")
        .about("Bare, where MLflow's server tells its own; it calls itself JSON and is not.")
        .calls_itself(200, "The version", "application/json");
    let one =
        invocations("/invocations", "invocations", "Asks the service that is meant").parameter(service());
    let each =
        invocations("/services/{service}/invocations", "serviceInvocations", "Asks a service as MLflow does");
    let asked = [one.fails(Problem::bad_request(unnamed())), each];
    let pings =
        [ping("/ping", "mlflowPing", "mlflowPingHead"), ping("/health", "mlflowHealth", "mlflowHealthHead")];
    let all = asked.into_iter().chain(pings.into_iter().flatten()).chain([version]);
    all.map(|operation| operation.tag("mlflow")).collect()
}

fn unnamed() -> &'static str {
    "there are 2 services, `demanda`, `ventas`: name one with the header x-chasqui-service, or post to \
     /services/{service}/invocations"
}

/// The header that names the service.
fn service() -> Value {
    json!({
        "name": "X-Chasqui-Service",
        "in": "header",
        "description": "The service; without it the configured one, else the only one.",
        "schema": { "type": "string", "minLength": 1 },
        "example": "demanda",
    })
}

fn invocations(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    let split = json!({ "columns": ["precio", "promocion"], "data": [[1.5, 1]] });
    let operation = Operation::post(path, id, summary)
        .about(
            "Rows are under one of `dataframe_split`, `dataframe_records`, `instances` and `inputs`; `key` among the \
             `params` is the entity's key. The bare tables of MLflow 1 are read with \
             `application/json; format=pandas-split` and `format=pandas-records`. Every row is logged.",
        )
        .by(Role::Viewer)
        .not_kept()
        .takes("application/json", request(), Some(json!({ "dataframe_split": split })))
        .takes("text/csv", csv(), Some("precio,promocion\n1.5,1\n".into()))
        .gives(200, "What was predicted", "application/json", predicted(), Some(predicted_example()))
        .fails(Error::not_found("service", "demanda"))
        .fails(Problem::unavailable("the service `demanda` is not ready: it is unloaded", 5))
        .fails(Problem::bad_request("the body is not valid JSON: EOF while parsing an object at line 1 column 2"))
        .fails(Problem::unprocessable("record 0, field `precio`: expected a number, got the text \"1.5\""))
        .fails(Problem::unprocessable("there are no rows; send at least one"))
        .fails(Problem::unsupported_media("`text/plain` is not read here; send application/json or text/csv"));
    predict::described(operation)
}

fn csv() -> Value {
    json!({ "type": "string", "description": "CSV in UTF-8 with a header row.", "minLength": 1 })
}

fn request() -> Value {
    let rows = |about: &str| json!({ "description": about, "type": ["array", "object"] });
    let forms = ["dataframe_split", "dataframe_records", "instances", "inputs"];
    let one_of: Vec<Value> = forms.iter().map(|form| json!({ "required": [form] })).collect();
    json!({
        "type": "object",
        "description": "Exactly one form of rows.",
        "oneOf": one_of,
        "properties": {
            "dataframe_split": {
                "type": "object",
                "description": "As pandas writes a table with `orient=\"split\"`.",
                "properties": {
                    "columns": { "type": ["array", "null"], "description": "Names; without them the model's order." },
                    "index": { "description": "Passed over." },
                    "data": { "type": "array", "items": { "type": "array" } },
                },
            },
            "dataframe_records": { "type": "array", "description": "As pandas writes it with `orient=\"records\"`." },
            "instances": rows("Rows, one after another or as columns."),
            "inputs": rows("Rows, one after another or as columns."),
            "params": {
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
