//! Writes a fitted model as an ONNX file whose inputs are the raw columns.
//!
//! One input per column, `[N, 1]`, named by the column: FLOAT for numbers, STRING for texts. Classifiers give
//! `label` and `probabilities`, regressions `variable`. Operators are those of `ai.onnx` 17 and `ai.onnx.ml` 3.
//! Checking that the file answers as the learner does is the job of [`check()`].

mod check;
mod graph;
mod linear;
mod trees;

use prost::Message;
use tract_onnx::pb::{ModelProto, OperatorSetIdProto, StringStringEntryProto};

use crate::features::Feature;
use crate::learners::Fitted;
use crate::target::Classes;
use crate::{Task, TrainError};

pub(crate) use check::{check, load};
use graph::Graph;

/// The file's bytes; the same model gives the same bytes.
pub(crate) fn write(
    model: &Fitted,
    features: &[Feature],
    classes: Option<&Classes>,
    task: Task,
) -> Result<Vec<u8>, TrainError> {
    let mut graph = Graph::new(features);
    match model {
        Fitted::Linear(model) => linear::write(&mut graph, model, features, classes),
        Fitted::Boosted(model) => trees::write(&mut graph, model, features, classes),
    }
    let names: Vec<&str> = features.iter().map(|feature| feature.name.as_str()).collect();
    let names = serde_json::to_string(&names)
        .map_err(|error| TrainError::Invalid(format!("the features' names cannot be written: {error}")))?;
    let task = match task {
        Task::Regression => "regression",
        Task::Binary => "binary",
        Task::Multiclass => "multiclass",
    };
    let property = |key: &str, value: &str| StringStringEntryProto { key: key.into(), value: value.into() };
    let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.into(), version };
    let proto = ModelProto {
        ir_version: 8,
        opset_import: vec![opset("", 17), opset("ai.onnx.ml", 3)],
        producer_name: "chasqui".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph.finish()),
        metadata_props: vec![property("chasqui.features", &names), property("chasqui.task", task)],
        ..ModelProto::default()
    };
    Ok(proto.encode_to_vec())
}
