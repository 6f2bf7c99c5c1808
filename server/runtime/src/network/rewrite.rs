//! Rewrites operators of which tract's form loses what onnxruntime keeps.
//!
//! - `ReduceLogSumExp` overflows there, as the exponentials are summed as they are; here they are taken of the
//!   distances to the highest. (Gaussian mixtures and naive Bayes normalise by it, with logarithms far below -88.)
//! - Activations that are clamped turn NaN into a bound: a missing value would be answered like an extreme one.

use tract_onnx::pb::tensor_proto::DataType as Proto;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, attribute_proto};

use crate::attributes::Attributes;

/// First operator set that has what the rewritten graphs need (`IsNaN`, `Where`).
const MIN_VERSION: i64 = 9;

/// Rewrites the graph in place. Missing values only occur in tables: `tables` says that all inputs are.
pub(super) fn keep_numbers(model: &mut ModelProto, tables: bool) {
    let version = version(model);
    let Some(graph) = &mut model.graph else { return };
    if version < MIN_VERSION {
        return;
    }
    let nodes = std::mem::take(&mut graph.node);
    for node in nodes {
        match node.op_type.as_str() {
            "ReduceLogSumExp" => log_sum_exp(graph, node, version),
            "Relu" | "Sigmoid" | "Tanh" | "Clip" | "HardSigmoid" | "HardSwish" if tables => {
                keep_missing(graph, node);
            }
            _ => graph.node.push(node),
        }
    }
}

fn version(model: &ModelProto) -> i64 {
    let own = model.opset_import.iter().filter(|opset| opset.domain.is_empty() || opset.domain == "ai.onnx");
    own.map(|opset| opset.version).max().unwrap_or(0)
}

fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        input: inputs.iter().map(|input| (*input).into()).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

/// `y = f(x)` as `y = x where x is NaN, else f(x)`.
fn keep_missing(graph: &mut GraphProto, mut activation: NodeProto) {
    let ([x, ..], [y]) = (activation.input.as_slice(), activation.output.as_slice()) else {
        graph.node.push(activation);
        return;
    };
    let (x, y) = (x.clone(), y.clone());
    let [value, missing] = ["value", "missing"].map(|part| format!("{y}.{part}"));
    activation.output = vec![value.clone()];
    graph.node.extend([
        activation,
        node("IsNaN", &[&x], &missing),
        node("Where", &[&missing, &x, &value], &y),
    ]);
}

/// `log Σ eˣ` as `m + log Σ eˣ⁻ᵐ` with m the highest; m itself where it is infinite or NaN.
fn log_sum_exp(graph: &mut GraphProto, reduction: NodeProto, version: i64) {
    let attributes = Attributes(&reduction);
    let ([x, axes @ ..], [y]) = (reduction.input.as_slice(), reduction.output.as_slice()) else {
        graph.node.push(reduction);
        return;
    };
    if attributes.int("noop_with_empty_axes").unwrap_or(0) != 0 {
        graph.node.push(reduction);
        return;
    }
    let part = |name: &str| format!("{y}.{name}");
    let stored = attributes.ints("axes");
    // The axes became an input of sums and squeezes with version 13, of other reductions with 18.
    let given = axes.iter().find(|name| !name.is_empty()).cloned();
    let input = given.or_else(|| (version >= 13 && !stored.is_empty()).then(|| part("axes")));
    if axes.is_empty() && input.is_some() {
        graph.initializer.push(TensorProto {
            name: part("axes"),
            dims: vec![stored.len() as i64],
            data_type: Proto::Int64 as i32,
            int64_data: stored.to_vec(),
            ..TensorProto::default()
        });
    }
    let along = |operator: &str, from: &str, to: &str, axes_since: i64, keeps: bool| {
        let mut made = node(operator, &[from], to);
        if version >= axes_since {
            made.input.extend(input.clone());
        } else if !stored.is_empty() {
            made.attribute.push(AttributeProto {
                name: "axes".into(),
                ints: stored.to_vec(),
                r#type: attribute_proto::AttributeType::Ints as i32,
                ..AttributeProto::default()
            });
        }
        if keeps {
            made.attribute.push(AttributeProto {
                name: "keepdims".into(),
                i: 1,
                r#type: attribute_proto::AttributeType::Int as i32,
                ..AttributeProto::default()
            });
        }
        made
    };
    let names = ["highest", "distance", "power", "sum", "log", "total", "nothing", "unbounded", "kept"];
    let [highest, distance, power, sum, log, total, nothing, unbounded, kept] = names.map(part);
    let keeps_axes = attributes.int("keepdims").unwrap_or(1) != 0;
    let result = if keeps_axes { y.clone() } else { kept };
    graph.node.extend([
        along("ReduceMax", x, &highest, 18, true),
        node("Sub", &[x, &highest], &distance),
        node("Exp", &[&distance], &power),
        along("ReduceSum", &power, &sum, 13, true),
        node("Log", &[&sum], &log),
        node("Add", &[&log, &highest], &total),
        node("Sub", &[&highest, &highest], &nothing),
        node("IsNaN", &[&nothing], &unbounded),
        node("Where", &[&unbounded, &highest, &total], &result),
    ]);
    if !keeps_axes {
        graph.node.push(along("Squeeze", &result, y, 13, false));
    }
}
