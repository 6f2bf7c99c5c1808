//! Logged predictions of a span of time, from object storage and from local segments as one.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray, StringBuilder, new_null_array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use sqlx::any::AnyRow;
use uuid::Uuid;

use super::columns::{AT, ID, INPUT_PREFIX, KEY};
use super::shape::Shape;
use super::{Log, local};
use crate::dataset::columnar::{self, Wanted};
use crate::name::ServiceName;
use crate::{Error, Micros, Registry, Result, row};

/// The predictions of a service in a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionRange {
    /// Whose.
    pub service: ServiceName,
    /// The first instant.
    pub from: Micros,
    /// The first instant after.
    pub to: Micros,
}

/// Reads the predictions of `service` from `from` to before `to`, all in one schema: the columns of
/// `columns::fixed_fields` and an `in.<feature>` for every input that some version in the span has.
///
/// Give the process's own [`Log`] to see the last minute too. No prediction appears twice.
pub async fn read_predictions(
    registry: &Registry,
    log: Option<&Log>,
    service: &ServiceName,
    from: Micros,
    to: Micros,
) -> Result<Vec<RecordBatch>> {
    let range = PredictionRange { service: service.clone(), from, to };
    let mut batches = Vec::new();
    let mut reader = Reader::open(registry, log, &range, Wanted::All).await?;
    while let Some(more) = reader.next().await? {
        batches.extend(more);
    }
    unify(batches)
}

/// The predictions of a span, file by file: memory holds one file at a time, and each has a schema of its own.
pub struct PredictionStream<'a>(Reader<'a>);

impl<'a> PredictionStream<'a> {
    /// Begins to read the ids, the times and `columns`, which are names as in [`read_predictions`]; a file that lacks one
    /// of them has it not. Give the process's own [`Log`] to see the last minute too.
    pub async fn open(
        registry: &'a Registry,
        log: Option<&Log>,
        range: &'a PredictionRange,
        columns: &[String],
    ) -> Result<Self> {
        let fixed = [ID, AT].map(str::to_owned);
        let wanted = Wanted::Named(fixed.into_iter().chain(columns.iter().cloned()).collect());
        Reader::open(registry, log, range, wanted).await.map(Self)
    }

    /// The rows of the next file that has any; `None` after the last. No prediction appears twice.
    pub async fn next(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        self.0.next().await
    }
}

impl std::fmt::Debug for PredictionStream<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PredictionStream").field("range", self.0.range).finish_non_exhaustive()
    }
}

/// Counts the predictions of a span without their inputs.
pub async fn count_predictions(
    registry: &Registry,
    log: Option<&Log>,
    range: &PredictionRange,
) -> Result<u64> {
    let mut count = 0;
    let mut reader = Reader::open(registry, log, range, Wanted::named(&[ID, AT])).await?;
    while let Some(batches) = reader.next().await? {
        count += batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
    }
    Ok(count)
}

/// Whether any of these predictions is among those of a span.
pub async fn holds_any(
    registry: &Registry,
    log: Option<&Log>,
    range: &PredictionRange,
    is_wanted: impl Fn(&Uuid) -> bool + Send,
) -> Result<bool> {
    let mut reader = Reader::open(registry, log, range, Wanted::named(&[ID, AT])).await?;
    while let Some(batches) = reader.next().await? {
        for batch in &batches {
            let mut ids = texts(batch, ID)?.iter().flatten();
            if ids.any(|id| Uuid::parse_str(id).is_ok_and(|id| is_wanted(&id))) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// What identifies a prediction to an application that knows no ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PredictionKey {
    pub(crate) id: Uuid,
    pub(crate) at: Micros,
    pub(crate) key: String,
}

/// The predictions of a span whose key is one of `keys`.
pub(crate) async fn prediction_keys(
    registry: &Registry,
    log: Option<&Log>,
    range: &PredictionRange,
    keys: &HashSet<String>,
) -> Result<Vec<PredictionKey>> {
    let mut found = Vec::new();
    let mut reader = Reader::open(registry, log, range, Wanted::named(&[ID, AT, KEY])).await?;
    while let Some(batches) = reader.next().await? {
        for batch in &batches {
            found.extend(keys_of(batch, keys)?);
        }
    }
    Ok(found)
}

fn keys_of(batch: &RecordBatch, keys: &HashSet<String>) -> Result<Vec<PredictionKey>> {
    let (ids, at, logged) = (texts(batch, ID)?, times(batch)?, texts(batch, KEY)?);
    let mut found = Vec::new();
    for (place, key) in logged.iter().enumerate() {
        let Some(key) = key.filter(|key| keys.contains(*key)) else { continue };
        let id = Uuid::parse_str(ids.value(place)).map_err(Error::internal)?;
        found.push(PredictionKey { id, at: Micros(at[place]), key: key.to_owned() });
    }
    Ok(found)
}

/// The rows of a span, file by file, so that memory holds one file at a time.
pub(super) struct Reader<'a> {
    registry: &'a Registry,
    range: &'a PredictionRange,
    wanted: Wanted,
    local: Vec<RecordBatch>,
    /// The ids of the local rows.
    seen: Arc<HashSet<Uuid>>,
    paths: std::vec::IntoIter<String>,
}

impl<'a> Reader<'a> {
    pub(super) async fn open(
        registry: &'a Registry,
        log: Option<&Log>,
        range: &'a PredictionRange,
        wanted: Wanted,
    ) -> Result<Self> {
        // Local first: a segment that is sealed between the two reads then appears twice, never not at all.
        let mut local = Vec::new();
        let mut seen = HashSet::new();
        for batch in local_rows(log, range).await? {
            let batch = keep(&batch, range, &HashSet::new())?;
            seen.extend(texts(&batch, ID)?.iter().flatten().filter_map(|id| Uuid::parse_str(id).ok()));
            local.push(wanted.project(&batch)?);
        }
        let paths = segment_paths(registry, range).await?.into_iter();
        Ok(Self { registry, range, wanted, local, seen: Arc::new(seen), paths })
    }

    /// The rows of the next file that has any; `None` after the last. The local ones, the youngest, come last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        for path in self.paths.by_ref() {
            let bytes = self.registry.artifacts.get_at(&path).await?;
            let (wanted, range, seen) = (self.wanted.clone(), self.range.clone(), Arc::clone(&self.seen));
            let read = move || {
                let batches = columnar::read_own(bytes, &wanted)?;
                batches.iter().map(|batch| keep(batch, &range, &seen)).collect::<Result<Vec<_>>>()
            };
            let mut batches = tokio::task::spawn_blocking(read).await??;
            batches.retain(|batch| batch.num_rows() > 0);
            if !batches.is_empty() {
                return Ok(Some(batches));
            }
        }
        let mut local = std::mem::take(&mut self.local);
        local.retain(|batch| batch.num_rows() > 0);
        Ok((!local.is_empty()).then_some(local))
    }
}

