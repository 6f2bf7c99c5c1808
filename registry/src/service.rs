//! Services: the names that applications call, and how each is routed, logged and watched.

mod config;
mod expectation;
mod worth;

use chasqui_runtime::Signature;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use sqlx::any::AnyRow;

pub use config::{Batching, MonitorPolicy, Routing, ServiceConfig, Target};
pub use expectation::{Category, Expectations, FieldExpectation, Format, Mode, loosely};
pub use worth::{Groups, Worth};

use crate::db::Tx;
use crate::name::{Actor, AliasName, ModelName, ServiceName};
use crate::{Error, Micros, Page, PageRequest, Registry, Result, alias, audit, model, routing, row, version};

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// How it is routed, logged and watched.
    pub config: ServiceConfig,
    /// When it was created.
    pub created_at: Micros,
    /// When its configuration last changed.
    pub updated_at: Micros,
}

impl Registry {
    /// Creates a service or replaces its configuration; also brings a deleted one back. Refused when the
    /// version that would answer clashes with the signature that callers rely on now.
    pub async fn put_service(
        &self,
        actor: &Actor,
        name: &ServiceName,
        config: ServiceConfig,
        reason: &str,
    ) -> Result<Service> {
        config.check()?;
        let now = self.now();
        let mut tx = self.db.begin().await?;
        model::lock(&mut tx, &config.model, now).await?;
        let next = signature_of(&mut tx, &config).await?;
        config.check_fit(&next)?;
        let previous = find(&mut tx, name).await?;
        if let Some(previous) = &previous {
            refuse_clash(&mut tx, previous, &next).await?;
        }
        let created_at = previous.as_ref().map_or(now, |previous| previous.created_at);
        let service = Service { name: name.clone(), config, created_at, updated_at: now };
        upsert(&mut tx, &service).await?;
        routing::bump_epoch(&mut tx).await?;
        record_put(&mut tx, actor, previous.as_ref(), &service, reason).await?;
        tx.commit().await?;
        Ok(service)
    }

    /// Takes a service out of service or brings it back; its configuration says so. Nothing is written when it is
    /// so already. Taking it out is refused during a rollout.
    pub async fn set_service_loaded(
        &self,
        actor: &Actor,
        name: &ServiceName,
        is_loaded: bool,
        reason: &str,
    ) -> Result<Service> {
        let now = self.now();
        let mut tx = self.db.begin().await?;
        let known = find(&mut tx, name).await?.ok_or_else(|| Error::not_found("service", name))?;
        model::lock(&mut tx, &known.config.model, now).await?;
        // What was read before the lock may have changed since.
        let previous = find(&mut tx, name).await?.ok_or_else(|| Error::not_found("service", name))?;
        if previous.config.unloaded != is_loaded {
            return Ok(previous);
        }
        if !is_loaded {
            refuse_during_rollout(&mut tx, name).await?;
        }
        let config = ServiceConfig { unloaded: !is_loaded, ..previous.config.clone() };
        let service = Service { config, updated_at: now, ..previous.clone() };
        upsert(&mut tx, &service).await?;
        routing::bump_epoch(&mut tx).await?;
        let entry = audit::Entry {
            actor,
            action: if is_loaded { "service.load" } else { "service.unload" },
            subject: format!("service:{name}"),
            before: Some(json!(previous.config)),
            after: Some(json!(service.config)),
            reason,
        };
        audit::record(&mut tx, now, entry).await?;
        tx.commit().await?;
        Ok(service)
    }

    /// The service of this name, unless it was deleted.
    pub async fn get_service(&self, name: &ServiceName) -> Result<Option<Service>> {
        let row = sqlx::query("SELECT * FROM services WHERE name = $1 AND deleted_at IS NULL")
            .bind(name.as_str())
            .fetch_optional(self.db.pool())
            .await?;
        row.as_ref().map(from_row).transpose()
    }

    /// Services by name.
    pub async fn list_services(&self, page: &PageRequest) -> Result<Page<Service>> {
        let rows = sqlx::query(
            "SELECT * FROM services WHERE deleted_at IS NULL AND name > $1 ORDER BY name LIMIT $2",
        )
        .bind(page.after_text())
        .bind(page.fetch_limit())
        .fetch_all(self.db.pool())
        .await?;
        let services = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
        Ok(Page::of_rows(services, page, |service| service.name.to_string()))
    }

    /// Every service, for a routing snapshot.
    pub async fn all_services(&self) -> Result<Vec<Service>> {
        let rows = sqlx::query("SELECT * FROM services WHERE deleted_at IS NULL ORDER BY name")
            .fetch_all(self.db.pool())
            .await?;
        rows.iter().map(from_row).collect()
    }

    /// The version that a target means now.
    pub async fn resolve_target(&self, model: &ModelName, target: &Target) -> Result<Option<i64>> {
        match target {
            Target::Alias(alias) => self.resolve_alias(model, alias).await,
            Target::Version(version) => {
                Ok(self.get_version(model, *version).await?.map(|found| found.version))
            }
        }
    }

