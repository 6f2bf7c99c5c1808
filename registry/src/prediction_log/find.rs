//! One prediction by its id.

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::record_batch::RecordBatch;
use uuid::Uuid;

use super::columns::{ID, KEY, LABEL, LATENCY, LoggedValue, SCORE, VALUE, VERSION};
use super::record::{Arm, RolloutMark};
use super::{Log, local, read};
use crate::dataset::columnar::{self, Wanted};
use crate::name::{ModelName, ServiceName};
use crate::{Error, Micros, Registry, Result, row};

/// How far the time inside an id may be from the time of its prediction.
const TOLERANCE_SECONDS: i64 = 300;

/// A logged prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPrediction {
    /// Its id.
    pub id: Uuid,
    /// The service that answered.
    pub service: ServiceName,
    /// The model that answered.
    pub model: ModelName,
    /// The version that answered.
    pub version: i64,
    /// When.
    pub at: Micros,
    /// How long it took.
    pub latency_us: u64,
    /// The rollout it was part of.
    pub rollout: Option<RolloutMark>,
    /// The entity, or its pseudonym.
    pub key: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// The inputs by name.
    pub inputs: Vec<(String, LoggedValue)>,
    /// The predicted class.
    pub label: Option<String>,
    /// The probability that goes with it.
    pub score: Option<f64>,
    /// The predicted number.
    pub value: Option<f64>,
    /// The answer was an error.
    pub error: bool,
}

/// Finds a prediction in the local segments, then in the Parquet files around the time in its id.
pub async fn find_prediction(
    registry: &Registry,
    log: Option<&Log>,
    id: Uuid,
) -> Result<Option<StoredPrediction>> {
    if let Some(log) = log {
        let folder = log.folder().to_owned();
        let found = tokio::task::spawn_blocking(move || find_local(&folder, id)).await??;
        if found.is_some() {
            return Ok(found);
        }
    }
    let Some(at) = time_of(id) else { return Ok(None) };
    let candidates = sqlx::query(
        "SELECT service, path FROM prediction_segments WHERE from_at <= $1 AND to_at >= $2 ORDER BY from_at, id",
    )
    .bind(at.plus_seconds(TOLERANCE_SECONDS).0)
    .bind(at.plus_seconds(-TOLERANCE_SECONDS).0)
    .fetch_all(registry.db.pool())
    .await?;
    for candidate in &candidates {
        let service: ServiceName = row::parsed(candidate, "service")?;
        let bytes = registry.artifacts.get_at(&row::text(candidate, "path")?).await?;
        let find = move || {
            // The ids alone are a small part of the file, and most files do not have the one that is looked for.
            if place_of(&columnar::read_own(bytes.clone(), &Wanted::named(&[ID]))?, id)?.is_none() {
                return Ok(None);
            }
            find_in(&columnar::read_own(bytes, &Wanted::All)?, &service, id)
        };
        let found: Option<StoredPrediction> = tokio::task::spawn_blocking(find).await??;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The time inside a UUIDv7, RFC 9562 section 5.7.
fn time_of(id: Uuid) -> Option<Micros> {
    let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
    Some(Micros((seconds as i64).saturating_mul(Micros::PER_SECOND) + i64::from(nanoseconds / 1000)))
}

fn find_local(folder: &std::path::Path, id: Uuid) -> Result<Option<StoredPrediction>> {
    for group in local::read_folder(folder, |_, _| true)? {
        let found = find_in(std::slice::from_ref(&group.rows), group.shape.service(), id)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn find_in(batches: &[RecordBatch], service: &ServiceName, id: Uuid) -> Result<Option<StoredPrediction>> {
    match place_of(batches, id)? {
        Some((batch, row)) => prediction(&batches[batch].slice(row, 1), service, id).map(Some),
        None => Ok(None),
    }
}

fn place_of(batches: &[RecordBatch], id: Uuid) -> Result<Option<(usize, usize)>> {
    let text = id.hyphenated().to_string();
    for (place, batch) in batches.iter().enumerate() {
        let row = read::texts(batch, ID)?.iter().position(|logged| logged == Some(text.as_str()));
        if let Some(row) = row {
            return Ok(Some((place, row)));
        }
    }
    Ok(None)
}

/// Reads the only row of a batch.
fn prediction(row: &RecordBatch, service: &ServiceName, id: Uuid) -> Result<StoredPrediction> {
    let text = |name: &str| -> Result<Option<String>> {
        let column = read::texts(row, name)?;
        Ok(column.is_valid(0).then(|| column.value(0).to_owned()))
    };
    let number = |name: &str| {
        let column = row.column_by_name(name).and_then(|column| column.as_primitive_opt::<Float64Type>());
        column.filter(|column| column.is_valid(0)).map(|column| column.value(0))
    };
    let integer = |name: &str| {
        let column = row.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
        column.filter(|column| column.is_valid(0)).map(|column| column.value(0))
    };
    let error = row.column_by_name("error").and_then(|column| column.as_boolean_opt());
    Ok(StoredPrediction {
        id,
        service: service.clone(),
        model: ModelName::try_from(text("model")?.unwrap_or_default()).map_err(Error::internal)?,
        version: integer(VERSION).unwrap_or_default(),
        at: Micros(read::times(row)?[0]),
        latency_us: integer(LATENCY).unwrap_or_default() as u64,
        rollout: rollout(text("rollout_id")?, integer("rollout_segment"), text("arm")?),
        key: text(KEY)?,
        request_id: text("request_id")?,
        inputs: inputs(row)?,
        label: text(LABEL)?,
        score: number(SCORE),
        value: number(VALUE),
        error: error.is_some_and(|error| error.value(0)),
    })
}

fn rollout(id: Option<String>, segment: Option<i64>, arm: Option<String>) -> Option<RolloutMark> {
    Some(RolloutMark { id: Uuid::parse_str(&id?).ok()?, segment: segment?, arm: Arm::parse(&arm?)? })
}

fn inputs(row: &RecordBatch) -> Result<Vec<(String, LoggedValue)>> {
    let mut inputs = Vec::new();
    for (field, array) in row.schema().fields().iter().zip(row.columns()) {
        let Some(feature) = read::feature_of(field.name()) else { continue };
        let value = if array.is_null(0) {
            LoggedValue::Missing
        } else if let Some(numbers) = array.as_primitive_opt::<Float64Type>() {
            LoggedValue::Number(numbers.value(0))
        } else {
            let texts = cast(array, &DataType::Utf8).map_err(Error::internal)?;
            LoggedValue::Text(texts.as_string::<i32>().value(0).to_owned())
        };
        inputs.push((feature.to_owned(), value));
    }
    Ok(inputs)
}
