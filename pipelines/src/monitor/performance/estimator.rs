//! What a version's held-out rows say about its later performance: the reference that windows are judged by, and for a
//! regression a model of its losses.

use std::ops::ControlFlow;

use bytes::Bytes;
use chasqui_drift::performance::{
    Cbpe, CbpeSettings, ClassLabelled, Confusion, Labelled, Loss, LossEstimator, MulticlassCbpe, Prediction,
};
use chasqui_registry::estimator::EstimatorBytes;
use chasqui_runtime::{Model, Task};
use chasqui_trainer::{Boosting, Column, ColumnData, Holdout, Learner, Table, TrainSpec, train};
use serde::{Deserialize, Serialize};

use super::answers::{Answers, ask, label_of, same_label};
use crate::error::{Error, Result};

/// Fewer held-out rows than this make no reference.
const FEWEST_ROWS: usize = 60;
/// Fewer than this train no model of losses.
const FEWEST_FOR_LOSSES: usize = 200;
/// Chunks that the held-out rows are cut into at least, so that their scatter is known.
const FEWEST_CHUNKS: usize = 8;
const SMALLEST_CHUNK: usize = 20;
/// What the model of losses learns.
const LOSS_COLUMN: &str = "_loss";

/// The estimator of one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimator {
    /// What windows are judged by.
    pub reference: Reference,
    /// Held-out rows behind it.
    pub rows: u64,
    /// Rows of each chunk that its thresholds are of.
    pub chunk_rows: u64,
    /// The column that the answer has among the inputs of the model of losses.
    pub answer_column: String,
}

impl Estimator {
    /// It needs the scores of all classes, which the log does not have: the version's model is asked again.
    pub fn needs_scores(&self) -> bool {
        matches!(self.reference, Reference::Multiclass { .. })
    }

    /// It asks a model about logged inputs: the version's own, or that of its losses.
    pub fn asks_again(&self) -> bool {
        !matches!(self.reference, Reference::Binary { .. })
    }
}

/// What the held-out rows say, by the kind of prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reference {
    /// Two classes.
    Binary {
        /// Calibration and thresholds.
        cbpe: Cbpe,
        /// The class that is a yes.
        positive: String,
        /// The held-out rows by answer and truth.
        cells: Confusion,
        /// Area under the ROC curve and other measures of the held-out rows, by name.
        accepted: Vec<(String, f64)>,
    },
    /// More classes.
    Multiclass {
        /// Calibrations and thresholds.
        cbpe: MulticlassCbpe,
        /// The classes in the order of the model's scores.
        classes: Vec<String>,
        /// Measures of the held-out rows, by name.
        accepted: Vec<(String, f64)>,
    },
    /// Numbers.
    Regression {
        /// The mean absolute loss.
        mean_absolute: LossEstimator,
        /// The root of the mean squared loss.
        root_mean_squared: LossEstimator,
        /// Both losses of the held-out rows.
        accepted: Vec<(String, f64)>,
    },
}

impl Reference {
    /// A measure of the held-out rows.
    pub fn accepted(&self, measure: &str) -> Option<f64> {
        let (Self::Binary { accepted, .. }
        | Self::Multiclass { accepted, .. }
        | Self::Regression { accepted, .. }) = self;
        accepted.iter().find(|(name, _)| name == measure).map(|(_, value)| *value)
    }
}

/// The rows that an estimator is made of.
pub struct HeldOut<'a> {
    /// The version's model.
    pub model: &'a Model,
    /// The table that it was trained on.
    pub table: &'a Table,
    /// Its held-out rows, in the order of time.
    pub rows: &'a [usize],
    /// How it was trained.
    pub spec: &'a TrainSpec,
    /// Rows that a window of its service usually has, where that is known.
    pub window_rows: Option<usize>,
}

