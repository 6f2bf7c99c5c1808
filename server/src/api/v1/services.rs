//! `/services`, and the friendly form of a prediction.

use actix_web::{HttpRequest, HttpResponse, web};
use chasqui_registry::Error;
use chasqui_registry::name::ServiceName;
use chasqui_registry::service::{Service, ServiceConfig};
use serde::Serialize;

use super::{Paging, Why};
use crate::api::{ndjson, ok, predict as prediction};
use crate::app::App;
use crate::auth::Identity;
use crate::body::{Json, Query};
use crate::inference::Form;
use crate::problem::Result;

/// A service and how it answers on this replica.
#[derive(Serialize)]
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

#[derive(Serialize)]
struct Share {
    version: i64,
    share: f64,
}

#[derive(Serialize)]
struct Field {
    name: String,
    datatype: &'static str,
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
    let items = page.items.into_iter().map(|service| Seen::new(&app, service)).collect();
    ok(&chasqui_registry::Page { items, next_cursor: page.next_cursor })
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
