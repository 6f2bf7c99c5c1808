//! What became of predictions: labels, values and conversions that arrive hours or weeks later.
//!
//! An outcome belongs to a prediction by its id. The last one received wins, field by field: what a later
//! outcome does not say stays. The same outcome again changes nothing. Corrections are audited, first arrivals
//! are not: they are data, not decisions.

mod resolve;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::db::Tx;
use crate::name::{Actor, ServiceName, check_text};
use crate::prediction_log::Log;
use crate::{Error, Micros, Registry, Result, audit, row};

/// Most outcomes of one call.
pub const MAX_OUTCOMES: usize = 10_000;
const LABEL_BYTES: usize = 1024;
const KEY_BYTES: usize = 4096;
/// Rows of one statement: seven values each, far below both engines' limits on parameters.
const CHUNK: usize = 100;
/// Problems that an error message names.
const SHOWN: usize = 20;

/// Which prediction an outcome belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The prediction of this id.
    Prediction(Uuid),
    /// The prediction for an entity that was made nearest to a time, at most 24 hours away.
    Key {
        /// The service that was asked.
        service: ServiceName,
        /// The entity.
        key: String,
        /// About when.
        at: Micros,
    },
}

/// What became of a prediction.
///
/// - At least one of `label`, `value` and `converted` is given.
/// - `value` is finite.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "RawOutcome")]
pub struct Outcome {
    /// Which prediction.
    pub target: Target,
    /// The class that turned out to be true.
    pub label: Option<String>,
    /// The number that turned out to be true, or the revenue.
    pub value: Option<f64>,
    /// Whether the customer did it.
    pub converted: Option<bool>,
    /// When it happened; when it was received if nothing is said.
    pub occurred_at: Option<Micros>,
}

impl JsonSchema for Outcome {
    fn schema_name() -> Cow<'static, str> {
        "Outcome".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut told = generator.subschema_for::<RawOutcome>();
        told.insert("oneOf".into(), json!([
            { "required": ["prediction_id"], "properties": {
                "prediction_id": { "type": "string" }, "key": { "type": "null" }, "at": { "type": "null" } } },
            { "required": ["service", "key", "at"], "properties": {
                "prediction_id": { "type": "null" }, "service": { "type": "string" },
                "key": { "not": { "type": "null" } }, "at": { "not": { "type": "null" } } } },
        ]));
        let known = |field: &str| json!({ "required": [field], "properties": { field: { "not": { "type": "null" } } } });
        told.insert("anyOf".into(), json!([known("label"), known("value"), known("converted")]));
        told
    }
}

/// What a call did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StoredOutcomes {
    /// New ones.
    pub stored: u64,
    /// Those that changed or completed an earlier one.
    pub updated: u64,
    /// Those that were there already.
    pub unchanged: u64,
    /// Places in the call, from 0, of those whose service, key and time match no prediction; they are not kept.
    pub unmatched: Vec<usize>,
}

/// An outcome as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StoredOutcome {
    /// The prediction.
    pub prediction_id: Uuid,
    /// Its service, when the outcome came by key.
    pub service: Option<ServiceName>,
    /// The true class.
    pub label: Option<String>,
    /// The true number.
    pub value: Option<f64>,
    /// Whether the customer did it.
    pub converted: Option<bool>,
    /// When it happened.
    pub occurred_at: Micros,
    /// When it last changed here.
    pub received_at: Micros,
}

/// What became of a prediction, which is named by its id, or by the service, the entity's key and about when it was
/// asked. At least one of `label`, `value` and `converted` is given.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(deny_unknown_fields)]
struct RawOutcome {
    /// Which prediction.
    prediction_id: Option<Uuid>,
    /// The service that was asked.
    service: Option<ServiceName>,
    /// The entity that it was about.
    key: Option<RawLabel>,
    /// About when it was asked.
    at: Option<RawTime>,
    /// The class that turned out to be true.
    label: Option<RawLabel>,
    /// The number that turned out to be true, or the revenue.
    value: Option<f64>,
    /// Whether the customer did it.
    converted: Option<bool>,
    /// When it happened; when it was received if nothing is said.
    occurred_at: Option<RawTime>,
}

/// Classes and keys are texts here, whatever they are in the caller's JSON.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(untagged)]
enum RawLabel {
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

impl From<RawLabel> for String {
    fn from(label: RawLabel) -> String {
        match label {
            RawLabel::Boolean(label) => label.to_string(),
            RawLabel::Integer(label) => label.to_string(),
            RawLabel::Number(label) => label.to_string(),
            RawLabel::Text(label) => label,
        }
    }
}

/// Microseconds since 1970, or RFC 3339.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(untagged)]
enum RawTime {
    Micros(i64),
    Text(String),
}

impl RawTime {
    fn parse(self) -> Result<Micros> {
        match self {
            Self::Micros(micros) => Ok(Micros(micros)),
            Self::Text(text) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => Ok(Micros(time.as_microsecond())),
                Err(_) => Err(Error::Invalid(format!(
                    "{text:?} is not a time; write 2026-01-31T08:00:00-05:00 or microseconds since 1970"
                ))),
            },
        }
    }
}

