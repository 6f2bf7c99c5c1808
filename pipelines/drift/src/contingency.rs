//! Tests of homogeneity between two rows of counts.

use crate::{NotApplicable, Table, TestResult, fisher::Shares, not_applicable::finite, random::Random, tail};

/// Expected counts below this make the chi-squared distribution a poor approximation (Cochran 1954).
const SMALL_EXPECTED: f64 = 5.0;
/// Permutations of the rows, and how many draws they may cost together.
const PERMUTATIONS: std::ops::RangeInclusive<u64> = 99..=999;
const DRAWS: u64 = 20_000_000;
const MOST_PERMUTED: f64 = 268_435_456.0;

/// A statistic of the chi-squared family.
type Statistic = fn(&[(u64, u64)]) -> f64;

/// The exact test of two shares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExactResult {
    /// Odds of the second cell in the current data over those in the reference; none when infinite.
    pub odds_ratio: Option<f64>,
    /// Two-sided p-value: all tables that are no likelier than the one seen.
    pub p_value: f64,
    /// P-value that the share did not rise.
    pub rise_p: f64,
    /// P-value that the share did not fall.
    pub fall_p: f64,
}

impl Table {
    /// Pearson's test of homogeneity on the contingency table.
    ///
    /// Cells with an expected count below 5 in either row are pooled; if the pool itself stays below 5, its share
    /// is tested by Fisher's exact test instead, the rest by chi-squared, and the p-value is twice the smaller of
    /// the two (they are independent). None when all rows fall into one cell.
    pub fn chi_squared(&self) -> Option<TestResult> {
        self.pooled_test(pearson)
    }

    /// The likelihood ratio (G) test of homogeneity (Wilks 1938), with cells pooled as in
    /// [`chi_squared`](Self::chi_squared).
    pub fn likelihood_ratio(&self) -> Option<TestResult> {
        self.pooled_test(likelihood_ratio)
    }

    /// Pearson's test without pooling and its degrees of freedom, however small the expected counts.
    pub fn unpooled_chi_squared(&self) -> (TestResult, usize) {
        self.unpooled_test(pearson)
    }

    /// The likelihood ratio test without pooling and its degrees of freedom.
    pub fn unpooled_likelihood_ratio(&self) -> (TestResult, usize) {
        self.unpooled_test(likelihood_ratio)
    }

    /// Cramér's V (0–1): the size of the effect that chi-squared tests, for two rows (χ²/N)^½ (Cramér 1946).
    pub fn cramers_v(&self) -> f64 {
        let (before, after) = self.totals();
        (self.unpooled_chi_squared().0.statistic / (before + after)).clamp(0.0, 1.0).sqrt()
    }

