//! Rollouts: a new version gets a growing share of a service's traffic, and goes on, waits or is taken out by evidence.
//!
//! [`evidence`](mod@evidence) and [`state`] are pure; [`plan`] is what a person declares; rows and their transactions are in the
//! store, and [`Ticker`] joins them. Routing itself is the server's: it reads [`live_rollouts`] into its snapshot and
//! writes [`record_counts`].

mod counts;
mod event;
pub mod evidence;
mod notice;
pub mod plan;
pub mod state;
mod store;
mod tick;
mod warm;
pub mod window;

use chasqui_registry::name::{Actor, AliasName, ModelName, ServiceName};
use chasqui_registry::service::{Service, Target};
use chasqui_registry::{Micros, Registry};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

pub use counts::{Arm, Counter, read_counts, record_counts};
pub use event::{RolloutEvent, chain_holds, events};
pub use store::{Rollout, get, list, live};
pub use tick::Ticker;

use self::evidence::{Arms, Evidence};
use self::plan::Plan;
use self::state::{Context, Effect, Event, Observation, State, Transition};
use self::store::Change;
use crate::error::{Error, Result};

/// A rollout to be created.
#[derive(Debug, Clone)]
pub struct NewRollout {
    /// The service whose traffic is to be shared.
    pub service: ServiceName,
    /// The version on trial.
    pub version: i64,
    /// How.
    pub plan: Plan,
    /// It waits to be started by [`resume`].
    pub draft: bool,
    /// A live rollout of the service gives way.
    pub supersede: bool,
    /// Why; may be empty.
    pub reason: String,
}

/// What the server's routing snapshot needs of a live rollout.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LiveRollout {
    /// Its id, which answers carry and counts are written under.
    pub rollout_id: String,
    /// The service.
    pub service: String,
    /// The model of both versions.
    pub model: String,
    /// The version that served before.
    pub stable_version: i64,
    /// The version on trial; loaded from the warming on, with a weight of 0.
    pub canary_version: i64,
    /// A key goes to the canary when `hash64(salt, key) / 2^64 < weight`.
    pub weight: f64,
    /// What keys are hashed with.
    pub salt: String,
    /// The segment that requests routed by this snapshot count in.
    pub segment: i64,
    /// Grows with every transition; an older one never replaces a newer one.
    pub epoch: i64,
    /// Requests before this instant count for neither arm; none before the first share.
    pub counts_from: Option<Micros>,
}

/// What is known about a rollout: enough to recompute every decision.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EvidenceReport {
    /// The rollout.
    pub rollout: Rollout,
    /// The evidence as of now.
    pub evidence: Evidence,
    /// All events so far.
    pub events: Vec<RolloutEvent>,
    /// The events' hash chain is intact.
    pub chain_holds: bool,
}

/// Creates a rollout; unless it is a draft it starts with the next tick.
///
/// # Errors
/// `NotFound` without the service or the version; `Conflict` when the version serves already, breaks callers, another
/// rollout is live, or the service is pinned to a version; `Invalid` for a plan that cannot be run.
pub async fn create(registry: &Registry, actor: &Actor, new: NewRollout) -> Result<Rollout> {
    let plan = new.plan.checked()?;
    let (service, alias, stable) = route(registry, &new.service).await?;
    let model = &service.config.model;
    check_versions(registry, model, stable, new.version).await?;
    let now = registry.now();
    let state = State::new(new.draft, now);
    let rollout = Rollout {
        id: now.new_id().to_string(),
        service: new.service.to_string(),
        model: model.to_string(),
        stable_version: stable,
        canary_version: new.version,
        plan,
        salt: now.new_id().simple().to_string(),
        status: state.phase.name().into(),
        terminal: false,
        weight: 0.0,
        segment: state.segment,
        state,
        epoch: 1,
        created_at: now,
        created_by: actor.to_string(),
        updated_at: now,
        finished_at: None,
    };
    let mut tx = registry.db.begin().await?;
    if new.supersede
        && let Some(live) = store::live_of(&mut tx, &rollout.service).await?
    {
        let transition = next(&live, &Event::Supersede { by: format!("rollout {}", rollout.id) }, now);
        let change = Change {
            rollout: &live,
            transition: &transition,
            actor,
            evidence: json!({}),
            alias: Some(&alias),
        };
        if !change.store_in(&mut tx, now).await? {
            return Err(Error::Conflict(format!("the live rollout of `{}` just changed", rollout.service)));
        }
    }
    store::insert(&mut tx, actor, &rollout, &new.reason).await?;
    tx.commit().await?;
    Ok(rollout)
}

/// A person lets a rollout go on that waits for it.
pub async fn approve(registry: &Registry, actor: &Actor, id: &str) -> Result<Rollout> {
    command(registry, actor, id, &Event::Approve { actor: actor.to_string() }).await
}

/// A person stops a rollout at its share.
pub async fn pause(registry: &Registry, actor: &Actor, id: &str, reason: &str) -> Result<Rollout> {
    command(registry, actor, id, &Event::Pause { actor: actor.to_string(), reason: reason.into() }).await
}

