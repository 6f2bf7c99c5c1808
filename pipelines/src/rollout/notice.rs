//! What a rollout tells people, in Spanish, once.

use chasqui_registry::Micros;
use chasqui_registry::db::Tx;
use serde_json::json;

use super::state::Notice;
use super::store::Rollout;
use crate::alert::{self, Kind, NewAlert, Severity};
use crate::error::Result;

/// Raises the alert of a notice in the transaction of the transition.
pub(crate) async fn raise(
    tx: &mut Tx,
    now: Micros,
    rollout: &Rollout,
    reason: &str,
    notice: Notice,
) -> Result<()> {
    let (service, version) = (&rollout.service, rollout.canary_version);
    let (kind, severity, title) = match notice {
        Notice::RolledBack => (
            Kind::Rollback,
            Severity::Importante,
            format!(
                "La versión {version} de «{service}» se retiró; responde la versión {}.",
                rollout.stable_version
            ),
        ),
        Notice::ApprovalNeeded => (
            Kind::Rollout,
            Severity::Atencion,
            format!("La versión {version} de «{service}» espera la aprobación de una persona."),
        ),
        Notice::Failed => (
            Kind::Rollout,
            Severity::Importante,
            format!("La versión {version} de «{service}» no llegó a responder y no se puso en servicio."),
        ),
        Notice::Succeeded => (
            Kind::Rollout,
            Severity::Normal,
            format!("La versión {version} de «{service}» ya responde a todos."),
        ),
    };
    let alert = NewAlert {
        service: service.clone(),
        kind,
        severity,
        title,
        body: json!({
            "rollout_id": rollout.id,
            "stable_version": rollout.stable_version,
            "canary_version": version,
            "reason": reason,
        }),
        // A rollout may ask more than once, each time in another epoch; it ends once.
        dedup_key: match notice {
            Notice::ApprovalNeeded => format!("rollout:{}:ask:{}", rollout.id, rollout.epoch),
            _ => format!("rollout:{}:{}", rollout.id, kind.name()),
        },
    };
    alert::raise(tx, now, &alert).await?;
    Ok(())
}
