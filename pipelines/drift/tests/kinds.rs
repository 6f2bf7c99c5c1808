//! Kinds of change on simulated days: how often the right one is named, and how often its date is inside its
//! interval.

use chasqui_drift::kind::{ChangeDescription, ChangeKind, MIN_WINDOWS, describe};
use proptest::prelude::*;

const SERIES: usize = 200;
const DAYS: usize = 90;

/// SplitMix64 and Box–Muller: standard normal numbers of a seed.
fn normals(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed;
    let mut uniform = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut normal = || (-2.0 * (1.0 - uniform()).ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    (0..count).map(|_| normal()).collect()
}

/// Descriptions of many noisy series of one shape; the noise is 1.
fn described(shape: impl Fn(usize) -> f64, seed: u64) -> Vec<ChangeDescription> {
    (0..SERIES as u64)
        .map(|index| {
            let noise = normals(seed * 10_000 + index, DAYS);
            let series: Vec<f64> = noise.iter().enumerate().map(|(day, noise)| shape(day) + noise).collect();
            describe(&series)
        })
        .collect()
}

fn share(described: &[ChangeDescription], wanted: impl Fn(&ChangeDescription) -> bool) -> f64 {
    described.iter().filter(|one| wanted(one)).count() as f64 / described.len() as f64
}

#[test]
fn noise_is_rarely_called_a_change() {
    let noise = described(|_| 0.0, 1);
    let steady = share(&noise, |one| one.kind == ChangeKind::Steady);
    assert!(steady >= 0.93, "steady {steady}");
}

/// Noise whose days follow each other: what a slowly changing clientele looks like.
#[test]
fn wandering_noise_is_rarely_called_a_change() {
    let steady = (0..SERIES as u64)
        .filter(|index| {
            let mut last = 0.0;
            let series: Vec<f64> = normals(6_000_000 + index, DAYS)
                .into_iter()
                .map(|noise| {
                    last = 0.5 * last + noise;
                    last
                })
                .collect();
            describe(&series).kind == ChangeKind::Steady
        })
        .count();
    assert!(steady >= SERIES * 9 / 10, "steady {steady} of {SERIES}");
}

#[test]
fn a_jump_is_sudden_and_its_date_is_inside_the_interval() {
    let jumps = described(|day| if day < 50 { 0.0 } else { 3.0 }, 2);
    let sudden = share(&jumps, |one| one.kind == ChangeKind::Sudden);
    let confirmed = share(&jumps, |one| one.kind == ChangeKind::Sudden && one.confirmed);
    let dated = share(&jumps, |one| one.began.is_some_and(|d| (d.earliest..=d.latest).contains(&50)));
    assert!(sudden >= 0.95 && confirmed >= 0.9, "sudden {sudden}, confirmed {confirmed}");
    assert!(dated >= 0.85, "dated {dated}");
}

#[test]
fn a_slow_change_is_gradual() {
    let ramps = described(|day| ((day as f64 - 20.0) / 50.0).clamp(0.0, 1.0) * 6.0, 3);
    let gradual = share(&ramps, |one| matches!(one.kind, ChangeKind::Gradual { .. }));
    let dated = share(&ramps, |one| one.began.is_some_and(|d| (d.earliest..=d.latest).contains(&21)));
    let confirmed = share(&ramps, |one| matches!(one.kind, ChangeKind::Gradual { .. }) && one.confirmed);
    assert!(gradual >= 0.95 && confirmed >= 0.9, "gradual {gradual}, confirmed {confirmed}");
    assert!(dated >= 0.8, "dated {dated}");
}

#[test]
fn a_week_of_something_else_is_one_off_and_a_weekly_wave_recurs() {
    let pulses = described(|day| if (40..47).contains(&day) { 3.0 } else { 0.0 }, 4);
    let one_off = share(&pulses, |one| matches!(one.kind, ChangeKind::OneOff { .. }));
    assert!(one_off >= 0.95, "one-off {one_off}");
    let weekend = |day: usize| if day % 7 >= 5 { 3.0 } else { 0.0 };
    let weekly = share(&described(weekend, 5), |one| one.kind == ChangeKind::Recurring { period: 7.0 });
    assert!(weekly >= 0.95, "weekly {weekly}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Scale and level of the unit do not matter, and nothing panics.
    #[test]
    fn the_unit_does_not_matter(values in prop::collection::vec(-50i32..50, 0..70), scale in 1u8..100, level in -100i32..100) {
        let series: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
        let other: Vec<f64> = series.iter().map(|value| value * f64::from(scale) + f64::from(level)).collect();
        let (one, two) = (describe(&series), describe(&other));
        prop_assert_eq!(std::mem::discriminant(&one.kind), std::mem::discriminant(&two.kind));
        prop_assert_eq!(one.kind == ChangeKind::Unknown, series.len() < MIN_WINDOWS);
        if let Some(began) = one.began {
            prop_assert!(began.earliest <= began.window && began.window <= began.latest);
            prop_assert!(began.latest < series.len());
        }
    }
}
