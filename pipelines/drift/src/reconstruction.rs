//! Drift of the structure between columns: how badly the principal components of the reference rebuild new rows.

use crate::{NotApplicable, eigen::Eigen, not_applicable::finite, vectors::Matrix};

/// Principal components of a standardised reference table.
#[derive(Clone, Debug)]
pub struct Reconstruction {
    means: Vec<f64>,
    deviations: Vec<f64>,
    components: Vec<Vec<f64>>,
}

/// How badly rows are rebuilt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReconstructionError {
    /// Mean Euclidean distance of the standardised rows to their reconstructions.
    pub mean: f64,
    /// Standard error of that mean; absent for a single row.
    pub sampling_error: Option<f64>,
}

/// Limits of the reconstruction error between which chunks of the reference lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorLimits {
    /// Mean of the chunks − 3 standard deviations.
    pub lower: f64,
    /// Mean of the chunks + 3 standard deviations.
    pub upper: f64,
}

impl Reconstruction {
    /// Keeps as many components of the standardised reference as explain more than `explained` (0–1) of the variance;
    /// NannyML keeps 0.65.
    pub fn of(reference: &Matrix, explained: f64) -> Result<Self, NotApplicable> {
        if reference.len() < 2 {
            return Err(NotApplicable::TooFewRows(2));
        }
        let means = reference.means();
        let mut deviations = reference.deviations(&means);
        deviations.iter_mut().filter(|deviation| **deviation == 0.0).for_each(|deviation| *deviation = 1.0);
        if means.iter().chain(&deviations).any(|moment| !moment.is_finite()) {
            return Err(NotApplicable::TooLarge);
        }
        let mut reconstruction = Self { means, deviations, components: Vec::new() };
        let eigen = Eigen::of_symmetric(reconstruction.correlations(reference));
        let total: f64 = eigen.values.iter().sum();
        if total <= 0.0 {
            return Err(NotApplicable::Constant);
        }
        let mut sum = 0.0;
        for (value, vector) in eigen.values.into_iter().zip(eigen.vectors) {
            if sum / total > explained {
                break;
            }
            sum += value;
            reconstruction.components.push(vector);
        }
        Ok(reconstruction)
    }

    /// Components kept.
    pub fn components(&self) -> usize {
        self.components.len()
    }

    /// The reconstruction error of rows as wide as the reference.
    pub fn error(&self, rows: &Matrix) -> Result<ReconstructionError, NotApplicable> {
        if rows.width() != self.means.len() {
            return Err(NotApplicable::UnequalVectors);
        }
        if rows.len() == 0 {
            return Err(NotApplicable::EmptyCurrent);
        }
        let errors: Vec<f64> = rows.rows().map(|row| self.row_error(row)).collect();
        let count = errors.len() as f64;
        let mean = finite(errors.iter().sum::<f64>() / count)?;
        let squares: f64 = errors.iter().map(|error| (error - mean).powi(2)).sum();
        let sampling_error = (squares / (count - 1.0) / count).sqrt();
        Ok(ReconstructionError {
            mean,
            sampling_error: Some(sampling_error).filter(|error| error.is_finite()),
        })
    }

    /// Mean ± 3 standard deviations (divided by n) of the errors of reference chunks.
    pub fn limits(chunk_errors: &[f64]) -> Result<ErrorLimits, NotApplicable> {
        if chunk_errors.is_empty() {
            return Err(NotApplicable::EmptyReference);
        }
        let count = chunk_errors.len() as f64;
        let mean = finite(chunk_errors.iter().sum::<f64>() / count)?;
        let deviation = (chunk_errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / count).sqrt();
        Ok(ErrorLimits { lower: mean - 3.0 * deviation, upper: mean + 3.0 * deviation })
    }

    fn scaled(&self, row: &[f64]) -> Vec<f64> {
        let moments = self.means.iter().zip(&self.deviations);
        row.iter().zip(moments).map(|(value, (mean, deviation))| (value - mean) / deviation).collect()
    }

    fn correlations(&self, reference: &Matrix) -> Vec<Vec<f64>> {
        let width = reference.width();
        let mut sums = vec![vec![0.0; width]; width];
        for row in reference.rows() {
            let scaled = self.scaled(row);
            for i in 0..width {
                for j in 0..width {
                    sums[i][j] += scaled[i] * scaled[j] / reference.len() as f64;
                }
            }
        }
        sums
    }

    fn row_error(&self, row: &[f64]) -> f64 {
        let mut rest = self.scaled(row);
        for component in &self.components {
            let along: f64 = rest.iter().zip(component).map(|(value, direction)| value * direction).sum();
            rest.iter_mut().zip(component).for_each(|(value, direction)| *value -= along * direction);
        }
        rest.iter().map(|value| value * value).sum::<f64>().sqrt()
    }
}

/// Relative frequencies in the reference of each category of a column, for tables with categories: `None` and unseen
/// values have the frequency 0.
pub fn frequencies(reference: &[Option<&str>], column: &[Option<&str>]) -> Vec<f64> {
    let mut counts: std::collections::HashMap<&str, f64> = std::collections::HashMap::new();
    for value in reference.iter().flatten() {
        *counts.entry(value).or_default() += 1.0;
    }
    let frequency = |value: &str| counts.get(value).map_or(0.0, |count| count / reference.len() as f64);
    column.iter().map(|value| value.map_or(0.0, frequency)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_off_the_component_are_rebuilt_badly() {
        let line: Vec<[f64; 2]> = (0..100).map(|x| [f64::from(x), 2.0 * f64::from(x)]).collect();
        let reference = Matrix::of_rows(2, line.iter().map(<[f64; 2]>::as_slice)).unwrap();
        let reconstruction = Reconstruction::of(&reference, 0.65).unwrap();
        assert_eq!(reconstruction.components(), 1);
        assert!(reconstruction.error(&reference).unwrap().mean < 1e-9);
        let off = Matrix::of_rows(2, [[90.0, 20.0].as_slice()].into_iter()).unwrap();
        assert!(reconstruction.error(&off).unwrap().mean > 1.0);
    }
}
