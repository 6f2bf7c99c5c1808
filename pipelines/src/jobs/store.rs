//! Rows of jobs. Every change of a running job names the attempt that makes it: a worker that was given up for dead and
//! comes back changes nothing any more.

use chasqui_registry::db::{Tx, is_unique_violation};
use chasqui_registry::name::Actor;
use chasqui_registry::{Micros, Page, PageRequest, Registry, audit};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Dedup, Job, JobState, LEASE, NewJob};
use crate::error::{Error, Result};
use crate::queue::Queue;

/// The longest wait before another attempt.
const MAX_BACKOFF_SECONDS: i64 = 60;

/// Creates, reads and changes jobs; cloning shares it.
#[derive(Debug, Clone)]
pub struct JobStore {
    pub(crate) registry: Registry,
    queue: Queue,
}

/// What became of an attempt.
pub(crate) enum Outcome {
    Succeeded(Value),
    Retry(String),
    Failed(String),
    Cancelled,
    /// The worker shuts down: the attempt does not count.
    Released,
}

impl JobStore {
    /// Jobs of a registry, whose workers are woken by a queue.
    pub fn new(registry: Registry, queue: Queue) -> Self {
        Self { registry, queue }
    }

    /// Creates a job and wakes a worker. When the key is taken, the job that has it is returned instead, with false.
    pub async fn create(&self, actor: &Actor, new: NewJob) -> Result<(Job, bool)> {
        let now = self.registry.now();
        let mut tx = self.registry.db.begin().await?;
        let inserted = insert(&mut tx, actor, &new, now).await?;
        let Some(id) = inserted else {
            tx.rollback().await?;
            return Ok((self.of_key(&new.dedup).await?, false));
        };
        record(&mut tx, actor, "job.create", &id, json!({ "kind": new.kind, "subject": new.subject }), now)
            .await?;
        tx.commit().await?;
        self.wake(&id).await;
        Ok((self.get(&id).await?, true))
    }

    /// Wakes a worker for a job. A message that is lost is sent again by the sweep.
    pub async fn wake(&self, id: &str) {
        if let Err(error) = self.queue.push(id).await {
            tracing::warn!(job.id = id, %error, "a job could not be announced; the sweep will");
        }
    }

    /// One job.
    pub async fn get(&self, id: &str) -> Result<Job> {
        let row = sqlx::query("SELECT * FROM jobs WHERE id = $1")
            .bind(id)
            .fetch_optional(self.registry.db.pool())
            .await?
            .ok_or_else(|| Error::NotFound(format!("the job `{id}` does not exist")))?;
        from_row(&row)
    }

    /// Jobs, the newest first; of one subject when given.
    pub async fn list(&self, subject: Option<&str>, page: &PageRequest) -> Result<Page<Job>> {
        let rows = sqlx::query(
            "SELECT * FROM jobs WHERE ($1 = '' OR id < $1) AND ($2 = '' OR subject = $2) ORDER BY id DESC LIMIT $3",
        )
        .bind(page.after_text())
        .bind(subject.unwrap_or(""))
        .bind(page.fetch_limit())
        .fetch_all(self.registry.db.pool())
        .await?;
        let jobs = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
        Ok(Page::of_rows(jobs, page, |job| job.id.clone()))
    }

    /// How many jobs are in each state, for metrics.
    pub async fn count_by_state(&self) -> Result<Vec<(JobState, u64)>> {
        let rows = sqlx::query("SELECT state, COUNT(*) AS count FROM jobs GROUP BY state")
            .fetch_all(self.registry.db.pool())
            .await?;
        let count = |row: &AnyRow| {
            Ok((word(row, "state")?, u64::try_from(row.try_get::<i64, _>("count")?).unwrap_or(0)))
        };
        rows.iter().map(count).collect()
    }

