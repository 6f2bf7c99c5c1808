//! Every test between two numeric columns. The columns are sorted and merged once, all tests read the result.
//!
//! NaN is a missing value; it and infinities take no part. A test that has no answer says why.

mod anderson;
mod bins;
mod chance;
mod cramer_von_mises;
mod epps_singleton;
mod location;
mod mean_discrepancy;
mod picture;
mod ranks;

pub(crate) use anderson::SMALLEST_P as SMALLEST_ANDERSON_P;
pub use bins::Bins;
pub(crate) use chance::{Bridges, ChanceLevels};
pub use location::StudentResult;
pub use mean_discrepancy::MeanDiscrepancy;
pub(crate) use mean_discrepancy::{
    Kernel, MOST_ROWS as MEAN_DISCREPANCY_ROWS, SMALLEST_P as SMALLEST_DISCREPANCY_P,
};
pub use ranks::RankResult;

use crate::{
    NotApplicable, Table, TestResult,
    kolmogorov::{asymptotic_one_sided_p, asymptotic_two_sample_p, exact_two_sample_p},
    not_applicable::finite,
    sample::{Sample, Steps},
};

/// The exact Kolmogorov–Smirnov p-value is computed while it takes no more lattice points than this (some 20 ms).
const EXACT_POINTS: f64 = 4_000_000.0;

/// A numeric reference column and a current one, ready to be tested.
#[derive(Clone, Debug)]
pub struct NumberPair {
    before: Sample,
    after: Sample,
    steps: Steps,
}

/// Kolmogorov–Smirnov distances: two-sided and to each side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KolmogorovSmirnov {
    /// Largest |F − G|.
    pub distance: f64,
    /// Largest F − G: the current data is larger.
    pub above: f64,
    /// Largest G − F: the current data is smaller.
    pub below: f64,
    /// Two-sided p-value: exact for small samples, else `asymptotic_p`.
    pub p_value: f64,
    /// Two-sided p-value from the one-sample distribution at the effective size.
    pub asymptotic_p: f64,
    /// One-sided p-value of `above` (Hodges 1957, equation 5.3).
    pub above_p: f64,
    /// One-sided p-value of `below`.
    pub below_p: f64,
}

impl NumberPair {
    /// Sorts and merges two columns of any length.
    pub fn of(reference: &[f64], current: &[f64]) -> Self {
        let (before, after) = (Sample::of(reference), Sample::of(current));
        let steps = Steps::of(&before.sorted, &after.sorted);
        Self { before, after, steps }
    }

    /// Distinct usable values of both sides together.
    pub fn distinct(&self) -> usize {
        self.steps.len()
    }

    /// Rows of the reference, missing ones included.
    pub fn reference_rows(&self) -> usize {
        self.before.rows
    }

    /// Usable values of either side.
    fn sizes(&self) -> Result<(f64, f64), NotApplicable> {
        match (self.before.len(), self.after.len()) {
            (0, _) => Err(NotApplicable::EmptyReference),
            (_, 0) => Err(NotApplicable::EmptyCurrent),
            (n, m) => Ok((n as f64, m as f64)),
        }
    }

    /// Usable values of either side, when both have `needed` and they are not all one value.
    fn varied(&self, needed: usize) -> Result<(f64, f64), NotApplicable> {
        let sizes = self.sizes()?;
        if self.steps.len() == 1 {
            return Err(NotApplicable::Constant);
        }
        if self.before.len().min(self.after.len()) < needed {
            return Err(NotApplicable::TooFewRows(needed));
        }
        Ok(sizes)
    }

