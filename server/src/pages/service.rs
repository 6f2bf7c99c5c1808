//! One service: its versions and who answers, its rollout, its data, its retrainings and its reports.

mod versions;

use actix_web::{HttpResponse, web};
use askama::Template;
use chasqui_pipelines::alert::{self, Alert};
use chasqui_pipelines::jobs::{Job, JobKind, JobState};
use chasqui_pipelines::monitor::performance::StoredPerformance;
use chasqui_pipelines::monitor::{self, StoredVerdict};
use chasqui_pipelines::pipeline::{self, Run};
use chasqui_pipelines::rollout::{self, EvidenceReport};
use chasqui_registry::PageRequest;
use chasqui_registry::alias::Alias;
use chasqui_registry::name::ServiceName;
use chasqui_registry::version::Version;
use chasqui_report::{Level, fill};

use super::alerts::AlertView;
use super::drift::DriftView;
use super::facts::{self, Facts, Stat};
use super::performance::PerformanceView;
use super::reports::ReportView;
use super::rollouts::RolloutView;
use super::runs::{JobView, RunView};
use super::texts::Texts;
use super::visit::{Frame, Visit, render};
use super::voice::{Voice, clip};
use crate::api::segment;
use crate::app::App;
use crate::problem::{Problem, Result};
use versions::{VersionView, Versions};

/// Versions listed, the latest.
const VERSIONS_SHOWN: u32 = 20;
/// Windows of the chart over time.
const WINDOWS_SHOWN: u32 = 60;
const ALERTS_SHOWN: u32 = 10;
/// Runs and jobs looked at, for each pipeline and for the service.
const LATEST_WORK: u32 = 50;
const RUNS_SHOWN: usize = 8;
const JOBS_SHOWN: usize = 8;

/// Seconds between refreshes while something moves, and otherwise.
const BUSY: u32 = 5;
const CALM: u32 = 30;

#[derive(Template)]
#[template(path = "service.html")]
struct ServicePage {
    frame: Frame,
    t: &'static Texts,
    may_edit: bool,
    view: ServiceView,
}

/// What the page of a service shows.
struct ServiceView {
    name: String,
    badge: String,
    edge: &'static str,
    call: &'static str,
    lead: String,
    model: String,
    stats: Vec<Stat>,
    refresh_seconds: u32,
    rollout: Option<RolloutView>,
    drift: Option<DriftView>,
    changes_href: String,
    performance: PerformanceView,
    versions: Vec<VersionView>,
    has_more_versions: bool,
    runs: Vec<RunView>,
    jobs: Vec<JobView>,
    alerts: Vec<AlertView>,
    reports: Vec<ReportView>,
}

/// The rows behind the page.
struct Rows {
    facts: Facts,
    rollout: Option<EvidenceReport>,
    verdicts: Vec<StoredVerdict>,
    performance: Vec<StoredPerformance>,
    versions: Vec<Version>,
    has_more_versions: bool,
    aliases: Vec<Alias>,
    runs: Vec<Run>,
    jobs: Vec<Job>,
    alerts: Vec<Alert>,
}

/// Answers with the page of a service.
pub(super) async fn show(visit: Visit, app: web::Data<App>, service: web::Path<String>) -> HttpResponse {
    let page = page(&visit, &app, &service).await;
    visit.answer(page)
}

async fn page(visit: &Visit, app: &App, name: &str) -> Result<String> {
    let missing = || Problem::not_found(format!("the service `{name}` does not exist"));
    let parsed = ServiceName::try_from(name).map_err(|_| missing())?;
    let rows = rows(app, &parsed).await?.ok_or_else(missing)?;
    let view = ServiceView::new(&rows, visit.may_edit(), visit.voice);
    render(&ServicePage {
        frame: visit.frame(view.name.clone()),
        t: visit.voice.t,
        may_edit: visit.may_edit(),
        view,
    })
}

/// None when there is no such service.
async fn rows(app: &App, name: &ServiceName) -> Result<Option<Rows>> {
    let registry = &app.registry;
    let Some(service) = registry.get_service(name).await? else { return Ok(None) };
    let model = service.config.model.clone();
    let page = |limit: u32| PageRequest::new(None, Some(limit));
    let live = rollout::live(registry).await?;
    let open = facts::open_alerts(app).await?;
    let facts = Facts::of(app, service, &live, &open).await?;
    let latest = rollout::list(registry, Some(name.as_str()), &page(1)?).await?.items.pop();
    let rollout = match latest {
        Some(rollout) => Some(rollout::evidence(registry, &rollout.id).await?),
        None => None,
    };
    let versions = registry.list_versions(&model, &page(VERSIONS_SHOWN)?).await?;
    let (runs, jobs) = work(app, name).await?;
    Ok(Some(Rows {
        rollout,
        verdicts: facts.same_version(monitor::verdicts(registry, name, &page(WINDOWS_SHOWN)?).await?.items),
        performance: super::drift::page::of_serving(app, &facts, name).await?,
        has_more_versions: versions.next_cursor.is_some(),
        versions: versions.items,
        aliases: registry.list_aliases(&model).await?,
        runs,
        jobs,
        alerts: alert::list(registry, Some(name.as_str()), &page(ALERTS_SHOWN)?).await?.items,
        facts,
    }))
}

