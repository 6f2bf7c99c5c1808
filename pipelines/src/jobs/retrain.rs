//! Retraining: rows → candidate → gates → rollout.
//!
//! What each stage came to is written into the run, which has the job's id: a worker that takes over redoes only the
//! stage that was interrupted. Training is deterministic and registering the same bytes gives the same version, so a
//! stage that was done but not written down does no harm either.

mod estimator;
mod judge;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use chasqui_registry::Registry;
use chasqui_registry::name::{Actor, DatasetName, ModelName};
use chasqui_registry::page::PageRequest;
use chasqui_registry::version::{DatasetVersionRef, Lineage, NewVersion, Version};
use chasqui_trainer::{Progress, Table, TrainError, TrainSpec, Trained};
use serde_json::json;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Attempt, JobError, JobResult};
use crate::alert::{self, Kind, NewAlert, Severity};
use crate::error::{Error, Result};
use crate::gate::{GateVerdict, Verdict};
use crate::pipeline::{self, Pipeline, Run, Trigger};
use crate::rollout::{self, NewRollout};
use crate::spec::OnUndecided;
use crate::worker::WorkerContext;

/// How often progress is written while a thread trains.
const REPORT: Duration = Duration::from_millis(500);

impl From<TrainError> for JobError {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Cancelled => Self::Stopped,
            TrainError::Invalid(message) => Self::Fail(Error::Invalid(message)),
            other => Self::Fail(Error::internal(other)),
        }
    }
}

/// The handler.
pub(crate) async fn run(context: &WorkerContext, attempt: &Attempt) -> JobResult {
    let registry = &context.registry;
    let name = &attempt.job.subject;
    let Some(pipeline) = pipeline::get(registry, name).await? else {
        return Err(JobError::Fail(Error::NotFound(format!("the pipeline `{name}` is gone"))));
    };
    let trigger: Trigger = serde_json::from_value(attempt.job.payload["trigger"].clone())?;
    let mut run = pipeline::begin_run(registry, &attempt.job, trigger).await?;
    attempt.progress(0.02, "reading the data").await?;
    let table = rows::load(context, &pipeline, &mut run).await?;
    let candidate = candidate(context, attempt, &pipeline, &mut run, &table).await?;
    estimator::ensure(registry, &pipeline, &candidate, &table).await?;
    let champion = judge::champion(registry, &pipeline).await?;
    let first = champion.as_ref().is_none_or(|champion| champion.version == candidate.version);
    let verdict = match (champion, run.gate.clone()) {
        (_, Some(verdict)) => Some(verdict),
        (Some(champion), None) if !first => {
            attempt.progress(0.82, "holding the candidate against the champion").await?;
            let verdict = judge::judge(registry, &pipeline, &champion, &candidate, &table).await?;
            save_verdict(registry, &pipeline, &mut run, &verdict).await?;
            Some(verdict)
        }
        _ => None,
    };
    let mut refused = None;
    if let Some(verdict) = &verdict
        && run.rollout_id.is_none()
        && wants_rollout(&pipeline, verdict)
    {
        attempt.progress(0.95, "starting the rollout").await?;
        refused = start_rollout(registry, &pipeline, &mut run, verdict).await?;
    }
    run.finished_at = Some(registry.now());
    pipeline::save_run(registry, &run).await?;
    Ok(json!({
        "run_id": run.id,
        "model": run.model,
        "version": run.version,
        "serves_already": first,
        "verdict": verdict.as_ref().map(|verdict| verdict.verdict),
        "reasons": verdict.map(|verdict| verdict.reasons).unwrap_or_default(),
        "rollout_id": run.rollout_id,
        "rollout_refused": refused,
    }))
}

