//! Our kernels as operators of tract.

use std::sync::Arc;

use tract_onnx::Onnx;
use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::prelude::{DatumType, TDim, TValue, TVec, TractResult, TypedFact, TypedModel, tvec};
use tract_onnx::prelude::{DatumTypeExt, SpecialOps};
use tract_onnx::tract_core::internal::{
    EvalContext, EvalOp, Op, OutletId, StaticName, TypedOp, anyhow, as_op, bail, op_as_typed_op,
    op_out_of_plan,
};
use tract_onnx::tract_hir::infer::{InferenceOp, InferenceResult, Solver, TensorProxy};
use tract_onnx::tract_hir::internal::{Expansion, expand};

use super::values;
use crate::array::Array;
use crate::kernel::{self, CategoryMapper, Kernel};
use crate::reading;

/// Puts our operators in, over tract's own where it has any.
pub(super) fn register(framework: &mut Onnx) {
    for name in kernel::OPERATORS {
        framework.op_register.insert(name, build);
    }
}

fn build(context: &ParsingContext<'_>, node: &NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let double = reading::computes_in_double(context.model);
    let kernel = Kernel::read(node, double)?.ok_or_else(|| anyhow!("{} has no kernel", node.op_type))?;
    let outputs = node.output.iter().filter(|name| !name.is_empty()).count();
    Ok((expand(Operator { kernel: Arc::new(kernel), outputs }), Vec::new()))
}

/// A kernel with the number of outputs that its node names.
#[derive(Debug, Clone)]
struct Operator {
    kernel: Arc<Kernel>,
    outputs: usize,
}

impl PartialEq for Operator {
    fn eq(&self, other: &Operator) -> bool {
        Arc::ptr_eq(&self.kernel, &other.kernel) && self.outputs == other.outputs
    }
}

impl Eq for Operator {}

/// Type and shape of an output.
type Fact = (DatumType, TVec<TDim>);

impl Operator {
    /// What the outputs are for inputs of these types and shapes.
    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let Some((datum_type, shape)) = inputs.first() else { bail!("an operator has no input") };
        let rows = if shape.len() < 2 { TDim::from(1) } else { shape[0].clone() };
        let float = DatumType::F32;
        let table = |columns: usize| (float, tvec!(rows.clone(), TDim::from(columns)));
        let mut facts = match &*self.kernel {
            Kernel::TreeClassifier(_) | Kernel::LinearClassifier(_) => {
                let Some(classes) = self.kernel.classes() else { bail!("a classifier has no classes") };
                let label = if classes.are_texts() { DatumType::String } else { DatumType::I64 };
                tvec!((label, tvec!(rows.clone())), table(classes.len()))
            }
            Kernel::VectorClassifier(classifier) => {
                let label = if classifier.classes().are_texts() { DatumType::String } else { DatumType::I64 };
                tvec!((label, tvec!(rows.clone())), table(classifier.scores()))
            }
            Kernel::TreeRegressor(regressor) => {
                let columns = TDim::from(regressor.forest().targets());
                tvec!((values::datum_type(regressor.datatype()), tvec!(rows.clone(), columns)))
            }
            Kernel::VectorRegressor(_) => tvec!(table(1)),
            Kernel::LinearRegressor(regressor) => tvec!(table(regressor.targets())),
            Kernel::Scaler(_) | Kernel::Normalizer(_) | Kernel::Binarizer(_) => tvec!((float, shape.clone())),
            Kernel::Imputer(imputer) => {
                tvec!((if imputer.is_float() { float } else { DatumType::I64 }, shape.clone()))
            }
            Kernel::LabelEncoder(encoder) => {
                tvec!((values::datum_type(encoder.datatype()), shape.clone()))
            }
            Kernel::CategoryMapper(_) => {
                let datatype = CategoryMapper::datatype(*datum_type == DatumType::String);
                tvec!((values::datum_type(datatype), shape.clone()))
            }
            Kernel::OneHotEncoder(encoder) => {
                let axes = shape.iter().cloned().chain([TDim::from(encoder.categories())]);
                tvec!((float, axes.collect()))
            }
            Kernel::ArrayFeatureExtractor => {
                let Some((_, indices)) = inputs.get(1) else { bail!("the indices are missing") };
                let mut axes =
                    if shape.len() < 2 { tvec!(TDim::from(1), TDim::from(1)) } else { shape.clone() };
                if let Some(last) = axes.last_mut() {
                    *last = indices.iter().product();
                }
                tvec!((*datum_type, axes))
            }
            Kernel::FeatureVectorizer(vectorizer) => {
                let columns = TDim::from(vectorizer.columns());
                tvec!((float, tvec!(shape.first().cloned().unwrap_or(TDim::from(1)), columns)))
            }
            Kernel::ZipMap => tvec!((*datum_type, shape.clone())),
        };
        facts.truncate(self.outputs);
        Ok(facts)
    }
}

impl Expansion for Operator {
    fn name(&self) -> StaticName {
        "ai.onnx.ml".into()
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(self.outputs)
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        let types = inputs.iter().map(|input| &input.datum_type);
        solver.given_all(types, move |solver, types: Vec<DatumType>| {
            let shapes = inputs.iter().map(|input| &input.shape);
            solver.given_all(shapes, move |solver, shapes: Vec<TVec<TDim>>| {
                let facts: Vec<Fact> = types.iter().copied().zip(shapes).collect();
                for (output, (datum_type, shape)) in outputs.iter().zip(self.facts(&facts)?) {
                    solver.equals(&output.datum_type, datum_type)?;
                    solver.equals(&output.shape, shape)?;
                }
                Ok(())
            })
        })
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        model.wire_node(prefix, self.clone(), inputs)
    }
}

impl Op for Operator {
    fn name(&self) -> StaticName {
        "ai.onnx.ml".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Operator {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let tensors =
            inputs.iter().map(|value| values::from_tract(value)).collect::<TractResult<Vec<_>>>()?;
        let arrays: Vec<Array<'_>> = tensors.iter().map(Array::borrow).collect();
        let results = self.kernel.evaluate(&arrays)?;
        results.iter().take(self.outputs).map(values::array_to_tract).collect()
    }
}

impl TypedOp for Operator {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let facts: Vec<Fact> =
            inputs.iter().map(|fact| (fact.datum_type, fact.shape.iter().cloned().collect())).collect();
        Ok(self.facts(&facts)?.into_iter().map(|(datum_type, shape)| datum_type.fact(shape)).collect())
    }

    as_op!();
}
