//! Counts of live data over a reference's cells: constant memory, merging is addition.

mod distinct;
mod frequent;
mod number;
mod repeats;
mod text;

pub(crate) use number::{NumberTally, saturating_sum};
pub use repeats::{RecentRows, RowHash};
pub(crate) use text::{TextTally, bucket_of, reads_as_number};

use serde::{Deserialize, Serialize};

use crate::{DriftError, Reference};

/// One column's values of some time span, counted over the cells of its [`Reference`].
///
/// The reference is not stored inside: the same one is passed with every call. A value of the other kind is
/// converted when it can be (`"12.5"` in a numeric column, `12.5` in a categorical one) and is missing otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sketch {
    pub(crate) missing: u64,
    /// Those of the missing ones that are texts where numbers should be.
    #[serde(default, skip_serializing_if = "number::is_zero")]
    pub(crate) mistyped: u64,
    pub(crate) cells: Cells,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cells {
    Number(NumberTally),
    Text(TextTally),
}

impl Sketch {
    /// An empty sketch over the cells of `reference`.
    pub fn new(reference: &Reference) -> Self {
        let cells = match reference {
            Reference::Number(number) => Cells::Number(NumberTally::with_cells(number.cuts.len() + 1)),
            Reference::Text(text) => Cells::Text(TextTally::with_cells(text.values.len())),
        };
        Self { missing: 0, mistyped: 0, cells }
    }

    /// Counts a number; NaN is a missing value.
    pub fn add_number(&mut self, reference: &Reference, x: f64) {
        match (&mut self.cells, reference) {
            _ if x.is_nan() => self.add_missing(),
            (Cells::Number(tally), Reference::Number(number)) => tally.add(&number.cuts, x),
            (Cells::Text(tally), Reference::Text(text)) => {
                let value = x.to_string();
                tally.add(text.cell_of(&value), &value);
            }
            _ => self.add_missing(),
        }
    }

    /// Counts a category.
    pub fn add_text(&mut self, reference: &Reference, x: &str) {
        match (&mut self.cells, reference) {
            (Cells::Text(tally), Reference::Text(text)) => tally.add(text.cell_of(x), x),
            (Cells::Number(_), Reference::Number(_)) => {
                let number: Result<f64, _> = x.trim().parse();
                self.mistyped = self.mistyped.saturating_add(u64::from(number.is_err() && !x.is_empty()));
                self.add_number(reference, number.unwrap_or(f64::NAN));
            }
            _ => self.add_missing(),
        }
    }

    /// Counts a row without a value.
    pub fn add_missing(&mut self) {
        self.missing = self.missing.saturating_add(1);
    }

    /// Forgets which values they were that the reference never saw; how many and how different stays known. For columns
    /// whose values may be counted and not kept.
    pub fn forget_values(&mut self) {
        if let Cells::Text(tally) = &mut self.cells {
            tally.forget_values();
        }
    }

    /// Adds the counts of `other`, made over the same reference.
    pub fn merge(&mut self, other: &Self) -> Result<(), DriftError> {
        match (&mut self.cells, &other.cells) {
            (Cells::Number(mine), Cells::Number(theirs)) => mine.merge(theirs)?,
            (Cells::Text(mine), Cells::Text(theirs)) => mine.merge(theirs)?,
            _ => return Err(DriftError::Mismatch("numbers and categories".into())),
        }
        self.missing = self.missing.saturating_add(other.missing);
        self.mistyped = self.mistyped.saturating_add(other.mistyped);
        Ok(())
    }

    /// Rows counted, missing ones included.
    pub fn count(&self) -> u64 {
        let seen = match &self.cells {
            Cells::Number(tally) => tally.seen(),
            Cells::Text(tally) => tally.seen(),
        };
        seen.saturating_add(self.missing)
    }

    /// About how many different categories there were that the reference never saw (standard error 6.5 %); 0 for
    /// numbers.
    pub fn new_categories(&self) -> u64 {
        match &self.cells {
            Cells::Number(_) => 0,
            Cells::Text(tally) => tally.new_distinct.estimate(),
        }
    }

    /// Rows whose value is a text where a number should be; they count as missing too.
    pub fn mistyped(&self) -> u64 {
        self.mistyped
    }

    /// Rows without a value.
    pub fn missing(&self) -> u64 {
        self.missing
    }
}
