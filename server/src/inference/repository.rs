//! The model repository of the Open Inference Protocol: which services answer, and taking one out of service.
//!
//! Versions are loaded because rows route to them, so what can be loaded and unloaded is a service: unloading is a
//! row too, every replica follows it, and memory is freed where no other service routes to the same version.

use chasqui_registry::name::{Actor, ServiceName};
use schemars::JsonSchema;
use serde::Serialize;

use super::Inference;
use super::snapshot::Entry;
use crate::problem::Problem;

/// One line of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IndexEntry {
    /// The service.
    pub name: String,
    /// The version; empty when none is loaded.
    pub version: String,
    /// `READY` or `UNAVAILABLE`.
    pub state: &'static str,
    /// Why it does not answer; empty when it does.
    pub reason: String,
}

impl Inference {
    /// Every service with its loaded versions, by name and number; `ready_only` leaves out those that do not answer.
    pub fn index(&self, ready_only: bool) -> Vec<IndexEntry> {
        let table = self.table();
        let mut services: Vec<_> = table.services.iter().collect();
        services.sort_unstable_by_key(|(name, _)| *name);
        let mut index = Vec::with_capacity(services.len());
        for (name, entry) in services {
            match entry {
                Entry::Ready(route) => index.extend(route.numbers().into_iter().map(|number| IndexEntry {
                    name: name.clone(),
                    version: number.to_string(),
                    state: "READY",
                    reason: String::new(),
                })),
                Entry::NotReady(_) if ready_only => {}
                Entry::NotReady(why) => index.push(IndexEntry {
                    name: name.clone(),
                    version: String::new(),
                    state: "UNAVAILABLE",
                    reason: why.clone(),
                }),
            }
        }
        index
    }

    /// Takes a service out of service or brings it back, and waits until this replica follows.
    pub async fn set_loaded(&self, actor: &Actor, service: &str, is_loaded: bool) -> Result<(), Problem> {
        let unknown = || Problem::not_found(format!("the service `{service}` does not exist"));
        let name = ServiceName::try_from(service).map_err(|_| unknown())?;
        let reason = "asked for by the inference protocol";
        self.registry.set_service_loaded(actor, &name, is_loaded, reason).await?;
        self.catch_up().await?;
        match self.table().services.get(service) {
            Some(Entry::NotReady(why)) if is_loaded => {
                Err(Problem::unavailable(format!("the service `{service}` could not be loaded: {why}"), 5))
            }
            _ => Ok(()),
        }
    }
}
