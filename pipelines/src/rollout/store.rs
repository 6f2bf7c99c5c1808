//! Rows of rollouts and their events. A transition is one transaction: the row by compare-and-swap on its epoch, an
//! event in the hash chain, the routing epoch, the alert and the audit entry.

use chasqui_registry::alias::{self, SetAlias};
use chasqui_registry::db::{Tx, is_unique_violation};
use chasqui_registry::name::{Actor, AliasName, ModelName};
use chasqui_registry::{Micros, Page, PageRequest, Registry, audit, routing};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::event::{self, RolloutEvent};
use super::notice;
use super::plan::Plan;
use super::state::{Effect, State, Transition};
use crate::error::{Error, Result};

/// A rollout as stored.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Rollout {
    /// Its id.
    pub id: String,
    /// The service whose traffic is shared.
    pub service: String,
    /// The model of both versions.
    pub model: String,
    /// The version that served before.
    pub stable_version: i64,
    /// The version on trial.
    pub canary_version: i64,
    /// What was declared.
    pub plan: Plan,
    /// What keys are hashed with, so that the same customers are not always first.
    pub salt: String,
    /// Where it is.
    pub state: State,
    /// [`Phase::name`](super::state::Phase::name) of it.
    pub status: String,
    /// Nothing can happen any more.
    pub terminal: bool,
    /// The canary's share now.
    pub weight: f64,
    /// Grows with every change of the share.
    pub segment: i64,
    /// Grows with every transition.
    pub epoch: i64,
    /// When it was created.
    pub created_at: Micros,
    /// By whom.
    pub created_by: String,
    /// When it last changed.
    pub updated_at: Micros,
    /// When it ended.
    pub finished_at: Option<Micros>,
}

/// A transition to be stored.
pub(crate) struct Change<'a> {
    pub(crate) rollout: &'a Rollout,
    pub(crate) transition: &'a Transition,
    pub(crate) actor: &'a Actor,
    pub(crate) evidence: Value,
    /// What the service's stable share points at; it moves on success.
    pub(crate) alias: Option<&'a AliasName>,
}

