//! Who did what, when, to what, with which effect and why: append-only and hash-chained.
//!
//! An entry is written in the transaction of the change it tells of. Each entry's hash covers the hash before
//! it, so an entry that is altered, taken out or put in between breaks the chain from there on
//! ([`Registry::verify_audit`]). Entries cut off at the end are seen by comparing [`ChainCheck::last`] with
//! one kept elsewhere.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::artifact::Sha256Hex;
use crate::db::Tx;
use crate::name::{Actor, check_text};
use crate::{Error, Micros, Page, PageRequest, Registry, Result, row};

/// What stands for the hash before the first entry.
const GENESIS: &str = "";
const REASON_BYTES: usize = 4096;
const VERIFY_BATCH: i64 = 1000;
/// Each attempt fails only because another transaction has just committed an entry.
const APPEND_ATTEMPTS: usize = 1000;

/// An entry to be written.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// What, as `noun.verb`: `model.create`, `alias.set`, `rollout.rollback`.
    pub action: &'static str,
    /// To what, as `noun:name`: `model:ventas`, `version:ventas/3`.
    pub subject: String,
    /// The state before, where there was one.
    pub before: Option<Value>,
    /// The state after, where there is one.
    pub after: Option<Value>,
    /// Why; may be empty.
    pub reason: &'a str,
}

/// An entry as it stands in the log.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AuditRecord {
    /// Its place, from 1, without gaps.
    pub seq: i64,
    /// When.
    pub at: Micros,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// The state before.
    pub before: Option<Value>,
    /// The state after.
    pub after: Option<Value>,
    /// Why.
    pub reason: String,
    /// The hash of the entry before, empty for the first.
    pub previous_hash: String,
    /// SHA-256 over all of the above.
    pub hash: String,
}

/// The end of a chain: its last place and hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "AuditChainEnd")]
pub struct ChainEnd {
    /// The last entry's place.
    pub seq: i64,
    /// The last entry's hash.
    pub hash: String,
}

/// What a walk along the chain found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "AuditChainCheck")]
pub struct ChainCheck {
    /// Entries that are as they were written.
    pub entries: i64,
    /// The first place that is missing or was tampered with.
    pub broken_at: Option<i64>,
    /// The last good entry.
    pub last: Option<ChainEnd>,
}

/// An entry's columns as stored.
struct Columns {
    seq: i64,
    at: i64,
    actor: String,
    action: String,
    subject: String,
    before: Option<String>,
    after: Option<String>,
    reason: String,
    previous_hash: String,
}

impl Columns {
    /// SHA-256 over the columns, each with its length before it, so that no two entries have the same bytes.
    fn hash(&self) -> Sha256Hex {
        let mut digest = Sha256::new();
        let mut field = |bytes: Option<&[u8]>| match bytes {
            None => digest.update(u64::MAX.to_be_bytes()),
            Some(bytes) => {
                digest.update((bytes.len() as u64).to_be_bytes());
                digest.update(bytes);
            }
        };
        field(Some(self.previous_hash.as_bytes()));
        field(Some(&self.seq.to_be_bytes()));
        field(Some(&self.at.to_be_bytes()));
        field(Some(self.actor.as_bytes()));
        field(Some(self.action.as_bytes()));
        field(Some(self.subject.as_bytes()));
        field(self.before.as_deref().map(str::as_bytes));
        field(self.after.as_deref().map(str::as_bytes));
        field(Some(self.reason.as_bytes()));
        Sha256Hex::from_digest(&digest.finalize())
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Columns {
            seq: row::integer(row, "seq")?,
            at: row::integer(row, "at")?,
            actor: row::text(row, "actor")?,
            action: row::text(row, "action")?,
            subject: row::text(row, "subject")?,
            before: row::optional_text(row, "before_json")?,
            after: row::optional_text(row, "after_json")?,
            reason: row::text(row, "reason")?,
            previous_hash: row::text(row, "previous_hash")?,
        })
    }
}

/// Appends an entry within the transaction of the change; the last thing before the commit, because other
/// writers wait for its place in the chain. Returns the place.
pub async fn record(tx: &mut Tx, at: Micros, entry: Entry<'_>) -> Result<i64> {
    check_text("reason", entry.reason, REASON_BYTES)?;
    let mut columns = Columns {
        seq: 0,
        at: at.0,
        actor: entry.actor.to_string(),
        action: entry.action.into(),
        subject: entry.subject,
        before: entry.before.as_ref().map(row::to_json).transpose()?,
        after: entry.after.as_ref().map(row::to_json).transpose()?,
        reason: entry.reason.into(),
        previous_hash: GENESIS.into(),
    };
    for _ in 0..APPEND_ATTEMPTS {
        let end = chain_end(tx).await?;
        columns.seq = end.as_ref().map_or(1, |end| end.seq + 1);
        columns.previous_hash = end.map_or_else(|| GENESIS.into(), |end| end.hash);
        if insert(tx, &columns).await? {
            return Ok(columns.seq);
        }
    }
    Err(Error::Unavailable("the audit log is too busy; try again".into()))
}

