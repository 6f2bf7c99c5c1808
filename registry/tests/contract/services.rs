//! Services.

use chasqui_registry::name::AliasName;
use chasqui_registry::service::{ServiceConfig, Target};
use chasqui_registry::{Error, PageRequest};

use crate::fixture::{Fixture, actor, model, service};
use crate::onnx::linear;

on_both_databases!(
    is_put_read_and_put_again,
    routes_only_to_what_exists,
    does_not_break_its_callers,
    is_deleted_and_brought_back,
);

async fn is_put_read_and_put_again(fixture: &Fixture) {
    let registry = &fixture.registry;
    fixture.register("ventas", linear(&[1.0])).await.unwrap();
    let mut config = ServiceConfig::of_model(model("ventas"));
    config.personal = vec!["cédula".into()];
    config.key_field = Some("tienda".into());
    config.monitor.window_seconds = 5;
    let name = service("ventas-quito");
    let created = registry.put_service(&actor(), &name, config.clone(), "").await.unwrap();
    assert_eq!(registry.get_service(&name).await.unwrap(), Some(created.clone()));
    fixture.clock.advance_seconds(1);
    config.slo_ms = 50.0;
    let epoch = registry.epoch().await.unwrap();
    let changed = registry.put_service(&actor(), &name, config.clone(), "más rápido").await.unwrap();
    assert_eq!((changed.created_at, &changed.config), (created.created_at, &config));
    assert!(changed.updated_at > created.updated_at);
    assert_eq!(registry.epoch().await.unwrap(), epoch + 1);
    let page = registry.list_services(&PageRequest::default()).await.unwrap();
    let names: Vec<&str> = page.items.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["ventas", "ventas-quito"]);
    let audit = registry.list_audit(Some("service:ventas-quito"), &PageRequest::default()).await.unwrap();
    let actions: Vec<&str> = audit.items.iter().map(|record| record.action.as_str()).collect();
    assert_eq!(actions, ["service.update", "service.create"]);
}

async fn routes_only_to_what_exists(fixture: &Fixture) {
    let registry = &fixture.registry;
    fixture.register("ventas", linear(&[1.0])).await.unwrap();
    let mut absent_alias = ServiceConfig::of_model(model("ventas"));
    absent_alias.routing.stable = Target::Alias(AliasName::try_from("dorado").unwrap());
    let mut absent_version = ServiceConfig::of_model(model("ventas"));
    absent_version.routing.stable = Target::Version(9);
    for config in [absent_alias, absent_version, ServiceConfig::of_model(model("otra"))] {
        let refused = registry.put_service(&actor(), &service("s"), config, "").await;
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    }
    assert!(registry.get_service(&service("s")).await.unwrap().is_none());
}

async fn does_not_break_its_callers(fixture: &Fixture) {
    let registry = &fixture.registry;
    fixture.register("dos", linear(&[1.0, 2.0])).await.unwrap();
    fixture.register("tres", linear(&[1.0, 2.0, 3.0])).await.unwrap();
    let config = ServiceConfig::of_model(model("tres"));
    let refused = registry.put_service(&actor(), &service("dos"), config, "").await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    let kept = registry.get_service(&service("dos")).await.unwrap().unwrap();
    assert_eq!(kept.config.model, model("dos"));
}

async fn is_deleted_and_brought_back(fixture: &Fixture) {
    let registry = &fixture.registry;
    fixture.register("ventas", linear(&[1.0])).await.unwrap();
    registry.delete_service(&actor(), &service("ventas"), "").await.unwrap();
    assert!(registry.get_service(&service("ventas")).await.unwrap().is_none());
    let absent = registry.delete_service(&actor(), &service("ventas"), "").await;
    assert!(matches!(absent, Err(Error::NotFound(_))), "{absent:?}");
    let config = ServiceConfig::of_model(model("ventas"));
    registry.put_service(&actor(), &service("ventas"), config, "").await.unwrap();
    assert_eq!(registry.all_services().await.unwrap().len(), 1);
}
