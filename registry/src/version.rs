//! Versions: immutable, content-addressed model files with everything known about them.
//!
//! How one comes into being is in `version/register.rs`; this file has what a version is, and how it is read and
//! deleted.

mod register;

use std::collections::BTreeMap;

use bytes::Bytes;
use chasqui_drift::Profile;
use chasqui_runtime::{Limits, Signature};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::artifact::Sha256Hex;
use crate::db::Tx;
use crate::name::{Actor, DatasetName, ModelName};
use crate::{Error, Micros, Page, PageRequest, Registry, Result, audit, model, routing, row};

/// A version of a model.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Version {
    /// The model.
    pub model: ModelName,
    /// 1, 2, 3 …; a number is never used twice.
    pub version: i64,
    /// The hash of the ONNX file.
    pub sha256: Sha256Hex,
    /// The size of the ONNX file.
    pub size_bytes: i64,
    /// What it takes and gives, read from the file.
    pub signature: Signature,
    /// Figures of merit by name.
    pub metrics: BTreeMap<String, f64>,
    /// Parameters it was made with.
    pub params: BTreeMap<String, String>,
    /// Free marks.
    pub tags: BTreeMap<String, String>,
    /// Where it comes from.
    pub lineage: Lineage,
    /// The card: Markdown, in Spanish.
    pub card: String,
    /// The hash of the reference profile for drift, an artifact of its own.
    pub profile_sha256: Option<Sha256Hex>,
    /// When it was registered.
    pub created_at: Micros,
    /// Who registered it.
    pub created_by: Actor,
}

/// Where a version comes from; what is not known is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lineage {
    /// The data it was trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetVersionRef>,
    /// The pipeline run that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_run: Option<Uuid>,
    /// The version of the same model that it was made to replace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_version: Option<i64>,
    /// The revision of the code that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_revision: Option<String>,
}

/// One version of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetVersionRef {
    /// The dataset.
    pub name: DatasetName,
    /// Its version.
    pub version: i64,
}

/// What is said about a version when it is registered.
#[derive(Debug, Clone, Default)]
pub struct NewVersion {
    /// Figures of merit; every one a finite number.
    pub metrics: BTreeMap<String, f64>,
    /// Parameters it was made with.
    pub params: BTreeMap<String, String>,
    /// Free marks.
    pub tags: BTreeMap<String, String>,
    /// Where it comes from.
    pub lineage: Lineage,
    /// The card: Markdown, in Spanish.
    pub card: String,
    /// The reference profile for drift.
    pub profile: Option<Profile>,
    /// Names for the features, in input and column order, where the file does not say them.
    pub feature_names: Option<Vec<String>>,
    /// What the file may cost.
    pub limits: Limits,
}

impl Registry {
    /// This version, unless it or its model was deleted.
    pub async fn get_version(&self, model: &ModelName, version: i64) -> Result<Option<Version>> {
        let row = sqlx::query(
            "SELECT v.* FROM versions v JOIN models m ON m.name = v.model WHERE v.model = $1 AND v.version = $2 \
             AND v.deleted_at IS NULL AND m.deleted_at IS NULL",
        )
        .bind(model.as_str())
        .bind(version)
        .fetch_optional(self.db.pool())
        .await?;
        row.as_ref().map(from_row).transpose()
    }

    /// The versions of a model, newest first.
    pub async fn list_versions(&self, model: &ModelName, page: &PageRequest) -> Result<Page<Version>> {
        let rows = sqlx::query(
            "SELECT v.* FROM versions v JOIN models m ON m.name = v.model WHERE v.model = $1 AND v.version < $2 \
             AND v.deleted_at IS NULL AND m.deleted_at IS NULL ORDER BY v.version DESC LIMIT $3",
        )
        .bind(model.as_str())
        .bind(page.after_number(i64::MAX)?)
        .bind(page.fetch_limit())
        .fetch_all(self.db.pool())
        .await?;
        let versions = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
        Ok(Page::of_rows(versions, page, |version| version.version.to_string()))
    }

    /// The ONNX file, its hash checked.
    pub async fn version_bytes(&self, version: &Version) -> Result<Bytes> {
        self.referenced_artifact(&version.sha256).await
    }

    /// The reference profile for drift, where the version has one.
    pub async fn profile_of(&self, version: &Version) -> Result<Option<Profile>> {
        let Some(sha256) = &version.profile_sha256 else { return Ok(None) };
        let bytes = self.referenced_artifact(sha256).await?;
        serde_json::from_slice(&bytes).map(Some).map_err(Error::internal)
    }

