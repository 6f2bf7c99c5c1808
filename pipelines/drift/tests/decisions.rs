//! Decisions on simulated weeks: whether the interval of the retraining date holds what it says, and properties of
//! incidents and of the alert budget.

use chasqui_drift::decision::{
    Alarm, Budget, ForecastSettings, RetrainingForecast, Severity, dispatch, forecast, incidents, wilson,
};
use proptest::prelude::*;

/// Series simulated of each fall.
const SERIES: u64 = 150;

/// SplitMix64 and Box–Muller.
struct Normals(u64);

impl Normals {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A value that falls, week by week: what is seen, and the level behind it.
struct Fall {
    slope: f64,
    level_noise: f64,
    slope_noise: f64,
    seen_noise: f64,
}

impl Fall {
    fn simulate(&self, weeks: usize, seed: u64) -> (Vec<f64>, Vec<f64>) {
        let mut normals = Normals(seed);
        let (mut level, mut slope) = (100.0, self.slope);
        let (mut seen, mut levels) = (Vec::new(), Vec::new());
        for _ in 0..weeks {
            levels.push(level);
            seen.push(level + self.seen_noise * normals.next());
            level += slope + self.level_noise * normals.next();
            slope += self.slope_noise * normals.next();
        }
        (seen, levels)
    }
}

/// Share of the dates given whose interval holds the week in which the level really fell below the minimum, and how
/// many were given.
fn coverage(fall: &Fall, known: usize, minimum: f64) -> (f64, u32) {
    let (mut inside, mut given) = (0u32, 0u32);
    for seed in 0..SERIES {
        let (seen, levels) = fall.simulate(known + 52, seed);
        let settings = ForecastSettings { paths: 2000, ..ForecastSettings::new(minimum, seed) };
        let RetrainingForecast::Due { crossing, .. } = forecast(&seen[..known], settings) else { continue };
        given += 1;
        let really = (1..=52).find(|week| levels[known - 1 + week] < minimum).unwrap_or(53) as u32;
        let latest = crossing.latest.unwrap_or(u32::MAX);
        inside += u32::from((crossing.earliest..=latest).contains(&really));
    }
    (f64::from(inside) / f64::from(given.max(1)), given)
}

/// Over falls from straight to wandering. A straight one is held more often than 80 %, since from half a year
/// nobody can tell that it will stay straight.
#[test]
fn the_interval_of_the_date_holds_what_it_says() {
    let falls = [
        (Fall { slope: -0.8, level_noise: 0.0, slope_noise: 0.0, seen_noise: 2.0 }, 20, 75.0),
        (Fall { slope: -0.8, level_noise: 0.5, slope_noise: 0.0, seen_noise: 2.0 }, 26, 70.0),
        (Fall { slope: -1.0, level_noise: 0.3, slope_noise: 0.05, seen_noise: 1.5 }, 26, 60.0),
        (Fall { slope: -0.5, level_noise: 0.8, slope_noise: 0.0, seen_noise: 1.0 }, 40, 70.0),
        (Fall { slope: -1.5, level_noise: 1.0, slope_noise: 0.0, seen_noise: 3.0 }, 16, 60.0),
        (Fall { slope: -0.3, level_noise: 0.1, slope_noise: 0.02, seen_noise: 1.0 }, 30, 85.0),
    ];
    let mut shares = Vec::new();
    for (fall, known, minimum) in &falls {
        let (share, given) = coverage(fall, *known, *minimum);
        assert!(given >= 120, "{given} dates of {SERIES}");
        shares.push(share);
    }
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    assert!((0.7..=0.9).contains(&mean), "{mean}: {shares:?}");
    assert!(shares.iter().all(|share| *share >= 0.65), "{shares:?}");
}

#[test]
fn without_a_fall_dates_are_rare() {
    let flat = Fall { slope: 0.0, level_noise: 0.0, slope_noise: 0.0, seen_noise: 2.0 };
    let (_, given) = coverage(&flat, 26, 90.0);
    assert!(given <= 15, "{given} of {SERIES} series without a slope were given a date");
}

fn severity() -> impl Strategy<Value = Severity> {
    prop::sample::select(vec![
        Severity::Normal,
        Severity::Seasonal,
        Severity::Attention,
        Severity::Important,
        Severity::Urgent,
    ])
}

fn alarms() -> impl Strategy<Value = Vec<Alarm>> {
    prop::collection::vec((0.0f64..1e6, severity()), 0..12).prop_map(|alarms| {
        let named = alarms.into_iter().enumerate();
        named
            .map(|(index, (priority, severity))| Alarm { column: format!("c{index}"), priority, severity })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Every alarm is in one incident, and nothing is sent beyond the budget.
    #[test]
    fn nothing_is_lost_and_nothing_is_too_much(
        alarms in alarms(),
        pairs in prop::collection::vec((0usize..12, 0usize..12, -1.0f64..1.0), 0..20),
        sent in 0usize..4,
    ) {
        let found = incidents(&alarms, &pairs);
        let mut columns: Vec<String> = found.iter().flat_map(|one| one.columns.clone()).collect();
        columns.sort();
        let mut wanted: Vec<String> = alarms.iter().map(|alarm| alarm.column.clone()).collect();
        wanted.sort();
        prop_assert_eq!(columns, wanted);
        let count = found.len();
        let dispatched = dispatch(found, Budget::of_week(sent));
        prop_assert!(dispatched.alerts.len() + sent <= 2.max(sent));
        prop_assert_eq!(dispatched.alerts.len() + dispatched.digest.len(), count);
        prop_assert!(dispatched.alerts.iter().all(|one| one.severity >= Severity::Attention));
    }

    /// The interval holds the rate and shrinks with more cases.
    #[test]
    fn wilson_holds_the_rate(hits in 0u32..500, more in 1u32..500) {
        let cases = f64::from(hits + more);
        let one = wilson(f64::from(hits), cases).unwrap();
        let four = wilson(4.0 * f64::from(hits), 4.0 * cases).unwrap();
        prop_assert!(one.lower <= one.rate && one.rate <= one.upper);
        prop_assert!(0.0 <= one.lower && one.upper <= 1.0);
        prop_assert!(four.upper - four.lower < one.upper - one.lower);
    }
}