async fn chain_end(tx: &mut Tx) -> Result<Option<ChainEnd>> {
    let row = sqlx::query("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| Ok(ChainEnd { seq: row::integer(&row, "seq")?, hash: row::text(&row, "hash")? }))
        .transpose()
}

/// Whether the place was still free. Where another transaction holds it uncommitted, this waits for its end.
async fn insert(tx: &mut Tx, columns: &Columns) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO audit (seq, at, actor, action, subject, before_json, after_json, reason, previous_hash, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (seq) DO NOTHING",
    )
    .bind(columns.seq)
    .bind(columns.at)
    .bind(&columns.actor)
    .bind(&columns.action)
    .bind(&columns.subject)
    .bind(&columns.before)
    .bind(&columns.after)
    .bind(&columns.reason)
    .bind(&columns.previous_hash)
    .bind(columns.hash().as_str())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

impl Registry {
    /// The log, newest first; of one subject when given.
    pub async fn list_audit(&self, subject: Option<&str>, page: &PageRequest) -> Result<Page<AuditRecord>> {
        let before = page.after_number(i64::MAX)?;
        let query = match subject {
            None => sqlx::query("SELECT * FROM audit WHERE seq < $1 ORDER BY seq DESC LIMIT $2")
                .bind(before)
                .bind(page.fetch_limit()),
            Some(subject) => {
                sqlx::query("SELECT * FROM audit WHERE seq < $1 AND subject = $3 ORDER BY seq DESC LIMIT $2")
                    .bind(before)
                    .bind(page.fetch_limit())
                    .bind(subject)
            }
        };
        let rows = query.fetch_all(self.db.pool()).await?;
        let records = rows.iter().map(record_from_row).collect::<Result<Vec<_>>>()?;
        Ok(Page::of_rows(records, page, |record| record.seq.to_string()))
    }

    /// Walks the whole chain and checks every hash.
    pub async fn verify_audit(&self) -> Result<ChainCheck> {
        let mut check = ChainCheck { entries: 0, broken_at: None, last: None };
        loop {
            let rows = sqlx::query("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
                .bind(check.last.as_ref().map_or(0, |last| last.seq))
                .bind(VERIFY_BATCH)
                .fetch_all(self.db.pool())
                .await?;
            for row in &rows {
                if !continues_chain(&mut check, row)? {
                    return Ok(check);
                }
            }
            if rows.len() < VERIFY_BATCH as usize {
                return Ok(check);
            }
        }
    }
}

fn continues_chain(check: &mut ChainCheck, row: &AnyRow) -> Result<bool> {
    let columns = Columns::from_row(row)?;
    let stored: String = row.try_get("hash")?;
    let (last_seq, last_hash) = check.last.as_ref().map_or((0, GENESIS), |last| (last.seq, &last.hash));
    let fits = columns.seq == last_seq + 1
        && columns.previous_hash == last_hash
        && columns.hash().as_str() == stored;
    if fits {
        check.entries += 1;
        check.last = Some(ChainEnd { seq: columns.seq, hash: stored });
    } else {
        check.broken_at = Some(last_seq + 1);
    }
    Ok(fits)
}

fn record_from_row(row: &AnyRow) -> Result<AuditRecord> {
    Ok(AuditRecord {
        seq: row::integer(row, "seq")?,
        at: row::micros(row, "at")?,
        actor: row::text(row, "actor")?,
        action: row::text(row, "action")?,
        subject: row::text(row, "subject")?,
        before: row::optional_json(row, "before_json")?,
        after: row::optional_json(row, "after_json")?,
        reason: row::text(row, "reason")?,
        previous_hash: row::text(row, "previous_hash")?,
        hash: row::text(row, "hash")?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Columns, GENESIS};

    fn columns(actor: &str, action: &str, before: Option<&str>) -> Columns {
        Columns {
            seq: 1,
            at: 2,
            actor: actor.into(),
            action: action.into(),
            subject: "model:x".into(),
            before: before.map(Into::into),
            after: None,
            reason: String::new(),
            previous_hash: GENESIS.into(),
        }
    }

    #[test]
    fn moving_a_character_between_fields_changes_the_hash() {
        assert_ne!(columns("ab", "c", None).hash(), columns("a", "bc", None).hash());
        assert_ne!(columns("a", "b", None).hash(), columns("a", "b", Some("")).hash());
        assert_eq!(columns("a", "b", None).hash(), columns("a", "b", None).hash());
    }
}
