//! Versions and their registration.

use bytes::Bytes;
use chasqui_drift::{ColumnProfile, Profile, Reference};
use chasqui_registry::estimator::EstimatorBytes;
use chasqui_registry::name::AliasName;
use chasqui_registry::service::ServiceConfig;
use chasqui_registry::version::NewVersion;
use chasqui_registry::{Error, PageRequest};
use chasqui_runtime::Limits;

use crate::fixture::{Fixture, actor, model, service};
use crate::onnx::{linear, unsupported};

on_both_databases!(
    the_first_becomes_champion_with_a_service,
    a_later_one_becomes_challenger_and_changes_nothing,
    the_same_bytes_are_the_same_version,
    a_broken_file_leaves_nothing_behind,
    a_clash_with_the_champion_is_refused,
    everything_said_is_kept,
    senseless_words_are_refused,
    numbers_are_never_used_twice,
    what_is_in_use_is_not_deleted,
    many_at_once_get_a_number_each,
    the_same_bytes_at_once_are_one_version,
    an_estimator_is_written_with_its_audit_entry,
);

async fn the_first_becomes_champion_with_a_service(fixture: &Fixture) {
    let registry = &fixture.registry;
    let epoch = registry.epoch().await.unwrap();
    let bytes = linear(&[1.0, 2.0]);
    let version = fixture.register("ventas", bytes.clone()).await.unwrap();
    assert_eq!((version.version, version.size_bytes), (1, bytes.len() as i64));
    assert_eq!(version.signature.inputs[0].shape, [-1, 2]);
    assert_eq!(registry.get_version(&model("ventas"), 1).await.unwrap().as_ref(), Some(&version));
    assert_eq!(registry.version_bytes(&version).await.unwrap(), bytes);
    let champion = registry.resolve_alias(&model("ventas"), &AliasName::champion()).await.unwrap();
    assert_eq!(champion, Some(1));
    let config = registry.get_service(&service("ventas")).await.unwrap().unwrap().config;
    assert_eq!(config, ServiceConfig::of_model(model("ventas")));
    let target = registry.resolve_target(&model("ventas"), &config.routing.stable).await.unwrap();
    assert_eq!(target, Some(1));
    assert!(registry.epoch().await.unwrap() > epoch);
    let audit = registry.list_audit(None, &PageRequest::default()).await.unwrap().items;
    let actions: Vec<&str> = audit.iter().rev().map(|record| record.action.as_str()).collect();
    assert_eq!(actions, ["model.create", "version.register", "alias.set", "service.create"]);
    assert!(audit.iter().all(|record| record.actor == "author"));
}

async fn an_estimator_is_written_with_its_audit_entry(fixture: &Fixture) {
    let registry = &fixture.registry;
    fixture.register("ventas", linear(&[1.0, 2.0])).await.unwrap();
    for reference in [r#"{"rows":60}"#, r#"{"rows":80}"#] {
        let bytes = EstimatorBytes { reference: reference.into(), loss_model: None };
        registry.put_estimator(&actor(), &model("ventas"), 1, bytes.clone()).await.unwrap();
        assert_eq!(registry.estimator(&model("ventas"), 1).await.unwrap(), Some(bytes));
    }
    let audit = registry.list_audit(None, &PageRequest::default()).await.unwrap().items;
    let puts: Vec<_> = audit.iter().filter(|entry| entry.action == "estimator.put").collect();
    assert_eq!(puts.len(), 2);
    assert_eq!((puts[0].subject.as_str(), puts[0].actor.as_str()), ("version:ventas/1", "author"));
    assert!(puts[1].before.is_none() && puts[0].before == puts[1].after);
    // Nothing is written where no version is.
    let bytes = EstimatorBytes { reference: "{}".into(), loss_model: None };
    assert!(registry.put_estimator(&actor(), &model("ventas"), 9, bytes).await.is_err());
    assert_eq!(registry.verify_audit().await.unwrap().broken_at, None);
}

async fn a_later_one_becomes_challenger_and_changes_nothing(fixture: &Fixture) {
    let registry = &fixture.registry;
    for weight in [1.0, 2.0, 3.0] {
        fixture.register("ventas", linear(&[weight])).await.unwrap();
    }
    let aliases = registry.list_aliases(&model("ventas")).await.unwrap();
    let aliases: Vec<_> = aliases.iter().map(|alias| (alias.alias.as_str(), alias.version)).collect();
    assert_eq!(aliases, [("challenger", 3), ("champion", 1)]);
    let page =
        registry.list_versions(&model("ventas"), &PageRequest::new(None, Some(2)).unwrap()).await.unwrap();
    let numbers: Vec<i64> = page.items.iter().map(|version| version.version).collect();
    assert_eq!((numbers, page.next_cursor.as_deref()), (vec![3, 2], Some("2")));
    assert_eq!(registry.all_services().await.unwrap().len(), 1);
}

