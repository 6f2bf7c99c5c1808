//! `/services/{service}/log` and `/predictions/{id}`: what was asked and answered.

use std::cmp::Ordering;
use std::fmt;

use actix_web::{HttpResponse, web};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use chasqui_registry::name::ServiceName;
use chasqui_registry::prediction_log::{LoggedValue, find_prediction, read_predictions};
use chasqui_registry::{Error, Micros, Page};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::api::ok;
use crate::app::App;
use crate::body::Query;
use crate::problem::{Problem, Result};

/// The span when nothing is said.
const DEFAULT_SECONDS: i64 = 24 * 3600;

/// An instant in a request: microseconds since 1970, or RFC 3339.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instant(pub(super) Micros);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct InstantVisitor;
        impl Visitor<'_> for InstantVisitor {
            type Value = Instant;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("microseconds since 1970 or a time like 2026-01-31T08:00:00-05:00")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> std::result::Result<Instant, E> {
                Ok(Instant(Micros(number)))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> std::result::Result<Instant, E> {
                i64::try_from(number).map(|number| Instant(Micros(number))).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Instant, E> {
                if let Ok(number) = text.parse() {
                    return Ok(Instant(Micros(number)));
                }
                let time = text.parse::<jiff::Timestamp>();
                let time = time.map_err(|_| {
                    E::custom(format!(
                        "{text:?} is not a time; write 2026-01-31T08:00:00-05:00 or microseconds since 1970"
                    ))
                })?;
                Ok(Instant(Micros(time.as_microsecond())))
            }
        }
        deserializer.deserialize_any(InstantVisitor)
    }
}

/// `?from=…&to=…`, by default the last day.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    from: Option<Instant>,
    to: Option<Instant>,
}

impl Span {
    /// Its first instant was given.
    pub(super) fn has_beginning(&self) -> bool {
        self.from.is_some()
    }

    /// The first instant, and the first one after.
    pub(super) fn resolve(&self, now: Micros) -> Result<(Micros, Micros)> {
        let to = self.to.map_or(now, |instant| instant.0);
        let from = self.from.map_or(to.plus_seconds(-DEFAULT_SECONDS), |instant| instant.0);
        if from >= to {
            return Err(Problem::bad_request("`from` must be before `to`"));
        }
        Ok((from, to))
    }
}

/// `?from=…&to=…&cursor=…&limit=…`
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    from: Option<Instant>,
    to: Option<Instant>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// A row's place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: i64,
    id: Uuid,
}

impl Place {
    fn parse(cursor: &str) -> Option<Self> {
        let (at, id) = cursor.split_once('.')?;
        Some(Self { at: at.parse().ok()?, id: id.parse().ok()? })
    }
}

/// Predictions in the order of their time.
pub(super) async fn list(
    app: web::Data<App>,
    service: web::Path<ServiceName>,
    Query(asked): Query<Asked>,
) -> Result<HttpResponse> {
    app.registry.get_service(&service).await?.ok_or_else(|| Error::not_found("service", &*service))?;
    let limit = asked.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(Problem::bad_request("`limit` must be between 1 and 1000"));
    }
    let after = match asked.cursor.as_deref().map(Place::parse) {
        Some(None) => return Err(Problem::bad_request("`cursor` is not one that this list gave out")),
        Some(place) => place,
        None => None,
    };
    let (mut from, to) = Span { from: asked.from, to: asked.to }.resolve(app.registry.now())?;
    if let Some(place) = after {
        from = Micros(from.0.max(place.at));
    }
    if from >= to {
        return ok(&Page::<Value> { items: Vec::new(), next_cursor: None });
    }
    let batches = read_predictions(&app.registry, Some(&app.log), &service, from, to).await?;
    let page = web::block(move || page_of(&batches, after, limit)).await;
    ok(&page.map_err(|_| Problem::unavailable("the server is ending", 1))?)
}

fn page_of(batches: &[RecordBatch], after: Option<Place>, limit: usize) -> Page<Value> {
    let mut places: Vec<(Place, usize, usize)> = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        for row in 0..batch.num_rows() {
            if let Some(place) = place_of(batch, row).filter(|place| after.is_none_or(|after| *place > after))
            {
                places.push((place, number, row));
            }
        }
    }
    places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(Ordering::Equal));
    let more = places.len() > limit;
    places.truncate(limit);
    let next_cursor = places.last().filter(|_| more).map(|(place, ..)| format!("{}.{}", place.at, place.id));
    let items = places.into_iter().map(|(_, number, row)| row_json(&batches[number], row)).collect();
    Page { items, next_cursor }
}