async fn local_rows(log: Option<&Log>, range: &PredictionRange) -> Result<Vec<RecordBatch>> {
    let Some(log) = log else { return Ok(Vec::new()) };
    let (folder, range) = (log.folder().to_owned(), range.clone());
    // Rows of another time are not even made columns of: most spans that are read have left the local files long ago.
    let wanted = move |shape: &Shape, at: Micros| {
        *shape.service() == range.service && (range.from.0..range.to.0).contains(&at.0)
    };
    let read = move || local::read_folder(&folder, wanted);
    let groups = tokio::task::spawn_blocking(read).await??;
    Ok(groups.into_iter().map(|group| group.rows).collect())
}

async fn segment_paths(registry: &Registry, range: &PredictionRange) -> Result<Vec<String>> {
    let rows = sqlx::query(
        "SELECT path FROM prediction_segments WHERE service = $1 AND from_at < $2 AND to_at >= $3 \
         ORDER BY from_at, id",
    )
    .bind(range.service.as_str())
    .bind(range.to.0)
    .bind(range.from.0)
    .fetch_all(registry.db.pool())
    .await?;
    rows.iter().map(|row: &AnyRow| row::text(row, "path")).collect()
}

/// The rows within the span that were not seen before.
fn keep(batch: &RecordBatch, range: &PredictionRange, seen: &HashSet<Uuid>) -> Result<RecordBatch> {
    let (ids, at) = (texts(batch, ID)?, times(batch)?);
    let wanted = |place: usize| {
        (range.from.0..range.to.0).contains(&at[place])
            && (seen.is_empty() || !Uuid::parse_str(ids.value(place)).is_ok_and(|id| seen.contains(&id)))
    };
    let mask: BooleanArray = (0..batch.num_rows()).map(|place| Some(wanted(place))).collect();
    filter_record_batch(batch, &mask).map_err(Error::internal)
}

/// A text column of our own files.
pub(super) fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    column.ok_or_else(|| Error::internal(format!("logged predictions have no text column {name}")))
}

/// The times of our own files.
pub(super) fn times(batch: &RecordBatch) -> Result<&[i64]> {
    let column =
        batch.column_by_name(AT).and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    let column = column.ok_or_else(|| Error::internal("logged predictions have no time column"))?;
    Ok(column.values())
}

/// Brings batches of several versions to one schema: inputs that a version does not have are missing, and an
/// input that is a number in one and a text in another becomes text.
pub(super) fn unify(batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
    let schema = common_schema(&batches);
    if batches.iter().all(|batch| batch.schema() == schema) {
        return Ok(batches);
    }
    batches.into_iter().map(|batch| conform(&batch, &schema)).collect()
}

fn common_schema(batches: &[RecordBatch]) -> SchemaRef {
    let mut fields: Vec<Arc<Field>> = Vec::new();
    for batch in batches {
        for field in batch.schema().fields() {
            match fields.iter_mut().find(|known| known.name() == field.name()) {
                None => fields.push(Arc::clone(field)),
                Some(known) if known.data_type() != field.data_type() => {
                    *known = Arc::new(Field::new(field.name(), DataType::Utf8, true));
                }
                Some(_) => {}
            }
        }
    }
    Arc::new(Schema::new(fields))
}

fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        arrays.push(match batch.column_by_name(field.name()) {
            None => new_null_array(field.data_type(), batch.num_rows()),
            Some(array) if array.data_type() == field.data_type() => Arc::clone(array),
            Some(array) => as_text(array),
        });
    }
    RecordBatch::try_new(Arc::clone(schema), arrays).map_err(Error::internal)
}

fn as_text(array: &ArrayRef) -> ArrayRef {
    let Some(numbers) = array.as_primitive_opt::<Float64Type>() else {
        return new_null_array(&DataType::Utf8, array.len());
    };
    let mut texts = StringBuilder::new();
    for number in numbers {
        texts.append_option(number.map(|number| number.to_string()));
    }
    Arc::new(texts.finish())
}

/// The feature that a column holds, when it holds one.
pub(super) fn feature_of(column: &str) -> Option<&str> {
    column.strip_prefix(INPUT_PREFIX)
}
