//! `/alerts`

use actix_web::{HttpResponse, web};
use chasqui_pipelines::alert::{self, Alert};
use chasqui_registry::{Error, Page};
use serde_json::{Value, json};

use super::PagingOf;
use crate::api::ok;
use crate::app::App;
use crate::auth::Identity;
use crate::body::Query;
use crate::openapi::{EXAMPLE_ID, Operation};
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

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/api/v1/alerts", "listAlerts", "Lists alerts, of one service when given")
            .tag("alerts")
            .query::<PagingOf>()
            .answers::<Page<Alert>>(
                200,
                "A page of alerts, the newest first",
                json!({ "items": [example()], "next_cursor": null }),
            ),
        Operation::post("/api/v1/alerts/{alert}/acknowledge", "acknowledgeAlert", "Marks an alert as seen")
            .tag("alerts")
            .done("It is marked")
            .fails(Error::NotFound(format!("there is no open alert `{EXAMPLE_ID}`"))),
    ]
}

fn example() -> Value {
    json!({
        "id": EXAMPLE_ID,
        "service": "demanda",
        "kind": "drift",
        "severity": "importante",
        "title": "Los datos de demanda cambiaron",
        "body": {},
        "created_at": 1_795_280_700_000_000_i64,
        "acknowledged_at": null,
        "acknowledged_by": null,
    })
}
