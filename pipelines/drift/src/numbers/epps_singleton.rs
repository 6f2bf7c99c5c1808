//! The Epps–Singleton test: do the empirical characteristic functions agree at two points?

use super::{NumberPair, result};
use crate::{NotApplicable, TestResult, eigen::Eigen, tail};

/// Where the characteristic functions are compared, in half interquartile ranges (Epps & Singleton 1986).
const POINTS: [f64; 2] = [0.4, 0.8];
const NEEDED: usize = 5;
/// Below this many rows on the larger side the statistic is corrected for small samples.
const SMALL: f64 = 25.0;
/// Eigenvalues below this share of the largest count as zero.
const SINGULAR: f64 = 1e-15;

impl NumberPair {
    /// Epps–Singleton test; also for discrete values. Needs five values a side and a middle half that is not
    /// one single value.
    pub fn epps_singleton(&self) -> Result<TestResult, NotApplicable> {
        let (n, m) = self.varied(NEEDED)?;
        let scale = (self.steps.pooled_quantile(0.75) - self.steps.pooled_quantile(0.25)) / 2.0;
        if scale == 0.0 {
            return Err(NotApplicable::NoSpread);
        }
        let (before, after) =
            (Moments::of(&self.before.sorted, scale), Moments::of(&self.after.sorted, scale));
        let size = n + m;
        let covariance: Vec<Vec<f64>> = (0..4)
            .map(|i| {
                (0..4)
                    .map(|j| size / n * before.covariance[i][j] + size / m * after.covariance[i][j])
                    .collect()
            })
            .collect();
        if covariance.iter().flatten().any(|entry| !entry.is_finite()) {
            return Err(NotApplicable::TooLarge);
        }
        let difference: Vec<f64> = before.means.iter().zip(after.means).map(|(a, b)| a - b).collect();
        let eigen = Eigen::of_symmetric(covariance);
        let (mut statistic, mut rank) = (0.0, 0.0);
        for (value, vector) in eigen.values.iter().zip(&eigen.vectors) {
            if *value > eigen.values[0] * SINGULAR {
                let along: f64 = vector.iter().zip(&difference).map(|(a, b)| a * b).sum();
                statistic += along * along / value;
                rank += 1.0;
            }
        }
        statistic *= size;
        if n.max(m) < SMALL {
            statistic /= 1.0 + size.powf(-0.45) + 10.1 * (n.powf(-1.7) + m.powf(-1.7));
        }
        if rank == 0.0 {
            return Err(NotApplicable::NoSpread);
        }
        result(statistic, tail::chi_squared(statistic, rank))
    }
}

/// Means and covariances (divided by n) of cos and sin at both points.
struct Moments {
    means: [f64; 4],
    covariance: [[f64; 4]; 4],
}

impl Moments {
    fn of(values: &[f64], scale: f64) -> Self {
        let waves: Vec<[f64; 4]> = values
            .iter()
            .map(|value| {
                let (low, high) = (POINTS[0] / scale * value, POINTS[1] / scale * value);
                [low.cos(), high.cos(), low.sin(), high.sin()]
            })
            .collect();
        let count = values.len() as f64;
        let means = std::array::from_fn(|i| waves.iter().map(|wave| wave[i]).sum::<f64>() / count);
        let mut covariance = [[0.0; 4]; 4];
        for wave in &waves {
            for i in 0..4 {
                for j in 0..4 {
                    covariance[i][j] += (wave[i] - means[i]) * (wave[j] - means[j]) / count;
                }
            }
        }
        Self { means, covariance }
    }
}
