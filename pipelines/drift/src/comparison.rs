//! Distances and tests between a reference and a sketch.
//!
//! Numbers are compared by deciles of the reference where a distance needs bins, and by all cells where it does
//! not (Kolmogorov–Smirnov, Wasserstein). Missing and infinite values take no part. Every function answers `None`
//! when the question has no answer: an empty side, a sketch of another reference, or the other kind of column.

use serde::{Deserialize, Serialize};

use crate::{
    NumberReference, Reference, Sketch, TextReference,
    distance::Table,
    fisher::Shares,
    kolmogorov::{asymptotic_two_sample_p, exact_two_sample_p},
    sketch::{Cells, NumberTally, TextTally, bucket_of, saturating_sum},
};

/// Up to this product of sizes the exact two-sample p-value costs less than 0.1 ms.
const CHEAP_EXACT: u64 = 20_000;

/// A test's statistic and p-value, both finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// The statistic.
    pub statistic: f64,
    /// The chance of a statistic at least as large when nothing changed.
    pub p_value: f64,
}

/// Population stability index Σ (q − p) ln(q / p) over the reference's deciles or categories; shares below 0.0001
/// count as 0.0001.
pub fn psi(reference: &Reference, sketch: &Sketch) -> Option<f64> {
    binned(reference, sketch).map(|table| table.psi())
}

/// Jensen–Shannon distance (base 2, 0–1) over the reference's deciles or categories.
pub fn jensen_shannon(reference: &Reference, sketch: &Sketch) -> Option<f64> {
    binned(reference, sketch).map(|table| table.jensen_shannon())
}

/// Hellinger distance (0–1) over the reference's deciles or categories.
pub fn hellinger(reference: &Reference, sketch: &Sketch) -> Option<f64> {
    binned(reference, sketch).map(|table| table.hellinger())
}

/// Total variation distance (0–1) over the reference's deciles or categories.
pub fn total_variation(reference: &Reference, sketch: &Sketch) -> Option<f64> {
    binned(reference, sketch).map(|table| table.total_variation())
}

/// Chi-squared test of homogeneity over the reference's deciles or categories, in the contingency form.
///
/// Cells with small expected counts are pooled and tested exactly. When the training column has categories that
/// stood in one row only, unseen ones are to be expected: rare and unseen categories are grouped by hash, and
/// whether there are *more* unseen ones than expected (Good 1953) is tested apart.
pub fn chi_squared(reference: &Reference, sketch: &Sketch) -> Option<TestResult> {
    let homogeneity = binned(reference, sketch).and_then(|table| table.chi_squared());
    let Some(shares) = novelty(reference, sketch) else { return homogeneity };
    let novelty_p = shares.rise_p();
    Some(match homogeneity {
        Some(TestResult { statistic, p_value }) => {
            TestResult { statistic, p_value: (2.0 * p_value.min(novelty_p)).min(1.0) }
        }
        None => TestResult { statistic: 0.0, p_value: novelty_p },
    })
}

/// Kolmogorov–Smirnov test of a numeric column.
///
/// The distance is taken at the cells' ends: a lower bound, short of the true one by at most the largest share of
/// the reference in one cell (1/64).
pub fn ks(reference: &Reference, sketch: &Sketch) -> Option<TestResult> {
    let (number, tally) = numbers(reference, sketch)?;
    let (before, after) = (number.tally.finite, tally.finite);
    let steps = ks_steps(&number.tally.counts, &tally.counts);
    let statistic = (steps as f64 / (before as f64 * after as f64)).min(1.0);
    let cheap = before.checked_mul(after).is_some_and(|product| product <= CHEAP_EXACT);
    let p_value = if cheap {
        exact_two_sample_p(before, after, steps)
    } else {
        asymptotic_two_sample_p(before, after, statistic)
    };
    Some(TestResult { statistic, p_value })
}

