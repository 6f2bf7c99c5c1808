//! Counts and sums of numbers per cell.

use serde::{Deserialize, Serialize};

use crate::DriftError;

/// What was counted of a numeric column.
///
/// - `counts` and `sums` have one entry per cell.
/// - `finite` is the sum of `counts`; every float is finite, so that the JSON can be read back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NumberTally {
    pub(crate) counts: Vec<u64>,
    pub(crate) sums: Vec<f64>,
    pub(crate) finite: u64,
    pub(crate) minus_infinite: u64,
    pub(crate) plus_infinite: u64,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) mean: f64,
    /// Sum of squared deviations from the mean.
    pub(crate) m2: f64,
    /// Finite numbers with a fraction.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) fractional: u64,
    /// Finite numbers below zero.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) negative: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl NumberTally {
    pub(crate) fn with_cells(cells: usize) -> Self {
        Self {
            counts: vec![0; cells],
            sums: vec![0.0; cells],
            finite: 0,
            minus_infinite: 0,
            plus_infinite: 0,
            min: None,
            max: None,
            mean: 0.0,
            m2: 0.0,
            fractional: 0,
            negative: 0,
        }
    }

    pub(crate) fn has_cells(&self, cells: usize) -> bool {
        self.counts.len() == cells && self.sums.len() == cells && self.finite == saturating_sum(&self.counts)
    }

    /// Rows counted, infinite ones included.
    pub(crate) fn seen(&self) -> u64 {
        self.finite.saturating_add(self.infinite())
    }

    pub(crate) fn infinite(&self) -> u64 {
        self.minus_infinite.saturating_add(self.plus_infinite)
    }

    /// Counts one number over the cells between `cuts`. NaN does not get here; cells that do not belong to `cuts`
    /// (a sketch of another reference) count nothing.
    pub(crate) fn add(&mut self, cuts: &[f64], x: f64) {
        if x.is_infinite() {
            let side = if x > 0.0 { &mut self.plus_infinite } else { &mut self.minus_infinite };
            *side = side.saturating_add(1);
            return;
        }
        let cell = cuts.partition_point(|cut| *cut < x);
        let (Some(count), Some(sum)) = (self.counts.get_mut(cell), self.sums.get_mut(cell)) else { return };
        *count = count.saturating_add(1);
        *sum = bounded(*sum + x);
        self.finite = self.finite.saturating_add(1);
        self.fractional = self.fractional.saturating_add(u64::from(x.fract() != 0.0));
        self.negative = self.negative.saturating_add(u64::from(x < 0.0));
        self.min = Some(self.min.map_or(x, |min| min.min(x)));
        self.max = Some(self.max.map_or(x, |max| max.max(x)));
        // Welford 1962.
        let deviation = bounded(x - self.mean);
        self.mean = bounded(self.mean + deviation / self.finite as f64);
        self.m2 = bounded(self.m2 + deviation * (x - self.mean));
    }

    pub(crate) fn merge(&mut self, other: &Self) -> Result<(), DriftError> {
        if !self.has_cells(other.counts.len()) || !other.has_cells(self.counts.len()) {
            let message = format!("{} and {} numeric cells", self.counts.len(), other.counts.len());
            return Err(DriftError::Mismatch(message));
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
        for (mine, theirs) in self.sums.iter_mut().zip(&other.sums) {
            *mine = bounded(*mine + theirs);
        }
        self.merge_moments(other);
        self.fractional = self.fractional.saturating_add(other.fractional);
        self.negative = self.negative.saturating_add(other.negative);
        self.minus_infinite = self.minus_infinite.saturating_add(other.minus_infinite);
        self.plus_infinite = self.plus_infinite.saturating_add(other.plus_infinite);
        self.min = [self.min, other.min].into_iter().flatten().reduce(f64::min);
        self.max = [self.max, other.max].into_iter().flatten().reduce(f64::max);
        Ok(())
    }

    /// Chan, Golub & LeVeque 1979, equation 2.1.
    fn merge_moments(&mut self, other: &Self) {
        let finite = self.finite.saturating_add(other.finite);
        if finite > 0 {
            let weight = other.finite as f64 / finite as f64;
            let deviation = bounded(other.mean - self.mean);
            self.m2 = bounded(self.m2 + other.m2 + deviation * deviation * self.finite as f64 * weight);
            self.mean = bounded(self.mean + deviation * weight);
        }
        self.finite = finite;
    }

    pub(crate) fn mean(&self) -> Option<f64> {
        (self.finite > 0).then_some(self.mean)
    }

    /// The standard deviation of the sample (divided by n − 1).
    pub(crate) fn standard_deviation(&self) -> Option<f64> {
        (self.finite > 1).then(|| (self.m2.max(0.0) / (self.finite - 1) as f64).sqrt())
    }

    /// The standard deviation divided by n, as in the normed Wasserstein distance.
    pub(crate) fn population_deviation(&self) -> Option<f64> {
        (self.finite > 0).then(|| (self.m2.max(0.0) / self.finite as f64).sqrt())
    }
}

/// Sums of huge values stop at the largest float: JSON has no infinity.
fn bounded(x: f64) -> f64 {
    if x.is_nan() { 0.0 } else { x.clamp(f64::MIN, f64::MAX) }
}

/// Counts read from storage may be anything: their sum stops at the largest.
pub(crate) fn saturating_sum<'a>(counts: impl IntoIterator<Item = &'a u64>) -> u64 {
    counts.into_iter().fold(0, |sum, count| sum.saturating_add(*count))
}
