//! Arrays as they pass between the kernels of this crate: borrowed from the caller where nothing changes.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::tensor::element_count;
use crate::{DataType, ModelError, Tensor, TensorData, conversion};

/// Sizes of axes; the kernels' arrays have at most three.
pub(crate) type Shape = SmallVec<[usize; 4]>;

/// What a kernel returns.
pub(crate) type Results<'a> = SmallVec<[Array<'a>; 2]>;

/// A row-major array whose elements may be borrowed.
#[derive(Debug, Clone)]
pub(crate) struct Array<'a> {
    shape: Shape,
    data: Cow<'a, TensorData>,
}

impl<'a> Array<'a> {
    pub(crate) fn new(shape: &[usize], data: TensorData) -> Array<'static> {
        Array { shape: Shape::from_slice(shape), data: Cow::Owned(data) }
    }

    pub(crate) fn borrow(tensor: &'a Tensor) -> Array<'a> {
        Array { shape: Shape::from_slice(&tensor.shape), data: Cow::Borrowed(&tensor.data) }
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn data(&self) -> &TensorData {
        &self.data
    }

    pub(crate) fn into_tensor(self) -> Tensor {
        Tensor { shape: self.shape.to_vec(), data: self.data.into_owned() }
    }

    /// The elements in another type.
    pub(crate) fn cast(self, datatype: DataType) -> Result<Array<'a>, ModelError> {
        if self.data.datatype() == datatype {
            return Ok(self);
        }
        Ok(Array { data: Cow::Owned(conversion::cast(&self.data, datatype)?), shape: self.shape })
    }

    /// The same elements in another shape of as many.
    pub(crate) fn reshape(self, shape: &[usize]) -> Result<Array<'a>, ModelError> {
        if element_count(shape) != Some(self.data.len()) {
            return Err(ModelError::Input(format!(
                "an array of shape {:?} cannot take the shape {shape:?}",
                self.shape
            )));
        }
        Ok(Array { shape: Shape::from_slice(shape), data: self.data })
    }

    /// Rows and columns of a numeric table of at least `columns` columns; one axis is one row.
    pub(crate) fn table(&self, columns: usize) -> Result<(usize, usize), ModelError> {
        let (rows, found) = self.rows_and_columns()?;
        if self.data.datatype() == DataType::Bytes {
            return Err(ModelError::Input("numbers are expected, texts were given".into()));
        }
        if found < columns {
            return Err(ModelError::Input(format!("{columns} columns are expected, {found} were given")));
        }
        Ok((rows, found))
    }

    /// Rows and columns of an array of one axis (one row) or two.
    pub(crate) fn rows_and_columns(&self) -> Result<(usize, usize), ModelError> {
        match *self.shape.as_slice() {
            [columns] => Ok((1, columns)),
            [rows, columns] => Ok((rows, columns)),
            _ => Err(ModelError::Input(format!("a table is expected, the shape is {:?}", self.shape))),
        }
    }

    /// The elements in single precision, borrowed when they are.
    pub(crate) fn floats(&self) -> Result<Cow<'_, [f32]>, ModelError> {
        if let TensorData::F32(values) = self.data() {
            return Ok(Cow::Borrowed(values));
        }
        let numbers = (0..self.data.len()).map(|index| self.data.number(index).map(|number| number as f32));
        let numbers: Option<Vec<f32>> = numbers.collect();
        numbers
            .map(Cow::Owned)
            .ok_or_else(|| ModelError::Input("numbers are expected, texts were given".into()))
    }
}
