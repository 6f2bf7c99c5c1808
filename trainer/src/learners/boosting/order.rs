//! Turns the levels of a category into numbers, in the order of their mean target.

use super::objective::Objective;
use crate::features::{Encoded, Feature, FeatureKind};

/// Rows of the overall mean that every level's mean is drawn to, so that rare levels stay in the middle.
const PRIOR_ROWS: f64 = 10.0;

/// The number of each code of a category, "other" last; `None` for a numeric feature.
///
/// A level without rows, "other" included, has the overall mean and so its place in the middle.
pub(super) fn of(
    column: &Encoded,
    feature: &Feature,
    objective: &Objective,
    fitted: usize,
) -> Option<Vec<f32>> {
    let (Encoded::Category(codes), FeatureKind::Category(levels)) = (column, &feature.kind) else {
        return None;
    };
    let size = levels.len() + 1;
    let (mut sums, mut counts) = (vec![0.0; size], vec![0.0; size]);
    for (row, &code) in codes[..fitted].iter().enumerate() {
        sums[code as usize] += objective.ordering_value(row);
        counts[code as usize] += 1.0;
    }
    let overall = sums.iter().sum::<f64>() / fitted as f64;
    let mean = |code: usize| (sums[code] + PRIOR_ROWS * overall) / (counts[code] + PRIOR_ROWS);
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&a, &b| mean(a).total_cmp(&mean(b)));
    let mut numbers = vec![0.0; size];
    for (position, code) in order.into_iter().enumerate() {
        numbers[code] = position as f32;
    }
    Some(numbers)
}

/// A column as numbers.
pub(super) fn numbers(column: &Encoded, order: Option<&[f32]>) -> Vec<f32> {
    match (column, order) {
        (Encoded::Category(codes), Some(order)) => codes.iter().map(|&code| order[code as usize]).collect(),
        (Encoded::Number(values), _) => values.clone(),
        (Encoded::Category(codes), None) => codes.iter().map(|&code| code as f32).collect(),
    }
}
