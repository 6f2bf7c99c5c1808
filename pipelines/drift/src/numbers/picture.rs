//! Two numeric columns as they are drawn.

use super::NumberPair;
use crate::sample::Sample;
use crate::summary::{Bin, Summary, edges, share};

/// This share of either side may lie beyond each end of the drawn range; the outer bins hold it.
const TAIL: f64 = 0.01;

impl NumberPair {
    /// The histograms of both sides over the same bins; empty for a side without values.
    pub(crate) fn histograms(&self) -> (Vec<Bin>, Vec<Bin>) {
        let sides = [&self.before, &self.after];
        let filled = || sides.iter().filter(|side| side.len() > 0);
        let low = filled().map(|side| side.quantile(TAIL)).reduce(f64::min);
        let high = filled().map(|side| side.quantile(1.0 - TAIL)).reduce(f64::max);
        let (Some(low), Some(high)) = (low, high) else { return (Vec::new(), Vec::new()) };
        let whole = self.steps.values.iter().all(|value| value.fract() == 0.0);
        let edges = edges(low, high, whole);
        (bins(&self.before, &edges), bins(&self.after, &edges))
    }

    /// The usual figures of the reference and the current data.
    pub(crate) fn summaries(&self) -> [Summary; 2] {
        [&self.before, &self.after].map(|side| {
            let finite = |value: f64| Some(value).filter(|value| value.is_finite());
            Summary {
                rows: side.rows as u64,
                missing: share((side.rows - side.len()) as u64, side.rows as u64),
                mean: finite(side.mean),
                std: (side.len() > 1).then(|| side.variance().sqrt()).and_then(finite),
                min: side.sorted.first().copied(),
                max: side.sorted.last().copied(),
                ..Summary::default()
            }
        })
    }
}

/// The share of the sample in each bin, closed at its lower end; the outer ones hold everything beyond.
fn bins(side: &Sample, edges: &[f64]) -> Vec<Bin> {
    let last = edges.len() - 2;
    let below = |edge: usize| match edge {
        0 => 0,
        _ if edge > last => side.len(),
        _ => side.sorted.partition_point(|value| *value < edges[edge]),
    };
    if side.len() == 0 {
        return Vec::new();
    }
    (0..=last)
        .map(|bin| Bin {
            from: edges[bin],
            to: edges[bin + 1],
            share: share((below(bin + 1) - below(bin)) as u64, side.len() as u64),
        })
        .collect()
}
