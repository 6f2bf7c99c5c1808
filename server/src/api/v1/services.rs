//! `/services`, and the friendly form of a prediction.

use actix_web::{HttpRequest, HttpResponse, web};
use chasqui_registry::name::ServiceName;
use chasqui_registry::service::{Service, ServiceConfig};
use chasqui_registry::{Error, Page};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Paging, Why, prediction as described};
use crate::api::{ndjson, ok, predict as prediction};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{Json, Query};
use crate::inference::Form;
use crate::openapi::{EXAMPLE_ID, Operation};
use crate::problem::Result;

/// A service and how it answers on this replica.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServiceStatus")]
struct Seen {
    #[serde(flatten)]
    service: Service,
    /// Whether it answers.
    ready: bool,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The share of each version.
    shares: Vec<Share>,
    /// The live rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout_id: Option<String>,
    /// The fields of a record.
    fields: Vec<Field>,
}

/// The part of the traffic that a version is given.
#[derive(Serialize, JsonSchema)]
struct Share {
    /// The version.
    version: i64,
    /// Its part, 0 to 1.
    share: f64,
}

/// A field of a record.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RecordField")]
struct Field {
    /// Its name.
    name: String,
    /// Its type, as the inference protocol names it.
    datatype: &'static str,
    /// Whether a record must have it.
    required: bool,
}

impl Seen {
    fn new(app: &App, service: Service) -> Self {
        let mut seen = Self {
            service,
            ready: false,
            reason: None,
            shares: Vec::new(),
            rollout_id: None,
            fields: Vec::new(),
        };
        match app.inference.route(seen.service.name.as_str()) {
            Ok(route) => {
                seen.ready = true;
                seen.shares =
                    route.shares().into_iter().map(|(version, share)| Share { version, share }).collect();
                seen.rollout_id = route.canary.as_ref().map(|canary| canary.trial.id.to_string());
                let fields = route.schema.iter().flat_map(|schema| &schema.fields);
                seen.fields = fields
                    .map(|field| Field {
                        name: field.name.clone(),
                        datatype: field.datatype.name(),
                        required: field.required,
                    })
                    .collect();
            }
            Err(problem) => seen.reason = Some(problem.detail().to_owned()),
        }
        seen
    }
}

pub(super) async fn list(app: web::Data<App>, Query(paging): Query<Paging>) -> Result<HttpResponse> {
    let page = app.registry.list_services(&paging.request()?).await?;
    let items: Vec<Seen> = page.items.into_iter().map(|service| Seen::new(&app, service)).collect();
    ok(&Page { items, next_cursor: page.next_cursor })
}

pub(super) async fn get(app: web::Data<App>, name: web::Path<ServiceName>) -> Result<HttpResponse> {
    let service = app.registry.get_service(&name).await?;
    let service = service.ok_or_else(|| Error::not_found("service", &*name))?;
    ok(&Seen::new(&app, service))
}

pub(super) async fn put(
    app: web::Data<App>,
    who: Identity,
    name: web::Path<ServiceName>,
    Query(why): Query<Why>,
    Json(config): Json<ServiceConfig>,
) -> Result<HttpResponse> {
    let service = app.registry.put_service(&who.actor, &name, config, &why.reason).await?;
    app.inference.catch_up().await?;
    ok(&Seen::new(&app, service))
}

pub(super) async fn delete(
    app: web::Data<App>,
    who: Identity,
    name: web::Path<ServiceName>,
    Query(why): Query<Why>,
) -> Result<HttpResponse> {
    app.registry.delete_service(&who.actor, &name, &why.reason).await?;
    app.inference.catch_up().await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn predict(
    app: web::Data<App>,
    name: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    if ndjson::is_ndjson(&request) {
        return ndjson::predict(&app, &request, payload, &name).await;
    }
    prediction::predict(&app, &request, payload, &name, Form::Records, None).await
}

pub(super) fn operations() -> Vec<Operation> {
    let missing = || Error::not_found("service", "demanda");
    let under_way = "a rollout of the service `demanda` is under way; abort it first";
    let clash =
        "callers of the service `demanda` would break: the input `X` is missing; make another service";
    let of_service = [
        Operation::get("/api/v1/services", "listServices", "Lists services by name")
            .query::<Paging>()
            .answers::<Page<Seen>>(
                200,
                "A page of services",
                json!({ "items": [example()], "next_cursor": null }),
            ),
        Operation::get("/api/v1/services/{service}", "getService", "Shows a service and how it answers now")
            .answers::<Seen>(200, "The service", example())
            .fails(missing()),
        Operation::put("/api/v1/services/{service}", "putService", "Makes a service, or changes all of one")
            .about("What is left out gets its default, also when it was set before.")
            .query::<Why>()
            .body::<ServiceConfig>(json!({ "model": "demanda", "key_field": "tienda", "slo_ms": 50.0 }))
            .answers::<Seen>(200, "The service", example())
            .fails(Error::not_found("model", "demanda"))
            .fails(Error::Conflict(clash.into())),
        Operation::delete("/api/v1/services/{service}", "deleteService", "Deletes a service; its log stays")
            .query::<Why>()
            .done("It is deleted")
            .fails(missing())
            .fails(Error::Conflict(under_way.into())),
    ];
    of_service
        .into_iter()
        .map(|operation| operation.tag("services"))
        .chain([described::operation()])
        .collect()
}

fn example() -> Value {
    json!({
        "name": "demanda",
        "config": {
            "model": "demanda",
            "routing": { "stable": { "alias": "champion" } },
            "key_field": "tienda",
            "personal": [],
            "slo_ms": 50.0,
            "monitor": { "window_seconds": 86_400, "min_rows": 100, "ignore": [] },
            "batching": { "max_rows": 64, "max_delay_ms": 0.0 },
        },
        "created_at": 1_795_280_700_000_000_i64,
        "updated_at": 1_795_280_700_000_000_i64,
        "ready": true,
        "shares": [{ "version": 1, "share": 0.95 }, { "version": 2, "share": 0.05 }],
        "rollout_id": EXAMPLE_ID,
        "fields": [{ "name": "precio", "datatype": "FP32", "required": true }],
    })
}
