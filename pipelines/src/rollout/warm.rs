//! Warming: the version is loaded and answers synthetic requests before it gets a real one.

use bytes::Bytes;
use chasqui_registry::Registry;
use chasqui_registry::name::ModelName;
use chasqui_runtime::{Limits, Model, ModelError};

use super::store::Rollout;
use crate::error::{Error, Result};

/// Loads the canary of a rollout and lets it answer.
///
/// # Errors
/// `Invalid` when it does not load or does not compute.
pub(crate) async fn warm(registry: &Registry, rollout: &Rollout) -> Result<()> {
    let model = ModelName::try_from(rollout.model.as_str())?;
    let Some(version) = registry.get_version(&model, rollout.canary_version).await? else {
        return Err(Error::Invalid(format!("version {} is gone", rollout.canary_version)));
    };
    let bytes = registry.version_bytes(&version).await?;
    let requests = rollout.plan.warm_requests;
    tokio::task::spawn_blocking(move || answer(&bytes, requests)).await?
}

fn answer(bytes: &Bytes, requests: u32) -> Result<()> {
    let failed = |error: ModelError| Error::Invalid(error.to_string());
    let model = Model::load(bytes, &Limits::default()).map_err(failed)?;
    // An input of a kind that only its makers can fill: loading is all that can be tried.
    let Some(inputs) = model.signature().blank_row() else { return Ok(()) };
    for _ in 0..requests {
        // A complaint about a row of zeros is an answer too: the model computes.
        match model.predict(&inputs) {
            Ok(_) | Err(ModelError::Input(_)) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}
