//! Values by hand, laws, and seeded simulations of the figures that the specification names.

use proptest::prelude::*;

use super::super::plan::Plan;
use super::*;
use crate::random::Random;

fn policy(plan: &Plan) -> Policy<'_> {
    Policy { metrics: &plan.metrics, budget: &plan.budget, floor: &plan.floor, objectives: &plan.objectives }
}

fn split(weight: f64, canary: u64, stable: u64) -> Split {
    Split { weight, canary, stable }
}

/// A segment in which every bad event is an error of an entity of its own.
fn errors(segment: i64, weight: f64, canary: (u64, u64), stable: (u64, u64)) -> SegmentCounts {
    let arm = |(requests, errors): (u64, u64)| ArmCounts {
        requests,
        entities: requests,
        errors,
        error_entities: errors,
        ..ArmCounts::default()
    };
    SegmentCounts { segment, weight, arms: Arms { stable: arm(stable), canary: arm(canary) } }
}

#[test]
fn one_bad_event_by_hand() {
    // w = .1, r = 1, θ = 2: π = .1, q = .2/1.1; one on the canary multiplies by q/π, one on stable by (1−q)/(1−π).
    let q: f64 = 0.2 / 1.1;
    let canary = ln_e_at(&[split(0.1, 1, 0)], 1.0, 2.0);
    assert!((canary - (q / 0.1).ln()).abs() < 1e-14, "{canary}");
    let stable = ln_e_at(&[split(0.1, 0, 1)], 1.0, 2.0);
    assert!((stable - ((1.0 - q) / 0.9).ln()).abs() < 1e-14, "{stable}");
    let both = ln_e_at(&[split(0.1, 3, 5)], 1.0, 2.0);
    assert!((both - (3.0 * canary + 5.0 * stable)).abs() < 1e-13, "{both}");
}

#[test]
fn the_mean_over_the_grid_by_hand() {
    let w = 0.25;
    let r = 1.5;
    let (c, s) = (7, 4);
    let pi = w * r / (w * r + 1.0 - w);
    let mut mean = 0.0;
    for g in HARM_GRID {
        let theta = r * g;
        let q = w * theta / (w * theta + 1.0 - w);
        mean += (q / pi).powi(c) * ((1.0 - q) / (1.0 - pi)).powi(s) / 10.0;
    }
    let got = ln_e(&[split(w, 7, 4)], r, &HARM_GRID);
    assert!((got - mean.ln()).abs() < 1e-12, "{got} {}", mean.ln());
}

#[test]
fn nothing_seen_is_one() {
    assert_eq!(ln_e(&[], 1.0, &HARM_GRID), 0.0);
    assert_eq!(ln_e(&[split(0.0, 0, 9), split(1.0, 9, 0)], 1.0, &HARM_GRID), 0.0);
    assert_eq!(ln_e_sample_ratio(&[split(0.1, 0, 0)], SAMPLE_RATIO_KAPPA), 0.0);
}

#[test]
fn huge_counts_stay_finite() {
    let e = ln_e(&[split(0.1, 5_000_000_000, 100_000_000)], 1.0, &HARM_GRID);
    assert!(e.is_finite() && e > 1e9, "{e}");
    let even = ln_e_sample_ratio(&[split(0.1, 1_000_000_000, 9_000_000_000)], SAMPLE_RATIO_KAPPA);
    assert!(even.is_finite() && even < 0.0, "{even}");
}

#[test]
fn sample_ratio_by_hand_and_by_size() {
    // κ = 2, w = ½: B(1+1, 0+1)/(B(1,1)·½) = ½/½ = 1; two on the canary: B(3,1)/(¼) = 4/3.
    assert!(ln_e_sample_ratio(&[split(0.5, 1, 0)], 2.0).abs() < 1e-12);
    assert!((ln_e_sample_ratio(&[split(0.5, 2, 0)], 2.0) - (4.0_f64 / 3.0).ln()).abs() < 1e-12);
    let threshold = 1000.0_f64.ln();
    assert!(ln_e_sample_ratio(&[split(0.1, 1_030, 8_970)], SAMPLE_RATIO_KAPPA) < threshold, "as planned");
    assert!(ln_e_sample_ratio(&[split(0.1, 1_400, 8_600)], SAMPLE_RATIO_KAPPA) > threshold, "14 % for 10 %");
}

#[test]
fn thresholds_split_the_budget() {
    let plan = Plan::default();
    let evidence = assess(&[], &Arms::default(), policy(&plan));
    let thresholds: Vec<f64> = evidence.guards.iter().map(|guard| guard.threshold.round()).collect();
    assert_eq!(thresholds, [250.0, 333.0]);
    assert_eq!(evidence.sample_ratio.threshold.round(), 1000.0);
    assert!(evidence.breach().is_none() && evidence.suspicion().is_none() && !evidence.non_inferior());
}

