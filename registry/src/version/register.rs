//! Registration: a file becomes a version, or is refused with the reason and leaves nothing behind.
//!
//! The file is loaded and asked for one prediction before anything is written. Then its bytes go to the
//! store; only when they are durable and verified does one transaction write the version, its alias, the
//! service of a first version, the audit entries, and let the routing epoch grow. Registrations of one model
//! wait for each other on its row.

use std::collections::BTreeMap;

use bytes::Bytes;
use chasqui_runtime::{Model, ModelError, Signature};
use serde_json::json;

use super::{NewVersion, Version, find, from_row};
use crate::alias::SetAlias;
use crate::artifact::Sha256Hex;
use crate::db::Tx;
use crate::model::NewModel;
use crate::name::{Actor, AliasName, ModelName, check_text};
use crate::{Error, Micros, Registry, Result, alias, audit, model, routing, row, service};

const CARD_BYTES: usize = 1 << 20;
const MAX_ENTRIES: usize = 1000;
const KEY_BYTES: usize = 250;
const VALUE_BYTES: usize = 6000;

impl Registry {
    /// Registers an ONNX file as the next version of a model, which is created when absent.
    ///
    /// The model's first version becomes `champion` and gets a service of the model's name; a later one
    /// becomes `challenger` and changes nothing else. The same bytes again give the version that they are
    /// already.
    ///
    /// Refused with [`Error::Invalid`] when the file does not load or does not run, [`Error::TooLarge`] above
    /// the limit, [`Error::Conflict`] when its signature clashes with the champion's.
    pub async fn register_version(
        &self,
        actor: &Actor,
        model: &ModelName,
        bytes: Bytes,
        new: NewVersion,
    ) -> Result<Version> {
        new.check()?;
        check_size(&bytes, &new)?;
        let sha256 = Sha256Hex::of(bytes.clone()).await?;
        if let Some(existing) = self.version_of_bytes(model, &sha256).await? {
            return same_version(existing, &new);
        }
        let signature = read_signature(bytes.clone(), &new).await?;
        self.refuse_what_clashes(model, &signature).await?;

        let size_bytes = bytes.len() as i64;
        self.artifacts.put(bytes).await?;
        let profile_sha256 = self.put_profile(&new).await?;
        let version = Version {
            model: model.clone(),
            version: 0,
            sha256,
            size_bytes,
            signature,
            metrics: new.metrics.clone(),
            params: new.params.clone(),
            tags: new.tags.clone(),
            lineage: new.lineage.clone(),
            card: new.card.clone(),
            profile_sha256,
            created_at: self.now(),
            created_by: actor.clone(),
        };
        self.write_version(version, &new).await
    }

    async fn version_of_bytes(&self, model: &ModelName, sha256: &Sha256Hex) -> Result<Option<Version>> {
        let row = sqlx::query(
            "SELECT v.* FROM versions v JOIN models m ON m.name = v.model WHERE v.model = $1 AND v.sha256 = $2 \
             AND v.deleted_at IS NULL AND m.deleted_at IS NULL ORDER BY v.version LIMIT 1",
        )
        .bind(model.as_str())
        .bind(sha256.as_str())
        .fetch_optional(self.db.pool())
        .await?;
        row.as_ref().map(from_row).transpose()
    }

    /// The early look, so that a file which cannot become a version is not stored; the transaction looks again.
    async fn refuse_what_clashes(&self, model: &ModelName, signature: &Signature) -> Result<()> {
        let known = sqlx::query("SELECT deleted_at FROM models WHERE name = $1")
            .bind(model.as_str())
            .fetch_optional(self.db.pool())
            .await?;
        let Some(known) = known else { return Ok(()) };
        if row::optional_micros(&known, "deleted_at")?.is_some() {
            return Err(deleted(model));
        }
        if let Some(declared) = self.get_model(model).await? {
            check_task(&declared, signature)?;
        }
        let Some(champion) = self.resolve_alias(model, &AliasName::champion()).await? else { return Ok(()) };
        let Some(champion) = self.get_version(model, champion).await? else { return Ok(()) };
        refuse_clash(&champion, signature)
    }

