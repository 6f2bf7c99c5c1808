//! Drift of vectors: embeddings, or several numeric columns looked at together.

use crate::{
    DomainResult, NotApplicable, domain::classify, not_applicable::finite, numbers::Kernel, random::Random,
};

/// More vectors than this on a side are sampled for the kernel.
const KERNEL_ROWS: usize = 500;
/// Up to this many columns, products of two columns are features of the classifier too.
const PRODUCT_COLUMNS: usize = 24;
/// Standardised values beyond this say no more.
const FARTHEST: f64 = 10.0;

/// Rows of numbers of the same length. Rows with a value that is not finite are left out; NaN in tables can be
/// filled with [`Matrix::filled`].
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    width: usize,
    values: Vec<f64>,
}

/// A discrepancy of vectors and whether chance explains it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VectorDiscrepancy {
    /// Unbiased estimate of the squared maximum mean discrepancy.
    pub discrepancy: f64,
    /// Permutation p-value.
    pub p_value: f64,
}

impl Matrix {
    /// Rows of `width` values each, one after the other.
    pub fn of_rows<'a>(width: usize, rows: impl Iterator<Item = &'a [f64]>) -> Result<Self, NotApplicable> {
        let mut values = Vec::new();
        for row in rows {
            if row.len() != width || width == 0 {
                return Err(NotApplicable::UnequalVectors);
            }
            if row.iter().all(|value| value.is_finite()) {
                values.extend_from_slice(row);
            }
        }
        if width == 0 { Err(NotApplicable::UnequalVectors) } else { Ok(Self { width, values }) }
    }

    /// A table by its columns of equal length; what is not finite is replaced by that column's entry of `fillers`.
    pub fn filled(columns: &[&[f64]], fillers: &[f64]) -> Result<Self, NotApplicable> {
        let rows = columns.first().map_or(0, |column| column.len());
        let equal = columns.iter().all(|column| column.len() == rows) && fillers.len() == columns.len();
        if columns.is_empty() || !equal || fillers.iter().any(|filler| !filler.is_finite()) {
            return Err(NotApplicable::UnequalVectors);
        }
        let cell = |row: usize, column: usize| {
            Some(columns[column][row]).filter(|value| value.is_finite()).unwrap_or(fillers[column])
        };
        let values = (0..rows).flat_map(|row| (0..columns.len()).map(move |column| cell(row, column)));
        Ok(Self { width: columns.len(), values: values.collect() })
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The rows.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks(self.width)
    }

    pub(crate) fn row(&self, position: usize) -> &[f64] {
        &self.values[position * self.width..(position + 1) * self.width]
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.width
    }

    pub(crate) fn means(&self) -> Vec<f64> {
        let mut means = vec![0.0; self.width];
        for row in self.rows() {
            means.iter_mut().zip(row).for_each(|(mean, value)| *mean += value);
        }
        means.into_iter().map(|sum| sum / self.len() as f64).collect()
    }

    /// Standard deviations divided by n around `means`.
    pub(crate) fn deviations(&self, means: &[f64]) -> Vec<f64> {
        let mut squares = vec![0.0; self.width];
        for row in self.rows() {
            for (column, value) in row.iter().enumerate() {
                squares[column] += (value - means[column]).powi(2);
            }
        }
        squares.iter().map(|square| (square / self.len() as f64).sqrt()).collect()
    }
}

/// Both sides hold rows of the same length.
fn comparable(reference: &Matrix, current: &Matrix) -> Result<(), NotApplicable> {
    match (reference.len(), current.len()) {
        _ if reference.width != current.width => Err(NotApplicable::UnequalVectors),
        (0, _) => Err(NotApplicable::EmptyReference),
        (_, 0) => Err(NotApplicable::EmptyCurrent),
        _ => Ok(()),
    }
}

/// Euclidean distance between the mean vectors.
pub fn mean_distance(reference: &Matrix, current: &Matrix) -> Result<f64, NotApplicable> {
    comparable(reference, current)?;
    let pairs = reference.means().into_iter().zip(current.means());
    finite(pairs.map(|(before, after)| (before - after).powi(2)).sum::<f64>().sqrt())
}

/// A domain classifier over the values, their squares and (up to 24 columns) their products: it sees changes of
/// means, of spreads and of correlations.
pub fn domain_classifier(
    reference: &Matrix,
    current: &Matrix,
    seed: u64,
) -> Result<DomainResult, NotApplicable> {
    comparable(reference, current)?;
    let means = reference.means();
    let deviations = reference.deviations(&means);
    if means.iter().chain(&deviations).any(|moment| !moment.is_finite()) {
        return Err(NotApplicable::TooLarge);
    }
    let width = reference.width;
    let products = if width <= PRODUCT_COLUMNS { width * (width - 1) / 2 } else { 0 };
    classify([reference.len(), current.len()], 2 * width + products, seed, |side, row| {
        let row = if side == 0 { reference.row(row) } else { current.row(row) };
        let scaled: Vec<f64> = (0..width)
            .map(|column| {
                let deviation = if deviations[column] > 0.0 { deviations[column] } else { 1.0 };
                ((row[column] - means[column]) / deviation).clamp(-FARTHEST, FARTHEST)
            })
            .collect();
        let mut features = scaled.clone();
        features.extend(scaled.iter().map(|value| value * value - 1.0));
        if products > 0 {
            features.extend((0..width).flat_map(|i| {
                let scaled = &scaled;
                (0..i).map(move |j| scaled[i] * scaled[j])
            }));
        }
        features.into_iter().enumerate().map(|(position, value)| (position as u32, value as f32)).collect()
    })
}

