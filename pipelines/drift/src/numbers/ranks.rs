//! The Mann–Whitney test of location by ranks.

use super::NumberPair;
use crate::{NotApplicable, tail};

/// Without ties and up to this product of sizes the exact distribution of U is counted.
const EXACT_AREA: usize = 10_000;

/// The answer of the Mann–Whitney test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankResult {
    /// U of the reference: pairs in which the reference is larger, ties counting half.
    pub u: f64,
    /// Two-sided p-value: exact where that was counted, else the approximation.
    pub p_value: f64,
    /// Two-sided p-value by the normal approximation with corrections for ties and continuity.
    pub asymptotic_p: f64,
    /// P-value that the reference is not smaller, by the same approximation.
    pub less_p: f64,
    /// P-value that the reference is not larger, by the same approximation.
    pub greater_p: f64,
}

impl NumberPair {
    /// Mann–Whitney U test, two-sided (Mann & Whitney 1947).
    pub fn mann_whitney(&self) -> Result<RankResult, NotApplicable> {
        let (n, m) = self.sizes()?;
        let ranks: f64 = self.steps.iter().map(|step| step.midrank() * step.before).sum();
        let u = ranks - n * (n + 1.0) / 2.0;
        let size = n + m;
        let ties: f64 = self.steps.iter().map(|step| step.ties().powi(3) - step.ties()).sum();
        let deviation = (n * m / 12.0 * (size + 1.0 - ties / (size * (size - 1.0)).max(1.0))).max(0.0).sqrt();
        let upper = |u: f64| {
            let z = (u - n * m / 2.0 - 0.5) / deviation;
            if deviation > 0.0 { tail::normal(z) } else { 1.0 }
        };
        let asymptotic_p = (2.0 * upper(u.max(n * m - u))).min(1.0);
        let exact = ties == 0.0 && self.before.len().saturating_mul(self.after.len()) <= EXACT_AREA;
        let p_value = if exact { self.exact_u_p(u.min(n * m - u) as usize) } else { asymptotic_p };
        Ok(RankResult { u, p_value, asymptotic_p, less_p: upper(n * m - u), greater_p: upper(u) })
    }

    /// 2 P(U ≤ `smaller`): orders of the pooled sample are counted by their U, the coefficients of a Gaussian
    /// binomial.
    fn exact_u_p(&self, smaller: usize) -> f64 {
        let (few, many) = (self.before.len().min(self.after.len()), self.before.len().max(self.after.len()));
        let mut counts = vec![0.0; few * many + 1];
        counts[0] = 1.0;
        for factor in 1..=few {
            // times (1 − qᵐ⁺ᶠ) / (1 − qᶠ)
            for u in (many + factor..counts.len()).rev() {
                counts[u] -= counts[u - many - factor];
            }
            for u in factor..counts.len() {
                counts[u] += counts[u - factor];
            }
        }
        // The upper half mirrors the lower one, whose small counts are exact.
        let half = counts.len().div_ceil(2);
        let lower: f64 = counts[..half].iter().sum();
        let middle = if counts.len() % 2 == 1 { counts[half - 1] } else { 0.0 };
        let total = 2.0 * lower - middle;
        let tail: f64 = counts[..=smaller.min(half - 1)].iter().sum();
        (2.0 * tail / total).min(1.0)
    }
}
