//! Linear regression with an L2 penalty, and the form of model that it shares with logistic regression.

use std::ops::ControlFlow;

use candle_core::{Device, Tensor};

use super::descent::{self, Minimum};
use super::design::{Design, loss, standardise};
use super::{Link, Report, TrainingData};
use crate::TrainError;
use crate::features::Encoded;
use crate::spec::Linear;
use crate::target::Target;

/// What a feature adds to the scores.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FeatureWeights {
    /// `(value - center) · scale` times a weight per output; nothing where missing.
    Number { center: f32, scale: f32, weights: Vec<f64> },
    /// Per code, "other" last, a weight per output.
    Category(Vec<f64>),
}

/// A model that is linear up to its link.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LinearModel {
    pub(crate) link: Link,
    /// In the order of the features.
    pub(crate) weights: Vec<FeatureWeights>,
    /// Per output.
    pub(crate) intercept: Vec<f64>,
    /// Spread of each feature's part of the scores over the training rows.
    pub(crate) importance: Vec<f64>,
    pub(crate) iterations: usize,
}

/// Fits the target, in units of its own spread, by least squares plus `l2/2 · ‖w‖²`.
pub(super) fn fit(
    settings: &Linear,
    data: &TrainingData<'_>,
    report: &mut Report<'_>,
) -> Result<LinearModel, TrainError> {
    let Target::Numbers(values) = data.target else {
        return Err(TrainError::invalid("the learner `linear` predicts numbers"));
    };
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    let spread = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    let standardised: Vec<f64> = values.iter().map(|value| (value - mean) / spread).collect();
    let target = Tensor::from_vec(standardised, (data.rows, 1), &Device::Cpu)?;
    let mut model = fit_link(Link::Identity, settings, data, &target, report)?;
    for weights in &mut model.weights {
        weights.values_mut().iter_mut().for_each(|weight| *weight *= spread);
    }
    model.intercept[0] = model.intercept[0] * spread + mean;
    Ok(model)
}

/// Fits the scores' weights to `target`, `[rows, outputs]`, by the loss of `link`.
pub(super) fn fit_link(
    link: Link,
    settings: &Linear,
    data: &TrainingData<'_>,
    target: &Tensor,
    report: &mut Report<'_>,
) -> Result<LinearModel, TrainError> {
    let outputs = target.dim(1)?;
    let design = Design::new(data, outputs, settings.l2)?;
    let limits = descent::Limits { max_iterations: settings.max_iterations, tolerance: settings.tolerance };
    let metric = if link == Link::Identity { "squared_loss" } else { "log_loss" };
    let mut watch = |iteration: usize, value: f64| -> ControlFlow<()> {
        // Progress is not linear in the iterations: most fits need a few dozen of the many allowed.
        let fraction = iteration as f64 / (iteration as f64 + 20.0);
        report(fraction, &format!("iteration {iteration}"), Some((metric, value)))
    };
    let mut objective =
        |point: &[f64]| design.objective(point, settings.l2, |scores| loss(link, scores, target));
    let Minimum { point, iterations } =
        descent::minimise(&mut objective, vec![0.0; design.size()], &limits, &mut watch)?;
    let (weights, intercept) = design.unpack(data, &point);
    let importance =
        weights.iter().zip(data.columns).map(|(weights, column)| weights.spread(column, outputs)).collect();
    Ok(LinearModel { link, weights, intercept, importance, iterations })
}

impl LinearModel {
    /// The scores, row by row.
    pub(crate) fn scores(&self, columns: &[Encoded], rows: usize) -> Vec<f64> {
        let outputs = self.intercept.len();
        let mut scores = self.intercept.repeat(rows);
        for (weights, column) in self.weights.iter().zip(columns) {
            for (row, scores) in scores.chunks_exact_mut(outputs).enumerate() {
                weights.add_to(scores, column, row);
            }
        }
        scores
    }
}

impl FeatureWeights {
    fn values_mut(&mut self) -> &mut [f64] {
        match self {
            FeatureWeights::Number { weights, .. } | FeatureWeights::Category(weights) => weights,
        }
    }

    fn add_to(&self, scores: &mut [f64], column: &Encoded, row: usize) {
        match (self, column) {
            (FeatureWeights::Number { center, scale, weights }, Encoded::Number(values)) => {
                let value = standardise(values[row], *center, *scale);
                for (score, weight) in scores.iter_mut().zip(weights) {
                    *score += value * weight;
                }
            }
            (FeatureWeights::Category(weights), Encoded::Category(codes)) => {
                let start = codes[row] as usize * scores.len();
                for (score, weight) in scores.iter_mut().zip(&weights[start..]) {
                    *score += weight;
                }
            }
            _ => unreachable!(
                "a column is encoded as the kind of its feature, which the weights were made from"
            ),
        }
    }

