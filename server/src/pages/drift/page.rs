//! The page of a service's changes: every column that changed with its values before and now and its history, and the
//! performance of the model.

use actix_web::{HttpResponse, web};
use askama::Template;
use chasqui_pipelines::monitor::performance::{self, StoredPerformance};
use chasqui_pipelines::monitor::{self, StoredVerdict};
use chasqui_registry::name::ServiceName;
use chasqui_registry::{Micros, PageRequest};

use super::{DriftView, charts};
use crate::api::segment;
use crate::app::App;
use crate::pages::facts::{self, Facts};
use crate::pages::performance::PerformanceView;
use crate::pages::texts::Texts;
use crate::pages::visit::{Frame, Visit, render};
use crate::pages::voice::{Voice, clip};
use crate::problem::{Problem, Result};

/// Windows of the charts over time.
const WINDOWS_SHOWN: u32 = 60;
/// Columns with charts of their own, the strongest.
const MOST_COLUMNS: usize = 12;

#[derive(Template)]
#[template(path = "changes.html")]
struct ChangesPage {
    frame: Frame,
    t: &'static Texts,
    view: ChangesView,
}

struct ChangesView {
    name: String,
    href: String,
    badge: String,
    edge: &'static str,
    lead: String,
    drift: Option<DriftView>,
    columns: Vec<ColumnCard>,
    performance: PerformanceView,
}

/// A column that changed, with its charts.
struct ColumnCard {
    name: String,
    words: String,
    distribution: Option<String>,
    trend: Option<String>,
}

/// Answers with the page of a service's changes.
pub(in crate::pages) async fn show(
    visit: Visit,
    app: web::Data<App>,
    service: web::Path<String>,
) -> HttpResponse {
    let page = page(&visit, &app, &service).await;
    visit.answer(page)
}

async fn page(visit: &Visit, app: &App, name: &str) -> Result<String> {
    let missing = || Problem::not_found(format!("the service `{name}` does not exist"));
    let parsed = ServiceName::try_from(name).map_err(|_| missing())?;
    let service = app.registry.get_service(&parsed).await?.ok_or_else(missing)?;
    let facts = Facts::of(app, service, &[], &facts::open_alerts(app).await?).await?;
    let page = PageRequest::new(None, Some(WINDOWS_SHOWN))?;
    let verdicts = facts.same_version(monitor::verdicts(&app.registry, &parsed, &page).await?.items);
    let windows = of_serving(app, &facts, &parsed).await?;
    let view = ChangesView::new(&facts, &verdicts, &windows, visit.voice);
    render(&ChangesPage { frame: visit.frame(view.name.clone()), t: visit.voice.t, view })
}

/// The performance of the serving version, the oldest window first.
pub(in crate::pages) async fn of_serving(
    app: &App,
    facts: &Facts,
    service: &ServiceName,
) -> Result<Vec<StoredPerformance>> {
    let all = (Micros(0), Micros(i64::MAX));
    let mut windows = performance::windows(&app.registry, service, all, i64::from(WINDOWS_SHOWN)).await?;
    let serving = facts.serving.as_ref().map(|version| version.version);
    windows.retain(|window| Some(window.version) == serving);
    windows.reverse();
    Ok(windows)
}

impl ChangesView {
    fn new(facts: &Facts, verdicts: &[StoredVerdict], windows: &[StoredPerformance], voice: Voice) -> Self {
        let name = facts.service.name.as_str();
        let drift = facts.verdict.as_ref();
        let columns = drift.map(|stored| cards(stored, verdicts, voice)).unwrap_or_default();
        Self {
            name: clip(name),
            href: format!("/services/{}", segment(name)),
            badge: facts.badge(voice),
            edge: facts.edge(),
            lead: facts.sentence(voice),
            drift: drift.map(|stored| DriftView::new(stored, verdicts, voice)),
            columns,
            performance: PerformanceView::new(windows, voice),
        }
    }
}

fn cards(stored: &StoredVerdict, verdicts: &[StoredVerdict], voice: Voice) -> Vec<ColumnCard> {
    let card = |column: &chasqui_drift::FeatureDrift| {
        let view = super::column_view(stored, column, voice);
        ColumnCard {
            name: view.name,
            words: view.words,
            distribution: charts::distribution(column, voice).map(|chart| chart.svg),
            trend: charts::trend(column, verdicts, voice),
        }
    };
    super::changed(&stored.verdict).into_iter().take(MOST_COLUMNS).map(card).collect()
}
