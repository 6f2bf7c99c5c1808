//! Versions: numbered, repeatable, audited.

use chasqui_registry::PageRequest;
use chasqui_registry::dataset::Upload;
use chasqui_registry::name::DatasetName;

use crate::fixture::{Fixture, actor, name};

macro_rules! on_both_databases {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(&crate::fixture::Fixture::sqlite().await).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test]
                async fn $test() {
                    let Some(fixture) = crate::fixture::Fixture::postgres().await else { return };
                    super::$test(&fixture).await;
                    fixture.drop_schema().await;
                }
            )*
        }
    };
}

on_both_databases!(
    the_same_table_is_the_same_version,
    additions_at_once_get_numbers_of_their_own,
    are_listed
);

async fn the_same_table_is_the_same_version(fixture: &Fixture) {
    let first = fixture.upload("a,b\n1,x\n2,y\n", Upload::default()).await.unwrap();
    let second = fixture.upload("a,b\n1,x\n", Upload::default()).await.unwrap();
    let again = fixture.upload("a,b\n1,x\n2,y\n", Upload::default()).await.unwrap();
    assert_eq!((first.version, second.version), (1, 2));
    assert_eq!(first, again);
    assert_eq!(fixture.registry.artifacts.artifacts().await.unwrap().len(), 2);
    let audit = fixture.registry.list_audit(None, &PageRequest::default()).await.unwrap();
    let entries: Vec<_> =
        audit.items.iter().map(|entry| (entry.action.as_str(), entry.subject.as_str())).collect();
    let added = "dataset.add_version";
    let expected =
        [(added, "dataset:datos/2"), (added, "dataset:datos/1"), ("dataset.create", "dataset:datos")];
    assert_eq!(entries, expected);
}

async fn additions_at_once_get_numbers_of_their_own(fixture: &Fixture) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..12 {
        let registry = fixture.registry.clone();
        tasks.spawn(async move {
            let text = format!("a,b\n{},x\n", number % 6);
            registry
                .add_dataset_version(&actor(), &name("datos"), text.into(), Upload::default())
                .await
                .unwrap()
        });
    }
    let mut numbers: Vec<i64> = tasks.join_all().await.iter().map(|version| version.version).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
}

async fn are_listed(fixture: &Fixture) {
    let registry = &fixture.registry;
    for text in ["a\n1\n", "a\n2\n", "a\n3\n"] {
        fixture.upload(text, Upload::default()).await.unwrap();
    }
    registry.add_dataset_version(&actor(), &name("otros"), "a\n1\n".into(), Upload::default()).await.unwrap();
    let datasets = registry.list_datasets(&PageRequest::default()).await.unwrap().items;
    let names: Vec<_> =
        datasets.iter().map(|dataset| (dataset.name.as_str(), dataset.latest_version)).collect();
    assert_eq!(names, [("datos", 3), ("otros", 1)]);
    assert_eq!(registry.get_dataset(&name("datos")).await.unwrap().unwrap(), datasets[0]);
    let page = PageRequest::new(None, Some(2)).unwrap();
    let first = registry.list_dataset_versions(&name("datos"), &page).await.unwrap();
    let page = PageRequest::new(first.next_cursor, Some(2)).unwrap();
    let second = registry.list_dataset_versions(&name("datos"), &page).await.unwrap();
    let listed: Vec<i64> = first.items.iter().chain(&second.items).map(|version| version.version).collect();
    assert_eq!((listed, second.next_cursor), (vec![3, 2, 1], None));
    let latest = registry.get_dataset_version(&name("datos"), None).await.unwrap().unwrap();
    assert_eq!(latest, first.items[0]);
    assert_eq!(registry.get_dataset_version(&name("datos"), Some(2)).await.unwrap().unwrap(), first.items[1]);
    assert!(registry.get_dataset_version(&name("datos"), Some(9)).await.unwrap().is_none());
    let absent: DatasetName = name("ninguno");
    assert!(registry.read_dataset(&absent, 1).await.unwrap_err().to_string().contains("ninguno/1"));
    assert!(registry.get_dataset(&absent).await.unwrap().is_none());
}
