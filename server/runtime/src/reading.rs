//! Reads the signature of a graph.

use std::collections::HashSet;

use tract_onnx::pb::tensor_proto::DataType as Proto;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::{Tensor as TensorType, Value as TypeValue};
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, ValueInfoProto};

use crate::attributes::Attributes;
use crate::{
    DataType, Feature, FeatureKind, ModelError, Outputs, Signature, Task, Tensor, TensorData, TensorSpec,
    initializer,
};

/// Most columns that are named; wider inputs are signals, not records.
pub(crate) const MAX_FEATURES: usize = 1 << 14;

/// Axes of a declared tensor, -1 where variable.
pub(crate) fn declared_shape(tensor: &TensorType) -> Result<Vec<i64>, ModelError> {
    let Some(shape) = &tensor.shape else { return Ok(vec![-1]) };
    if shape.dim.len() > 16 {
        return Err(ModelError::Invalid(format!("a tensor declares {} axes", shape.dim.len())));
    }
    let size = |dimension: &Option<Dimension>| match dimension {
        Some(Dimension::DimValue(size)) if *size > 0 => *size,
        _ => -1,
    };
    Ok(shape.dim.iter().map(|dimension| size(&dimension.value)).collect())
}

/// Whether any input or cast of the graph is of double precision.
pub(crate) fn computes_in_double(model: &ModelProto) -> bool {
    let double = Proto::Double as i32;
    let Some(graph) = &model.graph else { return false };
    graph.input.iter().any(|input| tensor_type(input).is_some_and(|kind| kind.elem_type == double))
        || graph
            .node
            .iter()
            .any(|node| node.op_type == "Cast" && Attributes(node).int("to") == Some(i64::from(double)))
}

fn tensor_type(value: &ValueInfoProto) -> Option<&TensorType> {
    let TypeValue::TensorType(tensor) = value.r#type.as_ref()?.value.as_ref()?;
    Some(tensor)
}

/// The inputs that callers give: those of the graph that no initializer fills. The batch axis is variable.
pub(crate) fn inputs(graph: &GraphProto) -> Result<Vec<TensorSpec>, ModelError> {
    let stored: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut names = HashSet::new();
    let mut specs: Vec<TensorSpec> = Vec::new();
    for input in graph.input.iter().filter(|input| !stored.contains(input.name.as_str())) {
        let Some(kind) = tensor_type(input) else {
            return Err(ModelError::Unsupported(format!("the input `{}` is not a tensor", input.name)));
        };
        let mut shape = declared_shape(kind)?;
        if let Some(batch) = shape.first_mut() {
            *batch = -1;
        }
        if !names.insert(&input.name) {
            return Err(ModelError::Invalid(format!("the input `{}` occurs twice", input.name)));
        }
        let datatype = initializer::datatype(kind.elem_type)?;
        specs.push(TensorSpec { name: input.name.clone(), datatype, shape });
    }
    if specs.is_empty() {
        return Err(ModelError::Invalid("the graph has no inputs".into()));
    }
    Ok(specs)
}

/// The outputs as the file declares them; what is no tensor (maps of class to probability) as a table.
pub(crate) fn declared_outputs(graph: &GraphProto) -> Vec<TensorSpec> {
    let spec = |output: &ValueInfoProto| {
        let kind = tensor_type(output);
        let datatype = kind.and_then(|kind| initializer::datatype(kind.elem_type).ok());
        let mut shape = kind.and_then(|kind| declared_shape(kind).ok()).unwrap_or_else(|| vec![-1, -1]);
        if let Some(batch) = shape.first_mut() {
            *batch = -1;
        }
        TensorSpec { name: output.name.clone(), datatype: datatype.unwrap_or(DataType::Fp32), shape }
    };
    graph.output.iter().map(spec).collect()
}

