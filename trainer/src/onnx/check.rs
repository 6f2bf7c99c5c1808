//! Compares an exported model, as the runtime answers it, with the learner that it was exported from.

use chasqui_runtime::{Limits, Model, Task};

use crate::features::{Feature, encode};
use crate::learners::Fitted;
use crate::{ColumnData, Predictions, Table, TrainError, evaluate};

/// Most rows of the table that are compared.
const ROWS: usize = 1000;
/// Largest difference, in units of the largest answer or of one.
const TOLERANCE: f64 = 1e-5;

/// What the model predicts: the target column, the task, the classes.
type Purpose<'a> = (&'a str, Task, Option<&'a [String]>);

/// Loads the file, which must read the features it was made for.
pub(crate) fn load(onnx: &[u8], features: &[Feature]) -> Result<Model, TrainError> {
    let model = Model::load(onnx, &Limits::default())?;
    let names: Vec<&str> = model.signature().features.iter().map(|feature| feature.name.as_str()).collect();
    if !names.iter().copied().eq(features.iter().map(|feature| feature.name.as_str())) {
        return Err(TrainError::Mismatch(format!("it reads the features {}", names.join(", "))));
    }
    Ok(model)
}

/// Compares the model's answers on some of the rows of the table, then on the same rows with features missing
/// and categories that no training row had.
pub(crate) fn check(
    model: &Model,
    fitted: &Fitted,
    features: &[Feature],
    table: &Table,
    rows: &[usize],
    purpose: Purpose<'_>,
) -> Result<(), TrainError> {
    let step = rows.len().div_ceil(ROWS).max(1);
    let sample: Vec<usize> = rows.iter().copied().step_by(step).collect();
    let clean = table.take(&sample);
    compare(model, fitted, features, &clean, purpose)?;
    compare(model, fitted, features, &damage(&clean, features), purpose)
}

/// Takes away one feature per row, in turn, and all of them in every last row of a turn; texts become one that
/// is new in every second turn.
fn damage(table: &Table, features: &[Feature]) -> Table {
    let mut damaged = table.clone();
    let turn = features.len() + 1;
    for (position, feature) in features.iter().enumerate() {
        for column in damaged.columns_mut().iter_mut().filter(|column| column.name == feature.name) {
            let hit = |row: usize| row % turn == position || row % turn == turn - 1;
            match &mut column.data {
                ColumnData::Number(values) => {
                    (0..values.len()).filter(|row| hit(*row)).for_each(|row| values[row] = f64::NAN);
                }
                ColumnData::Text(values) => {
                    for row in (0..values.len()).filter(|row| hit(*row)) {
                        let new = (row / turn).is_multiple_of(2);
                        values[row] = new.then(|| "\u{1}new\u{1}".to_owned());
                    }
                }
                ColumnData::Time(_) => {}
            }
        }
    }
    damaged
}

fn compare(
    model: &Model,
    fitted: &Fitted,
    features: &[Feature],
    table: &Table,
    (target, task, classes): Purpose<'_>,
) -> Result<(), TrainError> {
    let rows: Vec<usize> = (0..table.rows()).collect();
    let exported = evaluate(model, table, &rows, target, task)?.predictions;
    let own = fitted.predict(&encode(features, table, &rows)?, rows.len(), classes);
    let (exported, own) = match (exported, own) {
        (Predictions::Values(exported), Predictions::Values(own)) => (exported, own),
        (
            Predictions::Probabilities { classes: theirs, values: exported },
            Predictions::Probabilities { classes: ours, values: own },
        ) if theirs == ours => (exported, own),
        _ => return Err(TrainError::Mismatch("it has other classes".into())),
    };
    let scale = own.iter().fold(1.0, |scale: f64, value| scale.max(value.abs()));
    let width = own.len() / rows.len().max(1);
    for (position, (exported, own)) in exported.iter().zip(&own).enumerate() {
        // Written so that NaN is a difference too.
        let equal = (exported - own).abs() <= TOLERANCE * scale;
        if !equal {
            return Err(TrainError::Mismatch(format!(
                "{exported} instead of {own} in row {}",
                position / width
            )));
        }
    }
    Ok(())
}
