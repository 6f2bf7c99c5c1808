//! Every metric, declared once, and its text for Prometheus.
//!
//! What a prediction counts is registered when its version is routed: a request touches atomics only. Gauges
//! about rows of the database are refreshed by a task, never by the scrape.

mod process;
mod statistics;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

pub use self::statistics::{BatchTotals, Spent, Stages, Statistics, Totals};

/// Upper bounds of the latency histograms, in seconds.
const LATENCY: [f64; 16] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.5, 10.0];

/// By service and version.
type ByVersion = HashMap<(String, i64), Arc<Statistics>>;

/// All metrics of one server.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    predictions: IntCounterVec,
    errors: IntCounterVec,
    refused: IntCounterVec,
    expectations: IntCounterVec,
    latency: HistogramVec,
    /// Requests by route, method and status, predictions apart.
    pub http: IntCounterVec,
    /// Requests in progress.
    pub in_flight: IntGauge,
    /// Share of a service's traffic that a version gets.
    pub share: GaugeVec,
    /// Predictions that are not yet in object storage.
    pub log_records: IntGauge,
    /// Bytes of the local prediction log.
    pub log_bytes: IntGauge,
    /// Age of the oldest prediction that is not yet in object storage.
    pub log_seconds: Gauge,
    /// 1 when the last verdict of a service was drift.
    pub drifted: IntGaugeVec,
    /// Population stability index per feature, of the last verdict.
    pub drift_psi: GaugeVec,
    /// 1 when the change of the last verdict is what the season explains.
    pub drift_explained: IntGaugeVec,
    /// Faults of the data in the last verdict, by check.
    pub data_faults: IntGaugeVec,
    /// Measures of the last window, estimated and realized.
    pub performance: GaugeVec,
    /// 1 when the performance of the last window fell.
    pub performance_fell: IntGaugeVec,
    /// Dollars a week lost against the performance at which the version was accepted.
    pub weekly_loss: GaugeVec,
    /// Jobs by state.
    pub jobs: IntGaugeVec,
    /// 1 for the state that a service's live rollout is in.
    pub rollout_state: IntGaugeVec,
    /// Share of the canary of a service's live rollout.
    pub rollout_weight: GaugeVec,
    /// The epoch of the routing table in use.
    pub routing_epoch: IntGauge,
    /// Seconds since the routing table was last compared with the database.
    pub routing_age: Gauge,
    /// Versions that could not be loaded.
    pub load_failures: IntCounter,
    /// Rows that wait to be counted into sketches.
    pub observer_rows: IntGauge,
    /// Requests that waited because the counting thread was behind.
    pub observer_waits: IntCounter,
    /// Writes of sketches and counts that failed and are tried again.
    pub observer_failures: IntCounter,
    /// Calls of gRPC by method and code, predictions apart.
    pub grpc: IntCounterVec,
    memory: IntGauge,
    cpu: Gauge,
    started: Gauge,
    statistics: Arc<Mutex<ByVersion>>,
}

/// What one version of one service counts.
#[derive(Debug, Clone)]
pub struct VersionMetrics {
    /// Requests that reached it.
    pub requests: IntCounter,
    /// Records that it answered.
    pub predictions: IntCounter,
    /// Requests that it failed.
    pub errors: IntCounter,
    /// Seconds from the complete request to the answer.
    pub latency: Histogram,
    /// What the inference protocol tells of it.
    pub statistics: Arc<Statistics>,
}

