//! Watching: windows, verdicts, alerts, the retraining that follows, and the report.

use chasqui_drift::calendar::{Calendar, Event, SeasonalVerdict};
use chasqui_drift::quality::Check;
use chasqui_drift::{Profile, WindowSketch};
use chasqui_pipelines::jobs::{Dedup, JobKind, JobState, NewJob, drift_check};
use chasqui_pipelines::monitor::performance::NotEstimated;
use chasqui_pipelines::monitor::{
    self, FlowTotal, SeasonSource, WindowKey, performance, store_flow, store_sketch,
};
use chasqui_pipelines::{alert, pipeline, report};
use chasqui_registry::outcome::{Outcome, Target};
use chasqui_registry::prediction_log::{Personal, Record, Shape};
use chasqui_registry::service::{MonitorPolicy, ServiceConfig, Worth};
use chasqui_registry::version::Version;
use chasqui_registry::{Micros, PageRequest};
use chasqui_runtime::Value;
use serde_json::json;

use crate::fixture::{self, Fixture, actor, curve, declaration, eventually, model, service};

on_both_databases!(
    a_change_is_found_told_once_and_answered_by_retraining,
    a_window_without_a_successor_waits_for_its_end,
    a_report_tells_what_happened,
    answered_rows_are_learned_from,
    a_season_explains_what_the_year_before_looked_like,
    a_change_that_outlasts_its_season_is_told_once,
    rows_that_stay_away_and_rows_sent_again_are_told,
    windows_without_rows_are_judged_as_well,
    performance_is_estimated_and_measured_as_outcomes_come,
    values_of_personal_columns_are_never_told,
);

const WINDOW: i64 = 60;

async fn serve(fixture: &Fixture) -> (Version, Profile) {
    let version = fixture.register(1.0).await;
    let mut config = ServiceConfig::of_model(model("ventas"));
    config.monitor = MonitorPolicy { window_seconds: WINDOW, min_rows: 50, ignore: Vec::new() };
    fixture.registry.put_service(&actor(), &service(), config, "").await.unwrap();
    let profile = fixture.registry.profile_of(&version).await.unwrap().unwrap();
    (version, profile)
}

fn key(fixture: &Fixture, window: i64) -> WindowKey {
    let policy = MonitorPolicy { window_seconds: WINDOW, min_rows: 50, ignore: Vec::new() };
    let now = chasqui_registry::Clock::now(&*fixture.clock);
    let start = monitor::window_start(now, &policy).plus_seconds(window * WINDOW);
    WindowKey { service: "ventas".into(), model: "ventas".into(), version: 1, window_start: start }
}

