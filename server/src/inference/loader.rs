//! Keeps the routing table up to date: polls the epoch, loads versions off the request path, swaps the table.
//!
//! A service whose new version cannot be loaded keeps the route that it has; only one that never had a route is
//! not ready. Nothing that is routed is ever dropped from memory.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderValue;
use chasqui_pipelines::rollout::{self, LiveRollout};
use chasqui_registry::name::ModelName;
use chasqui_registry::service::Service;
use chasqui_registry::{Error, Registry, Result};
use chasqui_runtime::{Limits, Model};
use futures::{StreamExt, stream};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::snapshot::{Entry, LoadedVersion, RoutingTable, ServiceRoute, Trial, Versions};
use crate::metrics::Metrics;

/// How often the epoch is compared.
pub const POLL: Duration = Duration::from_millis(250);
/// How soon a version that could not be loaded is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// Versions with an alias that are loaded besides the routed ones, so that they can be asked for by number.
const MAX_OTHERS: usize = 4;

/// A version of a model.
type Key = (ModelName, i64);

/// Loads routing tables; one task owns it.
pub(super) struct Loader {
    registry: Registry,
    metrics: Metrics,
    table: Arc<arc_swap::ArcSwap<RoutingTable>>,
    epoch: watch::Sender<i64>,
    wake: Arc<Notify>,
    limits: Limits,
    budget: usize,
    versions: HashMap<Key, Arc<LoadedVersion>>,
    /// What was loaded ahead of the table that is being built.
    ahead: HashMap<Key, Result<Arc<LoadedVersion>>>,
    /// What versions take that were loaded once, so that one without room is not loaded again to find out.
    sizes: HashMap<Key, usize>,
    trials: HashMap<Uuid, Known>,
    retry_at: Option<Instant>,
    last_poll: Instant,
}

/// What stays the same over the segments of a rollout.
struct Known {
    plan: rollout::plan::Plan,
    fuse: Arc<AtomicBool>,
}

/// A service and the versions that it is to send traffic to.
struct Wanted<'l> {
    service: Service,
    stable: i64,
    rollout: Option<&'l LiveRollout>,
}

impl Wanted<'_> {
    fn versions(&self) -> impl Iterator<Item = Key> {
        let canary = self.rollout.map(|rollout| rollout.canary_version);
        std::iter::once(self.stable).chain(canary).map(|number| (self.service.config.model.clone(), number))
    }
}

/// What a service sends traffic to.
struct Routed {
    service: Service,
    stable: Arc<LoadedVersion>,
    canary: Option<(Arc<LoadedVersion>, Arc<Trial>)>,
}

impl Routed {
    fn versions(&self) -> impl Iterator<Item = &Arc<LoadedVersion>> {
        std::iter::once(&self.stable).chain(self.canary.iter().map(|(version, _)| version))
    }
}

/// Versions of the table in the making, each once, and what they take.
#[derive(Default)]
struct HeldVersions {
    seen: HashSet<Key>,
    bytes: usize,
}

impl HeldVersions {
    fn of(routed: &[Routed]) -> Self {
        let mut held = Self::default();
        for version in routed.iter().flat_map(Routed::versions) {
            held.add(version);
        }
        held
    }

    fn fits(&self, version: &Arc<LoadedVersion>, budget: usize) -> bool {
        let bytes = version.model.memory_bytes();
        self.seen.contains(&(version.model_name.clone(), version.number))
            || self.bytes.saturating_add(bytes) <= budget
    }

    fn add(&mut self, version: &Arc<LoadedVersion>) {
        if self.seen.insert((version.model_name.clone(), version.number)) {
            self.bytes = self.bytes.saturating_add(version.model.memory_bytes());
        }
    }
}

impl Loader {
    /// A loader that has loaded nothing yet. `budget` bounds the bytes of all models, save that what is routed is
    /// always loaded.
    pub(super) fn new(
        registry: Registry,
        metrics: Metrics,
        budget: usize,
        table: Arc<arc_swap::ArcSwap<RoutingTable>>,
        epoch: watch::Sender<i64>,
        wake: Arc<Notify>,
    ) -> Self {
        Self {
            registry,
            metrics,
            table,
            epoch,
            wake,
            limits: Limits::default(),
            budget,
            versions: HashMap::new(),
            ahead: HashMap::new(),
            sizes: HashMap::new(),
            trials: HashMap::new(),
            retry_at: None,
            last_poll: Instant::now(),
        }
    }

