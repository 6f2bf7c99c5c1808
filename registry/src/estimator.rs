//! How the performance of a version is estimated: artifacts of the version, made when it is trained.
//!
//! What is inside is the business of whoever makes and asks them (`chasqui-pipelines`); here they are bytes.

use bytes::Bytes;
use serde_json::{Value, json};
use sqlx::any::AnyRow;

use crate::artifact::Sha256Hex;
use crate::name::{Actor, ModelName};
use crate::{Error, Registry, Result, audit, row};

/// An estimator's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EstimatorBytes {
    /// JSON: the reference that estimates are judged by.
    pub reference: Bytes,
    /// The ONNX file that predicts a regression's losses, where there is one.
    pub loss_model: Option<Bytes>,
}

impl Registry {
    /// Stores the estimator of a version; one that is there already is replaced.
    pub async fn put_estimator(
        &self,
        actor: &Actor,
        model: &ModelName,
        version: i64,
        estimator: EstimatorBytes,
    ) -> Result<()> {
        let sha256 = self.artifacts.put(estimator.reference).await?;
        let loss_model = match estimator.loss_model {
            Some(bytes) => Some(self.artifacts.put(bytes).await?),
            None => None,
        };
        let now = self.now();
        let mut tx = self.db.begin().await?;
        let before = sqlx::query("SELECT * FROM estimators WHERE model = $1 AND version = $2")
            .bind(model.as_str())
            .bind(version)
            .fetch_optional(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO estimators (model, version, sha256, loss_model_sha256, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (model, version) DO UPDATE SET sha256 = excluded.sha256, \
             loss_model_sha256 = excluded.loss_model_sha256, created_at = excluded.created_at",
        )
        .bind(model.as_str())
        .bind(version)
        .bind(sha256.as_str())
        .bind(loss_model.as_ref().map(Sha256Hex::as_str))
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        let entry = audit::Entry {
            actor,
            action: "estimator.put",
            subject: format!("version:{model}/{version}"),
            before: before.as_ref().map(hashes).transpose()?.map(told),
            after: Some(told((sha256, loss_model))),
            reason: "",
        };
        audit::record(&mut tx, now, entry).await?;
        tx.commit().await
    }

    /// The estimator of a version, where it has one.
    pub async fn estimator(&self, model: &ModelName, version: i64) -> Result<Option<EstimatorBytes>> {
        let found = sqlx::query("SELECT * FROM estimators WHERE model = $1 AND version = $2")
            .bind(model.as_str())
            .bind(version)
            .fetch_optional(self.db.pool())
            .await?;
        let Some(found) = found else { return Ok(None) };
        let (sha256, loss_model) = hashes(&found)?;
        let loss_model = match loss_model {
            Some(sha256) => Some(self.artifacts.get(&sha256).await?),
            None => None,
        };
        Ok(Some(EstimatorBytes { reference: self.artifacts.get(&sha256).await?, loss_model }))
    }
}

fn told((sha256, loss_model): (Sha256Hex, Option<Sha256Hex>)) -> Value {
    json!({ "sha256": sha256, "loss_model_sha256": loss_model })
}

fn hashes(found: &AnyRow) -> Result<(Sha256Hex, Option<Sha256Hex>)> {
    let loss_model = row::optional_text(found, "loss_model_sha256")?;
    let loss_model = loss_model.map(Sha256Hex::try_from).transpose().map_err(Error::internal)?;
    Ok((row::parsed(found, "sha256")?, loss_model))
}
