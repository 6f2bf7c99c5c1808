//! Any model's answers on rows of a table, measured: what gates compare and reports show.

use std::collections::BTreeMap;

use chasqui_runtime::{
    DataType, Feature, Model, Signature, Task, Tensor, TensorData, TensorSpec, Value, prediction,
};

use crate::features::number;
use crate::metrics::log_loss;
use crate::target::label;
use crate::{ColumnData, Predictions, Table, TrainError, classification_metrics, regression_metrics};

/// Rows that go through a model at once: bounds the memory of wide inputs.
const CHUNK: usize = 8192;

/// A model measured on rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Its predictions, in the order of the rows.
    pub predictions: Predictions,
    /// A loss per row, smaller is better, for paired comparisons on the same rows: the absolute error of a
    /// regression (its mean is `mae`), the log loss of a classification (its mean is `log_loss`).
    pub losses: Vec<f64>,
    /// The measures of [`regression_metrics`] or [`classification_metrics`].
    pub metrics: BTreeMap<String, f64>,
}

/// Measures `model` on `rows` of `table`, which must all have a value of `target`.
///
/// A label that the model does not know counts as predicted with probability 0.
pub fn evaluate(
    model: &Model,
    table: &Table,
    rows: &[usize],
    target: &str,
    task: Task,
) -> Result<Evaluation, TrainError> {
    let truth = table.required(target)?;
    let predictions = predict(model, table, rows, truth, task)?;
    match &predictions {
        Predictions::Values(values) => {
            let ColumnData::Number(numbers) = truth else {
                let message =
                    format!("the target `{target}` holds {}, which do not suit the task", truth.kind());
                return Err(TrainError::Invalid(message));
            };
            let actual: Vec<f64> = rows.iter().map(|&row| numbers[row]).collect();
            if let Some(position) = actual.iter().position(|value| !value.is_finite()) {
                return Err(no_target(target, rows[position]));
            }
            let losses = actual.iter().zip(values).map(|(truth, guess)| (guess - truth).abs()).collect();
            let metrics = regression_metrics(&actual, values);
            Ok(Evaluation { predictions, losses, metrics })
        }
        Predictions::Probabilities { classes, values } => {
            let mut actual = Vec::with_capacity(rows.len());
            for &row in rows {
                let label = label(truth, row).ok_or_else(|| no_target(target, row))?;
                actual.push(classes.iter().position(|class| same_label(class, &label)));
            }
            let columns = values.chunks_exact(classes.len().max(1));
            let losses = actual.iter().zip(columns).map(|(&class, row)| log_loss(class, row)).collect();
            let metrics = classification_metrics(classes.len(), &actual, values);
            Ok(Evaluation { predictions, losses, metrics })
        }
    }
}

/// Makes the input tensors of a model from the columns of a table that carry its features' names.
///
/// Numbers beyond the type of a floating-point input and missing ones become NaN, missing texts "".
pub fn inputs_for(signature: &Signature, table: &Table, rows: &[usize]) -> Result<Vec<Tensor>, TrainError> {
    let mut inputs = Vec::with_capacity(signature.inputs.len());
    for (position, input) in signature.inputs.iter().enumerate() {
        let mut features: Vec<&Feature> =
            signature.features.iter().filter(|feature| feature.input == position).collect();
        features.sort_by_key(|feature| feature.column);
        let columns = features
            .iter()
            .map(|feature| Ok((feature.name.as_str(), table.required(&feature.name)?)))
            .collect::<Result<Vec<_>, TrainError>>()?;
        if columns.is_empty() {
            let message = format!("the input `{}` of the model has no named features", input.name);
            return Err(TrainError::Invalid(message));
        }
        let shape = if input.shape.len() == 1 { vec![rows.len()] } else { vec![rows.len(), columns.len()] };
        inputs.push(Tensor::new(shape, input_data(input, &columns, rows)?)?);
    }
    Ok(inputs)
}

fn input_data(
    input: &TensorSpec,
    columns: &[(&str, &ColumnData)],
    rows: &[usize],
) -> Result<TensorData, TrainError> {
    let cells = rows.iter().flat_map(|&row| columns.iter().map(move |&(name, data)| (name, data, row)));
    if input.datatype == DataType::Bytes {
        let texts = cells.map(|(name, data, row)| text_cell(name, data, row)).collect::<Result<_, _>>()?;
        return Ok(TensorData::Text(texts));
    }
    let numbers: Vec<f64> =
        cells.map(|(name, data, row)| number_cell(name, data, row)).collect::<Result<_, _>>()?;
    if !input.datatype.is_float() && numbers.iter().any(|number| !number.is_finite()) {
        let message = format!("the input `{}` takes {}, which cannot be missing", input.name, input.datatype);
        return Err(TrainError::Invalid(message));
    }
    Ok(match input.datatype {
        DataType::Bool => TensorData::Bool(numbers.into_iter().map(|number| number != 0.0).collect()),
        DataType::Int8 => TensorData::I8(numbers.into_iter().map(|number| number as i8).collect()),
        DataType::Int16 => TensorData::I16(numbers.into_iter().map(|number| number as i16).collect()),
        DataType::Int32 => TensorData::I32(numbers.into_iter().map(|number| number as i32).collect()),
        DataType::Int64 => TensorData::I64(numbers.into_iter().map(|number| number as i64).collect()),
        DataType::Uint8 => TensorData::U8(numbers.into_iter().map(|number| number as u8).collect()),
        DataType::Uint16 => TensorData::U16(numbers.into_iter().map(|number| number as u16).collect()),
        DataType::Uint32 => TensorData::U32(numbers.into_iter().map(|number| number as u32).collect()),
        DataType::Uint64 => TensorData::U64(numbers.into_iter().map(|number| number as u64).collect()),
        DataType::Fp64 => TensorData::F64(numbers),
        DataType::Fp16 | DataType::Fp32 | DataType::Bytes => {
            TensorData::F32(numbers.into_iter().map(number).collect())
        }
    })
}

