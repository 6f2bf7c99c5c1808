//! Whether the data of a window are sound, whatever their distribution: missing values, values of another type, far
//! outside what training held, unknown categories, rows sent again, silence, and more or fewer rows than usual.
//!
//! Column checks read the window's sketches beside the training data, flow checks read the window's counts beside
//! those of earlier windows. A season never explains a fault: nothing here knows the calendar. The chance of a false
//! fault is bounded over the year as that of a false alarm is.

mod column;
mod flow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use column::column_faults;
pub use flow::{Flow, flow_faults};

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "QualityCheck")]
pub enum Check {
    /// The share of rows without a value is not that of training.
    Missing,
    /// Texts in a column of numbers, numbers in one of texts, fractions in one of whole numbers.
    Type,
    /// Numbers as far beyond those of training as these reach, of a sign that training never had, or infinite.
    Range,
    /// Categories that training never saw, more than a fresh sample of it would hold.
    Category,
    /// Rows that were sent a moment ago already.
    Duplicate,
    /// No rows for a long part of the window.
    Freshness,
    /// Far fewer or far more rows than usual.
    Volume,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::Type,
        Self::Range,
        Self::Category,
        Self::Duplicate,
        Self::Freshness,
        Self::Volume,
    ];

    /// Its name in JSON and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Type => "type",
            Self::Range => "range",
            Self::Category => "category",
            Self::Duplicate => "duplicate",
            Self::Freshness => "freshness",
            Self::Volume => "volume",
        }
    }
}

/// Something wrong with the data of a window.
///
/// `before` and `after` are shares of the rows (0–1); of [`Check::Volume`] they are rows, of [`Check::Freshness`]
/// lengths of the window that passed after the last row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "QualityFault")]
pub struct Fault {
    /// What was looked at.
    pub check: Check,
    /// The column; None where it is about whole rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// In training, or in earlier windows.
    pub before: f64,
    /// In the window.
    pub after: f64,
    /// A value that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

impl Fault {
    /// It makes answers wrong whatever the model: never a season, always important.
    pub fn is_damage(&self) -> bool {
        matches!(self.check, Check::Missing | Check::Type | Check::Range)
    }
}
