//! Operators that change numbers one by one or row by row: `Scaler`, `Imputer`, `Normalizer`, `Binarizer`.

use crate::array::Array;
use crate::attributes::Attributes;
use crate::{ModelError, TensorData};

/// Parameters per column, or one for all columns.
fn of_column<T: Copy>(values: &[T], column: usize) -> Option<T> {
    if values.len() == 1 { values.first().copied() } else { values.get(column).copied() }
}

fn last_axis(input: &Array<'_>) -> usize {
    input.shape().last().copied().unwrap_or(1).max(1)
}

fn too_few(operator: &str, found: usize, columns: usize) -> ModelError {
    ModelError::Input(format!("{operator} has parameters for {found} columns, the input has {columns}"))
}

/// `(x - offset) * scale` per column.
#[derive(Debug)]
pub(crate) struct Scaler {
    offset: Vec<f32>,
    scale: Vec<f32>,
}

impl Scaler {
    pub(super) fn read(node: Attributes<'_>) -> Result<Scaler, ModelError> {
        let default =
            |values: &[f32], neutral| if values.is_empty() { vec![neutral] } else { values.to_vec() };
        let offset = default(node.floats("offset"), 0.0);
        let scale = default(node.floats("scale"), 1.0);
        if offset.len() != scale.len() && offset.len() != 1 && scale.len() != 1 {
            return Err(node.invalid("`offset` and `scale` differ in length"));
        }
        Ok(Scaler { offset, scale })
    }

    pub(super) fn evaluate(&self, input: &Array<'_>) -> Result<Array<'static>, ModelError> {
        let columns = last_axis(input);
        let mut values = input.floats()?.into_owned();
        let parameters = (0..columns)
            .map(|column| Some((of_column(&self.offset, column)?, of_column(&self.scale, column)?)));
        let parameters: Option<Vec<(f32, f32)>> = parameters.collect();
        let parameters = parameters.ok_or_else(|| too_few("Scaler", self.scale.len(), columns))?;
        for row in values.chunks_exact_mut(columns) {
            for (value, (offset, scale)) in row.iter_mut().zip(&parameters) {
                *value = (*value - offset) * scale;
            }
        }
        Ok(Array::new(input.shape(), TensorData::F32(values)))
    }
}

/// Puts a column's stand-in where the mark of a missing value is.
#[derive(Debug)]
pub(crate) enum Imputer {
    Floats { imputed: Vec<f32>, missing: f32 },
    Ints { imputed: Vec<i64>, missing: i64 },
}

impl Imputer {
    pub(super) fn read(node: Attributes<'_>) -> Result<Imputer, ModelError> {
        let floats = node.floats("imputed_value_floats");
        let ints = node.ints("imputed_value_int64s");
        if floats.is_empty() == ints.is_empty() {
            return Err(node.invalid("exactly one list of imputed values is needed"));
        }
        if ints.is_empty() {
            let missing = node.float("replaced_value_float").unwrap_or(0.0);
            return Ok(Imputer::Floats { imputed: floats.to_vec(), missing });
        }
        Ok(Imputer::Ints { imputed: ints.to_vec(), missing: node.int("replaced_value_int64").unwrap_or(0) })
    }

    pub(crate) fn is_float(&self) -> bool {
        matches!(self, Imputer::Floats { .. })
    }

    pub(super) fn evaluate(&self, input: &Array<'_>) -> Result<Array<'static>, ModelError> {
        let columns = last_axis(input);
        let data = match self {
            Imputer::Floats { imputed, missing } => {
                let mut values = input.floats()?.into_owned();
                let is_missing =
                    |value: f32| if missing.is_nan() { value.is_nan() } else { value == *missing };
                impute(&mut values, columns, imputed, is_missing)?;
                TensorData::F32(values)
            }
            Imputer::Ints { imputed, missing } => {
                let TensorData::I64(values) = input.data() else {
                    return Err(ModelError::Input("Imputer expects whole numbers".into()));
                };
                let mut values = values.clone();
                impute(&mut values, columns, imputed, |value| value == *missing)?;
                TensorData::I64(values)
            }
        };
        Ok(Array::new(input.shape(), data))
    }
}

fn impute<T: Copy>(
    values: &mut [T],
    columns: usize,
    imputed: &[T],
    is_missing: impl Fn(T) -> bool,
) -> Result<(), ModelError> {
    for row in values.chunks_exact_mut(columns) {
        for (column, value) in row.iter_mut().enumerate() {
            if is_missing(*value) {
                *value =
                    of_column(imputed, column).ok_or_else(|| too_few("Imputer", imputed.len(), columns))?;
            }
        }
    }
    Ok(())
}

/// Divides each row by a norm of it.
#[derive(Debug)]
pub(crate) enum Normalizer {
    Max,
    L1,
    L2,
}

impl Normalizer {
    pub(super) fn read(node: Attributes<'_>) -> Result<Normalizer, ModelError> {
        match node.text("norm")?.unwrap_or("MAX") {
            "MAX" => Ok(Normalizer::Max),
            "L1" => Ok(Normalizer::L1),
            "L2" => Ok(Normalizer::L2),
            other => Err(node.invalid(&format!("the norm `{other}` is unknown"))),
        }
    }

    pub(super) fn evaluate(&self, input: &Array<'_>) -> Result<Array<'static>, ModelError> {
        let mut values = input.floats()?.into_owned();
        for row in values.chunks_exact_mut(last_axis(input)) {
            let norm = match self {
                Normalizer::Max => row.iter().copied().fold(f32::MIN, f32::max),
                Normalizer::L1 => row.iter().map(|value| value.abs()).sum(),
                Normalizer::L2 => row.iter().map(|value| value * value).sum::<f32>().sqrt(),
            };
            if norm != 0.0 {
                for value in row {
                    *value /= norm;
                }
            }
        }
        Ok(Array::new(input.shape(), TensorData::F32(values)))
    }
}

/// 1 above a threshold, else 0.
#[derive(Debug)]
pub(crate) struct Binarizer {
    threshold: f32,
}

impl Binarizer {
    pub(super) fn read(node: Attributes<'_>) -> Binarizer {
        Binarizer { threshold: node.float("threshold").unwrap_or(0.0) }
    }

    pub(super) fn evaluate(&self, input: &Array<'_>) -> Result<Array<'static>, ModelError> {
        let above = |value: &f32| f32::from(u8::from(*value > self.threshold));
        let values = input.floats()?.iter().map(above).collect();
        Ok(Array::new(input.shape(), TensorData::F32(values)))
    }
}
