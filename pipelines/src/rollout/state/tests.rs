//! The walk through the states, and the laws: shares add up, the end stays the end, a breach always rolls back,
//! silence never decides.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000;

fn plan() -> Plan {
    let step = |weight| Step {
        weight,
        hold: Duration::from_secs(10),
        min_requests: 20,
        non_inferiority: false,
        approval: false,
    };
    let mut plan = Plan { steps: vec![step(0.1), step(0.5)], ..Plan::default() };
    plan.bake.hold = Duration::from_secs(30);
    plan
}

/// A rollout under way.
struct Walk {
    plan: Plan,
    state: State,
    now: i64,
    effects: Vec<Effect>,
}

impl Walk {
    fn new(plan: Plan) -> Self {
        Self { plan, state: State::new(false, Micros(0)), now: 0, effects: Vec::new() }
    }

    fn at_first_step(plan: Plan) -> Self {
        let mut walk = Self::new(plan);
        walk.tick(1, &Observation::nothing(true));
        walk.event(&Event::Warmed);
        walk
    }

    fn event(&mut self, event: &Event) -> &'static str {
        let context = Context { plan: &self.plan, author: "author" };
        let transition = step(context, &self.state, event, Micros(self.now));
        self.state = transition.state;
        self.effects = transition.effects;
        self.state.phase.name()
    }

    fn tick(&mut self, seconds: i64, seen: &Observation) -> &'static str {
        self.now += seconds * SECOND;
        self.event(&Event::Tick(seen.clone()))
    }
}

fn seen(canary_requests: u64) -> Observation {
    Observation { canary_requests, ..Observation::nothing(true) }
}

fn breach() -> Observation {
    let breach = Breach { metric: Metric::Errors, ln_e: 6.0, threshold: 250.0 };
    Observation { breach: Some(breach), ..seen(50) }
}

#[test]
fn walks_to_success() {
    let mut walk = Walk::new(plan());
    assert_eq!(walk.tick(1, &Observation::nothing(true)), "warming");
    assert_eq!(walk.state.weight(&walk.plan), 0.0);
    assert_eq!(walk.event(&Event::Warmed), "step");
    assert_eq!(walk.effects, [Effect::Weight { from: 0.0, to: 0.1 }]);
    assert_eq!(walk.state.segment, 1);
    assert_eq!(walk.tick(9, &seen(500)), "step", "the hold time is not over");
    assert_eq!(walk.state.weight(&walk.plan), 0.1);
    walk.tick(1, &seen(500));
    assert_eq!((walk.state.weight(&walk.plan), walk.state.segment), (0.5, 2));
    assert_eq!(walk.tick(10, &seen(20)), "baking");
    assert_eq!(walk.tick(30, &seen(29)), "holding", "baking needs 30 requests");
    assert_eq!(walk.tick(1, &seen(30)), "succeeded");
    assert!(walk.effects.contains(&Effect::Promote));
    assert_eq!(walk.state.shares(&walk.plan), (0.0, 1.0));
}

#[test]
fn baking_ends_early_with_many_requests() {
    let mut walk = Walk::at_first_step(plan());
    walk.tick(10, &seen(20));
    walk.tick(10, &seen(20));
    assert_eq!(walk.state.phase, Phase::Baking);
    assert_eq!(walk.tick(1, &seen(9_999)), "baking");
    assert_eq!(walk.tick(1, &seen(10_000)), "succeeded");
}

#[test]
fn rolls_back_and_drains() {
    let mut walk = Walk::at_first_step(plan());
    assert_eq!(walk.tick(1, &breach()), "rolling_back");
    assert_eq!(walk.state.weight(&walk.plan), 0.0);
    assert!(walk.effects.contains(&Effect::Weight { from: 0.1, to: 0.0 }));
    assert!(walk.effects.contains(&Effect::Notify(Notice::RolledBack)));
    assert_eq!(walk.tick(1, &breach()), "rolling_back");
    assert!(walk.effects.is_empty(), "one notification only");
    assert_eq!(walk.tick(1, &seen(0)), "rolled_back");
    assert!(walk.state.phase.terminal());
}

#[test]
fn starving_holds_resumes_and_asks_after_a_day() {
    let mut walk = Walk::at_first_step(plan());
    assert_eq!(walk.tick(3_600, &seen(19)), "holding");
    assert_eq!(walk.tick(3_600, &seen(19)), "holding");
    let resumed = Walk { plan: walk.plan.clone(), state: walk.state.clone(), now: walk.now, effects: vec![] };
    let mut resumed = resumed;
    assert_eq!(resumed.tick(1, &seen(20)), "step");
    assert_eq!(resumed.state.weight(&resumed.plan), 0.5, "it goes on by itself");
    assert_eq!(walk.tick(24 * 3_600, &seen(19)), "await_approval");
    assert!(walk.effects.contains(&Effect::Notify(Notice::ApprovalNeeded)));
    assert_eq!(walk.state.weight(&walk.plan), 0.1, "the share is kept");
    walk.event(&Event::Approve { actor: "approver".into() });
    walk.tick(1, &seen(0));
    assert_eq!(walk.state.weight(&walk.plan), 0.5, "a person may do without");
    assert_eq!(walk.tick(11, &seen(0)), "holding", "but only once");
}