    /// Ends a job: at once when it waits, at its next step when it runs.
    pub async fn cancel(&self, actor: &Actor, id: &str, reason: &str) -> Result<Job> {
        let now = self.registry.now();
        let mut tx = self.registry.db.begin().await?;
        let done = sqlx::query(
            "UPDATE jobs SET cancel_requested_at = $1, updated_at = $1, \
             state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END, \
             finished_at = CASE WHEN state = 'queued' THEN $1 ELSE finished_at END, \
             dedup_key = CASE WHEN state = 'queued' AND dedup_key LIKE 'live:%' THEN NULL ELSE dedup_key END \
             WHERE id = $2 AND state IN ('queued', 'running')",
        )
        .bind(now.0)
        .bind(id)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            tx.rollback().await?;
            let job = self.get(id).await?;
            return Err(Error::Conflict(format!("the job `{id}` has {} already", job.state.name())));
        }
        record(&mut tx, actor, "job.cancel", id, json!({ "reason": reason }), now).await?;
        tx.commit().await?;
        self.get(id).await
    }

    /// Takes a job for an attempt, if it waits or its worker is silent. None when there is nothing to do.
    pub(crate) async fn claim(&self, id: &str, token: &str) -> Result<Option<Job>> {
        let now = self.registry.now();
        let done = sqlx::query(
            "UPDATE jobs SET state = 'running', worker = $1, lease_until = $2, attempts = attempts + 1, \
             updated_at = $3 WHERE id = $4 AND ((state = 'queued' AND run_after <= $3) \
             OR (state = 'running' AND lease_until < $3))",
        )
        .bind(token)
        .bind(now.0 + LEASE)
        .bind(now.0)
        .bind(id)
        .execute(self.registry.db.pool())
        .await?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        Ok(Some(self.get(id).await?))
    }

    /// Renews the lease; false when the job was cancelled or is somebody else's now.
    pub(crate) async fn renew(&self, id: &str, token: &str) -> Result<bool> {
        let now = self.registry.now();
        let done = sqlx::query(
            "UPDATE jobs SET lease_until = $1, updated_at = $2 WHERE id = $3 AND worker = $4 AND state = 'running' \
             AND cancel_requested_at IS NULL",
        )
        .bind(now.0 + LEASE)
        .bind(now.0)
        .bind(id)
        .bind(token)
        .execute(self.registry.db.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Writes how far an attempt is, which also renews its lease; false as in [`Self::renew`].
    pub(crate) async fn progress(&self, id: &str, token: &str, share: f64, message: &str) -> Result<bool> {
        let now = self.registry.now();
        let done = sqlx::query(
            "UPDATE jobs SET progress = $1, message = $2, lease_until = $3, updated_at = $4 \
             WHERE id = $5 AND worker = $6 AND state = 'running' AND cancel_requested_at IS NULL",
        )
        .bind(share.clamp(0.0, 1.0))
        .bind(message)
        .bind(now.0 + LEASE)
        .bind(now.0)
        .bind(id)
        .bind(token)
        .execute(self.registry.db.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends an attempt, unless another worker has the job by now: then false.
    pub(crate) async fn finish(&self, job: &Job, token: &str, outcome: Outcome) -> Result<bool> {
        let now = self.registry.now();
        let attempts = job.attempts - i64::from(matches!(outcome, Outcome::Released));
        let (state, progress, result, error, run_after) = match outcome {
            Outcome::Succeeded(result) => (JobState::Succeeded, 1.0, Some(result.to_string()), None, now),
            Outcome::Failed(error) => (JobState::Failed, job.progress, None, Some(error), now),
            Outcome::Cancelled => (JobState::Cancelled, job.progress, None, None, now),
            Outcome::Released => (JobState::Queued, job.progress, None, None, now),
            Outcome::Retry(error) if job.attempts >= job.max_attempts => {
                (JobState::Failed, job.progress, None, Some(error), now)
            }
            Outcome::Retry(error) => {
                let wait = 1_i64.checked_shl(u32::try_from(job.attempts).unwrap_or(63)).unwrap_or(i64::MAX);
                let wait = wait.clamp(1, MAX_BACKOFF_SECONDS);
                (JobState::Queued, job.progress, None, Some(error), now.plus_seconds(wait))
            }
        };
        let ended = state.terminal();
        let done = sqlx::query(
            "UPDATE jobs SET state = $1, progress = $2, result = $3, error = $4, run_after = $5, worker = NULL, \
             lease_until = NULL, updated_at = $6, finished_at = $7, attempts = $11, \
             dedup_key = CASE WHEN $8 = 1 AND dedup_key LIKE 'live:%' THEN NULL ELSE dedup_key END \
             WHERE id = $9 AND worker = $10 AND state = 'running'",
        )
        .bind(state.name())
        .bind(progress)
        .bind(result)
        .bind(error)
        .bind(run_after.0)
        .bind(now.0)
        .bind(ended.then_some(now.0))
        .bind(i64::from(ended))
        .bind(&job.id)
        .bind(token)
        .bind(attempts)
        .execute(self.registry.db.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ids of jobs that wait for a worker, or whose worker is silent.
    pub(crate) async fn due(&self) -> Result<Vec<String>> {
        let now = self.registry.now();
        let rows = sqlx::query(
            "SELECT id FROM jobs WHERE (state = 'queued' AND run_after <= $1) \
             OR (state = 'running' AND lease_until < $1) ORDER BY id LIMIT 1000",
        )
        .bind(now.0)
        .fetch_all(self.registry.db.pool())
        .await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    }

    async fn of_key(&self, dedup: &Dedup) -> Result<Job> {
        let row = sqlx::query("SELECT * FROM jobs WHERE dedup_key = $1")
            .bind(key(dedup))
            .fetch_optional(self.registry.db.pool())
            .await?;
        // It ended between the two statements: the caller may try again.
        let row = row.ok_or_else(|| Error::Conflict("a job of the same key just ended; try again".into()))?;
        from_row(&row)
    }
}

fn key(dedup: &Dedup) -> Option<String> {
    match dedup {
        Dedup::None => None,
        Dedup::WhileLive(key) => Some(format!("live:{key}")),
        Dedup::Once(key) => Some(format!("once:{key}")),
    }
}

async fn insert(tx: &mut Tx, actor: &Actor, new: &NewJob, now: Micros) -> Result<Option<String>> {
    let id = now.new_id().to_string();
    let inserted = sqlx::query(
        "INSERT INTO jobs (id, kind, subject, payload, dedup_key, state, attempts, max_attempts, progress, message, \
         run_after, created_at, created_by, updated_at) \
         VALUES ($1, $2, $3, $4, $5, 'queued', 0, $6, 0, '', $7, $7, $8, $7) ON CONFLICT (dedup_key) DO NOTHING",
    )
    .bind(&id)
    .bind(new.kind.name())
    .bind(&new.subject)
    .bind(new.payload.to_string())
    .bind(key(&new.dedup))
    .bind(new.max_attempts.max(1))
    .bind(now.0)
    .bind(actor.as_str())
    .execute(&mut **tx)
    .await;
    match inserted {
        Ok(done) => Ok((done.rows_affected() == 1).then_some(id)),
        Err(error) if is_unique_violation(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn record(
    tx: &mut Tx,
    actor: &Actor,
    action: &'static str,
    id: &str,
    after: Value,
    now: Micros,
) -> Result<()> {
    let subject = format!("job:{id}");
    let entry = audit::Entry { actor, action, subject, before: None, after: Some(after), reason: "" };
    audit::record(tx, now, entry).await?;
    Ok(())
}

/// A column that holds the name of a variant.
fn word<T: DeserializeOwned>(row: &AnyRow, column: &str) -> Result<T> {
    Ok(serde_json::from_value(Value::String(row.try_get(column)?))?)
}

fn from_row(row: &AnyRow) -> Result<Job> {
    let micros =
        |column: &str| -> Result<Option<Micros>> { Ok(row.try_get::<Option<i64>, _>(column)?.map(Micros)) };
    let result: Option<String> = row.try_get("result")?;
    Ok(Job {
        id: row.try_get("id")?,
        kind: word(row, "kind")?,
        subject: row.try_get("subject")?,
        payload: serde_json::from_str(&row.try_get::<String, _>("payload")?)?,
        state: word(row, "state")?,
        attempts: row.try_get("attempts")?,
        max_attempts: row.try_get("max_attempts")?,
        progress: row.try_get("progress")?,
        message: row.try_get("message")?,
        result: result.map(|text| serde_json::from_str(&text)).transpose()?,
        error: row.try_get("error")?,
        worker: row.try_get("worker")?,
        lease_until: micros("lease_until")?,
        cancel_requested_at: micros("cancel_requested_at")?,
        run_after: Micros(row.try_get("run_after")?),
        created_at: Micros(row.try_get("created_at")?),
        created_by: row.try_get("created_by")?,
        updated_at: Micros(row.try_get("updated_at")?),
        finished_at: micros("finished_at")?,
    })
}
