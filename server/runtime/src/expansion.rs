//! Bounds what a graph may unfold into before any engine touches it.
//!
//! A few bytes can ask for terabytes: `ConstantOfShape`, a broadcast of a column against a row, a chain of
//! `Concat` that doubles at every step. An engine that folds constants would compute them while it loads. This
//! pass carries shapes, and small constants that become shapes, through the graph for a batch of one row, and
//! refuses the first value above the limit. Where a shape depends on data it assumes the least.

mod known;

use std::collections::HashMap;

use tract_onnx::pb::{GraphProto, NodeProto};

use crate::attributes::Attributes;
use crate::{ModelError, TensorSpec, initializer};
use known::{Known, Numbers};

/// Largest padding, stride, kernel or other size an attribute may set.
const MAX_SIZE: i64 = 1 << 16;
/// Bytes counted for an element: the largest number.
const ELEMENT: u128 = 8;

/// Refuses graphs that would need more than `max_memory` bytes for a single value.
pub(crate) fn check(graph: &GraphProto, inputs: &[TensorSpec], max_memory: usize) -> Result<(), ModelError> {
    let mut pass = Pass { values: HashMap::new(), limit: max_memory as u128 / ELEMENT };
    for spec in inputs {
        let axes = spec.shape.iter().map(|&axis| u128::try_from(axis).unwrap_or(1));
        pass.values.insert(spec.name.clone(), Known::shaped(axes.collect()));
    }
    pass.graph(graph)
}

struct Pass {
    values: HashMap<String, Known>,
    /// Most elements of one value.
    limit: u128,
}

impl Pass {
    fn graph(&mut self, graph: &GraphProto) -> Result<(), ModelError> {
        for input in &graph.input {
            self.values.entry(input.name.clone()).or_default();
        }
        for tensor in &graph.initializer {
            let known = Known::stored(&initializer::read(tensor)?);
            self.values.insert(tensor.name.clone(), known);
        }
        graph.node.iter().try_for_each(|node| self.node(node))
    }

    /// What is known of an input; an empty name is an optional one left out.
    fn find(&self, name: &str) -> Result<Known, ModelError> {
        match self.values.get(name) {
            Some(known) => Ok(known.clone()),
            None if name.is_empty() => Ok(Known::default()),
            None => Err(ModelError::Invalid(format!("the value `{name}` is used before it is defined"))),
        }
    }

    fn node(&mut self, node: &NodeProto) -> Result<(), ModelError> {
        let attributes = Attributes(node);
        check_sizes(attributes)?;
        for attribute in &node.attribute {
            attribute.g.iter().chain(&attribute.graphs).try_for_each(|graph| self.graph(graph))?;
        }
        let inputs: Vec<Known> =
            node.input.iter().map(|name| self.find(name)).collect::<Result<_, ModelError>>()?;
        // Of what is not followed at least as much as went in is assumed, so that doublings add up.
        let assumed = inputs.iter().filter_map(Known::elements).fold(0, u128::saturating_add).max(1);
        let known = infer(attributes, &inputs)?.or_of(assumed);
        if let Some(elements) = known.elements().filter(|elements| *elements > self.limit) {
            return Err(attributes
                .invalid(&format!("its result would have {elements} elements, {} are allowed", self.limit)));
        }
        let mut outputs = node.output.iter();
        if let Some(first) = outputs.next() {
            self.values.insert(first.clone(), known);
        }
        for other in outputs {
            self.values.insert(other.clone(), Known::default().or_of(assumed));
        }
        Ok(())
    }
}

fn check_sizes(node: Attributes<'_>) -> Result<(), ModelError> {
    let names = ["pads", "strides", "dilations", "kernel_shape", "output_padding", "output_shape", "shape"];
    for name in names {
        let product = node.ints(name).iter().try_fold(1_i64, |product, &size| {
            let size = size.checked_abs().filter(|size| *size <= MAX_SIZE)?;
            product.checked_mul(size.max(1))
        });
        if product.is_none_or(|product| product > 1 << 30) {
            return Err(node.invalid(&format!("`{name}` is out of range")));
        }
    }
    for name in ["hidden_size", "sample_size", "group", "blocksize"] {
        if node.int(name).is_some_and(|size| !(0..=MAX_SIZE).contains(&size)) {
            return Err(node.invalid(&format!("`{name}` is out of range")));
        }
    }
    Ok(())
}

