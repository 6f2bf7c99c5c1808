//! Rows of the prediction log and of datasets as tables, and as sketches over a profile's cells.

use chasqui_drift::{ColumnProfile, Profile, Reference, Sketch, WindowSketch};
use chasqui_registry::prediction_log::{Log, PredictionRange, PredictionStream};
use chasqui_registry::version::Version;
use chasqui_registry::{Micros, Registry};
use chasqui_runtime::{Limits, Model, Value, feature_value, prediction};
use chasqui_trainer::{Column, ColumnData, Table, inputs_for};

use crate::error::{Error, Result};

/// Begins the names of the log's columns that hold inputs.
const INPUT_PREFIX: &str = "in.";
/// Rows that go through a model at once.
const CHUNK: usize = 4096;

/// Logged predictions: the inputs under their plain names, and what was answered.
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
            version: numbers("version"),
            label: texts(&rest, "out.label").unwrap_or_else(|| vec![None; rows]),
            score: numbers("out.score"),
            value: numbers("out.value"),
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

/// Hands over the predictions of a span, file by file, so that memory holds one file at a time.
pub(super) async fn each_logged(
    registry: &Registry,
    log: Option<&Log>,
    range: &PredictionRange,
    mut take: impl FnMut(Logged) -> Result<()> + Send,
) -> Result<()> {
    let mut stream = PredictionStream::open(registry, log, range).await?;
    while let Some(batches) = stream.next().await? {
        // Files and local segments of several versions have schemas of their own.
        let tables = tokio::task::spawn_blocking(move || {
            let one = |batch| Table::from_batches(std::slice::from_ref(batch)).map_err(Error::internal);
            batches.iter().map(one).collect::<Result<Vec<Table>>>()
        });
        for table in tables.await?? {
            take(Logged::new(&table)?)?;
        }
    }
    Ok(())
}

/// A version's model, loaded to be asked beside the request path.
pub(super) async fn load_model(registry: &Registry, version: &Version) -> Result<Model> {
    let bytes = registry.version_bytes(version).await?;
    let load = move || Model::load(&bytes, &Limits::default()).map_err(Error::internal);
    tokio::task::spawn_blocking(load).await?
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
