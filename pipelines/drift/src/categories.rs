//! Two categorical columns counted once: what every categorical test reads. A missing value takes no part.

use std::collections::HashMap;

use crate::intake::{CategoryCounts, grouped};
use crate::{NotApplicable, Table};

/// A categorical reference column and a current one, ready to be tested.
#[derive(Clone, Debug)]
pub struct CategoryPair<'a> {
    values: Vec<&'a str>,
    before: Vec<u64>,
    after: Vec<u64>,
}

/// One side as it comes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CategorySide<'a> {
    Rows(&'a [Option<&'a str>]),
    Counted(&'a CategoryCounts),
}

impl<'a> CategorySide<'a> {
    pub(crate) fn rows(self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Counted(counts) => counts.rows() as usize,
        }
    }

    pub(crate) fn missing(self) -> usize {
        match self {
            Self::Rows(rows) => rows.iter().filter(|value| value.is_none()).count(),
            Self::Counted(counts) => counts.missing() as usize,
        }
    }

    fn is_grouped(self) -> bool {
        matches!(self, Self::Counted(counts) if counts.is_grouped())
    }

    fn for_each(self, mut take: impl FnMut(&'a str, u64)) {
        match self {
            Self::Rows(rows) => rows.iter().flatten().for_each(|value| take(value, 1)),
            Self::Counted(counts) => counts.values().for_each(|(value, count)| take(value, count)),
        }
    }

    fn groups(self) -> Vec<u64> {
        match self {
            Self::Rows(rows) => grouped(rows.iter().flatten().map(|value| (*value, 1))),
            Self::Counted(counts) => counts.groups(),
        }
    }
}

impl<'a> CategoryPair<'a> {
    /// Counts two columns of any length; `None` is a missing value.
    pub fn of(reference: &'a [Option<&'a str>], current: &'a [Option<&'a str>]) -> Self {
        Self::of_sides(CategorySide::Rows(reference), CategorySide::Rows(current))
    }

    /// Joins the counts of two sides: by value, or by group of values when either side is counted so.
    pub(crate) fn of_sides(reference: CategorySide<'a>, current: CategorySide<'a>) -> Self {
        if reference.is_grouped() || current.is_grouped() {
            let groups = reference.groups().into_iter().zip(current.groups());
            let (before, after) = groups.filter(|counts| *counts != (0, 0)).unzip();
            return Self { values: Vec::new(), before, after };
        }
        let mut counts: HashMap<&str, (u64, u64)> = HashMap::new();
        reference.for_each(|value, count| counts.entry(value).or_default().0 += count);
        current.for_each(|value, count| counts.entry(value).or_default().1 += count);
        let mut ordered: Vec<(&str, (u64, u64))> = counts.into_iter().collect();
        ordered.sort_unstable_by_key(|(value, _)| *value);
        Self {
            values: ordered.iter().map(|(value, _)| *value).collect(),
            before: ordered.iter().map(|(_, counts)| counts.0).collect(),
            after: ordered.iter().map(|(_, counts)| counts.1).collect(),
        }
    }

    /// The distinct values of both sides, in order; none when they are counted in groups.
    pub fn values(&self) -> &[&'a str] {
        &self.values
    }

    /// Cells that are counted: values, or groups of them.
    pub(crate) fn cells(&self) -> usize {
        self.before.len()
    }

    /// The values in order with their counts in the reference and now; none when they are counted in groups.
    pub(crate) fn by_value(&self) -> impl Iterator<Item = (&'a str, u64, u64)> {
        let counts = self.before.iter().zip(&self.after);
        self.values.iter().zip(counts).map(|(value, (before, after))| (*value, *before, *after))
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

#[cfg(test)]
mod tests {
    use super::{CategoryPair, CategorySide};
    use crate::intake::CategoryCounts;

    fn counted(rows: &[Option<&str>], most: usize) -> CategoryCounts {
        let mut counts = CategoryCounts::new(most, 1 << 20);
        for value in rows {
            counts.add(*value);
        }
        counts
    }

    #[test]
    fn counted_sides_are_worth_their_rows() {
        let before = [Some("b"), None, Some("a"), Some("b")];
        let after = [Some("c"), Some("a"), None];
        let whole = CategoryPair::of(&before, &after);
        let (reference, current) = (counted(&before, 9), counted(&after, 9));
        for side in [CategorySide::Rows(&after), CategorySide::Counted(&current)] {
            let pair = CategoryPair::of_sides(CategorySide::Counted(&reference), side);
            assert_eq!(
                (pair.values(), &pair.before, &pair.after),
                (whole.values(), &whole.before, &whole.after)
            );
            assert_eq!((side.rows(), side.missing()), (3, 1));
        }
    }

    #[test]
    fn one_grouped_side_groups_both() {
        let names: Vec<String> = (0..500).map(|name| format!("n{name}")).collect();
        let rows: Vec<Option<&str>> = names.iter().map(|name| Some(name.as_str())).collect();
        let (many, few) = (counted(&rows, 100), counted(&rows, 1000));
        let pair = CategoryPair::of_sides(CategorySide::Counted(&many), CategorySide::Counted(&few));
        assert!(pair.values().is_empty() && pair.before == pair.after);
        assert_eq!(pair.before.iter().sum::<u64>(), 500);
        let mixed = CategoryPair::of_sides(CategorySide::Rows(&rows), CategorySide::Counted(&many));
        assert_eq!(mixed.before, mixed.after);
    }
}