impl TryFrom<RawOutcome> for Outcome {
    type Error = Error;

    fn try_from(raw: RawOutcome) -> Result<Self> {
        let target = match (raw.prediction_id, raw.service, raw.key, raw.at) {
            (Some(id), _, None, None) => Target::Prediction(id),
            (None, Some(service), Some(key), Some(at)) => {
                Target::Key { service, key: key.into(), at: at.parse()? }
            }
            _ => {
                return Err(Error::Invalid(
                    "an outcome needs either `prediction_id`, or `service`, `key` and `at`".to_owned(),
                ));
            }
        };
        let occurred_at = raw.occurred_at.map(RawTime::parse).transpose()?;
        let label = raw.label.map(String::from);
        Ok(Self { target, label, value: raw.value, converted: raw.converted, occurred_at })
    }
}

impl Outcome {
    fn problem(&self) -> Option<String> {
        if self.label.is_none() && self.value.is_none() && self.converted.is_none() {
            return Some("give at least one of `label`, `value` and `converted`".to_owned());
        }
        if self.value.is_some_and(|value| !value.is_finite()) {
            return Some("`value` is not a finite number".to_owned());
        }
        let label = self.label.as_deref().map(|label| check_text("label", label, LABEL_BYTES));
        let key = match &self.target {
            Target::Key { key, .. } => Some(check_text("key", key, KEY_BYTES)),
            Target::Prediction(_) => None,
        };
        [label, key].into_iter().flatten().find_map(Result::err).map(|error| error.to_string())
    }
}

impl Registry {
    /// Stores outcomes, all or none; when it returns they are durable. `log` lets outcomes given by key find
    /// predictions that are not yet in object storage, and entities whose keys are pseudonyms in the log.
    ///
    /// # Errors
    /// `TooLarge` for more than [`MAX_OUTCOMES`]; `Invalid` with the place and fault of every wrong one.
    pub async fn store_outcomes(
        &self,
        actor: &Actor,
        outcomes: &[Outcome],
        log: Option<&Log>,
    ) -> Result<StoredOutcomes> {
        check(outcomes)?;
        let now = self.now();
        let (resolved, unmatched) = resolve::resolve(self, log, outcomes).await?;
        // By id and once each: two calls that meet then lock rows in the same order.
        let incoming: BTreeMap<Uuid, &Outcome> = resolved.into_iter().collect();
        let mut done = StoredOutcomes { unmatched, ..StoredOutcomes::default() };
        if incoming.is_empty() {
            return Ok(done);
        }
        let mut tx = self.db.begin().await?;
        let existing = existing(&mut tx, &incoming).await?;
        let mut corrections = Vec::new();
        let mut changed = Vec::new();
        for (&id, outcome) in &incoming {
            let merged = merge(id, outcome, existing.get(&id), now);
            match existing.get(&id) {
                None => done.stored += 1,
                Some(before) if same(before, &merged) => {
                    done.unchanged += 1;
                    continue;
                }
                Some(before) => {
                    done.updated += 1;
                    corrections.push(json!({ "before": before, "after": merged }));
                }
            }
            changed.push(merged);
        }
        for chunk in changed.chunks(CHUNK) {
            upsert(&mut tx, chunk).await?;
        }
        if !corrections.is_empty() {
            record_corrections(&mut tx, actor, corrections, now).await?;
        }
        tx.commit().await?;
        Ok(done)
    }

    /// The outcome of a prediction.
    pub async fn get_outcome(&self, prediction_id: Uuid) -> Result<Option<StoredOutcome>> {
        let row = sqlx::query("SELECT * FROM outcomes WHERE prediction_id = $1")
            .bind(prediction_id.to_string())
            .fetch_optional(self.db.pool())
            .await?;
        row.as_ref().map(from_row).transpose()
    }

