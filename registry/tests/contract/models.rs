//! Models.

use chasqui_registry::model::NewModel;
use chasqui_registry::{Error, PageRequest};
use chasqui_runtime::Task;

use crate::fixture::{Fixture, actor, model, service};
use crate::onnx::linear;

on_both_databases!(
    is_created_once,
    is_listed_in_pages,
    is_found_by_part_of_its_name,
    is_deleted_and_restored,
    stays_while_a_service_answers_with_it,
);

async fn is_created_once(fixture: &Fixture) {
    let registry = &fixture.registry;
    let new = NewModel { description: "Ventas — por día".into(), task: Some(Task::Regression) };
    let created = registry.create_model(&actor(), &model("ventas"), new.clone()).await.unwrap();
    assert_eq!(registry.get_model(&model("ventas")).await.unwrap(), Some(created));
    let again = registry.create_model(&actor(), &model("ventas"), new).await;
    assert!(matches!(again, Err(Error::AlreadyExists(_))), "{again:?}");
    assert_eq!(registry.get_model(&model("otra")).await.unwrap(), None);
    let nul = NewModel { description: "a\0b".into(), task: None };
    assert!(matches!(registry.create_model(&actor(), &model("nul"), nul).await, Err(Error::Invalid(_))));
}

async fn is_listed_in_pages(fixture: &Fixture) {
    let registry = &fixture.registry;
    for name in ["e", "b", "d", "a", "c"] {
        registry.create_model(&actor(), &model(name), NewModel::default()).await.unwrap();
    }
    let mut names = Vec::new();
    let mut cursor = None;
    loop {
        let request = PageRequest::new(cursor, Some(2)).unwrap();
        let page = registry.list_models(None, &request).await.unwrap();
        names.extend(page.items.iter().map(|model| model.name.to_string()));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
}

async fn is_found_by_part_of_its_name(fixture: &Fixture) {
    let registry = &fixture.registry;
    for name in ["Ventas Quito", "ventas_gye", "ventasXgye", "AÑO"] {
        registry.create_model(&actor(), &model(name), NewModel::default()).await.unwrap();
    }
    for (search, found) in [("VENTAS", 3), ("s_g", 1), ("%", 0), ("AÑO", 1), ("quito", 1), ("!", 0)] {
        let page = registry.list_models(Some(search), &PageRequest::default()).await.unwrap();
        assert_eq!(page.items.len(), found, "{search}");
    }
}

async fn is_deleted_and_restored(fixture: &Fixture) {
    let registry = &fixture.registry;
    let name = model("ventas");
    registry.create_model(&actor(), &name, NewModel::default()).await.unwrap();
    registry.delete_model(&actor(), &name, "se acabó").await.unwrap();
    assert_eq!(registry.get_model(&name).await.unwrap(), None);
    assert!(registry.list_models(None, &PageRequest::default()).await.unwrap().items.is_empty());
    assert!(matches!(registry.delete_model(&actor(), &name, "").await, Err(Error::NotFound(_))));
    let registered = fixture.register("ventas", linear(&[1.0])).await;
    assert!(matches!(registered, Err(Error::Conflict(_))), "{registered:?}");
    assert!(registry.artifacts.artifacts().await.unwrap().is_empty());
    registry.restore_model(&actor(), &name, "").await.unwrap();
    assert!(registry.get_model(&name).await.unwrap().is_some());
    assert!(matches!(registry.restore_model(&actor(), &name, "").await, Err(Error::NotFound(_))));
}

async fn stays_while_a_service_answers_with_it(fixture: &Fixture) {
    let registry = &fixture.registry;
    fixture.register("ventas", linear(&[1.0])).await.unwrap();
    let refused = registry.delete_model(&actor(), &model("ventas"), "").await;
    assert!(matches!(&refused, Err(Error::Conflict(why)) if why.contains("ventas")), "{refused:?}");
    registry.delete_service(&actor(), &service("ventas"), "").await.unwrap();
    registry.delete_model(&actor(), &model("ventas"), "").await.unwrap();
    assert!(registry.get_version(&model("ventas"), 1).await.unwrap().is_none());
}