#[test]
fn the_floor_needs_events_and_entities() {
    let plan = Plan::default();
    let breached = |canary: ArmCounts| {
        let arms = Arms { stable: ArmCounts { requests: 400, ..ArmCounts::default() }, canary };
        let counts = SegmentCounts { segment: 1, weight: 0.1, arms };
        assess(&[counts], &Arms::default(), policy(&plan)).breach().is_some()
    };
    let canary = |requests, errors, error_entities| ArmCounts {
        requests,
        errors,
        error_entities,
        ..ArmCounts::default()
    };
    assert!(breached(canary(50, 5, 5)));
    assert!(!breached(canary(50, 4, 4)), "four events are too few");
    assert!(!breached(canary(900, 900, 2)), "one customer and a bot");
    assert!(breached(canary(4, 4, 4)), "nothing answered at all: no more victims than the test needs");
}

#[test]
fn joint_outage_needs_both_arms_and_enough_requests() {
    let plan = Plan::default();
    let outage = |canary, stable| {
        let recent = errors(1, 0.1, canary, stable).arms;
        assess(&[], &recent, policy(&plan)).joint_outage
    };
    assert_eq!(outage((50, 20), (450, 180)), Some(Metric::Errors));
    assert_eq!(outage((50, 20), (450, 5)), None, "only the canary");
    assert_eq!(outage((50, 0), (450, 180)), None, "only stable");
    assert_eq!(outage((5, 3), (6, 3)), None, "too few to tell");
}

#[test]
fn non_inferiority_needs_many_events_and_equal_rates() {
    let plan = Plan::default();
    let shown = |canary, stable| {
        let segment = errors(1, 0.5, (20_000, canary), (20_000, stable));
        assess(&[segment], &Arms::default(), policy(&plan)).guards[0].non_inferior()
    };
    assert!(!shown(5, 5), "too few");
    assert!(shown(900, 1_000));
    assert!(!shown(1_300, 1_000));
}

proptest! {
    /// More on the canary speaks more for harm, more on stable less; the other way round for non-inferiority.
    #[test]
    fn monotone(w in 0.01..0.99f64, c in 0u64..5_000, s in 0u64..5_000, r in 1.0..3.0f64) {
        let base = ln_e(&[split(w, c, s)], r, &HARM_GRID);
        prop_assert!(ln_e(&[split(w, c + 1, s)], r, &HARM_GRID) > base);
        prop_assert!(ln_e(&[split(w, c, s + 1)], r, &HARM_GRID) < base);
        let base = ln_e(&[split(w, c, s)], r, &NON_INFERIORITY_GRID);
        prop_assert!(ln_e(&[split(w, c + 1, s)], r, &NON_INFERIORITY_GRID) < base);
        prop_assert!(ln_e(&[split(w, c, s + 1)], r, &NON_INFERIORITY_GRID) > base);
    }

    /// Segments of equal weight may be added, and their order does not matter.
    #[test]
    fn mergeable_and_order_free(
        w in 0.01..0.99f64,
        counts in prop::collection::vec((0u64..500, 0u64..500), 1..8),
    ) {
        let splits: Vec<Split> = counts.iter().map(|(c, s)| split(w, *c, *s)).collect();
        let merged = split(w, counts.iter().map(|x| x.0).sum(), counts.iter().map(|x| x.1).sum());
        let apart = ln_e(&splits, 1.0, &HARM_GRID);
        prop_assert!((apart - ln_e(&[merged], 1.0, &HARM_GRID)).abs() <= 1e-9 * apart.abs().max(1.0));
        let reversed: Vec<Split> = splits.iter().rev().copied().collect();
        prop_assert!((apart - ln_e(&reversed, 1.0, &HARM_GRID)).abs() <= 1e-9 * apart.abs().max(1.0));
    }

    /// The expected factor of one more bad event is 1 under the worst null: a martingale, so Ville holds.
    #[test]
    fn a_martingale_under_the_null(w in 0.01..0.99f64, r in 1.0..3.0f64, c in 0u64..60, s in 0u64..60) {
        let pi = w * r / (w * r + 1.0 - w);
        for grid in [&HARM_GRID[..], &NON_INFERIORITY_GRID[..]] {
            let now = ln_e(&[split(w, c, s)], r, grid);
            let up = (ln_e(&[split(w, c + 1, s)], r, grid) - now).exp();
            let down = (ln_e(&[split(w, c, s + 1)], r, grid) - now).exp();
            prop_assert!((pi * up + (1.0 - pi) * down - 1.0).abs() < 1e-9);
        }
        let now = ln_e_sample_ratio(&[split(w, c, s)], SAMPLE_RATIO_KAPPA);
        let up = (ln_e_sample_ratio(&[split(w, c + 1, s)], SAMPLE_RATIO_KAPPA) - now).exp();
        let down = (ln_e_sample_ratio(&[split(w, c, s + 1)], SAMPLE_RATIO_KAPPA) - now).exp();
        prop_assert!((w * up + (1.0 - w) * down - 1.0).abs() < 1e-6);
    }

    /// Evidence is recomputable: what is stored gives the same figures again.
    #[test]
    fn recomputable(counts in prop::collection::vec((1u64..400, 1u64..400, 0.01..0.9f64), 0..5)) {
        let plan = Plan::default();
        let segments: Vec<SegmentCounts> = counts
            .iter()
            .enumerate()
            .map(|(i, (c, s, w))| errors(i as i64, *w, (c * 2, *c), (s * 2, *s)))
            .collect();
        let evidence = assess(&segments, &Arms::default(), policy(&plan));
        let stored: Evidence =
            serde_json::from_str(&serde_json::to_string(&evidence).unwrap()).unwrap();
        let again = assess(&stored.segments, &stored.recent, policy(&plan));
        for (a, b) in stored.guards.iter().zip(&again.guards) {
            prop_assert!((a.ln_e - b.ln_e).abs() < 1e-9);
            prop_assert!((a.ln_e - ln_e(&a.splits, a.tolerated, &HARM_GRID)).abs() < 1e-9);
        }
    }
}

