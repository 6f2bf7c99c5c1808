//! Runs every other graph by tract: neural networks, and trees or linear models with arithmetic around them.
//!
//! tract sees the graph without the shapes that exporters declare for outputs and intermediate values (they
//! are often wrong) and with our own `ai.onnx.ml` operators in place of its own.

mod operator;
mod rewrite;
mod values;

use std::sync::Arc;

use tract_onnx::pb::{GraphProto, ModelProto};
use tract_onnx::prelude::{
    Framework, InferenceFact, InferenceModelExt, IntoRunnable, Symbol, TDim, TValue, TVec, TractResult,
    TypedRunnableModel,
};
use tract_onnx::tract_hir::infer::ShapeFactoid;

use crate::{DataType, ModelError, Tensor, TensorSpec};

/// Plans of one graph.
#[derive(Debug)]
pub(crate) struct Network {
    /// For a single row, sizes known: the most optimised.
    single: Arc<TypedRunnableModel>,
    /// For any number of rows, where the graph allows it; else rows go one by one.
    batch: Option<Arc<TypedRunnableModel>>,
    inputs: Vec<DataType>,
}

impl Network {
    /// Optimises the graph. `inputs` are its inputs as the signature declares them.
    pub(crate) fn plan(mut model: ModelProto, inputs: &[TensorSpec]) -> Result<Network, ModelError> {
        if let Some(graph) = &mut model.graph {
            forget_shapes(graph);
        }
        model.metadata_props.clear();
        let mut rewritten = model.clone();
        rewrite::keep_numbers(&mut rewritten, inputs.iter().all(|spec| spec.shape.len() <= 2));
        let (model, single) = match optimise(&rewritten, inputs, false) {
            Ok(single) => (rewritten, single),
            // Element types that the rewritten form does not have.
            Err(_) => match optimise(&model, inputs, false) {
                Ok(single) => (model, single),
                Err(error) => {
                    let reason = chain(&error);
                    return Err(ModelError::Unsupported(format!("the graph cannot be run: {reason}")));
                }
            },
        };
        let batch = optimise(&model, inputs, true).ok();
        let inputs = inputs.iter().map(|spec| spec.datatype).collect();
        Ok(Network { single, batch, inputs })
    }

    /// Computes the outputs of `rows` rows.
    pub(crate) fn run(&self, inputs: &[&Tensor], rows: usize) -> Result<Vec<Tensor>, ModelError> {
        if rows == 1 {
            return self.run_plan(&self.single, inputs);
        }
        if let Some(batch) = &self.batch {
            let outputs = self.run_plan(batch, inputs);
            if outputs.as_ref().is_ok_and(|outputs| outputs.iter().all(|output| output.rows() == rows)) {
                return outputs;
            }
        }
        self.run_rows(inputs, rows)
    }

    /// Whether rows are computed at once, and not one by one.
    pub(crate) fn has_batches(&self) -> bool {
        self.batch.is_some()
    }

    fn run_plan(
        &self,
        plan: &Arc<TypedRunnableModel>,
        inputs: &[&Tensor],
    ) -> Result<Vec<Tensor>, ModelError> {
        let values: TractResult<TVec<TValue>> = inputs
            .iter()
            .zip(&self.inputs)
            .map(|(tensor, datatype)| values::to_tract(tensor, *datatype))
            .collect();
        let outputs = values.and_then(|values| plan.run(values)).map_err(|error| failed(&error))?;
        outputs.iter().map(|value| values::from_tract(value).map_err(|error| failed(&error))).collect()
    }

    /// For graphs that are fixed to one row, as some exporters make them.
    fn run_rows(&self, inputs: &[&Tensor], rows: usize) -> Result<Vec<Tensor>, ModelError> {
        let mut joined: Vec<Tensor> = Vec::new();
        for row in 0..rows {
            let parts: Vec<Tensor> = inputs.iter().map(|tensor| tensor.slice(row..row + 1)).collect();
            let outputs = self.run_plan(&self.single, &parts.iter().collect::<Vec<_>>())?;
            if joined.is_empty() {
                joined = outputs;
                continue;
            }
            for (all, one) in joined.iter_mut().zip(&outputs) {
                all.append(one)?;
            }
        }
        Ok(joined)
    }
}

fn optimise(model: &ModelProto, inputs: &[TensorSpec], batch: bool) -> TractResult<Arc<TypedRunnableModel>> {
    let mut framework = tract_onnx::onnx();
    operator::register(&mut framework);
    let mut graph = framework.model_for_proto_model(model)?;
    for (position, spec) in inputs.iter().enumerate() {
        let axes = spec.shape.iter().enumerate().map(|(axis, &size)| match (axis, size) {
            (0, -1) if batch => TDim::from(graph.symbols.sym("N")),
            (0, -1) => TDim::from(1),
            (_, -1) => {
                let symbol: Symbol = graph.symbols.sym(&format!("axis_{position}_{axis}"));
                TDim::from(symbol)
            }
            (_, size) => TDim::from(size),
        });
        let shape: ShapeFactoid = axes.collect();
        let fact = InferenceFact::new().with_datum_type(values::datum_type(spec.datatype)).with_shape(shape);
        graph.set_input_fact(position, fact)?;
    }
    graph.into_optimized()?.into_runnable()
}

/// Drops what the file says about shapes, in subgraphs too: our own facts are set where they are needed, and
/// expressions for dimensions are a parser we need not expose to strangers.
fn forget_shapes(graph: &mut GraphProto) {
    graph.value_info.clear();
    for value in graph.input.iter_mut().chain(&mut graph.output) {
        let Some(kind) = &mut value.r#type else { continue };
        if let Some(tract_onnx::pb::type_proto::Value::TensorType(tensor)) = &mut kind.value {
            tensor.shape = None;
        }
    }
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        for inner in attribute.g.iter_mut().chain(&mut attribute.graphs) {
            forget_shapes(inner);
        }
    }
}

/// What our own operators said, or what tract did.
fn failed(error: &tract_onnx::prelude::TractError) -> ModelError {
    let own = error.root_cause().downcast_ref::<ModelError>();
    own.cloned().unwrap_or_else(|| ModelError::Failed(chain(error)))
}

/// The error and its causes in one line, shortened: tract quotes whole tensors.
fn chain(error: &tract_onnx::prelude::TractError) -> String {
    let mut text = format!("{error:#}").replace('\n', " ");
    if let Some((end, _)) = text.char_indices().nth(400) {
        text.truncate(end);
        text.push('…');
    }
    text
}
