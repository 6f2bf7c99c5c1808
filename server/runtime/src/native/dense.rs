//! Dense layers: a table times a matrix of weights.

use tract_onnx::pb::NodeProto;

use crate::array::Array;
use crate::attributes::Attributes;
use crate::{ModelError, Tensor, TensorData};

/// Columns of the weights that are multiplied at once.
const PANEL: usize = 8;
/// Rows that are multiplied at once.
const ROWS: usize = 4;

/// Most numbers that may be zeros which fill up panels, beyond as many as there are weights.
const MAX_FILLING: usize = 1 << 20;

/// `x·W + b`, with the weights in panels of [`PANEL`] columns, filled up with zeros.
#[derive(Debug)]
pub(super) struct Dense {
    panels: Vec<[f32; PANEL]>,
    bias: Vec<f32>,
    inputs: usize,
    outputs: usize,
}

impl Dense {
    /// Reads `MatMul` with stored weights, or `Gemm` with stored weights and bias and no factors.
    pub(super) fn read<'a>(node: &NodeProto, constant: impl Fn(&str) -> Option<&'a Tensor>) -> Option<Dense> {
        let attributes = Attributes(node);
        let one = |name: &str| attributes.float(name).unwrap_or(1.0) == 1.0;
        if attributes.int("transA").unwrap_or(0) != 0 || !one("alpha") || !one("beta") {
            return None;
        }
        if constant(node.input.first()?).is_some() {
            return None;
        }
        let weights = constant(node.input.get(1)?)?;
        let TensorData::F32(values) = &weights.data else { return None };
        let &[lines, columns] = weights.shape.as_slice() else { return None };
        let turned = attributes.int("transB").unwrap_or(0) != 0;
        let (inputs, outputs) = if turned { (columns, lines) } else { (lines, columns) };
        let padded = outputs.checked_next_multiple_of(PANEL)?.checked_mul(inputs)?;
        if inputs == 0 || outputs == 0 || padded - values.len() > values.len() + MAX_FILLING {
            return None;
        }
        let bias = match node.input.get(2).filter(|name| !name.is_empty()) {
            None => vec![0.0; outputs],
            Some(name) => match &constant(name)?.data {
                TensorData::F32(bias) if bias.len() == outputs => bias.clone(),
                TensorData::F32(bias) if bias.len() == 1 => vec![bias[0]; outputs],
                _ => return None,
            },
        };
        let weight = |input: usize, output: usize| match output < outputs {
            true if turned => values[output * inputs + input],
            true => values[input * outputs + output],
            false => 0.0,
        };
        let panels = (0..outputs.div_ceil(PANEL)).flat_map(|panel| {
            (0..inputs).map(move |input| std::array::from_fn(|at| weight(input, panel * PANEL + at)))
        });
        Some(Dense { panels: panels.collect(), bias, inputs, outputs })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self.panels.as_slice()) + size_of_val(self.bias.as_slice())
    }

    pub(super) fn evaluate(&self, input: &Array<'_>) -> Result<Array<'static>, ModelError> {
        let (&[rows, columns], TensorData::F32(values)) = (input.shape(), input.data()) else {
            return Err(ModelError::Failed("a table of single precision is expected".into()));
        };
        if columns != self.inputs {
            let expected = self.inputs;
            return Err(ModelError::Failed(format!("{expected} columns are expected, {columns} were given")));
        }
        let mut results = vec![0.0; rows * self.outputs];
        let (blocks, rest) = values.split_at(rows / ROWS * ROWS * columns);
        let (block_results, rest_results) = results.split_at_mut(rows / ROWS * ROWS * self.outputs);
        let blocks = blocks.chunks_exact(columns * ROWS);
        for (block, results) in blocks.zip(block_results.chunks_exact_mut(self.outputs * ROWS)) {
            self.multiply::<ROWS>(block, results);
        }
        for (row, results) in rest.chunks_exact(columns).zip(rest_results.chunks_exact_mut(self.outputs)) {
            self.multiply::<1>(row, results);
        }
        Ok(Array::new(&[rows, self.outputs], TensorData::F32(results)))
    }

    /// `COUNT` rows times all panels.
    fn multiply<const COUNT: usize>(&self, values: &[f32], results: &mut [f32]) {
        let rows: [&[f32]; COUNT] =
            std::array::from_fn(|row| &values[row * self.inputs..(row + 1) * self.inputs]);
        for (at, panel) in self.panels.chunks_exact(self.inputs).enumerate() {
            let mut sums = [[0.0_f32; PANEL]; COUNT];
            for (input, weights) in panel.iter().enumerate() {
                for (row, sums) in rows.iter().zip(&mut sums) {
                    let value = row[input];
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum += value * weight;
                    }
                }
            }
            let first = at * PANEL;
            let bias = &self.bias[first..self.outputs.min(first + PANEL)];
            for (row, sums) in sums.iter().enumerate() {
                let results = &mut results[row * self.outputs + first..][..bias.len()];
                for ((result, sum), bias) in results.iter_mut().zip(sums).zip(bias) {
                    *result = sum + bias;
                }
            }
        }
    }
}
