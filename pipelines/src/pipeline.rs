//! Pipelines and their runs: the declaration as given, and what each run came to.

use chasqui_registry::db::Tx;
use chasqui_registry::name::{Actor, PipelineName};
use chasqui_registry::{Micros, Page, PageRequest, Registry, audit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::{Error, Result};
use crate::gate::GateVerdict;
use crate::jobs::{Dedup, Job, JobKind, JobStore, NewJob};
use crate::spec::PipelineSpec;

/// Attempts of a retraining: a worker may die twice.
const RETRAIN_ATTEMPTS: i64 = 3;

/// A pipeline as stored.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// The service that it keeps fresh.
    pub service: String,
    /// The TOML, as given.
    pub declaration: String,
    /// The same, parsed.
    pub spec: PipelineSpec,
    /// When it was first declared.
    pub created_at: Micros,
    /// When its declaration last changed.
    pub updated_at: Micros,
}

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The data drifted.
    Drift,
    /// Performance fell.
    Performance,
    /// The time has come.
    Schedule,
    /// A person.
    Hand,
}

impl Trigger {
    /// Its name in `pipeline_runs.trigger_kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Performance => "performance",
            Self::Schedule => "schedule",
            Self::Hand => "hand",
        }
    }
}

/// A run as stored; what is not reached yet is absent.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Run {
    /// Its id, the same as that of its job.
    pub id: String,
    /// The pipeline.
    pub pipeline: String,
    /// Its job.
    pub job_id: String,
    /// [`Trigger::name`].
    pub trigger: String,
    /// The dataset it trained on.
    pub dataset: Option<String>,
    /// Which version of it.
    pub dataset_version: Option<i64>,
    /// The model of its candidate.
    pub model: Option<String>,
    /// Its candidate.
    pub version: Option<i64>,
    /// What the gates said.
    pub gate: Option<GateVerdict>,
    /// The rollout it started.
    pub rollout_id: Option<String>,
    /// When it began.
    pub created_at: Micros,
    /// When it ended.
    pub finished_at: Option<Micros>,
}

/// Declares a pipeline, or replaces its declaration. The same declaration again changes nothing.
///
/// # Errors
/// `Invalid` when the declaration cannot be read.
pub async fn put(
    registry: &Registry,
    actor: &Actor,
    name: &PipelineName,
    declaration: &str,
) -> Result<Pipeline> {
    let spec = PipelineSpec::from_toml(declaration)?;
    let now = registry.now();
    let previous = get(registry, name.as_str()).await?;
    if let Some(previous) = &previous
        && previous.declaration == declaration
    {
        return Ok(previous.clone());
    }
    let mut tx = registry.db.begin().await?;
    sqlx::query(
        "INSERT INTO pipelines (name, service, declaration, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) \
         ON CONFLICT (name) DO UPDATE SET service = excluded.service, declaration = excluded.declaration, \
         updated_at = excluded.updated_at, deleted_at = NULL",
    )
    .bind(name.as_str())
    .bind(spec.service.as_str())
    .bind(declaration)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    let entry = audit::Entry {
        actor,
        action: "pipeline.put",
        subject: format!("pipeline:{name}"),
        before: previous.map(|previous| json!({ "declaration": previous.declaration })),
        after: Some(json!({ "declaration": declaration })),
        reason: "",
    };
    audit::record(&mut tx, now, entry).await?;
    tx.commit().await?;
    let stored = get(registry, name.as_str()).await?;
    stored.ok_or_else(|| Error::Conflict(format!("the pipeline `{name}` was deleted meanwhile")))
}

/// The pipeline of this name, unless it was deleted.
pub async fn get(registry: &Registry, name: &str) -> Result<Option<Pipeline>> {
    let row = sqlx::query("SELECT * FROM pipelines WHERE name = $1 AND deleted_at IS NULL")
        .bind(name)
        .fetch_optional(registry.db.pool())
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Every pipeline, by name. One whose declaration cannot be read any more is logged and left out: it must not keep the
/// others from running.
pub async fn all(registry: &Registry) -> Result<Vec<Pipeline>> {
    let rows = sqlx::query("SELECT * FROM pipelines WHERE deleted_at IS NULL ORDER BY name")
        .fetch_all(registry.db.pool())
        .await?;
    let mut pipelines = Vec::with_capacity(rows.len());
    for row in &rows {
        match from_row(row) {
            Ok(pipeline) => pipelines.push(pipeline),
            Err(Error::Invalid(why)) => tracing::warn!(why, "a stored pipeline cannot be read"),
            Err(error) => return Err(error),
        }
    }
    Ok(pipelines)
}

/// Deletes a pipeline softly: it does not run any more, its runs stay.
pub async fn delete(registry: &Registry, actor: &Actor, name: &PipelineName, reason: &str) -> Result<()> {
    let now = registry.now();
    let mut tx = registry.db.begin().await?;
    let done = sqlx::query("UPDATE pipelines SET deleted_at = $1 WHERE name = $2 AND deleted_at IS NULL")
        .bind(now.0)
        .bind(name.as_str())
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound(format!("the pipeline `{name}` does not exist")));
    }
    let subject = format!("pipeline:{name}");
    let entry = audit::Entry { actor, action: "pipeline.delete", subject, before: None, after: None, reason };
    audit::record(&mut tx, now, entry).await?;
    Ok(tx.commit().await?)
}

