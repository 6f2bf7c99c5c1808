//! Cuts the values of every feature into at most 255 bins, so that a split is searched among few places.

/// The bin of missing values.
pub(super) const MISSING: u8 = 0;

/// The binned features, column by column. Bin 0 is "missing", bin `i + 1` holds the values up to cut `i` that
/// exceed cut `i - 1`, the last bin what exceeds every cut.
pub(super) struct Bins {
    rows: usize,
    codes: Vec<u8>,
    cuts: Vec<Vec<f32>>,
    /// Where each feature's cells start in a histogram of all features; one more entry than features.
    offsets: Vec<usize>,
}

impl Bins {
    /// Chooses the cuts by the first `fitted` rows and bins all rows.
    pub(super) fn new(columns: &[Vec<f32>], fitted: usize, most: usize) -> Bins {
        let rows = columns.first().map_or(0, Vec::len);
        let mut codes = Vec::with_capacity(rows * columns.len());
        let mut cuts = Vec::with_capacity(columns.len());
        let mut offsets = vec![0];
        for column in columns {
            let own = choose_cuts(&column[..fitted], most - 1);
            codes.extend(column.iter().map(|&value| code(value, &own)));
            offsets.push(offsets[offsets.len() - 1] + own.len() + 2);
            cuts.push(own);
        }
        Bins { rows, codes, cuts, offsets }
    }

    /// The bins of one feature, row by row.
    pub(super) fn column(&self, feature: usize) -> &[u8] {
        &self.codes[feature * self.rows..(feature + 1) * self.rows]
    }

    /// Number of features.
    pub(super) fn features(&self) -> usize {
        self.cuts.len()
    }

    /// Cells of a histogram of all features.
    pub(super) fn cells(&self) -> usize {
        self.offsets[self.offsets.len() - 1]
    }

    /// The cells of one feature in a histogram of all.
    pub(super) fn range(&self, feature: usize) -> std::ops::Range<usize> {
        self.offsets[feature]..self.offsets[feature + 1]
    }

    /// The threshold of a split that sends bins `1..=bin` left: the values at most that.
    pub(super) fn threshold(&self, feature: usize, bin: u8) -> f32 {
        self.cuts[feature].get(usize::from(bin) - 1).copied().unwrap_or(f32::MAX)
    }
}

fn code(value: f32, cuts: &[f32]) -> u8 {
    if value.is_nan() { MISSING } else { 1 + cuts.partition_point(|cut| *cut < value) as u8 }
}

/// At most `most - 1` cuts for at most `most` bins: between all distinct values when they are few, else between
/// the values where another `1 / most` of the rows is reached; a very frequent value gets its own bin.
fn choose_cuts(values: &[f32], most: usize) -> Vec<f32> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut distinct: Vec<(f32, usize)> = Vec::new();
    for value in sorted {
        match distinct.last_mut() {
            Some((last, count)) if *last == value => *count += 1,
            _ => distinct.push((value, 1)),
        }
    }
    if distinct.len() <= most {
        return distinct.windows(2).map(|pair| between(pair[0].0, pair[1].0)).collect();
    }
    let mut rest: usize = distinct.iter().map(|(_, count)| count).sum();
    let mut cuts = Vec::with_capacity(most - 1);
    let mut filled = 0;
    for pair in distinct.windows(2) {
        let bins_left = most - cuts.len();
        if bins_left <= 1 {
            break;
        }
        let share = rest as f64 / bins_left as f64;
        filled += pair[0].1;
        let next_overflows = filled as f64 + pair[1].1 as f64 / 2.0 > share;
        if next_overflows {
            cuts.push(between(pair[0].0, pair[1].0));
            rest -= filled;
            filled = 0;
        }
    }
    cuts
}

/// A number from `low` on and below `high`, in the middle where single precision has one.
fn between(low: f32, high: f32) -> f32 {
    let middle = f64::midpoint(f64::from(low), f64::from(high)) as f32;
    if middle >= low && middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_values_get_a_bin_each() {
        let bins = Bins::new(&[vec![3.0, 1.0, f32::NAN, 2.0, 1.0, 9.0]], 5, 255);
        assert_eq!(bins.column(0), [3, 1, 0, 2, 1, 3]);
        assert_eq!((bins.threshold(0, 1), bins.threshold(0, 2), bins.threshold(0, 3)), (1.5, 2.5, f32::MAX));
        assert_eq!(bins.cells(), 4);
    }

    #[test]
    fn many_values_are_spread_evenly_and_a_frequent_one_stands_alone() {
        let mut values: Vec<f32> = (0..10_000).map(|value| value as f32).collect();
        values.extend(std::iter::repeat_n(5000.5, 5000));
        let bins = Bins::new(std::slice::from_ref(&values), values.len(), 101);
        let mut counts = [0_usize; 256];
        bins.column(0).iter().for_each(|&bin| counts[usize::from(bin)] += 1);
        assert!(counts.iter().filter(|&&count| count > 400).count() == 1);
        assert!(counts[1..101].iter().all(|&count| count > 0), "{counts:?}");
    }

    proptest! {
        #[test]
        fn a_threshold_decides_as_the_bin(values in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::ZERO, 2..600), most in 2_usize..=255) {
            let bins = Bins::new(std::slice::from_ref(&values), values.len(), most);
            prop_assert!(bins.cells() <= most);
            for (value, &bin) in values.iter().zip(bins.column(0)) {
                for cut in 1..bins.cells() as u8 {
                    prop_assert_eq!(*value <= bins.threshold(0, cut), bin <= cut);
                }
            }
        }
    }
}