    async fn put_profile(&self, new: &NewVersion) -> Result<Option<Sha256Hex>> {
        let Some(profile) = &new.profile else { return Ok(None) };
        let json = serde_json::to_vec(profile).map_err(Error::internal)?;
        self.artifacts.put(json.into()).await.map(Some)
    }

    async fn write_version(&self, mut version: Version, new: &NewVersion) -> Result<Version> {
        let now = version.created_at;
        let mut tx = self.db.begin().await?;
        let new_model = NewModel { description: String::new(), task: version.signature.task };
        let is_new_model = model::insert(&mut tx, &version.model, &new_model, now).await?;
        match model::lock(&mut tx, &version.model, now).await {
            Err(Error::NotFound(_)) => return Err(deleted(&version.model)),
            other => other?,
        }
        if let Some(existing) = find_bytes(&mut tx, &version).await? {
            return same_version(existing, new);
        }
        let champion = alias::resolve(&mut tx, &version.model, &AliasName::champion()).await?;
        if let Some(champion) = champion {
            let champion = find(&mut tx, &version.model, champion).await?;
            refuse_clash(&champion, &version.signature)?;
        }
        version.version = next_number(&mut tx, &version.model).await?;
        insert(&mut tx, &version).await?;
        let alias = if champion.is_none() { AliasName::champion() } else { AliasName::challenger() };
        let previous = alias::write(&mut tx, &version.model, &alias, version.version, now).await?;
        let service = if champion.is_none() {
            service::insert_default(&mut tx, &version.model, now).await?
        } else {
            None
        };
        routing::bump_epoch(&mut tx).await?;

        let actor = &version.created_by;
        if is_new_model {
            model::record_creation(&mut tx, actor, &version.model, &new_model, now).await?;
        }
        record_registration(&mut tx, &version).await?;
        let set = SetAlias { model: &version.model, alias: &alias, version: version.version, reason: "" };
        alias::record(&mut tx, actor, &set, previous, now).await?;
        if let Some(service) = service {
            service::record_put(&mut tx, actor, None, &service, "").await?;
        }
        tx.commit().await?;
        Ok(version)
    }
}

impl NewVersion {
    fn check(&self) -> Result<()> {
        check_text("card", &self.card, CARD_BYTES)?;
        check_entries("params", &self.params)?;
        check_entries("tags", &self.tags)?;
        if self.metrics.len() > MAX_ENTRIES {
            return Err(Error::TooLarge(format!("`metrics` has more than {MAX_ENTRIES} entries")));
        }
        for (name, value) in &self.metrics {
            check_text("metrics", name, KEY_BYTES)?;
            if !value.is_finite() {
                return Err(Error::Invalid(format!("the metric `{name}` is {value}; leave it out")));
            }
        }
        Ok(())
    }
}

fn check_entries(field: &str, entries: &BTreeMap<String, String>) -> Result<()> {
    if entries.len() > MAX_ENTRIES {
        return Err(Error::TooLarge(format!("`{field}` has more than {MAX_ENTRIES} entries")));
    }
    for (key, value) in entries {
        check_text(field, key, KEY_BYTES)?;
        check_text(&format!("{field}.{key}"), value, VALUE_BYTES)?;
    }
    Ok(())
}

fn check_size(bytes: &Bytes, new: &NewVersion) -> Result<()> {
    let most = new.limits.max_bytes;
    if bytes.len() > most {
        let size = bytes.len();
        return Err(Error::TooLarge(format!("the model file has {size} bytes; at most {most} are accepted")));
    }
    Ok(())
}

/// The version that these bytes are already, unless they are now to mean something else.
fn same_version(existing: Version, new: &NewVersion) -> Result<Version> {
    let names = existing.signature.features.iter().map(|feature| &feature.name);
    let differs = new.feature_names.as_ref().is_some_and(|wanted| !names.eq(wanted.iter()));
    if differs {
        return Err(Error::Conflict(format!(
            "these bytes are version {} of `{}` already, with other feature names; a version does not change",
            existing.version, existing.model
        )));
    }
    Ok(existing)
}

