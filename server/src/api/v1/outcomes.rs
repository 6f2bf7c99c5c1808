//! `/outcomes`: what became of predictions. They are durable when the answer comes.

use actix_web::{HttpResponse, web};
use chasqui_registry::outcome::Outcome;

use crate::api::ok;
use crate::app::App;
use crate::auth::Identity;
use crate::body::Json;
use crate::problem::Result;

pub(super) async fn store(
    app: web::Data<App>,
    who: Identity,
    Json(outcomes): Json<Vec<Outcome>>,
) -> Result<HttpResponse> {
    ok(&app.registry.store_outcomes(&who.actor, &outcomes, Some(&app.log)).await?)
}
