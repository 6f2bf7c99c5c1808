//! Cells of a numeric training column.
//!
//! The cuts are 64 quantiles, the deciles (for the PSI that users know), 13 dyadic tail quantiles and a ladder of
//! 14 doubling steps beyond each end; frequent values (integers, ties) get a cell of their own. A cut that is a
//! data value is moved up by half the precision of a 32-bit float, so that a value that travelled as FP32 falls
//! into the cell of its 64-bit original.

use serde::{Deserialize, Serialize};

use crate::{DriftError, sketch::NumberTally};

const QUANTILES: usize = 64;
const TAIL_CUTS: std::ops::RangeInclusive<u32> = 7..=19;
const LADDER_STEPS: i32 = 14;
/// The first ladder step is the spread times 2⁻⁴.
const LADDER_START: i32 = -4;
/// A value rarer than one row in this many needs no cell of its own.
const FREQUENT: usize = 128;
const MAX_FREQUENT: usize = 32;
/// Half a unit in the last place of a 32-bit float, doubled for safety.
const FLOAT32_PRECISION: f64 = 1.0 / 8_388_608.0;

/// Cells of a numeric training column and how many rows fell into each.
///
/// - Cell `i` is the half-open interval `(cuts[i - 1], cuts[i]]`; the outer cells reach to infinity.
/// - `cuts` are finite and ascending.
/// - A cell that is not a single value holds at most 1/64 of the rows (plus one row above 4,096 rows).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredNumberReference")]
pub struct NumberReference {
    pub(crate) cuts: Vec<f64>,
    /// Positions in `cuts` of the distinct deciles.
    pub(crate) deciles: Vec<usize>,
    /// All values are whole numbers.
    pub(crate) whole: bool,
    pub(crate) missing: u64,
    pub(crate) tally: NumberTally,
}

#[derive(Deserialize)]
struct StoredNumberReference {
    cuts: Vec<f64>,
    deciles: Vec<usize>,
    whole: bool,
    missing: u64,
    tally: NumberTally,
}

impl TryFrom<StoredNumberReference> for NumberReference {
    type Error = DriftError;

    fn try_from(stored: StoredNumberReference) -> Result<Self, DriftError> {
        let StoredNumberReference { cuts, deciles, whole, missing, tally } = stored;
        if !cuts.is_sorted() || cuts.iter().any(|cut| !cut.is_finite()) {
            return Err(DriftError::Invalid("cuts are not ascending".into()));
        }
        if !deciles.is_sorted() || deciles.last().is_some_and(|last| *last >= cuts.len()) {
            return Err(DriftError::Invalid("a decile is not one of the cuts".into()));
        }
        if !tally.has_cells(cuts.len() + 1) {
            return Err(DriftError::Invalid("counts and cuts do not match".into()));
        }
        Ok(Self { cuts, deciles, whole, missing, tally })
    }
}

impl NumberReference {
    /// The cuts between the cells, ascending: cell `i` is `(cuts[i - 1], cuts[i]]`.
    pub fn cuts(&self) -> &[f64] {
        &self.cuts
    }

    /// Those of the cuts that stand for the deciles, over which PSI, Jensen–Shannon, Hellinger, total variation and
    /// chi-squared are computed.
    pub fn decile_cuts(&self) -> Vec<f64> {
        self.deciles.iter().filter_map(|position| self.cuts.get(*position)).copied().collect()
    }

    /// Rows of the training column in each cell.
    pub fn counts(&self) -> &[u64] {
        &self.tally.counts
    }

    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let runs = Runs::of(&sorted);
        let mut decile_cuts = runs.decile_cuts(&sorted);
        decile_cuts.retain(|cut| cut.is_finite());
        let mut cuts = runs.cuts(&sorted);
        cuts.extend(&decile_cuts);
        cuts.retain(|cut| cut.is_finite());
        cuts.sort_unstable_by(f64::total_cmp);
        cuts.dedup();
        let mut deciles: Vec<usize> =
            decile_cuts.iter().map(|decile| cuts.partition_point(|cut| cut < decile)).collect();
        deciles.dedup();
        let mut tally = NumberTally::with_cells(cuts.len() + 1);
        let mut missing = 0;
        for &value in values {
            if value.is_nan() {
                missing += 1;
            } else {
                tally.add(&cuts, value);
            }
        }
        let whole = sorted.iter().all(|value| value.fract() == 0.0);
        Self { cuts, deciles, whole, missing, tally }
    }
}

/// The distinct values of a sorted column.
struct Runs {
    values: Vec<f64>,
    counts: Vec<usize>,
}

impl Runs {
    fn of(sorted: &[f64]) -> Self {
        let (mut values, mut counts): (Vec<f64>, Vec<usize>) = (Vec::new(), Vec::new());
        for run in sorted.chunk_by(|a, b| a == b) {
            values.push(run[0] + 0.0); // −0 becomes 0
            counts.push(run.len());
        }
        Self { values, counts }
    }

