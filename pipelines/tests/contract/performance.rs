//! Performance without and with outcomes, and what is not told of personal columns.

use chasqui_drift::WindowSketch;
use chasqui_drift::quality::Check;
use chasqui_pipelines::jobs::JobState;
use chasqui_pipelines::monitor::performance::NotEstimated;
use chasqui_pipelines::monitor::{WindowKey, performance, store_sketch};
use chasqui_pipelines::{alert, monitor, pipeline};
use chasqui_registry::outcome::{Outcome, Target};
use chasqui_registry::prediction_log::{Personal, Shape};
use chasqui_registry::service::{MonitorPolicy, Worth};
use chasqui_registry::version::Version;
use chasqui_registry::{Micros, PageRequest};

use crate::drift::{WINDOW, key};
use crate::fixture::{self, Fixture, actor, answered, curve, declaration, eventually, model, service};

on_both_databases!(
    performance_is_estimated_and_measured_as_outcomes_come,
    values_of_personal_columns_are_never_told,
);

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
        let record = answered(version, at, x, answer);
        told.push((record.id, answer));
        fixture.log.append(&shape, &[record]).unwrap();
    }
    told
}
