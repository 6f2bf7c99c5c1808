//! Rollouts from their rows: promotion, rollback, holding, commands, and two workers at once.

use std::time::Duration;

use chasqui_pipelines::Error;
use chasqui_pipelines::rollout::plan::{Bake, Plan, Step};
use chasqui_pipelines::rollout::{
    self, Arm, Counter, NewRollout, Rollout, Ticker, chain_holds, evidence, live_rollouts, record_counts,
};
use chasqui_registry::alias::SetAlias;
use chasqui_registry::name::{Actor, AliasName};

use crate::fixture::{Fixture, actor, model, service};

on_both_databases!(
    a_good_canary_is_promoted,
    a_bad_canary_is_rolled_back_once,
    counts_are_absolute_and_never_shrink,
    starving_holds_and_goes_on_by_itself,
    people_can_intervene,
    one_live_rollout_a_service,
    another_champion_supersedes,
);

fn plan() -> Plan {
    let step = |weight| Step {
        weight,
        hold: Duration::from_secs(10),
        min_requests: 100,
        non_inferiority: false,
        approval: false,
    };
    let bake = Bake { hold: Duration::from_secs(10), ..Bake::default() };
    Plan { steps: vec![step(0.1), step(0.5)], bake, ..Plan::default() }
}

async fn start(fixture: &Fixture) -> Rollout {
    fixture.register(1.0).await;
    let version = fixture.register(2.0).await.version;
    create(fixture, version, false).await.unwrap()
}

async fn create(fixture: &Fixture, version: i64, supersede: bool) -> Result<Rollout, Error> {
    let new = NewRollout {
        service: service(),
        version,
        plan: plan(),
        draft: false,
        supersede,
        reason: String::new(),
    };
    rollout::create(&fixture.registry, &actor(), new).await
}

/// Requests and failures of entities of their own, absolute per segment.
async fn count(fixture: &Fixture, rollout: &Rollout, canary: (u64, u64), stable: (u64, u64)) {
    let arm = |arm: Arm, (requests, errors): (u64, u64)| {
        [
            (arm, Counter::Requests, requests),
            (arm, Counter::Entities, requests),
            (arm, Counter::Errors, errors),
            (arm, Counter::ErrorEntities, errors),
        ]
    };
    let counts = [arm(Arm::Canary, canary), arm(Arm::Stable, stable)].concat();
    record_counts(&fixture.registry, &rollout.id, rollout.segment, "boot", &counts).await.unwrap();
}

async fn tick(fixture: &Fixture, ticker: &mut Ticker, rollout: &Rollout, seconds: i64) -> Rollout {
    fixture.clock.advance_seconds(seconds);
    ticker.tick().await.unwrap();
    rollout::get(&fixture.registry, &rollout.id).await.unwrap()
}