async fn the_same_bytes_are_the_same_version(fixture: &Fixture) {
    let registry = &fixture.registry;
    let first = fixture.register("ventas", linear(&[1.0])).await.unwrap();
    let epoch = registry.epoch().await.unwrap();
    fixture.clock.advance_seconds(60);
    assert_eq!(fixture.register("ventas", linear(&[1.0])).await.unwrap(), first);
    assert_eq!(registry.epoch().await.unwrap(), epoch);
    let other_names = NewVersion { feature_names: Some(vec!["precio".into()]), ..NewVersion::default() };
    let clash = registry.register_version(&actor(), &model("ventas"), linear(&[1.0]), other_names).await;
    assert!(matches!(clash, Err(Error::Conflict(_))), "{clash:?}");
    let elsewhere = fixture.register("compras", linear(&[1.0])).await.unwrap();
    assert_eq!((elsewhere.version, &elsewhere.sha256), (1, &first.sha256));
}

async fn a_broken_file_leaves_nothing_behind(fixture: &Fixture) {
    let registry = &fixture.registry;
    let whole = linear(&[1.0, 2.0]);
    let broken: [(&str, Bytes); 4] = [
        ("empty", Bytes::new()),
        ("not ONNX", Bytes::from_static(b"PK\x03\x04 this is a zip file, or says so")),
        ("truncated", whole.slice(..whole.len() - 7)),
        ("unsupported", unsupported()),
    ];
    for (what, bytes) in broken {
        let refused = fixture.register("ventas", bytes).await;
        assert!(matches!(&refused, Err(Error::Invalid(why)) if !why.is_empty()), "{what}: {refused:?}");
    }
    let limits = Limits { max_bytes: 16, ..Limits::default() };
    let new = NewVersion { limits, ..NewVersion::default() };
    let refused = registry.register_version(&actor(), &model("ventas"), whole, new).await;
    assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");

    assert!(registry.get_model(&model("ventas")).await.unwrap().is_none());
    assert!(registry.artifacts.artifacts().await.unwrap().is_empty());
    assert!(registry.list_audit(None, &PageRequest::default()).await.unwrap().items.is_empty());
}

async fn a_clash_with_the_champion_is_refused(fixture: &Fixture) {
    let registry = &fixture.registry;
    fixture.register("ventas", linear(&[1.0, 2.0])).await.unwrap();
    let refused = fixture.register("ventas", linear(&[1.0, 2.0, 3.0])).await;
    assert!(matches!(&refused, Err(Error::Conflict(why)) if why.contains("version 1")), "{refused:?}");
    assert_eq!(registry.artifacts.artifacts().await.unwrap().len(), 1);
    assert_eq!(
        registry.list_versions(&model("ventas"), &PageRequest::default()).await.unwrap().items.len(),
        1
    );
}

async fn everything_said_is_kept(fixture: &Fixture) {
    let registry = &fixture.registry;
    let values: Vec<f64> = (0..500).map(f64::from).collect();
    let reference = Reference::of_numbers(&values);
    let column = ColumnProfile { name: "precio".into(), importance: Some(1.0), reference };
    let profile = Profile { rows: 500, features: vec![column], prediction: None };
    let new = NewVersion {
        metrics: [("mae".to_owned(), 0.1 + 0.2)].into(),
        params: [("árboles".to_owned(), "100".to_owned())].into(),
        tags: [("equipo".to_owned(), "datos".to_owned())].into(),
        card: "# Ventas\nPredice *ventas* diarias.".into(),
        profile: Some(profile.clone()),
        feature_names: Some(vec!["precio".into()]),
        lineage: serde_json::from_str(
            r#"{"dataset": {"name": "ventas 2024", "version": 7}, "code_revision": "abc123"}"#,
        )
        .unwrap(),
        ..NewVersion::default()
    };
    let said = new.clone();
    registry.register_version(&actor(), &model("ventas"), linear(&[1.0]), new).await.unwrap();
    let kept = registry.get_version(&model("ventas"), 1).await.unwrap().unwrap();
    assert_eq!((&kept.metrics, &kept.params, &kept.tags), (&said.metrics, &said.params, &said.tags));
    assert_eq!((&kept.lineage, &kept.card), (&said.lineage, &said.card));
    assert_eq!(kept.signature.features[0].name, "precio");
    // What JSON makes of it: without serde_json's `float_roundtrip` a number may be read one unit in the last
    // place off.
    let as_json: Profile = serde_json::from_slice(&serde_json::to_vec(&profile).unwrap()).unwrap();
    assert_eq!(registry.profile_of(&kept).await.unwrap().unwrap(), as_json);
    assert_eq!(kept.created_by, actor());
}

