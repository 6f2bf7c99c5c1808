//! Our own API, `/api/v1`: one file per resource.

mod alerts;
mod aliases;
mod audit;
mod calendar;
mod datasets;
mod drift;
mod jobs;
mod keys;
mod log;
mod models;
mod outcomes;
mod pipelines;
mod prediction;
mod reports;
mod rollouts;
mod services;
mod versions;

use actix_web::middleware::from_fn;
use actix_web::{Scope, web};
use chasqui_registry::page::PageRequest;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{idempotency, not_found, resource};
use crate::openapi::Operation;
use crate::problem::Result;

/// Everything under `/api/v1`.
pub fn scope() -> impl actix_web::dev::HttpServiceFactory {
    let scope = web::scope("/api/v1").wrap(from_fn(idempotency::wrap));
    let scope = services(scope);
    let scope = registry(scope);
    let scope = work(scope);
    scope.default_service(web::to(not_found))
}

/// What every route under `/api/v1` says about itself.
pub fn operations() -> Vec<Operation> {
    let by_resource = [
        models::operations(),
        versions::operations(),
        aliases::operations(),
        datasets::operations(),
        services::operations(),
        rollouts::operations(),
        drift::operations(),
        log::operations(),
        outcomes::operations(),
        pipelines::operations(),
        jobs::operations(),
        reports::operations(),
        audit::operations(),
        keys::operations(),
        alerts::operations(),
        calendar::operations(),
    ];
    by_resource.into_iter().flatten().collect()
}

type Wrapped<T> = Scope<T>;

fn registry<T>(scope: Wrapped<T>) -> Wrapped<T>
where
    T: actix_web::dev::ServiceFactory<
            actix_web::dev::ServiceRequest,
            Config = (),
            Error = actix_web::Error,
            InitError = (),
        >,
{
    scope
        .service(resource("/models", "GET, POST").get(models::list).post(models::create))
        .service(resource("/models/{model}", "GET, DELETE").get(models::get).delete(models::delete))
        .service(resource("/models/{model}/restore", "POST").post(models::restore))
        .service(
            resource("/models/{model}/versions", "GET, POST").get(versions::list).post(versions::register),
        )
        .service(
            resource("/models/{model}/versions/{version}", "GET, DELETE")
                .get(versions::get)
                .delete(versions::delete),
        )
        .service(resource("/models/{model}/versions/{version}/download", "GET").get(versions::download))
        .service(
            resource("/models/{model}/versions/{version}/profile", "GET, PUT")
                .get(versions::profile)
                .put(versions::give_profile),
        )
        .service(resource("/models/{model}/aliases", "GET").get(aliases::list))
        .service(
            resource("/models/{model}/aliases/{alias}", "GET, PUT, DELETE")
                .get(aliases::get)
                .put(aliases::put)
                .delete(aliases::delete),
        )
        .service(resource("/datasets", "GET").get(datasets::list))
        .service(resource("/datasets/{dataset}", "GET").get(datasets::get))
        .service(
            resource("/datasets/{dataset}/versions", "GET, POST").get(datasets::versions).post(datasets::add),
        )
        .service(resource("/datasets/{dataset}/versions/{version}", "GET").get(datasets::version))
        .service(resource("/datasets/{dataset}/versions/{version}/download", "GET").get(datasets::download))
}

