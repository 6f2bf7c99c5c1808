//! Jobs: created once, run once, resumed after a worker is gone, cancelled, given up.

use std::time::Duration;

use chasqui_pipelines::jobs::{Dedup, Job, JobKind, JobState, NewJob};
use chasqui_pipelines::pipeline::{self, Trigger};
use serde_json::json;

use crate::fixture::{self, Fixture, actor, curve, declaration, eventually};

on_both_databases!(
    a_key_is_taken_while_its_job_lives,
    a_job_of_a_worker_that_is_gone_goes_on_elsewhere,
    a_running_job_is_cancelled,
    a_graceful_end_leaves_the_job_to_others,
    what_cannot_succeed_fails_with_its_reason,
);

fn job(dedup: Dedup) -> NewJob {
    let payload = json!({ "service": "ventas" });
    NewJob { kind: JobKind::Report, subject: "ventas".into(), payload, dedup, max_attempts: 3 }
}

/// A retraining that takes long enough to be interrupted.
async fn long_training(fixture: &Fixture) -> Job {
    fixture.upload(curve(20_000)).await;
    let learner = r#"kind = "gradient_boosting", trees = 2000, early_stopping = 0"#;
    let name = fixture::pipeline();
    let pipeline =
        pipeline::put(&fixture.registry, &actor(), &name, &declaration(learner, "")).await.unwrap();
    pipeline::start(&fixture.jobs, &actor(), &pipeline, Trigger::Hand).await.unwrap().0
}

async fn when(fixture: &Fixture, id: &str, what: &str, is: impl Fn(&Job) -> bool) -> Job {
    eventually(what, || async { fixture.jobs.get(id).await.ok().filter(|job| is(job)) }).await
}

async fn a_key_is_taken_while_its_job_lives(fixture: &Fixture) {
    let while_live = || job(Dedup::WhileLive("a".into()));
    let (first, new) = fixture.jobs.create(&actor(), while_live()).await.unwrap();
    assert!(new);
    let (again, new) = fixture.jobs.create(&actor(), while_live()).await.unwrap();
    assert!(!new && again.id == first.id);
    let cancelled = fixture.jobs.cancel(&actor(), &first.id, "").await.unwrap();
    assert_eq!(cancelled.state, JobState::Cancelled);
    assert!(fixture.jobs.create(&actor(), while_live()).await.unwrap().1, "the key is free again");
    let once = || job(Dedup::Once("b".into()));
    let (first, _) = fixture.jobs.create(&actor(), once()).await.unwrap();
    fixture.jobs.cancel(&actor(), &first.id, "").await.unwrap();
    assert!(!fixture.jobs.create(&actor(), once()).await.unwrap().1, "once is once");
    let refused = fixture.jobs.cancel(&actor(), &first.id, "").await.unwrap_err();
    assert_eq!(refused.code(), "conflict");
}

async fn a_job_of_a_worker_that_is_gone_goes_on_elsewhere(fixture: &Fixture) {
    let job = long_training(fixture).await;
    let first = fixture.worker().await;
    when(fixture, &job.id, "training", |job| job.progress > 0.1).await;
    first.abort();
    let second = fixture.worker().await;
    // Its lease runs out 15 seconds after it was last renewed; a renewal that was under way when it was broken off may
    // come after the leap.
    let mut resumed = None;
    for _ in 0..3 {
        fixture.clock.advance_seconds(16);
        let again = when(fixture, &job.id, "a second attempt", |job| job.attempts == 2);
        resumed = tokio::time::timeout(Duration::from_secs(15), again).await.ok();
        if resumed.is_some() {
            break;
        }
    }
    assert!(!resumed.expect("a second attempt").state.terminal());
    let done = when(fixture, &job.id, "the end", |job| job.state.terminal()).await;
    assert_eq!((done.state, done.attempts), (JobState::Succeeded, 2), "{:?}", done.error);
    assert_eq!(fixture.champion().await, Some(1));
    second.shutdown().await;
}

async fn a_running_job_is_cancelled(fixture: &Fixture) {
    let job = long_training(fixture).await;
    let worker = fixture.worker().await;
    when(fixture, &job.id, "training", |job| job.progress > 0.1).await;
    fixture.jobs.cancel(&actor(), &job.id, "ya no hace falta").await.unwrap();
    let done = when(fixture, &job.id, "the end", |job| job.state.terminal()).await;
    assert_eq!(done.state, JobState::Cancelled);
    assert_eq!(fixture.champion().await, None, "nothing was registered");
    worker.shutdown().await;
}

async fn a_graceful_end_leaves_the_job_to_others(fixture: &Fixture) {
    let job = long_training(fixture).await;
    let worker = fixture.worker().await;
    when(fixture, &job.id, "training", |job| job.progress > 0.1).await;
    worker.shutdown().await;
    let left = fixture.jobs.get(&job.id).await.unwrap();
    assert_eq!((left.state, left.attempts, left.worker), (JobState::Queued, 0, None));
}

async fn what_cannot_succeed_fails_with_its_reason(fixture: &Fixture) {
    let worker = fixture.worker().await;
    let (job, _) = fixture.jobs.create(&actor(), job(Dedup::None)).await.unwrap();
    let done = when(fixture, &job.id, "the end", |job| job.state.terminal()).await;
    assert_eq!((done.state, done.attempts), (JobState::Failed, 1));
    assert!(done.error.as_deref().is_some_and(|error| error.contains("ventas")), "{:?}", done.error);
    worker.shutdown().await;
}
