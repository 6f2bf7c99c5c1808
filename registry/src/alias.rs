//! Aliases: movable names of versions, such as `champion` and `challenger`.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use sqlx::any::AnyRow;

use crate::db::Tx;
use crate::name::{Actor, AliasName, ModelName};
use crate::version::Version;
use crate::{Error, Micros, Registry, Result, audit, model, routing, row, service, version};

/// An alias and where it points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Alias {
    /// The model.
    pub model: ModelName,
    /// The alias.
    pub alias: AliasName,
    /// The version that it names.
    pub version: i64,
    /// When it was last moved.
    pub updated_at: Micros,
}

/// A move of an alias.
#[derive(Debug, Clone)]
pub struct SetAlias<'a> {
    /// The model.
    pub model: &'a ModelName,
    /// The alias.
    pub alias: &'a AliasName,
    /// The version that it names from now on.
    pub version: i64,
    /// Why; may be empty.
    pub reason: &'a str,
}

impl Registry {
    /// Lets an alias name a version. Refused when a service routes to the alias and the version's signature
    /// clashes with that of the one it named before.
    pub async fn set_alias(&self, actor: &Actor, set: SetAlias<'_>) -> Result<Alias> {
        let now = self.now();
        let mut tx = self.db.begin().await?;
        set_in(&mut tx, actor, &set, now).await?;
        tx.commit().await?;
        Ok(Alias {
            model: set.model.clone(),
            alias: set.alias.clone(),
            version: set.version,
            updated_at: now,
        })
    }

    /// The version that an alias names.
    pub async fn resolve_alias(&self, model: &ModelName, alias: &AliasName) -> Result<Option<i64>> {
        let row = sqlx::query(
            "SELECT a.version FROM aliases a JOIN models m ON m.name = a.model \
             WHERE a.model = $1 AND a.alias = $2 AND m.deleted_at IS NULL",
        )
        .bind(model.as_str())
        .bind(alias.as_str())
        .fetch_optional(self.db.pool())
        .await?;
        row.map(|row| row::integer(&row, "version")).transpose()
    }

    /// The aliases of a model, by name.
    pub async fn list_aliases(&self, model: &ModelName) -> Result<Vec<Alias>> {
        let rows = sqlx::query("SELECT * FROM aliases WHERE model = $1 ORDER BY alias")
            .bind(model.as_str())
            .fetch_all(self.db.pool())
            .await?;
        rows.iter().map(from_row).collect()
    }

    /// Takes an alias away. Refused while a service routes to it.
    pub async fn remove_alias(
        &self,
        actor: &Actor,
        model: &ModelName,
        alias: &AliasName,
        reason: &str,
    ) -> Result<()> {
        let now = self.now();
        let mut tx = self.db.begin().await?;
        model::lock(&mut tx, model, now).await?;
        if let Some(name) = service::routed_to(&mut tx, model, alias).await? {
            return Err(Error::Conflict(format!("the service `{name}` routes to the alias `{alias}`")));
        }
        let version = resolve(&mut tx, model, alias).await?;
        let version = version.ok_or_else(|| Error::not_found("alias", format!("{model}@{alias}")))?;
        sqlx::query("DELETE FROM aliases WHERE model = $1 AND alias = $2")
            .bind(model.as_str())
            .bind(alias.as_str())
            .execute(&mut *tx)
            .await?;
        routing::bump_epoch(&mut tx).await?;
        let entry = audit::Entry {
            actor,
            action: "alias.remove",
            subject: format!("alias:{model}@{alias}"),
            before: Some(json!({ "version": version })),
            after: None,
            reason,
        };
        audit::record(&mut tx, now, entry).await?;
        tx.commit().await
    }
}

/// [`Registry::set_alias`] within a transaction of the caller's, who commits.
pub async fn set_in(tx: &mut Tx, actor: &Actor, set: &SetAlias<'_>, now: Micros) -> Result<()> {
    model::lock(tx, set.model, now).await?;
    let next = version::find(tx, set.model, set.version).await?;
    if let Some(previous) = resolve(tx, set.model, set.alias).await? {
        refuse_clash(tx, set, previous, &next).await?;
    }
    let previous = write(tx, set.model, set.alias, set.version, now).await?;
    routing::bump_epoch(tx).await?;
    record(tx, actor, set, previous, now).await
}

async fn refuse_clash(tx: &mut Tx, set: &SetAlias<'_>, previous: i64, next: &Version) -> Result<()> {
    let Some(service) = service::routed_to(tx, set.model, set.alias).await? else { return Ok(()) };
    let previous = version::find(tx, set.model, previous).await?;
    let Some(clash) = previous.signature.clash(&next.signature) else { return Ok(()) };
    Err(Error::Conflict(format!(
        "version {} cannot take the place of {} in the service `{service}`: {clash}",
        next.version, previous.version
    )))
}

/// The version that an alias names, as this transaction sees it.
pub async fn resolve(tx: &mut Tx, model: &ModelName, alias: &AliasName) -> Result<Option<i64>> {
    let row = sqlx::query("SELECT version FROM aliases WHERE model = $1 AND alias = $2")
        .bind(model.as_str())
        .bind(alias.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| row::integer(&row, "version")).transpose()
}

/// Writes the row; returns what the alias named before. The model must be locked.
pub(crate) async fn write(
    tx: &mut Tx,
    model: &ModelName,
    alias: &AliasName,
    version: i64,
    now: Micros,
) -> Result<Option<i64>> {
    let previous = resolve(tx, model, alias).await?;
    sqlx::query(
        "INSERT INTO aliases (model, alias, version, updated_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at",
    )
    .bind(model.as_str())
    .bind(alias.as_str())
    .bind(version)
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    Ok(previous)
}

/// Writes the audit entry of a move.
pub(crate) async fn record(
    tx: &mut Tx,
    actor: &Actor,
    set: &SetAlias<'_>,
    previous: Option<i64>,
    now: Micros,
) -> Result<()> {
    let entry = audit::Entry {
        actor,
        action: "alias.set",
        subject: format!("alias:{}@{}", set.model, set.alias),
        before: previous.map(|version| json!({ "version": version })),
        after: Some(json!({ "version": set.version })),
        reason: set.reason,
    };
    audit::record(tx, now, entry).await.map(|_| ())
}

fn from_row(row: &AnyRow) -> Result<Alias> {
    Ok(Alias {
        model: row::parsed(row, "model")?,
        alias: row::parsed(row, "alias")?,
        version: row::integer(row, "version")?,
        updated_at: row::micros(row, "updated_at")?,
    })
}