/// Makes the estimator of a version from its held-out rows. None with too few of them, or with one class only. Trains:
/// for blocking threads.
///
/// # Errors
/// `Invalid` when the rows do not fit the model.
pub fn fit(held: &HeldOut<'_>) -> Result<Option<EstimatorBytes>> {
    let rows = held.rows.len();
    if rows < FEWEST_ROWS {
        return Ok(None);
    }
    let answers = ask(held.model, held.table, held.rows)?;
    let most = rows / FEWEST_CHUNKS;
    let chunk = held.window_rows.map_or(most, |usual| usual.min(most)).max(SMALLEST_CHUNK);
    let reference = match held.spec.task {
        Task::Binary => binary(held, &answers, chunk)?,
        Task::Multiclass => multiclass(held, &answers, chunk)?,
        Task::Regression => regression(held, &answers, chunk)?,
    };
    let Some(reference) = reference else { return Ok(None) };
    let answer_column = free_name(held.spec);
    let loss_model = match &reference {
        Reference::Regression { .. } if rows >= FEWEST_FOR_LOSSES => {
            Some(Bytes::from(loss_model(held, &answers, &answer_column)?))
        }
        _ => None,
    };
    let estimator = Estimator { reference, rows: rows as u64, chunk_rows: chunk as u64, answer_column };
    let reference = Bytes::from(serde_json::to_vec(&estimator)?);
    Ok(Some(EstimatorBytes { reference, loss_model }))
}

fn truths<'a>(held: &HeldOut<'a>) -> Result<&'a ColumnData> {
    let target = &held.spec.target;
    let missing = || Error::Invalid(format!("the dataset has no column `{target}`"));
    held.table.column(target).ok_or_else(missing)
}