/// The outputs as a trial with one row and one with two show them.
pub(crate) fn tried_outputs(declared: Vec<TensorSpec>, one: &[Tensor], two: &[Tensor]) -> Vec<TensorSpec> {
    let spec = |(declared, (one, two)): (TensorSpec, (&Tensor, &Tensor))| {
        let axes = one.shape.iter().zip(&two.shape);
        let shape = axes.map(|(one, two)| if one == two { *one as i64 } else { -1 }).collect();
        // Halves are carried as singles.
        let is_half = declared.datatype == DataType::Fp16 && one.datatype() == DataType::Fp32;
        let datatype = if is_half { DataType::Fp16 } else { one.datatype() };
        TensorSpec { datatype, shape, name: declared.name }
    };
    declared.into_iter().zip(one.iter().zip(two)).map(spec).collect()
}

/// Names the columns of the inputs. `columns` is what the model reads where an input does not say its width.
pub(crate) fn features(
    model: &ModelProto,
    inputs: &[TensorSpec],
    columns: Option<usize>,
) -> Result<Vec<Feature>, ModelError> {
    let mut features = Vec::new();
    for (input, spec) in inputs.iter().enumerate() {
        let width = match *spec.shape.as_slice() {
            [_] => 1,
            [_, -1] if inputs.len() == 1 => columns.unwrap_or(0),
            [_, width] if width > 0 => width as usize,
            // Images, sequences: their cells have no names.
            _ => return Ok(Vec::new()),
        };
        if features.len() + width > MAX_FEATURES {
            return Ok(Vec::new());
        }
        let kind = if spec.datatype.is_number() { FeatureKind::Number } else { FeatureKind::Text };
        for column in 0..width {
            let name = match (inputs.len(), width) {
                (1, 2..) => format!("f{column}"),
                (_, 1) => spec.name.clone(),
                _ => format!("{}_{column}", spec.name),
            };
            features.push(Feature { name, kind, input, column });
        }
    }
    let Some(names) = metadata(model, "chasqui.features") else { return Ok(features) };
    let names: Vec<String> = serde_json::from_str(names)
        .map_err(|_| ModelError::Invalid("the metadata `chasqui.features` is not a list of names".into()))?;
    let signature = Signature {
        inputs: Vec::new(),
        outputs: Vec::new(),
        features,
        task: None,
        classes: Vec::new(),
        roles: Outputs::default(),
    };
    let named = signature.with_feature_names(&names);
    let named = named.map_err(|error| ModelError::Invalid(format!("`chasqui.features`: {error}")))?;
    Ok(named.features)
}

fn metadata<'a>(model: &'a ModelProto, key: &str) -> Option<&'a str> {
    model.metadata_props.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
}

/// What the outputs mean.
#[derive(Debug)]
pub(crate) struct Meaning {
    pub(crate) task: Option<Task>,
    pub(crate) classes: Vec<String>,
    pub(crate) roles: Outputs,
}

/// Infers the meaning from the metadata, the operators that fill the outputs, and their types and shapes.
pub(crate) fn meaning(
    model: &ModelProto,
    graph: &GraphProto,
    outputs: &[TensorSpec],
) -> Result<Meaning, ModelError> {
    let stated = match metadata(model, "chasqui.task") {
        None => None,
        Some(text) => Some(task_named(text)?),
    };
    let label = outputs.iter().position(is_label);
    let is_table = |spec: &TensorSpec| spec.datatype.is_float() && spec.shape.len() == 2;
    let is_float = |spec: &TensorSpec| spec.datatype.is_float() && spec.shape.len() <= 2;
    let probabilities =
        || outputs.iter().position(|spec| is_float(spec) && gives_probabilities(graph, &spec.name, 4));
    let scores = match (label, stated) {
        (_, Some(Task::Regression)) => None,
        (Some(_), _) => outputs.iter().position(is_table).or_else(|| outputs.iter().position(is_float)),
        (None, Some(_)) => probabilities().or_else(|| outputs.iter().position(is_float)),
        (None, None) => probabilities(),
    };
    if label.is_none() && scores.is_none() || stated == Some(Task::Regression) {
        let value =
            outputs.iter().position(|spec| is_float(spec) && matches!(spec.shape[..], [] | [_] | [_, 1]));
        let task = stated.or(value.map(|_| Task::Regression));
        return Ok(Meaning { task, classes: Vec::new(), roles: Outputs { value, ..Outputs::default() } });
    }
    let columns = scores.and_then(|at| outputs[at].shape.get(1).copied()).filter(|columns| *columns > 0);
    let named = classes(graph, columns);
    if let (Some(_), None, Some(3..), Some(classes)) = (label, &named, columns, last_labels(graph)) {
        // Not a score per class but one per pair of classes, as support vector machines decide.
        let task = stated.or(Some(if classes.len() > 2 { Task::Multiclass } else { Task::Binary }));
        return Ok(Meaning { task, classes, roles: Outputs { label, ..Outputs::default() } });
    }
    let counted = || (0..columns.unwrap_or(0).max(2)).map(|class| class.to_string()).collect();
    let classes = named.unwrap_or_else(counted);
    let task = stated.or(match columns.map_or(classes.len(), |columns| columns as usize) {
        0 => None,
        1 | 2 => Some(Task::Binary),
        _ => Some(Task::Multiclass),
    });
    Ok(Meaning { task, classes, roles: Outputs { label, scores, value: None } })
}

