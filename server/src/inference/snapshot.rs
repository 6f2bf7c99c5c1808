//! The immutable routing table: everything that a request needs to know, prepared when routing changes.
//!
//! A request loads one `Arc` and never waits: not for the database, not for the object store, not for a lock.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actix_web::http::header::HeaderValue;
use chasqui_drift::Profile;
use chasqui_pipelines::rollout::plan::Plan as RolloutPlan;
use chasqui_registry::Micros;
use chasqui_registry::name::{ModelName, ServiceName};
use chasqui_registry::prediction_log::{Personal, Shape};
use chasqui_registry::service::ServiceConfig;
use chasqui_runtime::{Model, Signature};
use uuid::Uuid;

use super::expect::Expected;
use super::route::{Pin, pinned};
use super::schema::{Plan, Schema};
use super::turn::Line;
use crate::metrics::{Metrics, VersionMetrics};
use crate::problem::Problem;

/// All services at one epoch.
#[derive(Debug, Default)]
pub struct RoutingTable {
    /// The epoch it was read at; 0 before the first.
    pub epoch: i64,
    /// By the service's name.
    pub services: HashMap<String, Entry>,
}

impl RoutingTable {
    /// The names of all services, in order.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.services.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

/// A service that exists.
#[derive(Debug, Clone)]
pub enum Entry {
    /// It answers.
    Ready(Arc<ServiceRoute>),
    /// It cannot answer now, and why.
    NotReady(String),
}

/// How one service answers.
#[derive(Debug)]
pub struct ServiceRoute {
    /// Its name.
    pub name: ServiceName,
    /// Its configuration.
    pub config: ServiceConfig,
    /// What a record looks like; `None` when the inputs are not named columns.
    pub schema: Option<Schema>,
    /// What answers whoever no rollout sends elsewhere.
    pub stable: Arc<Target>,
    /// The version on trial.
    pub canary: Option<Canary>,
    /// Versions that are loaded for requests that ask for them by number.
    pub others: Vec<Arc<Target>>,
}

/// A loaded version in the place that it has in one service.
#[derive(Debug)]
pub struct Target {
    /// The model.
    pub version: Arc<LoadedVersion>,
    /// What a record looks like for whoever asks for this very version.
    pub schema: Option<Schema>,
    /// From the cells of the service's schema to tensors.
    pub plan: Option<Plan>,
    /// From the cells of its own schema to tensors.
    pub own_plan: Option<Plan>,
    /// What the service expects of requests beyond its signature.
    pub expected: Option<Expected>,
    /// How its predictions are logged.
    pub shape: Shape,
    /// What it counts.
    pub metrics: VersionMetrics,
    /// `x-model-version`.
    pub header: HeaderValue,
}

/// The version on trial.
#[derive(Debug)]
pub struct Canary {
    /// What answers.
    pub target: Arc<Target>,
    /// Who is sent to it.
    pub trial: Arc<Trial>,
}

/// The part of a rollout that routing and counting need; one per segment.
#[derive(Debug)]
pub struct Trial {
    /// The rollout's id.
    pub id: Uuid,
    /// `x-rollout-id`.
    pub header: HeaderValue,
    /// What keys are hashed with.
    pub salt: String,
    /// The canary's share.
    pub weight: f64,
    /// The segment that requests count in.
    pub segment: i64,
    /// Requests before this instant count for neither arm.
    pub counts_from: Option<Micros>,
    /// What was declared: the settings of the tests.
    pub plan: RolloutPlan,
    /// Set when this replica's own counts prove harm before the database has decided; it stays set.
    pub fuse: Arc<AtomicBool>,
}

impl Trial {
    /// Whether the canary gets traffic now.
    pub fn is_open(&self) -> bool {
        self.weight > 0.0 && !self.fuse.load(Ordering::Relaxed)
    }

    /// Whether a request of this moment counts.
    pub fn counts(&self, at: Micros) -> bool {
        self.counts_from.is_some_and(|from| at >= from)
    }
}

/// A version in memory, shared by every service that routes to it.
#[derive(Debug)]
pub struct LoadedVersion {
    /// Its model's name.
    pub model_name: ModelName,
    /// Its number.
    pub number: i64,
    /// The model.
    pub model: Model,
    /// Its signature, with the names that it was registered with.
    pub signature: Signature,
    /// What it was trained on.
    pub profile: Option<Profile>,
    /// Requests that wait to be computed by it.
    pub(super) line: Line,
    /// Nanoseconds that a row takes, a moving average; 0 before the first.
    cost: AtomicU64,
}

impl LoadedVersion {
    /// A version as loaded.
    pub fn new(
        model_name: ModelName,
        number: i64,
        model: Model,
        signature: Signature,
        profile: Option<Profile>,
    ) -> Self {
        let (line, cost) = (Line::default(), AtomicU64::new(0));
        Self { model_name, number, model, signature, profile, line, cost }
    }

