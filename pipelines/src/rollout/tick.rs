//! The tick: read counts, compute evidence, step, store. Any worker may tick any rollout at any time; the
//! compare-and-swap lets one of them through, and a repeat of the same tick changes nothing.

use std::collections::{BTreeMap, VecDeque};

use chasqui_registry::name::{Actor, AliasName, ServiceName};
use chasqui_registry::{Micros, Registry};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::evidence::{Arms, Evidence};
use super::state::{Event, Phase, Transition};
use super::store::{self, Change, Rollout};
use super::{assess, next, observation, route, warm};
use crate::error::{Error, Result};

/// How far back the absolute guard looks.
const RECENT: i64 = 60_000_000;
/// How often the totals are kept for it.
const SAMPLE: i64 = 1_000_000;

/// Ticks every live rollout; keeps the totals of the last minute, which is all it remembers.
#[derive(Debug)]
pub struct Ticker {
    registry: Registry,
    actor: Actor,
    totals: BTreeMap<String, VecDeque<(Micros, Arms)>>,
    /// Versions being warmed. It happens beside the ticks: a large model must not delay another's rollback.
    warming: BTreeMap<String, JoinHandle<Result<()>>>,
}

impl Ticker {
    /// A ticker that remembers nothing yet.
    pub fn new(registry: Registry) -> Self {
        Self { registry, actor: Actor::system(), totals: BTreeMap::new(), warming: BTreeMap::new() }
    }

    /// Ticks all live rollouts once; returns how many of them changed. One that fails is logged and does not keep the
    /// others from being looked at.
    pub async fn tick(&mut self) -> Result<usize> {
        let live = store::live(&self.registry).await?;
        self.totals.retain(|id, _| live.iter().any(|rollout| rollout.id == *id));
        let warms = |rollout: &Rollout| rollout.state.phase == Phase::Warming;
        self.warming.retain(|id, _| live.iter().any(|rollout| rollout.id == *id && warms(rollout)));
        let mut changed = 0;
        for rollout in &live {
            match self.tick_one(rollout).await {
                Ok(true) => changed += 1,
                Ok(false) => {}
                Err(error) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(rollout.id = rollout.id, %error, source, "the rollout could not be ticked");
                }
            }
        }
        Ok(changed)
    }

    async fn tick_one(&mut self, rollout: &Rollout) -> Result<bool> {
        let now = self.registry.now();
        if let Some(by) = self.replaced_by(rollout).await? {
            return self.store(rollout, next(rollout, &Event::Supersede { by }, now), json!({}), None).await;
        }
        let (event, evidence) = self.look(rollout, now).await?;
        let transition = next(rollout, &event, self.registry.now());
        if transition.state == rollout.state {
            return Ok(false);
        }
        let evidence = match evidence {
            Some(evidence) => serde_json::to_value(evidence)?,
            None => json!({}),
        };
        let alias = match transition.state.phase {
            Phase::Succeeded => Some(self.alias_of(rollout).await?),
            _ => None,
        };
        self.store(rollout, transition, evidence, alias.as_ref()).await
    }

    /// What happened: the warming ended, or time passed with this evidence.
    async fn look(&mut self, rollout: &Rollout, now: Micros) -> Result<(Event, Option<Evidence>)> {
        if rollout.state.phase == Phase::Warming
            && let Some(event) = self.warmed(rollout).await
        {
            return Ok((event, None));
        }
        let mut evidence = assess(&self.registry, rollout, &Arms::default()).await?;
        let recent = self.recent(rollout, &evidence, now);
        evidence = super::evidence::assess(&evidence.segments, &recent, super::policy(&rollout.plan));
        Ok((Event::Tick(observation(rollout, &evidence, now)), Some(evidence)))
    }

    /// How the warming ended, if it did; begins it when it has not begun.
    async fn warmed(&mut self, rollout: &Rollout) -> Option<Event> {
        let Some(warming) = self.warming.remove(&rollout.id) else {
            let (registry, warmed) = (self.registry.clone(), rollout.clone());
            let warming = tokio::spawn(async move { warm::warm(&registry, &warmed).await });
            self.warming.insert(rollout.id.clone(), warming);
            return None;
        };
        if !warming.is_finished() {
            self.warming.insert(rollout.id.clone(), warming);
            return None;
        }
        match warming.await {
            Ok(Ok(())) => Some(Event::Warmed),
            // What is not reachable now is tried again by the next tick, until the deadline.
            Ok(Err(error)) if error.code() == "unavailable" => None,
            Ok(Err(error)) => Some(Event::WarmingFailed { reason: error.to_string() }),
            Err(error) => Some(Event::WarmingFailed { reason: format!("the warming broke off: {error}") }),
        }
    }

    /// The counts of the last minute, as far as this ticker has seen it.
    fn recent(&mut self, rollout: &Rollout, evidence: &Evidence, now: Micros) -> Arms {
        let mut total = Arms::default();
        for segment in &evidence.segments {
            total.add(&segment.arms);
        }
        let samples = self.totals.entry(rollout.id.clone()).or_default();
        if samples.back().is_none_or(|(at, _)| now.0 - at.0 >= SAMPLE) {
            samples.push_back((now, total));
        }
        while samples.len() > 1 && samples.get(1).is_some_and(|(at, _)| now.0 - at.0 >= RECENT) {
            samples.pop_front();
        }
        samples.front().map_or_else(Arms::default, |(_, oldest)| total.since(oldest))
    }

    /// What took the place of the version that this rollout compares with, if anything.
    async fn replaced_by(&self, rollout: &Rollout) -> Result<Option<String>> {
        if matches!(rollout.state.phase, Phase::RollingBack { .. }) {
            return Ok(None);
        }
        match route(&self.registry, &ServiceName::try_from(rollout.service.as_str())?).await {
            Ok((service, _, _)) if service.config.model.as_str() != rollout.model => {
                Ok(Some(format!("the model {}", service.config.model)))
            }
            Ok((_, _, version)) if version != rollout.stable_version => {
                Ok(Some(format!("version {version}, which became stable meanwhile")))
            }
            Ok(_) => Ok(None),
            Err(Error::Conflict(why) | Error::NotFound(why)) => Ok(Some(why)),
            Err(error) => Err(error),
        }
    }

    async fn alias_of(&self, rollout: &Rollout) -> Result<AliasName> {
        let (_, alias, _) = route(&self.registry, &ServiceName::try_from(rollout.service.as_str())?).await?;
        Ok(alias)
    }

    async fn store(
        &self,
        rollout: &Rollout,
        transition: Transition,
        evidence: Value,
        alias: Option<&AliasName>,
    ) -> Result<bool> {
        let change = Change { rollout, transition: &transition, actor: &self.actor, evidence, alias };
        let stored = change.store(&self.registry).await?;
        if stored {
            tracing::info!(
                rollout.id = rollout.id,
                service.name = rollout.service,
                rollout.from = rollout.status,
                rollout.to = transition.state.phase.name(),
                rollout.reason = transition.reason,
                "rollout of {} went from {} to {}",
                rollout.service,
                rollout.status,
                transition.state.phase.name()
            );
        }
        Ok(stored)
    }
}