    /// Deletes a service softly: it no longer answers; its log and reports stay. Refused during a rollout.
    pub async fn delete_service(&self, actor: &Actor, name: &ServiceName, reason: &str) -> Result<()> {
        let now = self.now();
        let mut tx = self.db.begin().await?;
        refuse_during_rollout(&mut tx, name).await?;
        let done = sqlx::query(
            "UPDATE services SET deleted_at = $1, updated_at = $1 WHERE name = $2 AND deleted_at IS NULL",
        )
        .bind(now.0)
        .bind(name.as_str())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::not_found("service", name));
        }
        routing::bump_epoch(&mut tx).await?;
        let subject = format!("service:{name}");
        let entry =
            audit::Entry { actor, action: "service.delete", subject, before: None, after: None, reason };
        audit::record(&mut tx, now, entry).await?;
        tx.commit().await
    }
}

async fn refuse_during_rollout(tx: &mut Tx, name: &ServiceName) -> Result<()> {
    let rollout = sqlx::query("SELECT id FROM rollouts WHERE service = $1 AND terminal = 0")
        .bind(name.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    if rollout.is_some() {
        return Err(Error::Conflict(format!(
            "a rollout of the service `{name}` is under way; abort it first"
        )));
    }
    Ok(())
}

/// Makes the service of a model's first version; `None` when the name is taken, and then it stays as it is.
pub(crate) async fn insert_default(tx: &mut Tx, model: &ModelName, now: Micros) -> Result<Option<Service>> {
    let config = ServiceConfig::of_model(model.clone());
    let service = Service { name: ServiceName::from(model), config, created_at: now, updated_at: now };
    let done = sqlx::query(
        "INSERT INTO services (name, model, config, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) \
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(service.name.as_str())
    .bind(model.as_str())
    .bind(row::to_json(&service.config)?)
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    Ok((done.rows_affected() == 1).then_some(service))
}

/// Writes the audit entry of a service that was created or changed.
pub(crate) async fn record_put(
    tx: &mut Tx,
    actor: &Actor,
    previous: Option<&Service>,
    service: &Service,
    reason: &str,
) -> Result<()> {
    let entry = audit::Entry {
        actor,
        action: if previous.is_some() { "service.update" } else { "service.create" },
        subject: format!("service:{}", service.name),
        before: previous.map(|previous| json!(previous.config)),
        after: Some(json!(service.config)),
        reason,
    };
    audit::record(tx, service.updated_at, entry).await.map(|_| ())
}

/// A live service whose stable target is this alias of this model.
pub(crate) async fn routed_to(
    tx: &mut Tx,
    model: &ModelName,
    alias: &AliasName,
) -> Result<Option<ServiceName>> {
    with_target(tx, model, &Target::Alias(alias.clone())).await
}

/// A live service whose stable target is this very version.
pub(crate) async fn pinned_to(tx: &mut Tx, model: &ModelName, version: i64) -> Result<Option<ServiceName>> {
    with_target(tx, model, &Target::Version(version)).await
}

async fn with_target(tx: &mut Tx, model: &ModelName, target: &Target) -> Result<Option<ServiceName>> {
    let rows = sqlx::query("SELECT * FROM services WHERE model = $1 AND deleted_at IS NULL ORDER BY name")
        .bind(model.as_str())
        .fetch_all(&mut **tx)
        .await?;
    for row in &rows {
        let service = from_row(row)?;
        if service.config.routing.stable == *target {
            return Ok(Some(service.name));
        }
    }
    Ok(None)
}

/// The service as the transaction sees it.
pub async fn find(tx: &mut Tx, name: &ServiceName) -> Result<Option<Service>> {
    let row = sqlx::query("SELECT * FROM services WHERE name = $1 AND deleted_at IS NULL")
        .bind(name.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(from_row).transpose()
}

async fn upsert(tx: &mut Tx, service: &Service) -> Result<()> {
    sqlx::query(
        "INSERT INTO services (name, model, config, created_at, updated_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (name) DO UPDATE SET model = excluded.model, config = excluded.config, \
         created_at = excluded.created_at, updated_at = excluded.updated_at, deleted_at = NULL",
    )
    .bind(service.name.as_str())
    .bind(service.config.model.as_str())
    .bind(row::to_json(&service.config)?)
    .bind(service.created_at.0)
    .bind(service.updated_at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The signature of the version that a configuration routes to; an error when there is none.
async fn signature_of(tx: &mut Tx, config: &ServiceConfig) -> Result<Signature> {
    let version = match &config.routing.stable {
        Target::Version(version) => *version,
        Target::Alias(alias) => alias::resolve(tx, &config.model, alias)
            .await?
            .ok_or_else(|| Error::not_found("alias", format!("{}@{alias}", config.model)))?,
    };
    Ok(version::find(tx, &config.model, version).await?.signature)
}

async fn refuse_clash(tx: &mut Tx, previous: &Service, next: &Signature) -> Result<()> {
    let now = match signature_of(tx, &previous.config).await {
        // What answered before is gone: there is nothing that callers could still rely on.
        Err(Error::NotFound(_)) => return Ok(()),
        other => other?,
    };
    let Some(clash) = now.clash(next) else { return Ok(()) };
    Err(Error::Conflict(format!(
        "callers of the service `{}` would break: {clash}; make another service",
        previous.name
    )))
}

fn from_row(row: &AnyRow) -> Result<Service> {
    Ok(Service {
        name: row::parsed(row, "name")?,
        config: row::json(row, "config")?,
        created_at: row::micros(row, "created_at")?,
        updated_at: row::micros(row, "updated_at")?,
    })
}
