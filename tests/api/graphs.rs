//! ONNX graphs that no trainer would write, node by node.

use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// A graph in the making.
#[derive(Default)]
pub(crate) struct Graph {
    graph: GraphProto,
    metadata: Vec<StringStringEntryProto>,
}

impl Graph {
    fn input(mut self, name: &str, element: DataType, columns: i64) -> Self {
        self.graph.input.push(value(name, element, columns));
        self
    }

    fn output(mut self, name: &str, element: DataType, columns: i64) -> Self {
        self.graph.output.push(value(name, element, columns));
        self
    }

    fn node(mut self, operator: &str, inputs: &[&str], output: &str) -> Self {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![output.into()],
            op_type: operator.into(),
            name: output.into(),
            ..NodeProto::default()
        });
        self
    }

    /// Gives the last node a whole-number attribute.
    fn attribute(mut self, name: &str, number: i64) -> Self {
        let attribute =
            AttributeProto { name: name.into(), r#type: 2, i: number, ..AttributeProto::default() };
        self.graph.node.last_mut().unwrap().attribute.push(attribute);
        self
    }

    fn constant(mut self, tensor: TensorProto) -> Self {
        self.graph.initializer.push(tensor);
        self
    }

    fn task(mut self, task: &str) -> Self {
        self.metadata.push(StringStringEntryProto { key: "chasqui.task".into(), value: task.into() });
        self
    }

    fn bytes(mut self) -> Vec<u8> {
        self.graph.name = "graph".into();
        let opset = OperatorSetIdProto { domain: String::new(), version: 17 };
        let model = ModelProto {
            ir_version: 8,
            opset_import: vec![opset],
            graph: Some(self.graph),
            metadata_props: self.metadata,
            ..ModelProto::default()
        };
        model.encode_to_vec()
    }
}

fn value(name: &str, element: DataType, columns: i64) -> ValueInfoProto {
    let size = |value| Dimension { value: Some(value), ..Dimension::default() };
    let dim = vec![size(dimension::Value::DimParam("N".into())), size(dimension::Value::DimValue(columns))];
    let tensor = type_proto::Tensor { elem_type: element as i32, shape: Some(TensorShapeProto { dim }) };
    let value = Some(type_proto::Value::TensorType(tensor));
    let kind = Some(TypeProto { value, ..TypeProto::default() });
    ValueInfoProto { name: name.into(), r#type: kind, ..ValueInfoProto::default() }
}

fn floats(name: &str, dims: &[i64], values: Vec<f32>) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        float_data: values,
        ..TensorProto::default()
    }
}

fn integers(name: &str, values: Vec<i64>) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![values.len() as i64],
        data_type: DataType::Int64 as i32,
        int64_data: values,
        ..TensorProto::default()
    }
}

/// `first` is the four columns of `x`, `second` their negatives.
pub(crate) fn two_outputs() -> Vec<u8> {
    Graph::default()
        .input("x", DataType::Float, 4)
        .node("Identity", &["x"], "first")
        .node("Neg", &["x"], "second")
        .output("first", DataType::Float, 4)
        .output("second", DataType::Float, 4)
        .bytes()
}

/// Takes some milliseconds a row: three products with a matrix of 2,000 × 2,000.
pub(crate) fn slow() -> Vec<u8> {
    const WIDE: i64 = 2000;
    let wide = (0..WIDE * WIDE).map(|at| (at % 7) as f32 * 1e-4).collect();
    Graph::default()
        .input("x", DataType::Float, 4)
        .constant(floats("in", &[4, WIDE], vec![0.5; 4 * WIDE as usize]))
        .constant(floats("wide", &[WIDE, WIDE], wide))
        .constant(floats("out", &[WIDE, 1], vec![1e-3; WIDE as usize]))
        .node("MatMul", &["x", "in"], "first")
        .node("MatMul", &["first", "wide"], "second")
        .node("MatMul", &["second", "wide"], "third")
        .node("MatMul", &["third", "wide"], "fourth")
        .node("MatMul", &["fourth", "out"], "y")
        .output("y", DataType::Float, 1)
        .bytes()
}

