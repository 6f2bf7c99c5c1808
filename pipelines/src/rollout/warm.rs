//! Warming: the version is loaded and answers synthetic requests before it gets a real one.

use bytes::Bytes;
use chasqui_registry::Registry;
use chasqui_registry::name::ModelName;
use chasqui_runtime::{DataType, Limits, Model, ModelError, Tensor, TensorData, TensorSpec};

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
    let inputs: Option<Vec<Tensor>> = model.signature().inputs.iter().map(blank).collect();
    // An input of a kind that only its makers can fill: loading is all that can be tried.
    let Some(inputs) = inputs else { return Ok(()) };
    for _ in 0..requests {
        match model.predict(&inputs) {
            Ok(_) | Err(ModelError::Input(_)) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// One row of zeros and empty texts. A complaint about them is an answer too: the model computes.
fn blank(spec: &TensorSpec) -> Option<Tensor> {
    const MOST_ELEMENTS: usize = 1 << 20;
    let shape: Vec<usize> = spec.shape.iter().map(|size| usize::try_from(*size).unwrap_or(1)).collect();
    let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size))?;
    if count > MOST_ELEMENTS {
        return None;
    }
    let data = match spec.datatype {
        DataType::Bool => TensorData::Bool(vec![false; count]),
        DataType::Int32 => TensorData::I32(vec![0; count]),
        DataType::Int64 => TensorData::I64(vec![0; count]),
        DataType::Fp32 => TensorData::F32(vec![0.0; count]),
        DataType::Fp64 => TensorData::F64(vec![0.0; count]),
        DataType::Bytes => TensorData::Text(vec![String::new(); count]),
        _ => return None,
    };
    Tensor::new(shape, data).ok()
}