    /// Standard deviation of this feature's part of the scores, summed over the outputs.
    fn spread(&self, column: &Encoded, outputs: usize) -> f64 {
        let rows = match column {
            Encoded::Number(values) => values.len(),
            Encoded::Category(codes) => codes.len(),
        };
        let (mut sums, mut squares) = (vec![0.0; outputs], vec![0.0; outputs]);
        let mut part = vec![0.0; outputs];
        for row in 0..rows {
            part.fill(0.0);
            self.add_to(&mut part, column, row);
            for output in 0..outputs {
                sums[output] += part[output];
                squares[output] += part[output] * part[output];
            }
        }
        let rows = rows as f64;
        let variance = |(sum, square): (&f64, &f64)| (square / rows - (sum / rows).powi(2)).max(0.0);
        sums.iter().zip(&squares).map(|moments| variance(moments).sqrt()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{Feature, FeatureKind, Levels};
    use crate::random::Random;

    fn uniform(random: &mut Random) -> f64 {
        (random.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Solves a small symmetric positive definite system by elimination.
    fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
        let size = right.len();
        for pivot in 0..size {
            for row in pivot + 1..size {
                let upper = matrix[pivot].clone();
                let factor = matrix[row][pivot] / upper[pivot];
                for (cell, above) in matrix[row].iter_mut().zip(&upper) {
                    *cell -= factor * above;
                }
                right[row] -= factor * right[pivot];
            }
        }
        for row in (0..size).rev() {
            let known: f64 = (row + 1..size).map(|column| matrix[row][column] * right[column]).sum();
            right[row] = (right[row] - known) / matrix[row][row];
        }
        right
    }

    #[test]
    fn the_fit_is_the_closed_form() {
        let mut random = Random::new(3, 0);
        let rows = 400;
        let numbers: Vec<f32> = (0..rows).map(|_| (uniform(&mut random) * 50.0 + 900.0) as f32).collect();
        let codes: Vec<u32> = (0..rows).map(|_| random.below(3) as u32).collect();
        let target: Vec<f64> = (0..rows)
            .map(|row| {
                f64::from(numbers[row]) * 0.7 + f64::from(codes[row]) * 12.0 + uniform(&mut random) * 5.0
            })
            .collect();
        let features = [
            Feature { name: "x".into(), kind: FeatureKind::Number },
            Feature { name: "c".into(), kind: FeatureKind::Category(Levels::Numbers(vec![0.0, 1.0, 2.0])) },
        ];
        let columns = [Encoded::Number(numbers), Encoded::Category(codes.clone())];
        let y = Target::Numbers(target.clone());
        let data = TrainingData { features: &features, columns: &columns, target: &y, rows };
        let settings = Linear { l2: 2.5, tolerance: 1e-10, ..Linear::default() };
        let model = fit(&settings, &data, &mut |_, _, _| ControlFlow::Continue(())).unwrap();

        // Closed form in the same standardised units: (XᵀX + l2·I₀) w = Xᵀy, the intercept unpenalised.
        let FeatureWeights::Number { center, scale, weights } = &model.weights[0] else {
            panic!("no number")
        };
        let Encoded::Number(numbers) = &columns[0] else { panic!("no number") };
        let mean = target.iter().sum::<f64>() / rows as f64;
        let spread = (target.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / rows as f64).sqrt();
        let (mut matrix, mut right) = (vec![vec![0.0; 5]; 5], vec![0.0; 5]);
        for row in 0..rows {
            let mut x = [standardise(numbers[row], *center, *scale), 0.0, 0.0, 0.0, 1.0];
            x[1 + codes[row] as usize] = 1.0;
            for i in 0..5 {
                for j in 0..5 {
                    matrix[i][j] += x[i] * x[j];
                }
                right[i] += x[i] * (target[row] - mean) / spread;
            }
        }
        (0..4).for_each(|i| matrix[i][i] += 2.5);
        let expected = solve(matrix, right);
        assert!((weights[0] - expected[0] * spread).abs() < 1e-6, "{} {}", weights[0], expected[0] * spread);
        let FeatureWeights::Category(weights) = &model.weights[1] else { panic!("no category") };
        for level in 0..3 {
            assert!((weights[level] - expected[1 + level] * spread).abs() < 1e-5);
        }
        assert_eq!(weights[3], 0.0);
        assert!((model.intercept[0] - (expected[4] * spread + mean)).abs() < 1e-5);
    }
}
