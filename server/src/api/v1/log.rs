//! `/services/{service}/log` and `/predictions/{id}`: what was asked and answered.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use actix_web::{HttpResponse, web};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use chasqui_registry::name::ServiceName;
use chasqui_registry::prediction_log::{LoggedValue, find_prediction, read_predictions};
use chasqui_registry::{Error, Micros, Page, PageRequest};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::api::ok;
use crate::app::App;
use crate::body::Query;
use crate::openapi::{EXAMPLE_ID, Operation};
use crate::problem::{Problem, Result};

/// The span when nothing is said.
const DEFAULT_SECONDS: i64 = 24 * 3600;

/// An instant in a request: microseconds since 1970, or RFC 3339.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instant(pub(super) Micros);

impl JsonSchema for Instant {
    fn schema_name() -> Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A moment: microseconds since 1970, as a number or a text, or RFC 3339.",
            "anyOf": [
                { "type": "integer", "format": "int64" },
                { "type": "string", "pattern": r"^-?[0-9]{1,18}$" },
                { "type": "string", "format": "date-time" },
            ],
        })
    }
}

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
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    /// The first moment, a day before the end unless given: microseconds since 1970, or RFC 3339.
    from: Option<Instant>,
    /// The first moment after, now unless given.
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
            return Err(wrong_span());
        }
        Ok((from, to))
    }
}

/// `?from=…&to=…&cursor=…&limit=…`
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The first moment, a day before the end unless given: microseconds since 1970, or RFC 3339.
    from: Option<Instant>,
    /// The first moment after, now unless given.
    to: Option<Instant>,
    /// `next_cursor` of the page before; from the start without it.
    cursor: Option<String>,
    /// Items of a page, 100 unless given.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
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

/// What a span without a moment in it is told.
pub(super) fn wrong_span() -> Problem {
    Problem::unprocessable("`from` must be before `to`")
}

fn wrong_cursor() -> Problem {
    Problem::unprocessable("`cursor` is not one that this list gave out; start without it")
}

/// Predictions in the order of their time.
pub(super) async fn list(
    app: web::Data<App>,
    service: web::Path<ServiceName>,
    Query(asked): Query<Asked>,
) -> Result<HttpResponse> {
    app.registry.get_service(&service).await?.ok_or_else(|| Error::not_found("service", &*service))?;
    let limit = PageRequest::new(None, asked.limit)?.limit() as usize;
    let after = match asked.cursor.as_deref().map(Place::parse) {
        Some(None) => return Err(wrong_cursor()),
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

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/api/v1/services/{service}/log", "listPredictions", "Lists what a service was asked")
            .tag("predictions")
            .about("In the order of their time. Columns declared personal hold pseudonyms.")
            .query::<Asked>()
            .gives(
                200,
                "A page of predictions",
                "application/json",
                json!({
                    "type": "object",
                    "required": ["items", "next_cursor"],
                    "properties": {
                        "items": { "type": "array", "items": row_schema() },
                        "next_cursor": { "type": ["string", "null"] },
                    },
                }),
                Some(json!({ "items": [row_example()], "next_cursor": null })),
            )
            .fails(wrong_span())
            .fails(Error::not_found("service", "demanda"))
            .fails(wrong_cursor()),
        Operation::get(
            "/api/v1/predictions/{prediction}",
            "getPrediction",
            "Shows a prediction and what became of it",
        )
        .tag("predictions")
        .gives(200, "The prediction", "application/json", prediction_schema(), Some(prediction_example()))
        .fails(Error::not_found("prediction", EXAMPLE_ID)),
    ]
}

fn row_schema() -> Value {
    let nullable = |kind: &str| json!({ "type": [kind, "null"] });
    json!({
        "type": "object",
        "required": ["id", "at", "model", "version", "latency_us", "error", "inputs", "outputs"],
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "at": { "type": "integer", "description": "Microseconds since 1970, UTC." },
            "model": { "type": "string" },
            "version": { "type": "integer" },
            "rollout_id": nullable("string"),
            "rollout_segment": nullable("integer"),
            "arm": { "enum": ["stable", "canary", null] },
            "key": nullable("string"),
            "latency_us": { "type": "integer" },
            "request_id": nullable("string"),
            "error": { "type": "boolean", "description": "The version failed; another one answered." },
            "inputs": { "type": "object" },
            "outputs": {
                "type": "object",
                "properties": {
                    "label": nullable("string"), "score": nullable("number"), "value": nullable("number"),
                },
            },
        },
    })
}

fn prediction_schema() -> Value {
    let mut schema = row_schema();
    schema["properties"]["service"] = json!({ "type": "string" });
    schema["properties"]["outcome"] =
        json!({ "type": ["object", "null"], "description": "What became of it." });
    schema
}

fn row_example() -> Value {
    json!({
        "id": EXAMPLE_ID,
        "at": 1_795_280_700_000_000_i64,
        "model": "demanda",
        "version": 1,
        "rollout_id": null,
        "rollout_segment": null,
        "arm": null,
        "key": "tienda-7",
        "latency_us": 240,
        "request_id": EXAMPLE_ID,
        "inputs": { "precio": 1.5, "promocion": 1.0 },
        "outputs": { "label": null, "score": null, "value": 118.4 },
        "error": false,
    })
}

fn prediction_example() -> Value {
    let mut example = row_example();
    example["service"] = "demanda".into();
    example["outcome"] = json!({
        "prediction_id": EXAMPLE_ID, "service": null, "label": null, "value": 121.0, "converted": null,
        "occurred_at": 1_795_281_700_000_000_i64, "received_at": 1_795_281_700_000_000_i64,
    });
    example
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