/// Wasserstein distance ∫|F − G| of a numeric column, in standard deviations of the reference; per cell
/// ∫F = b·F(b) − a·F(a) − S/n with the cell's sum S. A lower bound: what cancels inside a cell
/// where F − G changes its sign is lost. `None` when the reference is constant and the sketch is not
/// the same constant.
pub fn wasserstein(reference: &Reference, sketch: &Sketch) -> Option<f64> {
    let (number, tally) = numbers(reference, sketch)?;
    let distance = wasserstein_of_cells(&number.cuts, &number.tally, tally);
    let deviation = number.tally.population_deviation()?;
    if deviation > 0.0 {
        return Some(distance / deviation).filter(|normed| normed.is_finite());
    }
    (number.tally.min == tally.min && number.tally.max == tally.max).then_some(0.0)
}

/// How far [`wasserstein`] can lie below the distance of the columns themselves, in the same unit: a bound that no
/// data exceeds (up to rounding).
///
/// Only where F − G changes its sign inside a cell does anything cancel. Let a cell of width w hold the shares f and
/// g and begin at the difference h. Inside it F − G stays within [h − g, h + f], and within max(f, g) of the crossing;
/// with A and B the larger and the smaller side of that, min(∫(F − G)⁺, ∫(F − G)⁻) is at most w·A·B/(A + B), and the
/// loss twice that. It is also at most w·max(A, B) − |∫(F − G)|. Most of the time the loss is far smaller.
pub fn wasserstein_error(reference: &Reference, sketch: &Sketch) -> Option<f64> {
    let (number, tally) = numbers(reference, sketch)?;
    let deviation = number.tally.population_deviation().filter(|deviation| *deviation > 0.0)?;
    let integrals = cell_integrals(&number.cuts, &number.tally, tally);
    let (rows_before, rows_after) = (number.tally.finite as f64, tally.finite as f64);
    let (mut height, mut error) = (0.0, 0.0);
    for (cell, integral) in integrals.into_iter().enumerate() {
        let (f, g) = (number.tally.counts[cell] as f64 / rows_before, tally.counts[cell] as f64 / rows_after);
        let (above, below) = ((height + f).min(f.max(g)), (g - height).min(f.max(g)));
        // The outer cells have no reference: F − G keeps its sign there.
        let ends = cell.checked_sub(1).and_then(|lower| number.cuts.get(lower)).zip(number.cuts.get(cell));
        if let (Some((from, to)), true) = (ends, above > 0.0 && below > 0.0) {
            let width = to - from;
            let by_shape = 2.0 * width * above * below / (above + below);
            let by_sum = width * above.max(below) - integral.abs();
            error += by_shape.min(by_sum.max(0.0));
        }
        height += f - g;
    }
    Some(error / deviation).filter(|error| error.is_finite())
}

/// How far the distribution moved (0–1), by the distance that [`scan`](crate::scan()) judges: Kolmogorov–Smirnov
/// for numbers, total variation or the excess of unseen values for categories.
pub(crate) fn effect(reference: &Reference, sketch: &Sketch) -> Option<f64> {
    if let Reference::Number(_) = reference {
        return ks(reference, sketch).map(|result| result.statistic);
    }
    let excess = novelty(reference, sketch).map_or(0.0, |shares| {
        shares.hits_after as f64 / shares.rows_after as f64
            - shares.hits_before as f64 / shares.rows_before as f64
    });
    total_variation(reference, sketch).map(|distance| distance.max(excess))
}

/// Usable values of a sketch: finite numbers or categories.
pub(crate) fn usable(sketch: &Sketch) -> u64 {
    match &sketch.cells {
        Cells::Number(tally) => tally.finite,
        Cells::Text(tally) => tally.seen(),
    }
}

/// Whether the sketch was made over this reference's cells.
pub(crate) fn fits(reference: &Reference, sketch: &Sketch) -> bool {
    match (reference, &sketch.cells) {
        (Reference::Number(number), Cells::Number(tally)) => tally.has_cells(number.cuts.len() + 1),
        (Reference::Text(text), Cells::Text(tally)) => tally.has_cells(text.values.len()),
        _ => false,
    }
}

/// Both sides of a numeric comparison, when neither is empty.
fn numbers<'a>(
    reference: &'a Reference,
    sketch: &'a Sketch,
) -> Option<(&'a NumberReference, &'a NumberTally)> {
    match (reference, &sketch.cells) {
        (Reference::Number(number), Cells::Number(tally))
            if fits(reference, sketch) && number.tally.finite > 0 && tally.finite > 0 =>
        {
            Some((number, tally))
        }
        _ => None,
    }
}

