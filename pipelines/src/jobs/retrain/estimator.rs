//! The estimator of a candidate: what its held-out rows say of its later performance, before any outcome is known.

use std::sync::Arc;

use chasqui_registry::Registry;
use chasqui_registry::name::Actor;
use chasqui_registry::version::Version;
use chasqui_runtime::{Limits, Model};
use chasqui_trainer::{Table, split};

use crate::error::{Error, Result};
use crate::monitor;
use crate::monitor::performance::estimator::{HeldOut, fit};
use crate::pipeline::Pipeline;

/// Makes and stores the estimator of a version, unless it has one. Without it the version serves as well: what stands
/// in the way is logged, and its performance is measured by outcomes alone.
pub(super) async fn ensure(
    registry: &Registry,
    pipeline: &Pipeline,
    version: &Version,
    table: &Arc<Table>,
) -> Result<()> {
    if registry.estimator(&version.model, version.version).await?.is_some() {
        return Ok(());
    }
    let window_rows = monitor::usual_rows(registry, &pipeline.spec.service).await?;
    let bytes = registry.version_bytes(version).await?;
    let (table, spec) = (Arc::clone(table), pipeline.spec.train_spec());
    let fitted = tokio::task::spawn_blocking(move || {
        let model = Model::load(&bytes, &Limits::default()).map_err(Error::internal)?;
        let rows = split(&table, &spec).map_err(|error| Error::Invalid(error.to_string()))?.holdout;
        fit(&HeldOut { model: &model, table: &table, rows: &rows, spec: &spec, window_rows })
    });
    match fitted.await? {
        Ok(Some(estimator)) => {
            let actor = Actor::system();
            Ok(registry.put_estimator(&actor, &version.model, version.version, estimator).await?)
        }
        Ok(None) => {
            tracing::info!(
                model.name = %version.model,
                model.version = version.version,
                "too few held-out rows to estimate performance from"
            );
            Ok(())
        }
        Err(error) => {
            tracing::warn!(
                model.name = %version.model,
                model.version = version.version,
                error = %error,
                "the performance of this version cannot be estimated"
            );
            Ok(())
        }
    }
}
