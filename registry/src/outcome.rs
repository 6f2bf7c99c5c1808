//! What became of predictions: labels, values and conversions that arrive hours or weeks later.
//!
//! An outcome belongs to a prediction by its id. The last one received wins, field by field: what a later
//! outcome does not say stays. The same outcome again changes nothing. Corrections are audited, first arrivals
//! are not: they are data, not decisions.

mod incoming;
mod resolve;
mod rows;

use std::collections::{BTreeMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::Row;
use uuid::Uuid;

use crate::db::Tx;
use crate::name::{Actor, ServiceName};
use crate::prediction_log::Log;
use crate::{Micros, Registry, Result, audit, row};

use incoming::{RawOutcome, check};
pub(crate) use rows::between;
use rows::{CHUNK, existing, from_row, upsert};

/// Most outcomes of one call.
pub const MAX_OUTCOMES: usize = 10_000;
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
