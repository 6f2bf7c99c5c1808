//! What happens by time: rollouts are ticked, closed windows are judged, schedules start pipelines, and jobs that wait
//! or were abandoned are announced again. Every loop ends when its worker stops; a failure is logged and tried again.

pub mod cron;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use chasqui_registry::name::Actor;
use chasqui_registry::{Micros, Registry};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::{Error, Result};
use crate::jobs::{Dedup, JobStore, drift_check};
use crate::pipeline::{self, Trigger};
use crate::queue::{Handler, Queue};
use crate::rollout::Ticker;
use crate::worker::{self, WorkerContext};

/// A job that is still due so long after its message was sent is taken without one.
const OVERDUE: i64 = 5_000_000;
/// A schedule that was missed for longer (no worker was there) is left to its next time.
const LATEST_START: i64 = 3_600_000_000;

/// Ticks the rollouts.
pub(crate) async fn rollouts(context: WorkerContext, every: Duration) {
    let mut ticker = Ticker::new(context.registry.clone());
    let mut shutdown = context.shutdown;
    while pause(&mut shutdown, every).await {
        if let Err(error) = ticker.tick().await {
            complain("rollouts could not be ticked", &error);
        }
    }
}

/// Looks for closed windows.
pub(crate) async fn drift_checks(context: WorkerContext, every: Duration) {
    let mut shutdown = context.shutdown.clone();
    while pause(&mut shutdown, every).await {
        if let Err(error) = drift_check::enqueue_due(&context.jobs, &context.registry).await {
            complain("closed windows could not be looked for", &error);
        }
    }
}

/// Looks at the schedules of pipelines.
pub(crate) async fn crons(context: WorkerContext, every: Duration) {
    let mut shutdown = context.shutdown.clone();
    while pause(&mut shutdown, every).await {
        if let Err(error) = start_scheduled(&context.registry, &context.jobs).await {
            complain("schedules could not be looked at", &error);
        }
    }
}

/// Announces jobs that wait or were abandoned, takes up those whose message brought nobody, and empties the queue of
/// handled messages.
pub(crate) async fn sweep(context: WorkerContext, queue: Queue, handler: Handler, every: Duration) {
    let (mut announced, mut taken) = (HashMap::new(), JoinSet::new());
    let mut shutdown = context.shutdown.clone();
    while pause(&mut shutdown, every).await {
        while taken.try_join_next().is_some() {}
        match announce(&context.registry, &context.jobs, &mut announced).await {
            // The queue only wakes: a job does not wait for a message that was lost, nor for a queue that is stuck.
            Ok(overdue) => overdue.into_iter().for_each(|id| drop(taken.spawn(handler.call(id)))),
            Err(error) => complain("waiting jobs could not be announced", &error),
        }
        if let Err(error) = queue.sweep().await {
            complain("the queue could not be emptied", &error);
        }
    }
    while taken.join_next().await.is_some() {}
}

/// Starts every pipeline whose time has come since it last ran or was declared. The key of the job is the time itself,
/// so that it starts once however many workers look.
pub async fn start_scheduled(registry: &Registry, jobs: &JobStore) -> Result<usize> {
    let now = registry.now();
    let mut started = 0;
    for pipeline in pipeline::all(registry).await? {
        let Some(cron) = pipeline.spec.cron()? else { continue };
        let oldest = Micros(now.0 - LATEST_START).max(pipeline.updated_at);
        let Some(time) = last_time(&cron, oldest, now) else { continue };
        let dedup = Dedup::Once(format!("schedule:{}:{}", pipeline.name, time.0));
        let (_, new) =
            pipeline::start_once(jobs, &Actor::system(), &pipeline, Trigger::Schedule, dedup).await?;
        started += usize::from(new);
    }
    Ok(started)
}

/// The last time of a schedule in `(after, now]`.
fn last_time(cron: &cron::Cron, after: Micros, now: Micros) -> Option<Micros> {
    let mut last = None;
    let mut at = after;
    while let Some(next) = cron.next_after(at).filter(|next| *next <= now) {
        last = Some(next);
        at = next;
    }
    last
}

/// Sends a message for every job that became due; returns those that are overdue.
async fn announce(
    registry: &Registry,
    jobs: &JobStore,
    announced: &mut HashMap<String, Micros>,
) -> Result<Vec<String>> {
    let now = registry.now();
    let due = jobs.due().await?;
    announced.retain(|id, _| due.contains(id));
    let mut overdue = Vec::new();
    for id in due {
        match announced.entry(id) {
            Entry::Vacant(vacant) => {
                jobs.wake(vacant.key()).await;
                vacant.insert(now);
            }
            Entry::Occupied(known) if now.0 - known.get().0 >= OVERDUE => overdue.push(known.key().clone()),
            Entry::Occupied(_) => {}
        }
    }
    Ok(overdue)
}

/// Waits; false when the worker stops.
async fn pause(shutdown: &mut watch::Receiver<bool>, time: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        () = worker::stopped(shutdown) => false,
    }
}

fn complain(what: &str, error: &Error) {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(%error, source, "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_time_is_in_the_span() {
        let hourly = cron::Cron::parse("0 * * * *").unwrap();
        let hour = 3_600_000_000;
        assert_eq!(last_time(&hourly, Micros(1), Micros(hour - 1)), None);
        assert_eq!(last_time(&hourly, Micros(1), Micros(hour)), Some(Micros(hour)));
        assert_eq!(last_time(&hourly, Micros(1), Micros(3 * hour + 5)), Some(Micros(3 * hour)));
        assert_eq!(last_time(&hourly, Micros(hour), Micros(hour)), None);
    }
}