    /// Notes what a batch took.
    pub fn note_cost(&self, nanoseconds: u64, rows: usize) {
        let row = nanoseconds / rows.max(1) as u64;
        let old = self.cost.load(Ordering::Relaxed);
        let new = if old == 0 { row } else { (7 * old + row) / 8 };
        self.cost.store(new, Ordering::Relaxed);
    }

    /// Nanoseconds that a row takes; 0 when nobody knows yet.
    pub fn row_cost(&self) -> u64 {
        self.cost.load(Ordering::Relaxed)
    }
}

impl Target {
    /// Prepares a version for a service. The plan over the service's schema follows in [`ServiceRoute::new`].
    fn new(
        version: Arc<LoadedVersion>,
        name: &ServiceName,
        config: &ServiceConfig,
        metrics: &Metrics,
    ) -> Self {
        let key_field = config.key_field.as_deref();
        let expected = Expected::of(config, &version.signature);
        let mut schema = Schema::of(&version.signature, key_field);
        if let Some(schema) = &mut schema {
            schema.is_lenient = expected.is_some();
        }
        let own_plan = schema.as_ref().and_then(|schema| Plan::new(&version.signature, Some(schema)));
        let personal = Personal { columns: &config.personal, key_field };
        let shape =
            Shape::of_signature(name, &version.model_name, version.number, &version.signature, &personal);
        Self {
            schema,
            plan: None,
            own_plan,
            expected,
            shape,
            metrics: metrics.of_version(name.as_str(), version.number),
            header: HeaderValue::from(version.number),
            version,
        }
    }
}

/// The loaded versions of one service.
#[derive(Debug)]
pub struct Versions {
    /// The stable one.
    pub stable: Arc<LoadedVersion>,
    /// The one on trial.
    pub canary: Option<(Arc<LoadedVersion>, Arc<Trial>)>,
    /// Those that can be asked for by number.
    pub others: Vec<Arc<LoadedVersion>>,
}

impl ServiceRoute {
    /// Puts a service together from its loaded versions.
    pub fn new(name: ServiceName, config: ServiceConfig, versions: Versions, metrics: &Metrics) -> Self {
        let mut schema = Schema::of(&versions.stable.signature, config.key_field.as_deref());
        if let Some(schema) = &mut schema {
            schema.is_lenient = config.expectations.is_some();
        }
        if let (Some(schema), Some((canary, _))) = (&mut schema, &versions.canary) {
            schema.extend(&canary.signature);
        }
        let target = |version: Arc<LoadedVersion>| {
            let mut target = Target::new(version, &name, &config, metrics);
            target.plan =
                schema.as_ref().and_then(|schema| Plan::new(&target.version.signature, Some(schema)));
            Arc::new(target)
        };
        let stable = target(versions.stable);
        let canary = versions.canary.map(|(version, trial)| Canary { target: target(version), trial });
        let others = versions.others.into_iter().map(target).collect();
        Self { name, config, schema, stable, canary, others }
    }

    /// The version whose signature a request follows.
    pub fn target(&self, pin: Pin) -> Result<&Arc<Target>, Problem> {
        match pin {
            Pin::None => Ok(&self.stable),
            Pin::Version(number) => pinned(self, number),
        }
    }

    /// The target of a version asked for by number.
    pub fn pinned(&self, number: i64) -> Option<&Arc<Target>> {
        self.targets().find(|target| target.version.number == number)
    }

    /// Every loaded version.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        let canary = self.canary.iter().map(|canary| &canary.target);
        std::iter::once(&self.stable).chain(canary).chain(&self.others)
    }

    /// The versions whose traffic a row is that `answered` answered: itself, and the other side while a rollout
    /// divides the service's traffic between the two.
    pub fn sharing<'r>(
        &'r self,
        answered: &'r Arc<LoadedVersion>,
    ) -> impl Iterator<Item = &'r Arc<LoadedVersion>> {
        let sides = self.canary.iter().filter(|canary| canary.trial.is_open()).flat_map(|canary| {
            let (stable, canary) = (&self.stable.version, &canary.target.version);
            [(stable, canary), (canary, stable)]
        });
        let other = sides.filter(|(side, _)| Arc::ptr_eq(side, answered)).map(|(_, other)| other);
        std::iter::once(answered).chain(other)
    }

    /// The numbers of the loaded versions, in order, each once.
    pub fn numbers(&self) -> Vec<i64> {
        let unique: HashSet<i64> = self.targets().map(|target| target.version.number).collect();
        let mut numbers: Vec<i64> = unique.into_iter().collect();
        numbers.sort_unstable();
        numbers
    }

    /// The share of each version that gets traffic.
    pub fn shares(&self) -> Vec<(i64, f64)> {
        let stable = self.stable.version.number;
        match &self.canary {
            Some(canary) if canary.trial.is_open() => {
                let weight = canary.trial.weight;
                vec![(stable, 1.0 - weight), (canary.target.version.number, weight)]
            }
            _ => vec![(stable, 1.0)],
        }
    }
}
