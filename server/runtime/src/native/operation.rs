//! What a step of a native plan does.

use smallvec::SmallVec;
use tract_onnx::pb::NodeProto;

use super::arithmetic::Arithmetic;
use super::dense::Dense;
use super::shape::{flattened, reshaped};
use crate::array::{Array, Results};
use crate::attributes::Attributes;
use crate::kernel::{Kernel, concat};
use crate::transform::{logistic, softmax};
use crate::{DataType, ModelError, Tensor, TensorData, initializer};

/// What a step does.
#[derive(Debug)]
pub(super) enum Operation {
    Kernel(Kernel),
    Same,
    Cast(DataType),
    /// Sizes; 0 keeps the input's, -1 takes what is left.
    Reshape(Vec<i64>),
    /// All axes before the given one are joined, and all from it on.
    Flatten(i64),
    Concat(i64),
    Arithmetic(Arithmetic),
    Dense(Dense),
    /// A function of each element.
    Each(fn(f32) -> f32),
    /// Over each row of a table.
    Softmax,
    /// Position of the highest element of each row of a table, the first of equals.
    ArgMax {
        keeps_axis: bool,
    },
}

impl Operation {
    /// The operation of a node; `None` when only tract knows it. `constant` finds stored tensors.
    pub(super) fn read<'a>(
        node: &NodeProto,
        constant: impl Fn(&str) -> Option<&'a Tensor>,
        double: bool,
    ) -> Result<Option<Operation>, ModelError> {
        let attributes = Attributes(node);
        let of_rows = |default| matches!(attributes.int("axis").unwrap_or(default), 1 | -1);
        Ok(match node.op_type.as_str() {
            "Identity" => Some(Operation::Same),
            "Flatten" => Some(Operation::Flatten(attributes.int("axis").unwrap_or(1))),
            "Concat" => attributes.int("axis").map(Operation::Concat),
            "Cast" => cast(attributes)?,
            "Reshape" => match node.input.get(1).and_then(|name| constant(name)).map(|tensor| &tensor.data) {
                Some(TensorData::I64(sizes)) => Some(Operation::Reshape(sizes.clone())),
                _ => None,
            },
            "Add" | "Sub" | "Mul" | "Div" => Arithmetic::read(node, constant).map(Operation::Arithmetic),
            "MatMul" | "Gemm" => Dense::read(node, constant).map(Operation::Dense),
            "Relu" => Some(Operation::Each(|value| if value < 0.0 { 0.0 } else { value })),
            "Sigmoid" => Some(Operation::Each(logistic)),
            "Tanh" => Some(Operation::Each(f32::tanh)),
            "Softmax" if of_rows(-1) => Some(Operation::Softmax),
            "ArgMax" if of_rows(0) && attributes.int("select_last_index").unwrap_or(0) == 0 => {
                Some(Operation::ArgMax { keeps_axis: attributes.int("keepdims").unwrap_or(1) != 0 })
            }
            _ => Kernel::read(node, double)?.map(Operation::Kernel),
        })
    }

    /// Inputs that are left out in front, as they are part of the operation.
    pub(super) fn skipped(&self) -> usize {
        usize::from(matches!(self, Operation::Arithmetic(arithmetic) if arithmetic.constant_first))
    }

    /// Most inputs that are read when the step runs.
    pub(super) fn arity(&self) -> usize {
        if matches!(self, Operation::Kernel(_) | Operation::Concat(_)) { usize::MAX } else { 1 }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Operation::Kernel(kernel) => kernel.memory_bytes(),
            Operation::Arithmetic(arithmetic) => arithmetic.memory_bytes(),
            Operation::Dense(dense) => dense.memory_bytes(),
            _ => 0,
        }
    }

    /// Computes the results. What does not fit a dense layer is [`ModelError::Failed`].
    pub(super) fn evaluate<'a>(
        &self,
        mut inputs: SmallVec<[Array<'a>; 4]>,
    ) -> Result<Results<'a>, ModelError> {
        if let Operation::Kernel(kernel) = self {
            return kernel.evaluate(&inputs);
        }
        if let Operation::Concat(axis) = self {
            return Ok([concat(&inputs, *axis)?].into_iter().collect());
        }
        let input = inputs.pop().ok_or_else(|| ModelError::Invalid("an operator has no input".into()))?;
        let result = match self {
            Operation::Cast(DataType::Bytes) if input.data().datatype() != DataType::Bytes => {
                return Err(ModelError::Failed("a number cannot become a text".into()));
            }
            Operation::Cast(datatype) => input.cast(*datatype)?,
            Operation::Arithmetic(arithmetic) => arithmetic.evaluate(&input)?,
            Operation::Dense(dense) => dense.evaluate(&input)?,
            Operation::Each(function) => each(input, *function)?,
            Operation::Softmax => by_rows(input, softmax)?,
            Operation::ArgMax { keeps_axis } => positions_of_highest(&input, *keeps_axis)?,
            Operation::Reshape(sizes) => {
                let shape = reshaped(input.shape(), sizes)?;
                input.reshape(&shape)?
            }
            Operation::Flatten(axis) => {
                let shape = flattened(input.shape(), *axis)?;
                input.reshape(&shape)?
            }
            Operation::Same | Operation::Kernel(_) | Operation::Concat(_) => input,
        };
        Ok([result].into_iter().collect())
    }
}

fn cast(attributes: Attributes<'_>) -> Result<Option<Operation>, ModelError> {
    let Some(code) = attributes.int("to").and_then(|code| i32::try_from(code).ok()) else { return Ok(None) };
    let datatype = initializer::datatype(code)?;
    Ok((datatype != DataType::Fp16).then_some(Operation::Cast(datatype)))
}

/// The elements of an array of single precision, its own where nobody else has them.
fn floats(input: Array<'_>) -> Result<(SmallVec<[usize; 4]>, Vec<f32>), ModelError> {
    let shape = SmallVec::from_slice(input.shape());
    match input.into_tensor().data {
        TensorData::F32(values) => Ok((shape, values)),
        _ => Err(ModelError::Failed("numbers of single precision are expected".into())),
    }
}

fn each(input: Array<'_>, function: fn(f32) -> f32) -> Result<Array<'static>, ModelError> {
    let (shape, mut values) = floats(input)?;
    for value in &mut values {
        *value = function(*value);
    }
    Ok(Array::new(&shape, TensorData::F32(values)))
}

fn by_rows(input: Array<'_>, function: fn(&mut [f32])) -> Result<Array<'static>, ModelError> {
    let (shape, mut values) = floats(input)?;
    let [_, columns] = *shape else { return Err(no_table(&shape)) };
    values.chunks_exact_mut(columns.max(1)).for_each(function);
    Ok(Array::new(&shape, TensorData::F32(values)))
}

fn positions_of_highest(input: &Array<'_>, keeps_axis: bool) -> Result<Array<'static>, ModelError> {
    let (&[rows, columns], TensorData::F32(values)) = (input.shape(), input.data()) else {
        return Err(no_table(input.shape()));
    };
    let highest =
        |row: &[f32]| (1..columns).fold(0, |best, at| if row[at] > row[best] { at } else { best }) as i64;
    let positions = TensorData::I64(values.chunks_exact(columns.max(1)).map(highest).collect());
    Ok(if keeps_axis { Array::new(&[rows, 1], positions) } else { Array::new(&[rows], positions) })
}

fn no_table(shape: &[usize]) -> ModelError {
    ModelError::Failed(format!("a table of single precision is expected, the shape is {shape:?}"))
}