/// Each row less the sum of all rows: nothing for a row alone.
pub(crate) fn entangled_rows() -> Vec<u8> {
    Graph::default()
        .input("x", DataType::Float, 4)
        .constant(integers("axes", vec![0]))
        .node("ReduceSum", &["x", "axes"], "sum")
        .node("Sub", &["x", "sum"], "y")
        .output("y", DataType::Float, 4)
        .bytes()
}

/// The outputs of [`two_outputs`] in the other order.
pub(crate) fn two_outputs_the_other_way() -> Vec<u8> {
    Graph::default()
        .input("x", DataType::Float, 4)
        .node("Neg", &["x"], "second")
        .node("Identity", &["x"], "first")
        .output("second", DataType::Float, 4)
        .output("first", DataType::Float, 4)
        .bytes()
}

/// Gives the whole number `n` back.
pub(crate) fn whole_number() -> Vec<u8> {
    Graph::default()
        .input("n", DataType::Int64, 1)
        .node("Identity", &["n"], "same")
        .output("same", DataType::Int64, 1)
        .bytes()
}

/// Gives the text `t` back.
pub(crate) fn text() -> Vec<u8> {
    Graph::default()
        .input("t", DataType::String, 1)
        .node("Identity", &["t"], "same")
        .output("same", DataType::String, 1)
        .bytes()
}

/// Gives the halves of `x` as singles.
pub(crate) fn halves() -> Vec<u8> {
    Graph::default()
        .input("x", DataType::Float16, 2)
        .node("Cast", &["x"], "single")
        .attribute("to", DataType::Float as i64)
        .output("single", DataType::Float, 2)
        .bytes()
}

/// Gives the halves of `x` with the other sign.
pub(crate) fn opposite_halves() -> Vec<u8> {
    Graph::default()
        .input("x", DataType::Float16, 2)
        .node("Neg", &["x"], "y")
        .output("y", DataType::Float16, 2)
        .bytes()
}

/// A version for the callers of [`regression`](crate::fixtures::regression) whose table of levels was cut short: it
/// answers prices below `known` dollars and fails for the others.
pub(crate) fn fails_from(known: i64) -> Vec<u8> {
    let table = (0..known).map(|level| 50.0 + level as f32).collect();
    Graph::default()
        .input("price", DataType::Float, 1)
        .input("store", DataType::String, 1)
        .constant(floats("table", &[known, 1], table))
        .constant(integers("flat", vec![-1]))
        .node("Cast", &["price"], "level")
        .attribute("to", DataType::Int64 as i64)
        .node("Reshape", &["level", "flat"], "row")
        .node("Gather", &["table", "row"], "variable")
        .output("variable", DataType::Float, 1)
        .task("regression")
        .bytes()
}

/// Uses an operator that nobody has.
pub(crate) fn unknown_operator() -> Vec<u8> {
    Graph::default()
        .input("x", DataType::Float, 1)
        .node("Frobnicate", &["x"], "y")
        .output("y", DataType::Float, 1)
        .bytes()
}

/// Says of a tensor that it has 10 GB, and brings four bytes of it.
pub(crate) fn huge_constant() -> Vec<u8> {
    let mut tensor = floats("w", &[50_000, 50_000], Vec::new());
    tensor.raw_data = vec![0; 4];
    Graph::default()
        .input("x", DataType::Float, 50_000)
        .constant(tensor)
        .node("MatMul", &["x", "w"], "y")
        .output("y", DataType::Float, 50_000)
        .bytes()
}

/// Unfolds into 10 GB when it is computed.
pub(crate) fn huge_when_computed() -> Vec<u8> {
    Graph::default()
        .input("x", DataType::Float, 1)
        .constant(integers("size", vec![50_000, 50_000]))
        .node("ConstantOfShape", &["size"], "w")
        .node("ReduceSum", &["w"], "sum")
        .node("Add", &["x", "sum"], "y")
        .output("y", DataType::Float, 1)
        .bytes()
}

/// Takes a column called `fee` in place of `price`.
pub(crate) fn other_columns() -> Vec<u8> {
    Graph::default()
        .input("fee", DataType::Float, 1)
        .input("store", DataType::String, 1)
        .node("Neg", &["fee"], "variable")
        .output("variable", DataType::Float, 1)
        .task("regression")
        .bytes()
}
