//! `/outcomes`: what became of predictions. They are durable when the answer comes.

use actix_web::{HttpResponse, web};
use chasqui_registry::Error;
use chasqui_registry::outcome::{MAX_OUTCOMES, Outcome, StoredOutcomes};
use serde_json::json;

use crate::api::ok;
use crate::app::App;
use crate::auth::Identity;
use crate::body::Json;
use crate::openapi::{EXAMPLE_ID, Operation};
use crate::problem::Result;

pub(super) async fn store(
    app: web::Data<App>,
    who: Identity,
    Json(outcomes): Json<Vec<Outcome>>,
) -> Result<HttpResponse> {
    ok(&app.registry.store_outcomes(&who.actor, &outcomes, Some(&app.log)).await?)
}

pub(super) fn operations() -> Vec<Operation> {
    let operation = Operation::post("/api/v1/outcomes", "storeOutcomes", "Tells what became of predictions")
        .tag("predictions")
        .about("All are stored or none; when the answer comes they are durable. The last one received wins.")
        .body::<Vec<Outcome>>(json!([
            { "prediction_id": EXAMPLE_ID, "value": 121.0 },
            { "service": "demanda", "key": "tienda-7", "at": "2026-11-21T12:05:00-05:00", "converted": true },
        ]))
        .answers::<StoredOutcomes>(
            200,
            "How many were new, changed, known, and which match no prediction",
            json!({ "stored": 1, "updated": 0, "unchanged": 0, "unmatched": [1] }),
        )
        .fails(Error::TooLarge(format!("10001 outcomes in one call; send at most {MAX_OUTCOMES}")))
        .fails(Error::Invalid("outcome 0: give at least one of `label`, `value` and `converted`".into()));
    vec![operation]
}
