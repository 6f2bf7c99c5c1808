//! Outcomes: durable, repeatable, joined to their predictions.

use chasqui_registry::name::ModelName;
use chasqui_registry::outcome::{Outcome, StoredOutcomes, Target};
use chasqui_registry::prediction_log::{FeatureColumn, Shape};
use chasqui_registry::{Error, Micros, PageRequest};
use chasqui_runtime::FeatureKind;
use uuid::Uuid;

use crate::fixture::{Fixture, START, actor, record, service, shape};
use crate::on_both_databases;

on_both_databases!(
    the_same_again_changes_nothing,
    the_last_one_wins_field_by_field_and_is_audited,
    ten_thousand_at_once,
    all_or_none,
    are_found_by_service_key_and_time,
    are_found_by_a_personal_key,
    are_counted_by_arrival,
);

fn outcome(id: Uuid, label: &str) -> Outcome {
    let target = Target::Prediction(id);
    Outcome { target, label: Some(label.to_owned()), value: None, converted: None, occurred_at: None }
}

fn by_key(key: &str, at: Micros) -> Outcome {
    let target = Target::Key { service: service("s"), key: key.to_owned(), at };
    Outcome { target, label: None, value: Some(7.0), converted: Some(true), occurred_at: Some(at) }
}

async fn the_same_again_changes_nothing(fixture: &Fixture) {
    let registry = &fixture.registry;
    let id = START.new_id();
    let first = registry.store_outcomes(&actor(), &[outcome(id, "sí")], None).await.unwrap();
    assert_eq!(first, StoredOutcomes { stored: 1, ..StoredOutcomes::default() });
    let kept = registry.get_outcome(id).await.unwrap().unwrap();
    fixture.clock.advance_seconds(5);
    let again = registry.store_outcomes(&actor(), &[outcome(id, "sí")], None).await.unwrap();
    assert_eq!(again, StoredOutcomes { unchanged: 1, ..StoredOutcomes::default() });
    assert_eq!(registry.get_outcome(id).await.unwrap().unwrap(), kept);
    assert!(registry.list_audit(None, &PageRequest::default()).await.unwrap().items.is_empty());
}

async fn the_last_one_wins_field_by_field_and_is_audited(fixture: &Fixture) {
    let registry = &fixture.registry;
    let id = START.new_id();
    let mut late = outcome(id, "no");
    late.value = Some(12.5);
    registry.store_outcomes(&actor(), &[outcome(id, "sí"), late], None).await.unwrap();
    let mut converted = outcome(id, "sí");
    (converted.label, converted.converted) = (None, Some(true));
    let done = registry.store_outcomes(&actor(), &[converted], None).await.unwrap();
    assert_eq!(done.updated, 1);
    let kept = registry.get_outcome(id).await.unwrap().unwrap();
    assert_eq!((kept.label.as_deref(), kept.value, kept.converted), (Some("no"), Some(12.5), Some(true)));
    let audit = registry.list_audit(Some("outcomes"), &PageRequest::default()).await.unwrap();
    assert_eq!(audit.items[0].action, "outcome.update");
    assert_eq!(audit.items[0].after.as_ref().unwrap()["count"], 1);
}

async fn ten_thousand_at_once(fixture: &Fixture) {
    let outcomes: Vec<Outcome> = (0..10_000).map(|n| outcome(START.new_id(), &n.to_string())).collect();
    let registry = &fixture.registry;
    assert_eq!(registry.store_outcomes(&actor(), &outcomes, None).await.unwrap().stored, 10_000);
    assert_eq!(registry.store_outcomes(&actor(), &outcomes, None).await.unwrap().unchanged, 10_000);
    let Target::Prediction(id) = outcomes[9_999].target else { panic!() };
    assert_eq!(registry.get_outcome(id).await.unwrap().unwrap().label.as_deref(), Some("9999"));
}

async fn all_or_none(fixture: &Fixture) {
    let registry = &fixture.registry;
    let (good, bad) = (outcome(START.new_id(), "sí"), outcome(START.new_id(), "\0"));
    let refused = registry.store_outcomes(&actor(), &[good, bad], None).await;
    assert!(
        matches!(&refused, Err(Error::Invalid(message)) if message.starts_with("outcome 1:")),
        "{refused:?}"
    );
    assert_eq!(registry.count_outcomes(Micros(0), Micros(i64::MAX)).await.unwrap(), 0);
}

async fn are_found_by_service_key_and_time(fixture: &Fixture) {
    let registry = &fixture.registry;
    let log = fixture.log();
    let hour = |hours: i64| START.plus_seconds(hours * 3600);
    let records: Vec<_> = [0, 10, 100].into_iter().map(|hours| record(hour(hours), "tienda 7")).collect();
    log.append(&shape("s", 1), &records[..2]).unwrap();
    log.seal_all(registry).await.unwrap();
    log.append(&shape("s", 1), &records[2..]).unwrap();
    log.append(&shape("t", 1), &[record(hour(6), "tienda 7")]).unwrap();
    let outcomes = [
        by_key("tienda 7", hour(6)),
        by_key("tienda 8", hour(6)),
        by_key("tienda 7", hour(99)),
        by_key("tienda 7", hour(60)),
    ];
    let done = registry.store_outcomes(&actor(), &outcomes, Some(&log)).await.unwrap();
    assert_eq!(done, StoredOutcomes { stored: 2, unmatched: vec![1, 3], ..StoredOutcomes::default() });
    let kept = registry.get_outcome(records[1].id).await.unwrap().unwrap();
    assert_eq!((kept.service, kept.value, kept.occurred_at), (Some(service("s")), Some(7.0), hour(6)));
    assert!(registry.get_outcome(records[2].id).await.unwrap().is_some());
    assert!(registry.get_outcome(records[0].id).await.unwrap().is_none());
}

async fn are_found_by_a_personal_key(fixture: &Fixture) {
    let log = fixture.log();
    let features = vec![FeatureColumn { name: "cédula".into(), kind: FeatureKind::Text, personal: true }];
    let shape = Shape::new(service("s"), ModelName::try_from("m").unwrap(), 1, features, true);
    let mut prediction = record(START, "1712345678");
    prediction.inputs.remove(0);
    log.append(&shape, std::slice::from_ref(&prediction)).unwrap();
    let done =
        fixture.registry.store_outcomes(&actor(), &[by_key("1712345678", START)], Some(&log)).await.unwrap();
    assert_eq!(done.stored, 1);
    assert!(fixture.registry.get_outcome(prediction.id).await.unwrap().is_some());
}

async fn are_counted_by_arrival(fixture: &Fixture) {
    let registry = &fixture.registry;
    registry.store_outcomes(&actor(), &[outcome(START.new_id(), "a")], None).await.unwrap();
    fixture.clock.advance_seconds(1);
    registry.store_outcomes(&actor(), &[outcome(START.new_id(), "b")], None).await.unwrap();
    let next = START.plus_seconds(1);
    assert_eq!(registry.count_outcomes(START, next).await.unwrap(), 1);
    assert_eq!(registry.count_outcomes(START, next.plus_seconds(1)).await.unwrap(), 2);
}
