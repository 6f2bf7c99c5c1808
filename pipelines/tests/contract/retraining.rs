//! The loop: dataset → retraining → version → gate → rollout → promotion, and what stands in its way.

use chasqui_pipelines::gate::Verdict;
use chasqui_pipelines::jobs::{Job, JobState};
use chasqui_pipelines::pipeline::{self, Pipeline, Trigger};
use chasqui_pipelines::rollout::{self, Arm, Counter, record_counts};
use chasqui_pipelines::schedule::start_scheduled;
use chasqui_registry::PageRequest;

use crate::fixture::{self, Fixture, actor, curve, declaration, eventually, model};

on_both_databases!(
    the_whole_loop,
    an_equal_candidate_changes_nothing,
    schedules_start_once,
    a_declaration_is_kept_and_checked,
);

const LINE: &str = r#"kind = "linear""#;
const TREES: &str = r#"kind = "gradient_boosting", trees = 60"#;

async fn put(fixture: &Fixture, text: &str) -> Pipeline {
    pipeline::put(&fixture.registry, &actor(), &fixture::pipeline(), text).await.unwrap()
}

async fn retrain(fixture: &Fixture, pipeline: &Pipeline) -> Job {
    let (job, new) = pipeline::start(&fixture.jobs, &actor(), pipeline, Trigger::Hand).await.unwrap();
    assert!(new);
    let ended = || async {
        let job = fixture.jobs.get(&job.id).await.ok()?;
        // Leases and retries follow the test's clock.
        job.state.terminal().then_some(job)
    };
    let job = eventually("the retraining", ended).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
    job
}

async fn last_run(fixture: &Fixture) -> pipeline::Run {
    let runs = pipeline::runs(&fixture.registry, Some("ventas"), &PageRequest::default()).await.unwrap();
    runs.items[0].clone()
}

async fn the_whole_loop(fixture: &Fixture) {
    let registry = &fixture.registry;
    let worker = fixture.worker().await;
    fixture.upload(curve(800)).await;
    let line = put(fixture, &declaration(LINE, "")).await;
    let first = retrain(fixture, &line).await;
    assert_eq!(first.result.as_ref().unwrap()["serves_already"], true);
    assert_eq!(fixture.champion().await, Some(1), "the first version serves");

    fixture.clock.advance_seconds(1);
    let trees = put(fixture, &declaration(TREES, "")).await;
    retrain(fixture, &trees).await;
    let run = last_run(fixture).await;
    let verdict = run.gate.unwrap();
    assert_eq!((verdict.verdict, verdict.champion, verdict.candidate), (Verdict::Better, 1, 2));
    assert!(verdict.quality.rows == 160 && verdict.quality.high < 0.0, "{:?}", verdict.quality);
    assert!(verdict.latency.candidate.p95_us > 0.0 && verdict.signature_clash.is_none());
    let version = registry.get_version(&model("ventas"), 2).await.unwrap().unwrap();
    assert_eq!(version.lineage.pipeline_run.unwrap().to_string(), run.id);
    assert_eq!(
        (version.lineage.parent_version, version.params["learner"].as_str()),
        (Some(1), "gradient_boosting")
    );

    let id = run.rollout_id.unwrap();
    let ended = || async {
        let rollout = rollout::get(registry, &id).await.unwrap();
        let arms = [(Arm::Canary, Counter::Requests, 100), (Arm::Stable, Counter::Requests, 100)];
        record_counts(registry, &id, rollout.segment, "boot", &arms).await.unwrap();
        fixture.clock.advance_seconds(1);
        rollout.terminal.then_some(rollout)
    };
    let ended = eventually("the promotion", ended).await;
    assert_eq!(ended.status, "succeeded");
    assert_eq!(fixture.champion().await, Some(2));
    assert_eq!(registry.verify_audit().await.unwrap().broken_at, None);
    worker.shutdown().await;
}

async fn an_equal_candidate_changes_nothing(fixture: &Fixture) {
    let worker = fixture.worker().await;
    fixture.upload(curve(800)).await;
    retrain(fixture, &put(fixture, &declaration(TREES, "")).await).await;
    fixture.clock.advance_seconds(1);
    let seeded = r#"kind = "gradient_boosting", trees = 60, row_fraction = 0.95"#;
    retrain(fixture, &put(fixture, &declaration(seeded, "")).await).await;
    let run = last_run(fixture).await;
    let verdict = run.gate.unwrap();
    assert_ne!(verdict.verdict, Verdict::Better, "{:?}", verdict.quality);
    assert_eq!(run.rollout_id, None);
    assert_eq!(fixture.alerts("gate").await, 1);
    assert_eq!(fixture.champion().await, Some(1));
    // The very same bytes are the very same version.
    fixture.clock.advance_seconds(1);
    retrain(fixture, &put(fixture, &declaration(TREES, "")).await).await;
    assert_eq!(last_run(fixture).await.version, Some(1));
    worker.shutdown().await;
}

async fn schedules_start_once(fixture: &Fixture) {
    put(fixture, &declaration(LINE, "[triggers]\nschedule = \"*/10 * * * *\"")).await;
    let (registry, jobs) = (&fixture.registry, &fixture.jobs);
    assert_eq!(start_scheduled(registry, jobs).await.unwrap(), 0, "its time has not come");
    fixture.clock.advance_seconds(600);
    assert_eq!(start_scheduled(registry, jobs).await.unwrap(), 1);
    assert_eq!(start_scheduled(registry, jobs).await.unwrap(), 0);
    fixture.clock.advance_seconds(600);
    assert_eq!(start_scheduled(registry, jobs).await.unwrap(), 1);
}

async fn a_declaration_is_kept_and_checked(fixture: &Fixture) {
    let registry = &fixture.registry;
    let first = put(fixture, &declaration(LINE, "")).await;
    fixture.clock.advance_seconds(1);
    assert_eq!(put(fixture, &declaration(LINE, "")).await, first, "the same again changes nothing");
    assert!(put(fixture, &declaration(TREES, "")).await.updated_at > first.updated_at);
    let broken = declaration(TREES, "[trigers]");
    let refused = pipeline::put(registry, &actor(), &fixture::pipeline(), &broken).await.unwrap_err();
    assert!(refused.code() == "invalid" && refused.to_string().contains("trigers"), "{refused}");
    pipeline::delete(registry, &actor(), &fixture::pipeline(), "").await.unwrap();
    assert_eq!(pipeline::get(registry, "ventas").await.unwrap(), None);
}
