//! `/audit`

use actix_web::{HttpResponse, web};
use chasqui_registry::Page;
use chasqui_registry::audit::{AuditRecord, ChainCheck};
use serde_json::{Value, json};

use super::PagingOf;
use crate::api::ok;
use crate::app::App;
use crate::body::Query;
use crate::openapi::Operation;
use crate::problem::Result;

pub(super) async fn list(app: web::Data<App>, Query(paging): Query<PagingOf>) -> Result<HttpResponse> {
    let (subject, page) = paging.split()?;
    ok(&app.registry.list_audit(subject.as_deref(), &page).await?)
}

/// Walks the whole chain of hashes.
pub(super) async fn verify(app: web::Data<App>) -> Result<HttpResponse> {
    ok(&app.registry.verify_audit().await?)
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/api/v1/audit", "listAudit", "Lists who did what, of one subject when given")
            .tag("keys")
            .query::<PagingOf>()
            .answers::<Page<AuditRecord>>(
                200,
                "A page of entries, the newest first",
                json!({ "items": [example()], "next_cursor": null }),
            ),
        Operation::get("/api/v1/audit/verification", "verifyAudit", "Checks the chain of hashes of the audit log")
            .tag("keys")
            .answers::<ChainCheck>(
                200,
                "Whether every entry is as it was written",
                json!({
                    "entries": 12,
                    "broken_at": null,
                    "last": { "seq": 12, "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" },
                }),
            ),
    ]
}

fn example() -> Value {
    json!({
        "seq": 12,
        "at": 1_795_280_700_000_000_i64,
        "actor": "admin",
        "action": "alias.set",
        "subject": "alias:demanda@champion",
        "before": { "version": 1 },
        "after": { "version": 2 },
        "reason": "aprobada por ventas",
        "previous_hash": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
        "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    })
}
