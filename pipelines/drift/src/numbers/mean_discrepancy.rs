//! Maximum mean discrepancy with a Gaussian kernel (Gretton et al. 2012), tested by permutation.

use super::NumberPair;
use crate::{NotApplicable, not_applicable::finite, random::Random};

/// More rows than this on a side are sampled: the kernel is quadratic in them.
pub(crate) const MOST_ROWS: usize = 750;
const PERMUTATIONS: usize = 199;
/// The smallest p-value that they can give.
pub(crate) const SMALLEST_P: f64 = 1.0 / (PERMUTATIONS + 1) as f64;

/// A discrepancy and whether chance explains it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanDiscrepancy {
    /// The kernel's width σ: pairwise distances of the reference have the median σ√2.
    pub width: f64,
    /// Unbiased estimate of the squared discrepancy; negative when it is small.
    pub unbiased: f64,
    /// Biased estimate (a V-statistic), at least 0.
    pub biased: f64,
    /// Share of permutations with at least this discrepancy, the seen one included.
    pub p_value: f64,
}

impl NumberPair {
    /// Maximum mean discrepancy; at most 750 rows a side are used, drawn by `seed`, which also permutes.
    pub fn mean_discrepancy(&self, seed: u64) -> Result<MeanDiscrepancy, NotApplicable> {
        self.sizes()?;
        if self.before.len().min(self.after.len()) < 2 {
            return Err(NotApplicable::TooFewRows(2));
        }
        let mut random = Random::new(seed);
        let before = sampled(&self.before.sorted, &mut random);
        let after = sampled(&self.after.sorted, &mut random);
        let median = median_distance(&before);
        let half = finite(median)? / std::f64::consts::SQRT_2;
        // Where half of the reference is one value, any width serves.
        let width = if half > 0.0 { half } else { 0.5f64.sqrt() };
        let rows = before.len();
        let pooled: Vec<f64> = before.into_iter().chain(after).collect();
        let kernel = Kernel::of(pooled.len(), |i, j| {
            let distance = (pooled[i] - pooled[j]) / width;
            (-distance * distance / 2.0).exp()
        });
        let (unbiased, biased) = kernel.discrepancy(&(0..rows).collect::<Vec<_>>());
        let p_value = kernel.permutation_p(rows, unbiased, &mut random);
        Ok(MeanDiscrepancy { width, unbiased: finite(unbiased)?, biased: finite(biased)?.max(0.0), p_value })
    }
}

/// All values, or a sample of them without replacement.
fn sampled(values: &[f64], random: &mut Random) -> Vec<f64> {
    let mut kept = values.to_vec();
    for position in 0..kept.len().min(MOST_ROWS) {
        let other = position + random.below(kept.len() - position);
        kept.swap(position, other);
    }
    kept.truncate(MOST_ROWS);
    kept
}

/// The upper median of all |xᵢ − xⱼ|, i = j included.
fn median_distance(values: &[f64]) -> f64 {
    let mut distances: Vec<f64> =
        values.iter().flat_map(|a| values.iter().map(move |b| (a - b).abs())).collect();
    let middle = distances.len() / 2;
    *distances.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// A symmetric kernel matrix with ones on the diagonal.
pub(crate) struct Kernel {
    size: usize,
    entries: Vec<f64>,
    /// Sum of each row.
    sums: Vec<f64>,
}

impl Kernel {
    pub(crate) fn of(size: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let mut entries = vec![1.0; size * size];
        for i in 0..size {
            for j in 0..i {
                let value = entry(i, j);
                entries[i * size + j] = value;
                entries[j * size + i] = value;
            }
        }
        let sums = entries.chunks(size.max(1)).map(|row| row.iter().sum()).collect();
        Self { size, entries, sums }
    }

    /// Unbiased and biased squared discrepancy between the rows `first` and all others.
    pub(crate) fn discrepancy(&self, first: &[usize]) -> (f64, f64) {
        let (n, m) = (first.len() as f64, (self.size - first.len()) as f64);
        let total: f64 = self.sums.iter().sum();
        let with_all: f64 = first.iter().map(|i| self.sums[*i]).sum();
        let mut within = 0.0;
        for (position, i) in first.iter().enumerate() {
            let row = &self.entries[i * self.size..(i + 1) * self.size];
            within += first[..position].iter().map(|j| row[*j]).sum::<f64>();
        }
        let pairs = 2.0 * within;
        let across = with_all - pairs - n;
        let other_pairs = total - with_all - across - m;
        let unbiased = pairs / (n * (n - 1.0)) + other_pairs / (m * (m - 1.0)) - 2.0 * across / (n * m);
        let biased = (pairs + n) / (n * n) + (other_pairs + m) / (m * m) - 2.0 * across / (n * m);
        (unbiased, biased)
    }

    /// Share of random splits into `rows` and the others whose unbiased discrepancy reaches `seen`.
    pub(crate) fn permutation_p(&self, rows: usize, seen: f64, random: &mut Random) -> f64 {
        // The smaller side is drawn: the discrepancy is symmetric.
        let drawn = rows.min(self.size - rows);
        let mut order: Vec<usize> = (0..self.size).collect();
        // Equal splits differ by rounding.
        let seen = seen - 1e-12;
        let reached = (0..PERMUTATIONS)
            .filter(|_| {
                for position in 0..drawn {
                    let other = position + random.below(self.size - position);
                    order.swap(position, other);
                }
                self.discrepancy(&order[..drawn]).0 >= seen
            })
            .count();
        (reached + 1) as f64 / (PERMUTATIONS + 1) as f64
    }
}
