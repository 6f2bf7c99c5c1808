//! Watching: windows, verdicts, alerts, the retraining that follows, and the report.

use chasqui_drift::{Profile, WindowSketch};
use chasqui_pipelines::jobs::{Dedup, JobKind, JobState, NewJob, drift_check};
use chasqui_pipelines::monitor::{WindowKey, store_sketch};
use chasqui_pipelines::{monitor, pipeline, report};
use chasqui_registry::outcome::{Outcome, Target};
use chasqui_registry::prediction_log::{Personal, Shape};
use chasqui_registry::service::{MonitorPolicy, ServiceConfig};
use chasqui_registry::version::Version;
use chasqui_registry::{Micros, PageRequest};
use serde_json::json;

use crate::fixture::{self, Fixture, actor, answered, curve, declaration, eventually, model, service};

on_both_databases!(
    a_change_is_found_told_once_and_answered_by_retraining,
    a_window_without_a_successor_waits_for_its_end,
    a_report_tells_what_happened,
    answered_rows_are_learned_from,
);

pub(crate) const WINDOW: i64 = 60;

pub(crate) async fn serve(fixture: &Fixture) -> (Version, Profile) {
    let version = fixture.register(1.0).await;
    let mut config = ServiceConfig::of_model(model("ventas"));
    config.monitor = MonitorPolicy { window_seconds: WINDOW, min_rows: 50, ignore: Vec::new() };
    fixture.registry.put_service(&actor(), &service(), config, "").await.unwrap();
    let profile = fixture.registry.profile_of(&version).await.unwrap().unwrap();
    (version, profile)
}

pub(crate) fn key(fixture: &Fixture, window: i64) -> WindowKey {
    let policy = MonitorPolicy { window_seconds: WINDOW, min_rows: 50, ignore: Vec::new() };
    let now = chasqui_registry::Clock::now(&*fixture.clock);
    let start = monitor::window_start(now, &policy).plus_seconds(window * WINDOW);
    WindowKey { service: "ventas".into(), model: "ventas".into(), version: 1, window_start: start }
}

/// Two hundred rows like those of the training, moved by `shift`.
pub(crate) fn sketch(profile: &Profile, shift: f64) -> WindowSketch {
    let mut sketch = WindowSketch::new(profile);
    for i in 0..200 {
        let x = f64::from(i * 7 % 37) / 10.0 + shift;
        sketch.rows += 1;
        sketch.features[0].add_number(&profile.features[0].reference, x);
        if let (Some(prediction), Some(column)) = (&mut sketch.prediction, &profile.prediction) {
            prediction.add_number(&column.reference, x + 1.0);
        }
    }
    sketch
}

