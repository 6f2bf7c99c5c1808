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
        for part in features.chunks(features.len().div_ceil(threads)) {
            let end = part.last().map_or(start, |&feature| bins.range(feature as usize).end);
            let (own, others) = std::mem::take(&mut rest).split_at_mut(end - start);
            rest = others;
            let own_start = start;
            start = end;
            scope.spawn(move || fill_part(bins, part, samples, own, own_start));
        }
    });
}

/// Like [`fill`], with `cells` starting at the cell `start` of all.
fn fill_part(bins: &Bins, features: &[u32], samples: &[Sample], cells: &mut [Sums], start: usize) {
    for &feature in features {
        let range = bins.range(feature as usize);
        let own = &mut cells[range.start - start..range.end - start];
        let column = bins.column(feature as usize);
        for sample in samples {
            let cell = &mut own[usize::from(column[sample.row as usize])];
            cell.gradient += f64::from(sample.derivatives[0]);
            cell.hessian += f64::from(sample.derivatives[1]);
            cell.rows += 1;
        }
    }
}

/// Turns the sums of a parent into those of one child by taking away the other child's.
pub(super) fn subtract(parent: &mut [Sums], child: &[Sums]) {
    for (parent, child) in parent.iter_mut().zip(child) {
        *parent = parent.minus(*child);
    }
}
