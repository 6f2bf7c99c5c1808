//! Cells of a categorical training column: the 200 most frequent values, the rest, and what was never seen.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::membership::Membership;
use crate::{
    DriftError,
    sketch::{TextTally, bucket_of},
};

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
    /// In tests, values that stood in fewer rows than this are grouped with the unseen ones.
    pub(crate) fold_below: u64,
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
            && self.fold_below == other.fold_below
            && self.missing == other.missing
            && self.tally == other.tally
    }
}

#[derive(Deserialize)]
struct StoredTextReference {
    values: Vec<String>,
    rare: Membership,
    single: u64,
    fold_below: u64,
    missing: u64,
    tally: TextTally,
}

impl TryFrom<StoredTextReference> for TextReference {
    type Error = DriftError;

    fn try_from(stored: StoredTextReference) -> Result<Self, DriftError> {
        let StoredTextReference { values, rare, single, fold_below, missing, tally } = stored;
        let positions = positions_of(&values);
        if positions.len() != values.len() {
            return Err(DriftError::Invalid("a category stands twice".into()));
        }
        if !tally.has_cells(values.len()) {
            return Err(DriftError::Invalid("counts and categories do not match".into()));
        }
        Ok(Self { values, rare, single, fold_below, missing, tally, positions })
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
        let fold_below = fold_below(&frequent, &rare);
        let mut tally = TextTally::with_cells(frequent.len());
        tally.counts = frequent.iter().map(|(_, count)| *count).collect();
        for (value, count) in &rare {
            tally.rest += count;
            tally.buckets[bucket_of(value)] += count;
        }
        let values: Vec<String> = frequent.into_iter().map(|(value, _)| value.to_owned()).collect();
        let rare = Membership::of(rare.iter().map(|(value, _)| *value));
        let positions = positions_of(&values);
        Self { values, rare, single, fold_below, missing, tally, positions }
    }

    /// The same values counted in other rows.
    pub(crate) fn refilled(&self, tally: &TextTally, missing: u64) -> Self {
        Self { tally: tally.clone(), missing, ..self.clone() }
    }

    /// Whether tests group rare and unseen values.
    pub(crate) fn folds(&self) -> bool {
        self.fold_below > 1
    }

    pub(crate) fn cell_of(&self, value: &str) -> TextCell {
        match self.positions.get(value) {
            Some(position) => TextCell::Value(*position),
            None if self.rare.contains(value) => TextCell::Rest,
            None => TextCell::New,
        }
    }
}

/// The smallest count above all of `rare` in which no value stood.
///
/// Choosing cells by their counts overestimates them and underestimates the others: values seen r times or less
/// have the expected share Σ s·N(s)/N over s ≤ r + 1, where N(s) values stood in s rows (Good 1953), while they
/// hold only the part s ≤ r of it. The two agree where N(r + 1) = 0.
fn fold_below(frequent: &[(&str, u64)], rare: &[(&str, u64)]) -> u64 {
    let counts: HashSet<u64> = frequent.iter().map(|(_, count)| *count).collect();
    let mut fold_below = rare.iter().map(|(_, count)| count + 1).max().unwrap_or(1);
    while counts.contains(&fold_below) {
        fold_below += 1;
    }
    fold_below
}

fn positions_of(values: &[String]) -> HashMap<String, usize> {
    values.iter().enumerate().map(|(position, value)| (value.clone(), position)).collect()
}
