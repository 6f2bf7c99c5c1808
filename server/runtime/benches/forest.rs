//! Time per row of 100 trees of depth 10 over 30 features: one row at a time, and in batches.

use std::hint::black_box;
use std::time::Instant;

use chasqui_runtime::{Limits, Model, Tensor, TensorData};
use prost::Message;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorShapeProto, TypeProto,
    ValueInfoProto, attribute_proto::AttributeType, tensor_shape_proto, type_proto,
};

const TREES: i64 = 100;
const DEPTH: u32 = 10;
const FEATURES: usize = 30;

/// A small generator of pseudo-random numbers (xorshift64*), seeded.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    fn unit(&mut self) -> f32 {
        (self.next() as f64 / (1_u64 << 53) as f64) as f32
    }
}

fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
    let r#type = AttributeType::Ints as i32;
    AttributeProto { name: name.into(), ints, r#type, ..AttributeProto::default() }
}

fn floats(name: &str, floats: Vec<f32>) -> AttributeProto {
    let r#type = AttributeType::Floats as i32;
    AttributeProto { name: name.into(), floats, r#type, ..AttributeProto::default() }
}

fn value(name: &str, axes: &[i64]) -> ValueInfoProto {
    let dim = axes.iter().map(|&axis| tensor_shape_proto::Dimension {
        value: Some(tensor_shape_proto::dimension::Value::DimValue(axis)),
        ..tensor_shape_proto::Dimension::default()
    });
    let shape = Some(TensorShapeProto { dim: dim.collect() });
    let tensor = type_proto::Value::TensorType(type_proto::Tensor { elem_type: 1, shape });
    let r#type = Some(TypeProto { value: Some(tensor), ..TypeProto::default() });
    ValueInfoProto { name: name.into(), r#type, ..ValueInfoProto::default() }
}

/// Complete trees with random features and thresholds.
fn forest(random: &mut Random) -> Vec<u8> {
    let inner = (1_i64 << DEPTH) - 1;
    let nodes = 2 * inner + 1;
    let each = || (0..TREES).flat_map(|tree| (0..nodes).map(move |node| (tree, node)));
    let branch = |node: i64, child: i64| if node < inner { 2 * node + child } else { 0 };
    let leaves = || each().filter(|(_, node)| *node >= inner);
    let modes = each().map(|(_, node)| if node < inner { "BRANCH_LEQ" } else { "LEAF" }.into());
    let attribute = vec![
        ints("nodes_treeids", each().map(|(tree, _)| tree).collect()),
        ints("nodes_nodeids", each().map(|(_, node)| node).collect()),
        ints("nodes_featureids", each().map(|_| (random.next() % FEATURES as u64) as i64).collect()),
        ints("nodes_truenodeids", each().map(|(_, node)| branch(node, 1)).collect()),
        ints("nodes_falsenodeids", each().map(|(_, node)| branch(node, 2)).collect()),
        floats("nodes_values", each().map(|_| random.unit()).collect()),
        AttributeProto {
            name: "nodes_modes".into(),
            strings: modes.collect(),
            r#type: AttributeType::Strings as i32,
            ..AttributeProto::default()
        },
        ints("target_treeids", leaves().map(|(tree, _)| tree).collect()),
        ints("target_nodeids", leaves().map(|(_, node)| node).collect()),
        ints("target_ids", leaves().map(|_| 0).collect()),
        floats("target_weights", leaves().map(|_| random.unit()).collect()),
    ];
    let node = NodeProto {
        op_type: "TreeEnsembleRegressor".into(),
        domain: "ai.onnx.ml".into(),
        input: vec!["x".into()],
        output: vec!["y".into()],
        attribute,
        ..NodeProto::default()
    };
    let graph = GraphProto {
        node: vec![node],
        input: vec![value("x", &[0, FEATURES as i64])],
        output: vec![value("y", &[0, 1])],
        ..GraphProto::default()
    };
    let model = ModelProto {
        ir_version: 8,
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: "ai.onnx.ml".into(), version: 1 }],
        ..ModelProto::default()
    };
    model.encode_to_vec()
}

fn main() {
    let mut random = Random(42);
    let model = Model::load(&forest(&mut random), &Limits::default()).expect("the forest is well-formed");
    for rows in [1, 8, 64, 1024] {
        let batches: Vec<Tensor> = (0..(4096 / rows).max(8))
            .map(|_| {
                let values = (0..rows * FEATURES).map(|_| random.unit()).collect();
                Tensor::new(vec![rows, FEATURES], TensorData::F32(values)).expect("the shape fits")
            })
            .collect();
        let mut best = f64::INFINITY;
        for _ in 0..60 {
            let start = Instant::now();
            for batch in &batches {
                black_box(model.predict(black_box(std::slice::from_ref(batch))).expect("the input fits"));
            }
            let micros = start.elapsed().as_secs_f64() * 1e6;
            best = best.min(micros / (rows * batches.len()) as f64);
        }
        let line = format!("{rows:>5} rows at once: {best:.2} µs a row\n");
        std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).expect("the output is open");
    }
}
