//! Distances and the chi-squared test between two rows of counts over the same cells.

use statrs::function::gamma::gamma_ur;

use crate::{TestResult, fisher::Shares};

/// A share of 0 counts as this in the population stability index, where it would be infinite.
const PSI_FLOOR: f64 = 0.0001;
/// Whole numbers up to here are exact in a float.
const MAX_ROWS: f64 = 9_007_199_254_740_992.0;
/// Expected counts below this make the chi-squared distribution a poor approximation (Cochran 1954).
const SMALL_EXPECTED: f64 = 5.0;

/// Two rows of counts over the same cells, both with a total above 0.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    before: Vec<u64>,
    after: Vec<u64>,
}

impl Table {
    /// None when either row is empty or has more rows than a float can count, or when the lengths differ.
    pub(crate) fn new(before: Vec<u64>, after: Vec<u64>) -> Option<Self> {
        let countable = 1.0..MAX_ROWS;
        let usable = before.len() == after.len()
            && [&before, &after].iter().all(|row| countable.contains(&total(row)));
        usable.then_some(Self { before, after })
    }

    pub(crate) fn before(&self) -> &[u64] {
        &self.before
    }

    /// The shares of before and after, cell by cell.
    fn shares(&self) -> impl Iterator<Item = (f64, f64)> {
        let (before, after) = (total(&self.before), total(&self.after));
        self.before.iter().zip(&self.after).map(move |(p, q)| (*p as f64 / before, *q as f64 / after))
    }

    /// Population stability index Σ (q − p) ln(q / p), shares floored at 0.0001.
    pub(crate) fn psi(&self) -> f64 {
        let floored = self.shares().map(|(p, q)| (p.max(PSI_FLOOR), q.max(PSI_FLOOR)));
        floored.map(|(p, q)| (q - p) * (q / p).ln()).sum::<f64>().max(0.0)
    }

    /// Square root of the Jensen–Shannon divergence in bits (Endres & Schindelin 2003), 0–1.
    pub(crate) fn jensen_shannon(&self) -> f64 {
        let relative = |p: f64, m: f64| if p > 0.0 { p * (p / m).log2() } else { 0.0 };
        let twice: f64 = self
            .shares()
            .map(|(p, q)| relative(p, f64::midpoint(p, q)) + relative(q, f64::midpoint(p, q)))
            .sum();
        (twice / 2.0).clamp(0.0, 1.0).sqrt()
    }

    /// Hellinger distance, 0–1.
    pub(crate) fn hellinger(&self) -> f64 {
        let sum: f64 = self.shares().map(|(p, q)| (p.sqrt() - q.sqrt()).powi(2)).sum();
        (sum / 2.0).clamp(0.0, 1.0).sqrt()
    }

    /// Total variation distance, 0–1.
    pub(crate) fn total_variation(&self) -> f64 {
        (self.shares().map(|(p, q)| (p - q).abs()).sum::<f64>() / 2.0).clamp(0.0, 1.0)
    }

    /// Pearson's test of homogeneity on the contingency table.
    ///
    /// Cells with an expected count below 5 in either row are pooled; if the pool itself stays below 5, its share
    /// is tested by Fisher's exact test instead, the rest by chi-squared, and the p-value is twice the smaller of
    /// the two (they are independent). None when all rows fall into one cell.
    pub(crate) fn chi_squared(&self) -> Option<TestResult> {
        let (before, after) = (total(&self.before), total(&self.after));
        let smaller = before.min(after) / (before + after);
        let (mut large, mut pool) = (Vec::new(), (0, 0));
        for (p, q) in self.before.iter().copied().zip(self.after.iter().copied()) {
            if (p as f64 + q as f64) * smaller >= SMALL_EXPECTED {
                large.push((p, q));
            } else {
                pool = (pool.0 + p, pool.1 + q);
            }
        }
        let mut exact_p = None;
        let mut shown = large.clone();
        if pool != (0, 0) {
            shown.push(pool);
            if (pool.0 as f64 + pool.1 as f64) * smaller >= SMALL_EXPECTED {
                large.push(pool);
            } else if !large.is_empty() {
                exact_p = Some(self.pool_p(pool));
            }
        }
        let chi_p = (large.len() > 1).then(|| chi_squared_p(pearson(&large), (large.len() - 1) as f64));
        let p_value = match (chi_p, exact_p) {
            (Some(a), Some(b)) => (2.0 * a.min(b)).min(1.0),
            (Some(p), None) | (None, Some(p)) => p,
            (None, None) => return None,
        };
        Some(TestResult { statistic: pearson(&shown), p_value })
    }

    fn pool_p(&self, (hits_before, hits_after): (u64, u64)) -> f64 {
        let (rows_before, rows_after) = (self.before.iter().sum(), self.after.iter().sum());
        Shares { hits_before, rows_before, hits_after, rows_after }.change_p()
    }
}

fn total(counts: &[u64]) -> f64 {
    counts.iter().map(|count| *count as f64).sum()
}

/// Pearson's statistic Σ (observed − expected)² / expected over a table without empty columns.
fn pearson(cells: &[(u64, u64)]) -> f64 {
    let before: f64 = cells.iter().map(|(p, _)| *p as f64).sum();
    let after: f64 = cells.iter().map(|(_, q)| *q as f64).sum();
    if before == 0.0 || after == 0.0 {
        return 0.0;
    }
    let term = |observed: f64, expected: f64| (observed - expected).powi(2) / expected;
    let terms = cells.iter().map(|(p, q)| (*p as f64, *q as f64)).map(|(p, q)| {
        let share = (p + q) / (before + after);
        term(p, share * before) + term(q, share * after)
    });
    terms.sum()
}

/// P(χ² ≥ statistic).
fn chi_squared_p(statistic: f64, freedom: f64) -> f64 {
    if statistic <= 0.0 { 1.0 } else { gamma_ur(freedom / 2.0, statistic / 2.0).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn a_new_category_beside_a_constant_one_is_found_exactly() {
        let table = Table::new(vec![1000, 0], vec![90, 10]).unwrap();
        assert!(table.chi_squared().unwrap().p_value < 1e-9);
    }

    #[test]
    fn one_cell_cannot_be_tested() {
        assert!(Table::new(vec![1000, 0], vec![90, 0]).unwrap().chi_squared().is_none());
        assert!(Table::new(vec![1], vec![1]).unwrap().chi_squared().is_none());
        assert!(Table::new(vec![1], vec![0]).is_none());
    }

    #[test]
    fn rows_without_a_common_cell_are_as_far_as_can_be() {
        let table = Table::new(vec![50, 0], vec![0, 70]).unwrap();
        for distance in [table.total_variation(), table.hellinger(), table.jensen_shannon()] {
            assert!((distance - 1.0).abs() < 1e-12);
        }
    }
}
