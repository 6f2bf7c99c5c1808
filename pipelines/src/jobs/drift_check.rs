//! Judges the closed windows of a service's version, and starts the pipelines that wait for drift.

use std::collections::BTreeMap;

use chasqui_registry::name::{Actor, ModelName, ServiceName};
use chasqui_registry::service::Service;
use chasqui_registry::{Micros, Registry};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Attempt, Dedup, JobError, JobKind, JobResult, JobStore, NewJob};
use crate::error::{Error, Result};
use crate::monitor::{self, WindowKey, performance};
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

impl Watched {
    /// The window that is open now: everything before it may be measured again.
    fn latest(&self, registry: &Registry) -> WindowKey {
        WindowKey {
            service: self.service.to_string(),
            model: self.model.to_string(),
            version: self.version,
            window_start: registry.now(),
        }
    }
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
        created += enqueue_measuring(jobs, registry, &service).await?;
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

/// Creates a job for the serving version when outcomes came for a window that was looked at before.
async fn enqueue_measuring(jobs: &JobStore, registry: &Registry, service: &Service) -> Result<usize> {
    let model = service.config.model.clone();
    let serving = registry.resolve_target(&model, &service.config.routing.stable).await?;
    let Some(version) = serving else { return Ok(0) };
    let watched = Watched { service: service.name.clone(), model, version };
    if performance::stale(registry, service, &watched.latest(registry)).await?.is_empty() {
        return Ok(0);
    }
    let new = NewJob {
        kind: JobKind::DriftCheck,
        subject: watched.service.to_string(),
        dedup: Dedup::WhileLive(format!("measure:{}:{}/{version}", watched.service, watched.model)),
        payload: serde_json::to_value(&watched)?,
        max_attempts: ATTEMPTS,
    };
    let (_, new) = jobs.create(&Actor::system(), new).await?;
    Ok(usize::from(new))
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
    let (mut judged, mut last) = (0_usize, None);
    for (i, key) in due.iter().enumerate() {
        attempt.progress(i as f64 / due.len() as f64, "comparing with the training data").await?;
        let log = context.log.as_deref();
        let Some(stored) = monitor::judge(registry, log, &service, key).await? else { continue };
        judged += 1;
        last = Some(stored);
    }
    let refreshed = refresh(context, &service, &watched).await?;
    let drifted = last.as_ref().is_some_and(|stored| stored.drifted && stored.verdict.drifted);
    let fell = last.is_some_and(|stored| stored.assessment.performance_fell) || refreshed.fell;
    let mut started = Vec::new();
    if drifted {
        started.extend(trigger(context, &service, &watched, Trigger::Drift).await?);
    }
    if fell {
        started.extend(trigger(context, &service, &watched, Trigger::Performance).await?);
    }
    Ok(json!({
        "judged": judged,
        "drifted": drifted,
        "performance_fell": fell,
        "measured_again": refreshed.windows,
        "retrain_jobs": started,
    }))
}

/// What outcomes that came since changed.
#[derive(Debug, Default)]
struct Refreshed {
    windows: usize,
    /// The newest window of those shows a fall.
    fell: bool,
}

/// Measures the windows of a version again for which outcomes have come.
async fn refresh(context: &WorkerContext, service: &Service, watched: &Watched) -> Result<Refreshed> {
    let registry = &context.registry;
    let mut refreshed = Refreshed::default();
    for key in performance::stale(registry, service, &watched.latest(registry)).await? {
        let Some(stored) = performance::refresh(registry, context.log.as_deref(), service, &key).await?
        else {
            continue;
        };
        refreshed.windows += 1;
        refreshed.fell = stored.fell;
    }
    Ok(refreshed)
}

/// Starts the pipelines of the service that wait for this, unless they ran within their cooldown, the version that it is
/// about serves no more, or a new version is on its way already.
async fn trigger(
    context: &WorkerContext,
    service: &Service,
    watched: &Watched,
    reason: Trigger,
) -> Result<Vec<String>> {
    let registry = &context.registry;
    let target = &service.config.routing.stable;
    let serving = registry.resolve_target(&service.config.model, target).await?;
    if serving != Some(watched.version) {
        return Ok(Vec::new());
    }
    if rollout::live(registry).await?.iter().any(|rollout| rollout.service == watched.service.as_str()) {
        return Ok(Vec::new());
    }
    let mut started = Vec::new();
    for pipeline in pipeline::all(registry).await? {
        if pipeline.service != watched.service.as_str() || !pipeline.spec.triggers.waits_for(reason) {
            continue;
        }
        let cooldown = i64::try_from(pipeline.spec.triggers.cooldown.as_micros()).unwrap_or(i64::MAX);
        let last = pipeline::last_run_at(registry, &pipeline.name).await?;
        if last.is_some_and(|last| registry.now().0 < last.0.saturating_add(cooldown)) {
            continue;
        }
        let (job, new) = pipeline::start(&context.jobs, &Actor::system(), &pipeline, reason).await?;
        if new {
            started.push(job.id);
        }
    }
    Ok(started)
}
