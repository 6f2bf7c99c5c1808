//! The rows of a training: the dataset's latest version, and what the service answered since, with what really happened.

use std::sync::Arc;

use chasqui_registry::name::DatasetName;
use chasqui_registry::prediction_log::{PredictionRange, labelled};
use chasqui_registry::{Micros, Registry};
use chasqui_trainer::{Column, ColumnData, Table, Task};

use crate::error::{Error, Result};
use crate::jobs::JobError;
use crate::pipeline::{self, Pipeline, Run};
use crate::worker::WorkerContext;

/// Loads the rows of a run. What they are is fixed when the run begins, so that a worker that takes over trains on the
/// same: the dataset's version is written down, and predictions count up to the run's beginning.
pub(super) async fn load(
    context: &WorkerContext,
    pipeline: &Pipeline,
    run: &mut Run,
) -> std::result::Result<Arc<Table>, JobError> {
    let registry = &context.registry;
    let dataset = &pipeline.spec.source.dataset;
    let (version, uploaded) = dataset_version(registry, dataset, run.dataset_version).await?;
    run.dataset = Some(dataset.to_string());
    run.dataset_version = Some(version);
    pipeline::save_run(registry, run).await?;
    let batches = registry.read_dataset(dataset, version).await?;
    let table = tokio::task::spawn_blocking(move || Table::from_batches(&batches)).await??;
    if !pipeline.spec.source.append_predictions {
        return Ok(Arc::new(table));
    }
    check_personal(registry, pipeline).await?;
    let since =
        pipeline.spec.features.time.as_deref().and_then(|time| end_of(&table, time)).unwrap_or(uploaded);
    let range = PredictionRange { service: pipeline.spec.service.clone(), from: since, to: run.created_at };
    let answered = labelled(registry, context.log.as_deref(), &range, None).await?;
    if answered.is_empty() {
        return Ok(Arc::new(table));
    }
    let spec = pipeline.spec.clone();
    let joined = tokio::task::spawn_blocking(move || {
        let answered = Table::from_batches(&answered)?;
        let wanted = Wanted {
            target: &spec.features.target,
            task: spec.features.task,
            features: spec.features.numeric.iter().chain(&spec.features.categorical).collect(),
            time: spec.features.time.as_deref(),
        };
        append(&table, &answered, &wanted).map_err(JobError::from)
    });
    Ok(Arc::new(joined.await??))
}

/// The version to train on and when it was uploaded: the one written down, or the latest.
async fn dataset_version(
    registry: &Registry,
    dataset: &DatasetName,
    known: Option<i64>,
) -> Result<(i64, Micros)> {
    let found = registry.get_dataset_version(dataset, known).await?;
    let found = found.ok_or_else(|| Error::NotFound(format!("the dataset `{dataset}` has no version")))?;
    Ok((found.version, found.created_at))
}

/// The first moment after the rows of a table: the day after the last when it holds dates. None without times.
fn end_of(table: &Table, time: &str) -> Option<Micros> {
    const DAY: i64 = 86_400 * Micros::PER_SECOND;
    let Some(ColumnData::Time(times)) = table.column(time) else { return None };
    let last = times.iter().flatten().max()?;
    let are_dates = times.iter().flatten().all(|at| at.rem_euclid(DAY) == 0);
    Some(Micros(last.saturating_add(if are_dates { DAY } else { 1 })))
}

/// A personal column is in the log as a pseudonym, which is not what the dataset has.
async fn check_personal(registry: &Registry, pipeline: &Pipeline) -> Result<()> {
    let Some(service) = registry.get_service(&pipeline.spec.service).await? else { return Ok(()) };
    let features = &pipeline.spec.features;
    let mut used = features.numeric.iter().chain(&features.categorical);
    match used.find(|name| service.config.personal.contains(*name)) {
        Some(name) => Err(Error::Invalid(format!(
            "`{name}` is personal and not in the prediction log in clear; leave it out of the features, or set \
             append_predictions = false"
        ))),
        None => Ok(()),
    }
}

