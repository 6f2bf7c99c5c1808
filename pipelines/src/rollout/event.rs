//! Events of rollouts: append-only, each with the hash of the one before, so that a decision can be audited and recomputed.

use chasqui_registry::db::Tx;
use chasqui_registry::{Micros, Registry};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::Result;

/// An event of a rollout; `hash` covers all other fields, `previous_hash` included.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RolloutEvent {
    /// The rollout.
    pub rollout_id: String,
    /// The epoch it led to.
    pub epoch: i64,
    /// Status before; empty for the first.
    pub from_status: String,
    /// Status after.
    pub to_status: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The evidence at that moment, as JSON text, byte for byte as it was hashed.
    pub evidence: String,
    /// The hash of the event before; empty for the first.
    pub previous_hash: String,
    /// SHA-256 over all of the above and the time.
    pub hash: String,
    /// When.
    pub at: Micros,
}

impl RolloutEvent {
    /// SHA-256 over the fields, each with its length before it, so that no two events have the same bytes.
    pub fn computed_hash(&self) -> String {
        let mut digest = Sha256::new();
        let epoch = self.epoch.to_be_bytes();
        let at = self.at.0.to_be_bytes();
        let fields: [&[u8]; 9] = [
            self.previous_hash.as_bytes(),
            self.rollout_id.as_bytes(),
            &epoch,
            self.from_status.as_bytes(),
            self.to_status.as_bytes(),
            self.actor.as_bytes(),
            self.reason.as_bytes(),
            self.evidence.as_bytes(),
            &at,
        ];
        for field in fields {
            digest.update((field.len() as u64).to_be_bytes());
            digest.update(field);
        }
        digest.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
            hex.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            hex.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
            hex
        })
    }
}

/// Whether every event of the chain is as it was written.
pub fn chain_holds(events: &[RolloutEvent]) -> bool {
    let mut previous = "";
    for (i, event) in events.iter().enumerate() {
        let in_order = event.epoch == i as i64 + 1 && event.previous_hash == previous;
        if !in_order || event.computed_hash() != event.hash {
            return false;
        }
        previous = &event.hash;
    }
    true
}

/// The events of a rollout, the first first.
pub async fn events(registry: &Registry, id: &str) -> Result<Vec<RolloutEvent>> {
    let rows = sqlx::query("SELECT * FROM rollout_events WHERE rollout_id = $1 ORDER BY epoch")
        .bind(id)
        .fetch_all(registry.db.pool())
        .await?;
    rows.iter().map(from_row).collect()
}

/// Adds an event, its hash computed here.
pub(crate) async fn insert(tx: &mut Tx, mut event: RolloutEvent) -> Result<()> {
    event.hash = event.computed_hash();
    sqlx::query(
        "INSERT INTO rollout_events (rollout_id, epoch, from_status, to_status, actor, reason, evidence, \
         previous_hash, hash, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(event.rollout_id)
    .bind(event.epoch)
    .bind(event.from_status)
    .bind(event.to_status)
    .bind(event.actor)
    .bind(event.reason)
    .bind(event.evidence)
    .bind(event.previous_hash)
    .bind(event.hash)
    .bind(event.at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The hash of a rollout's last event; empty before the first.
pub(crate) async fn last_hash(tx: &mut Tx, rollout_id: &str) -> Result<String> {
    let row =
        sqlx::query("SELECT hash FROM rollout_events WHERE rollout_id = $1 ORDER BY epoch DESC LIMIT 1")
            .bind(rollout_id)
            .fetch_optional(&mut **tx)
            .await?;
    Ok(row.map(|row| row.try_get("hash")).transpose()?.unwrap_or_default())
}

fn from_row(row: &AnyRow) -> Result<RolloutEvent> {
    Ok(RolloutEvent {
        rollout_id: row.try_get("rollout_id")?,
        epoch: row.try_get("epoch")?,
        from_status: row.try_get("from_status")?,
        to_status: row.try_get("to_status")?,
        actor: row.try_get("actor")?,
        reason: row.try_get("reason")?,
        evidence: row.try_get("evidence")?,
        previous_hash: row.try_get("previous_hash")?,
        hash: row.try_get("hash")?,
        at: Micros(row.try_get("at")?),
    })
}