    /// Gives a version that has none a reference profile, made from `dataset`. Giving it the same again changes nothing;
    /// another is refused, for what was counted over the cells of one cannot be counted over those of another.
    pub async fn set_profile(
        &self,
        actor: &Actor,
        model: &ModelName,
        version: i64,
        profile: &Profile,
        dataset: &DatasetVersionRef,
    ) -> Result<Version> {
        let json = serde_json::to_vec(profile).map_err(Error::internal)?;
        let sha256 = self.artifacts.put(json.into()).await?;
        let now = self.now();
        let mut tx = self.db.begin().await?;
        model::lock(&mut tx, model, now).await?;
        let mut found = find(&mut tx, model, version).await?;
        match &found.profile_sha256 {
            Some(known) if *known == sha256 => return Ok(found),
            Some(_) => {
                return Err(Error::Conflict(format!(
                    "version {version} of `{model}` has another reference profile already"
                )));
            }
            None => {}
        }
        sqlx::query("UPDATE versions SET profile_sha256 = $1 WHERE model = $2 AND version = $3")
            .bind(sha256.as_str())
            .bind(model.as_str())
            .bind(version)
            .execute(&mut *tx)
            .await?;
        routing::bump_epoch(&mut tx).await?;
        let entry = audit::Entry {
            actor,
            action: "version.profile",
            subject: format!("version:{model}/{version}"),
            before: None,
            after: Some(json!({ "profile_sha256": sha256, "dataset": dataset })),
            reason: "",
        };
        audit::record(&mut tx, now, entry).await?;
        tx.commit().await?;
        found.profile_sha256 = Some(sha256);
        Ok(found)
    }

    /// Deletes a version softly: its number is not used again, its bytes stay. Refused while an alias, a
    /// service or a live rollout points to it.
    pub async fn delete_version(
        &self,
        actor: &Actor,
        model: &ModelName,
        version: i64,
        reason: &str,
    ) -> Result<()> {
        let now = self.now();
        let mut tx = self.db.begin().await?;
        model::lock(&mut tx, model, now).await?;
        if let Some(user) = user_of(&mut tx, model, version).await? {
            return Err(Error::Conflict(format!(
                "{user} uses version {version} of `{model}`; change that first"
            )));
        }
        let done = sqlx::query(
            "UPDATE versions SET deleted_at = $1 WHERE model = $2 AND version = $3 AND deleted_at IS NULL",
        )
        .bind(now.0)
        .bind(model.as_str())
        .bind(version)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::not_found("version", format!("{model}/{version}")));
        }
        routing::bump_epoch(&mut tx).await?;
        let subject = format!("version:{model}/{version}");
        let entry =
            audit::Entry { actor, action: "version.delete", subject, before: None, after: None, reason };
        audit::record(&mut tx, now, entry).await?;
        tx.commit().await
    }

    /// Reads what a row refers to: that it is not there is a defect, not a wrong question.
    async fn referenced_artifact(&self, sha256: &Sha256Hex) -> Result<Bytes> {
        match self.artifacts.get(sha256).await {
            Err(Error::NotFound(_)) => Err(Error::internal(format!(
                "the artifact {sha256} is gone from the store; restore a backup"
            ))),
            other => other,
        }
    }
}

/// This version as the transaction sees it; [`Error::NotFound`] when it does not exist.
pub async fn find(tx: &mut Tx, model: &ModelName, version: i64) -> Result<Version> {
    let row = sqlx::query("SELECT * FROM versions WHERE model = $1 AND version = $2 AND deleted_at IS NULL")
        .bind(model.as_str())
        .bind(version)
        .fetch_optional(&mut **tx)
        .await?;
    let row = row.ok_or_else(|| Error::not_found("version", format!("{model}/{version}")))?;
    from_row(&row)
}

/// What points to a version, in words.
async fn user_of(tx: &mut Tx, model: &ModelName, version: i64) -> Result<Option<String>> {
    let alias =
        sqlx::query("SELECT alias FROM aliases WHERE model = $1 AND version = $2 ORDER BY alias LIMIT 1")
            .bind(model.as_str())
            .bind(version)
            .fetch_optional(&mut **tx)
            .await?;
    if let Some(row) = alias {
        return Ok(Some(format!("the alias `{}`", row::text(&row, "alias")?)));
    }
    let rollout = sqlx::query(
        "SELECT service FROM rollouts WHERE model = $1 AND terminal = 0 \
         AND (stable_version = $2 OR canary_version = $2) LIMIT 1",
    )
    .bind(model.as_str())
    .bind(version)
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(row) = rollout {
        return Ok(Some(format!("a rollout of the service `{}`", row::text(&row, "service")?)));
    }
    let service = crate::service::pinned_to(tx, model, version).await?;
    Ok(service.map(|name| format!("the service `{name}`")))
}

/// Reads a version from a row of `versions`.
fn from_row(row: &AnyRow) -> Result<Version> {
    let profile_sha256 = row::optional_text(row, "profile_sha256")?;
    Ok(Version {
        model: row::parsed(row, "model")?,
        version: row::integer(row, "version")?,
        sha256: row::parsed(row, "sha256")?,
        size_bytes: row::integer(row, "size_bytes")?,
        signature: row::json(row, "signature")?,
        metrics: row::json(row, "metrics")?,
        params: row::json(row, "params")?,
        tags: row::json(row, "tags")?,
        lineage: row::json(row, "lineage")?,
        card: row::text(row, "card")?,
        profile_sha256: profile_sha256.map(Sha256Hex::try_from).transpose().map_err(Error::internal)?,
        created_at: row::micros(row, "created_at")?,
        created_by: row::parsed(row, "created_by")?,
    })
}
