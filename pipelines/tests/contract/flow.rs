//! Flow: rows that stay away, rows sent again, windows without any.

use chasqui_drift::quality::Check;
use chasqui_pipelines::monitor::{FlowTotal, store_flow, store_sketch};
use chasqui_pipelines::{alert, monitor};
use chasqui_registry::PageRequest;

use crate::drift::{WINDOW, key, serve, sketch};
use crate::fixture::{Fixture, service};

on_both_databases!(rows_that_stay_away_and_rows_sent_again_are_told, windows_without_rows_are_judged_as_well,);

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
