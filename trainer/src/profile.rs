//! The profile of a model's training data, which later drift checks compare with.

use chasqui_drift::{ColumnProfile, Profile, Reference};
use chasqui_runtime::{FeatureKind, Model, Signature, Task, Tensor, Value, feature_value, prediction};

use crate::{Table, TrainError, inputs_for};

/// Describes `rows` of the table as the model sees them, and its answers on `answered`, which are best rows that
/// it was not trained on: on its own training rows a model is surer than it will be. `signature` is the model's, with
/// the names that the table's columns have.
///
/// The cells are made from the model's input tensors, not from the table: a number that single precision rounds
/// would otherwise fall beside its own cell when it comes back as traffic.
pub fn profile(
    model: &Model,
    signature: &Signature,
    table: &Table,
    rows: &[usize],
    answered: &[usize],
    importance: &[(String, f64)],
) -> Result<Profile, TrainError> {
    let inputs = inputs_for(signature, table, rows)?;
    let features = (0..signature.features.len())
        .map(|feature| {
            let name = signature.features[feature].name.clone();
            let importance = importance.iter().find(|(other, _)| *other == name).map(|(_, share)| *share);
            ColumnProfile { importance, reference: reference(signature, &inputs, rows.len(), feature), name }
        })
        .collect();
    let outputs = model.predict(&inputs_for(signature, table, answered)?)?;
    let prediction = answers(signature, &outputs, answered.len());
    Ok(Profile { rows: rows.len() as u64, features, prediction })
}

fn reference(signature: &Signature, inputs: &[Tensor], rows: usize, feature: usize) -> Reference {
    let cells = (0..rows).map(|row| feature_value(signature, inputs, row, feature));
    match signature.features[feature].kind {
        FeatureKind::Number => Reference::of_numbers(&cells.map(number).collect::<Vec<f64>>()),
        FeatureKind::Text => Reference::of_texts(cells.map(text)),
    }
}

/// A regression's values, the probabilities of the positive of two classes, or the labels of more.
fn answers(signature: &Signature, outputs: &[Tensor], rows: usize) -> Option<ColumnProfile> {
    let answers: Vec<_> = (0..rows).map(|row| prediction(signature, outputs, row)).collect();
    let numbers = |values: Vec<Option<f64>>| {
        let known = values.iter().any(Option::is_some);
        known.then(|| {
            Reference::of_numbers(
                &values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect::<Vec<f64>>(),
            )
        })
    };
    let reference = match signature.task {
        Some(Task::Regression) | None => numbers(answers.iter().map(|answer| answer.value).collect()),
        Some(Task::Binary) => numbers(answers.iter().map(|answer| answer.score).collect()),
        Some(Task::Multiclass) => {
            let labels: Vec<Option<String>> =
                answers.iter().map(|answer| answer.label.and_then(label)).collect();
            Some(Reference::of_texts(labels.iter().map(Option::as_deref)))
        }
    }?;
    Some(ColumnProfile { name: "prediction".into(), importance: None, reference })
}

fn number(value: Value<'_>) -> f64 {
    match value {
        Value::Number(number) => number,
        _ => f64::NAN,
    }
}

fn text(value: Value<'_>) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn label(value: Value<'_>) -> Option<String> {
    match value {
        Value::Missing => None,
        Value::Number(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.to_owned()),
    }
}