impl Change<'_> {
    /// Stores it, unless somebody else was faster: then false, and nothing is stored.
    pub(crate) async fn store(&self, registry: &Registry) -> Result<bool> {
        let now = registry.now();
        let mut tx = registry.db.begin().await?;
        if !self.store_in(&mut tx, now).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// The same within a larger transaction.
    pub(crate) async fn store_in(&self, tx: &mut Tx, now: Micros) -> Result<bool> {
        if !self.swap(tx, now).await? {
            return Ok(false);
        }
        let from = self.rollout.status.clone();
        let to = self.transition.state.phase.name();
        let event = RolloutEvent {
            rollout_id: self.rollout.id.clone(),
            epoch: self.rollout.epoch + 1,
            from_status: from.clone(),
            to_status: to.into(),
            actor: self.actor.to_string(),
            reason: self.transition.reason.clone(),
            evidence: serde_json::to_string(&self.evidence)?,
            previous_hash: event::last_hash(tx, &self.rollout.id).await?,
            hash: String::new(),
            at: now,
        };
        event::insert(tx, event).await?;
        for effect in &self.transition.effects {
            match effect {
                Effect::Promote => self.promote(tx, now).await?,
                Effect::Notify(what) => {
                    notice::raise(tx, now, self.rollout, &self.transition.reason, *what).await?;
                }
                Effect::Weight { .. } | Effect::Refused(_) => {}
            }
        }
        routing::bump_epoch(tx).await?;
        let entry = audit::Entry {
            actor: self.actor,
            action: action(to),
            subject: format!("rollout:{}", self.rollout.id),
            before: Some(
                json!({ "status": from, "weight": self.rollout.weight, "epoch": self.rollout.epoch }),
            ),
            after: Some(json!({
                "status": to,
                "weight": self.transition.state.weight(&self.rollout.plan),
                "epoch": self.rollout.epoch + 1,
            })),
            reason: &self.transition.reason,
        };
        audit::record(tx, now, entry).await?;
        Ok(true)
    }

    /// Lets the service's alias name the canary. A service without one cannot have a rollout.
    async fn promote(&self, tx: &mut Tx, now: Micros) -> Result<()> {
        let Some(alias) = self.alias else {
            return Err(Error::Conflict(format!(
                "the service `{}` routes to no alias",
                self.rollout.service
            )));
        };
        let set = SetAlias {
            model: &ModelName::try_from(self.rollout.model.as_str())?,
            alias,
            version: self.rollout.canary_version,
            reason: &format!("rollout {} succeeded", self.rollout.id),
        };
        Ok(alias::set_in(tx, self.actor, &set, now).await?)
    }

    async fn swap(&self, tx: &mut Tx, now: Micros) -> Result<bool> {
        let state = &self.transition.state;
        let terminal = state.phase.terminal();
        let done = sqlx::query(
            "UPDATE rollouts SET state = $1, status = $2, terminal = $3, weight = $4, segment = $5, \
             epoch = epoch + 1, updated_at = $6, finished_at = $7 WHERE id = $8 AND epoch = $9",
        )
        .bind(serde_json::to_string(state)?)
        .bind(state.phase.name())
        .bind(i64::from(terminal))
        .bind(state.weight(&self.rollout.plan))
        .bind(state.segment)
        .bind(now.0)
        .bind(terminal.then_some(now.0))
        .bind(&self.rollout.id)
        .bind(self.rollout.epoch)
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// The audit's word for a transition.
fn action(to: &str) -> &'static str {
    match to {
        "rolling_back" => "rollout.rollback",
        "succeeded" => "rollout.promote",
        "paused" => "rollout.pause",
        "holding" => "rollout.hold",
        "await_approval" => "rollout.ask",
        "failed" => "rollout.fail",
        "superseded" => "rollout.supersede",
        _ => "rollout.advance",
    }
}

/// Inserts a new rollout with its first event.
pub(crate) async fn insert(tx: &mut Tx, actor: &Actor, rollout: &Rollout, reason: &str) -> Result<()> {
    let inserted = sqlx::query(
        "INSERT INTO rollouts (id, service, model, stable_version, canary_version, plan, salt, state, status, \
         terminal, weight, segment, epoch, created_at, created_by, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, 1, $12, $13, $12)",
    )
    .bind(&rollout.id)
    .bind(&rollout.service)
    .bind(&rollout.model)
    .bind(rollout.stable_version)
    .bind(rollout.canary_version)
    .bind(serde_json::to_string(&rollout.plan)?)
    .bind(&rollout.salt)
    .bind(serde_json::to_string(&rollout.state)?)
    .bind(&rollout.status)
    .bind(rollout.weight)
    .bind(rollout.segment)
    .bind(rollout.created_at.0)
    .bind(&rollout.created_by)
    .execute(&mut **tx)
    .await;
    match inserted {
        Err(error) if is_unique_violation(&error) => {
            return Err(Error::Conflict(format!(
                "the service `{}` has a live rollout already; abort it or ask to supersede it",
                rollout.service
            )));
        }
        other => other?,
    };
    let event = RolloutEvent {
        rollout_id: rollout.id.clone(),
        epoch: 1,
        from_status: String::new(),
        to_status: rollout.status.clone(),
        actor: actor.to_string(),
        reason: reason.into(),
        evidence: "{}".into(),
        previous_hash: String::new(),
        hash: String::new(),
        at: rollout.created_at,
    };
    event::insert(tx, event).await?;
    routing::bump_epoch(tx).await?;
    let entry = audit::Entry {
        actor,
        action: "rollout.create",
        subject: format!("rollout:{}", rollout.id),
        before: None,
        after: Some(json!({
            "service": rollout.service,
            "stable_version": rollout.stable_version,
            "canary_version": rollout.canary_version,
            "plan": rollout.plan,
        })),
        reason,
    };
    audit::record(tx, rollout.created_at, entry).await?;
    Ok(())
}

/// One rollout.
pub async fn get(registry: &Registry, id: &str) -> Result<Rollout> {
    let row = sqlx::query("SELECT * FROM rollouts WHERE id = $1")
        .bind(id)
        .fetch_optional(registry.db.pool())
        .await?
        .ok_or_else(|| Error::NotFound(format!("the rollout `{id}` does not exist")))?;
    from_row(&row)
}

/// Rollouts, the newest first; of one service when given.
pub async fn list(registry: &Registry, service: Option<&str>, page: &PageRequest) -> Result<Page<Rollout>> {
    let rows = sqlx::query(
        "SELECT * FROM rollouts WHERE ($1 = '' OR id < $1) AND ($2 = '' OR service = $2) \
         ORDER BY id DESC LIMIT $3",
    )
    .bind(page.after_text())
    .bind(service.unwrap_or(""))
    .bind(page.fetch_limit())
    .fetch_all(registry.db.pool())
    .await?;
    let rollouts = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
    Ok(Page::of_rows(rollouts, page, |rollout| rollout.id.clone()))
}

/// All rollouts that are not over.
pub async fn live(registry: &Registry) -> Result<Vec<Rollout>> {
    let rows = sqlx::query("SELECT * FROM rollouts WHERE terminal = 0 ORDER BY id")
        .fetch_all(registry.db.pool())
        .await?;
    rows.iter().map(from_row).collect()
}

/// The live rollout of a service, if any, within a transaction.
pub(crate) async fn live_of(tx: &mut Tx, service: &str) -> Result<Option<Rollout>> {
    let row = sqlx::query("SELECT * FROM rollouts WHERE service = $1 AND terminal = 0")
        .bind(service)
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(from_row).transpose()
}

fn from_row(row: &AnyRow) -> Result<Rollout> {
    Ok(Rollout {
        id: row.try_get("id")?,
        service: row.try_get("service")?,
        model: row.try_get("model")?,
        stable_version: row.try_get("stable_version")?,
        canary_version: row.try_get("canary_version")?,
        plan: serde_json::from_str(&row.try_get::<String, _>("plan")?)?,
        salt: row.try_get("salt")?,
        state: serde_json::from_str(&row.try_get::<String, _>("state")?)?,
        status: row.try_get("status")?,
        terminal: row.try_get::<i64, _>("terminal")? != 0,
        weight: row.try_get("weight")?,
        segment: row.try_get("segment")?,
        epoch: row.try_get("epoch")?,
        created_at: Micros(row.try_get("created_at")?),
        created_by: row.try_get("created_by")?,
        updated_at: Micros(row.try_get("updated_at")?),
        finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(Micros),
    })
}
