//! Rows of the prediction log and of datasets as tables, and as sketches over a profile's cells.

use std::sync::Arc;

use chasqui_drift::{ColumnProfile, Profile, Reference, Sketch, WindowSketch};
use chasqui_registry::prediction_log::{Log, PredictionRange, PredictionStream};
use chasqui_registry::version::Version;
use chasqui_registry::{Micros, Registry};
use chasqui_runtime::{Limits, Model, Value, feature_value, prediction};
use chasqui_trainer::{Column, ColumnData, Table, inputs_for};

use crate::error::{Error, Result};

/// Begins the names of the log's columns that hold inputs.
const INPUT_PREFIX: &str = "in.";
/// The log's columns of the version and of what it answered.
pub(super) const VERSION: &str = "version";
pub(super) const LABEL: &str = "out.label";
pub(super) const SCORE: &str = "out.score";
pub(super) const VALUE: &str = "out.value";
/// Rows that go through a model at once.
const CHUNK: usize = 4096;

/// Logged predictions: the inputs under their plain names, and what was answered. What was not read has no values.
pub(super) struct Logged {
    pub(super) inputs: Table,
    pub(super) at: Vec<i64>,
    pub(super) version: Vec<f64>,
    pub(super) label: Vec<Option<String>>,
    pub(super) score: Vec<f64>,
    pub(super) value: Vec<f64>,
}

impl Logged {
    fn new(table: &Table) -> Result<Self> {
        let rows = table.rows();
        let (mut inputs, mut rest) = (Vec::new(), Vec::new());
        for Column { name, data } in table.columns().iter().cloned() {
            match name.strip_prefix(INPUT_PREFIX) {
                Some(plain) => inputs.push(Column { name: plain.to_owned(), data }),
                None => rest.push(Column { name, data }),
            }
        }
        let numbers = |wanted: &str| numbers(&rest, wanted).unwrap_or_else(|| vec![f64::NAN; rows]);
        Ok(Self {
            at: times(&rest, "at"),
            version: numbers(VERSION),
            label: texts(&rest, LABEL).unwrap_or_else(|| vec![None; rows]),
            score: numbers(SCORE),
            value: numbers(VALUE),
            inputs: Table::new(inputs).map_err(Error::internal)?,
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.at.len()
    }
}

fn numbers(columns: &[Column], wanted: &str) -> Option<Vec<f64>> {
    columns.iter().find(|column| column.name == wanted).and_then(|column| match &column.data {
        ColumnData::Number(values) => Some(values.clone()),
        _ => None,
    })
}

fn texts(columns: &[Column], wanted: &str) -> Option<Vec<Option<String>>> {
    columns.iter().find(|column| column.name == wanted).and_then(|column| match &column.data {
        ColumnData::Text(values) => Some(values.clone()),
        _ => None,
    })
}

fn times(columns: &[Column], wanted: &str) -> Vec<i64> {
    let column = columns.iter().find(|column| column.name == wanted);
    match column.map(|column| &column.data) {
        Some(ColumnData::Time(values)) => values.iter().map(|at| at.unwrap_or_default()).collect(),
        _ => Vec::new(),
    }
}

/// The log's column of an input.
pub(super) fn input_column(name: &str) -> String {
    format!("{INPUT_PREFIX}{name}")
}

/// The log's columns of a model's inputs.
pub(super) fn input_columns(model: &Model) -> Vec<String> {
    model.signature().features.iter().map(|feature| input_column(&feature.name)).collect()
}

/// Folds the predictions of a span into `state`, file by file, so that memory holds one file at a time. Of each only
/// `columns` are read, and what is done with them is done on blocking threads.
pub(super) async fn fold_logged<S: Send + 'static>(
    registry: &Registry,
    log: Option<&Log>,
    range: &PredictionRange,
    columns: &[String],
    mut state: S,
    take: impl Fn(&mut S, Logged) -> Result<()> + Send + Sync + 'static,
) -> Result<S> {
    let take = Arc::new(take);
    let mut stream = PredictionStream::open(registry, log, range, columns).await?;
    while let Some(batches) = stream.next().await? {
        let take = Arc::clone(&take);
        // Files and local segments of several versions have schemas of their own.
        let fold = move || {
            for batch in &batches {
                let table = Table::from_batches(std::slice::from_ref(batch)).map_err(Error::internal)?;
                take(&mut state, Logged::new(&table)?)?;
            }
            Ok::<S, Error>(state)
        };
        state = tokio::task::spawn_blocking(fold).await??;
    }
    Ok(state)
}

/// A version's model, loaded to be asked beside the request path.
pub(super) async fn load_model(registry: &Registry, version: &Version) -> Result<Arc<Model>> {
    let bytes = registry.version_bytes(version).await?;
    let load = move || Model::load(&bytes, &Limits::default()).map_err(Error::internal);
    Ok(Arc::new(tokio::task::spawn_blocking(load).await??))
}

/// Counts rows of a table, and what the model says about them, into a sketch over the profile's cells.
///
/// # Errors
/// `Invalid` when the table lacks an input of the model, or holds it in another type.
pub(super) fn count(
    model: &Model,
    profile: &Profile,
    table: &Table,
    rows: &[usize],
    sketch: &mut WindowSketch,
) -> Result<()> {
    let signature = model.signature();
    let place =
        |column: &ColumnProfile| signature.features.iter().position(|feature| feature.name == column.name);
    let places: Vec<Option<usize>> = profile.features.iter().map(place).collect();
    for chunk in rows.chunks(CHUNK) {
        let inputs =
            inputs_for(signature, table, chunk).map_err(|error| Error::Invalid(error.to_string()))?;
        let columns = profile.features.iter().zip(&mut sketch.features).zip(&places);
        for ((column, sketch), place) in columns {
            let Some(place) = *place else { continue };
            (0..chunk.len())
                .for_each(|row| add(sketch, column, feature_value(signature, &inputs, row, place)));
        }
        if let (Some(column), Some(sketch)) = (&profile.prediction, &mut sketch.prediction) {
            let outputs = model.predict(&inputs).map_err(Error::internal)?;
            for row in 0..chunk.len() {
                let said = prediction(signature, &outputs, row);
                let number = said.value.or(said.score).map(Value::Number);
                let is_text = matches!(column.reference, Reference::Text(_));
                let value = if is_text { said.label.or(number) } else { number.or(said.label) };
                add(sketch, column, value.unwrap_or(Value::Missing));
            }
        }
        sketch.rows += chunk.len() as u64;
    }
    Ok(())
}

fn add(sketch: &mut Sketch, column: &ColumnProfile, value: Value<'_>) {
    match value {
        Value::Missing | Value::Text("") => sketch.add_missing(),
        Value::Text(text) => sketch.add_text(&column.reference, text),
        Value::Number(number) => sketch.add_number(&column.reference, number),
    }
}

/// The rows whose time lies in a span.
pub(super) fn within(at: &[i64], from: Micros, to: Micros) -> Vec<usize> {
    (0..at.len()).filter(|row| (from.0..to.0).contains(&at[*row])).collect()
}
