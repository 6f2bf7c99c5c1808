//! The rows that a report is made of: verdicts, versions, runs, rollouts, predictions and outcomes of a period.

use std::collections::BTreeMap;

use chasqui_registry::name::{ModelName, ServiceName};
use chasqui_registry::prediction_log::{Log, PredictionRange, labelled, read_predictions};
use chasqui_registry::service::Service;
use chasqui_registry::version::Version;
use chasqui_registry::{Micros, PageRequest, Registry};
use chasqui_trainer::{Table, Task};

use super::ReportRequest;
use super::history::Traffic;
use crate::error::{Error, Result};
use crate::monitor::performance::{self, StoredPerformance};
use crate::monitor::{self, StoredVerdict};
use crate::pipeline::{self, Run};
use crate::rollout::{self, Rollout};

/// Windows looked through for the latest whose performance is known.
const MOST_WINDOWS: i64 = 200;

/// The rows a report is made of.
pub(super) struct Rows {
    pub(super) service: Service,
    pub(super) serving: Option<i64>,
    pub(super) versions: BTreeMap<i64, Version>,
    pub(super) verdicts: Vec<StoredVerdict>,
    /// The latest window of the serving version whose performance is known.
    pub(super) performance: Option<StoredPerformance>,
    pub(super) rollouts: Vec<Rollout>,
    pub(super) run: Option<Run>,
    pub(super) traffic: Traffic,
    pub(super) task: Option<Task>,
}

impl Rows {
    /// The column whose groups must be treated alike.
    pub(super) fn attribute(&self) -> Option<&str> {
        let groups = self.service.config.groups.as_ref().filter(|groups| groups.fairness);
        groups.map(|groups| groups.column.as_str())
    }

    /// A group that is treated worse than is fair.
    pub(super) fn harmed(&self) -> Option<String> {
        let performance = &self.performance.as_ref()?.performance;
        performance.unfair_groups().next().map(|group| group.name.clone())
    }

    pub(super) fn retraining_cost(&self) -> f64 {
        self.service.config.worth.as_ref().map_or(0.0, |worth| worth.retraining.total())
    }
}

/// The latest window of the serving version in the period whose performance is known.
async fn latest_performance(
    registry: &Registry,
    name: &ServiceName,
    serving: Option<i64>,
    span: (Micros, Micros),
) -> Result<Option<StoredPerformance>> {
    let windows = performance::windows(registry, name, span, MOST_WINDOWS).await?;
    let known = |window: &StoredPerformance| {
        Some(window.version) == serving && window.performance.decisive().is_some()
    };
    Ok(windows.into_iter().find(known))
}

/// Reads the rows of a period.
pub(super) async fn rows(
    registry: &Registry,
    log: Option<&Log>,
    request: &ReportRequest,
    from: Micros,
    to: Micros,
) -> Result<Rows> {
    let name = &request.service;
    let Some(service) = registry.get_service(name).await? else {
        return Err(Error::NotFound(format!("the service `{name}` does not exist")));
    };
    let model = &service.config.model;
    let serving = registry.resolve_target(model, &service.config.routing.stable).await?;
    let versions = versions(registry, model).await?;
    let page = PageRequest::new(None, Some(chasqui_registry::page::MAX_LIMIT))?;
    let within = |at: Micros| at >= from && at < to;
    let mut verdicts = monitor::verdicts(registry, name, &page).await?.items;
    verdicts.retain(|verdict| within(verdict.window_start) || within(verdict.created_at));
    let mut rollouts = rollout::list(registry, Some(name.as_str()), &page).await?.items;
    rollouts.retain(|rollout| within(rollout.created_at));
    let run = last_judged_run(registry, name.as_str(), from, to).await?;
    let answered = read_predictions(registry, log, name, from, to).await?;
    let range = PredictionRange { service: name.clone(), from, to };
    let known = labelled(registry, log, &range, Some(&[])).await?;
    let task = serving.and_then(|version| versions.get(&version)).and_then(|version| version.signature.task);
    let traffic = tokio::task::spawn_blocking(move || {
        let table = |batches| Table::from_batches(batches).map_err(Error::internal);
        Ok::<_, Error>(Traffic::new(&table(&answered)?, &table(&known)?, task))
    });
    let traffic = traffic.await??;
    let performance = latest_performance(registry, name, serving, (from, to)).await?;
    Ok(Rows { service, serving, versions, verdicts, performance, rollouts, run, traffic, task })
}

async fn versions(registry: &Registry, model: &ModelName) -> Result<BTreeMap<i64, Version>> {
    let page = PageRequest::new(None, Some(chasqui_registry::page::MAX_LIMIT))?;
    let versions = registry.list_versions(model, &page).await?.items;
    Ok(versions.into_iter().map(|version| (version.version, version)).collect())
}

async fn last_judged_run(
    registry: &Registry,
    service: &str,
    from: Micros,
    to: Micros,
) -> Result<Option<Run>> {
    let mut last: Option<Run> = None;
    for pipeline in pipeline::all(registry).await?.into_iter().filter(|pipeline| pipeline.service == service)
    {
        let runs = pipeline::runs(registry, Some(&pipeline.name), &PageRequest::default()).await?.items;
        let judged =
            runs.into_iter().find(|run| run.gate.is_some() && run.created_at >= from && run.created_at < to);
        if let Some(run) = judged
            && last.as_ref().is_none_or(|last| last.created_at < run.created_at)
        {
            last = Some(run);
        }
    }
    Ok(last)
}