    /// How many outcomes there are of predictions made from `from` to before `to`, of whichever service, and when the
    /// last of them came: cheap to ask, for ids begin with their time.
    pub async fn outcomes_of_span(&self, from: Micros, to: Micros) -> Result<(u64, Option<Micros>)> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS outcomes, MAX(received_at) AS latest FROM outcomes \
             WHERE prediction_id >= $1 AND prediction_id < $2",
        )
        .bind(first_id(from))
        .bind(first_id(to))
        .fetch_one(self.db.pool())
        .await?;
        let latest = row.try_get::<Option<i64>, _>("latest")?.map(Micros);
        Ok((row.try_get::<i64, _>("outcomes")?.max(0) as u64, latest))
    }

    /// The predictions made from `from` to before `to`, of whichever service, whose outcome came at an instant or later.
    pub async fn outcomes_received(&self, from: Micros, to: Micros, since: Micros) -> Result<HashSet<Uuid>> {
        let rows = sqlx::query(
            "SELECT prediction_id FROM outcomes WHERE prediction_id >= $1 AND prediction_id < $2 \
             AND received_at >= $3",
        )
        .bind(first_id(from))
        .bind(first_id(to))
        .bind(since.0)
        .fetch_all(self.db.pool())
        .await?;
        rows.iter().map(|row| row::parsed(row, "prediction_id")).collect()
    }

    /// When the last outcome of any service came.
    pub async fn latest_outcome(&self) -> Result<Option<Micros>> {
        let row =
            sqlx::query("SELECT MAX(received_at) AS latest FROM outcomes").fetch_one(self.db.pool()).await?;
        Ok(row.try_get::<Option<i64>, _>("latest")?.map(Micros))
    }

    /// How many outcomes were received from `from` to before `to`.
    pub async fn count_outcomes(&self, from: Micros, to: Micros) -> Result<u64> {
        let row = sqlx::query("SELECT COUNT(*) FROM outcomes WHERE received_at >= $1 AND received_at < $2")
            .bind(from.0)
            .bind(to.0)
            .fetch_one(self.db.pool())
            .await?;
        Ok(row::aggregate(&row)?.unwrap_or(0) as u64)
    }
}

/// The smallest id of a prediction of this instant, to the millisecond: a UUIDv7 without random bits.
fn first_id(at: Micros) -> String {
    let millis = (at.0.max(0) / 1000) as u128;
    Uuid::from_u128(millis << 80).hyphenated().to_string()
}

fn check(outcomes: &[Outcome]) -> Result<()> {
    if outcomes.len() > MAX_OUTCOMES {
        let count = outcomes.len();
        return Err(Error::TooLarge(format!("{count} outcomes in one call; send at most {MAX_OUTCOMES}")));
    }
    let mut message = String::new();
    let mut count = 0;
    for (place, outcome) in outcomes.iter().enumerate() {
        let Some(problem) = outcome.problem() else { continue };
        count += 1;
        if count <= SHOWN {
            let separator = if message.is_empty() { "" } else { "; " };
            write!(message, "{separator}outcome {place}: {problem}").map_err(Error::internal)?;
        }
    }
    match count {
        0 => Ok(()),
        1..=SHOWN => Err(Error::Invalid(message)),
        _ => Err(Error::Invalid(format!("{message}; and {} more", count - SHOWN))),
    }
}

fn merge(id: Uuid, outcome: &Outcome, before: Option<&StoredOutcome>, now: Micros) -> StoredOutcome {
    let service = match &outcome.target {
        Target::Key { service, .. } => Some(service.clone()),
        Target::Prediction(_) => None,
    };
    StoredOutcome {
        prediction_id: id,
        service: service.or_else(|| before.and_then(|before| before.service.clone())),
        label: outcome.label.clone().or_else(|| before.and_then(|before| before.label.clone())),
        value: outcome.value.or_else(|| before.and_then(|before| before.value)),
        converted: outcome.converted.or_else(|| before.and_then(|before| before.converted)),
        occurred_at: outcome.occurred_at.or_else(|| before.map(|before| before.occurred_at)).unwrap_or(now),
        received_at: now,
    }
}

fn same(before: &StoredOutcome, after: &StoredOutcome) -> bool {
    *before == StoredOutcome { received_at: before.received_at, ..after.clone() }
}

/// `($1, $2), ($3, $4)` and the like: the only part of a statement that depends on how many rows there are.
fn placeholders(rows: usize, columns: usize) -> String {
    let mut text = String::new();
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { "), (" });
        for column in 0..columns {
            let separator = if column == 0 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{separator}${}", row * columns + column + 1);
        }
    }
    text.push(')');
    text
}

async fn existing(tx: &mut Tx, incoming: &BTreeMap<Uuid, &Outcome>) -> Result<HashMap<Uuid, StoredOutcome>> {
    let ids: Vec<Uuid> = incoming.keys().copied().collect();
    let mut found = HashMap::new();
    for chunk in ids.chunks(CHUNK) {
        let marks = placeholders(1, chunk.len());
        let statement = format!("SELECT * FROM outcomes WHERE prediction_id IN {marks}");
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for id in chunk {
            query = query.bind(id.to_string());
        }
        for row in query.fetch_all(&mut **tx).await? {
            let outcome = from_row(&row)?;
            found.insert(outcome.prediction_id, outcome);
        }
    }
    Ok(found)
}

