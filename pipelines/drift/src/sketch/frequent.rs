//! The most frequent values of a stream in constant memory: SpaceSaving (Metwally, Agrawal & El Abbadi 2005).

use serde::{Deserialize, Serialize};

const CAPACITY: usize = 64;
/// Values are kept for display only: a longer one is cut (bytes).
const MAX_VALUE_BYTES: usize = 120;

/// At most 64 values with an upper bound of their counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Frequent {
    counters: Vec<(String, u64)>,
}

impl Frequent {
    pub(crate) fn is_empty(&self) -> bool {
        self.counters.is_empty()
    }

    pub(crate) fn add(&mut self, value: &str) {
        let value = &value[..value.floor_char_boundary(MAX_VALUE_BYTES)];
        if let Some((_, count)) = self.counters.iter_mut().find(|(known, _)| known == value) {
            *count = count.saturating_add(1);
        } else if self.counters.len() < CAPACITY {
            self.counters.push((value.to_owned(), 1));
        } else if let Some((known, count)) = self.counters.iter_mut().min_by_key(|(_, count)| *count) {
            value.clone_into(known);
            *count = count.saturating_add(1);
        }
    }

    /// Adds the counts of `other` and keeps the largest; equal counts are kept in the order of their values.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (value, count) in &other.counters {
            match self.counters.iter_mut().find(|(known, _)| known == value) {
                Some((_, mine)) => *mine = mine.saturating_add(*count),
                None => self.counters.push((value.clone(), *count)),
            }
        }
        self.counters.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        self.counters.truncate(CAPACITY);
    }

    /// The values, most frequent first.
    pub(crate) fn most_frequent(&self) -> Vec<(&str, u64)> {
        let mut ordered: Vec<(&str, u64)> =
            self.counters.iter().map(|(value, count)| (value.as_str(), *count)).collect();
        ordered.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        ordered
    }
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, Frequent};

    #[test]
    fn a_frequent_value_survives_a_stream_of_single_ones() {
        let mut frequent = Frequent::default();
        for index in 0..2_000 {
            frequent.add(&format!("once-{index}"));
            if index % 10 == 0 {
                frequent.add("often");
            }
        }
        assert_eq!(frequent.most_frequent().len(), CAPACITY);
        assert!(frequent.most_frequent().iter().any(|(value, count)| *value == "often" && *count >= 200));
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let mut frequent = Frequent::default();
        frequent.add(&"ñ".repeat(200));
        assert_eq!(frequent.most_frequent(), vec![("ñ".repeat(60).as_str(), 1)]);
    }
}
