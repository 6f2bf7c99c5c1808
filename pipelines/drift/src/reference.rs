//! The cells of a training column: what every later sketch of that column counts over.

mod membership;
mod number;
mod text;

pub(crate) use membership::fnv1a;
pub use number::NumberReference;
pub(crate) use text::TextCell;
pub use text::TextReference;

use serde::{Deserialize, Serialize};

use crate::{Sketch, comparison::fits, sketch::Cells};

/// The training column, reduced to cells and their counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// A column of numbers.
    Number(NumberReference),
    /// A column of categories.
    Text(TextReference),
}

impl Reference {
    /// Makes the cells of a numeric column. NaN is a missing value; infinities are counted apart.
    pub fn of_numbers(values: &[f64]) -> Self {
        Self::Number(NumberReference::of(values))
    }

    /// Makes the cells of a categorical column. `None` is a missing value.
    pub fn of_texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Self {
        Self::Text(TextReference::of(values))
    }

    /// Rows of the training column, missing ones included.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Number(number) => number.tally.seen().saturating_add(number.missing),
            Self::Text(text) => text.tally.seen().saturating_add(text.missing),
        }
    }

    /// The same cells filled with other rows, so that a later sketch can be compared with those instead of the
    /// training data. None when the sketch was made over other cells.
    pub fn refilled(&self, sketch: &Sketch) -> Option<Self> {
        match (self, &sketch.cells) {
            _ if !fits(self, sketch) => None,
            (Self::Number(number), Cells::Number(tally)) => {
                let (missing, tally) = (sketch.missing, tally.clone());
                Some(Self::Number(NumberReference { missing, tally, ..number.clone() }))
            }
            (Self::Text(text), Cells::Text(tally)) => Some(Self::Text(text.refilled(tally, sketch.missing))),
            _ => None,
        }
    }

    /// Rows of the training column without a value.
    pub fn missing(&self) -> u64 {
        match self {
            Self::Number(number) => number.missing,
            Self::Text(text) => text.missing,
        }
    }
}
