//! Arithmetic with a constant, element by element: one number for all, or one per column.

use tract_onnx::pb::NodeProto;

use crate::array::Array;
use crate::{ModelError, Tensor, TensorData};

/// An operation.
#[derive(Debug, Clone, Copy)]
enum Operator {
    Add,
    Sub,
    Mul,
    Div,
}

impl Operator {
    fn named(name: &str) -> Option<Operator> {
        match name {
            "Add" => Some(Operator::Add),
            "Sub" => Some(Operator::Sub),
            "Mul" => Some(Operator::Mul),
            "Div" => Some(Operator::Div),
            _ => None,
        }
    }

    #[inline]
    fn apply(self, left: f32, right: f32) -> f32 {
        match self {
            Operator::Add => left + right,
            Operator::Sub => left - right,
            Operator::Mul => left * right,
            Operator::Div => left / right,
        }
    }
}

/// An operation with its constant.
#[derive(Debug)]
pub(super) struct Arithmetic {
    operator: Operator,
    constant: Vec<f32>,
    /// Whether the constant is the left operand.
    pub(super) constant_first: bool,
    /// Axes that the input must have, where they matter.
    axes: Option<usize>,
}

impl Arithmetic {
    /// Reads a node of which exactly one operand is a constant of single precision.
    pub(super) fn read<'a>(
        node: &NodeProto,
        constant: impl Fn(&str) -> Option<&'a Tensor>,
    ) -> Option<Arithmetic> {
        let operator = Operator::named(&node.op_type)?;
        let [left, right] = node.input.as_slice() else { return None };
        let (tensor, constant_first) = match (constant(left), constant(right)) {
            (None, Some(tensor)) => (tensor, false),
            (Some(tensor), None) => (tensor, true),
            _ => return None,
        };
        let TensorData::F32(values) = &tensor.data else { return None };
        let axes = match *tensor.shape.as_slice() {
            [] | [1] => None,
            // The result has as many axes as the constant, or the input.
            [_] | [1, _] => Some(2),
            _ => return None,
        };
        Some(Arithmetic { operator, constant: values.clone(), constant_first, axes })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self.constant.as_slice())
    }

    pub(super) fn evaluate(&self, input: &Array<'_>) -> Result<Array<'static>, ModelError> {
        let TensorData::F32(values) = input.data() else {
            return Err(ModelError::Failed("numbers of single precision are expected".into()));
        };
        let columns = input.shape().last().copied().unwrap_or(1);
        let fits = self.constant.len() == columns || self.constant.len() == 1;
        if !fits || self.axes.is_some_and(|axes| axes != input.shape().len()) {
            let count = self.constant.len();
            return Err(ModelError::Failed(format!("{count} constants for the shape {:?}", input.shape())));
        }
        let operate = |value: f32, constant: f32| {
            let (left, right) = if self.constant_first { (constant, value) } else { (value, constant) };
            self.operator.apply(left, right)
        };
        let mut results = Vec::with_capacity(values.len());
        match *self.constant {
            [constant] => results.extend(values.iter().map(|value| operate(*value, constant))),
            _ => {
                for row in values.chunks_exact(columns) {
                    results
                        .extend(row.iter().zip(&self.constant).map(|(value, each)| operate(*value, *each)));
                }
            }
        }
        Ok(Array::new(input.shape(), TensorData::F32(results)))
    }
}
