//! Distances between two rows of counts over the same cells.

/// A share of 0 counts as this in the population stability index, where it would be infinite.
const PSI_FLOOR: f64 = 0.0001;
/// Whole numbers up to here are exact in a float.
const MAX_ROWS: f64 = 9_007_199_254_740_992.0;

/// Two rows of counts over the same cells, both with a total above 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub(crate) before: Vec<u64>,
    pub(crate) after: Vec<u64>,
}

impl Table {
    /// The counts of the reference and of the current data. None when either row is empty or has more rows than a
    /// float can count, or when the lengths differ.
    pub fn new(before: Vec<u64>, after: Vec<u64>) -> Option<Self> {
        let countable = 1.0..MAX_ROWS;
        let usable = before.len() == after.len()
            && [&before, &after].iter().all(|row| countable.contains(&total(row)));
        usable.then_some(Self { before, after })
    }

    /// The counts of the reference.
    pub fn before(&self) -> &[u64] {
        &self.before
    }

    /// The counts of the current data.
    pub fn after(&self) -> &[u64] {
        &self.after
    }

    /// The shares of before and after, cell by cell.
    fn shares(&self) -> impl Iterator<Item = (f64, f64)> {
        let (before, after) = (total(&self.before), total(&self.after));
        self.before.iter().zip(&self.after).map(move |(p, q)| (*p as f64 / before, *q as f64 / after))
    }

    /// Population stability index Σ (q − p) ln(q / p), shares floored at 0.0001.
    pub fn psi(&self) -> f64 {
        let floored = self.shares().map(|(p, q)| (p.max(PSI_FLOOR), q.max(PSI_FLOOR)));
        floored.map(|(p, q)| (q - p) * (q / p).ln()).sum::<f64>().max(0.0)
    }

    /// Kullback–Leibler divergence Σ p ln(p / q) of the reference from the current data, in nats; shares are floored
    /// at 0.0001 and sum to 1 again.
    pub fn kullback_leibler(&self) -> f64 {
        let floored: Vec<(f64, f64)> =
            self.shares().map(|(p, q)| (p.max(PSI_FLOOR), q.max(PSI_FLOOR))).collect();
        let before: f64 = floored.iter().map(|(p, _)| p).sum();
        let after: f64 = floored.iter().map(|(_, q)| q).sum();
        floored.iter().map(|(p, q)| p / before * (p / before / (q / after)).ln()).sum::<f64>().max(0.0)
    }

    /// The same table seen from the current data.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self { before: self.after.clone(), after: self.before.clone() }
    }

    /// Largest difference of two shares of one cell, 0–1.
    pub fn largest_difference(&self) -> f64 {
        self.shares().map(|(p, q)| (p - q).abs()).fold(0.0, f64::max)
    }

    /// Cells that hold a row of either side.
    pub fn filled(&self) -> usize {
        self.before.iter().zip(&self.after).filter(|(p, q)| **p > 0 || **q > 0).count()
    }

    /// The totals of both rows.
    pub(crate) fn totals(&self) -> (f64, f64) {
        (total(&self.before), total(&self.after))
    }

    /// Square root of the Jensen–Shannon divergence in bits (Endres & Schindelin 2003), 0–1.
    pub fn jensen_shannon(&self) -> f64 {
        let relative = |p: f64, m: f64| if p > 0.0 { p * (p / m).log2() } else { 0.0 };
        let twice: f64 = self
            .shares()
            .map(|(p, q)| relative(p, f64::midpoint(p, q)) + relative(q, f64::midpoint(p, q)))
            .sum();
        (twice / 2.0).clamp(0.0, 1.0).sqrt()
    }

    /// Hellinger distance, 0–1.
    pub fn hellinger(&self) -> f64 {
        let sum: f64 = self.shares().map(|(p, q)| (p.sqrt() - q.sqrt()).powi(2)).sum();
        (sum / 2.0).clamp(0.0, 1.0).sqrt()
    }

    /// Total variation distance, 0–1.
    pub fn total_variation(&self) -> f64 {
        (self.shares().map(|(p, q)| (p - q).abs()).sum::<f64>() / 2.0).clamp(0.0, 1.0)
    }
}

fn total(counts: &[u64]) -> f64 {
    counts.iter().map(|count| *count as f64).sum()
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn rows_without_a_common_cell_are_as_far_as_can_be() {
        let table = Table::new(vec![50, 0], vec![0, 70]).unwrap();
        for distance in [table.total_variation(), table.hellinger(), table.jensen_shannon()] {
            assert!((distance - 1.0).abs() < 1e-12);
        }
    }
}
