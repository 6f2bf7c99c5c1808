//! Counts of categories.

use serde::{Deserialize, Serialize};

use super::{
    distinct::Distinct,
    frequent::Frequent,
    number::{is_zero, saturating_sum},
};
use crate::{
    DriftError,
    reference::{TextCell, fnv1a},
};

/// Into how many groups rare values are hashed.
const BUCKETS: usize = 16;

/// What was counted of a categorical column: one count per frequent value, the rest, and values never seen before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TextTally {
    pub(crate) counts: Vec<u64>,
    pub(crate) rest: u64,
    pub(crate) new: u64,
    /// The rows of `rest` and `new` by the hash of their value.
    pub(crate) buckets: [u64; BUCKETS],
    #[serde(default, skip_serializing_if = "Frequent::is_empty")]
    pub(crate) new_values: Frequent,
    /// How many different ones of those there were.
    #[serde(default, skip_serializing_if = "Distinct::is_empty")]
    pub(crate) new_distinct: Distinct,
    /// The rows of `new` whose value reads as a number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) new_numbers: u64,
}

impl TextTally {
    pub(crate) fn with_cells(cells: usize) -> Self {
        Self {
            counts: vec![0; cells],
            rest: 0,
            new: 0,
            buckets: [0; BUCKETS],
            new_values: Frequent::default(),
            new_distinct: Distinct::default(),
            new_numbers: 0,
        }
    }

    pub(crate) fn has_cells(&self, cells: usize) -> bool {
        self.counts.len() == cells
    }

    pub(crate) fn seen(&self) -> u64 {
        saturating_sum(self.counts.iter().chain([&self.rest, &self.new]))
    }

    pub(crate) fn add(&mut self, cell: TextCell, value: &str) {
        if !matches!(cell, TextCell::Value(_)) {
            let bucket = &mut self.buckets[bucket_of(value)];
            *bucket = bucket.saturating_add(1);
        }
        let count = match cell {
            TextCell::Value(position) => self.counts.get_mut(position),
            TextCell::Rest => Some(&mut self.rest),
            TextCell::New => {
                self.new_values.add(value);
                self.new_distinct.add(value);
                self.new_numbers = self.new_numbers.saturating_add(u64::from(reads_as_number(value)));
                Some(&mut self.new)
            }
        };
        if let Some(count) = count {
            *count = count.saturating_add(1);
        }
    }

    pub(crate) fn forget_values(&mut self) {
        self.new_values = Frequent::default();
    }

    pub(crate) fn merge(&mut self, other: &Self) -> Result<(), DriftError> {
        if !self.has_cells(other.counts.len()) {
            let message = format!("{} and {} categories", self.counts.len(), other.counts.len());
            return Err(DriftError::Mismatch(message));
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine = mine.saturating_add(*theirs);
        }
        self.rest = self.rest.saturating_add(other.rest);
        self.new = self.new.saturating_add(other.new);
        self.new_values.merge(&other.new_values);
        self.new_distinct.merge(&other.new_distinct);
        self.new_numbers = self.new_numbers.saturating_add(other.new_numbers);
        Ok(())
    }
}

/// Whether a text is the spelling of a number.
pub(crate) fn reads_as_number(value: &str) -> bool {
    value.trim().parse::<f64>().is_ok_and(f64::is_finite)
}

/// The group of a rare value: known before any count, so that grouping favours no value.
pub(crate) fn bucket_of(value: &str) -> usize {
    (fnv1a(value.as_bytes()) % BUCKETS as u64) as usize
}
