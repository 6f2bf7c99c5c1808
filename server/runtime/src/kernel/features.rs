//! Operators that put columns together or pick some: `FeatureVectorizer`, `ArrayFeatureExtractor`.

use crate::array::{Array, Shape};
use crate::attributes::Attributes;
use crate::{ModelError, TensorData};

/// Numeric columns side by side, in single precision: of each input as many as stated, those that it lacks
/// filled with zeros.
#[derive(Debug)]
pub(crate) struct FeatureVectorizer {
    widths: Vec<usize>,
    columns: usize,
}

impl FeatureVectorizer {
    pub(super) fn read(node: Attributes<'_>) -> Result<FeatureVectorizer, ModelError> {
        let invalid = || node.invalid("`inputdimensions` is missing or out of range");
        let widths = node.ints("inputdimensions").iter().map(|&width| usize::try_from(width));
        let widths: Vec<usize> = widths.collect::<Result<_, _>>().map_err(|_| invalid())?;
        let columns = widths.iter().try_fold(0_usize, |sum, &width| sum.checked_add(width));
        let columns = columns.filter(|columns| (1..=1 << 20).contains(columns)).ok_or_else(invalid)?;
        Ok(FeatureVectorizer { widths, columns })
    }

    /// Columns of the result.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn evaluate(&self, inputs: &[Array<'_>]) -> Result<Array<'static>, ModelError> {
        let count = self.widths.len();
        if inputs.len() != count {
            return Err(ModelError::Invalid(format!(
                "FeatureVectorizer has {} inputs and {count} widths",
                inputs.len()
            )));
        }
        let rows = inputs.first().map_or(Ok(0), |input| as_column(input).map(|(rows, _)| rows))?;
        let mut values = vec![0.0; rows * self.columns];
        let mut offset = 0;
        for (input, &width) in inputs.iter().zip(&self.widths) {
            let (input_rows, found) = as_column(input)?;
            if input_rows != rows {
                return Err(ModelError::Input("the columns differ in their number of rows".into()));
            }
            let source = input.floats()?;
            let taken = found.min(width);
            for (row, cells) in values.chunks_exact_mut(self.columns).enumerate() {
                cells[offset..offset + taken].copy_from_slice(&source[row * found..row * found + taken]);
            }
            offset += width;
        }
        Ok(Array::new(&[rows, self.columns], TensorData::F32(values)))
    }
}

fn as_column(input: &Array<'_>) -> Result<(usize, usize), ModelError> {
    match *input.shape() {
        [rows] => Ok((rows, 1)),
        _ => input.rows_and_columns(),
    }
}

/// The columns of the first input's last axis that the second names.
pub(super) fn extract(inputs: &[Array<'_>]) -> Result<Array<'static>, ModelError> {
    let [input, indices] = inputs else {
        return Err(ModelError::Invalid("ArrayFeatureExtractor needs two inputs".into()));
    };
    let columns = input.shape().last().copied().unwrap_or(1);
    let mut picked = Vec::with_capacity(indices.data().len());
    for index in 0..indices.data().len() {
        let column = indices.data().number(index).filter(|column| *column >= 0.0);
        let column = column.map(|column| column as usize).filter(|column| *column < columns);
        picked.push(column.ok_or_else(|| {
            ModelError::Input(format!("ArrayFeatureExtractor: an index is outside the {columns} columns"))
        })?);
    }
    let mut shape = Shape::from_slice(if input.shape().len() < 2 { &[1, 1] } else { input.shape() });
    if let Some(last) = shape.last_mut() {
        *last = picked.len();
    }
    Ok(Array::new(&shape, pick(input.data(), columns.max(1), &picked)))
}

fn pick(data: &TensorData, columns: usize, picked: &[usize]) -> TensorData {
    fn of<T: Clone>(values: &[T], columns: usize, picked: &[usize]) -> Vec<T> {
        let rows = values.chunks_exact(columns);
        rows.flat_map(|row| picked.iter().map(|&column| row[column].clone())).collect()
    }
    macro_rules! pick_each {
        ($($kind:ident),*) => {
            match data { $(TensorData::$kind(values) => TensorData::$kind(of(values, columns, picked)),)* }
        };
    }
    pick_each!(Bool, I8, I16, I32, I64, U8, U16, U32, U64, F32, F64, Text)
}

/// Arrays side by side along `axis`, all of one type.
pub(crate) fn concat(inputs: &[Array<'_>], axis: i64) -> Result<Array<'static>, ModelError> {
    let mismatch = || {
        let shapes: Vec<&[usize]> = inputs.iter().map(Array::shape).collect();
        ModelError::Input(format!("arrays of the shapes {shapes:?} do not stand side by side"))
    };
    let first = inputs.first().ok_or_else(mismatch)?;
    let rank = first.shape().len();
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    let axis = usize::try_from(axis).ok().filter(|axis| *axis < rank).ok_or_else(mismatch)?;
    let mut shape = Shape::from_slice(first.shape());
    shape[axis] = 0;
    for input in inputs {
        let found = input.shape();
        let fits = found.len() == rank
            && (0..rank).all(|at| at == axis || found[at] == first.shape()[at])
            && input.data().datatype() == first.data().datatype();
        if !fits {
            return Err(mismatch());
        }
        shape[axis] += found[axis];
    }
    let outer: usize = shape[..axis].iter().product();
    Ok(Array::new(&shape, join(inputs, outer)))
}

/// Joins `outer` equal slices of every input in turn; the types were found equal.
fn join(inputs: &[Array<'_>], outer: usize) -> TensorData {
    macro_rules! join_each {
        ($first:expr, $($kind:ident),*) => {
            match $first {
                $(TensorData::$kind(_) => {
                    let total = inputs.iter().map(|input| input.data().len()).sum();
                    let mut joined = Vec::with_capacity(total);
                    for slice in 0..outer {
                        for input in inputs {
                            if let TensorData::$kind(values) = input.data() {
                                let width = values.len() / outer;
                                joined.extend_from_slice(&values[slice * width..(slice + 1) * width]);
                            }
                        }
                    }
                    TensorData::$kind(joined)
                })*
            }
        };
    }
    join_each!(inputs[0].data(), Bool, I8, I16, I32, I64, U8, U16, U32, U64, F32, F64, Text)
}
