//! API keys.

use chasqui_registry::name::Actor;
use chasqui_registry::user::{Role, Secret, hash_of};
use chasqui_registry::{Error, PageRequest};

use crate::fixture::{Fixture, actor};

on_both_databases!(
    is_found_by_what_is_presented,
    a_given_secret_is_added_once,
    is_revoked_for_good,
    the_last_admin_stays,
);

async fn is_found_by_what_is_presented(fixture: &Fixture) {
    let registry = &fixture.registry;
    assert!(!registry.has_admin_key().await.unwrap());
    let name = Actor::try_from("tienda en línea").unwrap();
    let (key, secret) = registry.create_key(&actor(), &name, Role::Viewer).await.unwrap();
    assert!(secret.expose().starts_with("chq_"));
    assert_eq!(registry.find_key(&hash_of(secret.expose())).await.unwrap(), Some(key.clone()));
    assert_eq!(registry.find_key(&hash_of("chq_other")).await.unwrap(), None);
    fixture.clock.advance_seconds(5);
    registry.touch_key(key.id).await.unwrap();
    let live = registry.live_keys().await.unwrap();
    assert_eq!((live.len(), &live[0].0), (1, &secret.hash()));
    assert_eq!(live[0].1.last_used_at, Some(registry.now()));
    let stored = sqlx::query("SELECT * FROM api_keys WHERE hash LIKE '%chq_%' OR name LIKE '%chq_%'");
    assert!(stored.fetch_all(registry.db.pool()).await.unwrap().is_empty());
}

async fn a_given_secret_is_added_once(fixture: &Fixture) {
    let registry = &fixture.registry;
    let secret = Secret::from_outside("a-secret-of-the-operator").unwrap();
    let system = Actor::system();
    let key = registry.add_key(&system, &actor(), Role::Admin, &secret).await.unwrap();
    assert_eq!(registry.add_key(&system, &actor(), Role::Admin, &secret).await.unwrap().id, key.id);
    let other_role = registry.add_key(&system, &actor(), Role::Viewer, &secret).await;
    assert!(matches!(other_role, Err(Error::Conflict(_))), "{other_role:?}");
    assert_eq!(registry.list_keys(&PageRequest::default()).await.unwrap().items.len(), 1);
    assert!(registry.has_admin_key().await.unwrap());
}

async fn is_revoked_for_good(fixture: &Fixture) {
    let registry = &fixture.registry;
    let (key, secret) = registry.create_key(&actor(), &actor(), Role::Editor).await.unwrap();
    registry.revoke_key(&actor(), key.id).await.unwrap();
    assert_eq!(registry.find_key(&secret.hash()).await.unwrap(), None);
    assert!(registry.live_keys().await.unwrap().is_empty());
    assert!(matches!(registry.revoke_key(&actor(), key.id).await, Err(Error::NotFound(_))));
    let again = registry.add_key(&actor(), &actor(), Role::Editor, &secret).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
    assert!(registry.list_keys(&PageRequest::default()).await.unwrap().items[0].revoked_at.is_some());
}

async fn the_last_admin_stays(fixture: &Fixture) {
    let registry = &fixture.registry;
    let (one, _) = registry.create_key(&actor(), &actor(), Role::Admin).await.unwrap();
    let (other, _) = registry.create_key(&actor(), &actor(), Role::Admin).await.unwrap();
    let actor = actor();
    let results =
        futures::future::join(registry.revoke_key(&actor, one.id), registry.revoke_key(&actor, other.id));
    let (first, second) = results.await;
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    assert!(registry.has_admin_key().await.unwrap());
}