async fn senseless_words_are_refused(fixture: &Fixture) {
    let registry = &fixture.registry;
    let senseless = [
        NewVersion { metrics: [("mae".to_owned(), f64::NAN)].into(), ..NewVersion::default() },
        NewVersion { card: "\0".into(), ..NewVersion::default() },
        NewVersion { feature_names: Some(vec!["a".into(), "b".into()]), ..NewVersion::default() },
    ];
    for new in senseless {
        let refused = registry.register_version(&actor(), &model("ventas"), linear(&[1.0]), new).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    assert!(registry.artifacts.artifacts().await.unwrap().is_empty());
}

async fn numbers_are_never_used_twice(fixture: &Fixture) {
    let registry = &fixture.registry;
    for weight in [1.0, 2.0, 3.0] {
        fixture.register("ventas", linear(&[weight])).await.unwrap();
    }
    registry.remove_alias(&actor(), &model("ventas"), &AliasName::challenger(), "").await.unwrap();
    registry.delete_version(&actor(), &model("ventas"), 3, "error de datos").await.unwrap();
    assert!(registry.get_version(&model("ventas"), 3).await.unwrap().is_none());
    assert_eq!(fixture.register("ventas", linear(&[3.0])).await.unwrap().version, 4);
}

async fn what_is_in_use_is_not_deleted(fixture: &Fixture) {
    let registry = &fixture.registry;
    fixture.register("ventas", linear(&[1.0])).await.unwrap();
    let refused = registry.delete_version(&actor(), &model("ventas"), 1, "").await;
    assert!(matches!(&refused, Err(Error::Conflict(why)) if why.contains("champion")), "{refused:?}");
    let absent = registry.delete_version(&actor(), &model("ventas"), 2, "").await;
    assert!(matches!(absent, Err(Error::NotFound(_))), "{absent:?}");

    fixture.register("ventas", linear(&[2.0])).await.unwrap();
    let mut config = ServiceConfig::of_model(model("ventas"));
    config.routing.stable = serde_json::from_str(r#"{"version": 2}"#).unwrap();
    registry.put_service(&actor(), &service("ventas"), config, "").await.unwrap();
    registry.remove_alias(&actor(), &model("ventas"), &AliasName::challenger(), "").await.unwrap();
    let refused = registry.delete_version(&actor(), &model("ventas"), 2, "").await;
    assert!(matches!(&refused, Err(Error::Conflict(why)) if why.contains("service")), "{refused:?}");
}

async fn many_at_once_get_a_number_each(fixture: &Fixture) {
    let registrations = (0..12).map(|weight| fixture.register("ventas", linear(&[weight as f32])));
    let versions = futures::future::join_all(registrations).await;
    let mut numbers: Vec<i64> = versions.into_iter().map(|version| version.unwrap().version).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=12).collect::<Vec<i64>>());
    let champion = fixture.registry.resolve_alias(&model("ventas"), &AliasName::champion()).await.unwrap();
    assert_eq!(champion, Some(1));
    let challenger =
        fixture.registry.resolve_alias(&model("ventas"), &AliasName::challenger()).await.unwrap();
    assert_eq!(challenger, Some(12));
    let check = fixture.registry.verify_audit().await.unwrap();
    assert_eq!((check.entries, check.broken_at), (1 + 12 + 12 + 1, None));
}

async fn the_same_bytes_at_once_are_one_version(fixture: &Fixture) {
    let registrations = (0..8).map(|_| fixture.register("ventas", linear(&[1.0])));
    for version in futures::future::join_all(registrations).await {
        assert_eq!(version.unwrap().version, 1);
    }
    let page = fixture.registry.list_versions(&model("ventas"), &PageRequest::default()).await.unwrap();
    assert_eq!(page.items.len(), 1);
}