fn number_cell(name: &str, data: &ColumnData, row: usize) -> Result<f64, TrainError> {
    match data {
        ColumnData::Number(values) => Ok(values[row]),
        ColumnData::Text(values) => match values[row].as_deref() {
            None | Some("") => Ok(f64::NAN),
            Some(text) => text.trim().parse().map_err(|_| {
                TrainError::invalid(format!(
                    "the model takes numbers in `{name}`, row {row} has the text `{text}`"
                ))
            }),
        },
        ColumnData::Time(_) => {
            Err(TrainError::invalid(format!("the model takes numbers in `{name}`, the column holds times")))
        }
    }
}

fn text_cell(name: &str, data: &ColumnData, row: usize) -> Result<String, TrainError> {
    match data {
        ColumnData::Text(values) => Ok(values[row].clone().unwrap_or_default()),
        ColumnData::Number(values) if values[row].is_nan() => Ok(String::new()),
        ColumnData::Number(values) => Ok(values[row].to_string()),
        ColumnData::Time(_) => {
            Err(TrainError::invalid(format!("the model takes texts in `{name}`, the column holds times")))
        }
    }
}

fn predict(
    model: &Model,
    table: &Table,
    rows: &[usize],
    truth: &ColumnData,
    task: Task,
) -> Result<Predictions, TrainError> {
    let signature = model.signature();
    if signature.task.is_some_and(|own| own != task) {
        let message = format!("the model's task is {:?}, not {task:?}", signature.task);
        return Err(TrainError::Invalid(message));
    }
    let classes = match task {
        Task::Regression => Vec::new(),
        Task::Binary | Task::Multiclass => classes(signature, truth, task)?,
    };
    let mut values = Vec::with_capacity(rows.len() * classes.len().max(1));
    for chunk in rows.chunks(CHUNK) {
        let outputs = model.predict(&inputs_for(signature, table, chunk)?)?;
        for row in 0..chunk.len() {
            match task {
                Task::Regression => values.push(value(signature, &outputs, row)?),
                Task::Binary | Task::Multiclass => {
                    probabilities(signature, &outputs, row, &classes, &mut values)?;
                }
            }
        }
    }
    Ok(match task {
        Task::Regression => Predictions::Values(values),
        Task::Binary | Task::Multiclass => Predictions::Probabilities { classes, values },
    })
}

/// The model's classes, or where its file does not name them those that occur in the target.
fn classes(signature: &Signature, truth: &ColumnData, task: Task) -> Result<Vec<String>, TrainError> {
    if !signature.classes.is_empty() {
        return Ok(signature.classes.clone());
    }
    let mut labels: Vec<String> = (0..truth.len()).filter_map(|row| label(truth, row)).collect();
    labels.sort_unstable_by(|a, b| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    });
    labels.dedup();
    if task == Task::Binary && labels.len() != 2 {
        let message =
            format!("the model names no classes and the target has {} labels, not two", labels.len());
        return Err(TrainError::Invalid(message));
    }
    Ok(labels)
}

fn value(signature: &Signature, outputs: &[Tensor], row: usize) -> Result<f64, TrainError> {
    prediction(signature, outputs, row)
        .value
        .ok_or_else(|| TrainError::invalid("the model has no output for the value of a regression"))
}

fn probabilities(
    signature: &Signature,
    outputs: &[Tensor],
    row: usize,
    classes: &[String],
    values: &mut Vec<f64>,
) -> Result<(), TrainError> {
    let scores = signature.roles.scores.and_then(|position| outputs.get(position));
    if let Some(scores) = scores.filter(|scores| scores.shape.get(1) == Some(&classes.len())) {
        let cells = (0..classes.len()).map(|class| scores.data.number(row * classes.len() + class));
        values.extend(cells.map(|cell| cell.unwrap_or(0.0)));
        return Ok(());
    }
    let answer = prediction(signature, outputs, row);
    if let (2, Some(score)) = (classes.len(), answer.score) {
        values.extend([1.0 - score, score]);
        return Ok(());
    }
    // A model that only names a class is sure of it.
    let label = match answer.label {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Text(text)) => text.to_owned(),
        _ => return Err(TrainError::invalid("the model has no output for the class or its probabilities")),
    };
    values.extend(classes.iter().map(|class| if same_label(class, &label) { 1.0 } else { 0.0 }));
    Ok(())
}

/// Whether two labels are the same text or the same number.
fn same_label(a: &str, b: &str) -> bool {
    a == b || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
}

fn no_target(target: &str, row: usize) -> TrainError {
    TrainError::Invalid(format!("row {row} has no value of the target `{target}`"))
}
