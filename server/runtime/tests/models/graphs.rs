//! Small graphs built from the types of the file format.

use chasqui_runtime::{DataType, Tensor, TensorData};
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType as Proto;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, type_proto,
};

pub(crate) fn floats(shape: &[usize], value: impl Fn(usize) -> f32) -> Tensor {
    let count = shape.iter().product();
    Tensor::new(shape.to_vec(), TensorData::F32((0..count).map(value).collect())).unwrap()
}

/// 0 stands for a variable axis.
pub(crate) fn input(name: &str, datatype: DataType, axes: &[i64]) -> ValueInfoProto {
    let elem_type = if datatype == DataType::Bytes { Proto::String } else { Proto::Float } as i32;
    let dim = axes.iter().map(|&axis| Dimension {
        value: Some(if axis == 0 {
            dimension::Value::DimParam("N".into())
        } else {
            dimension::Value::DimValue(axis)
        }),
        ..Dimension::default()
    });
    let shape = Some(TensorShapeProto { dim: dim.collect() });
    let value = Some(type_proto::Value::TensorType(type_proto::Tensor { elem_type, shape }));
    let r#type = Some(TypeProto { value, ..TypeProto::default() });
    ValueInfoProto { name: name.into(), r#type, ..ValueInfoProto::default() }
}

pub(crate) fn tensor(name: &str, dims: &[i64], float_data: Vec<f32>) -> TensorProto {
    let data_type = Proto::Float as i32;
    TensorProto { name: name.into(), dims: dims.to_vec(), data_type, float_data, ..TensorProto::default() }
}

pub(crate) fn constant(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![values.len() as i64],
        data_type: Proto::Int64 as i32,
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

pub(crate) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i, r#type: AttributeType::Int as i32, ..AttributeProto::default() }
}

pub(crate) fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    let r#type = AttributeType::Ints as i32;
    AttributeProto { name: name.into(), ints: ints.to_vec(), r#type, ..AttributeProto::default() }
}

pub(crate) fn numbers(name: &str, floats: &[f32]) -> AttributeProto {
    let r#type = AttributeType::Floats as i32;
    AttributeProto { name: name.into(), floats: floats.to_vec(), r#type, ..AttributeProto::default() }
}

pub(crate) fn texts(name: &str, texts: &[&str]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        strings: texts.iter().map(|text| text.as_bytes().to_vec()).collect(),
        r#type: AttributeType::Strings as i32,
        ..AttributeProto::default()
    }
}

pub(crate) fn text(name: &str, text: &str) -> AttributeProto {
    let r#type = AttributeType::String as i32;
    AttributeProto { name: name.into(), s: text.as_bytes().to_vec(), r#type, ..AttributeProto::default() }
}

pub(crate) fn node(operator: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        input: inputs.iter().map(|name| (*name).into()).collect(),
        output: outputs.iter().map(|name| (*name).into()).collect(),
        ..NodeProto::default()
    }
}

/// From `x` of three columns to `y`.
pub(crate) fn model(nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    let graph = GraphProto {
        node: nodes,
        initializer,
        input: vec![input("x", DataType::Fp32, &[0, 3])],
        output: vec![input("y", DataType::Fp32, &[0, 2])],
        ..GraphProto::default()
    };
    let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.into(), version };
    ModelProto {
        ir_version: 8,
        opset_import: vec![opset("", 15), opset("ai.onnx.ml", 1)],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

/// Softmax over a linear layer.
pub(crate) fn network() -> ModelProto {
    let weights = tensor("w", &[3, 2], vec![-1.0, 1.0, 0.5, 1.5, 0.0, 0.25]);
    let bias = tensor("b", &[2], vec![0.0, 0.1]);
    let nodes = vec![
        node("MatMul", &["x", "w"], &["h"]),
        node("Add", &["h", "b"], &["s"]),
        node("Softmax", &["s"], &["y"]),
    ];
    model(nodes, vec![weights, bias])
}

/// Two stumps.
pub(crate) fn forest() -> ModelProto {
    let mut trees = node("TreeEnsembleRegressor", &["x"], &["y"]);
    trees.domain = "ai.onnx.ml".into();
    let modes = ["BRANCH_LEQ", "LEAF", "LEAF"].repeat(2);
    trees.attribute = vec![
        ints("nodes_treeids", &[0, 0, 0, 1, 1, 1]),
        ints("nodes_nodeids", &[0, 1, 2, 0, 1, 2]),
        ints("nodes_featureids", &[0, 0, 0, 2, 0, 0]),
        ints("nodes_truenodeids", &[1, 0, 0, 1, 0, 0]),
        ints("nodes_falsenodeids", &[2, 0, 0, 2, 0, 0]),
        numbers("nodes_values", &[0.5, 0.0, 0.0, -0.5, 0.0, 0.0]),
        AttributeProto {
            name: "nodes_modes".into(),
            strings: modes.iter().map(|mode| (*mode).into()).collect(),
            r#type: AttributeType::Strings as i32,
            ..AttributeProto::default()
        },
        ints("target_treeids", &[0, 0, 1, 1]),
        ints("target_nodeids", &[1, 2, 1, 2]),
        ints("target_ids", &[0, 0, 0, 0]),
        numbers("target_weights", &[1.0, 2.0, 10.0, 20.0]),
    ];
    model(vec![trees], vec![])
}