fn services<T>(scope: Wrapped<T>) -> Wrapped<T>
where
    T: actix_web::dev::ServiceFactory<
            actix_web::dev::ServiceRequest,
            Config = (),
            Error = actix_web::Error,
            InitError = (),
        >,
{
    scope
        .service(resource("/services/{service}/predict", "POST").post(services::predict))
        .service(resource("/services", "GET").get(services::list))
        .service(
            resource("/services/{service}", "GET, PUT, DELETE")
                .get(services::get)
                .put(services::put)
                .delete(services::delete),
        )
        .service(
            resource("/services/{service}/rollouts", "GET, POST").get(rollouts::list).post(rollouts::create),
        )
        .service(resource("/services/{service}/drift", "GET").get(drift::list))
        .service(resource("/services/{service}/performance", "GET").get(drift::performance))
        .service(resource("/services/{service}/log", "GET").get(log::list))
        .service(
            resource("/services/{service}/reports", "GET, POST").get(reports::list).post(reports::create),
        )
        .service(resource("/predictions/{prediction}", "GET").get(log::get))
        .service(resource("/outcomes", "POST").post(outcomes::store))
        .service(resource("/rollouts", "GET").get(rollouts::list_all))
        .service(resource("/rollouts/{rollout}", "GET").get(rollouts::get))
        .service(resource("/rollouts/{rollout}/evidence", "GET").get(rollouts::evidence))
        .service(resource("/rollouts/{rollout}/approve", "POST").post(rollouts::approve))
        .service(resource("/rollouts/{rollout}/pause", "POST").post(rollouts::pause))
        .service(resource("/rollouts/{rollout}/resume", "POST").post(rollouts::resume))
        .service(resource("/rollouts/{rollout}/abort", "POST").post(rollouts::abort))
}

fn work<T>(scope: Wrapped<T>) -> Wrapped<T>
where
    T: actix_web::dev::ServiceFactory<
            actix_web::dev::ServiceRequest,
            Config = (),
            Error = actix_web::Error,
            InitError = (),
        >,
{
    scope
        .service(resource("/pipelines", "GET").get(pipelines::list))
        .service(
            resource("/pipelines/{pipeline}", "GET, PUT, DELETE")
                .get(pipelines::get)
                .put(pipelines::put)
                .delete(pipelines::delete),
        )
        .service(
            resource("/pipelines/{pipeline}/runs", "GET, POST").get(pipelines::runs).post(pipelines::run),
        )
        .service(resource("/jobs", "GET").get(jobs::list))
        .service(resource("/jobs/{job}", "GET").get(jobs::get))
        .service(resource("/jobs/{job}/events", "GET").get(jobs::events))
        .service(resource("/jobs/{job}/cancel", "POST").post(jobs::cancel))
        .service(resource("/reports/{report}", "GET").get(reports::get))
        .service(resource("/calendar", "GET, PUT").get(calendar::get).put(calendar::put))
        .service(resource("/audit", "GET").get(audit::list))
        .service(resource("/audit/verification", "GET").get(audit::verify))
        .service(resource("/keys", "GET, POST").get(keys::list).post(keys::create))
        .service(resource("/keys/{key}", "DELETE").delete(keys::revoke))
        .service(resource("/users", "GET").get(keys::list))
        .service(resource("/whoami", "GET").get(keys::whoami))
        .service(resource("/alerts", "GET").get(alerts::list))
        .service(resource("/alerts/{alert}/acknowledge", "POST").post(alerts::acknowledge))
}

/// `?cursor=…&limit=…`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Paging {
    /// `next_cursor` of the page before; from the start without it.
    cursor: Option<String>,
    /// Items of a page, 100 unless given.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

impl Paging {
    fn request(self) -> Result<PageRequest> {
        Ok(PageRequest::new(self.cursor, self.limit)?)
    }
}

/// The same, of one service or other subject when given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PagingOf {
    /// `next_cursor` of the page before; from the start without it.
    cursor: Option<String>,
    /// Items of a page, 100 unless given.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
    /// Only what is about this; `service` and `pipeline` are other names for it.
    #[serde(alias = "service", alias = "pipeline")]
    subject: Option<String>,
}

impl PagingOf {
    fn split(self) -> Result<(Option<String>, PageRequest)> {
        Ok((self.subject, PageRequest::new(self.cursor, self.limit)?))
    }
}

/// Why something is done.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "Reason")]
#[serde(default, deny_unknown_fields)]
struct Why {
    /// Why, for the audit log.
    reason: String,
}
