//! Inputs that are dictionaries, as the exporter of scikit-learn's `DictVectorizer` declares them.
//!
//! A request is a table of named columns, which says the same as a dictionary per row: the input becomes a table
//! with a column for each word of the vocabulary, named by it, and the operator has nothing left to do. A word
//! that a dictionary lacks is a 0 in the table.

use std::collections::HashSet;

use tract_onnx::pb::tensor_proto::DataType as Proto;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::type_proto::{Tensor as TensorType, Value as TypeValue};
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorShapeProto, TypeProto, ValueInfoProto,
};

use crate::ModelError;
use crate::attributes::Attributes;
use crate::reading::MAX_FEATURES;

/// Turns the inputs that only `DictVectorizer` reads into tables of single precision.
pub(crate) fn as_tables(model: &mut ModelProto) -> Result<(), ModelError> {
    let Some(graph) = &mut model.graph else { return Ok(()) };
    let mut names = Vec::new();
    for at in 0..graph.input.len() {
        let Some(vocabulary) = vocabulary_of(graph, &graph.input[at])? else { continue };
        graph.input[at].r#type = Some(table(vocabulary.len()));
        for node in readers(&mut graph.node, &graph.input[at].name) {
            node.op_type = "Identity".into();
            node.domain.clear();
            node.attribute.clear();
        }
        names = vocabulary;
    }
    let unique = names.iter().collect::<HashSet<_>>().len() == names.len();
    let nameable = unique && (1..=MAX_FEATURES).contains(&names.len()) && !names.contains(&String::new());
    if graph.input.len() > 1 || !nameable {
        return Ok(());
    }
    let key = "chasqui.features";
    if model.metadata_props.iter().all(|entry| entry.key != key) {
        let value = serde_json::Value::from(names).to_string();
        model.metadata_props.push(StringStringEntryProto { key: key.into(), value });
    }
    Ok(())
}

fn readers<'a>(nodes: &'a mut [NodeProto], name: &'a str) -> impl Iterator<Item = &'a mut NodeProto> {
    nodes.iter_mut().filter(move |node| node.input.iter().any(|input| input == name))
}

/// The words by which an input that is no tensor is read, where all that read it agree.
fn vocabulary_of(graph: &GraphProto, input: &ValueInfoProto) -> Result<Option<Vec<String>>, ModelError> {
    if input.r#type.as_ref().is_some_and(|kind| kind.value.is_some()) {
        return Ok(None);
    }
    let mut agreed: Option<Vec<String>> = None;
    for node in graph.node.iter().filter(|node| node.input.contains(&input.name)) {
        if node.op_type != "DictVectorizer" {
            return Ok(None);
        }
        let words = vocabulary(Attributes(node))?;
        if agreed.as_ref().is_some_and(|agreed| *agreed != words) {
            return Ok(None);
        }
        agreed = Some(words);
    }
    Ok(agreed)
}

fn vocabulary(node: Attributes<'_>) -> Result<Vec<String>, ModelError> {
    let texts = node.texts("string_vocabulary")?;
    let ints = node.ints("int64_vocabulary");
    if texts.is_empty() == ints.is_empty() {
        return Err(node.invalid("exactly one vocabulary is needed"));
    }
    Ok(texts.into_iter().map(str::to_owned).chain(ints.iter().map(i64::to_string)).collect())
}

fn table(columns: usize) -> TypeProto {
    let axes = [dimension::Value::DimParam("N".into()), dimension::Value::DimValue(columns as i64)];
    let dim = axes.into_iter().map(|axis| Dimension { value: Some(axis), ..Dimension::default() });
    let shape = Some(TensorShapeProto { dim: dim.collect() });
    let value = TypeValue::TensorType(TensorType { elem_type: Proto::Float as i32, shape });
    TypeProto { value: Some(value), ..TypeProto::default() }
}