/// Requests until the rollback, or none within `limit`. `rate(arm is canary, request)` is the probability of an error.
fn until_rollback(
    plan: &Plan,
    random: &mut Random,
    limit: u64,
    rate: impl Fn(bool, u64) -> f64,
) -> Option<u64> {
    let weight = 0.1;
    let (mut canary, mut stable) = ((0, 0), (0, 0));
    for request in 1..=limit {
        let on_canary = random.uniform() < weight;
        let bad = random.uniform() < rate(on_canary, request);
        let arm = if on_canary { &mut canary } else { &mut stable };
        arm.0 += 1;
        arm.1 += u64::from(bad);
        // Only a bad event of the canary can raise the evidence.
        if bad && on_canary {
            let segment = errors(1, weight, canary, stable);
            if assess(&[segment], &Arms::default(), policy(plan)).breach().is_some() {
                return Some(request);
            }
        }
    }
    None
}

/// The whole budget on errors and no floor: the specification's figures are for E ≥ 100.
fn undivided() -> Plan {
    let mut plan = Plan { metrics: vec![Metric::Errors], ..Plan::default() };
    plan.budget.errors = 1.0;
    plan.floor.events = 0;
    plan
}

/// Sorted numbers of requests until the rollback of 400 rollouts at w = 10 %.
fn requests_to_find(plan: &Plan, stable: f64, canary: f64) -> Vec<u64> {
    let mut random = Random::new(7);
    let rate = |on_canary: bool, _| if on_canary { canary } else { stable };
    let mut found: Vec<u64> =
        (0..400).map(|_| until_rollback(plan, &mut random, 200_000, rate).unwrap()).collect();
    found.sort_unstable();
    found
}

#[test]
fn finds_harm_as_soon_as_specified() {
    // Median requests at α = .01: .5 → 5 % about 914, 1 → 5 % about 1,572, 1 → 2 % about 16,200, a crash 28.
    for (stable, canary, about) in
        [(0.005, 0.05, 914.0), (0.01, 0.05, 1_572.0), (0.01, 0.02, 16_200.0), (0.005, 1.0, 28.0)]
    {
        let median = requests_to_find(&undivided(), stable, canary)[200] as f64;
        assert!(
            (median / about - 1.0).abs() < 0.12,
            "{stable} → {canary}: median {median}, {about} specified"
        );
    }
}

#[test]
fn finds_harm_soon_with_the_default_budget() {
    for (canary, median, nine_of_ten) in [(0.05, 1_250, 2_650), (1.0, 40, 70)] {
        let found = requests_to_find(&Plan::default(), 0.005, canary);
        assert!(found[200] <= median && found[360] <= nine_of_ten, "{} {}", found[200], found[360]);
    }
}

#[test]
fn does_not_cry_wolf_when_both_arms_suffer() {
    let plan = Plan::default();
    let mut random = Random::new(13);
    let mut false_alarms = 0;
    for _ in 0..200 {
        let outage_at = (random.uniform() * 80_000.0) as u64;
        let rate = |_: bool, request: u64| {
            if (outage_at..outage_at + 3_000).contains(&request) {
                return 0.4;
            }
            // The base rate triples in the second half.
            if request > 50_000 { 0.015 } else { 0.005 }
        };
        false_alarms += u64::from(until_rollback(&plan, &mut random, 100_000, rate).is_some());
    }
    assert!(false_alarms <= 2, "{false_alarms} of 200 equal versions rolled back");
}
