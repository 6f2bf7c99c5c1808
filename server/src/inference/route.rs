//! Which version answers: a pure decision from the route, the key and one random number.

use std::sync::Arc;

use super::hash::{hash64, unit};
use super::snapshot::{Canary, ServiceRoute, Target, Trial};
use crate::problem::Problem;
use chasqui_registry::prediction_log::Arm;

/// What a request says about who should answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// Nothing: the service decides.
    None,
    /// This version, by header or by path.
    Version(i64),
}

/// Who answers.
#[derive(Debug, Clone)]
pub(super) struct Choice<'r> {
    /// The version.
    pub target: &'r Arc<Target>,
    /// The trial that the request is part of, and on which side; none when pinned.
    pub trial: Option<(&'r Arc<Trial>, Arm)>,
    /// The entity in the trial's terms: the hash that decided.
    pub entity: u64,
}

/// Chooses for one entity. `random` stands in for the hash of a key that is not there.
pub(super) fn choose<'r>(route: &'r ServiceRoute, key: Option<&str>, random: u64) -> Choice<'r> {
    let open = route.canary.as_ref().filter(|canary| canary.trial.is_open());
    let Some(Canary { target, trial }) = open else {
        return Choice { target: &route.stable, trial: None, entity: random };
    };
    let entity = key.map_or(random, |key| hash64(&trial.salt, key));
    if unit(entity) < trial.weight {
        Choice { target, trial: Some((trial, Arm::Canary)), entity }
    } else {
        Choice { target: &route.stable, trial: Some((trial, Arm::Stable)), entity }
    }
}

/// The version that a request asks for by number.
pub fn pinned(route: &ServiceRoute, number: i64) -> Result<&Arc<Target>, Problem> {
    route.pinned(number).ok_or_else(|| {
        let numbers: Vec<String> = route.numbers().iter().map(ToString::to_string).collect();
        Problem::not_found(format!(
            "version {number} of the service `{}` is not loaded; {} can be asked for",
            route.name,
            numbers.join(", ")
        ))
    })
}