/// Counts over the reference's deciles or categories.
pub(crate) fn binned(reference: &Reference, sketch: &Sketch) -> Option<Table> {
    match (reference, &sketch.cells) {
        _ if !fits(reference, sketch) => None,
        (Reference::Number(number), Cells::Number(tally)) => {
            Table::new(by_deciles(number, &number.tally), by_deciles(number, tally))
        }
        (Reference::Text(text), Cells::Text(tally)) => {
            Table::new(by_categories(text, &text.tally), by_categories(text, tally))
        }
        _ => None,
    }
}

fn by_deciles(number: &NumberReference, tally: &NumberTally) -> Vec<u64> {
    let ends = number.deciles.iter().map(|cut| cut + 1).chain([tally.counts.len()]);
    let mut start = 0;
    ends.map(|end| saturating_sum(&tally.counts[std::mem::replace(&mut start, end)..end])).collect()
}

/// Every category that has a cell of its own in tests, then the others by hash. Where nothing is folded, unseen
/// categories are a cell of their own: the training data gave no reason to expect any.
fn by_categories(text: &TextReference, tally: &TextTally) -> Vec<u64> {
    if !text.folds() {
        return tally.counts.iter().copied().chain([tally.new]).collect();
    }
    let (mut cells, mut buckets) = (Vec::new(), tally.buckets);
    for (position, (count, trained)) in tally.counts.iter().zip(&text.tally.counts).enumerate() {
        if *trained >= text.fold_below {
            cells.push(*count);
        } else {
            let bucket = &mut buckets[bucket_of(&text.values[position])];
            *bucket = bucket.saturating_add(*count);
        }
    }
    cells.extend(buckets);
    cells
}

/// Unseen categories against the single ones of the training data, where categories are folded.
fn novelty(reference: &Reference, sketch: &Sketch) -> Option<Shares> {
    let (Reference::Text(text), Cells::Text(tally)) = (reference, &sketch.cells) else { return None };
    let (rows_before, rows_after) = (text.tally.seen(), tally.seen());
    let applies = text.folds() && text.single <= rows_before && rows_after > 0 && fits(reference, sketch);
    applies.then_some(Shares { hits_before: text.single, rows_before, hits_after: tally.new, rows_after })
}

/// The largest |F − G| at the cells' ends, in units of 1/(n·m).
fn ks_steps(before: &[u64], after: &[u64]) -> u128 {
    let total = |counts: &[u64]| counts.iter().map(|count| u128::from(*count)).sum::<u128>();
    let (rows_before, rows_after) = (total(before), total(after));
    let (mut seen_before, mut seen_after, mut largest) = (0u128, 0u128, 0u128);
    for (p, q) in before.iter().zip(after) {
        seen_before += u128::from(*p);
        seen_after += u128::from(*q);
        let distance =
            seen_before.saturating_mul(rows_after).abs_diff(seen_after.saturating_mul(rows_before));
        largest = largest.max(distance);
    }
    largest
}

fn wasserstein_of_cells(cuts: &[f64], before: &NumberTally, after: &NumberTally) -> f64 {
    cell_integrals(cuts, before, after).into_iter().map(f64::abs).sum()
}

/// ∫(F − G) over each cell.
fn cell_integrals(cuts: &[f64], before: &NumberTally, after: &NumberTally) -> Vec<f64> {
    let (rows_before, rows_after) = (before.finite as f64, after.finite as f64);
    let (mut p, mut q) = (0.0, 0.0);
    let integral = |cell: usize| {
        let from = cell.checked_sub(1).map_or(0.0, |lower| cuts[lower]);
        let (next_p, next_q) =
            (p + before.counts[cell] as f64 / rows_before, q + after.counts[cell] as f64 / rows_after);
        // In the outer cells the missing end's terms cancel, because F = G there.
        let upper = cuts.get(cell).map_or(0.0, |to| to * (next_p - next_q));
        let lower = if cell == 0 { 0.0 } else { from * (p - q) };
        (p, q) = (next_p, next_q);
        upper - lower - (before.sums[cell] / rows_before - after.sums[cell] / rows_after)
    };
    (0..=cuts.len()).map(integral).collect()
}