fn place_of(batch: &RecordBatch, row: usize) -> Option<Place> {
    let at = batch.column_by_name("at")?.as_primitive_opt::<TimestampMicrosecondType>()?.value(row);
    let id = batch.column_by_name("id")?.as_string_opt::<i32>()?.value(row).parse().ok()?;
    Some(Place { at, id })
}

/// A row with its inputs in `inputs` and its outputs in `outputs`.
fn row_json(batch: &RecordBatch, row: usize) -> Value {
    let (mut fixed, mut inputs, mut outputs) = (Map::new(), Map::new(), Map::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let value = cell(column.as_ref(), row);
        if let Some(name) = field.name().strip_prefix("in.") {
            inputs.insert(name.to_owned(), value);
        } else if let Some(name) = field.name().strip_prefix("out.") {
            outputs.insert(name.to_owned(), value);
        } else {
            fixed.insert(field.name().clone(), value);
        }
    }
    fixed.insert("inputs".into(), Value::Object(inputs));
    fixed.insert("outputs".into(), Value::Object(outputs));
    Value::Object(fixed)
}

fn cell(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        return texts.value(row).into();
    }
    if let Some(numbers) = column.as_primitive_opt::<Float64Type>() {
        return numbers.value(row).into();
    }
    if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
        return numbers.value(row).into();
    }
    if let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        return times.value(row).into();
    }
    column.as_boolean_opt().map_or(Value::Null, |flags| flags.value(row).into())
}

/// One prediction with its outcome.
pub(super) async fn get(app: web::Data<App>, id: web::Path<Uuid>) -> Result<HttpResponse> {
    let found = find_prediction(&app.registry, Some(&app.log), *id).await?;
    let found = found.ok_or_else(|| Error::not_found("prediction", *id))?;
    let outcome = app.registry.get_outcome(*id).await?;
    let inputs: Map<String, Value> =
        found.inputs.into_iter().map(|(name, value)| (name, logged(value))).collect();
    ok(&json!({
        "id": found.id,
        "service": found.service,
        "model": found.model,
        "version": found.version,
        "at": found.at,
        "latency_us": found.latency_us,
        "rollout_id": found.rollout.map(|mark| mark.id),
        "rollout_segment": found.rollout.map(|mark| mark.segment),
        "arm": found.rollout.map(|mark| mark.arm.as_str()),
        "key": found.key,
        "request_id": found.request_id,
        "inputs": inputs,
        "outputs": { "label": found.label, "score": found.score, "value": found.value },
        "error": found.error,
        "outcome": outcome,
    }))
}

fn logged(value: LoggedValue) -> Value {
    match value {
        LoggedValue::Missing => Value::Null,
        LoggedValue::Number(number) => number.into(),
        LoggedValue::Text(text) => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_numbers_or_texts() {
        let instant = |json: &str| serde_json::from_str::<Instant>(json).map(|instant| instant.0.0);
        assert_eq!(instant("17").unwrap(), 17);
        assert_eq!(instant("\"17\"").unwrap(), 17);
        assert_eq!(instant("\"1970-01-01T00:00:01Z\"").unwrap(), 1_000_000);
        assert!(instant("\"yesterday\"").is_err());
    }

    #[test]
    fn a_span_has_a_beginning_before_its_end() {
        let span = Span { from: None, to: None };
        let (from, to) = span.resolve(Micros(DEFAULT_SECONDS * Micros::PER_SECOND)).unwrap();
        assert_eq!((from.0, to.0), (0, DEFAULT_SECONDS * Micros::PER_SECOND));
        assert!(
            Span { from: Some(Instant(Micros(5))), to: Some(Instant(Micros(5))) }.resolve(Micros(9)).is_err()
        );
    }

    #[test]
    fn cursors_come_back() {
        let place = Place { at: 5, id: Uuid::from_u128(9) };
        assert_eq!(Place::parse(&format!("{}.{}", place.at, place.id)), Some(place));
        assert_eq!(Place::parse("x"), None);
    }
}