fn task_named(text: &str) -> Result<Task, ModelError> {
    match text.trim_matches('"') {
        "regression" => Ok(Task::Regression),
        "binary" => Ok(Task::Binary),
        "multiclass" => Ok(Task::Multiclass),
        other => Err(ModelError::Invalid(format!("the metadata `chasqui.task` is `{other}`"))),
    }
}

/// One whole number or text per row.
fn is_label(spec: &TensorSpec) -> bool {
    !spec.datatype.is_float() && matches!(spec.shape[..], [_] | [_, 1])
}

/// Whether the value comes from an operator whose results are probabilities,
/// or passes such results on within `steps` steps.
fn gives_probabilities(graph: &GraphProto, name: &str, steps: usize) -> bool {
    let Some(producer) = producer(graph, name) else { return false };
    match producer.op_type.as_str() {
        "Softmax" | "Sigmoid" => true,
        "Identity" | "Cast" | "Reshape" | "Squeeze" | "Flatten" => {
            steps > 0
                && producer.input.first().is_some_and(|input| gives_probabilities(graph, input, steps - 1))
        }
        _ => false,
    }
}

fn producer<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a NodeProto> {
    graph.node.iter().find(|node| node.output.iter().any(|output| output == name))
}

/// The labels of the classes that fit `columns` scores: of the last classifier or map, or of a table that an
/// index is looked up in.
fn classes(graph: &GraphProto, columns: Option<i64>) -> Option<Vec<String>> {
    let count = columns.unwrap_or(0).max(0) as usize;
    let fits = |names: &Vec<String>| names.len() == count || (count <= 1 && names.len() == 2);
    let of_nodes = graph.node.iter().rev().filter_map(labels_of_node);
    let looked_up = graph.node.iter().rev().filter(|node| node.op_type == "ArrayFeatureExtractor");
    let of_tables = looked_up.filter_map(|node| stored_labels(graph, node.input.first()?));
    of_nodes.chain(of_tables).find(fits)
}

fn last_labels(graph: &GraphProto) -> Option<Vec<String>> {
    graph.node.iter().rev().find_map(labels_of_node)
}

fn labels_of_node(node: &NodeProto) -> Option<Vec<String>> {
    let attributes = Attributes(node);
    let texts = attributes.texts("classlabels_strings").ok()?;
    if !texts.is_empty() {
        return Some(texts.into_iter().map(str::to_owned).collect());
    }
    let names = ["classlabels_int64s", "classlabels_ints"];
    let ints = names.into_iter().map(|name| attributes.ints(name)).find(|ints| !ints.is_empty())?;
    Some(ints.iter().map(i64::to_string).collect())
}

fn stored_labels(graph: &GraphProto, name: &str) -> Option<Vec<String>> {
    let tensor = graph.initializer.iter().find(|tensor| tensor.name == name)?;
    let data = initializer::read(tensor).ok()?.data;
    if let TensorData::Text(texts) = data {
        return Some(texts);
    }
    (0..data.len()).map(|index| data.number(index).map(|number| number.to_string())).collect()
}
