//! Idempotency keys.

use chasqui_registry::Error;
use chasqui_registry::artifact::Sha256Hex;
use chasqui_registry::idempotency::Begin;
use chasqui_registry::name::Actor;

use crate::fixture::{Fixture, actor};

on_both_databases!(
    the_second_request_gets_the_first_answer,
    a_failed_request_may_be_tried_again,
    a_dead_request_is_taken_over_by_one,
    only_one_of_many_at_once_does_the_work,
);

async fn the_second_request_gets_the_first_answer(fixture: &Fixture) {
    let registry = &fixture.registry;
    let request = Sha256Hex::of_slice(b"POST /models");
    assert_eq!(registry.begin_request(&actor(), "k", &request).await.unwrap(), Begin::Fresh);
    let meanwhile = registry.begin_request(&actor(), "k", &request).await;
    assert!(matches!(meanwhile, Err(Error::Conflict(_))), "{meanwhile:?}");
    registry.finish_request(&actor(), "k", 201, r#"{"name":"ñ"}"#).await.unwrap();
    let done = Begin::Done { status: 201, body: r#"{"name":"ñ"}"#.into() };
    assert_eq!(registry.begin_request(&actor(), "k", &request).await.unwrap(), done);
    let different = registry.begin_request(&actor(), "k", &Sha256Hex::of_slice(b"other")).await;
    assert!(matches!(different, Err(Error::Invalid(_))), "{different:?}");
    let other_actor = Actor::try_from("approver").unwrap();
    assert_eq!(registry.begin_request(&other_actor, "k", &request).await.unwrap(), Begin::Fresh);
    for wrong in ["", "ñ", "a\nb", &"x".repeat(256)] {
        let refused = registry.begin_request(&actor(), wrong, &request).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{wrong:?}: {refused:?}");
    }
}

async fn a_failed_request_may_be_tried_again(fixture: &Fixture) {
    let registry = &fixture.registry;
    let request = Sha256Hex::of_slice(b"POST");
    registry.begin_request(&actor(), "k", &request).await.unwrap();
    registry.abandon_request(&actor(), "k").await.unwrap();
    assert_eq!(registry.begin_request(&actor(), "k", &request).await.unwrap(), Begin::Fresh);
    registry.finish_request(&actor(), "k", 200, "{}").await.unwrap();
    registry.abandon_request(&actor(), "k").await.unwrap();
    assert!(matches!(registry.begin_request(&actor(), "k", &request).await, Ok(Begin::Done { .. })));
    fixture.clock.advance_seconds(86_400);
    assert_eq!(registry.forget_requests(registry.now()).await.unwrap(), 1);
}

async fn a_dead_request_is_taken_over_by_one(fixture: &Fixture) {
    let registry = &fixture.registry;
    let request = Sha256Hex::of_slice(b"POST");
    registry.begin_request(&actor(), "k", &request).await.unwrap();
    fixture.clock.advance_seconds(301);
    assert_eq!(registry.begin_request(&actor(), "k", &request).await.unwrap(), Begin::Fresh);
    assert!(registry.begin_request(&actor(), "k", &request).await.is_err());
}

async fn only_one_of_many_at_once_does_the_work(fixture: &Fixture) {
    let request = Sha256Hex::of_slice(b"POST");
    let actor = actor();
    let begins = (0..10).map(|_| fixture.registry.begin_request(&actor, "k", &request));
    let begins = futures::future::join_all(begins).await;
    assert_eq!(begins.iter().filter(|begin| matches!(begin, Ok(Begin::Fresh))).count(), 1);
    assert_eq!(begins.iter().filter(|begin| matches!(begin, Err(Error::Conflict(_)))).count(), 9);
}
