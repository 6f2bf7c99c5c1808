//! The learners: encoded columns and a target in, a fitted model out that answers and can be exported.

pub(crate) mod boosting;
mod descent;
mod design;
pub(crate) mod linear;
mod logistic;

use std::ops::ControlFlow;

use crate::features::{Encoded, Feature};
use crate::target::{Classes, Target};
use crate::{Learner, Predictions, TrainError};

pub(crate) use boosting::BoostedModel;
pub(crate) use linear::LinearModel;

/// The training rows, in the order of time.
pub(crate) struct TrainingData<'a> {
    pub(crate) features: &'a [Feature],
    pub(crate) columns: &'a [Encoded],
    pub(crate) target: &'a Target,
    pub(crate) rows: usize,
}

/// How far a learner is: share done (0–1), what it did, and a named figure of the current model.
pub(crate) type Report<'a> = dyn FnMut(f64, &str, Option<(&'static str, f64)>) -> ControlFlow<()> + 'a;

/// A model as its learner left it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fitted {
    Linear(LinearModel),
    Boosted(BoostedModel),
}

/// How scores become predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// One score, the prediction itself.
    Identity,
    /// One score, the log odds of the positive of two classes.
    Logistic,
    /// A score per class, its log probability up to a constant.
    Softmax,
}

impl Link {
    pub(crate) fn of(target: &Target) -> Link {
        match target {
            Target::Numbers(_) => Link::Identity,
            Target::Classes(classes, _) if classes.len() == 2 => Link::Logistic,
            Target::Classes(..) => Link::Softmax,
        }
    }
}

pub(crate) fn fit(
    learner: &Learner,
    data: &TrainingData<'_>,
    seed: u64,
    report: &mut Report<'_>,
) -> Result<Fitted, TrainError> {
    match learner {
        Learner::Linear(settings) => Ok(Fitted::Linear(linear::fit(settings, data, report)?)),
        Learner::Logistic(settings) => Ok(Fitted::Linear(logistic::fit(settings, data, report)?)),
        Learner::GradientBoosting(settings) => {
            Ok(Fitted::Boosted(boosting::fit(settings, data, seed, report)?))
        }
    }
}

impl Fitted {
    /// Predictions for encoded rows.
    pub(crate) fn predict(
        &self,
        columns: &[Encoded],
        rows: usize,
        classes: Option<&[String]>,
    ) -> Predictions {
        let (link, scores) = match self {
            Fitted::Linear(model) => (model.link, model.scores(columns, rows)),
            Fitted::Boosted(model) => (model.link, model.scores(columns, rows)),
        };
        let values = match link {
            Link::Identity => return Predictions::Values(scores),
            Link::Logistic => {
                scores.into_iter().flat_map(|score| [sigmoid(-score), sigmoid(score)]).collect()
            }
            Link::Softmax => {
                let classes = scores.len() / rows.max(1);
                scores.chunks_exact(classes.max(1)).flat_map(softmax).collect()
            }
        };
        Predictions::Probabilities { classes: classes.map(<[String]>::to_vec).unwrap_or_default(), values }
    }

    /// Each feature's share in the model's decisions, summing to 1 unless the model is constant.
    pub(crate) fn importance(&self) -> Vec<f64> {
        let raw = match self {
            Fitted::Linear(model) => &model.importance,
            Fitted::Boosted(model) => &model.importance,
        };
        let total: f64 = raw.iter().sum();
        if total > 0.0 { raw.iter().map(|share| share / total).collect() } else { raw.clone() }
    }

    /// Rounds of boosting or iterations of the optimiser.
    pub(crate) fn rounds(&self) -> usize {
        match self {
            Fitted::Linear(model) => model.iterations,
            Fitted::Boosted(model) => model.rounds(),
        }
    }
}

impl Classes {
    /// The labels as signatures write them.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Classes::Numbers(labels) => labels.iter().map(ToString::to_string).collect(),
            Classes::Texts(labels) => labels.clone(),
        }
    }
}

pub(crate) fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

pub(crate) fn softmax(scores: &[f64]) -> Vec<f64> {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - highest).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / total).collect()
}
