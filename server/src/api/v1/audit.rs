//! `/audit`

use actix_web::{HttpResponse, web};

use super::PagingOf;
use crate::api::ok;
use crate::app::App;
use crate::body::Query;
use crate::problem::Result;

pub(super) async fn list(app: web::Data<App>, Query(paging): Query<PagingOf>) -> Result<HttpResponse> {
    let (subject, page) = paging.split()?;
    ok(&app.registry.list_audit(subject.as_deref(), &page).await?)
}

/// Walks the whole chain of hashes.
pub(super) async fn verify(app: web::Data<App>) -> Result<HttpResponse> {
    ok(&app.registry.verify_audit().await?)
}