/// The columns that a training reads.
struct Wanted<'a> {
    target: &'a str,
    task: Task,
    features: Vec<&'a String>,
    time: Option<&'a str>,
}

/// Puts answered rows with a known outcome below those of the dataset; only the columns that the training reads.
fn append(table: &Table, answered: &Table, wanted: &Wanted<'_>) -> Result<Table> {
    let (target, known) = outcomes(answered, wanted.task);
    if known.is_empty() {
        return Ok(table.clone());
    }
    let answered = answered.take(&known);
    let mut columns = Vec::new();
    for name in &wanted.features {
        let more = answered.column(name).cloned();
        columns.push(joined(table, name, more, answered.rows())?);
    }
    columns.push(joined(table, wanted.target, Some(target), answered.rows())?);
    if let Some(time) = wanted.time
        && !wanted.features.iter().any(|name| *name == time)
    {
        columns.push(joined(table, time, answered.column("_at").cloned(), answered.rows())?);
    }
    Table::new(columns).map_err(|error| Error::Invalid(error.to_string()))
}

/// What really happened, and in which rows it is known.
fn outcomes(answered: &Table, task: Task) -> (ColumnData, Vec<usize>) {
    if task == Task::Regression {
        let Some(ColumnData::Number(values)) = answered.column("_outcome_value") else {
            return (ColumnData::Number(Vec::new()), Vec::new());
        };
        let known: Vec<usize> = (0..values.len()).filter(|row| values[*row].is_finite()).collect();
        return (ColumnData::Number(known.iter().map(|row| values[*row]).collect()), known);
    }
    let labels = match answered.column("_outcome_label") {
        Some(ColumnData::Text(labels)) => labels.clone(),
        _ => vec![None; answered.rows()],
    };
    let converted = match answered.column("_outcome_converted") {
        Some(ColumnData::Number(converted)) if task == Task::Binary => converted.clone(),
        _ => vec![f64::NAN; answered.rows()],
    };
    let label = |row: usize| {
        let spelled = (!converted[row].is_nan()).then(|| (converted[row] as u8).to_string());
        labels[row].clone().or(spelled)
    };
    let known: Vec<usize> = (0..answered.rows()).filter(|row| label(*row).is_some()).collect();
    (ColumnData::Text(known.iter().map(|row| label(*row)).collect()), known)
}

/// A column of the dataset with more rows below; what the log does not have is missing there.
fn joined(table: &Table, name: &str, more: Option<ColumnData>, rows: usize) -> Result<Column> {
    let Some(column) = table.column(name) else {
        return Err(Error::Invalid(format!("the dataset has no column `{name}`")));
    };
    let data = match (column.clone(), more) {
        (ColumnData::Number(mut values), more) => {
            values.extend(numbers(more, rows));
            ColumnData::Number(values)
        }
        (ColumnData::Text(mut values), more) => {
            values.extend(texts(more, rows));
            ColumnData::Text(values)
        }
        (ColumnData::Time(mut values), Some(ColumnData::Time(more))) => {
            values.extend(more);
            ColumnData::Time(values)
        }
        (ColumnData::Time(_), _) => {
            return Err(Error::Invalid(format!(
                "the column `{name}` holds times, the prediction log does not"
            )));
        }
    };
    Ok(Column { name: name.to_owned(), data })
}

fn numbers(data: Option<ColumnData>, rows: usize) -> Vec<f64> {
    match data {
        Some(ColumnData::Number(values)) => values,
        Some(ColumnData::Text(values)) => {
            let parse =
                |text: Option<String>| text.and_then(|text| text.trim().parse().ok()).unwrap_or(f64::NAN);
            values.into_iter().map(parse).collect()
        }
        Some(ColumnData::Time(values)) => {
            values.into_iter().map(|at| at.map_or(f64::NAN, |at| at as f64)).collect()
        }
        None => vec![f64::NAN; rows],
    }
}

