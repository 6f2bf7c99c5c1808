//! A graph under construction: inputs from features, nodes with their attributes, outputs.

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, NodeProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
    type_proto,
};

use crate::features::{Feature, FeatureKind, Levels};
use crate::target::Classes;

/// The names of outputs; no column may take them, so inputs keep theirs and these give way.
const LABEL: &str = "label";
const PROBABILITIES: &str = "probabilities";
const VARIABLE: &str = "variable";

pub(super) struct Graph {
    proto: GraphProto,
    /// Names in use, which must be distinct in a graph.
    names: Vec<String>,
}

impl Graph {
    /// A graph with an input per feature.
    pub(super) fn new(features: &[Feature]) -> Graph {
        let mut proto = GraphProto { name: "chasqui".into(), ..GraphProto::default() };
        for feature in features {
            let texts = matches!(feature.kind, FeatureKind::Category(Levels::Texts(_)));
            let element = if texts { DataType::String } else { DataType::Float };
            proto.input.push(value_info(&feature.name, element, &[None, Some(1)]));
        }
        let names = features.iter().map(|feature| feature.name.clone()).collect();
        Graph { proto, names }
    }

    /// A name near `wanted` that nothing else has.
    pub(super) fn name(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        while self.names.contains(&name) {
            name.push('_');
        }
        self.names.push(name.clone());
        name
    }

    /// Adds a node of one output and gives that output's name.
    pub(super) fn node(
        &mut self,
        operator: &str,
        domain: &str,
        inputs: &[String],
        output: &str,
        attributes: Vec<AttributeProto>,
    ) -> String {
        let output = self.name(output);
        self.push(operator, domain, inputs, vec![output.clone()], attributes);
        output
    }

    /// Puts columns side by side.
    pub(super) fn concat(&mut self, inputs: &[String], output: &str) -> String {
        self.node("Concat", "", inputs, output, vec![int("axis", 1)])
    }

    /// Adds a constant of whole numbers and gives its name.
    pub(super) fn constant(&mut self, wanted: &str, values: &[i64]) -> String {
        let name = self.name(wanted);
        self.proto.initializer.push(TensorProto {
            dims: vec![values.len() as i64],
            data_type: DataType::Int64 as i32,
            int64_data: values.to_vec(),
            name: name.clone(),
            ..TensorProto::default()
        });
        name
    }

    /// Ends the graph with a regression of `features`, `[N, columns]`.
    pub(super) fn regressor(&mut self, operator: &str, features: String, attributes: Vec<AttributeProto>) {
        let output = self.node(operator, "ai.onnx.ml", &[features], VARIABLE, attributes);
        self.proto.output.push(value_info(&output, DataType::Float, &[None, Some(1)]));
    }

    /// Ends the graph with a classification of `features`, `[N, columns]`.
    pub(super) fn classifier(
        &mut self,
        operator: &str,
        features: String,
        classes: &Classes,
        mut attributes: Vec<AttributeProto>,
    ) {
        let element = match classes {
            Classes::Numbers(labels) => {
                attributes.push(ints("classlabels_int64s", labels.clone()));
                DataType::Int64
            }
            Classes::Texts(labels) => {
                attributes.push(strings("classlabels_strings", labels));
                DataType::String
            }
        };
        if operator == "LinearClassifier" {
            // This operator calls the same attribute differently.
            for attribute in &mut attributes {
                if attribute.name == "classlabels_int64s" {
                    attribute.name = "classlabels_ints".into();
                }
            }
        }
        let (label, probabilities) = (self.name(LABEL), self.name(PROBABILITIES));
        self.push(
            operator,
            "ai.onnx.ml",
            &[features],
            vec![label.clone(), probabilities.clone()],
            attributes,
        );
        self.proto.output.push(value_info(&label, element, &[None]));
        let shape = [None, Some(classes.len() as i64)];
        self.proto.output.push(value_info(&probabilities, DataType::Float, &shape));
    }

    pub(super) fn finish(self) -> GraphProto {
        self.proto
    }

    fn push(
        &mut self,
        operator: &str,
        domain: &str,
        inputs: &[String],
        outputs: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) {
        let name = format!("{}_{}", operator.to_lowercase(), self.proto.node.len());
        self.proto.node.push(NodeProto {
            input: inputs.to_vec(),
            output: outputs,
            name,
            op_type: operator.into(),
            domain: domain.into(),
            attribute,
            ..NodeProto::default()
        });
    }
}

fn value_info(name: &str, element: DataType, shape: &[Option<i64>]) -> ValueInfoProto {
    let dimension = |size: &Option<i64>| Dimension {
        value: Some(match size {
            Some(size) => dimension::Value::DimValue(*size),
            None => dimension::Value::DimParam("N".into()),
        }),
        ..Dimension::default()
    };
    let shape = TensorShapeProto { dim: shape.iter().map(dimension).collect() };
    let tensor = type_proto::Tensor { elem_type: element as i32, shape: Some(shape) };
    let value = Some(type_proto::Value::TensorType(tensor));
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto { value, ..TypeProto::default() }),
        ..Default::default()
    }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: kind as i32, ..AttributeProto::default() }
}

pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: value, ..attribute(name, AttributeType::Int) }
}

pub(super) fn ints(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto { ints: values, ..attribute(name, AttributeType::Ints) }
}

pub(super) fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: value, ..attribute(name, AttributeType::Float) }
}

pub(super) fn floats(name: &str, values: Vec<f32>) -> AttributeProto {
    AttributeProto { floats: values, ..attribute(name, AttributeType::Floats) }
}

pub(super) fn string(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: value.into(), ..attribute(name, AttributeType::String) }
}

pub(super) fn strings<T: AsRef<str>>(name: &str, values: &[T]) -> AttributeProto {
    let strings = values.iter().map(|value| value.as_ref().as_bytes().to_vec()).collect();
    AttributeProto { strings, ..attribute(name, AttributeType::Strings) }
}