/// A person starts a draft, or goes on after a pause.
pub async fn resume(registry: &Registry, actor: &Actor, id: &str) -> Result<Rollout> {
    command(registry, actor, id, &Event::Resume { actor: actor.to_string() }).await
}

/// A person ends a rollout: the old version serves again at once.
pub async fn abort(registry: &Registry, actor: &Actor, id: &str, reason: &str) -> Result<Rollout> {
    command(registry, actor, id, &Event::Abort { actor: actor.to_string(), reason: reason.into() }).await
}

/// The evidence of a rollout as of now, with everything that happened.
pub async fn evidence(registry: &Registry, id: &str) -> Result<EvidenceReport> {
    let rollout = store::get(registry, id).await?;
    let evidence = assess(registry, &rollout, &Arms::default()).await?;
    let events = event::events(registry, id).await?;
    let chain_holds = event::chain_holds(&events);
    Ok(EvidenceReport { rollout, evidence, events, chain_holds })
}

/// Every rollout that the server must know of: from the warming on, until it is over.
pub async fn live_rollouts(registry: &Registry) -> Result<Vec<LiveRollout>> {
    let rollouts = store::live(registry).await?;
    let known =
        rollouts.into_iter().filter(|rollout| !matches!(rollout.status.as_str(), "draft" | "scheduled"));
    let live = known.map(|rollout| LiveRollout {
        rollout_id: rollout.id,
        service: rollout.service,
        model: rollout.model,
        stable_version: rollout.stable_version,
        canary_version: rollout.canary_version,
        weight: rollout.weight,
        salt: rollout.salt,
        segment: rollout.segment,
        epoch: rollout.epoch,
        counts_from: rollout.state.counts_from,
    });
    Ok(live.collect())
}

/// The service, the alias that its stable share points at, and the version which that names now.
async fn route(registry: &Registry, name: &ServiceName) -> Result<(Service, AliasName, i64)> {
    let Some(service) = registry.get_service(name).await? else {
        return Err(Error::NotFound(format!("the service `{name}` does not exist")));
    };
    let Target::Alias(alias) = service.config.routing.stable.clone() else {
        return Err(Error::Conflict(format!(
            "the service `{name}` is pinned to a version; let it route to an alias, which a rollout can move"
        )));
    };
    let version = registry.resolve_alias(&service.config.model, &alias).await?;
    let version = version.ok_or_else(|| {
        Error::Conflict(format!("the alias `{alias}` of the service `{name}` names nothing"))
    })?;
    Ok((service, alias, version))
}

async fn check_versions(registry: &Registry, model: &ModelName, stable: i64, canary: i64) -> Result<()> {
    if stable == canary {
        return Err(Error::Conflict(format!("version {canary} of `{model}` serves already")));
    }
    let version = |number: i64| async move {
        let found = registry.get_version(model, number).await?;
        found.ok_or_else(|| Error::NotFound(format!("the version `{model}/{number}` does not exist")))
    };
    let (old, new) = (version(stable).await?, version(canary).await?);
    match old.signature.clash(&new.signature) {
        Some(clash) => Err(Error::Conflict(format!("version {canary} cannot replace {stable}: {clash}"))),
        None => Ok(()),
    }
}

/// Applies a command; when a tick was faster, it is applied to what the tick led to.
async fn command(registry: &Registry, actor: &Actor, id: &str, event: &Event) -> Result<Rollout> {
    for _ in 0..10 {
        let rollout = store::get(registry, id).await?;
        let transition = next(&rollout, event, registry.now());
        if let Some(Effect::Refused(why)) = transition.effects.first() {
            return Err(Error::Conflict(why.clone()));
        }
        if transition.state == rollout.state {
            return Ok(rollout);
        }
        let evidence = assess(registry, &rollout, &Arms::default()).await?;
        let change = Change {
            rollout: &rollout,
            transition: &transition,
            actor,
            evidence: serde_json::to_value(evidence)?,
            alias: None,
        };
        if change.store(registry).await? {
            return store::get(registry, id).await;
        }
    }
    Err(Error::Unavailable(format!("the rollout `{id}` changes too fast; try again")))
}

fn next(rollout: &Rollout, event: &Event, now: Micros) -> Transition {
    let context = Context { plan: &rollout.plan, author: &rollout.created_by };
    state::step(context, &rollout.state, event, now)
}

/// The evidence of a rollout from its rows.
async fn assess(registry: &Registry, rollout: &Rollout, recent: &Arms) -> Result<Evidence> {
    let segments = read_counts(registry, &rollout.id, &rollout.state).await?;
    Ok(evidence::assess(&segments, recent, policy(&rollout.plan)))
}

fn policy(plan: &Plan) -> evidence::Policy<'_> {
    evidence::Policy {
        metrics: &plan.metrics,
        budget: &plan.budget,
        floor: &plan.floor,
        objectives: &plan.objectives,
    }
}

/// What a tick makes of the evidence.
fn observation(rollout: &Rollout, evidence: &Evidence, now: Micros) -> Observation {
    let windows = &rollout.plan.windows;
    let window_open = windows.is_empty() || windows.iter().any(|window| window.open(now));
    Observation::new(evidence, rollout.segment, window_open)
}
