//! `/services/{service}/drift` and `/performance`

use actix_web::{HttpResponse, web};
use chasqui_pipelines::monitor::{self, StoredVerdict};
use chasqui_registry::name::ServiceName;
use chasqui_registry::{Error, Micros, Page};
use serde_json::{Value, json};

use super::Paging;
use super::log::{Span, wrong_span};
use crate::api::ok;
use crate::app::App;
use crate::body::Query;
use crate::openapi::{EXAMPLE_ID, Operation};
use crate::performance::Performance;
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

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get(
            "/api/v1/services/{service}/drift",
            "listDrift",
            "Lists what changed in a service's data",
        )
        .tag("services")
        .about("One verdict for each window and version, the newest first.")
        .query::<Paging>()
        .answers::<Page<StoredVerdict>>(
            200,
            "A page of verdicts",
            json!({ "items": [example()], "next_cursor": null }),
        )
        .fails(Error::not_found("service", "demanda")),
        Operation::get(
            "/api/v1/services/{service}/performance",
            "getPerformance",
            "Measures how good answers were",
        )
        .tag("services")
        .query::<Span>()
        .answers::<Performance>(
            200,
            "The figures where outcomes have come, by version, and window by window",
            json!({
                "service": "demanda",
                "from": 1_795_194_300_000_000_i64,
                "to": 1_795_280_700_000_000_i64,
                "predictions": 5210,
                "with_outcome": 4801,
                "versions": [{ "version": 1, "with_outcome": 4801, "mae": 12.4, "rmse": 18.0, "bias": -0.3 }],
                "windows": [window()],
            }),
        )
        .fails(wrong_span())
        .fails(Error::not_found("service", "demanda")),
    ]
}

fn example() -> Value {
    let column = |mean: f64| {
        json!({
            "rows": 1000, "missing": 0.0, "infinite": 0.0, "mean": mean, "std": 0.5, "min": 0.5, "max": 9.0,
            "histogram": [{ "from": 0.5, "to": 9.0, "share": 1.0 }], "other": 0.0, "new": 0.0,
        })
    };
    json!({
        "id": EXAMPLE_ID,
        "service": "demanda",
        "model": "demanda",
        "version": 1,
        "window_start": 1_795_194_000_000_000_i64,
        "window_end": 1_795_280_400_000_000_i64,
        "drifted": true,
        "verdict": {
            "drifted": true,
            "missing_changed": false,
            "rows": 1000,
            "windows": 1,
            "features": [{
                "name": "precio", "kind": "number", "test": "ks", "statistic": 0.31, "p_value": 1e-9,
                "adjusted_p": 4e-8, "psi": 0.42, "effect": 0.31, "effect_floor": 0.1, "windows": 1, "drifted": true,
                "missing_before": 0.0, "missing_after": 0.0, "missing_p_value": 1.0, "missing_changed": false,
                "before": column(1.6), "after": column(2.4),
            }],
        },
        "assessment": assessment(),
        "created_at": 1_795_280_700_000_000_i64,
    })
}

fn assessment() -> Value {
    json!({
        "faults": [{ "check": "missing", "column": "promocion", "before": 0.01, "after": 0.2 }],
        "season": null,
        "changes": [{
            "column": "precio",
            "description": {
                "kind": { "kind": "sudden" }, "began": { "window": 9, "earliest": 8, "latest": 9 }, "confirmed": true,
                "size": 0.42, "evidence": 31.5,
            },
            "began": { "on": "2026-11-25", "earliest": "2026-11-24", "latest": "2026-11-25" },
        }],
        "incidents": [],
        "severity": "important",
        "performance_fell": false,
        "dollars": 640.0,
    })
}

/// The performance of a window.
fn window() -> Value {
    json!({
        "service": "demanda",
        "model": "demanda",
        "version": 1,
        "window_start": 1_795_194_000_000_000_i64,
        "window_end": 1_795_280_400_000_000_i64,
        "fell": false,
        "rows": 5210,
        "labels": 4801,
        "estimated": [],
        "realized": [{
            "measure": "mean_absolute", "value": 12.4, "sampling_error": 0.2, "lower": 11.8, "upper": 13.0,
            "thresholds": null, "reference": 12.1, "fell": false,
        }],
        "doubts": [],
        "reconciliation": null,
        "value": null,
        "forecast": null,
        "fairness": [],
        "fairness_realized": false,
        "not_estimated": "no_estimator",
        "updated_at": 1_795_280_700_000_000_i64,
    })
}
