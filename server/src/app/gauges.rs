//! Gauges about rows of the database and about the log, refreshed every few seconds and never by a scrape.

use std::sync::Arc;
use std::time::Duration;

use chasqui_drift::quality::Check;
use chasqui_pipelines::jobs::JobState;
use chasqui_pipelines::monitor::performance::windows;
use chasqui_pipelines::{monitor, rollout};
use chasqui_registry::name::ServiceName;
use chasqui_registry::{Micros, PageRequest};
use tokio::sync::watch;

use super::{App, wait};
use crate::problem::Chain;

const EVERY: Duration = Duration::from_secs(2);

/// Refreshes until the server ends.
pub(super) async fn keep(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    while !wait(EVERY, &mut stopped).await {
        log_lag(&app);
        if let Err(error) = from_rows(&app).await {
            tracing::warn!(error = %Chain(&error), "the gauges could not be refreshed");
        }
    }
}

fn log_lag(app: &App) {
    let lag = app.log.lag();
    app.metrics.log_records.set(lag.records as i64);
    app.metrics.log_bytes.set(lag.bytes as i64);
    let age = lag.oldest_at.map_or(0, |oldest| (app.registry.now().0 - oldest.0).max(0));
    app.metrics.log_seconds.set(age as f64 / Micros::PER_SECOND as f64);
}

async fn from_rows(app: &App) -> chasqui_pipelines::Result<()> {
    let counts = app.jobs.count_by_state().await?;
    let all =
        [JobState::Queued, JobState::Running, JobState::Succeeded, JobState::Failed, JobState::Cancelled];
    for state in all {
        let count = counts.iter().find(|(counted, _)| *counted == state).map_or(0, |(_, count)| *count);
        app.metrics.jobs.with_label_values(&[state.name()]).set(count as i64);
    }
    app.metrics.rollout_state.reset();
    app.metrics.rollout_weight.reset();
    for rollout in rollout::live(&app.registry).await? {
        app.metrics.rollout_state.with_label_values(&[&rollout.service, &rollout.status]).set(1);
        app.metrics.rollout_weight.with_label_values(&[&rollout.service]).set(rollout.weight);
    }
    let latest = PageRequest::new(None, Some(1))?;
    for service in app.registry.all_services().await? {
        let Some(verdict) = monitor::verdicts(&app.registry, &service.name, &latest).await?.items.pop()
        else {
            continue;
        };
        app.metrics.drifted.with_label_values(&[&verdict.service]).set(i64::from(verdict.drifted));
        for feature in &verdict.verdict.features {
            app.metrics.drift_psi.with_label_values(&[&verdict.service, &feature.name]).set(feature.psi);
        }
        let explained = i64::from(verdict.verdict.drifted && verdict.assessment.is_explained());
        app.metrics.drift_explained.with_label_values(&[&verdict.service]).set(explained);
        for check in Check::ALL {
            let found = verdict.assessment.faults.iter().filter(|fault| fault.check == check).count();
            app.metrics.data_faults.with_label_values(&[&*verdict.service, check.name()]).set(found as i64);
        }
        performance(app, &service.name).await?;
    }
    Ok(())
}

/// The measures of the last window of a service.
async fn performance(app: &App, service: &ServiceName) -> chasqui_pipelines::Result<()> {
    let span = (Micros(0), Micros(i64::MAX));
    let Some(last) = windows(&app.registry, service, span, 1).await?.pop() else { return Ok(()) };
    let sources = [("estimated", &last.performance.estimated), ("realized", &last.performance.realized)];
    for (source, figures) in sources {
        for figure in figures {
            let labels = [service.as_str(), figure.measure.as_str(), source];
            app.metrics.performance.with_label_values(&labels).set(figure.value);
        }
    }
    app.metrics.performance_fell.with_label_values(&[service.as_str()]).set(i64::from(last.fell));
    if let Some(value) = last.performance.value {
        app.metrics.weekly_loss.with_label_values(&[service.as_str()]).set(value.weekly_loss.dollars);
    }
    Ok(())
}
