//! Columns taken in as rows pass by, in bounded memory: whole up to a number of rows, above it a uniform sample of the
//! rows, with exact figures beside; categories are counted exactly whatever the rows.
//!
//! What was sampled is said by [`RowSample::kept`] and [`RowSample::seen`], and how much that can matter by
//! [`sampling_error`]. Nothing here is sampled without being asked to.

mod category;
mod number;
mod reservoir;
mod text;

pub use category::CategoryCounts;
pub(crate) use category::grouped;
pub use number::{NumberColumn, NumberFigures};
pub use reservoir::{Kept, RowSample, sampling_error};
pub use text::TextColumn;

/// How much of two tables is kept at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntakeLimits {
    /// Rows of a table up to which numbers are kept whole; above it as many are drawn.
    pub rows: usize,
    /// Distinct categories of a column up to which each is counted by itself.
    pub categories: usize,
    /// Bytes of those categories' names together.
    pub category_bytes: usize,
}

/// Rows kept when columns are few.
const MOST_ROWS: usize = 1_000_000;
/// Numbers kept of two tables together: half a gigabyte.
const MOST_NUMBERS: usize = 64_000_000;
/// Rows kept however many the columns are.
const FEWEST_ROWS: usize = 5_000;
/// Categories counted one by one: of a column, and of two tables together.
const MOST_CATEGORIES: usize = 100_000;
const ALL_CATEGORIES: usize = 4_000_000;
const FEWEST_CATEGORIES: usize = 1_000;
/// Bytes of a category's name on average.
const CATEGORY_BYTES: usize = 64;

impl IntakeLimits {
    /// The limits for two tables of so many columns, within about 750 MB.
    pub fn for_columns(columns: usize) -> Self {
        let sides = 2 * columns.max(1);
        let categories = (ALL_CATEGORIES / sides).clamp(FEWEST_CATEGORIES, MOST_CATEGORIES);
        Self {
            rows: (MOST_NUMBERS / sides).clamp(FEWEST_ROWS, MOST_ROWS),
            categories,
            category_bytes: categories * CATEGORY_BYTES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::IntakeLimits;

    #[test]
    fn limits_shrink_with_the_columns() {
        let rows = [1, 30, 32, 100, 4096].map(|columns| IntakeLimits::for_columns(columns).rows);
        assert_eq!(rows, [1_000_000, 1_000_000, 1_000_000, 320_000, 7_812]);
        let wide = IntakeLimits::for_columns(4096);
        assert_eq!((wide.categories, wide.category_bytes), (1_000, 64_000));
    }
}