async fn upsert(tx: &mut Tx, outcomes: &[StoredOutcome]) -> Result<()> {
    let marks = placeholders(outcomes.len(), 7);
    let statement = format!(
        "INSERT INTO outcomes (prediction_id, service, label, value, converted, occurred_at, received_at) \
         VALUES {marks} ON CONFLICT (prediction_id) DO UPDATE SET service = excluded.service, \
         label = excluded.label, value = excluded.value, converted = excluded.converted, \
         occurred_at = excluded.occurred_at, received_at = excluded.received_at"
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for outcome in outcomes {
        query = query
            .bind(outcome.prediction_id.to_string())
            .bind(outcome.service.as_ref().map(|service| service.as_str().to_owned()))
            .bind(outcome.label.clone())
            .bind(outcome.value)
            .bind(outcome.converted.map(i64::from))
            .bind(outcome.occurred_at.0)
            .bind(outcome.received_at.0);
    }
    query.execute(&mut **tx).await?;
    Ok(())
}

async fn record_corrections(
    tx: &mut Tx,
    actor: &Actor,
    mut corrections: Vec<serde_json::Value>,
    now: Micros,
) -> Result<()> {
    let count = corrections.len();
    corrections.truncate(SHOWN);
    let entry = audit::Entry {
        actor,
        action: "outcome.update",
        subject: "outcomes".to_owned(),
        before: None,
        after: Some(json!({ "count": count, "first": corrections })),
        reason: "",
    };
    audit::record(tx, now, entry).await.map(|_| ())
}

/// The outcomes of the predictions from one id to another, both included, by id.
pub(crate) async fn between(
    registry: &Registry,
    first: &str,
    last: &str,
) -> Result<HashMap<String, StoredOutcome>> {
    let rows = sqlx::query("SELECT * FROM outcomes WHERE prediction_id >= $1 AND prediction_id <= $2")
        .bind(first)
        .bind(last)
        .fetch_all(registry.db.pool())
        .await?;
    let outcomes = rows.iter().map(|row| Ok((row::text(row, "prediction_id")?, from_row(row)?)));
    outcomes.collect()
}

fn from_row(row: &AnyRow) -> Result<StoredOutcome> {
    let id = row::text(row, "prediction_id")?;
    Ok(StoredOutcome {
        prediction_id: Uuid::parse_str(&id).map_err(Error::internal)?,
        service: row::optional_text(row, "service")?.map(ServiceName::try_from).transpose()?,
        label: row::optional_text(row, "label")?,
        value: row.try_get::<Option<f64>, _>("value")?,
        converted: row.try_get::<Option<i64>, _>("converted")?.map(|converted| converted != 0),
        occurred_at: row::micros(row, "occurred_at")?,
        received_at: row::micros(row, "received_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> std::result::Result<Outcome, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn reads_both_ways_to_name_a_prediction() {
        let id = Uuid::nil();
        let by_id = parse(&format!(r#"{{"prediction_id": "{id}", "label": 1}}"#)).unwrap();
        assert_eq!((by_id.target, by_id.label.as_deref()), (Target::Prediction(id), Some("1")));
        let by_key = parse(r#"{"service":"s","key":7,"at":"1970-01-01T00:00:01Z","value":2}"#).unwrap();
        let service = ServiceName::try_from("s").unwrap();
        assert_eq!(by_key.target, Target::Key { service, key: "7".into(), at: Micros(1_000_000) });
        for wrong in [
            "{}",
            r#"{"service":"s","key":"7","label":"x"}"#,
            r#"{"service":"s","key":"7","at":"ayer","label":"x"}"#,
            r#"{"prediction_id":"x","label":"y"}"#,
            r#"{"prediction_id":"00000000-0000-0000-0000-000000000000","laebl":"y"}"#,
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_every_wrong_one() {
        let outcome = |value| Outcome {
            target: Target::Prediction(Uuid::nil()),
            label: None,
            value,
            converted: None,
            occurred_at: None,
        };
        let outcomes = [outcome(Some(1.0)), outcome(None), outcome(Some(f64::NAN))];
        let message = check(&outcomes).unwrap_err().to_string();
        assert!(message.contains("outcome 1: give") && message.contains("outcome 2: `value`"), "{message}");
        assert!(check(&vec![outcome(None); 30]).unwrap_err().to_string().ends_with("and 10 more"));
        assert!(matches!(check(&vec![outcome(None); 10_001]), Err(Error::TooLarge(_))));
    }

    #[test]
    fn numbers_placeholders() {
        assert_eq!(placeholders(2, 2), "($1, $2), ($3, $4)");
        assert_eq!(placeholders(1, 3), "($1, $2, $3)");
    }
}
