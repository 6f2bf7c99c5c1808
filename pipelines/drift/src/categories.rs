//! Two categorical columns counted once: what every categorical test reads. A missing value takes no part.

use std::collections::HashMap;

use crate::{NotApplicable, Table};

/// A categorical reference column and a current one, ready to be tested.
#[derive(Clone, Debug)]
pub struct CategoryPair<'a> {
    values: Vec<&'a str>,
    before: Vec<u64>,
    after: Vec<u64>,
}

impl<'a> CategoryPair<'a> {
    /// Counts two columns of any length; `None` is a missing value.
    pub fn of(reference: &[Option<&'a str>], current: &[Option<&'a str>]) -> Self {
        let mut counts: HashMap<&str, (u64, u64)> = HashMap::new();
        for value in reference.iter().flatten() {
            counts.entry(value).or_default().0 += 1;
        }
        for value in current.iter().flatten() {
            counts.entry(value).or_default().1 += 1;
        }
        let mut ordered: Vec<(&str, (u64, u64))> = counts.into_iter().collect();
        ordered.sort_unstable_by_key(|(value, _)| *value);
        Self {
            values: ordered.iter().map(|(value, _)| *value).collect(),
            before: ordered.iter().map(|(_, counts)| counts.0).collect(),
            after: ordered.iter().map(|(_, counts)| counts.1).collect(),
        }
    }

    /// The distinct values of both sides, in order.
    pub fn values(&self) -> &[&'a str] {
        &self.values
    }

    /// Counts of the values, in their order.
    pub fn counts(&self) -> Result<Table, NotApplicable> {
        if self.before.iter().all(|count| *count == 0) {
            return Err(NotApplicable::EmptyReference);
        }
        if self.after.iter().all(|count| *count == 0) {
            return Err(NotApplicable::EmptyCurrent);
        }
        Table::new(self.before.clone(), self.after.clone()).ok_or(NotApplicable::TooLarge)
    }
}
