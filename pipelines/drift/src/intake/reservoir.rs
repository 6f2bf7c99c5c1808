//! Which rows of a stream are kept.

use crate::random::Random;

/// Which of the rows that were offered together are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// So many of the first rows come after those kept so far.
    pub first: usize,
    /// Later rows that are kept, in order, each in the place of one kept before: (row, place). A place may be given
    /// twice: the later row stays.
    pub instead: Vec<(usize, usize)>,
}

impl Kept {
    /// Makes `values` of the rows kept so far those of the rows kept now.
    pub(super) fn apply<T>(&self, values: &mut Vec<T>, value_of: impl Fn(usize) -> T) {
        values.extend((0..self.first).map(&value_of));
        for (row, place) in &self.instead {
            values[*place] = value_of(*row);
        }
    }
}

/// A uniform sample of rows drawn while they pass, with as few random numbers as possible (Li 1994, "Reservoir-sampling
/// algorithms of time complexity O(n(1 + log(N/n)))", algorithm L). Up to its size it keeps every row, in order.
#[derive(Clone, Debug)]
pub struct RowSample {
    size: usize,
    seen: u64,
    /// The next row that is kept once the sample is full, counted from 0.
    next: u64,
    weight: f64,
    random: Random,
}

impl RowSample {
    /// A sample of `size` rows at most; the same seed keeps the same rows.
    pub fn new(size: usize, seed: u64) -> Self {
        let size = size.max(1);
        let mut sample =
            Self { size, seen: 0, next: size as u64 - 1, weight: 1.0, random: Random::new(seed) };
        sample.skip();
        sample
    }

    /// Offers the next `rows` rows; says which of them are kept.
    pub fn offer(&mut self, rows: usize) -> Kept {
        let free = (self.size as u64).saturating_sub(self.seen);
        let mut kept = Kept { first: free.min(rows as u64) as usize, instead: Vec::new() };
        let end = self.seen + rows as u64;
        while self.next < end {
            let row = (self.next - self.seen) as usize;
            kept.instead.push((row, self.random.below(self.size)));
            self.skip();
        }
        self.seen = end;
        kept
    }

    /// Rows kept so far.
    pub fn kept(&self) -> u64 {
        self.seen.min(self.size as u64)
    }

    /// Rows offered so far.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    fn skip(&mut self) {
        // In (0, 1], so that the logarithm is finite.
        self.weight *= ((1.0 - self.random.uniform()).ln() / self.size as f64).exp();
        let steps = ((1.0 - self.random.uniform()).ln() / (-self.weight).ln_1p()).floor();
        // Beyond 2⁶⁴ rows nothing is kept any more.
        let steps = if steps.is_finite() { steps as u64 } else { u64::MAX };
        self.next = self.next.saturating_add(steps).saturating_add(1);
    }
}

/// The distance that the distribution of a sample of `kept` rows stays within from that of all rows, whatever the
/// column, except with probability `chance` (Dvoretzky, Kiefer & Wolfowitz 1956, with the constant of Massart 1990, for
/// rows drawn with replacement; without replacement it is less). The `ks` statistic is wrong by no more.
pub fn sampling_error(kept: u64, seen: u64, chance: f64) -> f64 {
    if kept >= seen || kept == 0 {
        return 0.0;
    }
    ((2.0 / chance).ln() / (2.0 * kept as f64)).sqrt().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::{RowSample, sampling_error};

    /// The rows kept of `rows`, offered in pieces of `piece`.
    fn drawn(size: usize, rows: usize, piece: usize, seed: u64) -> Vec<usize> {
        let mut sample = RowSample::new(size, seed);
        let mut slots = Vec::new();
        for start in (0..rows).step_by(piece) {
            let kept = sample.offer(piece.min(rows - start));
            slots.extend((0..kept.first).map(|row| start + row));
            kept.instead.iter().for_each(|(row, place)| slots[*place] = start + row);
        }
        assert_eq!((sample.kept() as usize, sample.seen() as usize), (slots.len(), rows));
        slots
    }

    #[test]
    fn everything_is_kept_up_to_the_size_and_pieces_do_not_matter() {
        assert_eq!(drawn(10, 10, 3, 1), (0..10).collect::<Vec<_>>());
        assert_eq!(drawn(100, 10_000, 7, 3), drawn(100, 10_000, 10_000, 3));
        assert_ne!(drawn(100, 10_000, 7, 3), drawn(100, 10_000, 7, 4));
        let mut distinct = drawn(100, 10_000, 64, 5);
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 100);
    }

    #[test]
    fn every_row_is_as_likely_as_another() {
        let mut times = [0_u32; 200];
        for seed in 0..5_000 {
            for row in drawn(20, 200, 33, seed) {
                times[row] += 1;
            }
        }
        // Each of 200 rows is kept with probability 1/10: 500 ± 21 times.
        let chi: f64 = times.iter().map(|seen| (f64::from(*seen) - 500.0).powi(2) / 450.0).sum();
        assert!((120.0..290.0).contains(&chi), "{chi} for 200 rows");
    }

    #[test]
    fn the_error_is_none_without_sampling_and_shrinks_with_the_root() {
        assert_eq!(sampling_error(500, 500, 0.01), 0.0);
        let (small, large) =
            (sampling_error(10_000, 1_000_000, 0.01), sampling_error(1_000_000, 10_000_000, 0.01));
        assert!((small / large - 10.0).abs() < 1e-9 && (large - 0.001_627_6).abs() < 1e-6, "{small} {large}");
    }
}
