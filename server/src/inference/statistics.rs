//! What versions have done and how they are configured, as the Open Inference Protocol tells it over both wires.

use std::sync::Arc;

use chasqui_runtime::{Signature, TensorSpec};

use super::route::pinned;
use super::snapshot::{Entry, RoutingTable, ServiceRoute, Target};
use super::{Inference, Pin};
use crate::metrics::Totals;
use crate::problem::Problem;

/// What one version of one service has done since this process started.
#[derive(Debug)]
pub struct VersionTotals {
    /// The service.
    pub service: String,
    /// The version.
    pub version: i64,
    /// Its counts.
    pub totals: Totals,
}

/// How a version is asked.
#[derive(Debug)]
pub struct Configuration {
    /// The service's route.
    pub route: Arc<ServiceRoute>,
    /// The version.
    pub target: Arc<Target>,
}

impl Inference {
    /// What loaded versions have done: of all services, of one, or one version of one.
    pub fn statistics(&self, service: Option<&str>, pin: Pin) -> Result<Vec<VersionTotals>, Problem> {
        let Some(service) = service else { return Ok(all(&self.table())) };
        let route = self.route(service)?;
        Ok(match pin {
            Pin::None => of_route(&route),
            Pin::Version(number) => vec![of_target(&route, pinned(&route, number)?)],
        })
    }

    /// Whether the service answers, by this version when one is asked for; an error when there is no such thing.
    pub fn is_ready(&self, service: &str, pin: Pin) -> Result<bool, Problem> {
        match self.configuration(service, pin) {
            Ok(_) => Ok(true),
            Err(problem) if problem.status().is_server_error() => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    /// The version that is asked for, or the stable one.
    pub fn configuration(&self, service: &str, pin: Pin) -> Result<Configuration, Problem> {
        let route = self.route(service)?;
        let target = match pin {
            Pin::None => Arc::clone(&route.stable),
            Pin::Version(number) => Arc::clone(pinned(&route, number)?),
        };
        Ok(Configuration { route, target })
    }
}

fn all(table: &RoutingTable) -> Vec<VersionTotals> {
    let mut routes: Vec<&Arc<ServiceRoute>> = Vec::with_capacity(table.services.len());
    routes.extend(table.services.values().filter_map(|entry| match entry {
        Entry::Ready(route) => Some(route),
        Entry::NotReady(_) => None,
    }));
    routes.sort_unstable_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
    routes.into_iter().flat_map(|route| of_route(route)).collect()
}

fn of_route(route: &ServiceRoute) -> Vec<VersionTotals> {
    let numbers = route.numbers();
    let targets = numbers.iter().filter_map(|number| route.pinned(*number));
    targets.map(|target| of_target(route, target)).collect()
}

fn of_target(route: &ServiceRoute, target: &Target) -> VersionTotals {
    let totals = target.metrics.statistics.read();
    VersionTotals { service: route.name.to_string(), version: target.version.number, totals }
}

impl Configuration {
    /// The signature.
    pub fn signature(&self) -> &Signature {
        &self.target.version.signature
    }

    /// Most rows of a request when every tensor has the batch as a first axis of its own, else 0: then the shapes
    /// are told with it.
    pub fn max_batch_size(&self, most_rows: usize) -> i32 {
        let signature = self.signature();
        let has_batch = |spec: &TensorSpec| spec.shape.len() > 1 && spec.shape.first() == Some(&-1);
        let batches = signature.inputs.iter().chain(&signature.outputs).all(has_batch);
        if batches { i32::try_from(most_rows).unwrap_or(i32::MAX) } else { 0 }
    }
}

/// The axes of a tensor, without the batch where `max_batch_size` speaks of it.
pub fn dims(spec: &TensorSpec, max_batch_size: i32) -> &[i64] {
    &spec.shape[usize::from(max_batch_size > 0).min(spec.shape.len())..]
}