/// The latest runs of the service's pipelines, and the latest jobs for it or for one of them.
async fn work(app: &App, name: &ServiceName) -> Result<(Vec<Run>, Vec<Job>)> {
    let page = PageRequest::new(None, Some(LATEST_WORK))?;
    let mut jobs = app.jobs.list(Some(name.as_str()), &page).await?.items;
    let mut runs = Vec::new();
    for pipeline in pipeline::all(&app.registry).await? {
        if pipeline.service != name.as_str() {
            continue;
        }
        runs.extend(pipeline::runs(&app.registry, Some(&pipeline.name), &page).await?.items);
        if pipeline.name != name.as_str() {
            jobs.extend(app.jobs.list(Some(&pipeline.name), &page).await?.items);
        }
    }
    // A check that went well is told by its verdict, and there is one for every window.
    jobs.retain(|job| job.kind != JobKind::DriftCheck || job.state != JobState::Succeeded);
    runs.sort_by_key(|run| std::cmp::Reverse(run.created_at));
    jobs.sort_by_key(|job| std::cmp::Reverse(job.created_at));
    runs.truncate(RUNS_SHOWN);
    jobs.truncate(JOBS_SHOWN);
    Ok((runs, jobs))
}

impl ServiceView {
    fn new(rows: &Rows, may_edit: bool, voice: Voice) -> Self {
        let (facts, t) = (&rows.facts, voice.t);
        let name = facts.service.name.as_str();
        let href = format!("/services/{}", segment(name));
        let champion = Stat {
            label: t.champion,
            value: facts.champion(voice),
            note: voice.many(t.open_alerts, facts.alerts.len()),
        };
        let jobs: Vec<JobView> = rows.jobs.iter().map(|job| JobView::new(job, voice)).collect();
        let is_busy = facts.rollout.is_some() || jobs.iter().any(|job| job.is_live);
        let call = facts.level().filter(|level| *level > Level::Normal);
        let drift = facts.verdict.as_ref();
        Self {
            name: clip(name),
            badge: facts.badge(voice),
            edge: facts.edge(),
            call: call.map_or("", |level| level.call(voice.language())),
            lead: facts.sentence(voice),
            model: fill(t.model, &[("name", &clip(facts.service.config.model.as_str()))]),
            stats: std::iter::once(champion).chain(facts.traffic.stats(voice)).collect(),
            refresh_seconds: if is_busy { BUSY } else { CALM },
            rollout: rows.rollout.as_ref().map(|report| RolloutView::new(report, may_edit, voice)),
            drift: drift.map(|stored| DriftView::new(stored, &rows.verdicts, voice)),
            changes_href: format!("{href}/drift"),
            performance: PerformanceView::new(&rows.performance, voice),
            versions: Versions {
                serving: facts.serving.as_ref().map(|version| version.version),
                rollout: facts.rollout.as_ref(),
                aliases: &rows.aliases,
            }
            .views(&rows.versions, voice),
            has_more_versions: rows.has_more_versions,
            runs: rows.runs.iter().map(|run| RunView::new(run, voice)).collect(),
            jobs,
            alerts: rows.alerts.iter().map(|alert| AlertView::new(alert, &href, voice)).collect(),
            reports: facts.reports.iter().map(|stored| ReportView::new(stored, voice)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use chasqui_report::Language;

    use super::super::drift::tests::{column, stored, verdict};
    use super::super::facts::tests::facts;
    use super::*;

    fn rows(facts: Facts) -> Rows {
        Rows {
            facts,
            rollout: None,
            verdicts: Vec::new(),
            performance: Vec::new(),
            versions: Vec::new(),
            has_more_versions: false,
            aliases: Vec::new(),
            runs: Vec::new(),
            jobs: Vec::new(),
            alerts: Vec::new(),
        }
    }

    #[test]
    fn a_service_without_anything_has_a_page() {
        let view = ServiceView::new(&rows(facts("ventas")), true, Voice::new(Language::Es));
        assert_eq!(view.stats[0].value, "ninguna");
        assert_eq!(view.refresh_seconds, CALM);
        assert!(view.drift.is_none() && view.rollout.is_none());
        assert!(view.lead.starts_with("Todavía no hay datos suficientes"));
    }

    #[test]
    fn only_verdicts_on_the_serving_version_are_drawn() {
        let mut facts = facts("ventas");
        facts.verdict = Some(stored(2, verdict(vec![column("precio", true)])));
        let other = StoredVerdict { version: 9, ..stored(1, verdict(vec![column("precio", false)])) };
        let kept = facts.same_version(vec![other, stored(0, verdict(vec![column("precio", false)]))]);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].version, 1);
    }
}
