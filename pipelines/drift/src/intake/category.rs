//! A categorical column counted as it passes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::reference::fnv1a;

/// Groups that the values are counted in when they are too many to be counted one by one.
const GROUPS: usize = 1024;

/// How often each category of a column occurs: exact, whatever the rows. Beyond its limits the values are counted in
/// 1,024 groups by their hash: tests then see changes between groups, exactly, and none inside one.
#[derive(Clone, Debug)]
pub struct CategoryCounts {
    rows: u64,
    missing: u64,
    most: usize,
    most_bytes: usize,
    tally: Tally,
}

#[derive(Clone, Debug)]
enum Tally {
    Values { counts: HashMap<Box<str>, u64, BuildHasherDefault<Fnv>>, bytes: usize },
    Groups(Vec<u64>),
}

impl CategoryCounts {
    /// An empty column that counts up to `most` distinct values of `most_bytes` together one by one.
    pub fn new(most: usize, most_bytes: usize) -> Self {
        let tally = Tally::Values { counts: HashMap::default(), bytes: 0 };
        Self { rows: 0, missing: 0, most, most_bytes, tally }
    }

    /// Counts a row; `None` is a missing value.
    pub fn add(&mut self, value: Option<&str>) {
        self.rows += 1;
        let Some(value) = value else {
            self.missing += 1;
            return;
        };
        match &mut self.tally {
            Tally::Groups(groups) => groups[group_of(value)] += 1,
            Tally::Values { counts, bytes } => {
                if let Some(count) = counts.get_mut(value) {
                    *count += 1;
                    return;
                }
                *bytes += value.len();
                counts.insert(value.into(), 1);
                if counts.len() > self.most || *bytes > self.most_bytes {
                    self.tally = Tally::Groups(self.groups());
                }
            }
        }
    }

    /// Rows, missing ones included.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows without a value.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// Whether the values are counted in groups, being too many.
    pub fn is_grouped(&self) -> bool {
        matches!(self.tally, Tally::Groups(_))
    }

    /// The values and how often each occurs, in no order; none when they are grouped.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, u64)> {
        let counts = match &self.tally {
            Tally::Values { counts, .. } => Some(counts),
            Tally::Groups(_) => None,
        };
        counts.into_iter().flatten().map(|(value, count)| (value.as_ref(), *count))
    }

    /// How often the values of each group occur.
    pub(crate) fn groups(&self) -> Vec<u64> {
        if let Tally::Groups(groups) = &self.tally {
            return groups.clone();
        }
        grouped(self.values())
    }
}

/// Counts by group.
pub(crate) fn grouped<'a>(values: impl Iterator<Item = (&'a str, u64)>) -> Vec<u64> {
    let mut groups = vec![0; GROUPS];
    for (value, count) in values {
        groups[group_of(value)] += count;
    }
    groups
}

fn group_of(value: &str) -> usize {
    // FNV mixes its low bits least: the high ones of a product decide.
    (fnv1a(value.as_bytes()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize % GROUPS
}

/// FNV-1a for short keys of a table that no stranger fills over a network.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        // The table looks at the highest and at the lowest bits.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::CategoryCounts;

    #[test]
    fn values_are_counted_one_by_one_and_beyond_the_limits_in_groups() {
        let mut counts = CategoryCounts::new(100, 10_000);
        for row in 0..1000 {
            let value = (row % 4 != 0).then(|| format!("v{}", row % 50));
            counts.add(value.as_deref());
        }
        assert_eq!((counts.rows(), counts.missing(), counts.is_grouped()), (1000, 250, false));
        let total: u64 = counts.values().map(|(_, count)| count).sum();
        assert_eq!((total, counts.groups().iter().sum::<u64>()), (750, 750));
        let before = counts.groups();
        for row in 0..200 {
            counts.add(Some(&format!("id {row}")));
        }
        assert!(counts.is_grouped() && counts.values().next().is_none());
        let after = counts.groups();
        assert_eq!(after.iter().sum::<u64>(), 950);
        assert!(before.iter().zip(&after).all(|(before, after)| before <= after));
        assert!(after.iter().filter(|count| **count > 0).count() > 150, "groups are used evenly");
    }

    #[test]
    fn long_names_count_towards_the_limit() {
        let mut counts = CategoryCounts::new(100, 1000);
        counts.add(Some(&"x".repeat(2000)));
        assert!(counts.is_grouped());
    }
}