#[test]
fn a_joint_outage_right_after_an_increase_takes_a_step_back() {
    let mut walk = Walk::at_first_step(plan());
    walk.tick(10, &seen(20));
    assert_eq!(walk.state.weight(&walk.plan), 0.5);
    let outage = Observation { joint_outage: Some(Metric::Errors), ..seen(100) };
    assert_eq!(walk.tick(5, &outage), "holding");
    assert_eq!((walk.state.weight(&walk.plan), walk.state.segment), (0.1, 3));
    assert_eq!(walk.tick(5, &outage), "holding");
    assert_eq!(walk.state.weight(&walk.plan), 0.1, "one step only");
    assert_eq!(walk.tick(5, &seen(100)), "step");
    assert_eq!(walk.tick(9, &seen(100)), "step");
    assert_eq!(walk.state.weight(&walk.plan), 0.1, "the time at the step begins again");
    walk.tick(1, &seen(100));
    assert_eq!(walk.state.weight(&walk.plan), 0.5);
    walk.tick(9, &seen(100));
    let late = Observation { joint_outage: Some(Metric::Errors), ..seen(3) };
    let mut long_after = walk;
    long_after.now += 200 * SECOND;
    assert_eq!(long_after.tick(1, &late), "holding");
    assert_eq!(long_after.state.weight(&long_after.plan), 0.5, "long after an increase it only holds");
}

#[test]
fn suspicion_mismatch_and_closed_windows_hold() {
    let holds = |seen: Observation| {
        let mut walk = Walk::at_first_step(plan());
        assert_eq!(walk.tick(10, &seen), "holding");
        let Phase::Holding { reason, .. } = walk.state.phase else { unreachable!("it holds") };
        reason
    };
    assert_eq!(
        holds(Observation { suspicion: Some(Metric::Latency), ..seen(90) }),
        HoldReason::Suspicion { metric: Metric::Latency }
    );
    assert_eq!(
        holds(Observation { sample_ratio_mismatch: true, ..seen(90) }),
        HoldReason::SampleRatioMismatch
    );
    assert_eq!(holds(Observation { window_open: false, ..seen(90) }), HoldReason::WindowClosed);
    let mut plan = plan();
    plan.steps[0].non_inferiority = true;
    let mut walk = Walk::at_first_step(plan);
    assert_eq!(walk.tick(10, &seen(90)), "holding");
    assert_eq!(walk.tick(10, &Observation { non_inferior: true, ..seen(90) }), "step");
    assert_eq!(walk.state.weight(&walk.plan), 0.5);
}

#[test]
fn approval_by_another_person() {
    let mut walk = Walk::at_first_step(Plan { approval: true, four_eyes: true, ..plan() });
    walk.tick(10, &seen(20));
    assert_eq!(walk.tick(10, &seen(20)), "await_approval");
    walk.event(&Event::Approve { actor: "author".into() });
    assert!(matches!(walk.effects[..], [Effect::Refused(_)]), "the author");
    assert_eq!(walk.event(&Event::Approve { actor: "approver".into() }), "step");
    assert_eq!(walk.tick(1, &seen(20)), "baking");
    let mut closed = Walk::at_first_step(Plan { approval: true, ..plan() });
    closed.tick(10, &seen(20));
    closed.tick(10, &seen(20));
    let injected = Observation { window_open: false, ..breach() };
    assert_eq!(closed.tick(1, &injected), "rolling_back", "waiting and outside a window");
}

#[test]
fn commands_that_do_not_fit_are_refused() {
    let mut walk = Walk::at_first_step(plan());
    for event in [Event::Approve { actor: "approver".into() }, Event::Resume { actor: "approver".into() }] {
        let before = walk.state.clone();
        walk.event(&event);
        assert!(matches!(walk.effects[..], [Effect::Refused(_)]));
        assert_eq!(walk.state, before);
    }
    assert_eq!(walk.event(&Event::Pause { actor: "author".into(), reason: "call".into() }), "paused");
    assert_eq!(walk.tick(3_600, &seen(500)), "paused");
    assert_eq!(walk.event(&Event::Resume { actor: "author".into() }), "step");
    assert_eq!(walk.tick(9, &seen(500)), "step");
    let abort = Event::Abort { actor: "author".into(), reason: "wrong file".into() };
    assert_eq!(walk.event(&abort), "rolling_back");
    walk.event(&abort);
    assert!(matches!(walk.effects[..], [Effect::Refused(_)]));
}