/// The version that this run made: made now, or found when an earlier attempt got as far.
async fn candidate(
    context: &WorkerContext,
    attempt: &Attempt,
    pipeline: &Pipeline,
    run: &mut Run,
    table: &Arc<Table>,
) -> std::result::Result<Version, JobError> {
    let registry = &context.registry;
    let model = pipeline.spec.model()?;
    if let Some(version) = made_earlier(registry, &model, run).await? {
        save_candidate(registry, run, &version).await?;
        return Ok(version);
    }
    let spec = pipeline.spec.train_spec();
    let trained = train(attempt, table, spec.clone()).await?;
    attempt.progress(0.8, "registering the candidate").await?;
    let new = new_version(registry, pipeline, run, &trained, table).await?;
    let actor = Actor::system();
    let version = registry.register_version(&actor, &model, trained.onnx.into(), new).await?;
    save_candidate(registry, run, &version).await?;
    Ok(version)
}

/// A version whose lineage names this run.
async fn made_earlier(registry: &Registry, model: &ModelName, run: &Run) -> Result<Option<Version>> {
    if let Some(number) = run.version {
        return Ok(registry.get_version(model, number).await?);
    }
    let id = run_id(run)?;
    let versions = registry.list_versions(model, &PageRequest::default()).await?;
    Ok(versions.items.into_iter().find(|version| version.lineage.pipeline_run == Some(id)))
}

async fn save_candidate(registry: &Registry, run: &mut Run, version: &Version) -> Result<()> {
    run.model = Some(version.model.to_string());
    run.version = Some(version.version);
    pipeline::save_run(registry, run).await
}

/// Trains on a blocking thread, and writes how far it is beside it.
async fn train(
    attempt: &Attempt,
    table: &Arc<Table>,
    spec: TrainSpec,
) -> std::result::Result<Trained, JobError> {
    let (sender, receiver) = watch::channel((0.0, String::new()));
    let on_thread = (attempt.clone(), Arc::clone(table));
    let mut training = tokio::task::spawn_blocking(move || {
        let (attempt, table) = on_thread;
        chasqui_trainer::train(&table, &spec, &mut |progress: Progress| {
            sender.send_replace((progress.fraction, progress.message));
            attempt.flow()
        })
    });
    loop {
        tokio::select! {
            trained = &mut training => return Ok(trained??),
            () = tokio::time::sleep(REPORT) => {
                let (share, message) = receiver.borrow().clone();
                let told = attempt.progress(0.1 + 0.68 * share, &message).await;
                if let Err(error) = told {
                    // The thread sees the same flag; its end is waited for so that no two trainings run at once.
                    let _ = training.await;
                    return Err(error);
                }
            }
        }
    }
}

async fn new_version(
    registry: &Registry,
    pipeline: &Pipeline,
    run: &Run,
    trained: &Trained,
    table: &Table,
) -> Result<NewVersion> {
    let dataset = match (&run.dataset, run.dataset_version) {
        (Some(name), Some(version)) => {
            Some(DatasetVersionRef { name: DatasetName::try_from(name.as_str())?, version })
        }
        _ => None,
    };
    let parent = judge::champion(registry, pipeline).await?.map(|champion| champion.version);
    let lineage =
        Lineage { dataset, pipeline_run: Some(run_id(run)?), parent_version: parent, code_revision: None };
    let spec = &pipeline.spec;
    let params = [
        ("learner", spec.learner.kind().to_owned()),
        ("target", spec.features.target.clone()),
        ("seed", spec.seed.to_string()),
        ("rows", table.rows().to_string()),
        ("holdout_rows", trained.holdout_rows.len().to_string()),
    ];
    Ok(NewVersion {
        metrics: trained.metrics.clone(),
        params: params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        tags: [("pipeline".to_owned(), pipeline.name.clone())].into(),
        lineage,
        card: card(pipeline, run, trained, table),
        profile: Some(trained.profile.clone()),
        ..NewVersion::default()
    })
}

/// The card of a version, for people.
fn card(pipeline: &Pipeline, run: &Run, trained: &Trained, table: &Table) -> String {
    let spec = &pipeline.spec;
    let mut card = format!(
        "# Versión entrenada por «{}»\n\nPredice «{}» con {} filas, de las que {} (las más recientes) se guardaron \
         para medirla.\n\n- Datos: «{}», versión {}\n- Método: {}\n",
        pipeline.name,
        spec.features.target,
        table.rows(),
        trained.holdout_rows.len(),
        spec.source.dataset,
        run.dataset_version.map_or_else(|| "?".to_owned(), |version| version.to_string()),
        spec.learner.kind(),
    );
    let metrics = trained.metrics.iter().map(|(name, value)| format!("- {name}: {value:.4}\n"));
    card.extend(metrics);
    card
}

