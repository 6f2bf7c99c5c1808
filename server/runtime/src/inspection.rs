//! Decodes a model file and refuses what may not run, before anything is optimised.

use std::collections::HashSet;

use prost::Message;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto, type_proto};

use crate::attributes::Attributes;
use crate::{Limits, ModelError, dictionary, initializer, kernel, reading, wire};

/// Most inputs and outputs of a graph.
const MAX_VALUES: usize = 1 << 14;

/// Decodes the file within the limits.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<ModelProto, ModelError> {
    if bytes.len() > limits.max_bytes {
        return Err(ModelError::Invalid(format!(
            "the file has {} bytes, {} are allowed",
            bytes.len(),
            limits.max_bytes
        )));
    }
    if bytes.is_empty() {
        return Err(ModelError::Invalid("the file is empty".into()));
    }
    let cost = wire::measure(bytes)?;
    if cost.nodes > limits.max_nodes {
        return Err(ModelError::Invalid(format!(
            "the graph has {} nodes, {} are allowed",
            cost.nodes, limits.max_nodes
        )));
    }
    if cost.memory > limits.max_memory {
        return Err(ModelError::Invalid(format!(
            "the file would take {} bytes of memory, {} are allowed",
            cost.memory, limits.max_memory
        )));
    }
    let mut model = ModelProto::decode(bytes)
        .map_err(|error| ModelError::Invalid(format!("the file is truncated or not ONNX: {error}")))?;
    dictionary::as_tables(&mut model)?;
    inspect(&model, limits)?;
    Ok(model)
}

fn inspect(model: &ModelProto, limits: &Limits) -> Result<(), ModelError> {
    let Some(graph) = &model.graph else {
        return Err(ModelError::Invalid("the file is not ONNX: it has no graph".into()));
    };
    if graph.node.is_empty() || graph.output.is_empty() {
        return Err(ModelError::Invalid("the graph has no nodes or no outputs".into()));
    }
    if let Some(function) = model.functions.first() {
        let name = function.name.as_deref().unwrap_or_default();
        return Err(ModelError::Unsupported(format!("the function `{name}` that the model brings along")));
    }
    if graph.input.len() + graph.output.len() > MAX_VALUES + graph.initializer.len() {
        return Err(ModelError::Invalid(format!("the graph has more than {MAX_VALUES} inputs and outputs")));
    }
    inspect_inputs(graph, limits)?;
    let mut inspector = Inspector {
        max_memory: limits.max_memory,
        stored: 0,
        operators: kernel::OPERATORS.iter().map(|name| (*name).to_owned()).collect(),
    };
    inspector.operators.extend(tract_onnx::onnx().op_register.0.into_keys());
    inspector.graph(graph)
}

/// Refuses inputs of which a single row would not fit into memory.
fn inspect_inputs(graph: &GraphProto, limits: &Limits) -> Result<(), ModelError> {
    for input in &graph.input {
        let Some(type_proto::Value::TensorType(tensor)) =
            input.r#type.as_ref().and_then(|kind| kind.value.as_ref())
        else {
            return Err(ModelError::Unsupported(format!("the input `{}` is not a tensor", input.name)));
        };
        let datatype = initializer::datatype(tensor.elem_type)?;
        let shape = reading::declared_shape(tensor)?;
        let axes = shape.iter().skip(1).map(|&axis| usize::try_from(axis).unwrap_or(1));
        let bytes = axes.fold(datatype.size(), usize::saturating_mul);
        if bytes > limits.max_memory {
            return Err(ModelError::Invalid(format!(
                "the input `{}` declares the shape {shape:?}, more than the {} bytes allowed",
                input.name, limits.max_memory
            )));
        }
    }
    Ok(())
}

struct Inspector {
    max_memory: usize,
    /// Bytes of the tensors seen so far.
    stored: usize,
    operators: HashSet<String>,
}

impl Inspector {
    fn graph(&mut self, graph: &GraphProto) -> Result<(), ModelError> {
        if !graph.sparse_initializer.is_empty() {
            return Err(ModelError::Unsupported("sparse initializers".into()));
        }
        for tensor in &graph.initializer {
            self.tensor(tensor)?;
        }
        graph.node.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &NodeProto) -> Result<(), ModelError> {
        if !self.operators.contains(&node.op_type) {
            let domain = if node.domain.is_empty() { "ai.onnx" } else { &node.domain };
            let title = Attributes(node).title();
            return Err(ModelError::Unsupported(format!("the operator {title} of the domain {domain}")));
        }
        // tract runs the sequence forwards without a word.
        let recurrent = matches!(node.op_type.as_str(), "LSTM" | "GRU" | "RNN");
        if recurrent && Attributes(node).text("direction")? == Some("reverse") {
            return Err(ModelError::Unsupported(format!(
                "{}: only backwards; forwards or in both directions is supported",
                Attributes(node).title()
            )));
        }
        for attribute in &node.attribute {
            for tensor in attribute.t.iter().chain(&attribute.tensors) {
                self.tensor(tensor)?;
            }
            for graph in attribute.g.iter().chain(&attribute.graphs) {
                self.graph(graph)?;
            }
        }
        Ok(())
    }

    fn tensor(&mut self, tensor: &TensorProto) -> Result<(), ModelError> {
        self.stored = self.stored.saturating_add(initializer::check(tensor, self.max_memory)?);
        if self.stored > self.max_memory {
            return Err(ModelError::Invalid(format!(
                "the tensors of the file take more than the {} bytes allowed",
                self.max_memory
            )));
        }
        Ok(())
    }
}