fn texts(data: Option<ColumnData>, rows: usize) -> Vec<Option<String>> {
    match data {
        Some(ColumnData::Text(values)) => values,
        Some(ColumnData::Number(values)) => {
            values.into_iter().map(|value| (!value.is_nan()).then(|| value.to_string())).collect()
        }
        Some(ColumnData::Time(values)) => values.into_iter().map(|at| at.map(|at| at.to_string())).collect(),
        None => vec![None; rows],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, data: ColumnData) -> Column {
        Column { name: name.into(), data }
    }

    fn text(values: &[Option<&str>]) -> ColumnData {
        ColumnData::Text(values.iter().map(|value| value.map(str::to_owned)).collect())
    }

    #[test]
    fn answered_rows_with_an_outcome_follow_the_dataset() {
        let table = Table::new(vec![
            column("day", ColumnData::Time(vec![Some(1), Some(2)])),
            column("x", ColumnData::Number(vec![0.5, 1.5])),
            column("store", text(&[Some("a"), Some("b")])),
            column("y", ColumnData::Number(vec![10.0, 20.0])),
            column("unused", ColumnData::Number(vec![0.0, 0.0])),
        ])
        .unwrap();
        let answered = Table::new(vec![
            column("x", ColumnData::Number(vec![2.5, 3.5, 4.5])),
            column("store", text(&[Some("c"), None, Some("d")])),
            column("_at", ColumnData::Time(vec![Some(3), Some(4), Some(5)])),
            column("_outcome_value", ColumnData::Number(vec![30.0, f64::NAN, 50.0])),
        ])
        .unwrap();
        let (x, store) = ("x".to_owned(), "store".to_owned());
        let wanted =
            Wanted { target: "y", task: Task::Regression, features: vec![&x, &store], time: Some("day") };
        let joined = append(&table, &answered, &wanted).unwrap();
        assert_eq!(joined.rows(), 4);
        assert_eq!(joined.column("x"), Some(&ColumnData::Number(vec![0.5, 1.5, 2.5, 4.5])));
        assert_eq!(joined.column("store"), Some(&text(&[Some("a"), Some("b"), Some("c"), Some("d")])));
        assert_eq!(joined.column("day"), Some(&ColumnData::Time(vec![Some(1), Some(2), Some(3), Some(5)])));
        assert_eq!(joined.column("y"), Some(&ColumnData::Number(vec![10.0, 20.0, 30.0, 50.0])));
        assert_eq!(joined.column("unused"), None);
    }

    #[test]
    fn answers_count_from_where_the_dataset_ends() {
        const DAY: i64 = 86_400_000_000;
        let ends = |times: Vec<Option<i64>>| {
            end_of(&Table::new(vec![column("t", ColumnData::Time(times))]).unwrap(), "t")
        };
        assert_eq!(ends(vec![Some(2 * DAY), None, Some(DAY)]), Some(Micros(3 * DAY)));
        assert_eq!(ends(vec![Some(DAY), Some(DAY + 5)]), Some(Micros(DAY + 6)));
        assert_eq!(ends(vec![None]), None);
    }

    #[test]
    fn labels_are_read_as_the_dataset_spells_them() {
        let table = Table::new(vec![
            column("x", ColumnData::Number(vec![0.5])),
            column("y", ColumnData::Number(vec![1.0])),
        ])
        .unwrap();
        let answered = Table::new(vec![
            column("x", ColumnData::Number(vec![1.0, 2.0, 3.0])),
            column("_outcome_label", text(&[Some("0"), None, None])),
            column("_outcome_converted", ColumnData::Number(vec![f64::NAN, 1.0, f64::NAN])),
        ])
        .unwrap();
        let x = "x".to_owned();
        let wanted = Wanted { target: "y", task: Task::Binary, features: vec![&x], time: None };
        let joined = append(&table, &answered, &wanted).unwrap();
        assert_eq!(joined.column("y"), Some(&ColumnData::Number(vec![1.0, 0.0, 1.0])));
        let none = Table::new(vec![column("x", ColumnData::Number(vec![1.0]))]).unwrap();
        assert_eq!(append(&table, &none, &wanted).unwrap(), table);
    }
}