async fn save_verdict(
    registry: &Registry,
    pipeline: &Pipeline,
    run: &mut Run,
    verdict: &GateVerdict,
) -> Result<()> {
    run.gate = Some(verdict.clone());
    let now = registry.now();
    let mut tx = registry.db.begin().await?;
    pipeline::save_gate(&mut tx, run, verdict, now).await?;
    if !wants_rollout(pipeline, verdict) {
        let title = match verdict.verdict {
            Verdict::Undecided => format!(
                "La versión {} de «{}» no se distingue de la que responde; no se cambió nada.",
                verdict.candidate, pipeline.service
            ),
            _ => format!(
                "La versión {} de «{}» no es mejor que la que responde; no se cambió nada.",
                verdict.candidate, pipeline.service
            ),
        };
        let alert = NewAlert {
            service: pipeline.service.clone(),
            kind: Kind::Gate,
            severity: Severity::Normal,
            title,
            body: json!({ "run_id": run.id, "verdict": verdict }),
            dedup_key: format!("gate:{}", run.id),
        };
        alert::raise(&mut tx, now, &alert).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn wants_rollout(pipeline: &Pipeline, verdict: &GateVerdict) -> bool {
    match verdict.verdict {
        Verdict::Better => true,
        Verdict::Undecided => pipeline.spec.rollout.on_undecided == OnUndecided::Rollout,
        Verdict::NotBetter => false,
    }
}

/// Starts the rollout of the candidate, or finds the one that an earlier attempt started. Returns why there is none when
/// the service does not take one now.
async fn start_rollout(
    registry: &Registry,
    pipeline: &Pipeline,
    run: &mut Run,
    verdict: &GateVerdict,
) -> Result<Option<String>> {
    let new = NewRollout {
        service: pipeline.spec.service.clone(),
        version: verdict.candidate,
        plan: pipeline.spec.plan(),
        draft: false,
        supersede: false,
        reason: format!("pipeline {}, run {}", pipeline.name, run.id),
    };
    let id = match rollout::create(registry, &Actor::system(), new).await {
        Ok(rollout) => rollout.id,
        Err(Error::Conflict(why)) => {
            let live = rollout::live(registry).await?;
            let ours = |rollout: &&rollout::Rollout| {
                rollout.service == pipeline.service && rollout.canary_version == verdict.candidate
            };
            let Some(rollout) = live.iter().find(ours) else {
                tell_refused(registry, pipeline, run, verdict, &why).await?;
                return Ok(Some(why));
            };
            rollout.id.clone()
        }
        Err(error) => return Err(error),
    };
    run.rollout_id = Some(id);
    pipeline::save_run(registry, run).await?;
    Ok(None)
}

/// A candidate that passed and cannot be brought in now is a person's decision.
async fn tell_refused(
    registry: &Registry,
    pipeline: &Pipeline,
    run: &Run,
    verdict: &GateVerdict,
    why: &str,
) -> Result<()> {
    let alert = NewAlert {
        service: pipeline.service.clone(),
        kind: Kind::Gate,
        severity: Severity::Atencion,
        title: format!(
            "La versión {} de «{}» está lista, pero no se pudo poner en servicio ahora.",
            verdict.candidate, pipeline.service
        ),
        body: json!({ "run_id": run.id, "candidate": verdict.candidate, "reason": why }),
        dedup_key: format!("refused:{}", run.id),
    };
    let mut tx = registry.db.begin().await?;
    alert::raise(&mut tx, registry.now(), &alert).await?;
    tx.commit().await?;
    Ok(())
}

fn run_id(run: &Run) -> Result<Uuid> {
    Uuid::parse_str(&run.id).map_err(Error::internal)
}