#[test]
fn warming_fails_or_times_out() {
    let mut walk = Walk::new(plan());
    walk.tick(1, &Observation::nothing(true));
    let mut broken = Walk { plan: plan(), state: walk.state.clone(), now: walk.now, effects: vec![] };
    assert_eq!(broken.event(&Event::WarmingFailed { reason: "does not load".into() }), "failed");
    assert_eq!(walk.tick(599, &seen(0)), "warming");
    assert_eq!(walk.tick(1, &seen(0)), "failed");
    assert!(walk.effects.contains(&Effect::Notify(Notice::Failed)));
}

#[test]
fn a_draft_waits_for_a_person_and_a_schedule_for_its_window() {
    let mut walk = Walk { state: State::new(true, Micros(0)), ..Walk::new(plan()) };
    assert_eq!(walk.tick(1, &seen(0)), "draft");
    assert_eq!(walk.event(&Event::Resume { actor: "author".into() }), "scheduled");
    assert_eq!(walk.tick(1, &Observation::nothing(false)), "scheduled");
    assert_eq!(walk.tick(1, &Observation::nothing(true)), "warming");
}

fn observations() -> impl Strategy<Value = Observation> {
    let metric = || prop_oneof![Just(Metric::Errors), Just(Metric::Latency)];
    let flags = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.2), 0u64..200);
    let metrics = (prop::option::weighted(0.1, metric()), prop::option::weighted(0.2, metric()));
    (flags, metrics, prop::option::weighted(0.05, metric())).prop_map(
        |((window_open, non_inferior, mismatch, requests), (outage, suspicion), breach)| Observation {
            window_open,
            breach: breach.map(|metric| Breach { metric, ln_e: 9.0, threshold: 250.0 }),
            suspicion,
            non_inferior,
            sample_ratio_mismatch: mismatch,
            joint_outage: outage,
            canary_requests: requests,
        },
    )
}

fn events() -> impl Strategy<Value = Event> {
    let actor = || prop_oneof![Just("author".to_owned()), Just("approver".to_owned())];
    prop_oneof![
        20 => observations().prop_map(Event::Tick),
        4 => Just(Event::Warmed),
        1 => Just(Event::WarmingFailed { reason: "broken".into() }),
        3 => actor().prop_map(|actor| Event::Approve { actor }),
        2 => actor().prop_map(|actor| Event::Pause { actor, reason: "x".into() }),
        3 => actor().prop_map(|actor| Event::Resume { actor }),
        1 => actor().prop_map(|actor| Event::Abort { actor, reason: "x".into() }),
        1 => Just(Event::Supersede { by: "another".into() }),
    ]
}

fn plans() -> impl Strategy<Value = Plan> {
    (any::<bool>(), any::<bool>(), any::<bool>(), 1usize..4).prop_map(
        |(approval, four_eyes, other, steps)| {
            let mut plan = Plan { approval, four_eyes, ..plan() };
            plan.steps = (0..steps)
                .map(|i| Step {
                    weight: 0.1 + 0.2 * i as f64,
                    non_inferiority: other,
                    ..plan.steps[0].clone()
                })
                .collect();
            plan
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn laws(plan in plans(), story in prop::collection::vec((events(), 0i64..40), 1..80)) {
        let plan = plan.checked().unwrap();
        let context = Context { plan: &plan, author: "author" };
        let mut state = State::new(false, Micros(0));
        let mut now = 0;
        for (event, seconds) in story {
            now += seconds * SECOND;
            let after = step(context, &state, &event, Micros(now));
            let (stable, canary) = after.state.shares(&plan);
            prop_assert_eq!(stable + canary, 1.0);
            prop_assert!((0.0..=1.0).contains(&canary));
            if state.phase.terminal() {
                prop_assert_eq!(&after.state, &state, "the end stays the end");
            }
            let changed = canary != state.weight(&plan);
            prop_assert_eq!(after.state.segment, state.segment + i64::from(changed));
            prop_assert_eq!(after.state.weights.len() as i64, after.state.segment + 1);
            prop_assert_eq!(after.state.weights.last().copied(), Some(canary));
            let live = !state.phase.terminal() && !matches!(state.phase, Phase::RollingBack { .. });
            if let Event::Tick(seen) = &event {
                let gone = matches!(after.state.phase, Phase::RollingBack { .. });
                if live {
                    prop_assert_eq!(gone, seen.breach.is_some(), "a breach rolls back, nothing else does");
                }
                if canary > state.weight(&plan) {
                    prop_assert!(seen.window_open, "no increase outside a window");
                    let silent = seen.canary_requests < 20 && state.approval != Approval::Overrides;
                    prop_assert!(!silent, "silence never promotes");
                }
                let mut nothing = Observation::nothing(true);
                nothing.non_inferior = true;
                let silence = step(context, &state, &Event::Tick(nothing), Micros(now)).state;
                let raised = silence.weight(&plan) > state.weight(&plan);
                prop_assert!(!raised || state.approval == Approval::Overrides);
            }
            state = after.state;
            let stored: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
            prop_assert_eq!(&stored, &state);
        }
    }
}
