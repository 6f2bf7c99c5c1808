//! Idempotency keys: a POST that is sent again gets the answer of the first, and is not done twice.

use crate::artifact::Sha256Hex;
use crate::name::Actor;
use crate::{Error, Micros, Registry, Result, row};

const KEY_BYTES: usize = 255;
/// After this long a first request that never finished is taken for dead, and the next may do the work.
const ABANDONED_AFTER_SECONDS: i64 = 300;

/// What to do with a request that carries an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// Nobody has done it: do it, then [`Registry::finish_request`] or [`Registry::abandon_request`].
    Fresh,
    /// It was done: give this answer.
    Done {
        /// The HTTP status of the first answer.
        status: u16,
        /// The body of the first answer.
        body: String,
    },
}

impl Registry {
    /// Claims an idempotency key of an actor for a request with this hash. [`Error::Conflict`] while the first
    /// request is still at work, [`Error::Invalid`] when the key was used for a different request.
    pub async fn begin_request(&self, actor: &Actor, key: &str, request: &Sha256Hex) -> Result<Begin> {
        check_key(key)?;
        if self.claim(actor, key, request).await? {
            return Ok(Begin::Fresh);
        }
        let row = sqlx::query("SELECT * FROM idempotency_keys WHERE actor = $1 AND key = $2")
            .bind(actor.as_str())
            .bind(key)
            .fetch_optional(self.db.pool())
            .await?;
        // Given up between the two statements.
        let row = row.ok_or_else(in_progress)?;
        if row::text(&row, "request_sha256")? != request.as_str() {
            return Err(used_otherwise());
        }
        let status = row::integer(&row, "status")?;
        if status != 0 {
            let status = u16::try_from(status).map_err(Error::internal)?;
            return Ok(Begin::Done { status, body: row::text(&row, "body")? });
        }
        let started = row::micros(&row, "created_at")?;
        if self.take_over(actor, key, started).await? { Ok(Begin::Fresh) } else { Err(in_progress()) }
    }

    /// Keeps the answer for whoever asks again.
    pub async fn finish_request(&self, actor: &Actor, key: &str, status: u16, body: &str) -> Result<()> {
        sqlx::query("UPDATE idempotency_keys SET status = $1, body = $2 WHERE actor = $3 AND key = $4")
            .bind(i64::from(status))
            .bind(body)
            .bind(actor.as_str())
            .bind(key)
            .execute(self.db.pool())
            .await?;
        Ok(())
    }

    /// Gives the key back after a failure that is worth trying again.
    pub async fn abandon_request(&self, actor: &Actor, key: &str) -> Result<()> {
        sqlx::query("DELETE FROM idempotency_keys WHERE actor = $1 AND key = $2 AND status = 0")
            .bind(actor.as_str())
            .bind(key)
            .execute(self.db.pool())
            .await?;
        Ok(())
    }

    /// Forgets keys older than an instant; returns how many.
    pub async fn forget_requests(&self, before: Micros) -> Result<u64> {
        let done = sqlx::query("DELETE FROM idempotency_keys WHERE created_at < $1")
            .bind(before.0)
            .execute(self.db.pool())
            .await?;
        Ok(done.rows_affected())
    }

    async fn claim(&self, actor: &Actor, key: &str, request: &Sha256Hex) -> Result<bool> {
        let done = sqlx::query(
            "INSERT INTO idempotency_keys (actor, key, request_sha256, status, body, created_at) \
             VALUES ($1, $2, $3, 0, '', $4) ON CONFLICT (actor, key) DO NOTHING",
        )
        .bind(actor.as_str())
        .bind(key)
        .bind(request.as_str())
        .bind(self.now().0)
        .execute(self.db.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Of several that find the same dead request, one takes it over.
    async fn take_over(&self, actor: &Actor, key: &str, started: Micros) -> Result<bool> {
        let now = self.now();
        if now < started.plus_seconds(ABANDONED_AFTER_SECONDS) {
            return Ok(false);
        }
        let done = sqlx::query(
            "UPDATE idempotency_keys SET created_at = $1 \
             WHERE actor = $2 AND key = $3 AND status = 0 AND created_at = $4",
        )
        .bind(now.0)
        .bind(actor.as_str())
        .bind(key)
        .bind(started.0)
        .execute(self.db.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// A header that is neither empty nor long, of printable ASCII alone.
fn check_key(key: &str) -> Result<()> {
    let is_fine =
        (1..=KEY_BYTES).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_fine {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "`Idempotency-Key` must have 1 to {KEY_BYTES} printable ASCII characters; send a fresh UUID"
    )))
}

/// What a key is told that was used for something else.
pub fn used_otherwise() -> Error {
    Error::Invalid("this `Idempotency-Key` was used for a different request; send a fresh one".into())
}

/// What a second request is told while the first is at work.
pub fn in_progress() -> Error {
    Error::Conflict("the first request with this `Idempotency-Key` is still at work; try again later".into())
}
