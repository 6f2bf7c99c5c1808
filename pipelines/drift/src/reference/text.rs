//! Cells of a categorical training column: the 200 most frequent values, the rest, and what was never seen.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::membership::Membership;
use crate::{DriftError, sketch::TextTally};

const MAX_VALUES: usize = 200;
/// A longer value never gets a cell of its own (bytes).
const MAX_VALUE_BYTES: usize = 256;

/// Cells of a categorical training column and how many rows fell into each.
///
/// - `values` are distinct, most frequent first; cell `i` counts `values[i]`.
/// - Rare values share one cell; values that training never saw share another.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "StoredTextReference")]
pub struct TextReference {
    pub(crate) values: Vec<String>,
    /// Values beyond `values`.
    rare: Membership,
    /// Values that stood in exactly one row: their share estimates how many unseen values a fresh sample of the
    /// same source holds (Good 1953).
    pub(crate) single: u64,
    pub(crate) missing: u64,
    pub(crate) tally: TextTally,
    #[serde(skip)]
    positions: HashMap<String, usize>,
}

impl PartialEq for TextReference {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
            && self.rare == other.rare
            && self.single == other.single
            && self.missing == other.missing
            && self.tally == other.tally
    }
}

#[derive(Deserialize)]
struct StoredTextReference {
    values: Vec<String>,
    rare: Membership,
    single: u64,
    missing: u64,
    tally: TextTally,
}

impl TryFrom<StoredTextReference> for TextReference {
    type Error = DriftError;

    fn try_from(stored: StoredTextReference) -> Result<Self, DriftError> {
        let StoredTextReference { values, rare, single, missing, tally } = stored;
        let positions = positions_of(&values);
        if positions.len() != values.len() {
            return Err(DriftError::Invalid("a category stands twice".into()));
        }
        if !tally.has_cells(values.len()) {
            return Err(DriftError::Invalid("counts and categories do not match".into()));
        }
        Ok(Self { values, rare, single, missing, tally, positions })
    }
}

/// Where a categorical value is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextCell {
    Value(usize),
    Rest,
    New,
}

impl TextReference {
    pub(crate) fn of<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut missing = 0;
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for value in values {
            match value {
                Some(value) => *counts.entry(value).or_default() += 1,
                None => missing += 1,
            }
        }
        let mut ordered: Vec<(&str, u64)> = counts.into_iter().collect();
        ordered.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let single = ordered.iter().filter(|(_, count)| *count == 1).count() as u64;
        let (mut frequent, mut rare): (Vec<_>, Vec<_>) =
            ordered.into_iter().partition(|(value, _)| value.len() <= MAX_VALUE_BYTES);
        if frequent.len() > MAX_VALUES {
            rare.extend(frequent.split_off(MAX_VALUES));
        }
        let rest = rare.iter().map(|(_, count)| count).sum();
        let tally = TextTally::of(frequent.iter().map(|(_, count)| *count).collect(), rest);
        let values: Vec<String> = frequent.into_iter().map(|(value, _)| value.to_owned()).collect();
        let rare = Membership::of(rare.iter().map(|(value, _)| *value));
        let positions = positions_of(&values);
        Self { values, rare, single, missing, tally, positions }
    }

    pub(crate) fn cell_of(&self, value: &str) -> TextCell {
        match self.positions.get(value) {
            Some(position) => TextCell::Value(*position),
            None if self.rare.contains(value) => TextCell::Rest,
            None => TextCell::New,
        }
    }
}

fn positions_of(values: &[String]) -> HashMap<String, usize> {
    values.iter().enumerate().map(|(position, value)| (value.clone(), position)).collect()
}
