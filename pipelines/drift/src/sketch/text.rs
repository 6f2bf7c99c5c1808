//! Counts of categories.

use serde::{Deserialize, Serialize};

use super::frequent::Frequent;
use crate::{DriftError, reference::TextCell};

/// What was counted of a categorical column: one count per frequent value, the rest, and values never seen before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TextTally {
    pub(crate) counts: Vec<u64>,
    pub(crate) rest: u64,
    pub(crate) new: u64,
    #[serde(default, skip_serializing_if = "Frequent::is_empty")]
    pub(crate) new_values: Frequent,
}

impl TextTally {
    pub(crate) fn of(counts: Vec<u64>, rest: u64) -> Self {
        Self { counts, rest, new: 0, new_values: Frequent::default() }
    }

    pub(crate) fn has_cells(&self, cells: usize) -> bool {
        self.counts.len() == cells
    }

    pub(crate) fn seen(&self) -> u64 {
        self.counts.iter().chain([&self.rest, &self.new]).fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub(crate) fn add(&mut self, cell: TextCell, value: &str) {
        let count = match cell {
            TextCell::Value(position) => self.counts.get_mut(position),
            TextCell::Rest => Some(&mut self.rest),
            TextCell::New => {
                self.new_values.add(value);
                Some(&mut self.new)
            }
        };
        if let Some(count) = count {
            *count = count.saturating_add(1);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) -> Result<(), DriftError> {
        if !self.has_cells(other.counts.len()) {
            let message = format!("{} and {} categories", self.counts.len(), other.counts.len());
            return Err(DriftError::Mismatch(message));
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
        self.rest = self.rest.saturating_add(other.rest);
        self.new = self.new.saturating_add(other.new);
        self.new_values.merge(&other.new_values);
        Ok(())
    }
}
