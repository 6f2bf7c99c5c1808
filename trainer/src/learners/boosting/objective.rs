//! The losses that boosting descends: their gradients, second derivatives and start scores.

use std::ops::Range;

use crate::learners::{Link, sigmoid, softmax};
use crate::target::Target;

/// Second derivatives are kept above this, so that a leaf of sure rows keeps a finite answer.
const LEAST_HESSIAN: f64 = 1e-16;

/// A target with its loss.
pub(super) enum Objective {
    /// Squared error, the target in units of its spread.
    Squared { values: Vec<f64>, mean: f64, spread: f64 },
    /// Log loss of two classes.
    Logistic { labels: Vec<f64>, base: f64 },
    /// Log loss of more classes.
    Softmax { codes: Vec<u32>, base: Vec<f64>, most_frequent: u32 },
}

impl Objective {
    /// Reads the target of all rows; units and start scores come from the first `fitted` rows.
    pub(super) fn new(target: &Target, fitted: usize) -> Objective {
        match target {
            Target::Numbers(numbers) => {
                let known = &numbers[..fitted];
                let mean = known.iter().sum::<f64>() / fitted as f64;
                let variance = known.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / fitted as f64;
                let spread = if variance > 0.0 { variance.sqrt() } else { 1.0 };
                let values = numbers.iter().map(|value| (value - mean) / spread).collect();
                Objective::Squared { values, mean, spread }
            }
            Target::Classes(classes, codes) => {
                // Half a row for every class: one that the fitted rows lack keeps a finite start score.
                let mut counts = vec![0.5; classes.len()];
                codes[..fitted].iter().for_each(|&code| counts[code as usize] += 1.0);
                if classes.len() == 2 {
                    let labels = codes.iter().map(|&code| f64::from(code)).collect();
                    return Objective::Logistic { labels, base: f64::ln(counts[1] / counts[0]) };
                }
                let total: f64 = counts.iter().sum();
                let mut most_frequent = 0;
                for class in 1..counts.len() {
                    if counts[class] > counts[most_frequent] {
                        most_frequent = class;
                    }
                }
                Objective::Softmax {
                    codes: codes.clone(),
                    base: counts.iter().map(|count: &f64| (count / total).ln()).collect(),
                    most_frequent: most_frequent as u32,
                }
            }
        }
    }

    /// Scores per row.
    pub(super) fn outputs(&self) -> usize {
        match self {
            Objective::Squared { .. } | Objective::Logistic { .. } => 1,
            Objective::Softmax { base, .. } => base.len(),
        }
    }

    /// The scores before the first tree.
    pub(super) fn base(&self) -> Vec<f64> {
        match self {
            Objective::Squared { .. } => vec![0.0],
            Objective::Logistic { base, .. } => vec![*base],
            Objective::Softmax { base, .. } => base.clone(),
        }
    }

    pub(super) fn link(&self) -> Link {
        match self {
            Objective::Squared { .. } => Link::Identity,
            Objective::Logistic { .. } => Link::Logistic,
            Objective::Softmax { .. } => Link::Softmax,
        }
    }

    /// Mean and spread of the target, when scores are in units of them.
    pub(super) fn units(&self) -> Option<(f64, f64)> {
        match self {
            Objective::Squared { mean, spread, .. } => Some((*mean, *spread)),
            Objective::Logistic { .. } | Objective::Softmax { .. } => None,
        }
    }

    /// First and second derivative of the loss by the score `output`, for the first `fitted` rows.
    pub(super) fn gradients(&self, scores: &[f64], output: usize, fitted: usize) -> Vec<[f32; 2]> {
        match self {
            Objective::Squared { values, .. } => scores[..fitted]
                .iter()
                .zip(values)
                .map(|(score, value)| [(score - value) as f32, 1.0])
                .collect(),
            Objective::Logistic { labels, .. } => scores[..fitted]
                .iter()
                .zip(labels)
                .map(|(&score, label)| {
                    let p = sigmoid(score);
                    [(p - label) as f32, (p * (1.0 - p)).max(LEAST_HESSIAN) as f32]
                })
                .collect(),
            Objective::Softmax { codes, base, .. } => {
                let classes = base.len();
                // The diagonal alone underestimates the curvature of more classes (Friedman 2001, algorithm 6).
                let factor = classes as f64 / (classes as f64 - 1.0);
                scores
                    .chunks_exact(classes)
                    .zip(codes)
                    .take(fitted)
                    .map(|(scores, &code)| {
                        let p = probability(scores, output);
                        let label = if code as usize == output { 1.0 } else { 0.0 };
                        [(p - label) as f32, (factor * p * (1.0 - p)).max(LEAST_HESSIAN) as f32]
                    })
                    .collect()
            }
        }
    }

    /// Mean loss over `rows`.
    pub(super) fn loss(&self, scores: &[f64], rows: Range<usize>) -> f64 {
        let count = rows.len() as f64;
        let total: f64 = match self {
            Objective::Squared { values, .. } => rows.map(|row| (scores[row] - values[row]).powi(2)).sum(),
            Objective::Logistic { labels, .. } => rows
                .map(|row| {
                    let score = scores[row];
                    score.max(0.0) - score * labels[row] + (-score.abs()).exp().ln_1p()
                })
                .sum(),
            Objective::Softmax { codes, base, .. } => rows
                .map(|row| {
                    let scores = &scores[row * base.len()..(row + 1) * base.len()];
                    -softmax(scores)[codes[row] as usize].max(1e-300).ln()
                })
                .sum(),
        };
        total / count
    }

    /// The name of the figure that [`Objective::readable`] gives.
    pub(super) fn metric(&self) -> &'static str {
        match self {
            Objective::Squared { .. } => "rmse",
            Objective::Logistic { .. } | Objective::Softmax { .. } => "log_loss",
        }
    }

    /// A mean loss as people read it: in the units of the target.
    pub(super) fn readable(&self, loss: f64) -> f64 {
        match self {
            Objective::Squared { spread, .. } => loss.sqrt() * spread,
            Objective::Logistic { .. } | Objective::Softmax { .. } => loss,
        }
    }

    /// The number whose mean orders the levels of categories: the target, or whether it is the last of two
    /// classes or the most frequent of more.
    pub(super) fn ordering_value(&self, row: usize) -> f64 {
        match self {
            Objective::Squared { values, .. } => values[row],
            Objective::Logistic { labels, .. } => labels[row],
            Objective::Softmax { codes, most_frequent, .. } => {
                f64::from(u8::from(codes[row] == *most_frequent))
            }
        }
    }
}

fn probability(scores: &[f64], output: usize) -> f64 {
    let total: f64 = scores.iter().map(|score| (score - scores[output]).exp()).sum();
    1.0 / total
}
