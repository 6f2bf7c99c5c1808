//! Cells for the distances that need some: few distinct values are cells of their own, many are cut into intervals
//! of equal width by Sturges' rule, as users of Evidently know it.

use super::NumberPair;
use crate::{NotApplicable, Table, not_applicable::finite};

/// Up to this many distinct values on both sides each is a cell …
const DISTINCT: usize = 20;
/// … if this many rows fall on each of them on average: in a tiny sample nothing stands twice.
const ROWS_PER_VALUE: usize = 5;

/// The cells of a numeric comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Bins {
    /// One cell per distinct value.
    Values(Vec<f64>),
    /// Cells between these edges, closed at their lower end, the last one at both.
    Edges(Vec<f64>),
}

impl NumberPair {
    /// Cells for PSI, Kullback–Leibler and Jensen–Shannon: distinct values up to 20 of them, else Sturges' rule
    /// over the pooled values.
    pub fn bins(&self) -> Result<Bins, NotApplicable> {
        self.sizes()?;
        let rows = self.before.len() + self.after.len();
        let distinct = self.steps.len();
        if distinct == 1 || distinct <= DISTINCT && rows >= ROWS_PER_VALUE * distinct {
            return Ok(Bins::Values(self.steps.values.clone()));
        }
        self.sturges(rows)
    }

    /// Cells for the Hellinger distance: Sturges' rule over the distinct values.
    pub fn distinct_bins(&self) -> Result<Bins, NotApplicable> {
        self.sizes()?;
        self.sturges(self.steps.len())
    }

    /// Equal widths, log₂(count) + 1 of them (Sturges 1926).
    fn sturges(&self, count: usize) -> Result<Bins, NotApplicable> {
        let values = &self.steps.values;
        let (first, last) = (values[0], values[values.len() - 1]);
        if first == last {
            return Ok(Bins::Edges(vec![first - 0.5, last + 0.5]));
        }
        let range = finite(last - first)?;
        let width = range / ((count as f64).log2() + 1.0);
        let bins = if width > 0.0 { (range / width).ceil().max(1.0) } else { 1.0 };
        let step = range / bins;
        let mut edges: Vec<f64> = (0..bins as usize).map(|edge| first + edge as f64 * step).collect();
        edges.push(last);
        Ok(Bins::Edges(edges))
    }

    /// The distinct deciles of the reference, by linear interpolation: cells that hold a tenth each.
    pub fn deciles(&self) -> Result<Vec<f64>, NotApplicable> {
        self.sizes()?;
        let mut cuts: Vec<f64> =
            (1..10u8).map(|tenth| self.before.quantile(f64::from(tenth) / 10.0)).collect();
        cuts.dedup();
        if cuts.iter().all(|cut| cut.is_finite()) { Ok(cuts) } else { Err(NotApplicable::TooLarge) }
    }

    /// How many rows of either side lie in the cells up to and including each cut and beyond the last.
    pub fn counts_by_cuts(&self, cuts: &[f64]) -> Result<Table, NotApplicable> {
        self.sizes()?;
        let (mut before, mut after, mut cell) = (vec![0u64; cuts.len() + 1], vec![0u64; cuts.len() + 1], 0);
        for (index, value) in self.steps.values.iter().enumerate() {
            while cuts.get(cell).is_some_and(|cut| value > cut) {
                cell += 1;
            }
            before[cell] += u64::from(self.steps.before[index]);
            after[cell] += u64::from(self.steps.after[index]);
        }
        Table::new(before, after).ok_or(NotApplicable::TooLarge)
    }

    /// Counts for tests of categories: by distinct value up to 20 of them, else by deciles of the reference.
    pub fn categories(&self) -> Result<Table, NotApplicable> {
        if self.steps.len() <= DISTINCT { self.by_value() } else { self.counts_by_cuts(&self.deciles()?) }
    }

    /// How many rows of either side each cell holds.
    pub fn counts(&self, bins: &Bins) -> Result<Table, NotApplicable> {
        let edges = match bins {
            Bins::Values(_) => return self.by_value(),
            Bins::Edges(edges) => edges,
        };
        let cells = edges.len().saturating_sub(1).max(1);
        let (mut before, mut after, mut cell) = (vec![0u64; cells], vec![0u64; cells], 0);
        for (index, value) in self.steps.values.iter().enumerate() {
            while cell + 1 < cells && *value >= edges[cell + 1] {
                cell += 1;
            }
            before[cell] += u64::from(self.steps.before[index]);
            after[cell] += u64::from(self.steps.after[index]);
        }
        Table::new(before, after).ok_or(NotApplicable::TooLarge)
    }
}
