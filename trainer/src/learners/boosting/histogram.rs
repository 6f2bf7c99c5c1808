//! Sums of gradients per bin, the only thing a split is chosen by.

use super::bins::Bins;

/// Below this many additions a second thread costs more than it saves.
const MIN_ADDITIONS_PER_THREAD: usize = 1 << 18;

/// What is known of the rows in a bin or a leaf.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) gradient: f64,
    pub(super) hessian: f64,
    pub(super) rows: u64,
}

impl Sums {
    #[inline]
    pub(super) fn add(&mut self, other: Sums) {
        self.gradient += other.gradient;
        self.hessian += other.hessian;
        self.rows += other.rows;
    }

    pub(super) fn minus(self, other: Sums) -> Sums {
        Sums {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            rows: self.rows - other.rows,
        }
    }
}

/// A row of a leaf with its first and second derivative, in one place for the additions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) row: u32,
    pub(super) derivatives: [f32; 2],
}

impl Sample {
    /// The sums of this row alone.
    #[inline]
    pub(super) fn sums(self) -> Sums {
        let [gradient, hessian] = self.derivatives.map(f64::from);
        Sums { gradient, hessian, rows: 1 }
    }
}

/// Sums the samples of a leaf for the given features (ascending) into `cells`, which is all zero there.
///
/// A feature is summed by one thread in the order of the samples, so the result does not depend on `threads`.
pub(super) fn fill(bins: &Bins, features: &[u32], samples: &[Sample], cells: &mut [Sums], threads: usize) {
    let additions = samples.len() * features.len();
    let threads = threads.min(additions / MIN_ADDITIONS_PER_THREAD).min(features.len()).max(1);
    if threads == 1 {
        fill_part(bins, features, samples, cells, 0);
        return;
    }
    std::thread::scope(|scope| {
        let mut rest = cells;
        let mut start = 0;
        let last = features.last().map_or(0, |&feature| bins.range(feature as usize).end);
        for part in features.chunks(features.len().div_ceil(threads)) {
            let end = part.last().map_or(start, |&feature| bins.range(feature as usize).end);
            let (own, others) = std::mem::take(&mut rest).split_at_mut(end - start);
            rest = others;
            let own_start = start;
            start = end;
            if end == last {
                // The last part is this thread's own.
                fill_part(bins, part, samples, own, own_start);
            } else {
                scope.spawn(move || fill_part(bins, part, samples, own, own_start));
            }
        }
    });
}

/// Like [`fill`], with `cells` starting at the cell `start` of all.
///
/// Two features go through the samples together: each sum waits for the one before it in the same cell, and the
/// other feature's sums fill that wait.
fn fill_part(bins: &Bins, features: &[u32], samples: &[Sample], cells: &mut [Sums], start: usize) {
    let own = |feature: u32| {
        let range = bins.range(feature as usize);
        range.start - start..range.end - start
    };
    for pair in features.chunks(2) {
        let first = own(pair[0]);
        let column = bins.column(pair[0] as usize);
        let Some(&other) = pair.get(1) else {
            let cells = &mut cells[first];
            for sample in samples {
                cells[usize::from(column[sample.row as usize])].add(sample.sums());
            }
            continue;
        };
        let (before, after) = cells.split_at_mut(first.end);
        let (first_cells, second) = (&mut before[first.start..], own(other));
        let second_cells = &mut after[second.start - first.end..second.end - first.end];
        let second_column = bins.column(other as usize);
        for sample in samples {
            let (row, sums) = (sample.row as usize, sample.sums());
            first_cells[usize::from(column[row])].add(sums);
            second_cells[usize::from(second_column[row])].add(sums);
        }
    }
}

/// Turns the sums of a parent into those of one child by taking away the other child's.
pub(super) fn subtract(parent: &mut [Sums], child: &[Sums]) {
    for (parent, child) in parent.iter_mut().zip(child) {
        *parent = parent.minus(*child);
    }
}