/// Loads the file where blocking is allowed, and proves that it answers.
async fn read_signature(bytes: Bytes, new: &NewVersion) -> Result<Signature> {
    let limits = new.limits.clone();
    let signature = tokio::task::spawn_blocking(move || {
        let model = Model::load(&bytes, &limits)?;
        prove(&model)?;
        Ok::<_, ModelError>(model.signature().clone())
    })
    .await??;
    let Some(names) = &new.feature_names else { return Ok(signature) };
    Ok(signature.with_feature_names(names)?)
}

/// Asks for the prediction of one row of zeros and empty texts. A complaint about that input is no defect of
/// the model; that it does not compute is.
fn prove(model: &Model) -> std::result::Result<(), ModelError> {
    let Some(inputs) = model.signature().blank_row() else { return Ok(()) };
    match model.predict(&inputs) {
        Ok(_) | Err(ModelError::Input(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn refuse_clash(champion: &Version, signature: &Signature) -> Result<()> {
    let Some(clash) = champion.signature.clash(signature) else { return Ok(()) };
    Err(Error::Conflict(format!(
        "the file cannot replace version {} of `{}` for its callers: {clash}; register it as another model",
        champion.version, champion.model
    )))
}

fn check_task(declared: &model::Model, signature: &Signature) -> Result<()> {
    match (declared.task, signature.task) {
        (Some(declared_task), Some(task)) if declared_task != task => Err(Error::Conflict(format!(
            "the model `{}` is declared {declared_task:?}, the file is {task:?}; register it as another model",
            declared.name
        ))),
        _ => Ok(()),
    }
}

fn deleted(model: &ModelName) -> Error {
    Error::Conflict(format!("the model `{model}` was deleted; restore it or choose another name"))
}

async fn find_bytes(tx: &mut Tx, version: &Version) -> Result<Option<Version>> {
    let row = sqlx::query(
        "SELECT * FROM versions WHERE model = $1 AND sha256 = $2 AND deleted_at IS NULL ORDER BY version LIMIT 1",
    )
    .bind(version.model.as_str())
    .bind(version.sha256.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(from_row).transpose()
}

/// One more than the largest number ever given, deleted versions included.
async fn next_number(tx: &mut Tx, model: &ModelName) -> Result<i64> {
    let row = sqlx::query("SELECT MAX(version) FROM versions WHERE model = $1")
        .bind(model.as_str())
        .fetch_one(&mut **tx)
        .await?;
    Ok(row::aggregate(&row)?.unwrap_or(0) + 1)
}

async fn insert(tx: &mut Tx, version: &Version) -> Result<()> {
    sqlx::query(
        "INSERT INTO versions (model, version, sha256, size_bytes, signature, metrics, params, tags, lineage, \
         card, profile_sha256, created_at, created_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(version.model.as_str())
    .bind(version.version)
    .bind(version.sha256.as_str())
    .bind(version.size_bytes)
    .bind(row::to_json(&version.signature)?)
    .bind(row::to_json(&version.metrics)?)
    .bind(row::to_json(&version.params)?)
    .bind(row::to_json(&version.tags)?)
    .bind(row::to_json(&version.lineage)?)
    .bind(&version.card)
    .bind(version.profile_sha256.as_ref().map(Sha256Hex::as_str))
    .bind(version.created_at.0)
    .bind(version.created_by.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn record_registration(tx: &mut Tx, version: &Version) -> Result<()> {
    let now: Micros = version.created_at;
    let entry = audit::Entry {
        actor: &version.created_by,
        action: "version.register",
        subject: format!("version:{}/{}", version.model, version.version),
        before: None,
        after: Some(json!({
            "sha256": version.sha256,
            "size_bytes": version.size_bytes,
            "metrics": version.metrics,
            "lineage": version.lineage,
            "profile_sha256": version.profile_sha256,
        })),
        reason: "",
    };
    audit::record(tx, now, entry).await.map(|_| ())
}
