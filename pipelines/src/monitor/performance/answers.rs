//! What a version said, and what was true, as columns.

use chasqui_registry::prediction_log::label_text;
use chasqui_runtime::{Model, Signature, prediction};
use chasqui_trainer::{ColumnData, Table, inputs_for};

use crate::error::{Error, Result};

/// Rows that go through a model at once.
const CHUNK: usize = 4096;

/// Answers, one entry per row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Answers {
    pub(super) label: Vec<Option<String>>,
    pub(super) score: Vec<f64>,
    pub(super) value: Vec<f64>,
    /// `[class][row]`, of more than two classes.
    pub(super) classes: Vec<Vec<f64>>,
}

/// Asks a model about rows of a table.
///
/// # Errors
/// `Invalid` when the table lacks an input, or holds it in another type.
pub(super) fn ask(model: &Model, table: &Table, rows: &[usize]) -> Result<Answers> {
    let signature = model.signature();
    let mut answers = Answers::default();
    for chunk in rows.chunks(CHUNK) {
        let inputs =
            inputs_for(signature, table, chunk).map_err(|error| Error::Invalid(error.to_string()))?;
        let outputs = model.predict(&inputs).map_err(Error::internal)?;
        for row in 0..chunk.len() {
            let said = prediction(signature, &outputs, row);
            answers.label.push(said.label.and_then(label_text));
            answers.score.push(said.score.unwrap_or(f64::NAN));
            answers.value.push(said.value.unwrap_or(f64::NAN));
            push_classes(&mut answers.classes, signature, &outputs, row);
        }
    }
    Ok(answers)
}

fn push_classes(
    classes: &mut Vec<Vec<f64>>,
    signature: &Signature,
    outputs: &[chasqui_runtime::Tensor],
    row: usize,
) {
    let count = signature.classes.len();
    let scores = signature.roles.scores.and_then(|place| outputs.get(place));
    let Some(scores) = scores.filter(|scores| count > 2 && scores.shape.get(1) == Some(&count)) else {
        return;
    };
    classes.resize(count, Vec::new());
    for (class, column) in classes.iter_mut().enumerate() {
        column.push(scores.data.number(row * count + class).unwrap_or(f64::NAN));
    }
}

/// A truth of a row of a dataset, as labels are spelled in the log.
pub(super) fn label_of(data: &ColumnData, row: usize) -> Option<String> {
    match data {
        ColumnData::Text(values) => values[row].clone(),
        ColumnData::Number(values) => values[row].is_finite().then(|| values[row].to_string()),
        ColumnData::Time(_) => None,
    }
}

/// Whether two labels are the same text or the same number.
pub(super) fn same_label(one: &str, other: &str) -> bool {
    one == other || matches!((one.parse::<f64>(), other.parse::<f64>()), (Ok(one), Ok(other)) if one == other)
}