    /// Two-sided z-test that the share of the second of two cells is unchanged, with pooled variance; z is negative
    /// when the share rose.
    pub fn proportions(&self) -> Result<TestResult, NotApplicable> {
        let shares = self.shares_of_two()?;
        let (n, m) = (shares.rows_before as f64, shares.rows_after as f64);
        let (p, q) = (shares.hits_before as f64 / n, shares.hits_after as f64 / m);
        let pooled = (shares.hits_before as f64 + shares.hits_after as f64) / (n + m);
        if pooled <= 0.0 || pooled >= 1.0 {
            return Err(NotApplicable::Constant);
        }
        let statistic = finite((p - q) / (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt())?;
        Ok(TestResult { statistic, p_value: tail::normal_two_sided(statistic) })
    }

    /// Fisher's exact test of two cells (Fisher 1935).
    pub fn fisher_exact(&self) -> Result<ExactResult, NotApplicable> {
        let shares = self.shares_of_two()?;
        let others = |hits: u64, rows: u64| (rows - hits) as f64;
        let odds_ratio = shares.hits_after as f64 * others(shares.hits_before, shares.rows_before)
            / (others(shares.hits_after, shares.rows_after) * shares.hits_before as f64);
        Ok(ExactResult {
            odds_ratio: Some(odds_ratio).filter(|ratio| ratio.is_finite()),
            p_value: shares.change_p(),
            rise_p: shares.rise_p(),
            fall_p: shares.fall_p(),
        })
    }

    /// Permutation test of the total variation distance: rows change sides at random, drawn by `seed`. The p-value
    /// is the share of permutations with at least the distance seen, the seen one included; 99 to 999 of them, as
    /// the size allows. Not for more than 2²⁸ rows, which are held in memory.
    pub fn permuted_total_variation(&self, seed: u64) -> Result<TestResult, NotApplicable> {
        let p_value = self.permuted_p(seed, |counts, totals| {
            let drawn: f64 = counts.iter().map(|count| f64::from(*count)).sum();
            let others = totals.iter().map(|total| *total as f64).sum::<f64>() - drawn;
            let cells = counts.iter().zip(totals).map(|(count, total)| {
                let count = f64::from(*count);
                (count / drawn - (*total as f64 - count) / others).abs()
            });
            cells.sum::<f64>() / 2.0
        })?;
        Ok(TestResult { statistic: self.total_variation(), p_value })
    }

    /// The smallest p-value that permutations of these rows can give.
    pub(crate) fn smallest_permuted_p(&self) -> f64 {
        1.0 / (self.permutations() + 1) as f64
    }

    fn permutations(&self) -> u64 {
        let (before, after) = self.totals();
        let cells = (0..self.before.len()).filter(|cell| self.pooled(*cell) > 0).count();
        (DRAWS / (before.min(after) as u64 + cells as u64)).clamp(*PERMUTATIONS.start(), *PERMUTATIONS.end())
    }

    /// The share of 99 to 999 random divisions of the rows whose `distance` reaches that of this one, which counts among
    /// them. A division is told by the smaller side's counts of the filled cells, beside those of both sides together.
    pub(crate) fn permuted_p(
        &self,
        seed: u64,
        distance: impl Fn(&[u32], &[u64]) -> f64,
    ) -> Result<f64, NotApplicable> {
        let (before, after) = self.totals();
        if before + after > MOST_PERMUTED {
            return Err(NotApplicable::TooLarge);
        }
        let cells: Vec<usize> = (0..self.before.len()).filter(|cell| self.pooled(*cell) > 0).collect();
        let totals: Vec<u64> = cells.iter().map(|cell| self.pooled(*cell)).collect();
        let mut rows: Vec<u32> = Vec::new();
        for (cell, total) in totals.iter().enumerate() {
            rows.extend(std::iter::repeat_n(cell as u32, *total as usize));
        }
        let smaller = if before <= after { &self.before } else { &self.after };
        let mut counts: Vec<u32> = cells.iter().map(|cell| smaller[*cell] as u32).collect();
        // Equal divisions differ by rounding.
        let seen = distance(&counts, &totals) - 1e-12;
        let drawn = before.min(after) as usize;
        let permutations = self.permutations();
        let mut random = Random::new(seed);
        let reached = (0..permutations).filter(|_| {
            counts.fill(0);
            for position in 0..drawn {
                let other = position + random.below(rows.len() - position);
                rows.swap(position, other);
                counts[rows[position] as usize] += 1;
            }
            distance(&counts, &totals) >= seen
        });
        Ok((reached.count() + 1) as f64 / (permutations + 1) as f64)
    }

    fn pooled(&self, cell: usize) -> u64 {
        self.before[cell] + self.after[cell]
    }

    fn shares_of_two(&self) -> Result<Shares, NotApplicable> {
        let ([other_before, hits_before], [other_after, hits_after]) = (&self.before[..], &self.after[..])
        else {
            return Err(if self.filled() < 2 {
                NotApplicable::Constant
            } else {
                NotApplicable::MoreThanTwoValues
            });
        };
        Ok(Shares {
            hits_before: *hits_before,
            rows_before: other_before + hits_before,
            hits_after: *hits_after,
            rows_after: other_after + hits_after,
        })
    }

    fn unpooled_test(&self, statistic: Statistic) -> (TestResult, usize) {
        let cells: Vec<(u64, u64)> = self.cells().filter(|cell| *cell != (0, 0)).collect();
        let freedom = cells.len() - 1;
        let statistic = statistic(&cells);
        (TestResult { statistic, p_value: chi_squared_p(statistic, freedom as f64) }, freedom)
    }

    fn pooled_test(&self, statistic: Statistic) -> Option<TestResult> {
        let (before, after) = self.totals();
        let smaller = before.min(after) / (before + after);
        let (mut large, mut pool) = (Vec::new(), (0, 0));
        for (p, q) in self.cells() {
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
        let chi_p = (large.len() > 1).then(|| chi_squared_p(statistic(&large), (large.len() - 1) as f64));
        let p_value = match (chi_p, exact_p) {
            (Some(a), Some(b)) => (2.0 * a.min(b)).min(1.0),
            (Some(p), None) | (None, Some(p)) => p,
            (None, None) => return None,
        };
        Some(TestResult { statistic: statistic(&shown), p_value })
    }

    fn cells(&self) -> impl Iterator<Item = (u64, u64)> {
        self.before.iter().copied().zip(self.after.iter().copied())
    }

    fn pool_p(&self, (hits_before, hits_after): (u64, u64)) -> f64 {
        let (rows_before, rows_after) = (self.before.iter().sum(), self.after.iter().sum());
        Shares { hits_before, rows_before, hits_after, rows_after }.change_p()
    }
}

/// Pearson's statistic Σ (observed − expected)² / expected over a table without empty columns.
fn pearson(cells: &[(u64, u64)]) -> f64 {
    over_expected(cells, |observed, expected| (observed - expected).powi(2) / expected)
}

/// G = 2 Σ observed ln(observed / expected).
fn likelihood_ratio(cells: &[(u64, u64)]) -> f64 {
    let term = |observed: f64, expected: f64| {
        if observed > 0.0 { 2.0 * observed * (observed / expected).ln() } else { 0.0 }
    };
    over_expected(cells, term).max(0.0)
}

fn over_expected(cells: &[(u64, u64)], term: impl Fn(f64, f64) -> f64) -> f64 {
    let before: f64 = cells.iter().map(|(p, _)| *p as f64).sum();
    let after: f64 = cells.iter().map(|(_, q)| *q as f64).sum();
    if before == 0.0 || after == 0.0 {
        return 0.0;
    }
    let terms = cells.iter().map(|(p, q)| (*p as f64, *q as f64)).map(|(p, q)| {
        let share = (p + q) / (before + after);
        term(p, share * before) + term(q, share * after)
    });
    terms.sum()
}

/// P(χ² ≥ statistic).
fn chi_squared_p(statistic: f64, freedom: f64) -> f64 {
    if statistic <= 0.0 || freedom <= 0.0 { 1.0 } else { tail::chi_squared(statistic, freedom) }
}

#[cfg(test)]
mod tests {
    use crate::Table;

    #[test]
    fn a_new_category_beside_a_constant_one_is_found_exactly() {
        let table = Table::new(vec![1000, 0], vec![90, 10]).unwrap();
        assert!(table.chi_squared().unwrap().p_value < 1e-9);
        assert!(table.likelihood_ratio().unwrap().p_value < 1e-9);
    }

    #[test]
    fn one_cell_cannot_be_tested() {
        assert!(Table::new(vec![1000, 0], vec![90, 0]).unwrap().chi_squared().is_none());
        assert!(Table::new(vec![1], vec![1]).unwrap().chi_squared().is_none());
        assert!(Table::new(vec![1], vec![0]).is_none());
    }

    #[test]
    fn permutations_tell_a_change_from_chance() {
        let same = Table::new(vec![50, 30, 20], vec![27, 14, 9]).unwrap();
        assert!(same.permuted_total_variation(1).unwrap().p_value > 0.3);
        let moved = Table::new(vec![50, 30, 20], vec![10, 14, 26]).unwrap();
        assert!(moved.permuted_total_variation(1).unwrap().p_value < 0.01);
        assert_eq!(moved.permuted_total_variation(1), moved.permuted_total_variation(1));
    }
}
