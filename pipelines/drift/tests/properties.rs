//! Whatever the data: no panic, no NaN, sketches close to the columns they stand for.

use chasqui_drift::{
    ColumnProfile, DriftPolicy, DriftVerdict, Profile, Reference, Sketch, WindowSketch, chi_squared, columns,
    hellinger, jensen_shannon, ks, psi, scan, total_variation, wasserstein,
};
use proptest::prelude::*;

/// Any float there is, the awkward ones often.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => proptest::num::f64::ANY,
        4 => -50.0..50.0f64,
        4 => (-5i32..5).prop_map(f64::from),
        1 => prop_oneof![
            Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(f64::MAX), Just(f64::MIN), Just(-0.0),
            Just(f64::MIN_POSITIVE)
        ],
    ]
}

fn any_text() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        1 => Just(None),
        6 => "[a-e]{1,2}".prop_map(Some),
        2 => ".{0,6}".prop_map(Some),
        1 => (1.0..4.0f64).prop_map(|number| Some(number.round().to_string())),
    ]
}

/// Columns as they come: continuous, whole, skewed.
fn plain_column(rows: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        proptest::collection::vec(-100.0..100.0f64, rows.clone()),
        proptest::collection::vec((0i32..300).prop_map(f64::from), rows.clone()),
        proptest::collection::vec((0.0..8.0f64).prop_map(f64::exp), rows),
    ]
}

fn sketch_of(reference: &Reference, values: &[f64]) -> Sketch {
    let mut sketch = Sketch::new(reference);
    for value in values {
        sketch.add_number(reference, *value);
    }
    sketch
}

fn sketch_of_texts(reference: &Reference, values: &[Option<String>]) -> Sketch {
    let mut sketch = Sketch::new(reference);
    for value in values {
        match value {
            Some(value) => sketch.add_text(reference, value),
            None => sketch.add_missing(),
        }
    }
    sketch
}

