//! The best place to split a leaf.

use super::bins::{Bins, MISSING};
use super::histogram::Sums;
use crate::spec::Boosting;

/// A place to split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    pub(super) feature: u32,
    /// The last bin that goes left.
    pub(super) bin: u8,
    pub(super) missing_left: bool,
    pub(super) gain: f64,
    pub(super) left: Sums,
}

/// The split of most gain that leaves both sides enough rows, if any gains more than `min_gain`.
pub(super) fn best(
    bins: &Bins,
    features: &[u32],
    cells: &[Sums],
    total: Sums,
    settings: &Boosting,
) -> Option<Split> {
    let mut best: Option<Split> = None;
    for &feature in features {
        let cells = &cells[bins.range(feature as usize)];
        let missing = cells[usize::from(MISSING)];
        let mut values = Sums::default();
        for (bin, cell) in cells.iter().enumerate().skip(1) {
            values.add(*cell);
            if cell.rows == 0 {
                continue;
            }
            let mut consider = |left: Sums, missing_left: bool| {
                let Some(gain) = gain(left, total, settings) else { return };
                if best.is_none_or(|best| gain > best.gain) {
                    best = Some(Split { feature, bin: bin as u8, missing_left, gain, left });
                }
            };
            if missing.rows == 0 {
                // Nothing was learned about missing values: they follow the larger side.
                consider(values, values.rows * 2 >= total.rows);
            } else {
                consider(values, false);
                let mut left = values;
                left.add(missing);
                consider(left, true);
            }
        }
    }
    best
}

/// The answer of a leaf before shrinkage, the minimum of the second-order loss (XGBoost, equation 5).
pub(super) fn answer(sums: Sums, lambda: f64) -> f64 {
    -sums.gradient / (sums.hessian + lambda)
}

/// How much a split lowers the second-order loss (XGBoost, equation 7); `None` when it may not be made.
fn gain(left: Sums, total: Sums, settings: &Boosting) -> Option<f64> {
    let fewest = settings.min_leaf as u64;
    if left.rows < fewest || total.rows - left.rows < fewest {
        return None;
    }
    let right = total.minus(left);
    if left.hessian < settings.min_hessian || right.hessian < settings.min_hessian {
        return None;
    }
    let score = |sums: Sums| sums.gradient * sums.gradient / (sums.hessian + settings.lambda);
    let gain = 0.5 * (score(left) + score(right) - score(total));
    // Rounding alone makes gains of this size on a leaf whose rows all have one gradient.
    let noise = 1e-9 * score(total).abs() + 1e-12;
    (gain > settings.min_gain + noise).then_some(gain)
}
