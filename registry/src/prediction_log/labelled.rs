//! Predictions joined with what became of them: the rows that a model is retrained and judged on.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, BooleanBuilder, Float64Builder, StringArray, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;

use super::Log;
use super::columns::{
    self, AT, ID, INPUT_PREFIX, KEY, LABEL, LABELLED_PREFIX, LATENCY, SCORE, VALUE, VERSION,
};
use super::read::{self, PredictionRange, Reader};
use crate::dataset::columnar::Wanted;
use crate::outcome::{self, StoredOutcome};
use crate::{Error, Registry, Result};

/// What the columns of a prediction are called among the plain names of its features.
const RENAMED: [(&str, &str); 8] = [
    (ID, "_prediction_id"),
    (AT, "_at"),
    (VERSION, "_version"),
    (KEY, "_key"),
    (LATENCY, "_latency_us"),
    (LABEL, "_label"),
    (SCORE, "_score"),
    (VALUE, "_value"),
];

/// Reads the predictions of `service` from `from` to before `to` that have an outcome, in one schema: every
/// feature under its plain name, then `_prediction_id, _at, _version, _key, _latency_us, _label, _score, _value`,
/// then `_outcome_label, _outcome_value, _outcome_converted, _outcome_at`.
///
/// A feature whose own name begins with `_` gets one more in front. Of the features only `features` are read, all of them
/// where nothing is said.
pub async fn labelled(
    registry: &Registry,
    log: Option<&Log>,
    range: &PredictionRange,
    features: Option<&[String]>,
) -> Result<Vec<RecordBatch>> {
    let wanted = features.map_or(Wanted::All, |features| {
        let inputs = features.iter().map(|feature| format!("{INPUT_PREFIX}{feature}"));
        Wanted::Named(RENAMED.iter().map(|(name, _)| (*name).to_owned()).chain(inputs).collect())
    });
    let mut reader = Reader::open(registry, log, range, wanted).await?;
    let mut joined = Vec::new();
    while let Some(batches) = reader.next().await? {
        for batch in &batches {
            let ids = read::texts(batch, ID)?;
            let outcomes = outcomes_of(registry, ids).await?;
            if !outcomes.is_empty() {
                joined.push(join(batch, ids, &outcomes)?);
            }
        }
    }
    joined.retain(|batch| batch.num_rows() > 0);
    read::unify(joined)
}

/// The outcomes of a batch, by one range over ids: they begin with their time, and so do batches.
async fn outcomes_of(registry: &Registry, ids: &StringArray) -> Result<HashMap<String, StoredOutcome>> {
    let (Some(first), Some(last)) = (ids.iter().flatten().min(), ids.iter().flatten().max()) else {
        return Ok(HashMap::new());
    };
    outcome::between(registry, first, last).await
}

fn join(
    batch: &RecordBatch,
    ids: &StringArray,
    outcomes: &HashMap<String, StoredOutcome>,
) -> Result<RecordBatch> {
    let found: Vec<Option<&StoredOutcome>> =
        ids.iter().map(|id| id.and_then(|id| outcomes.get(id))).collect();
    let mask: BooleanArray = found.iter().map(|outcome| Some(outcome.is_some())).collect();
    let batch = filter_record_batch(batch, &mask).map_err(Error::internal)?;
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        if let Some(feature) = read::feature_of(field.name()) {
            let escape = if feature.starts_with(LABELLED_PREFIX) { LABELLED_PREFIX } else { "" };
            fields.push(Field::new(format!("{escape}{feature}"), field.data_type().clone(), true));
            arrays.push(Arc::clone(array));
        }
    }
    for (name, renamed) in RENAMED {
        let column =
            batch.column_by_name(name).ok_or_else(|| Error::internal(format!("no column {name}")))?;
        fields.push(Field::new(renamed, column.data_type().clone(), true));
        arrays.push(Arc::clone(column));
    }
    for (field, array) in outcome_columns(&found) {
        fields.push(field);
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(Error::internal)
}

fn outcome_columns(found: &[Option<&StoredOutcome>]) -> [(Field, ArrayRef); 4] {
    let mut label = StringBuilder::new();
    let mut value = Float64Builder::new();
    let mut converted = BooleanBuilder::new();
    let mut at = TimestampMicrosecondBuilder::new();
    for outcome in found.iter().flatten() {
        label.append_option(outcome.label.as_deref());
        value.append_option(outcome.value);
        converted.append_option(outcome.converted);
        at.append_value(outcome.occurred_at.0);
    }
    [
        (Field::new("_outcome_label", DataType::Utf8, true), Arc::new(label.finish())),
        (Field::new("_outcome_value", DataType::Float64, true), Arc::new(value.finish())),
        (Field::new("_outcome_converted", DataType::Boolean, true), Arc::new(converted.finish())),
        (Field::new("_outcome_at", columns::time_type(), true), Arc::new(at.finish())),
    ]
}
