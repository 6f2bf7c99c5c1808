//! Seasons: what the year before explains, and what it does not.

use chasqui_drift::calendar::{Calendar, Event, SeasonalVerdict};
use chasqui_pipelines::monitor;
use chasqui_pipelines::monitor::{SeasonSource, WindowKey, store_sketch};
use chasqui_registry::Micros;
use chasqui_registry::prediction_log::{Personal, Shape};
use chasqui_registry::service::{MonitorPolicy, Service, ServiceConfig};
use chasqui_registry::version::Version;

use crate::drift::{serve, sketch};
use crate::fixture::{Fixture, actor, answered, model, service};

on_both_databases!(
    a_season_explains_what_the_year_before_looked_like,
    a_change_that_outlasts_its_season_is_told_once,
);

const WEEK: i64 = 7 * 86_400;

/// Logs answers of the model `y = x + 1` at a time of their own.
fn log_at(fixture: &Fixture, version: &Version, at: Micros, rows: i64, shift: f64) {
    let personal = Personal { columns: &[], key_field: None };
    let shape =
        Shape::of_signature(&service(), &model("ventas"), version.version, &version.signature, &personal);
    let record = |row: i64| {
        let x = (row * 7 % 37) as f64 / 10.0 + shift;
        answered(version, Micros(at.0 + row), x, x + 1.0)
    };
    fixture.log.append(&shape, &(0..rows).map(record).collect::<Vec<_>>()).unwrap();
}

async fn watch_by_week(fixture: &Fixture) -> Service {
    let mut config = ServiceConfig::of_model(model("ventas"));
    config.monitor = MonitorPolicy { window_seconds: WEEK, min_rows: 50, ignore: Vec::new() };
    fixture.registry.put_service(&actor(), &service(), config, "").await.unwrap();
    fixture.registry.get_service(&service()).await.unwrap().unwrap()
}

async fn a_season_explains_what_the_year_before_looked_like(fixture: &Fixture) {
    // Thursday 15 December 2022, 0:00 UTC: a week of monitoring begins, nine days before the 24th.
    let december = Micros(1_671_062_400_000_000);
    let registry = &fixture.registry;
    let (version, profile) = serve(fixture).await;
    let found = watch_by_week(fixture).await;
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
    // Thursday 1 December 2022, 0:00 UTC; there are no rows of an earlier year.
    let december = Micros(1_669_852_800_000_000);
    let registry = &fixture.registry;
    let (_, profile) = serve(fixture).await;
    let found = watch_by_week(fixture).await;
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
