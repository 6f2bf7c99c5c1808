//! A column in a few figures, for tables and charts.

use serde::{Deserialize, Serialize};

/// One bar of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Lower end; the first bin also holds everything below.
    pub from: f64,
    /// Upper end; the last bin also holds everything above.
    pub to: f64,
    /// Share of the usable values (0–1).
    pub share: f64,
}

/// One category and how common it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Category {
    /// The value.
    pub value: String,
    /// Share of the usable values (0–1).
    pub share: f64,
}

/// A column at one time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Rows, missing ones included.
    pub rows: u64,
    /// Share of rows without a value.
    pub missing: f64,
    /// Share of rows that are ±infinity.
    pub infinite: f64,
    /// Mean of the finite numbers.
    pub mean: Option<f64>,
    /// Standard deviation of the finite numbers (n − 1).
    pub std: Option<f64>,
    /// Smallest finite number.
    pub min: Option<f64>,
    /// Largest finite number.
    pub max: Option<f64>,
    /// At most 20 bins, the same before and after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<Bin>,
    /// The ten most common categories of before, in the same order before and after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Category>,
    /// Share of all other categories that training knew.
    pub other: f64,
    /// Share of categories that training never saw.
    pub new: f64,
    /// The most common of those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_categories: Vec<Category>,
}
