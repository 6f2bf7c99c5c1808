//! Cells of both sides drawn as one histogram.

use super::Bin;
use crate::{NumberReference, sketch::NumberTally};

const BINS: usize = 20;
/// This share of either side may lie beyond each end of the drawn range; the outer bins hold it.
const TAIL: f64 = 0.01;
/// A cell narrower than this share of its value is a single value.
const POINT_WIDTH: f64 = 1e-6;

/// The histograms of the training data and of `after` over the same bins; empty for a side without values.
pub(super) fn shared(number: &NumberReference, after: &NumberTally) -> (Vec<Bin>, Vec<Bin>) {
    let sides = [&number.tally, after].map(|tally| Side { cuts: &number.cuts, tally });
    let ranges: Vec<(f64, f64)> = sides.iter().filter_map(Side::range).collect();
    let low = ranges.iter().map(|range| range.0).reduce(f64::min);
    let high = ranges.iter().map(|range| range.1).reduce(f64::max);
    let (Some(low), Some(high)) = (low, high) else { return (Vec::new(), Vec::new()) };
    let edges = edges(low, high, number.whole);
    (sides[0].bins(&edges), sides[1].bins(&edges))
}

/// One bin per whole number where that is few enough, else 20 of equal width.
pub(crate) fn edges(low: f64, high: f64, whole: bool) -> Vec<f64> {
    let (first, last) = (low.round(), high.round());
    if whole && last - first < BINS as f64 {
        return (0..=(last - first) as usize + 1).map(|step| first - 0.5 + step as f64).collect();
    }
    let width = (high - low) / BINS as f64;
    if !(width > 0.0 && width.is_finite()) {
        return vec![low, high];
    }
    (0..=BINS).map(|step| if step == BINS { high } else { low + width * step as f64 }).collect()
}

struct Side<'a> {
    cuts: &'a [f64],
    tally: &'a NumberTally,
}

impl Side<'_> {
    /// The ends of a cell, as far as values of this side can lie in it.
    fn ends(&self, cell: usize) -> Option<(f64, f64)> {
        let (min, max) = (self.tally.min?, self.tally.max?);
        let from = cell.checked_sub(1).and_then(|lower| self.cuts.get(lower)).map_or(min, |cut| cut.max(min));
        let to = self.cuts.get(cell).map_or(max, |cut| cut.min(max));
        Some((from.min(to), to))
    }

    /// From the cell that holds the first percent to the one that holds the last.
    fn range(&self) -> Option<(f64, f64)> {
        let tail = self.tally.finite as f64 * TAIL;
        let low = first_filled(self.tally.counts.iter().enumerate(), tail)?;
        let high = first_filled(self.tally.counts.iter().enumerate().rev(), tail)?;
        Some((self.ends(low)?.0, self.ends(high)?.1))
    }

    fn bins(&self, edges: &[f64]) -> Vec<Bin> {
        let total = self.tally.finite as f64;
        if total == 0.0 {
            return Vec::new();
        }
        let mut shares = vec![0.0; edges.len() - 1];
        for (cell, (count, sum)) in self.tally.counts.iter().zip(&self.tally.sums).enumerate() {
            let (true, Some((from, to))) = (*count > 0, self.ends(cell)) else { continue };
            let (rows, mean) = (*count as f64, (sum / *count as f64).clamp(from, to));
            let width = to - from;
            let point = *count == 1 || width <= to.abs() * POINT_WIDTH || !width.is_finite();
            if point {
                shares[bin_of(edges, mean)] += rows / total;
                continue;
            }
            for bin in bin_of(edges, from)..=bin_of(edges, to) {
                let start = if bin == 0 { from } else { edges[bin].max(from) };
                let end = if bin + 2 == edges.len() { to } else { edges[bin + 1].min(to) };
                shares[bin] += (end - start).max(0.0) / width * rows / total;
            }
        }
        let bounds = edges.windows(2);
        bounds.zip(shares).map(|(ends, share)| Bin { from: ends[0], to: ends[1], share }).collect()
    }
}

/// The first cell that is not empty and with which at least `tail` rows are reached.
fn first_filled<'a>(mut cells: impl Iterator<Item = (usize, &'a u64)>, tail: f64) -> Option<usize> {
    let mut seen = 0.0;
    cells.find_map(|(cell, count)| {
        seen += *count as f64;
        (*count > 0 && seen >= tail).then_some(cell)
    })
}

/// The bin that a value belongs to; the outer bins reach to infinity.
fn bin_of(edges: &[f64], value: f64) -> usize {
    edges.partition_point(|edge| *edge <= value).clamp(1, edges.len() - 1) - 1
}
