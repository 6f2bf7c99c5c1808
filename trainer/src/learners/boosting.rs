//! Gradient boosting of decision trees on histograms (Friedman 2001; second-order form of Chen and Guestrin 2016,
//! "XGBoost", section 2.2; leaf-wise growth on bins as in Ke et al. 2017, "LightGBM").
//!
//! Everything is learned on single-precision values and thresholds, so that an exported model decides every
//! split as it was learned. Categories become numbers: their levels in the order of the mean target, which a
//! threshold then cuts (Fisher 1958: among the best splits into two groups one respects that order).

mod bins;
mod grow;
mod histogram;
mod objective;
mod order;
mod split;
mod tree;

use std::ops::ControlFlow;

use bins::Bins;
use grow::Grower;
use objective::Objective;

use super::{Link, Report, TrainingData};
use crate::TrainError;
use crate::features::Encoded;
use crate::random::Random;
use crate::spec::Boosting;
use crate::split::validation;

pub(crate) use tree::{Node, Tree};

/// Fewest rows from which a validation part is taken; on fewer its loss says too little to stop by.
const MIN_ROWS_TO_STOP_EARLY: usize = 200;

/// A sum of trees.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BoostedModel {
    pub(crate) link: Link,
    /// Scores per row; tree `i` adds to the score `i % outputs`.
    pub(crate) outputs: usize,
    /// The trees, the start score already in the answers of the first round.
    pub(crate) trees: Vec<Tree>,
    /// Per feature the number that stands for each code of a category, "other" last.
    pub(crate) orders: Vec<Option<Vec<f32>>>,
    /// Summed gain of the splits on each feature.
    pub(crate) importance: Vec<f64>,
}

/// Boosts until the validation part stops improving, then again on all rows for as many rounds.
pub(super) fn fit(
    settings: &Boosting,
    data: &TrainingData<'_>,
    seed: u64,
    report: &mut Report<'_>,
) -> Result<BoostedModel, TrainError> {
    if settings.early_stopping == 0 || data.rows < MIN_ROWS_TO_STOP_EARLY {
        return Run::new(settings, data, data.rows, seed)
            .boost(settings.trees, false, report)
            .map(|(model, _)| model);
    }
    let (fitted, _) = validation(data.rows, settings.validation_fraction);
    let mut first = |fraction: f64, message: &str, metric: Option<(&'static str, f64)>| {
        report(fraction * 0.5, message, metric)
    };
    let (_, rounds) = Run::new(settings, data, fitted, seed).boost(settings.trees, true, &mut first)?;
    let mut second = |fraction: f64, message: &str, metric: Option<(&'static str, f64)>| {
        report(0.5 + fraction * 0.5, message, metric)
    };
    Run::new(settings, data, data.rows, seed).boost(rounds, false, &mut second).map(|(model, _)| model)
}

/// One boosting on the first `fitted` rows; the others, if any, are for validation.
struct Run<'a> {
    settings: &'a Boosting,
    objective: Objective,
    orders: Vec<Option<Vec<f32>>>,
    bins: Bins,
    rows: usize,
    fitted: usize,
    seed: u64,
}

