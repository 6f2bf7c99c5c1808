//! A numeric column in its usual figures.

use crate::sample::Sample;

/// What a column of numbers looks like. Figures that the values cannot give (an empty or constant column, values too
/// large to add) are absent, never NaN.
#[derive(Clone, Debug)]
pub struct Description {
    /// Rows, missing and infinite ones included.
    pub rows: usize,
    /// Rows without a finite value.
    pub unusable: usize,
    /// Distinct finite values.
    pub distinct: usize,
    /// Mean.
    pub mean: Option<f64>,
    /// Standard deviation divided by n.
    pub population_deviation: Option<f64>,
    /// Standard deviation divided by n − 1.
    pub sample_deviation: Option<f64>,
    /// Third standardised moment.
    pub skewness: Option<f64>,
    /// Fourth standardised moment less 3.
    pub excess_kurtosis: Option<f64>,
    sample: Sample,
}

/// Describes a column; NaN and infinities are counted and take no part in the rest.
pub fn describe(values: &[f64]) -> Description {
    let sample = Sample::of(values);
    let count = sample.len() as f64;
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let deviation = sample.population_deviation().ok().and_then(finite).filter(|_| sample.len() > 0);
    let moment = |power: i32| {
        let deviation = deviation.filter(|deviation| *deviation > 0.0)?;
        let sum: f64 =
            sample.sorted.iter().map(|value| ((value - sample.mean) / deviation).powi(power)).sum();
        finite(sum / count)
    };
    Description {
        rows: values.len(),
        unusable: values.len() - sample.len(),
        distinct: sample.sorted.chunk_by(|a, b| a == b).count(),
        mean: if sample.is_constant() { sample.sorted.first().copied() } else { finite(sample.mean) },
        population_deviation: deviation,
        sample_deviation: finite(sample.variance().sqrt()).filter(|_| sample.len() > 1),
        skewness: moment(3),
        excess_kurtosis: moment(4).map(|kurtosis| kurtosis - 3.0),
        sample,
    }
}

impl Description {
    /// A quantile (0–1) by linear interpolation (type 7 of Hyndman & Fan 1996).
    pub fn quantile(&self, level: f64) -> Option<f64> {
        (self.sample.len() > 0 && !level.is_nan()).then(|| self.sample.quantile(level))
    }
}
