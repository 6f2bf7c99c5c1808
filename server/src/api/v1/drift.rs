//! `/services/{service}/drift` and `/performance`

use actix_web::{HttpResponse, web};
use chasqui_pipelines::monitor;
use chasqui_registry::name::ServiceName;
use chasqui_registry::{Error, Micros};

use super::Paging;
use super::log::Span;
use crate::api::ok;
use crate::app::App;
use crate::body::Query;
use crate::problem::Result;

/// Verdicts, the newest first.
pub(super) async fn list(
    app: web::Data<App>,
    service: web::Path<ServiceName>,
    Query(paging): Query<Paging>,
) -> Result<HttpResponse> {
    app.registry.get_service(&service).await?.ok_or_else(|| Error::not_found("service", &*service))?;
    ok(&monitor::verdicts(&app.registry, &service, &paging.request()?).await?)
}

/// How good the answers were where outcomes have come, and window by window how good they are estimated to be. Without
/// `from` the windows are the latest ones, however old.
pub(super) async fn performance(
    app: web::Data<App>,
    service: web::Path<ServiceName>,
    Query(span): Query<Span>,
) -> Result<HttpResponse> {
    app.registry.get_service(&service).await?.ok_or_else(|| Error::not_found("service", &*service))?;
    let (from, to) = span.resolve(app.registry.now())?;
    let windows_from = if span.has_beginning() { from } else { Micros(0) };
    let performance = crate::performance::measure(&app, &service, (from, to), windows_from).await?;
    ok(&performance)
}
