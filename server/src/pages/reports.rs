//! Reports: their lines in lists, and the page itself as it was written.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use chasqui_pipelines::report::{self, StoredReport};
use chasqui_report::{Language, fill, page};

use super::visit::{Visit, private};
use super::voice::{Voice, clip, level_of};
use crate::app::App;
use crate::problem::{Problem, Result};

/// A report is one file with its style inside, and no script.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// One report in a list.
pub(super) struct ReportView {
    pub(super) href: String,
    pub(super) badge: String,
    pub(super) service: String,
    pub(super) period: String,
    pub(super) written: String,
}

impl ReportView {
    pub(super) fn new(stored: &StoredReport, voice: Voice) -> Self {
        Self {
            href: format!("/reports/{}", crate::api::segment(&stored.id)),
            badge: page::badge(level_of(&stored.level), voice.language()),
            service: clip(&stored.service),
            period: voice.period(stored.from, stored.to),
            written: fill(voice.t.report_written, &[("at", &voice.at(stored.created_at))]),
        }
    }
}

/// Answers with the page of a report.
pub(super) async fn show(visit: Visit, app: web::Data<App>, report: web::Path<String>) -> HttpResponse {
    match page_of(&visit, &app, &report).await {
        Ok(html) => {
            let mut response = HttpResponse::build(StatusCode::OK);
            private(&mut response, POLICY);
            response.body(html)
        }
        Err(problem) => visit.failed(&problem),
    }
}

/// In Spanish as it was written; in English from the same figures.
async fn page_of(visit: &Visit, app: &App, id: &str) -> Result<web::Bytes> {
    let stored = report::get(&app.registry, id).await?;
    let stored = stored.ok_or_else(|| Problem::not_found(format!("the report `{id}` does not exist")))?;
    if visit.voice.language() == Language::Es {
        return Ok(report::html(&app.registry, &stored).await?);
    }
    let html = web::block(move || stored.report.html(Language::En)).await;
    let html = html.map_err(|error| Problem::internal(&error))?;
    Ok(html.map_err(|error| Problem::internal(&error))?.into())
}
