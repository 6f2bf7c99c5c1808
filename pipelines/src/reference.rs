//! The reference profile of a version that was trained elsewhere: what drift is measured against.

use bytes::Bytes;
use chasqui_drift::Profile;
use chasqui_registry::Registry;
use chasqui_registry::name::Actor;
use chasqui_registry::version::{DatasetVersionRef, Version};
use chasqui_runtime::{Limits, Model, Signature};
use chasqui_trainer::{Table, TrainError, profile};

use crate::{Error, Result};

/// Gives a version its reference profile: the columns of a dataset that are named as its features, and what the model
/// answers for their rows. Refused when a feature has no column, or the model cannot answer the rows.
pub async fn give(
    registry: &Registry,
    actor: &Actor,
    version: &Version,
    dataset: &DatasetVersionRef,
) -> Result<Version> {
    let batches = registry.read_dataset(&dataset.name, dataset.version).await?;
    let bytes = registry.version_bytes(version).await?;
    let signature = version.signature.clone();
    let made = tokio::task::spawn_blocking(move || {
        let table = Table::from_batches(&batches).map_err(|error| refused(&error))?;
        make(&bytes, &signature, &table)
    });
    let profile = made.await.map_err(Error::internal)??;
    Ok(registry.set_profile(actor, &version.model, version.version, &profile, dataset).await?)
}

fn make(bytes: &Bytes, signature: &Signature, table: &Table) -> Result<Profile> {
    if signature.features.is_empty() {
        return Err(Error::Invalid(
            "the inputs of the model are no named columns: there is nothing to watch".into(),
        ));
    }
    if table.rows() == 0 {
        return Err(Error::Invalid("the dataset has no rows".into()));
    }
    // It was loaded when it was registered, under the limits of then.
    let limits = Limits { max_bytes: bytes.len(), ..Limits::default() };
    let model = Model::load(bytes, &limits).map_err(Error::internal)?;
    let rows: Vec<usize> = (0..table.rows()).collect();
    profile(&model, signature, table, &rows, &rows, &[]).map_err(|error| refused(&error))
}

fn refused(error: &TrainError) -> Error {
    Error::Invalid(format!("the dataset does not fit the model: {error}"))
}