/// What is known of the first output.
fn infer(node: Attributes<'_>, inputs: &[Known]) -> Result<Known, ModelError> {
    let input = |at: usize| inputs.get(at).cloned().unwrap_or_default();
    Ok(match node.0.op_type.as_str() {
        "Constant" => constant(node)?,
        "ConstantOfShape" => Known::of_numbers_as_shape(&input(0)),
        "Expand" => Known::broadcast([&input(0), &Known::of_numbers_as_shape(&input(1))]),
        "Tile" => input(0).tiled(&input(1)),
        "Pad" => input(0).padded(&input(1)),
        "Range" => Known::range(&input(0), &input(1), &input(2)),
        "Resize" | "Upsample" => input(0).resized(inputs),
        "OneHot" => input(0).widened(input(1).numbers().and_then(|numbers| numbers.first().copied())),
        "OneHotEncoder" => {
            let categories = node.ints("cats_int64s").len() + node.texts("cats_strings")?.len();
            input(0).widened(Some(categories as f64))
        }
        "Shape" => input(0).shape_as_numbers(),
        "Concat" => Known::concatenated(inputs, node.int("axis").unwrap_or(0)),
        "Gather" => input(0).gathered(&input(1), node.int("axis").unwrap_or(0)),
        "ArrayFeatureExtractor" => input(0).extracted(&input(1)),
        "MatMul" => input(0).multiplied(&input(1)),
        "Gemm" => {
            let turned = |at: usize, name: &str| {
                if node.int(name) == Some(1) { input(at).transposed() } else { input(at) }
            };
            turned(0, "transA").multiplied(&turned(1, "transB"))
        }
        "Einsum" => Known::summed(node.text("equation")?.unwrap_or_default(), inputs),
        "Reshape" => input(0).reshaped(&input(1)),
        "Unsqueeze" | "Squeeze" | "Flatten" | "Transpose" | "Slice" | "Split" | "TopK" | "Compress" => {
            input(0).rearranged(node.0.op_type == "Unsqueeze" || node.0.op_type == "Squeeze")
        }
        "Add" => Known::computed(inputs, |a, b| a + b),
        "Sub" => Known::computed(inputs, |a, b| a - b),
        "Mul" => Known::computed(inputs, |a, b| a * b),
        "Div" => Known::computed(inputs, |a, b| (a / b).trunc()),
        "Pow" | "Mod" | "Max" | "Min" | "Sum" | "Mean" | "Equal" | "Less" | "Greater" | "LessOrEqual"
        | "GreaterOrEqual" | "And" | "Or" | "Xor" | "Where" | "PRelu" | "BitShift" => {
            Known::broadcast(inputs.iter())
        }
        "Identity" | "Cast" => input(0),
        "Relu" | "Sigmoid" | "Tanh" | "Neg" | "Abs" | "Exp" | "Log" | "Sqrt" | "Erf" | "Softmax"
        | "LogSoftmax" | "Clip" | "Dropout" | "LeakyRelu" | "Elu" | "Selu" | "Gelu" | "Floor" | "Ceil"
        | "Round" | "Sign" | "Not" | "Reciprocal" | "HardSigmoid" | "Softplus" | "BatchNormalization"
        | "LayerNormalization" | "Scaler" | "Imputer" | "Normalizer" | "Binarizer" | "LabelEncoder"
        | "CategoryMapper" | "ZipMap" | "CumSum" | "IsNaN" | "EyeLike" | "ScatterElements" | "ScatterND" => {
            input(0).without_numbers()
        }
        _ => Known::default(),
    })
}

fn constant(node: Attributes<'_>) -> Result<Known, ModelError> {
    if let Some(tensor) = node.tensor("value") {
        return Ok(Known::stored(&initializer::read(tensor)?));
    }
    if let Some(value) = node.int("value_int") {
        return Ok(Known::numbered(Vec::new(), Numbers::from([value as f64])));
    }
    let ints = node.ints("value_ints");
    let numbers: Numbers = ints.iter().map(|&value| value as f64).collect();
    Ok(if ints.is_empty() { Known::default() } else { Known::numbered(vec![ints.len() as u128], numbers) })
}