    /// Polls until the task is dropped.
    pub(super) async fn run(mut self) {
        let wake = Arc::clone(&self.wake);
        loop {
            match self.poll().await {
                Ok(()) => self.last_poll = Instant::now(),
                Err(error) => {
                    tracing::warn!(error = %error, "routing could not be compared; the last table serves");
                }
            }
            self.metrics.routing_age.set(self.last_poll.elapsed().as_secs_f64());
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = wake.notified() => {}
            }
        }
    }

    /// Rebuilds the table when the epoch grew, or when something is to be tried again.
    async fn poll(&mut self) -> Result<()> {
        let epoch = self.registry.epoch().await?;
        let is_due = self.retry_at.is_some_and(|at| Instant::now() >= at);
        if epoch == *self.epoch.borrow() && !is_due {
            return Ok(());
        }
        self.rebuild(epoch).await
    }

    async fn rebuild(&mut self, epoch: i64) -> Result<()> {
        let services = self.registry.all_services().await?;
        let live = rollout::live_rollouts(&self.registry).await.map_err(from_pipelines)?;
        let old = self.table.load_full();
        self.retry_at = None;
        let mut table = RoutingTable { epoch, services: HashMap::with_capacity(services.len()) };
        let mut wanted = Vec::with_capacity(services.len());
        for service in services {
            let rollout = live.iter().find(|rollout| rollout.service == service.name.as_str());
            let name = service.name.to_string();
            if service.config.unloaded {
                let entry = Entry::NotReady("it was unloaded; load it to bring it back".into());
                table.services.insert(name, entry);
                continue;
            }
            match self.wanted(service, rollout).await {
                Ok(service) => wanted.push(service),
                Err(error) => {
                    let entry = self.fallback(&name, &old, &error);
                    table.services.insert(name, entry);
                }
            }
        }
        self.load_ahead(&wanted).await;
        let mut routed = Vec::with_capacity(wanted.len());
        for service in wanted {
            let name = service.service.name.to_string();
            match self.routed(service).await {
                Ok(parts) => routed.push(parts),
                Err(error) => {
                    let entry = self.fallback(&name, &old, &error);
                    table.services.insert(name, entry);
                }
            }
        }
        let mut held = HeldVersions::of(&routed);
        for parts in routed {
            let name = parts.service.name.to_string();
            let entry = match self.route(parts, &mut held).await {
                Ok(route) => Entry::Ready(Arc::new(route)),
                Err(error) => self.fallback(&name, &old, &error),
            };
            table.services.insert(name, entry);
        }
        self.trials.retain(|id, _| live.iter().any(|rollout| rollout.rollout_id == id.to_string()));
        self.forget_unrouted(&table);
        self.publish_shares(&old, &table);
        self.table.store(Arc::new(table));
        self.metrics.routing_epoch.set(epoch);
        self.epoch.send_replace(epoch);
        Ok(())
    }

    /// What serves when a service could not be put together: its old route if it has one.
    fn fallback(&mut self, name: &str, old: &RoutingTable, error: &Error) -> Entry {
        self.metrics.load_failures.inc();
        self.retry_at = Some(Instant::now() + RETRY);
        tracing::error!(service.name = name, error = %error, "the service could not be loaded; it is tried again");
        match old.services.get(name) {
            Some(Entry::Ready(route)) => Entry::Ready(Arc::clone(route)),
            _ => Entry::NotReady(match error {
                Error::NotFound(text) | Error::Conflict(text) => text.clone(),
                _ => "its model could not be loaded; the server's log has the reason".into(),
            }),
        }
    }

    /// Says which versions a service sends traffic to.
    async fn wanted<'l>(&self, service: Service, live: Option<&'l LiveRollout>) -> Result<Wanted<'l>> {
        let Service { name, config, .. } = &service;
        let rollout = live.filter(|rollout| rollout.model == config.model.as_str());
        let stable = match rollout {
            Some(rollout) => rollout.stable_version,
            None => self.registry.resolve_target(&config.model, &config.routing.stable).await?.ok_or_else(
                || Error::NotFound(format!("the service `{name}` routes to a version that does not exist")),
            )?,
        };
        Ok(Wanted { service, stable, rollout })
    }

    /// Loads what is not in memory, as much at a time as there are cores. What fails is told where it is needed.
    async fn load_ahead(&mut self, wanted: &[Wanted<'_>]) {
        let missing: HashSet<Key> = wanted.iter().flat_map(Wanted::versions).collect();
        let missing = missing.into_iter().filter(|key| !self.versions.contains_key(key));
        let this = &*self;
        let loads = missing.map(|(model, number)| async move {
            let loaded = this.load(&model, number).await;
            ((model, number), loaded)
        });
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        let loaded: Vec<_> = stream::iter(loads).buffer_unordered(cores).collect().await;
        self.ahead = loaded.into_iter().collect();
    }

    /// Takes what a service sends traffic to.
    async fn routed(&mut self, Wanted { service, stable, rollout }: Wanted<'_>) -> Result<Routed> {
        let model = &service.config.model;
        let stable = self.version(model, stable).await?;
        let canary = match rollout {
            Some(rollout) => self.canary(model, rollout).await,
            None => None,
        };
        Ok(Routed { service, stable, canary })
    }

    /// Adds what can be asked for by number, as far as there is room.
    async fn route(&mut self, parts: Routed, held: &mut HeldVersions) -> Result<ServiceRoute> {
        let others = self.others(&parts, held).await?;
        let Routed { service: Service { name, config, .. }, stable, canary } = parts;
        Ok(ServiceRoute::new(name, config, Versions { stable, canary, others }, &self.metrics))
    }

    /// A canary that cannot be loaded gets nothing; stable serves.
    async fn canary(
        &mut self,
        model: &ModelName,
        live: &LiveRollout,
    ) -> Option<(Arc<LoadedVersion>, Arc<Trial>)> {
        let loaded = async {
            let version = self.version(model, live.canary_version).await?;
            Ok::<_, Error>((version, self.trial(live).await?))
        };
        match loaded.await {
            Ok((version, trial)) => Some((version, Arc::new(trial))),
            Err(error) => {
                self.metrics.load_failures.inc();
                self.retry_at = Some(Instant::now() + RETRY);
                tracing::error!(rollout.id = live.rollout_id, error = %error, "the canary could not be loaded");
                None
            }
        }
    }

    async fn trial(&mut self, live: &LiveRollout) -> Result<Trial> {
        let id = Uuid::parse_str(&live.rollout_id).map_err(Error::internal)?;
        if !self.trials.contains_key(&id) {
            let found = rollout::get(&self.registry, &live.rollout_id).await.map_err(from_pipelines)?;
            self.trials.insert(id, Known { plan: found.plan, fuse: Arc::default() });
        }
        let known = &self.trials[&id];
        Ok(Trial {
            id,
            header: HeaderValue::from_str(&live.rollout_id).map_err(Error::internal)?,
            salt: live.salt.clone(),
            weight: live.weight,
            segment: live.segment,
            counts_from: live.counts_from,
            plan: known.plan.clone(),
            fuse: Arc::clone(&known.fuse),
        })
    }

    /// Versions with an alias, those asked most first, then the newest; one that does not load, or for which there is
    /// no room, is left out.
    async fn others(&mut self, parts: &Routed, held: &mut HeldVersions) -> Result<Vec<Arc<LoadedVersion>>> {
        let Service { name, config, .. } = &parts.service;
        let model = &config.model;
        let aliases = self.registry.list_aliases(model).await?;
        let mut numbers: Vec<i64> = aliases.into_iter().map(|alias| alias.version).collect();
        let asked = |number: i64| self.metrics.of_version(name.as_str(), number).requests.get();
        numbers.sort_by_cached_key(|number| std::cmp::Reverse((asked(*number), *number)));
        numbers.dedup();
        numbers.retain(|number| parts.versions().all(|version| version.number != *number));
        let mut others = Vec::new();
        for number in numbers.into_iter().take(MAX_OTHERS) {
            let key = (model.clone(), number);
            let least = self.sizes.get(&key).copied().unwrap_or(1);
            if !held.seen.contains(&key) && held.bytes.saturating_add(least) > self.budget {
                tracing::warn!(model.name = %model, model.version = number, held_bytes = held.bytes,
                    "a version with an alias is not loaded: `limits.models_bytes` is reached");
                continue;
            }
            match self.version(model, number).await {
                Ok(version) if held.fits(&version, self.budget) => {
                    held.add(&version);
                    others.push(version);
                }
                Ok(version) => tracing::warn!(model.name = %model, model.version = number,
                    model.memory_bytes = version.model.memory_bytes(), held_bytes = held.bytes,
                    "a version with an alias is dropped: `limits.models_bytes` is reached"),
                Err(error) => tracing::warn!(model.name = %model, model.version = number, error = %error,
                    "a version with an alias could not be loaded"),
            }
        }
        Ok(others)
    }

    /// The version from memory, else from the store.
    async fn version(&mut self, model: &ModelName, number: i64) -> Result<Arc<LoadedVersion>> {
        let key = (model.clone(), number);
        if let Some(loaded) = self.versions.get(&key).cloned() {
            // One that was loaded without a profile may have been given one since.
            if loaded.profile.is_some() || !self.has_profile(model, number).await? {
                return Ok(loaded);
            }
        }
        let loaded = match self.ahead.remove(&key) {
            Some(loaded) => loaded?,
            None => self.load(model, number).await?,
        };
        self.sizes.insert(key.clone(), loaded.model.memory_bytes());
        self.versions.insert(key, Arc::clone(&loaded));
        Ok(loaded)
    }

    async fn load(&self, model: &ModelName, number: i64) -> Result<Arc<LoadedVersion>> {
        let started = Instant::now();
        let loaded = load(&self.registry, model, number, self.limits.clone()).await?;
        tracing::info!(
            model.name = %model,
            model.version = number,
            model.memory_bytes = loaded.model.memory_bytes(),
            elapsed_ms = started.elapsed().as_millis() as u64,
            "version {number} of {model} is loaded"
        );
        Ok(Arc::new(loaded))
    }

    async fn has_profile(&self, model: &ModelName, number: i64) -> Result<bool> {
        let found = self.registry.get_version(model, number).await?;
        Ok(found.is_some_and(|version| version.profile_sha256.is_some()))
    }

    /// Forgets versions that no service routes to; requests in progress keep theirs.
    fn forget_unrouted(&mut self, table: &RoutingTable) {
        self.versions.retain(|_, loaded| {
            table.services.values().any(|entry| match entry {
                Entry::Ready(route) => route.targets().any(|target| Arc::ptr_eq(&target.version, loaded)),
                Entry::NotReady(_) => false,
            })
        });
    }

    fn publish_shares(&self, old: &RoutingTable, new: &RoutingTable) {
        let shares = |table: &RoutingTable| -> Vec<(String, i64, f64)> {
            let ready = table.services.iter().filter_map(|(name, entry)| match entry {
                Entry::Ready(route) => Some((name, route)),
                Entry::NotReady(_) => None,
            });
            ready
                .flat_map(|(name, route)| route.shares().into_iter().map(|(v, s)| (name.clone(), v, s)))
                .collect()
        };
        for (name, version, _) in shares(old) {
            self.metrics.share.with_label_values(&[&name, &version.to_string()]).set(0.0);
        }
        for (name, version, share) in shares(new) {
            self.metrics.share.with_label_values(&[&name, &version.to_string()]).set(share);
        }
    }
}

/// Reads a version and loads its model where that keeps no async thread from its work.
async fn load(registry: &Registry, model: &ModelName, number: i64, limits: Limits) -> Result<LoadedVersion> {
    let found = registry.get_version(model, number).await?;
    let found = found.ok_or_else(|| Error::not_found("version", format!("{model}/{number}")))?;
    let bytes = registry.version_bytes(&found).await?;
    let profile = registry.profile_of(&found).await?;
    let model = model.clone();
    let load = move || {
        let loaded =
            LoadedVersion::new(model, number, Model::load(&bytes, &limits)?, found.signature, profile);
        loaded.warm_up();
        Ok(loaded)
    };
    tokio::task::spawn_blocking(load).await?
}

fn from_pipelines(error: chasqui_pipelines::Error) -> Error {
    match error {
        chasqui_pipelines::Error::Registry(error) => error,
        other => Error::internal(other),
    }
}