    /// Two-sample Kolmogorov–Smirnov test; the p-value is exact where that takes at most four million steps: always
    /// up to 2,000 rows a side, and for small distances up to many more.
    pub fn kolmogorov_smirnov(&self) -> Result<KolmogorovSmirnov, NotApplicable> {
        self.sizes()?;
        let (n, m) = (self.before.len(), self.after.len());
        let (mut height, mut above, mut below) = (0i128, 0i128, 0i128);
        for (p, q) in self.steps.before.iter().zip(&self.steps.after) {
            height += i128::from(*p) * m as i128 - i128::from(*q) * n as i128;
            above = above.max(height);
            below = below.max(-height);
        }
        let area = n as f64 * m as f64;
        let steps = above.max(below).unsigned_abs();
        let distance = steps as f64 / area;
        let asymptotic_p = asymptotic_two_sample_p(n as u64, m as u64, distance);
        // Only the points of the band |F − G| < distance are visited.
        let exact = area * (2.0 * distance).min(1.0) <= EXACT_POINTS;
        let p_value = if exact { exact_two_sample_p(n as u64, m as u64, steps) } else { asymptotic_p };
        let (above, below) = (above as f64 / area, below as f64 / area);
        Ok(KolmogorovSmirnov {
            distance,
            above,
            below,
            p_value,
            asymptotic_p,
            above_p: asymptotic_one_sided_p(n as u64, m as u64, above),
            below_p: asymptotic_one_sided_p(n as u64, m as u64, below),
        })
    }

    /// Wasserstein distance ∫|F − G|, in the column's own unit.
    pub fn wasserstein(&self) -> Result<f64, NotApplicable> {
        let (n, m) = self.sizes()?;
        self.integral(f64::abs, n, m)
    }

    /// Wasserstein distance in standard deviations (divided by n) of the reference. A constant reference has no
    /// unit; the same constant on both sides is at distance 0.
    pub fn normed_wasserstein(&self) -> Result<f64, NotApplicable> {
        let distance = self.wasserstein()?;
        if distance == 0.0 {
            return Ok(0.0);
        }
        let deviation = self.reference_deviation()?;
        if deviation == 0.0 { Err(NotApplicable::ConstantReference) } else { finite(distance / deviation) }
    }

    /// Standard deviation (divided by n) of the reference.
    pub fn reference_deviation(&self) -> Result<f64, NotApplicable> {
        self.sizes()?;
        self.before.population_deviation()
    }

    /// Energy distance (2 ∫(F − G)²)^½, in square roots of the column's unit (Székely & Rizzo 2013).
    pub fn energy(&self) -> Result<f64, NotApplicable> {
        let (n, m) = self.sizes()?;
        finite((2.0 * self.integral(|difference| difference * difference, n, m)?).sqrt())
    }

    /// ∫ of a function of F − G.
    fn integral(&self, weigh: impl Fn(f64) -> f64, n: f64, m: f64) -> Result<f64, NotApplicable> {
        let widths = self.steps.values.windows(2).map(|ends| ends[1] - ends[0]);
        let sum: f64 = self
            .steps
            .iter()
            .zip(widths)
            .map(|(step, width)| {
                let difference = (step.below_before + step.before) / n - (step.below_after + step.after) / m;
                weigh(difference) * width
            })
            .sum();
        finite(sum)
    }

    /// Counts by distinct value.
    pub(crate) fn by_value(&self) -> Result<Table, NotApplicable> {
        self.sizes()?;
        let wide = |counts: &[u32]| counts.iter().map(|count| u64::from(*count)).collect();
        Table::new(wide(&self.steps.before), wide(&self.steps.after)).ok_or(NotApplicable::TooLarge)
    }

    /// Counts of two values: (other, larger) in each row.
    pub(crate) fn two_values(&self) -> Result<Table, NotApplicable> {
        match self.steps.len() {
            1 => self.sizes().and(Err(NotApplicable::Constant)),
            0 | 2 => self.by_value(),
            _ => self.sizes().and(Err(NotApplicable::MoreThanTwoValues)),
        }
    }
}

/// A statistic and its p-value, both finite.
fn result(statistic: f64, p_value: f64) -> Result<TestResult, NotApplicable> {
    Ok(TestResult { statistic: finite(statistic)?, p_value: finite(p_value)?.clamp(0.0, 1.0) })
}