impl Metrics {
    /// Declares everything.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let on = Declare(&registry);
        let version = &["service", "version"];
        Ok(Self {
            requests: on.counters(
                "chasqui_requests_total",
                "Prediction requests that reached a version",
                version,
            )?,
            predictions: on.counters(
                "chasqui_predictions_total",
                "Records answered by a version",
                version,
            )?,
            errors: on.counters(
                "chasqui_errors_total",
                "Prediction requests that a version failed",
                version,
            )?,
            refused: on.counters(
                "chasqui_refused_total",
                "Prediction requests that were refused, by reason",
                &["service", "code"],
            )?,
            expectations: on.counters(
                "chasqui_expectation_faults_total",
                "Values of declared fields that were not as expected, by rule and outcome (rejected, warned, fixed)",
                &["service", "field", "rule", "outcome"],
            )?,
            latency: on.histograms(
                "chasqui_latency_seconds",
                "Seconds from the complete request to the answer",
                version,
            )?,
            http: on.counters(
                "chasqui_http_requests_total",
                "HTTP requests other than predictions",
                &["method", "route", "status"],
            )?,
            in_flight: on.integer("chasqui_http_in_flight", "HTTP requests in progress")?,
            share: on.gauges("chasqui_share", "Share of a service's traffic that a version gets", version)?,
            log_records: on.integer("chasqui_log_lag_records", "Predictions not yet in object storage")?,
            log_bytes: on.integer("chasqui_log_lag_bytes", "Bytes of the local prediction log")?,
            log_seconds: on
                .gauge("chasqui_log_lag_seconds", "Age of the oldest prediction not yet in object storage")?,
            drifted: on.integers("chasqui_drifted", "1 when the last verdict was drift", &["service"])?,
            drift_psi: on.gauges(
                "chasqui_drift_psi",
                "Population stability index per feature, last verdict",
                &["service", "feature"],
            )?,
            drift_explained: on.integers(
                "chasqui_drift_explained",
                "1 when the change of the last verdict is what the season explains",
                &["service"],
            )?,
            data_faults: on.integers(
                "chasqui_data_faults",
                "Faults of the data in the last verdict, by check",
                &["service", "check"],
            )?,
            performance: on.gauges(
                "chasqui_performance",
                "Measures of the last window; source is estimated or realized",
                &["service", "measure", "source"],
            )?,
            performance_fell: on.integers(
                "chasqui_performance_fell",
                "1 when the performance of the last window fell",
                &["service"],
            )?,
            weekly_loss: on.gauges(
                "chasqui_weekly_loss_dollars",
                "Dollars a week lost against the performance at which the version was accepted",
                &["service"],
            )?,
            jobs: on.integers("chasqui_jobs", "Jobs by state", &["state"])?,
            rollout_state: on.integers(
                "chasqui_rollout_state",
                "1 for the state that the live rollout is in",
                &["service", "state"],
            )?,
            rollout_weight: on.gauges(
                "chasqui_rollout_weight",
                "Share of the live rollout's canary",
                &["service"],
            )?,
            routing_epoch: on.integer("chasqui_routing_epoch", "Epoch of the routing table in use")?,
            routing_age: on.gauge(
                "chasqui_routing_age_seconds",
                "Seconds since the routing table was compared with the database",
            )?,
            load_failures: on.counter("chasqui_load_failures_total", "Versions that could not be loaded")?,
            observer_rows: on
                .integer("chasqui_observer_rows", "Rows that wait to be counted into sketches")?,
            observer_waits: on.counter(
                "chasqui_observer_waits_total",
                "Requests that waited because the counting thread was behind",
            )?,
            observer_failures: on.counter(
                "chasqui_observer_failures_total",
                "Writes of sketches and counts that failed and are tried again",
            )?,
            grpc: on.counters(
                "chasqui_grpc_calls_total",
                "Calls of gRPC other than predictions",
                &["method", "code"],
            )?,
            statistics: Arc::default(),
            memory: on.integer("process_resident_memory_bytes", "Resident memory")?,
            cpu: on.gauge("process_cpu_seconds_total", "CPU time used, in seconds")?,
            started: on.gauge("process_start_time_seconds", "Start of the process, seconds since 1970")?,
            registry,
        })
    }

    /// The handles of one version of one service.
    pub fn of_version(&self, service: &str, version: i64) -> VersionMetrics {
        let mut all = self.statistics.lock().unwrap_or_else(PoisonError::into_inner);
        let statistics = Arc::clone(all.entry((service.to_owned(), version)).or_default());
        drop(all);
        let version = version.to_string();
        let labels = [service, version.as_str()];
        VersionMetrics {
            requests: self.requests.with_label_values(&labels),
            predictions: self.predictions.with_label_values(&labels),
            errors: self.errors.with_label_values(&labels),
            latency: self.latency.with_label_values(&labels),
            statistics,
        }
    }

    /// Counts a prediction request that was refused.
    pub fn refuse(&self, service: &str, code: &str) {
        self.refused.with_label_values(&[service, code]).inc();
    }

    /// Counts a value that was not as the service's configuration expects it. `field` must be a field that is
    /// declared there, whose names are bounded; `outcome` is what became of the value, whatever became of the
    /// request: `rejected`, `warned` or `fixed`.
    pub fn expectation(&self, service: &str, field: &str, rule: &str, outcome: &str) {
        self.expectations.with_label_values(&[service, field, rule, outcome]).inc();
    }

    /// The text for Prometheus.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        process::measure(&self.memory, &self.cpu, &self.started);
        let mut text = Vec::with_capacity(16 << 10);
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

/// Makes and registers in one go.
struct Declare<'a>(&'a Registry);

impl Declare<'_> {
    fn register<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C, prometheus::Error> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::new(name, help)?)
    }

    fn integers(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn integer(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.register(IntGauge::new(name, help)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
        self.register(GaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        self.register(Gauge::new(name, help)?)
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, prometheus::Error> {
        self.register(HistogramVec::new(HistogramOpts::new(name, help).buckets(LATENCY.to_vec()), labels)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_appear_in_the_text() {
        let metrics = Metrics::new().unwrap();
        let version = metrics.of_version("ventas", 3);
        version.requests.inc();
        version.latency.observe(0.002);
        metrics.of_version("ventas", 3).requests.inc();
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        assert!(text.contains(r#"chasqui_requests_total{service="ventas",version="3"} 2"#), "{text}");
        assert!(text.contains(r#"chasqui_latency_seconds_count{service="ventas",version="3"} 1"#), "{text}");
        assert!(text.contains("process_resident_memory_bytes"), "{text}");
    }
}