fn binary(held: &HeldOut<'_>, answers: &Answers, chunk: usize) -> Result<Option<Reference>> {
    let target = truths(held)?;
    let Some(positive) = held.model.signature().classes.last().cloned() else { return Ok(None) };
    let (mut scores, mut predicted, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for (place, row) in held.rows.iter().enumerate() {
        let (Some(truth), Some(said)) = (label_of(target, *row), &answers.label[place]) else { continue };
        if answers.score[place].is_finite() {
            scores.push(answers.score[place]);
            predicted.push(same_label(said, &positive));
            labels.push(same_label(&truth, &positive));
        }
    }
    let both = labels.contains(&true) && labels.contains(&false);
    if labels.len() < FEWEST_ROWS || !both {
        return Ok(None);
    }
    let rows = Labelled { scores: &scores, predicted: &predicted, labels: &labels };
    let settings = CbpeSettings { chunk_rows: chunk, value: None, seed: held.spec.seed };
    let cbpe = Cbpe::fit(rows, settings).map_err(Error::internal)?;
    let pairs = predicted.iter().zip(&labels);
    let cells = Confusion::of(pairs.map(|(said, truth)| (*said, f64::from(u8::from(*truth)))));
    let accepted = cbpe.realized(rows).into_iter().map(|real| (name(&real.measure), real.value)).collect();
    Ok(Some(Reference::Binary { cbpe, positive, cells, accepted }))
}

fn multiclass(held: &HeldOut<'_>, answers: &Answers, chunk: usize) -> Result<Option<Reference>> {
    let target = truths(held)?;
    let classes = held.model.signature().classes.clone();
    let class_of = |label: &str| classes.iter().position(|class| same_label(class, label));
    let mut scores = vec![Vec::new(); classes.len()];
    let (mut predicted, mut labels) = (Vec::new(), Vec::new());
    for (place, row) in held.rows.iter().enumerate() {
        let truth = label_of(target, *row).and_then(|label| class_of(&label));
        let said = answers.label[place].as_deref().and_then(class_of);
        let own: Vec<f64> = answers.classes.iter().filter_map(|column| column.get(place)).copied().collect();
        let (Some(truth), Some(said)) = (truth, said) else { continue };
        if own.len() == classes.len() && own.iter().all(|score| score.is_finite()) {
            scores.iter_mut().zip(own).for_each(|(column, score)| column.push(score));
            predicted.push(said);
            labels.push(truth);
        }
    }
    if labels.len() < FEWEST_ROWS {
        return Ok(None);
    }
    let rows = ClassLabelled { scores: &scores, predicted: &predicted, labels: &labels };
    let cbpe = MulticlassCbpe::fit(rows, chunk, held.spec.seed).map_err(Error::internal)?;
    let accepted = cbpe.realized(rows).into_iter().map(|real| (name(&real.measure), real.value)).collect();
    Ok(Some(Reference::Multiclass { cbpe, classes, accepted }))
}

fn regression(held: &HeldOut<'_>, answers: &Answers, chunk: usize) -> Result<Option<Reference>> {
    let ColumnData::Number(truths) = truths(held)? else { return Ok(None) };
    let pairs: Vec<Prediction> = held
        .rows
        .iter()
        .zip(&answers.value)
        .map(|(row, answer)| Prediction { answer: *answer, truth: truths[*row] })
        .filter(|pair| pair.answer.is_finite() && pair.truth.is_finite())
        .collect();
    if pairs.len() < FEWEST_ROWS {
        return Ok(None);
    }
    let of = |loss| LossEstimator::fit(loss, &pairs, chunk).map_err(Error::internal);
    let (mean_absolute, root_mean_squared) = (of(Loss::MeanAbsolute)?, of(Loss::RootMeanSquared)?);
    let accepted = [&mean_absolute, &root_mean_squared]
        .into_iter()
        .filter_map(|estimator| estimator.realized(&pairs))
        .map(|real| (name(&real.loss), real.value))
        .collect();
    Ok(Some(Reference::Regression { mean_absolute, root_mean_squared, accepted }))
}

/// Learns the absolute loss of a row from its inputs and its answer, on the held-out rows: on the rows that the version
/// was trained on it errs less than it will.
fn loss_model(held: &HeldOut<'_>, answers: &Answers, answer_column: &str) -> Result<Vec<u8>> {
    let ColumnData::Number(truths) = truths(held)? else {
        return Err(Error::Invalid("the target of a regression holds no numbers".into()));
    };
    let usable: Vec<usize> = (0..held.rows.len())
        .filter(|place| (answers.value[*place] - truths[held.rows[*place]]).is_finite())
        .collect();
    let rows: Vec<usize> = usable.iter().map(|place| held.rows[*place]).collect();
    let of_answers: Vec<f64> = usable.iter().map(|place| answers.value[*place]).collect();
    let losses = of_answers.iter().zip(&rows).map(|(answer, row)| (answer - truths[*row]).abs()).collect();
    let taken = held.table.take(&rows);
    let mut columns: Vec<Column> = taken
        .columns()
        .iter()
        .filter(|column| held.spec.feature_names().any(|name| *name == column.name))
        .cloned()
        .collect();
    columns.push(Column { name: answer_column.to_owned(), data: ColumnData::Number(of_answers) });
    columns.push(Column { name: LOSS_COLUMN.to_owned(), data: ColumnData::Number(losses) });
    let table = Table::new(columns).map_err(|error| Error::Invalid(error.to_string()))?;
    let spec = loss_spec(held.spec, answer_column, rows.len());
    let trained = train(&table, &spec, &mut |_| ControlFlow::Continue(()));
    Ok(trained.map_err(|error| Error::Invalid(format!("the model of losses: {error}")))?.onnx)
}

fn loss_spec(spec: &TrainSpec, answer_column: &str, rows: usize) -> TrainSpec {
    let mut numeric = spec.numeric.clone();
    numeric.push(answer_column.to_owned());
    TrainSpec {
        target: LOSS_COLUMN.to_owned(),
        task: Task::Regression,
        numeric,
        categorical: spec.categorical.clone(),
        learner: Learner::GradientBoosting(Boosting {
            trees: 120,
            depth: 3,
            learning_rate: 0.08,
            min_leaf: (rows / 40).max(10),
            ..Boosting::default()
        }),
        time_column: None,
        holdout: Holdout { fraction: 0.1 },
        seed: spec.seed,
    }
}

/// A name for the answer that no feature has.
fn free_name(spec: &TrainSpec) -> String {
    let mut name = "_answer".to_owned();
    while spec.feature_names().any(|feature| *feature == name) {
        name.push('_');
    }
    name
}

/// The name of a measure or a loss, as it stands in JSON.
pub(super) fn name<T: Serialize>(measure: &T) -> String {
    match serde_json::to_value(measure) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
