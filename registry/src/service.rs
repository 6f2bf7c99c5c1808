//! Services: the names that applications call, and how each is routed, logged and watched.

use chasqui_runtime::Signature;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::any::AnyRow;

use crate::db::Tx;
use crate::name::{Actor, AliasName, ModelName, ServiceName, check_text};
use crate::{Error, Micros, Page, PageRequest, Registry, Result, alias, audit, model, routing, row, version};

const FIELD_BYTES: usize = 250;
/// A year.
const MAX_WINDOW_SECONDS: i64 = 366 * 86_400;
const MAX_SLO_MS: f64 = 3_600_000.0;

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize)]
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

/// How a service is routed, logged and watched.
///
/// - `slo_ms` is above 0 and at most an hour.
/// - A column is named in `personal` at most once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// The model that answers.
    pub model: ModelName,
    /// Which version of it.
    #[serde(default)]
    pub routing: Routing,
    /// The input field that names the entity (customer, store …) when a request gives no key itself: the same
    /// key is always answered by the same version.
    #[serde(default)]
    pub key_field: Option<String>,
    /// Input fields that are personal data: they are not written to the prediction log in clear.
    #[serde(default)]
    pub personal: Vec<String>,
    /// The latency in milliseconds that an answer must not exceed.
    #[serde(default = "default_slo_ms")]
    pub slo_ms: f64,
    /// How predictions are watched for drift.
    #[serde(default)]
    pub monitor: MonitorPolicy,
}

/// Which versions answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Routing {
    /// What answers whoever no rollout sends elsewhere.
    pub stable: Target,
}

/// A version, by number or by alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// Whatever version has this alias: `{"alias": "champion"}`.
    Alias(AliasName),
    /// Always this version: `{"version": 3}`.
    Version(i64),
}

impl Default for Target {
    fn default() -> Self {
        Target::Alias(AliasName::champion())
    }
}

/// How predictions are watched for drift.
///
/// - `window_seconds` is at least 1 and at most 366 days.
/// - `min_rows` is at least 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MonitorPolicy {
    /// The length of a window, which ends with a verdict.
    pub window_seconds: i64,
    /// Predictions below which a window is not judged.
    pub min_rows: u64,
}

impl Default for MonitorPolicy {
    fn default() -> Self {
        MonitorPolicy { window_seconds: 7 * 86_400, min_rows: 100 }
    }
}

fn default_slo_ms() -> f64 {
    200.0
}

impl ServiceConfig {
    /// The configuration of a service that nothing has been said about: the model's champion answers.
    pub fn of_model(model: ModelName) -> Self {
        ServiceConfig {
            model,
            routing: Routing::default(),
            key_field: None,
            personal: Vec::new(),
            slo_ms: default_slo_ms(),
            monitor: MonitorPolicy::default(),
        }
    }

    /// Checks everything that can be checked without looking anything up.
    pub fn check(&self) -> Result<()> {
        if !(self.slo_ms > 0.0 && self.slo_ms <= MAX_SLO_MS) {
            return Err(Error::Invalid(format!(
                "`slo_ms` is {}; it must be above 0 and finite",
                self.slo_ms
            )));
        }
        let seconds = self.monitor.window_seconds;
        if !(1..=MAX_WINDOW_SECONDS).contains(&seconds) {
            return Err(Error::Invalid(format!(
                "`monitor.window_seconds` is {seconds}; it must be between 1 and {MAX_WINDOW_SECONDS}"
            )));
        }
        if self.monitor.min_rows == 0 {
            return Err(Error::Invalid("`monitor.min_rows` must be at least 1".into()));
        }
        self.check_fields()
    }

    fn check_fields(&self) -> Result<()> {
        for (position, field) in self.personal.iter().chain(&self.key_field).enumerate() {
            check_text("field name", field, FIELD_BYTES)?;
            if field.is_empty() {
                return Err(Error::Invalid(
                    "`key_field` and `personal` must not contain an empty name".into(),
                ));
            }
            if position < self.personal.len() && self.personal[..position].contains(field) {
                return Err(Error::Invalid(format!("`personal` names `{field}` twice")));
            }
        }
        Ok(())
    }
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
        let rollout = sqlx::query("SELECT id FROM rollouts WHERE service = $1 AND terminal = 0")
            .bind(name.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        if rollout.is_some() {
            return Err(Error::Conflict(format!(
                "a rollout of the service `{name}` is under way; abort it first"
            )));
        }
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

async fn find(tx: &mut Tx, name: &ServiceName) -> Result<Option<Service>> {
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

#[cfg(test)]
mod tests {
    use super::{MonitorPolicy, ServiceConfig, Target};
    use crate::name::{AliasName, ModelName};

    fn config() -> ServiceConfig {
        ServiceConfig::of_model(ModelName::try_from("ventas").unwrap())
    }

    #[test]
    fn a_model_is_all_that_must_be_said() {
        let parsed: ServiceConfig = serde_json::from_str(r#"{"model": "ventas"}"#).unwrap();
        assert_eq!(parsed, config());
        assert_eq!(parsed.monitor, MonitorPolicy { window_seconds: 604_800, min_rows: 100 });
        assert_eq!(parsed.slo_ms, 200.0);
        assert_eq!(parsed.routing.stable, Target::Alias(AliasName::champion()));
        assert!(serde_json::from_str::<ServiceConfig>(r#"{"model": "ventas", "colour": 1}"#).is_err());
    }

    #[test]
    fn a_configuration_survives_json() {
        let mut config = config();
        config.routing.stable = Target::Version(3);
        config.key_field = Some("cédula".into());
        let json = serde_json::to_string(&config).unwrap();
        assert!(json.contains(r#""stable":{"version":3}"#), "{json}");
        assert_eq!(serde_json::from_str::<ServiceConfig>(&json).unwrap(), config);
    }

    #[test]
    fn nonsense_is_refused() {
        let broken: [fn(&mut ServiceConfig); 7] = [
            |c| c.slo_ms = 0.0,
            |c| c.slo_ms = f64::NAN,
            |c| c.monitor.window_seconds = 0,
            |c| c.monitor.min_rows = 0,
            |c| c.personal = vec!["a".into(), "a".into()],
            |c| c.key_field = Some(String::new()),
            |c| c.personal = vec!["\0".into()],
        ];
        for break_it in broken {
            let mut config = config();
            break_it(&mut config);
            assert!(config.check().is_err(), "{config:?}");
        }
        let mut fine = config();
        fine.personal = vec!["cédula".into()];
        fine.key_field = Some("cédula".into());
        assert!(fine.check().is_ok());
    }
}
