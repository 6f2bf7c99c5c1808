//! Two columns, or two tables, compared: which tests say what, and the verdict.
//!
//! Columns are independent of each other and shared out over threads. Everything is a function of the values and of
//! the seed; the number of threads changes nothing.

mod measure;
mod picture;
mod table;

pub use table::{
    ColumnComparison, CompareOptions, ComparedColumn, DefaultTests, TableComparison, TableRow, TableVerdict,
    compare_tables,
};

use crate::categories::CategorySide;
use crate::{CategoryCounts, ColumnType, NotApplicable, Test, TestVerdict};
use measure::Pair;

pub use picture::ColumnPicture;

/// The values of one column.
#[derive(Clone, Copy, Debug)]
pub enum ColumnData<'a> {
    /// Numbers; NaN is a missing value.
    Numbers(&'a [f64]),
    /// Categories; `None` is a missing value.
    Categories(&'a [Option<&'a str>]),
    /// Categories that were counted as they passed.
    Counted(&'a CategoryCounts),
    /// Free text; `None` is a missing value.
    Texts(&'a [Option<&'a str>]),
}

impl<'a> ColumnData<'a> {
    /// The column's type.
    pub fn column_type(self) -> ColumnType {
        match self {
            Self::Numbers(_) => ColumnType::Numeric,
            Self::Categories(_) | Self::Counted(_) => ColumnType::Categorical,
            Self::Texts(_) => ColumnType::Text,
        }
    }

    fn categories(self) -> Option<CategorySide<'a>> {
        match self {
            Self::Categories(rows) => Some(CategorySide::Rows(rows)),
            Self::Counted(counts) => Some(CategorySide::Counted(counts)),
            _ => None,
        }
    }
}

/// Compares two columns by each of `tests` with Evidently's default thresholds, in the order given. `seed` drives
/// permutations and splits.
pub fn compare(
    reference: ColumnData<'_>,
    current: ColumnData<'_>,
    tests: &[Test],
    seed: u64,
) -> Vec<(Test, TestVerdict)> {
    let pair = Pair::of(reference, current);
    let answer = |test: &Test| {
        let measured = pair.as_ref().map_err(|reason| *reason).and_then(|pair| pair.measure(*test, seed));
        (*test, TestVerdict::of(*test, measured, test.threshold(), SURE))
    };
    tests.iter().map(answer).collect()
}

/// Chance at which an area under the curve alone is surely above 0.5.
const SURE: f64 = 0.05;

/// A test asked of another type of column has no answer.
fn applicable(test: Test, column: ColumnType) -> Result<(), NotApplicable> {
    if test.applies_to(column) { Ok(()) } else { Err(NotApplicable::WrongType) }
}
