//! A candidate with a common fault: its table of levels was cut short, so it fails for some inputs only.
//!
//! Nothing can tell before it runs: it loads, its signature is the model's, and most inputs are answered.

use anyhow::Context;
use chasqui_runtime::{DataType, Signature};
use prost::Message;
use tract_onnx::pb::tensor_proto::DataType as Element;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, type_proto,
};

/// A regression with this signature that looks the numeric input `feature`, a whole number, up in a table of
/// `known` values counted from 0; a larger one is out of its range.
pub(super) fn ends_before(signature: &Signature, feature: &str, known: i64) -> anyhow::Result<Vec<u8>> {
    let output = signature.roles.value.and_then(|at| signature.outputs.get(at)).context("no regression")?;
    let node = |operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>| NodeProto {
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        op_type: operator.into(),
        name: output.into(),
        attribute,
        ..NodeProto::default()
    };
    let cast = AttributeProto {
        name: "to".into(),
        r#type: 2,
        i: Element::Int64 as i64,
        ..AttributeProto::default()
    };
    let table: Vec<f32> = (0..known).map(|level| 50.0 + level as f32).collect();
    let graph = GraphProto {
        name: "ends_before".into(),
        node: vec![
            node("Cast", &[feature], "level", vec![cast]),
            node("Reshape", &["level", "flat"], "row", Vec::new()),
            node("Gather", &["table", "row"], &output.name, Vec::new()),
        ],
        initializer: vec![
            TensorProto {
                name: "table".into(),
                dims: vec![known, 1],
                data_type: Element::Float as i32,
                float_data: table,
                ..TensorProto::default()
            },
            TensorProto {
                name: "flat".into(),
                dims: vec![1],
                data_type: Element::Int64 as i32,
                int64_data: vec![-1],
                ..TensorProto::default()
            },
        ],
        input: signature.inputs.iter().map(|input| column(&input.name, input.datatype)).collect(),
        output: vec![column(&output.name, DataType::Fp32)],
        ..GraphProto::default()
    };
    let opset = OperatorSetIdProto { domain: String::new(), version: 17 };
    let model =
        ModelProto { ir_version: 8, opset_import: vec![opset], graph: Some(graph), ..ModelProto::default() };
    Ok(model.encode_to_vec())
}

/// A column of any number of rows.
fn column(name: &str, datatype: DataType) -> ValueInfoProto {
    let element = if datatype == DataType::Bytes { Element::String } else { Element::Float };
    let size = |value| Dimension { value: Some(value), ..Dimension::default() };
    let dim = vec![size(dimension::Value::DimParam("N".into())), size(dimension::Value::DimValue(1))];
    let tensor = type_proto::Tensor { elem_type: element as i32, shape: Some(TensorShapeProto { dim }) };
    let value = Some(type_proto::Value::TensorType(tensor));
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto { value, ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

#[cfg(test)]
mod tests {
    use chasqui_runtime::{DataType, Limits, Model, Outputs, Signature, Tensor, TensorData, TensorSpec};

    fn spec(name: &str, datatype: DataType) -> TensorSpec {
        TensorSpec { name: name.into(), datatype, shape: vec![-1, 1] }
    }

    #[test]
    fn it_keeps_the_signature_and_fails_beyond_its_table() {
        let signature = Signature {
            inputs: vec![spec("day", DataType::Fp32), spec("store", DataType::Bytes)],
            outputs: vec![spec("variable", DataType::Fp32)],
            features: Vec::new(),
            task: None,
            classes: Vec::new(),
            roles: Outputs { value: Some(0), ..Outputs::default() },
        };
        let bytes = super::ends_before(&signature, "day", 7).unwrap();
        let model = Model::load(&bytes, &Limits::default()).unwrap();
        assert_eq!(model.signature().inputs, signature.inputs);
        let ask = |day: f32| {
            let day = Tensor::new(vec![1, 1], TensorData::F32(vec![day])).unwrap();
            let store = Tensor::new(vec![1, 1], TensorData::Text(vec!["T01".into()])).unwrap();
            model.predict(&[day, store])
        };
        assert!(ask(6.0).is_ok());
        assert!(ask(7.0).is_err(), "Sunday");
    }
}