/// Maximum mean discrepancy (Gretton et al. 2012) with a Gaussian kernel as wide as the median distance; at most
/// 500 rows a side, drawn by `seed`.
pub fn vector_discrepancy(
    reference: &Matrix,
    current: &Matrix,
    seed: u64,
) -> Result<VectorDiscrepancy, NotApplicable> {
    comparable(reference, current)?;
    if reference.len().min(current.len()) < 2 {
        return Err(NotApplicable::TooFewRows(2));
    }
    let mut random = Random::new(seed);
    let before = sampled(reference, &mut random);
    let rows: Vec<&[f64]> = before.iter().copied().chain(sampled(current, &mut random)).collect();
    let squared =
        |i: usize, j: usize| -> f64 { rows[i].iter().zip(rows[j]).map(|(a, b)| (a - b).powi(2)).sum() };
    let mut distances: Vec<f64> =
        (0..before.len()).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| squared(i, j)).collect();
    let middle = distances.len() / 2;
    let median = finite(*distances.select_nth_unstable_by(middle, f64::total_cmp).1)?;
    let width = if median > 0.0 { median } else { 1.0 };
    let kernel = Kernel::of(rows.len(), |i, j| (-squared(i, j) / width).exp());
    let (discrepancy, _) = kernel.discrepancy(&(0..before.len()).collect::<Vec<_>>());
    let p_value = kernel.permutation_p(before.len(), discrepancy, &mut random);
    Ok(VectorDiscrepancy { discrepancy: finite(discrepancy)?, p_value })
}

fn sampled<'a>(matrix: &'a Matrix, random: &mut Random) -> Vec<&'a [f64]> {
    let mut rows: Vec<&[f64]> = matrix.rows().collect();
    for position in 0..rows.len().min(KERNEL_ROWS) {
        let other = position + random.below(rows.len() - position);
        rows.swap(position, other);
    }
    rows.truncate(KERNEL_ROWS);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two columns with the given correlation and shift.
    fn pairs(rows: usize, correlation: f64, shift: f64, seed: u64) -> Matrix {
        let mut random = Random::new(seed);
        let rows: Vec<[f64; 2]> = (0..rows)
            .map(|_| {
                let (a, b) = (random.normal(), random.normal());
                [a + shift, correlation * a + (1.0 - correlation * correlation).sqrt() * b]
            })
            .collect();
        Matrix::of_rows(2, rows.iter().map(<[f64; 2]>::as_slice)).unwrap()
    }

    #[test]
    fn a_lost_correlation_is_seen_only_together() {
        let (before, after) = (pairs(2_000, 0.9, 0.0, 1), pairs(1_500, 0.0, 0.0, 2));
        assert!(mean_distance(&before, &after).unwrap() < 0.1);
        let result = domain_classifier(&before, &after, 3).unwrap();
        assert!(result.auc > 0.7 && result.p_value < 1e-6, "{result:?}");
        assert!(vector_discrepancy(&before, &after, 3).unwrap().p_value < 0.01);
        let same = domain_classifier(&before, &pairs(1_500, 0.9, 0.0, 4), 3).unwrap();
        assert!((same.auc - 0.5).abs() < 0.06 && same.p_value > 0.001, "{same:?}");
    }

    #[test]
    fn a_shift_is_the_distance_of_the_means() {
        let result = mean_distance(&pairs(4_000, 0.0, 0.0, 1), &pairs(4_000, 0.0, 1.0, 2)).unwrap();
        assert!((result - 1.0).abs() < 0.1, "{result}");
    }

    #[test]
    fn vectors_that_do_not_match_have_no_answer() {
        let three = Matrix::of_rows(3, [[1.0, 2.0, f64::NAN].as_slice()].into_iter()).unwrap();
        assert_eq!(three.len(), 0);
        let two = pairs(5, 0.0, 0.0, 1);
        assert_eq!(mean_distance(&three, &two), Err(NotApplicable::UnequalVectors));
        assert_eq!(mean_distance(&three, &three), Err(NotApplicable::EmptyReference));
        assert!(Matrix::of_rows(0, std::iter::empty()).is_err());
        assert!(Matrix::filled(&[&[1.0], &[]], &[0.0, 0.0]).is_err());
    }
}