/// Scheduled → warming → first step.
async fn first_step(fixture: &Fixture, ticker: &mut Ticker) -> Rollout {
    let rollout = start(fixture).await;
    let rollout = tick(fixture, ticker, &rollout, 1).await;
    assert_eq!(rollout.status, "warming");
    for _ in 0..1_000 {
        let rollout = tick(fixture, ticker, &rollout, 0).await;
        if rollout.status == "step" {
            assert_eq!((rollout.weight, rollout.segment), (0.1, 1));
            return rollout;
        }
        assert_eq!(rollout.status, "warming");
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the version did not get warm");
}

async fn a_good_canary_is_promoted(fixture: &Fixture) {
    let mut ticker = Ticker::new(fixture.registry.clone());
    let rollout = first_step(fixture, &mut ticker).await;
    let epoch = fixture.registry.epoch().await.unwrap();
    count(fixture, &rollout, (120, 0), (1_080, 5)).await;
    let rollout = tick(fixture, &mut ticker, &rollout, 10).await;
    assert_eq!((rollout.weight, rollout.segment), (0.5, 2));
    assert!(fixture.registry.epoch().await.unwrap() > epoch, "replicas must look again");
    let live = &live_rollouts(&fixture.registry).await.unwrap()[0];
    assert_eq!((live.weight, live.segment, live.canary_version), (0.5, 2, 2));
    assert!(live.counts_from.is_some());
    count(fixture, &rollout, (600, 3), (600, 2)).await;
    let rollout = tick(fixture, &mut ticker, &rollout, 10).await;
    assert_eq!((rollout.status.as_str(), rollout.weight), ("baking", 0.95));
    assert_eq!(fixture.champion().await, Some(1));
    count(fixture, &rollout, (900, 4), (50, 0)).await;
    let rollout = tick(fixture, &mut ticker, &rollout, 10).await;
    assert_eq!((rollout.status.as_str(), rollout.terminal), ("succeeded", true));
    assert_eq!(fixture.champion().await, Some(2), "the alias moved");
    assert!(live_rollouts(&fixture.registry).await.unwrap().is_empty());
    let report = rollout::evidence(&fixture.registry, &rollout.id).await.unwrap();
    assert!(report.chain_holds && report.events.len() == 6, "{:?}", report.events.len());
    assert_eq!(fixture.registry.verify_audit().await.unwrap().broken_at, None);
    assert_eq!(fixture.alerts("rollback").await, 0);
}

async fn a_bad_canary_is_rolled_back_once(fixture: &Fixture) {
    let mut ticker = Ticker::new(fixture.registry.clone());
    let rollout = first_step(fixture, &mut ticker).await;
    count(fixture, &rollout, (30, 9), (270, 1)).await;
    let mut other = Ticker::new(fixture.registry.clone());
    let (one, two) = tokio::join!(ticker.tick(), other.tick());
    assert_eq!(one.unwrap() + two.unwrap(), 1, "two workers, one decision");
    let rollout = rollout::get(&fixture.registry, &rollout.id).await.unwrap();
    assert_eq!((rollout.status.as_str(), rollout.weight, rollout.segment), ("rolling_back", 0.0, 2));
    let rollout = tick(fixture, &mut ticker, &rollout, 2).await;
    assert_eq!(rollout.status, "rolled_back");
    tick(fixture, &mut other, &rollout, 60).await;
    assert_eq!(fixture.champion().await, Some(1), "the old version serves");
    assert_eq!(fixture.alerts("rollback").await, 1, "one notification");

    let events = rollout::events(&fixture.registry, &rollout.id).await.unwrap();
    let decisions: Vec<_> = events.iter().filter(|event| event.to_status == "rolling_back").collect();
    assert_eq!(decisions.len(), 1);
    // An auditor recomputes E from the event alone.
    let stored: evidence::Evidence = serde_json::from_str(&decisions[0].evidence).unwrap();
    let guard = &stored.guards[0];
    let split = guard.splits[0];
    assert_eq!((split.weight, split.canary, split.stable), (0.1, 9, 1));
    let mut mean = 0.0;
    for theta in evidence::HARM_GRID {
        let q: f64 = 0.1 * theta / (0.1 * theta + 0.9);
        mean += (q / 0.1).powi(9) * ((1.0 - q) / 0.9) / 10.0;
    }
    assert!((guard.ln_e - mean.ln()).abs() < 1e-9 && mean >= guard.threshold);
    let mut forged = events.clone();
    assert!(chain_holds(&forged));
    forged[1].reason = "nothing happened".into();
    assert!(!chain_holds(&forged));
}

async fn counts_are_absolute_and_never_shrink(fixture: &Fixture) {
    let mut ticker = Ticker::new(fixture.registry.clone());
    let rollout = first_step(fixture, &mut ticker).await;
    for boot in ["one", "two", "one"] {
        for requests in [10, 30, 20] {
            let counts = [(Arm::Canary, Counter::Requests, requests), (Arm::Stable, Counter::Requests, 200)];
            record_counts(&fixture.registry, &rollout.id, 1, boot, &counts).await.unwrap();
        }
    }
    let counts = rollout::read_counts(&fixture.registry, &rollout.id, &rollout.state).await.unwrap();
    assert_eq!(counts.len(), 1);
    assert_eq!(
        (counts[0].weight, counts[0].arms.canary.requests, counts[0].arms.stable.requests),
        (0.1, 60, 400)
    );
}

async fn starving_holds_and_goes_on_by_itself(fixture: &Fixture) {
    let mut ticker = Ticker::new(fixture.registry.clone());
    let rollout = first_step(fixture, &mut ticker).await;
    let rollout = tick(fixture, &mut ticker, &rollout, 3_600).await;
    assert_eq!((rollout.status.as_str(), rollout.weight), ("holding", 0.1));
    count(fixture, &rollout, (99, 0), (900, 0)).await;
    assert_eq!(tick(fixture, &mut ticker, &rollout, 60).await.status, "holding");
    count(fixture, &rollout, (100, 0), (900, 0)).await;
    let rollout = tick(fixture, &mut ticker, &rollout, 1).await;
    assert_eq!((rollout.status.as_str(), rollout.weight), ("step", 0.5));
    let rollout = tick(fixture, &mut ticker, &rollout, 10).await;
    let rollout = tick(fixture, &mut ticker, &rollout, 24 * 3_600).await;
    assert_eq!(rollout.status, "await_approval");
    assert_eq!(fixture.alerts("rollout").await, 1);
}

async fn people_can_intervene(fixture: &Fixture) {
    let registry = &fixture.registry;
    let mut ticker = Ticker::new(registry.clone());
    let rollout = first_step(fixture, &mut ticker).await;
    let refused = rollout::approve(registry, &actor(), &rollout.id).await.unwrap_err();
    assert_eq!(refused.code(), "conflict");
    let paused = rollout::pause(registry, &actor(), &rollout.id, "llamada").await.unwrap();
    assert_eq!((paused.status.as_str(), paused.weight), ("paused", 0.1));
    count(fixture, &rollout, (500, 0), (4_500, 0)).await;
    assert_eq!(tick(fixture, &mut ticker, &rollout, 3_600).await.status, "paused");
    assert_eq!(rollout::resume(registry, &actor(), &rollout.id).await.unwrap().status, "step");
    let aborted = rollout::abort(registry, &actor(), &rollout.id, "archivo equivocado").await.unwrap();
    assert_eq!((aborted.status.as_str(), aborted.weight), ("rolling_back", 0.0));
    assert_eq!(tick(fixture, &mut ticker, &rollout, 2).await.status, "rolled_back");
    assert_eq!(rollout::abort(registry, &actor(), &rollout.id, "").await.unwrap_err().code(), "conflict");
    assert_eq!(rollout::abort(registry, &actor(), "no", "").await.unwrap_err().code(), "not_found");
}

async fn one_live_rollout_a_service(fixture: &Fixture) {
    let registry = &fixture.registry;
    let first = start(fixture).await;
    let third = fixture.register(3.0).await.version;
    assert_eq!(create(fixture, third, false).await.unwrap_err().code(), "conflict");
    let second = create(fixture, third, true).await.unwrap();
    assert_eq!(rollout::get(registry, &first.id).await.unwrap().status, "superseded");
    assert_eq!(rollout::live(registry).await.unwrap()[0].id, second.id);
    for (version, code) in [(1, "conflict"), (77, "not_found")] {
        assert_eq!(create(fixture, version, true).await.unwrap_err().code(), code);
    }
    assert!(rollout::live(registry).await.unwrap()[0].id == second.id, "a refused one supersedes nothing");
}

async fn another_champion_supersedes(fixture: &Fixture) {
    let mut ticker = Ticker::new(fixture.registry.clone());
    let rollout = first_step(fixture, &mut ticker).await;
    let third = fixture.register(3.0).await.version;
    let (name, champion) = (model("ventas"), AliasName::champion());
    let set = SetAlias { model: &name, alias: &champion, version: third, reason: "" };
    fixture.registry.set_alias(&Actor::system(), set).await.unwrap();
    let rollout = tick(fixture, &mut ticker, &rollout, 1).await;
    assert_eq!((rollout.status.as_str(), rollout.weight), ("superseded", 0.0));
    assert_eq!(fixture.champion().await, Some(3));
}