/// Starts a run, unless one is under way: then that one is returned, with false.
pub async fn start(
    jobs: &JobStore,
    actor: &Actor,
    pipeline: &Pipeline,
    trigger: Trigger,
) -> Result<(Job, bool)> {
    start_once(jobs, actor, pipeline, trigger, Dedup::WhileLive(format!("retrain:{}", pipeline.name))).await
}

/// The same with a key of the caller's.
pub(crate) async fn start_once(
    jobs: &JobStore,
    actor: &Actor,
    pipeline: &Pipeline,
    trigger: Trigger,
    dedup: Dedup,
) -> Result<(Job, bool)> {
    let new = NewJob {
        kind: JobKind::Retrain,
        subject: pipeline.name.clone(),
        payload: json!({ "pipeline": pipeline.name, "trigger": trigger }),
        dedup,
        max_attempts: RETRAIN_ATTEMPTS,
    };
    jobs.create(actor, new).await
}

/// Runs, the newest first; of one pipeline when given.
pub async fn runs(registry: &Registry, pipeline: Option<&str>, page: &PageRequest) -> Result<Page<Run>> {
    let rows = sqlx::query(
        "SELECT * FROM pipeline_runs WHERE ($1 = '' OR id < $1) AND ($2 = '' OR pipeline = $2) \
         ORDER BY id DESC LIMIT $3",
    )
    .bind(page.after_text())
    .bind(pipeline.unwrap_or(""))
    .bind(page.fetch_limit())
    .fetch_all(registry.db.pool())
    .await?;
    let runs = rows.iter().map(run_from_row).collect::<Result<Vec<_>>>()?;
    Ok(Page::of_rows(runs, page, |run| run.id.clone()))
}

/// The run of a job; begun when there is none yet.
pub(crate) async fn begin_run(registry: &Registry, job: &Job, trigger: Trigger) -> Result<Run> {
    sqlx::query(
        "INSERT INTO pipeline_runs (id, pipeline, job_id, trigger_kind, created_at) VALUES ($1, $2, $1, $3, $4) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(&job.id)
    .bind(&job.subject)
    .bind(trigger.name())
    .bind(registry.now().0)
    .execute(registry.db.pool())
    .await?;
    let row = sqlx::query("SELECT * FROM pipeline_runs WHERE id = $1")
        .bind(&job.id)
        .fetch_one(registry.db.pool())
        .await?;
    run_from_row(&row)
}

/// Writes what a run has come to; everything it knows, so that a repeat writes the same.
pub(crate) async fn save_run(registry: &Registry, run: &Run) -> Result<()> {
    let gate = run.gate.as_ref().map(serde_json::to_string).transpose()?;
    sqlx::query(
        "UPDATE pipeline_runs SET dataset = $1, dataset_version = $2, model = $3, version = $4, gate = $5, \
         rollout_id = $6, finished_at = $7 WHERE id = $8",
    )
    .bind(&run.dataset)
    .bind(run.dataset_version)
    .bind(&run.model)
    .bind(run.version)
    .bind(gate)
    .bind(&run.rollout_id)
    .bind(run.finished_at.map(|at| at.0))
    .bind(&run.id)
    .execute(registry.db.pool())
    .await?;
    Ok(())
}

/// Writes what the gates said, with its audit entry, in one transaction of the caller's.
pub(crate) async fn save_gate(tx: &mut Tx, run: &Run, verdict: &GateVerdict, now: Micros) -> Result<()> {
    sqlx::query("UPDATE pipeline_runs SET gate = $1 WHERE id = $2")
        .bind(serde_json::to_string(verdict)?)
        .bind(&run.id)
        .execute(&mut **tx)
        .await?;
    let entry = audit::Entry {
        actor: &Actor::system(),
        action: "gate.judge",
        subject: format!("version:{}/{}", verdict.model, verdict.candidate),
        before: None,
        after: Some(serde_json::to_value(verdict)?),
        reason: &format!("run {} of the pipeline {}", run.id, run.pipeline),
    };
    audit::record(tx, now, entry).await?;
    Ok(())
}

/// When the last run of a pipeline began.
pub(crate) async fn last_run_at(registry: &Registry, pipeline: &str) -> Result<Option<Micros>> {
    let row = sqlx::query("SELECT MAX(created_at) AS at FROM pipeline_runs WHERE pipeline = $1")
        .bind(pipeline)
        .fetch_one(registry.db.pool())
        .await?;
    Ok(row.try_get::<Option<i64>, _>("at")?.map(Micros))
}

fn from_row(row: &AnyRow) -> Result<Pipeline> {
    let declaration: String = row.try_get("declaration")?;
    Ok(Pipeline {
        name: row.try_get("name")?,
        service: row.try_get("service")?,
        spec: PipelineSpec::from_toml(&declaration)?,
        declaration,
        created_at: Micros(row.try_get("created_at")?),
        updated_at: Micros(row.try_get("updated_at")?),
    })
}

fn run_from_row(row: &AnyRow) -> Result<Run> {
    let gate: Option<String> = row.try_get("gate")?;
    Ok(Run {
        id: row.try_get("id")?,
        pipeline: row.try_get("pipeline")?,
        job_id: row.try_get("job_id")?,
        trigger: row.try_get("trigger_kind")?,
        dataset: row.try_get("dataset")?,
        dataset_version: row.try_get("dataset_version")?,
        model: row.try_get("model")?,
        version: row.try_get("version")?,
        gate: gate.map(|text| serde_json::from_str(&text)).transpose()?,
        rollout_id: row.try_get("rollout_id")?,
        created_at: Micros(row.try_get("created_at")?),
        finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(Micros),
    })
}
