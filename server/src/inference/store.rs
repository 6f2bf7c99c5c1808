//! Writes sketches and counts to the database. Totals are absolute: what could not be written waits, is replaced
//! by newer totals of the same window or segment, and goes with the next.

use std::collections::BTreeMap;
use std::time::Duration;

use chasqui_pipelines::monitor::{self, WindowKey};
use chasqui_pipelines::rollout;
use chasqui_registry::Registry;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::observe::{Totals, TrialTotal, WindowTotal, counters};
use crate::metrics::Metrics;
use crate::problem::Chain;

/// Attempts to write the last totals when the server ends.
const LAST_ATTEMPTS: u32 = 5;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);

type WindowId = (String, String, i64, i64);

/// Writes totals; one task owns it.
pub(super) struct Writer {
    registry: Registry,
    metrics: Metrics,
    boot: String,
    windows: BTreeMap<WindowId, WindowTotal>,
    trials: BTreeMap<(Uuid, i64), TrialTotal>,
}

impl Writer {
    pub(super) fn new(registry: Registry, metrics: Metrics, boot: String) -> Self {
        Self { registry, metrics, boot, windows: BTreeMap::new(), trials: BTreeMap::new() }
    }

    /// Writes what comes until no more can come.
    pub(super) async fn run(mut self, mut totals: mpsc::Receiver<Totals>) {
        while let Some(totals) = totals.recv().await {
            self.take(totals);
            self.write().await;
        }
        for _ in 0..LAST_ATTEMPTS {
            if self.windows.is_empty() && self.trials.is_empty() {
                return;
            }
            tokio::time::sleep(BETWEEN_ATTEMPTS).await;
            self.write().await;
        }
        if !self.windows.is_empty() || !self.trials.is_empty() {
            tracing::error!("the last sketches and counts could not be written");
        }
    }

    fn take(&mut self, totals: Totals) {
        for window in totals.windows {
            let id = (window.service.to_string(), window.model.to_string(), window.version, window.start.0);
            self.windows.insert(id, window);
        }
        for trial in totals.trials {
            self.trials.insert((trial.rollout, trial.segment), trial);
        }
    }

    /// Counts first: a rollback may wait for them.
    async fn write(&mut self) {
        for (id, trial) in std::mem::take(&mut self.trials) {
            if let Err(error) = self.write_trial(&trial).await {
                self.failed(&error);
                self.trials.insert(id, trial);
            }
        }
        for (id, window) in std::mem::take(&mut self.windows) {
            if let Err(error) = self.write_window(&window).await {
                self.failed(&error);
                self.windows.insert(id, window);
            }
        }
    }

    async fn write_trial(&self, total: &TrialTotal) -> chasqui_pipelines::Result<()> {
        let id = total.rollout.to_string();
        rollout::record_counts(&self.registry, &id, total.segment, &self.boot, &counters(&total.arms)).await
    }

    async fn write_window(&self, total: &WindowTotal) -> chasqui_pipelines::Result<()> {
        let key = WindowKey {
            service: total.service.to_string(),
            model: total.model.to_string(),
            version: total.version,
            window_start: total.start,
        };
        monitor::store_flow(&self.registry, &key, &self.boot, &total.flow).await?;
        monitor::store_sketch(&self.registry, &key, &self.boot, &total.sketch).await
    }

    fn failed(&self, error: &chasqui_pipelines::Error) {
        self.metrics.observer_failures.inc();
        tracing::warn!(error = %Chain(error), "sketches or counts could not be written; they are tried again");
    }
}
