//! The dashboard: every service at a glance, what waits for a person, what is under way, what was reported.

use actix_web::{HttpResponse, web};
use askama::Template;
use chasqui_pipelines::alert::Alert;
use chasqui_pipelines::jobs::Job;
use chasqui_pipelines::report::StoredReport;
use chasqui_pipelines::rollout;
use chasqui_registry::PageRequest;
use chasqui_report::{Level, fill};

use super::alerts::AlertView;
use super::facts::{self, Facts, Stat};
use super::reports::ReportView;
use super::rollouts::RolloutLine;
use super::runs::JobView;
use super::texts::Texts;
use super::visit::{Frame, Visit, render};
use super::voice::{Voice, clip};
use crate::api::segment;
use crate::app::App;
use crate::problem::Result;

/// Alerts on the dashboard; the rest are counted.
const ALERTS_SHOWN: usize = 8;
/// Jobs among which those under way are looked for.
const LATEST_JOBS: u32 = 100;
const REPORTS_SHOWN: usize = 6;

#[derive(Template)]
#[template(path = "dashboard.html")]
struct DashboardPage {
    frame: Frame,
    t: &'static Texts,
    origin: String,
    may_edit: bool,
    view: DashboardView,
}

/// What the dashboard shows.
struct DashboardView {
    lead: String,
    cards: Vec<Card>,
    alerts: Vec<AlertView>,
    more_alerts: Option<String>,
    jobs: Vec<JobView>,
    reports: Vec<ReportView>,
}

/// A service on the dashboard.
struct Card {
    name: String,
    href: String,
    edge: &'static str,
    badge: String,
    /// What the level asks of its reader.
    call: &'static str,
    sentence: String,
    champion: String,
    /// The model's name, when it is not the service's.
    model: Option<String>,
    stats: Vec<Stat>,
    rollout: Option<RolloutLine>,
    alerts: Option<String>,
    report: Option<ReportView>,
}

/// The rows behind the dashboard.
struct Rows {
    services: Vec<Facts>,
    alerts: Vec<Alert>,
    jobs: Vec<Job>,
}

/// Answers with the dashboard.
pub(super) async fn show(visit: Visit, app: web::Data<App>) -> HttpResponse {
    let page = page(&visit, &app).await;
    visit.answer(page)
}

async fn page(visit: &Visit, app: &App) -> Result<String> {
    let rows = rows(app).await?;
    render(&DashboardPage {
        frame: visit.frame(visit.voice.t.panel),
        t: visit.voice.t,
        origin: visit.origin.clone(),
        may_edit: visit.may_edit(),
        view: DashboardView::new(&rows, visit.voice),
    })
}

async fn rows(app: &App) -> Result<Rows> {
    let alerts = facts::open_alerts(app).await?;
    let rollouts = rollout::live(&app.registry).await?;
    let mut services = Vec::new();
    for service in app.registry.all_services().await? {
        services.push(Facts::of(app, service, &rollouts, &alerts).await?);
    }
    let mut jobs = app.jobs.list(None, &PageRequest::new(None, Some(LATEST_JOBS))?).await?.items;
    jobs.retain(|job| !job.state.terminal());
    Ok(Rows { services, alerts, jobs })
}

impl DashboardView {
    fn new(rows: &Rows, voice: Voice) -> Self {
        let mut services: Vec<&Facts> = rows.services.iter().collect();
        // What needs attention comes first; among equals the order of the names stays.
        services.sort_by_key(|facts| std::cmp::Reverse(facts.level()));
        let mut reports: Vec<&StoredReport> = rows.services.iter().flat_map(|facts| &facts.reports).collect();
        reports.sort_by_key(|stored| std::cmp::Reverse(stored.created_at));
        reports.truncate(REPORTS_SHOWN);
        let hidden = rows.alerts.len().saturating_sub(ALERTS_SHOWN);
        Self {
            lead: lead(&rows.services, voice),
            cards: services.into_iter().map(|facts| Card::new(facts, voice)).collect(),
            alerts: rows
                .alerts
                .iter()
                .take(ALERTS_SHOWN)
                .map(|alert| AlertView::new(alert, "/", voice))
                .collect(),
            more_alerts: (hidden > 0).then(|| voice.many(voice.t.more_alerts, hidden)),
            jobs: rows.jobs.iter().map(|job| JobView::new(job, voice)).collect(),
            reports: reports.into_iter().map(|stored| ReportView::new(stored, voice)).collect(),
        }
    }
}