/// Two hundred rows like those of the training, moved by `shift`.
fn sketch(profile: &Profile, shift: f64) -> WindowSketch {
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
        let inputs = version.signature.features.iter().map(|feature| match feature.name.as_str() {
            "store" => Value::Text("Quito"),
            _ => Value::Number(x),
        });
        let record = Record {
            id: at.new_id(),
            at,
            latency_us: 900,
            rollout: None,
            key: None,
            request_id: None,
            inputs: inputs.collect(),
            label: Value::Missing,
            score: None,
            value: Some(x + 1.0),
            error: false,
        };
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

/// Logs answers of the model `y = x + 1` at a time of their own.
fn log_at(fixture: &Fixture, version: &Version, at: Micros, rows: i64, shift: f64) {
    let personal = Personal { columns: &[], key_field: None };
    let shape =
        Shape::of_signature(&service(), &model("ventas"), version.version, &version.signature, &personal);
    let records: Vec<Record<'_>> = (0..rows)
        .map(|row| {
            let x = (row * 7 % 37) as f64 / 10.0 + shift;
            Record {
                id: Micros(at.0 + row).new_id(),
                at: Micros(at.0 + row),
                latency_us: 900,
                rollout: None,
                key: None,
                request_id: None,
                inputs: version.signature.features.iter().map(|_| Value::Number(x)).collect(),
                label: Value::Missing,
                score: None,
                value: Some(x + 1.0),
                error: false,
            }
        })
        .collect();
    fixture.log.append(&shape, &records).unwrap();
}

async fn a_season_explains_what_the_year_before_looked_like(fixture: &Fixture) {
    const WEEK: i64 = 7 * 86_400;
    // Thursday 15 December 2022, 0:00 UTC: a week of monitoring begins, nine days before the 24th.
    let december = Micros(1_671_062_400_000_000);
    let registry = &fixture.registry;
    let (version, profile) = serve(fixture).await;
    let mut config = ServiceConfig::of_model(model("ventas"));
    config.monitor = MonitorPolicy { window_seconds: WEEK, min_rows: 50, ignore: Vec::new() };
    registry.put_service(&actor(), &service(), config, "").await.unwrap();
    let found = registry.get_service(&service()).await.unwrap().unwrap();
    let year_before = december.plus_seconds(-365 * 86_400);
    for week in 0..2 {
        log_at(fixture, &version, year_before.plus_seconds(week * WEEK + 40 * 3600), 200, 2.0);
    }
    let judge = |week: i64, shift: f64| {
        let (profile, found) = (&profile, &found);
        async move {
            let start = december.plus_seconds(week * WEEK);
            let key = WindowKey {
                service: "ventas".into(),
                model: "ventas".into(),
                version: 1,
                window_start: start,
            };
            store_sketch(registry, &key, "one", &sketch(profile, shift)).await.unwrap();
            monitor::judge(registry, Some(&fixture.log), found, &key).await.unwrap().unwrap()
        }
    };
    let expected = judge(0, 2.0).await;
    assert!(expected.verdict.drifted && !expected.drifted, "{:?}", expected.assessment.season);
    let season = expected.assessment.season.as_ref().unwrap();
    assert!(
        matches!(season.verdict, SeasonalVerdict::Expected { event: Event::DecimoTercero, .. }),
        "{season:?}"
    );
    assert_eq!(season.compared_with.unwrap().0, jiff::civil::date(2021, 12, 15));
    assert_eq!((season.source, season.rows), (Some(SeasonSource::Log), 200));
    assert_eq!(fixture.alerts("drift").await, 0, "what is expected is not told");

    let other = judge(1, -2.5).await;
    assert!(other.drifted, "{:?}", other.assessment.season);
    assert_eq!(other.assessment.season.unwrap().verdict, SeasonalVerdict::Alarm);
    assert_eq!(fixture.alerts("drift").await, 1);
    // A company's own calendar counts: it is kept, audited and checked.
    let calendar = registry.calendar().await.unwrap();
    assert_eq!((calendar.calendar.clone(), calendar.updated_at), (Calendar::default(), None));
    let own = Calendar { removed: vec![jiff::civil::date(2026, 5, 25)], ..Calendar::default() };
    registry.put_calendar(&actor(), own.clone(), "decreto").await.unwrap();
    assert_eq!(registry.calendar().await.unwrap().calendar, own);
    assert_eq!(registry.verify_audit().await.unwrap().broken_at, None);
}

async fn a_change_that_outlasts_its_season_is_told_once(fixture: &Fixture) {
    const WEEK: i64 = 7 * 86_400;
    // Thursday 1 December 2022, 0:00 UTC; there are no rows of an earlier year.
    let december = Micros(1_669_852_800_000_000);
    let registry = &fixture.registry;
    let (_, profile) = serve(fixture).await;
    let mut config = ServiceConfig::of_model(model("ventas"));
    config.monitor = MonitorPolicy { window_seconds: WEEK, min_rows: 50, ignore: Vec::new() };
    registry.put_service(&actor(), &service(), config, "").await.unwrap();
    let found = registry.get_service(&service()).await.unwrap().unwrap();
    let mut alarms = Vec::new();
    for week in 0..4 {
        let key = WindowKey {
            service: "ventas".into(),
            model: "ventas".into(),
            version: 1,
            window_start: december.plus_seconds(week * WEEK),
        };
        store_sketch(registry, &key, "one", &sketch(&profile, 2.0)).await.unwrap();
        let verdict = monitor::judge(registry, Some(&fixture.log), &found, &key).await.unwrap().unwrap();
        let season = verdict.assessment.season.unwrap();
        assert_eq!(season.since, Some(jiff::civil::date(2022, 12, 7)), "{:?}", season.verdict);
        alarms.push(verdict.drifted);
    }
    assert_eq!(alarms, [false, false, true, true], "watched for 14 days, then an alarm that stays one");
    assert_eq!(fixture.alerts("drift").await, 1);
}

async fn rows_that_stay_away_and_rows_sent_again_are_told(fixture: &Fixture) {
    let registry = &fixture.registry;
    let (_, profile) = serve(fixture).await;
    let found = registry.get_service(&service()).await.unwrap().unwrap();
    let mut faults = Vec::new();
    for window in 0..6 {
        let key = key(fixture, window - 6);
        let (rows, repeated) = if window == 5 { (60, 30) } else { (200, 0) };
        let (first_at, last_at) = (key.window_start, key.window_start.plus_seconds(WINDOW - 2));
        let flow = FlowTotal { rows, repeated, first_at, last_at };
        store_flow(registry, &key, "one", &flow).await.unwrap();
        store_sketch(registry, &key, "one", &sketch(&profile, 0.0)).await.unwrap();
        let verdict = monitor::judge(registry, Some(&fixture.log), &found, &key).await.unwrap().unwrap();
        assert!(!verdict.drifted);
        faults = verdict.assessment.faults.iter().map(|fault| fault.check).collect();
        assert!(window == 5 || faults.is_empty(), "{faults:?}");
    }
    assert_eq!(faults, [Check::Duplicate, Check::Volume]);
    assert_eq!((fixture.alerts("data").await, fixture.alerts("drift").await), (1, 0));
}

async fn windows_without_rows_are_judged_as_well(fixture: &Fixture) {
    let registry = &fixture.registry;
    let (_, profile) = serve(fixture).await;
    let found = registry.get_service(&service()).await.unwrap().unwrap();
    let judge_due = || async {
        let mut judged = Vec::new();
        for key in monitor::due(registry, &found).await.unwrap() {
            let verdict = monitor::judge(registry, Some(&fixture.log), &found, &key).await.unwrap().unwrap();
            judged.push((key.window_start, verdict));
        }
        judged
    };
    for window in 0..5 {
        let key = key(fixture, window - 4);
        let (first_at, last_at) = (key.window_start, key.window_start.plus_seconds(WINDOW - 2));
        store_flow(registry, &key, "one", &FlowTotal { rows: 200, repeated: 0, first_at, last_at })
            .await
            .unwrap();
        let shift = if window == 4 { 2.0 } else { 0.0 };
        store_sketch(registry, &key, "one", &sketch(&profile, shift)).await.unwrap();
    }
    fixture.clock.advance_seconds(WINDOW);
    let judged = judge_due().await;
    assert_eq!(judged.len(), 5);
    assert!(judged[4].1.drifted && judged.iter().all(|(_, verdict)| verdict.assessment.faults.is_empty()));
    for silent in 0..3 {
        fixture.clock.advance_seconds(WINDOW);
        let judged = judge_due().await;
        assert_eq!(judged.len(), 1, "after {silent} windows without rows");
        let verdict = &judged[0].1;
        let checks: Vec<Check> = verdict.assessment.faults.iter().map(|fault| fault.check).collect();
        assert_eq!(checks, [Check::Freshness, Check::Volume], "what lasts is no more usual for that");
        assert!(verdict.assessment.few_rows && !verdict.drifted && verdict.verdict.rows == 0);
    }
    let told = alert::list(registry, None, &PageRequest::default()).await.unwrap().items;
    let digest = told.iter().find(|alert| alert.kind == "digest").unwrap();
    assert_eq!(digest.severity, "atencion", "as serious as what it holds");
    assert_eq!(digest.body["items"].as_array().unwrap().len(), 1, "the silence is told once");
    // The change is still there when rows come again: it was told before.
    let back = key(fixture, 0);
    let (first_at, last_at) = (back.window_start, back.window_start.plus_seconds(WINDOW - 2));
    store_flow(registry, &back, "one", &FlowTotal { rows: 200, repeated: 0, first_at, last_at })
        .await
        .unwrap();
    store_sketch(registry, &back, "one", &sketch(&profile, 2.0)).await.unwrap();
    fixture.clock.advance_seconds(WINDOW);
    let verdicts = judge_due().await;
    assert!(verdicts.last().unwrap().1.drifted);
    assert_eq!(fixture.alerts("drift").await, 1);
}

/// Trains the first version of a regression with held-out rows enough for an estimator.
async fn train_curve(fixture: &Fixture) -> Version {
    let registry = &fixture.registry;
    let worker = fixture.worker().await;
    fixture.upload(curve(1500)).await;
    let text = declaration(r#"kind = "gradient_boosting", trees = 60"#, "");
    let declared = pipeline::put(registry, &actor(), &fixture::pipeline(), &text).await.unwrap();
    let (job, _) =
        pipeline::start(&fixture.jobs, &actor(), &declared, pipeline::Trigger::Hand).await.unwrap();
    let ended = || async { fixture.jobs.get(&job.id).await.ok().filter(|job| job.state.terminal()) };
    assert_eq!(eventually("the training", ended).await.state, JobState::Succeeded);
    worker.shutdown().await;
    registry.get_version(&model("ventas"), 1).await.unwrap().unwrap()
}

async fn performance_is_estimated_and_measured_as_outcomes_come(fixture: &Fixture) {
    let registry = &fixture.registry;
    let version = train_curve(fixture).await;
    let estimator = registry.estimator(&model("ventas"), 1).await.unwrap().unwrap();
    assert!(estimator.loss_model.is_some(), "the losses of a regression are predicted by a model");
    let mut config = registry.get_service(&service()).await.unwrap().unwrap().config;
    config.monitor = MonitorPolicy { window_seconds: WINDOW, min_rows: 50, ignore: Vec::new() };
    config.worth = Some(Worth { per_error: Some(2.0), ..Worth::default() });
    registry.put_service(&actor(), &service(), config, "").await.unwrap();
    let found = registry.get_service(&service()).await.unwrap().unwrap();
    let profile = registry.profile_of(&version).await.unwrap().unwrap();
    let start = key(fixture, 0);
    let ids = log_curve(fixture, &version, (start.window_start, 300), &[]);
    let mut rows = WindowSketch::new(&profile);
    rows.rows = 300;
    store_sketch(registry, &start, "one", &rows).await.unwrap();
    monitor::judge(registry, Some(&fixture.log), &found, &start).await.unwrap().unwrap();
    let stored = performance::of_window(registry.db.pool(), &start).await.unwrap().unwrap();
    let estimate = &stored.performance.estimated[0];
    assert_eq!((estimate.measure.as_str(), stored.performance.labels), ("mean_absolute", 0));
    let (usual, accepted) = (estimate.thresholds.unwrap(), estimate.reference.unwrap());
    assert!((usual.lower..=usual.upper).contains(&accepted) && !stored.fell, "{estimate:?}");
    assert!((estimate.value - accepted).abs() < 3.0 * accepted, "{estimate:?}");

    // What really happened lies far from the answers: the estimate could not know.
    fixture.clock.advance_seconds(10);
    let outcomes: Vec<Outcome> = ids
        .into_iter()
        .map(|(id, answer)| Outcome {
            target: Target::Prediction(id),
            label: None,
            value: Some(answer + 5.0),
            converted: None,
            occurred_at: None,
        })
        .collect();
    registry.store_outcomes(&actor(), &outcomes, Some(&fixture.log)).await.unwrap();
    let next = key(fixture, 1);
    fixture.clock.advance_seconds(1);
    let stale = performance::stale(registry, &found, &next).await.unwrap();
    assert_eq!(stale, std::slice::from_ref(&start));
    // Two workers measure it at once.
    let refresh = || performance::refresh(registry, Some(&fixture.log), &found, &start);
    let (measured, other) = tokio::join!(refresh(), refresh());
    let measured = measured.unwrap().unwrap();
    assert_eq!(other.unwrap().unwrap(), measured);
    assert!(measured.fell && measured.performance.labels == 300);
    assert!((measured.performance.realized[0].value - 5.0).abs() < 1e-6);
    assert!(measured.performance.reconciliation.unwrap().contradicted);
    let value = measured.performance.value.unwrap();
    assert!((value.per_prediction + 10.0).abs() < 1e-6 && value.weekly_loss.dollars > 0.0, "{value:?}");
    assert_eq!((fixture.alerts("performance").await, fixture.alerts("digest").await), (1, 0));
    fixture.clock.advance_seconds(10);
    assert!(performance::stale(registry, &found, &next).await.unwrap().is_empty(), "nothing new came");

    // An outcome of another service's prediction of the same minute may be this one's, and is not.
    let foreign = Outcome {
        target: Target::Prediction(start.window_start.plus_seconds(1).new_id()),
        label: None,
        value: Some(1.0),
        converted: None,
        occurred_at: None,
    };
    registry.store_outcomes(&actor(), &[foreign], Some(&fixture.log)).await.unwrap();
    fixture.clock.advance_seconds(1);
    let next = key(fixture, 1);
    assert_eq!(performance::stale(registry, &found, &next).await.unwrap().len(), 1);
    let measured = performance::refresh(registry, Some(&fixture.log), &found, &start).await.unwrap();
    assert_eq!(measured, None, "what other services hear is not measured here");
    fixture.clock.advance_seconds(10);
    assert!(performance::stale(registry, &found, &next).await.unwrap().is_empty());
}

async fn values_of_personal_columns_are_never_told(fixture: &Fixture) {
    const WEEK: i64 = 7 * 86_400;
    // Thursday 15 December 2022, 0:00 UTC.
    let december = Micros(1_671_062_400_000_000);
    let registry = &fixture.registry;
    let version = train_curve(fixture).await;
    let mut config = registry.get_service(&service()).await.unwrap().unwrap().config;
    config.monitor = MonitorPolicy { window_seconds: WEEK, min_rows: 50, ignore: Vec::new() };
    config.personal = vec!["store".into()];
    config.key_field = Some("store".into());
    registry.put_service(&actor(), &service(), config.clone(), "").await.unwrap();
    let found = registry.get_service(&service()).await.unwrap().unwrap();
    for start in [december.plus_seconds(-365 * 86_400), december] {
        log_curve(fixture, &version, (start.plus_seconds(40 * 3600), 200), &config.personal);
    }
    let profile = registry.profile_of(&version).await.unwrap().unwrap();
    let mut window = WindowSketch::new(&profile);
    for row in 0..200 {
        window.rows += 1;
        for (sketch, column) in window.features.iter_mut().zip(&profile.features) {
            match column.name.as_str() {
                "store" => sketch.add_text(&column.reference, "Av. Uno 12"),
                _ => sketch.add_number(&column.reference, f64::from(row * 7 % 60) / 10.0 - 3.0),
            }
        }
    }
    let key = WindowKey {
        service: "ventas".into(),
        model: "ventas".into(),
        version: version.version,
        window_start: december,
    };
    store_sketch(registry, &key, "one", &window).await.unwrap();
    let verdict = monitor::judge(registry, Some(&fixture.log), &found, &key).await.unwrap().unwrap();
    assert!(verdict.verdict.drifted);
    assert!(verdict.assessment.faults.iter().any(|fault| fault.check == Check::Category));
    let season = verdict.assessment.season.as_ref().unwrap();
    assert_eq!(season.source, None, "pseudonyms of another year are compared with nothing");
    let alerts = alert::list(registry, None, &PageRequest::default()).await.unwrap().items;
    assert!(alerts.iter().any(|alert| alert.kind == "data"));
    let told = serde_json::to_string(&(&verdict, &alerts)).unwrap();
    assert!(!told.contains("Av. Uno 12") && !told.contains("Quito"), "{told}");
    let stored = performance::of_window(registry.db.pool(), &key).await.unwrap().unwrap();
    assert_eq!(stored.performance.not_estimated, Some(NotEstimated::PersonalInputs));
    assert!(stored.performance.estimated.is_empty());
}

/// Logs answers of a version to `rows` rows like those of [`curve`], as it gives them; ids and answers.
fn log_curve(
    fixture: &Fixture,
    version: &Version,
    (from, rows): (Micros, i64),
    personal: &[String],
) -> Vec<(uuid::Uuid, f64)> {
    let personal = Personal { columns: personal, key_field: None };
    let shape =
        Shape::of_signature(&service(), &model("ventas"), version.version, &version.signature, &personal);
    let mut told = Vec::new();
    for row in 0..rows {
        let at = Micros(from.0 + row * 1000);
        let x = (row * 7 % 60) as f64 / 10.0 - 3.0;
        let answer = x * x + 2.1;
        let inputs = version.signature.features.iter().map(|feature| match feature.name.as_str() {
            "store" => Value::Text("Quito"),
            _ => Value::Number(x),
        });
        let record = Record {
            id: at.new_id(),
            at,
            latency_us: 900,
            rollout: None,
            key: None,
            request_id: None,
            inputs: inputs.collect(),
            label: Value::Missing,
            score: None,
            value: Some(answer),
            error: false,
        };
        told.push((record.id, answer));
        fixture.log.append(&shape, &[record]).unwrap();
    }
    told
}