impl<'a> Run<'a> {
    fn new(settings: &'a Boosting, data: &TrainingData<'_>, fitted: usize, seed: u64) -> Run<'a> {
        let objective = Objective::new(data.target, fitted);
        let orders: Vec<Option<Vec<f32>>> = data
            .columns
            .iter()
            .zip(data.features)
            .map(|(column, feature)| order::of(column, feature, &objective, fitted))
            .collect();
        let columns: Vec<Vec<f32>> = data
            .columns
            .iter()
            .zip(&orders)
            .map(|(column, order)| order::numbers(column, order.as_deref()))
            .collect();
        let bins = Bins::new(&columns, fitted, settings.bins);
        Run { settings, objective, orders, bins, rows: data.rows, fitted, seed }
    }

    /// At most `rounds` rounds; the model and, when stopping early, the number of rounds with the least loss.
    fn boost(
        &self,
        rounds: usize,
        stop_early: bool,
        report: &mut Report<'_>,
    ) -> Result<(BoostedModel, usize), TrainError> {
        let outputs = self.objective.outputs();
        let base = self.objective.base();
        let mut scores = base.repeat(self.rows);
        let mut grower = Grower::new(self.settings, &self.bins);
        let mut trees = Vec::with_capacity(rounds * outputs);
        let mut best = (f64::INFINITY, 0);
        for round in 0..rounds {
            self.round(round, &mut grower, &mut scores, &mut trees);
            let mut metric = None;
            if stop_early {
                let loss = self.objective.loss(&scores, self.fitted..self.rows);
                metric = Some((self.objective.metric(), self.objective.readable(loss)));
                if loss < best.0 - 1e-9 * best.0.abs().min(1.0) || round == 0 {
                    best = (loss, round + 1);
                }
            }
            let message = format!("round {} of {rounds}", round + 1);
            if report((round + 1) as f64 / rounds as f64, &message, metric) == ControlFlow::Break(()) {
                return Err(TrainError::Cancelled);
            }
            if stop_early && round + 1 - best.1 >= self.settings.early_stopping {
                break;
            }
        }
        let rounds = if stop_early { best.1 } else { rounds };
        trees.truncate(rounds * outputs);
        Ok((self.finish(trees, &base, grower.gains()), rounds))
    }

    fn round(&self, round: usize, grower: &mut Grower<'_>, scores: &mut [f64], trees: &mut Vec<Tree>) {
        let outputs = self.objective.outputs();
        let rows = self.sample(round);
        let gradients: Vec<Vec<[f32; 2]>> =
            (0..outputs).map(|output| self.objective.gradients(scores, output, self.fitted)).collect();
        for (output, gradients) in gradients.iter().enumerate() {
            let features = self.features(round * outputs + output);
            let (tree, leaves) = grower.grow(gradients, rows.clone(), &features);
            let sampled = rows.len();
            for (row, value) in leaves {
                scores[row as usize * outputs + output] += f64::from(value);
            }
            let outside = if sampled < self.fitted { 0 } else { self.fitted };
            let mut inside = rows.iter().peekable();
            for row in outside..self.rows {
                if sampled < self.fitted && inside.next_if(|&&next| next as usize == row).is_some() {
                    continue;
                }
                scores[row * outputs + output] += f64::from(tree.answer_binned(&self.bins, row));
            }
            trees.push(tree);
        }
    }

    fn sample(&self, round: usize) -> Vec<u32> {
        if self.settings.row_fraction >= 1.0 {
            return (0..self.fitted as u32).collect();
        }
        let count = (self.fitted as f64 * self.settings.row_fraction).ceil() as usize;
        Random::new(self.seed, 2 * round as u64).sample(self.fitted, count)
    }

    fn features(&self, tree: usize) -> Vec<u32> {
        let total = self.orders.len();
        let count = (total as f64 * self.settings.column_fraction).ceil() as usize;
        Random::new(self.seed, 2 * tree as u64 + 1).sample(total, count.max(1))
    }

    fn finish(&self, mut trees: Vec<Tree>, base: &[f64], importance: &[f64]) -> BoostedModel {
        let outputs = self.objective.outputs();
        for (output, tree) in trees.iter_mut().take(outputs).enumerate() {
            tree.shift(base[output]);
        }
        if let Some((mean, spread)) = self.objective.units() {
            for (position, tree) in trees.iter_mut().enumerate() {
                tree.rescale(spread, if position < outputs { mean } else { 0.0 });
            }
        }
        BoostedModel {
            link: self.objective.link(),
            outputs,
            trees,
            orders: self.orders.clone(),
            importance: importance.to_vec(),
        }
    }
}

impl BoostedModel {
    /// Rounds of boosting.
    pub(crate) fn rounds(&self) -> usize {
        self.trees.len() / self.outputs
    }

    /// The scores, row by row.
    pub(crate) fn scores(&self, columns: &[Encoded], rows: usize) -> Vec<f64> {
        let columns: Vec<Vec<f32>> = columns
            .iter()
            .zip(&self.orders)
            .map(|(column, order)| order::numbers(column, order.as_deref()))
            .collect();
        let mut scores = vec![0.0; rows * self.outputs];
        for (position, tree) in self.trees.iter().enumerate() {
            for row in 0..rows {
                scores[row * self.outputs + position % self.outputs] += f64::from(tree.answer(&columns, row));
            }
        }
        scores
    }
}

#[cfg(test)]
mod tests;