    /// A cut just above the distinct value `index`: it and its 32-bit neighbours lie below or on it.
    fn above(&self, index: usize) -> f64 {
        let value = self.values[index];
        let tolerated = value + value.abs() * FLOAT32_PRECISION;
        match self.values.get(index + 1) {
            None => tolerated,
            Some(next) if tolerated < f64::midpoint(value, *next) => tolerated,
            Some(next) if f64::midpoint(value, *next) < *next => f64::midpoint(value, *next),
            Some(_) => value,
        }
    }

    /// A cut just below the distinct value `index`.
    fn below(&self, index: usize) -> f64 {
        let value = self.values[index];
        let tolerated = (value - value.abs() * FLOAT32_PRECISION).min(value.next_down());
        match index.checked_sub(1).map(|previous| self.values[previous]) {
            None => tolerated,
            Some(previous) => tolerated.max(f64::midpoint(previous, value)).min(value.next_down()),
        }
    }

    fn position(&self, value: f64) -> usize {
        self.values.partition_point(|other| *other < value)
    }

    fn cuts(&self, sorted: &[f64]) -> Vec<f64> {
        let Some(last) = self.values.len().checked_sub(1) else { return Vec::new() };
        let mut cuts = vec![self.below(0), self.above(last)];
        if self.values.len() <= QUANTILES {
            cuts.extend((0..=last).flat_map(|index| [self.below(index), self.above(index)]));
        } else {
            self.push_quantiles(sorted, &mut cuts);
            self.push_frequent(sorted.len(), &mut cuts);
            self.push_tails(sorted, &mut cuts);
        }
        push_ladder(sorted, &mut cuts);
        cuts
    }

    fn push_quantiles(&self, sorted: &[f64], cuts: &mut Vec<f64>) {
        let rows = sorted.len();
        let spare = if rows > QUANTILES * QUANTILES { QUANTILES } else { 0 };
        let mut covered = 0;
        for step in 1..QUANTILES {
            let value = sorted[(step * rows).div_ceil(QUANTILES) - 1];
            let index = self.position(value);
            let through = sorted.partition_point(|other| *other <= value);
            cuts.push(self.above(index));
            if (through - covered) * QUANTILES > rows + spare {
                cuts.push(self.below(index));
            }
            covered = through;
        }
        if (rows - covered) * QUANTILES > rows + spare {
            cuts.push(self.below(self.values.len() - 1));
        }
    }

    fn push_frequent(&self, rows: usize, cuts: &mut Vec<f64>) {
        let mut frequent: Vec<usize> = (0..self.values.len())
            .filter(|index| self.counts[*index] > 1 && self.counts[*index] * FREQUENT > rows)
            .collect();
        frequent.sort_by_key(|index| std::cmp::Reverse(self.counts[*index]));
        frequent.truncate(MAX_FREQUENT);
        cuts.extend(frequent.into_iter().flat_map(|index| [self.below(index), self.above(index)]));
    }

    fn push_tails(&self, sorted: &[f64], cuts: &mut Vec<f64>) {
        let rows = sorted.len();
        for exponent in TAIL_CUTS {
            let tail = rows.div_ceil(1 << exponent);
            cuts.push(self.above(self.position(sorted[tail - 1])));
            if let Some(position) = (rows - tail).checked_sub(1) {
                cuts.push(self.above(self.position(sorted[position])));
            }
        }
    }

    /// The deciles by linear interpolation (type 7 of Hyndman & Fan 1996), ascending, without duplicates.
    fn decile_cuts(&self, sorted: &[f64]) -> Vec<f64> {
        let Some(last) = sorted.len().checked_sub(1) else { return Vec::new() };
        let mut cuts: Vec<f64> = (1..10)
            .map(|decile| {
                let (low, rest) = (decile * last / 10, decile * last % 10);
                let (from, to) = (sorted[low], sorted[(low + 1).min(last)]);
                let between = from + (to - from) * (rest as f64 / 10.0);
                if rest == 0 || between <= from || !between.is_finite() {
                    self.above(self.position(from))
                } else if between >= to {
                    self.above(self.position(to))
                } else {
                    between
                }
            })
            .collect();
        cuts.sort_unstable_by(f64::total_cmp);
        cuts.dedup();
        cuts
    }
}

/// Doubling steps beyond both ends, in units of the spread of the middle 62/64.
fn push_ladder(sorted: &[f64], cuts: &mut Vec<f64>) {
    let (rows, first, last) = (sorted.len(), sorted[0], sorted[sorted.len() - 1]);
    let middle = sorted[(63 * rows / 64).min(rows - 1)] - sorted[rows / 64];
    let spread = [middle, last - first, last.abs(), 1.0]
        .into_iter()
        .find(|spread| *spread > 0.0 && spread.is_finite());
    let spread = spread.unwrap_or(1.0);
    for step in 0..LADDER_STEPS {
        let distance = spread * f64::from(LADDER_START + step).exp2();
        cuts.extend([first - distance, last + distance]);
    }
}
