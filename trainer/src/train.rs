//! The whole of a training: split, features, learner, export, check, measures, profile.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chasqui_drift::Profile;

use crate::features::{encode, fit};
use crate::learners::{self, TrainingData};
use crate::profile::profile;
use crate::target::{Classes, Target};
use crate::{Split, Table, TrainError, TrainSpec, evaluate, onnx, split};

/// Shares of the time up to the end of: reading the table, learning, exporting and checking.
const READ: f64 = 0.05;
const LEARNED: f64 = 0.9;
const EXPORTED: f64 = 0.95;

/// How far a training is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Share done, 0 to 1, never falling.
    pub fraction: f64,
    /// What is being done, in English.
    pub message: String,
    /// A figure of the model so far and its name: the validation loss of boosting, the training loss of others.
    pub metric: Option<(String, f64)>,
}

/// A trained model.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model as an ONNX file; the same table, specification and seed give the same bytes.
    pub onnx: Vec<u8>,
    /// Measures on the held-out rows.
    pub metrics: BTreeMap<String, f64>,
    /// The training rows as the model sees them, and its answers on the held-out rows.
    pub profile: Profile,
    /// Each feature's share in the model's decisions, the largest first.
    pub importance: Vec<(String, f64)>,
    /// The rows of the table that it learned from, in the order of time.
    pub train_rows: Vec<usize>,
    /// The rows of the table that it never saw, in the order of time.
    pub holdout_rows: Vec<usize>,
    /// Rounds of boosting, or iterations of the optimiser.
    pub rounds: usize,
}

/// Trains the model that `spec` describes on `table`.
///
/// `progress` is called many times a second and ends the training by breaking. The file is loaded by the runtime
/// and answers as the learner does to 1e-5, missing values and unknown categories included, or there is an error.
pub fn train(
    table: &Table,
    spec: &TrainSpec,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Trained, TrainError> {
    let mut tell = |fraction: f64, message: &str, metric: Option<(&'static str, f64)>| {
        let metric = metric.map(|(name, value)| (name.to_owned(), value));
        progress(Progress { fraction, message: message.to_owned(), metric })
    };
    spec.validate_for(table)?;
    step(tell(0.0, "reading the table", None))?;
    let Split { train, holdout } = split(table, spec)?;
    let target = Target::read(table, &spec.target, spec.task, &train)?;
    let features = fit(table, spec, &train)?;
    let columns = encode(&features, table, &train)?;
    let data = TrainingData { features: &features, columns: &columns, target: &target, rows: train.len() };
    let mut learning = |fraction: f64, message: &str, metric: Option<(&'static str, f64)>| {
        tell(READ + (LEARNED - READ) * fraction.clamp(0.0, 1.0), message, metric)
    };
    let fitted = learners::fit(&spec.learner, &data, spec.seed, &mut learning)?;

    step(tell(LEARNED, "exporting and checking the model", None))?;
    let classes = match &target {
        Target::Numbers(_) => None,
        Target::Classes(classes, _) => Some(classes),
    };
    let names = classes.map(Classes::names);
    let bytes = onnx::write(&fitted, &features, classes, spec.task)?;
    let purpose = (spec.target.as_str(), spec.task, names.as_deref());
    let model = onnx::load(&bytes, &features)?;
    for rows in [&train, &holdout] {
        onnx::check(&model, &fitted, &features, table, rows, purpose)?;
    }

    step(tell(EXPORTED, "measuring the model", None))?;
    let metrics = evaluate(&model, table, &holdout, &spec.target, spec.task)?.metrics;
    let names = features.iter().map(|feature| feature.name.clone());
    let mut importance: Vec<(String, f64)> = names.zip(fitted.importance()).collect();
    importance.sort_by(|a, b| b.1.total_cmp(&a.1));
    let profile = profile(&model, model.signature(), table, &train, &holdout, &importance)?;
    step(tell(1.0, "done", None))?;
    Ok(Trained {
        onnx: bytes,
        metrics,
        profile,
        importance,
        train_rows: train,
        holdout_rows: holdout,
        rounds: fitted.rounds(),
    })
}

fn step(answer: ControlFlow<()>) -> Result<(), TrainError> {
    match answer {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(TrainError::Cancelled),
    }
}