/// How the house stands, in a sentence.
fn lead(services: &[Facts], voice: Voice) -> String {
    let t = voice.t;
    let troubled: Vec<&str> = services
        .iter()
        .filter(|facts| facts.needs_attention())
        .map(|facts| facts.service.name.as_str())
        .collect();
    if services.is_empty() {
        return t.lead_none.into();
    }
    if troubled.is_empty() {
        return voice.many(t.lead_calm, services.len());
    }
    if services.len() == 1 {
        return fill(t.lead_only, &[("name", &voice.list(&troubled))]);
    }
    let names = voice.list(troubled.get(..3).unwrap_or(&troubled));
    let all = voice.format.count(services.len() as u64);
    voice.many_with(t.lead_attention, troubled.len(), &[("all", &all), ("names", &names)])
}

impl Card {
    fn new(facts: &Facts, voice: Voice) -> Self {
        let t = voice.t;
        let (name, model) = (facts.service.name.as_str(), facts.service.config.model.as_str());
        let call = facts.level().filter(|level| *level > Level::Normal);
        Self {
            name: clip(name),
            href: format!("/services/{}", segment(name)),
            edge: facts.edge(),
            badge: facts.badge(voice),
            call: call.map_or("", |level| level.call(voice.language())),
            sentence: facts.sentence(voice),
            champion: facts.champion(voice),
            model: (name != model).then(|| fill(t.model, &[("name", &clip(model))])),
            stats: facts.traffic.stats(voice),
            rollout: facts.rollout.as_ref().map(|rollout| RolloutLine::new(rollout, voice)),
            alerts: (!facts.alerts.is_empty()).then(|| voice.many(t.open_alerts, facts.alerts.len())),
            report: facts.reports.first().map(|stored| ReportView::new(stored, voice)),
        }
    }
}

#[cfg(test)]
mod tests {
    use chasqui_report::Language;

    use super::super::facts::tests::facts;
    use super::*;

    #[test]
    fn the_lead_names_who_needs_attention() {
        let voice = Voice::new(Language::Es);
        assert_eq!(lead(&[], voice), "Todavía no hay ningún servicio.");
        assert_eq!(lead(&[facts("ventas")], voice), "Un servicio responde y no necesita atención.");
        let broken = || Facts { is_ready: Some(false), ..facts("fraude") };
        assert_eq!(lead(&[broken()], voice), "El servicio «fraude» necesita atención.");
        assert_eq!(lead(&[facts("ventas"), broken()], voice), "1 servicio de 2 necesita atención: «fraude».");
    }

    #[test]
    fn what_needs_attention_comes_first() {
        let broken = Facts { is_ready: Some(false), ..facts("zeta") };
        let rows = Rows { services: vec![facts("alfa"), broken], alerts: Vec::new(), jobs: Vec::new() };
        let view = DashboardView::new(&rows, Voice::new(Language::En));
        assert_eq!(view.cards[0].name, "zeta");
        assert_eq!((view.cards[0].edge, view.cards[0].call), ("urgente", "Act today"));
        assert_eq!((view.cards[1].edge, view.cards[1].call), ("neutral", ""));
    }

    #[test]
    fn names_become_links() {
        let card = Card::new(&facts("año nuevo"), Voice::new(Language::Es));
        assert_eq!(card.href, "/services/a%C3%B1o%20nuevo");
        assert!(card.model.is_none());
    }
}
