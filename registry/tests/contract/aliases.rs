//! Aliases.

use chasqui_registry::alias::SetAlias;
use chasqui_registry::name::AliasName;
use chasqui_registry::{Error, PageRequest};

use crate::fixture::{Fixture, actor, model};
use crate::onnx::linear;

on_both_databases!(moves_and_lets_the_epoch_grow, names_only_what_exists, stays_while_a_service_routes_to_it);

async fn moves_and_lets_the_epoch_grow(fixture: &Fixture) {
    let registry = &fixture.registry;
    let name = model("ventas");
    fixture.register("ventas", linear(&[1.0])).await.unwrap();
    fixture.register("ventas", linear(&[2.0])).await.unwrap();
    let epoch = registry.epoch().await.unwrap();
    let champion = AliasName::champion();
    let set = SetAlias { model: &name, alias: &champion, version: 2, reason: "gana por 3 %" };
    assert_eq!(registry.set_alias(&actor(), set).await.unwrap().version, 2);
    assert_eq!(registry.resolve_alias(&name, &champion).await.unwrap(), Some(2));
    assert_eq!(registry.epoch().await.unwrap(), epoch + 1);
    let page = registry.list_audit(Some("alias:ventas@champion"), &PageRequest::default()).await.unwrap();
    let latest = &page.items[0];
    assert_eq!((page.items.len(), latest.reason.as_str()), (2, "gana por 3 %"));
    assert_eq!(latest.before.as_ref().unwrap()["version"], 1);
    assert_eq!(latest.after.as_ref().unwrap()["version"], 2);
}

async fn names_only_what_exists(fixture: &Fixture) {
    let registry = &fixture.registry;
    fixture.register("ventas", linear(&[1.0])).await.unwrap();
    let champion = AliasName::champion();
    for (name, version) in [("ventas", 2), ("ventas", 0), ("otra", 1)] {
        let name = model(name);
        let set = SetAlias { model: &name, alias: &champion, version, reason: "" };
        let refused = registry.set_alias(&actor(), set).await;
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    }
    assert_eq!(registry.resolve_alias(&model("ventas"), &champion).await.unwrap(), Some(1));
    assert_eq!(registry.resolve_alias(&model("otra"), &champion).await.unwrap(), None);
}

async fn stays_while_a_service_routes_to_it(fixture: &Fixture) {
    let registry = &fixture.registry;
    let name = model("ventas");
    fixture.register("ventas", linear(&[1.0])).await.unwrap();
    let refused = registry.remove_alias(&actor(), &name, &AliasName::champion(), "").await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    let absent = registry.remove_alias(&actor(), &name, &AliasName::challenger(), "").await;
    assert!(matches!(absent, Err(Error::NotFound(_))), "{absent:?}");
}
