//! Why a test has no answer.

use serde::{Deserialize, Serialize};

/// The reason that a test or a distance does not apply to a pair of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotApplicable {
    /// No usable value in the reference.
    #[error("the reference has no usable values")]
    EmptyReference,
    /// No usable value in the current data.
    #[error("the current data has no usable values")]
    EmptyCurrent,
    /// One value on both sides.
    #[error("every value is the same")]
    Constant,
    /// A distance in standard deviations of a constant.
    #[error("the reference is constant, so its standard deviation is no unit of length")]
    ConstantReference,
    /// Fewer rows than the test is defined for.
    #[error("at least {0} usable values are needed on each side")]
    TooFewRows(usize),
    /// A test of proportions over more than two values.
    #[error("the column has more than two distinct values")]
    MoreThanTwoValues,
    /// The interquartile range is zero.
    #[error("the middle half of the values is one single value")]
    NoSpread,
    /// Every cell is too small to be tested, or there is only one.
    #[error("no category is frequent enough to test")]
    Sparse,
    /// The result leaves the range of floating point numbers.
    #[error("the values are too large to compute with")]
    TooLarge,
    /// The test is for another kind of column.
    #[error("the test is not defined for this type of column")]
    WrongType,
    /// Reference and current data hold different types.
    #[error("the reference and the current data have different types")]
    TypesDiffer,
    /// Vectors of different length, or none.
    #[error("the vectors are empty or differ in length")]
    UnequalVectors,
}

/// `value` when it is finite.
pub(crate) fn finite(value: f64) -> Result<f64, NotApplicable> {
    if value.is_finite() { Ok(value) } else { Err(NotApplicable::TooLarge) }
}
