//! The audit log.

use chasqui_registry::audit::{self, Entry};
use chasqui_registry::{PageRequest, Registry};
use serde_json::json;

use crate::fixture::{Fixture, actor};

on_both_databases!(
    goes_with_its_transaction,
    is_read_newest_first_in_pages,
    writers_at_once_make_one_chain,
    a_changed_entry_is_found,
    a_missing_entry_is_found,
);

async fn append(registry: &Registry, number: usize) {
    let mut tx = registry.db.begin().await.unwrap();
    let entry = Entry {
        actor: &actor(),
        action: "test.append",
        subject: format!("test:{}", number % 2),
        before: None,
        after: Some(json!({ "número": number })),
        reason: "prueba",
    };
    audit::record(&mut tx, registry.now(), entry).await.unwrap();
    tx.commit().await.unwrap();
}

async fn goes_with_its_transaction(fixture: &Fixture) {
    let registry = &fixture.registry;
    let mut tx = registry.db.begin().await.unwrap();
    let actor = actor();
    let entry = |subject: &str| Entry {
        actor: &actor,
        action: "test.append",
        subject: subject.to_owned(),
        before: None,
        after: None,
        reason: "",
    };
    assert_eq!(audit::record(&mut tx, registry.now(), entry("a")).await.unwrap(), 1);
    assert_eq!(audit::record(&mut tx, registry.now(), entry("b")).await.unwrap(), 2);
    tx.rollback().await.unwrap();
    assert_eq!(registry.verify_audit().await.unwrap().entries, 0);
    append(registry, 1).await;
    assert_eq!(registry.verify_audit().await.unwrap().entries, 1);
}

async fn is_read_newest_first_in_pages(fixture: &Fixture) {
    for number in 0..5 {
        append(&fixture.registry, number).await;
    }
    let first = PageRequest::new(None, Some(2)).unwrap();
    let page = fixture.registry.list_audit(Some("test:0"), &first).await.unwrap();
    let places: Vec<i64> = page.items.iter().map(|record| record.seq).collect();
    assert_eq!(places, [5, 3]);
    assert_eq!(page.items[0].after, Some(json!({ "número": 4 })));
    let second = PageRequest::new(page.next_cursor, Some(2)).unwrap();
    let page = fixture.registry.list_audit(Some("test:0"), &second).await.unwrap();
    assert_eq!((page.items.len(), page.items[0].seq, page.next_cursor), (1, 1, None));
}

async fn writers_at_once_make_one_chain(fixture: &Fixture) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40 {
        let registry = fixture.registry.clone();
        tasks.spawn(async move { append(&registry, number).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let check = fixture.registry.verify_audit().await.unwrap();
    assert_eq!((check.entries, check.broken_at), (40, None));
    assert_eq!(check.last.unwrap().seq, 40);
}

async fn a_changed_entry_is_found(fixture: &Fixture) {
    for number in 0..3 {
        append(&fixture.registry, number).await;
    }
    let forge = "UPDATE audit SET actor = 'nadie' WHERE seq = 2";
    sqlx::query(forge).execute(fixture.registry.db.pool()).await.unwrap();
    let check = fixture.registry.verify_audit().await.unwrap();
    assert_eq!((check.entries, check.broken_at), (1, Some(2)));
}

async fn a_missing_entry_is_found(fixture: &Fixture) {
    for number in 0..3 {
        append(&fixture.registry, number).await;
    }
    sqlx::query("DELETE FROM audit WHERE seq = 1").execute(fixture.registry.db.pool()).await.unwrap();
    assert_eq!(fixture.registry.verify_audit().await.unwrap().broken_at, Some(1));
}