/// A seeded normal column (Box & Muller 1958 over SplitMix64).
fn normal_column(rows: u64, seed: u64) -> Vec<f64> {
    let uniform = |step: u64| {
        let mut mixed = (seed << 32 | step).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let normal = |row| {
        (-2.0 * (1.0 - uniform(2 * row)).ln()).sqrt() * (std::f64::consts::TAU * uniform(2 * row + 1)).cos()
    };
    (0..rows).map(normal).collect()
}

#[test]
fn sketches_of_large_columns_are_nearly_exact() {
    let heavy = |column: Vec<f64>| -> Vec<f64> { column.into_iter().map(|x| (1.5 * x).exp()).collect() };
    let shifted = |column: Vec<f64>| -> Vec<f64> { column.into_iter().map(|x| x * 1.1 + 0.2).collect() };
    let (before, after) = (normal_column(20_000, 1), shifted(normal_column(10_000, 2)));
    for (before, after) in [(before.clone(), after.clone()), (heavy(before), heavy(after))] {
        let reference = Reference::of_numbers(&before);
        let sketch = sketch_of(&reference, &after);
        let error =
            columns::ks(&before, &after).unwrap().statistic - ks(&reference, &sketch).unwrap().statistic;
        assert!((0.0..=0.002).contains(&error), "Kolmogorov–Smirnov {error}");
        let error =
            columns::wasserstein(&before, &after).unwrap() - wasserstein(&reference, &sketch).unwrap();
        assert!((-1e-9..=0.0004).contains(&error), "Wasserstein {error}");
    }
}

fn answers(reference: &Reference, sketch: &Sketch) -> Vec<f64> {
    let distances = [psi, jensen_shannon, hellinger, total_variation, wasserstein];
    let mut numbers: Vec<f64> = distances.iter().filter_map(|distance| distance(reference, sketch)).collect();
    for test in [ks, chi_squared] {
        if let Some(result) = test(reference, sketch) {
            assert!((0.0..=1.0).contains(&result.p_value), "{result:?}");
            numbers.extend([result.statistic, result.p_value]);
        }
    }
    numbers
}

fn check(reference: Reference, sketches: Vec<Sketch>, min_rows: u64) {
    for sketch in &sketches {
        let numbers = answers(&reference, sketch);
        assert!(numbers.iter().all(|number| number.is_finite() && *number >= 0.0), "{numbers:?}");
    }
    let column = ColumnProfile { name: "x".into(), importance: None, reference };
    let profile = Profile { rows: column.reference.rows(), features: vec![column], prediction: None };
    let read: Profile = stored_and_read(&profile);
    let windows: Vec<WindowSketch> = sketches
        .into_iter()
        .map(|sketch| WindowSketch { rows: sketch.count(), features: vec![sketch], prediction: None })
        .collect();
    let windows: Vec<WindowSketch> = stored_and_read(&windows);
    let policy = DriftPolicy { min_rows, ..DriftPolicy::default() };
    let verdict = scan(&read, &windows, &policy, 1);
    let column = &verdict.features[0];
    let numbers =
        [column.statistic, column.p_value, column.adjusted_p, column.psi, column.effect, column.effect_floor];
    assert!(numbers.iter().all(|number| number.is_finite()), "{column:?}");
    for summary in [&column.before, &column.after] {
        let shares: f64 = summary.histogram.iter().map(|bin| bin.share).sum();
        assert!(summary.histogram.is_empty() || (shares - 1.0).abs() < 1e-6, "{shares} {summary:?}");
        assert!(summary.histogram.len() <= 20 && summary.categories.len() <= 10);
    }
    let _: DriftVerdict = stored_and_read(&verdict);
}

fn stored_and_read<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("what the crate makes can be stored");
    serde_json::from_str(&text).expect("what was stored can be read")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_numbers_are_answered(
        before in proptest::collection::vec(any_number(), 0..200),
        after in proptest::collection::vec(proptest::collection::vec(any_number(), 0..60), 0..4),
        min_rows in 0u64..5,
    ) {
        let reference = Reference::of_numbers(&before);
        let sketches = after.iter().map(|values| sketch_of(&reference, values)).collect();
        check(reference, sketches, min_rows);
    }

    #[test]
    fn any_texts_are_answered(
        before in proptest::collection::vec(any_text(), 0..300),
        after in proptest::collection::vec(proptest::collection::vec(any_text(), 0..60), 0..4),
        min_rows in 0u64..5,
    ) {
        let reference = Reference::of_texts(before.iter().map(Option::as_deref));
        let sketches = after.iter().map(|values| sketch_of_texts(&reference, values)).collect();
        check(reference, sketches, min_rows);
    }

    #[test]
    fn merging_is_adding(
        before in plain_column(1..300),
        first in proptest::collection::vec(any_number(), 0..50),
        second in proptest::collection::vec(any_number(), 0..50),
    ) {
        let reference = Reference::of_numbers(&before);
        let mut merged = sketch_of(&reference, &first);
        merged.merge(&sketch_of(&reference, &second)).unwrap();
        let together = sketch_of(&reference, &[first, second].concat());
        prop_assert_eq!(merged.count(), together.count());
        prop_assert_eq!(psi(&reference, &merged), psi(&reference, &together));
        prop_assert_eq!(ks(&reference, &merged), ks(&reference, &together));
    }

    #[test]
    fn the_sketch_is_close_to_the_columns(before in plain_column(1..2000), after in plain_column(1..500)) {
        let reference = Reference::of_numbers(&before);
        let sketch = sketch_of(&reference, &after);
        let exact = columns::ks(&before, &after).unwrap().statistic;
        let cells = ks(&reference, &sketch).unwrap().statistic;
        prop_assert!(cells <= exact + 1e-12 && exact <= cells + 1.0 / 64.0, "{} for {}", cells, exact);
        if let Some(exact) = columns::wasserstein(&before, &after) {
            let cells = wasserstein(&reference, &sketch).unwrap();
            prop_assert!(cells <= exact + 1e-9, "{} for {}", cells, exact);
            // A single row may cancel inside one wide cell; many cannot.
            let many = before.len() >= 500 && after.len() >= 100;
            prop_assert!(!many || exact - cells <= 0.02, "{} for {}", cells, exact);
        }
    }

    #[test]
    fn a_32_bit_copy_of_the_column_is_the_same_column(before in plain_column(50..500)) {
        let reference = Reference::of_numbers(&before);
        let copy: Vec<f64> = before.iter().map(|value| f64::from(*value as f32)).collect();
        let distance = ks(&reference, &sketch_of(&reference, &copy)).unwrap().statistic;
        // Two values closer than 32 bits can tell may change sides: one row.
        prop_assert!(distance < 1.5 / before.len() as f64, "{}", distance);
        prop_assert!(psi(&reference, &sketch_of(&reference, &copy)).unwrap() < 0.02);
    }

    #[test]
    fn spoilt_storage_is_refused_or_harmless(
        before in plain_column(1..50),
        texts in proptest::collection::vec(any_text(), 1..50),
        spoilt in proptest::collection::vec((0usize..20_000, proptest::char::range('0', '9')), 1..4),
    ) {
        let number = Reference::of_numbers(&before);
        let text = Reference::of_texts(texts.iter().map(Option::as_deref));
        let windows = [sketch_of(&number, &before), sketch_of_texts(&text, &texts)];
        for (reference, sketch) in [number, text].into_iter().zip(windows) {
            let spoilt_reference = serde_json::from_str(&spoil(&reference, &spoilt)).unwrap_or(reference);
            let spoilt_sketch = serde_json::from_str(&spoil(&sketch, &spoilt)).unwrap_or(sketch);
            let numbers = answers(&spoilt_reference, &spoilt_sketch);
            prop_assert!(numbers.iter().all(|number| number.is_finite()));
            let feature = ColumnProfile { name: "x".into(), importance: None, reference: spoilt_reference };
            let profile = Profile { rows: 1, features: vec![feature], prediction: None };
            let window = WindowSketch { rows: 1, features: vec![spoilt_sketch], prediction: None };
            let verdict = scan(&profile, &[window.clone(), window], &DriftPolicy::default(), 1);
            let _: DriftVerdict = stored_and_read(&verdict);
        }
    }
}

/// The stored form with some digits replaced.
fn spoil<T: serde::Serialize>(value: &T, replacements: &[(usize, char)]) -> String {
    let mut text = serde_json::to_string(value).expect("what the crate makes can be stored");
    for (position, digit) in replacements {
        let digits: Vec<usize> =
            text.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(index, _)| index).collect();
        let at = digits[position % digits.len()];
        text.replace_range(at..=at, &digit.to_string().repeat(1 + position % 18));
    }
    text
}