async fn a_change_is_found_told_once_and_answered_by_retraining(fixture: &Fixture) {
    let registry = &fixture.registry;
    let (_, profile) = serve(fixture).await;
    let triggers = "[triggers]\ndrift = true\ncooldown = \"1h\"";
    let text = declaration(r#"kind = "linear""#, triggers);
    pipeline::put(registry, &actor(), &fixture::pipeline(), &text).await.unwrap();
    let keys: Vec<WindowKey> = (0..4).map(|window| key(fixture, window)).collect();
    for (key, shift) in keys.iter().zip([0.0, 2.0, 2.0, 2.0]) {
        for boot in ["one", "two"] {
            store_sketch(registry, key, boot, &sketch(&profile, shift)).await.unwrap();
        }
    }
    assert_eq!(drift_check::enqueue_due(&fixture.jobs, registry).await.unwrap(), 0, "replicas still write");
    fixture.clock.advance_seconds(4);
    let worker = fixture.worker().await;
    let judged = || async {
        let page = monitor::verdicts(registry, &service(), &PageRequest::default()).await.unwrap();
        (page.items.len() == 3).then_some(page.items)
    };
    let verdicts = eventually("three verdicts", judged).await;
    let of =
        |key: &WindowKey| verdicts.iter().find(|verdict| verdict.window_start == key.window_start).unwrap();
    assert!(!of(&keys[0]).drifted && of(&keys[0]).verdict.rows == 400, "replicas are added");
    assert!(of(&keys[1]).drifted && of(&keys[1]).verdict.features[0].drifted);
    assert!(of(&keys[2]).drifted);
    assert_eq!(fixture.alerts("drift").await, 1, "told once");
    // The dataset is missing: the retraining that drift started fails, and says so.
    let alerted = || async { (fixture.alerts("retrain_failed").await > 0).then_some(()) };
    eventually("the retraining", alerted).await;
    let retrained = fixture.jobs.list(Some("ventas"), &PageRequest::default()).await.unwrap().items;
    let retrained: Vec<_> = retrained.iter().filter(|job| job.kind == JobKind::Retrain).collect();
    assert_eq!(retrained.len(), 1, "once within the cooldown");
    assert_eq!(retrained[0].payload["trigger"], "drift");
    assert!(retrained[0].error.as_deref().unwrap().contains("dataset"));
    worker.shutdown().await;
}

async fn a_window_without_a_successor_waits_for_its_end(fixture: &Fixture) {
    let registry = &fixture.registry;
    let (_, profile) = serve(fixture).await;
    let found = registry.get_service(&service()).await.unwrap().unwrap();
    let mut few = WindowSketch::new(&profile);
    few.rows = 49;
    store_sketch(registry, &key(fixture, 0), "one", &few).await.unwrap();
    fixture.clock.advance_seconds(10);
    assert!(monitor::due(registry, &found).await.unwrap().is_empty());
    fixture.clock.advance_seconds(WINDOW - 10);
    let due = monitor::due(registry, &found).await.unwrap();
    assert_eq!(due.len(), 1);
    let few = monitor::judge(registry, Some(&fixture.log), &found, &due[0]).await.unwrap().unwrap();
    assert!(few.assessment.few_rows && !few.drifted);
    assert!(few.verdict.features.iter().all(|column| column.reason.is_some()), "too few rows to compare");
    fixture.clock.advance_seconds(10);
    assert!(monitor::due(registry, &found).await.unwrap().is_empty());
    store_sketch(registry, &key(fixture, -2), "one", &sketch(&profile, 0.0)).await.unwrap();
    fixture.clock.advance_seconds(4);
    let due = monitor::due(registry, &found).await.unwrap();
    assert_eq!(due.len(), 1);
    let verdict = monitor::judge(registry, Some(&fixture.log), &found, &due[0]).await.unwrap().unwrap();
    let again = monitor::judge(registry, Some(&fixture.log), &found, &due[0]).await.unwrap().unwrap();
    assert_eq!(verdict.id, again.id, "a window is judged once");
    assert!(monitor::due(registry, &found).await.unwrap().is_empty());
}

/// Logs answers of the model `y = x + 1` and what really happened.
async fn answer(fixture: &Fixture, version: &Version, rows: i64, truth: impl Fn(f64) -> f64) {
    let shape = Shape::of_signature(
        &service(),
        &model("ventas"),
        version.version,
        &version.signature,
        &Personal { columns: &[], key_field: None },
    );
    let mut outcomes = Vec::new();
    for row in 0..rows {
        let at = Micros(fixture.registry.now().0 + row);
        let x = (row % 37) as f64 / 10.0;
        let record = answered(version, at, x, x + 1.0);
        outcomes.push(Outcome {
            target: Target::Prediction(record.id),
            label: None,
            value: Some(truth(x)),
            converted: None,
            occurred_at: None,
        });
        fixture.log.append(&shape, &[record]).unwrap();
    }
    fixture.registry.store_outcomes(&actor(), &outcomes, Some(&fixture.log)).await.unwrap();
}

async fn a_report_tells_what_happened(fixture: &Fixture) {
    let registry = &fixture.registry;
    let (version, profile) = serve(fixture).await;
    answer(fixture, &version, 300, |x| x + 1.5).await;
    store_sketch(registry, &key(fixture, 0), "one", &sketch(&profile, 2.0)).await.unwrap();
    fixture.clock.advance_seconds(WINDOW + 4);
    let worker = fixture.worker().await;
    eventually("the verdict", || async { (fixture.alerts("drift").await == 1).then_some(()) }).await;
    let new = NewJob {
        kind: JobKind::Report,
        subject: "ventas".into(),
        payload: json!({ "service": "ventas" }),
        dedup: Dedup::None,
        max_attempts: 1,
    };
    let (job, _) = fixture.jobs.create(&actor(), new).await.unwrap();
    let ended = || async { fixture.jobs.get(&job.id).await.ok().filter(|job| job.state.terminal()) };
    let done = eventually("the report", ended).await;
    assert_eq!(done.state, JobState::Succeeded, "{:?}", done.error);
    let stored = report::get(registry, &job.id).await.unwrap().unwrap();
    let draft = stored.report.draft();
    assert_eq!(draft.history.days.iter().map(|day| day.predictions).sum::<u64>(), 300);
    assert_eq!(draft.confidence.outcomes, Some(300));
    assert!((draft.history.days[0].error.unwrap() - 0.5).abs() < 1e-9);
    assert_eq!(draft.changes[0].feature, "x");
    assert!(draft.annex.features.iter().any(|test| test.feature == "x" && test.drifted));
    let page = report::html(registry, &stored).await.unwrap();
    let page = std::str::from_utf8(&page).unwrap();
    assert!(page.contains("<svg") && page.contains("ventas") && page.len() < 300_000);
    worker.shutdown().await;
}

async fn answered_rows_are_learned_from(fixture: &Fixture) {
    let registry = &fixture.registry;
    let worker = fixture.worker().await;
    fixture.upload(curve(300)).await;
    let text = declaration(r#"kind = "linear""#, "")
        .replace(r#"dataset = "ventas""#, r#"dataset = "ventas", append_predictions = true"#);
    let declared = pipeline::put(registry, &actor(), &fixture::pipeline(), &text).await.unwrap();
    for rows in ["300", "340"] {
        let started = pipeline::start(&fixture.jobs, &actor(), &declared, pipeline::Trigger::Hand).await;
        let (job, _) = started.unwrap();
        let ended = || async { fixture.jobs.get(&job.id).await.ok().filter(|job| job.state.terminal()) };
        let done = eventually("the retraining", ended).await;
        assert_eq!(done.state, JobState::Succeeded, "{:?}", done.error);
        let number = done.result.unwrap()["version"].as_i64().unwrap();
        let version = registry.get_version(&model("ventas"), number).await.unwrap().unwrap();
        assert_eq!(version.params["rows"], rows);
        fixture.clock.advance_seconds(10);
        answer(fixture, &version, 40, |x| x * x + 2.0).await;
        fixture.clock.advance_seconds(10);
    }
    worker.shutdown().await;
}
