//! Rows that were sent a moment ago already.

use std::collections::{HashMap, VecDeque};

use crate::reference::fnv1a;

/// How far back a row is remembered.
const REMEMBERED: usize = 1024;

/// The hash of a row, value by value in the order of its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowHash(u64);

impl Default for RowHash {
    fn default() -> Self {
        Self(fnv1a(&[]))
    }
}

impl RowHash {
    /// Adds a number; every NaN is the same missing value.
    pub fn number(&mut self, x: f64) {
        let bits = if x.is_nan() { u64::MAX } else { (x + 0.0).to_bits() };
        self.mix(bits);
    }

    /// Adds a text.
    pub fn text(&mut self, x: &str) {
        self.mix(fnv1a(x.as_bytes()));
    }

    /// Adds a cell without a value.
    pub fn missing(&mut self) {
        self.mix(u64::MAX);
    }

    fn mix(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// The last rows, to tell whether the next one is one of them: constant memory.
#[derive(Clone, Debug, Default)]
pub struct RecentRows {
    order: VecDeque<RowHash>,
    counts: HashMap<RowHash, u32>,
}

impl RecentRows {
    /// Remembers a row; true when it stood among the last 1,024 already.
    pub fn add(&mut self, row: RowHash) -> bool {
        let count = self.counts.entry(row).or_default();
        *count += 1;
        let repeated = *count > 1;
        self.order.push_back(row);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
            && let Some(count) = self.counts.get_mut(&oldest)
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&oldest);
            }
        }
        repeated
    }
}

#[cfg(test)]
mod tests {
    use super::{REMEMBERED, RecentRows, RowHash};

    fn row(x: f64, text: &str) -> RowHash {
        let mut hash = RowHash::default();
        hash.number(x);
        hash.text(text);
        hash
    }

    #[test]
    fn the_same_row_again_is_noticed_for_a_while() {
        let mut recent = RecentRows::default();
        assert!(!recent.add(row(1.0, "Quito")));
        assert!(!recent.add(row(1.0, "Cuenca")));
        assert!(recent.add(row(1.0, "Quito")));
        for i in 0..REMEMBERED {
            assert!(!recent.add(row(i as f64 + 10.0, "Quito")));
        }
        assert!(!recent.add(row(1.0, "Cuenca")), "forgotten");
    }

    #[test]
    fn values_count_in_their_places() {
        let swapped = |a: f64, b: f64| {
            let mut hash = RowHash::default();
            hash.number(a);
            hash.number(b);
            hash
        };
        assert_ne!(swapped(1.0, 2.0), swapped(2.0, 1.0));
        assert_eq!(swapped(0.0, f64::NAN), swapped(-0.0, f64::NAN));
        let mut missing = RowHash::default();
        missing.number(0.0);
        missing.missing();
        assert_eq!(missing, swapped(0.0, f64::NAN));
    }
}
