//! `/alerts`

use actix_web::{HttpResponse, web};
use chasqui_pipelines::alert;

use super::PagingOf;
use crate::api::ok;
use crate::app::App;
use crate::auth::Identity;
use crate::body::Query;
use crate::problem::Result;

pub(super) async fn list(app: web::Data<App>, Query(paging): Query<PagingOf>) -> Result<HttpResponse> {
    let (service, page) = paging.split()?;
    ok(&alert::list(&app.registry, service.as_deref(), &page).await?)
}

pub(super) async fn acknowledge(
    app: web::Data<App>,
    who: Identity,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    alert::acknowledge(&app.registry, &who.actor, &id).await?;
    Ok(HttpResponse::NoContent().finish())
}
