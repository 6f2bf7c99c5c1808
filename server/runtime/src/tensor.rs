//! Tensors as callers hand them over and get them back: row-major, owned, typed.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{DataType, ModelError};

/// The elements of a tensor, row-major.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TensorData {
    /// Truth values.
    Bool(Vec<bool>),
    /// 8-bit integers.
    I8(Vec<i8>),
    /// 16-bit integers.
    I16(Vec<i16>),
    /// 32-bit integers.
    I32(Vec<i32>),
    /// 64-bit integers.
    I64(Vec<i64>),
    /// 8-bit natural numbers.
    U8(Vec<u8>),
    /// 16-bit natural numbers.
    U16(Vec<u16>),
    /// 32-bit natural numbers.
    U32(Vec<u32>),
    /// 64-bit natural numbers.
    U64(Vec<u64>),
    /// Single-precision numbers; also the carrier of half-precision ones.
    F32(Vec<f32>),
    /// Double-precision numbers.
    F64(Vec<f64>),
    /// UTF-8 texts (`BYTES`).
    Text(Vec<String>),
}

/// Evaluates the second expression with `$values` bound to the vector inside, whatever its type.
macro_rules! with_values {
    ($data:expr, $values:ident => $result:expr) => {
        match $data {
            $crate::TensorData::Bool($values) => $result,
            $crate::TensorData::I8($values) => $result,
            $crate::TensorData::I16($values) => $result,
            $crate::TensorData::I32($values) => $result,
            $crate::TensorData::I64($values) => $result,
            $crate::TensorData::U8($values) => $result,
            $crate::TensorData::U16($values) => $result,
            $crate::TensorData::U32($values) => $result,
            $crate::TensorData::U64($values) => $result,
            $crate::TensorData::F32($values) => $result,
            $crate::TensorData::F64($values) => $result,
            $crate::TensorData::Text($values) => $result,
        }
    };
}

impl TensorData {
    /// Number of elements.
    pub fn len(&self) -> usize {
        with_values!(self, values => values.len())
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type of the elements.
    pub fn datatype(&self) -> DataType {
        match self {
            TensorData::Bool(_) => DataType::Bool,
            TensorData::I8(_) => DataType::Int8,
            TensorData::I16(_) => DataType::Int16,
            TensorData::I32(_) => DataType::Int32,
            TensorData::I64(_) => DataType::Int64,
            TensorData::U8(_) => DataType::Uint8,
            TensorData::U16(_) => DataType::Uint16,
            TensorData::U32(_) => DataType::Uint32,
            TensorData::U64(_) => DataType::Uint64,
            TensorData::F32(_) => DataType::Fp32,
            TensorData::F64(_) => DataType::Fp64,
            TensorData::Text(_) => DataType::Bytes,
        }
    }

    /// The element at `index` as a number; `None` for text or past the end.
    pub fn number(&self, index: usize) -> Option<f64> {
        match self {
            TensorData::Bool(values) => values.get(index).map(|&value| f64::from(u8::from(value))),
            TensorData::I8(values) => values.get(index).map(|&value| f64::from(value)),
            TensorData::I16(values) => values.get(index).map(|&value| f64::from(value)),
            TensorData::I32(values) => values.get(index).map(|&value| f64::from(value)),
            TensorData::I64(values) => values.get(index).map(|&value| value as f64),
            TensorData::U8(values) => values.get(index).map(|&value| f64::from(value)),
            TensorData::U16(values) => values.get(index).map(|&value| f64::from(value)),
            TensorData::U32(values) => values.get(index).map(|&value| f64::from(value)),
            TensorData::U64(values) => values.get(index).map(|&value| value as f64),
            TensorData::F32(values) => values.get(index).map(|&value| f64::from(value)),
            TensorData::F64(values) => values.get(index).copied(),
            TensorData::Text(_) => None,
        }
    }

    /// The element at `index` as text; `None` for numbers or past the end.
    pub fn text(&self, index: usize) -> Option<&str> {
        match self {
            TensorData::Text(values) => values.get(index).map(String::as_str),
            _ => None,
        }
    }
}

/// A dense, row-major tensor.
///
/// - The product of `shape` is the number of elements; [`Tensor::new`] checks it, and
///   [`crate::Model::predict`] checks it again, as the fields are open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    /// Sizes of the axes; the first is the batch.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: TensorData,
}

impl Tensor {
    /// Checks that `shape` has as many elements as `data` and joins them.
    pub fn new(shape: Vec<usize>, data: TensorData) -> Result<Tensor, ModelError> {
        let tensor = Tensor { shape, data };
        tensor.check()?;
        Ok(tensor)
    }

    /// The type of the elements.
    pub fn datatype(&self) -> DataType {
        self.data.datatype()
    }

    /// Size of the first axis; 1 for a scalar.
    pub fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// The rows `range` alone; the whole tensor when it has no rows. Panics when the range ends beyond them.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Tensor {
        let Some(rows) = self.shape.first().copied().filter(|rows| *rows > 0) else { return self.clone() };
        macro_rules! slice_each {
            ($($kind:ident),*) => {
                match &self.data { $(TensorData::$kind(values) => {
                    let width = values.len() / rows;
                    TensorData::$kind(values[range.start * width..range.end * width].to_vec())
                })* }
            };
        }
        let data = slice_each!(Bool, I8, I16, I32, I64, U8, U16, U32, U64, F32, F64, Text);
        let mut shape = self.shape.clone();
        shape[0] = range.len();
        Tensor { shape, data }
    }

    /// Puts the rows of `other` below. Refused when its elements are of another type, or its rows of another shape.
    pub fn append(&mut self, other: &Tensor) -> Result<(), ModelError> {
        macro_rules! append_each {
            ($($kind:ident),*) => {
                match (&mut self.data, &other.data) {
                    $((TensorData::$kind(values), TensorData::$kind(more)) => values.extend_from_slice(more),)*
                    _ => return Err(ModelError::Failed("an output changed its type between rows".into())),
                }
            };
        }
        append_each!(Bool, I8, I16, I32, I64, U8, U16, U32, U64, F32, F64, Text);
        if let (Some(rows), Some(more)) = (self.shape.first_mut(), other.shape.first()) {
            *rows += more;
        }
        self.check().map_err(|_| ModelError::Failed("an output changed its shape between rows".into()))
    }

    pub(crate) fn check(&self) -> Result<(), ModelError> {
        let Some(count) = element_count(&self.shape) else {
            return Err(ModelError::Input(format!("shape {:?} has too many elements", self.shape)));
        };
        if count == self.data.len() {
            return Ok(());
        }
        Err(ModelError::Input(format!(
            "shape {:?} needs {count} elements, the data has {}",
            self.shape,
            self.data.len()
        )))
    }
}

/// Product of the axes, `None` when it overflows.
pub(crate) fn element_count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis))
}
