//! Judges the closed windows of a service's version, and starts the pipelines that wait for drift.

use std::collections::BTreeMap;

use chasqui_registry::name::{Actor, ModelName, ServiceName};
use chasqui_registry::service::Service;
use chasqui_registry::{Micros, Registry};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Attempt, Dedup, JobError, JobKind, JobResult, JobStore, NewJob};
use crate::error::{Error, Result};
use crate::monitor::{self, StoredVerdict};
use crate::pipeline::{self, Trigger};
use crate::rollout;
use crate::worker::WorkerContext;

/// A check reads rows and computes for milliseconds; what fails three times fails always.
const ATTEMPTS: i64 = 3;

/// Which version of a service is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Watched {
    service: ServiceName,
    model: ModelName,
    version: i64,
}

/// Creates a job for every version of every service with closed windows that have no verdict yet. Returns how many are
/// new. Each set of windows gets one job, so that what cannot be judged is not tried for ever.
pub async fn enqueue_due(jobs: &JobStore, registry: &Registry) -> Result<usize> {
    let mut created = 0;
    for service in registry.all_services().await? {
        let mut latest: BTreeMap<Watched, Micros> = BTreeMap::new();
        for key in monitor::due(registry, &service).await? {
            let model = ModelName::try_from(key.model.as_str())?;
            let watched = Watched { service: service.name.clone(), model, version: key.version };
            latest.insert(watched, key.window_start);
        }
        for (watched, window) in latest {
            let version = registry.get_version(&watched.model, watched.version).await?;
            if version.is_none_or(|version| version.profile_sha256.is_none()) {
                continue;
            }
            let Watched { service, model, version } = &watched;
            let new = NewJob {
                kind: JobKind::DriftCheck,
                subject: service.to_string(),
                dedup: Dedup::Once(format!("drift:{service}:{model}/{version}:{}", window.0)),
                payload: serde_json::to_value(&watched)?,
                max_attempts: ATTEMPTS,
            };
            let (_, new) = jobs.create(&Actor::system(), new).await?;
            created += usize::from(new);
        }
    }
    Ok(created)
}

/// The handler: judges the due windows of a version in their order, for an alert is raised where a change begins.
pub(crate) async fn run(context: &WorkerContext, attempt: &Attempt) -> JobResult {
    let registry = &context.registry;
    let watched: Watched = serde_json::from_value(attempt.job.payload.clone())?;
    let Some(service) = registry.get_service(&watched.service).await? else {
        return Err(JobError::Fail(Error::NotFound(format!("the service `{}` is gone", watched.service))));
    };
    let mut due = monitor::due(registry, &service).await?;
    due.retain(|key| key.model == watched.model.as_str() && key.version == watched.version);
    let (mut judged, mut started, mut last_drifted) = (0_usize, Vec::new(), None);
    for (i, key) in due.iter().enumerate() {
        attempt.progress(i as f64 / due.len() as f64, "comparing with the training data").await?;
        let Some(stored) = monitor::judge(registry, &service, key).await? else { continue };
        judged += 1;
        last_drifted = if stored.drifted { Some(stored) } else { None };
    }
    if let Some(stored) = &last_drifted {
        started = trigger(context, &service, stored).await?;
    }
    Ok(json!({ "judged": judged, "drifted": last_drifted.is_some(), "retrain_jobs": started }))
}

/// Starts the pipelines of the service that wait for drift, unless they ran within their cooldown, the version that
/// drifted serves no more, or a new version is on its way already.
async fn trigger(context: &WorkerContext, service: &Service, stored: &StoredVerdict) -> Result<Vec<String>> {
    let registry = &context.registry;
    let target = &service.config.routing.stable;
    let serving = registry.resolve_target(&service.config.model, target).await?;
    if serving != Some(stored.version) {
        return Ok(Vec::new());
    }
    if rollout::live(registry).await?.iter().any(|rollout| rollout.service == stored.service) {
        return Ok(Vec::new());
    }
    let mut started = Vec::new();
    for pipeline in pipeline::all(registry).await? {
        if pipeline.service != stored.service || !pipeline.spec.triggers.drift {
            continue;
        }
        let cooldown = i64::try_from(pipeline.spec.triggers.cooldown.as_micros()).unwrap_or(i64::MAX);
        let last = pipeline::last_run_at(registry, &pipeline.name).await?;
        if last.is_some_and(|last| registry.now().0 < last.0.saturating_add(cooldown)) {
            continue;
        }
        let (job, new) = pipeline::start(&context.jobs, &Actor::system(), &pipeline, Trigger::Drift).await?;
        if new {
            started.push(job.id);
        }
    }
    Ok(started)
}
