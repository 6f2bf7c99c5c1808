//! Changes of shape that leave the elements as they are.

use crate::ModelError;
use crate::array::Shape;

/// The shape that `sizes` ask for: 0 keeps the input's, -1 takes what is left.
pub(super) fn reshaped(shape: &[usize], sizes: &[i64]) -> Result<Shape, ModelError> {
    let misfit = || ModelError::Input(format!("the shape {shape:?} cannot become {sizes:?}"));
    let total: usize = shape.iter().product();
    let mut result = Shape::new();
    for (axis, &size) in sizes.iter().enumerate() {
        result.push(match size {
            -1 => 0,
            0 => *shape.get(axis).ok_or_else(misfit)?,
            size => usize::try_from(size).map_err(|_| misfit())?,
        });
    }
    if let Some(axis) = sizes.iter().position(|size| *size == -1) {
        let mut others = result.iter().enumerate().filter(|(at, _)| *at != axis);
        let known = others.try_fold(1_usize, |product, (_, size)| product.checked_mul(*size));
        let known = known.filter(|known| *known > 0 && total.is_multiple_of(*known)).ok_or_else(misfit)?;
        result[axis] = total / known;
    }
    Ok(result)
}

/// All axes before `axis` joined, and all from it on.
pub(super) fn flattened(shape: &[usize], axis: i64) -> Result<[usize; 2], ModelError> {
    let rank = shape.len() as i64;
    let axis = if axis < 0 { axis + rank } else { axis };
    if !(0..=rank).contains(&axis) {
        return Err(ModelError::Input(format!("the shape {shape:?} has no axis {axis}")));
    }
    let (before, after) = shape.split_at(axis as usize);
    Ok([before.iter().product(), after.iter().product()])
}
