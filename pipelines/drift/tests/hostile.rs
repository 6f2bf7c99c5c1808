//! Whatever the columns hold, every test answers with finite numbers or says why it does not apply.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chasqui_drift::{
    Cause, ColumnData, CompareOptions, ComparedColumn, DefaultTests, Matrix, NumberPair, Reconstruction,
    ScoreKind, TableComparison, Test, TestVerdict, compare, compare_tables, describe, domain_classifier,
    mean_distance, vector_discrepancy,
};
use proptest::prelude::*;

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => proptest::num::f64::ANY,
        4 => -50.0..50.0f64,
        4 => (-5i32..5).prop_map(f64::from),
        2 => Just(f64::NAN),
        1 => prop_oneof![
            Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(f64::MAX), Just(f64::MIN), Just(-0.0), Just(0.0),
            Just(f64::MIN_POSITIVE), Just(5e-324), Just(-5e-324), Just(1e300), Just(1.0 + f64::EPSILON),
        ],
    ]
}

/// Constant, two-valued, whole, heavy-tailed and arbitrary columns, often short.
fn any_numbers() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        2 => proptest::collection::vec(any_number(), 0..80),
        2 => (any_number(), 0usize..40).prop_map(|(value, rows)| vec![value; rows]),
        2 => (any_number(), any_number(), proptest::collection::vec(any::<bool>(), 0..60))
            .prop_map(|(a, b, which)| which.into_iter().map(|which| if which { a } else { b }).collect()),
        1 => proptest::collection::vec((0i32..30).prop_map(f64::from), 0..80),
        1 => proptest::collection::vec((-300.0..300.0f64).prop_map(|power| 10f64.powf(power)), 0..80),
        1 => proptest::collection::vec(any_number(), 0..3),
    ]
}

fn any_texts() -> impl Strategy<Value = Vec<Option<String>>> {
    let value = prop_oneof![
        1 => Just(None),
        6 => "[a-c]".prop_map(Some),
        2 => ".{0,12}".prop_map(Some),
        2 => "[a-e]{2,4}( [a-e]{2,4}){0,3}".prop_map(Some),
    ];
    prop_oneof![
        3 => proptest::collection::vec(value.clone(), 0..80),
        1 => (value, 0usize..40).prop_map(|(value, rows)| vec![value; rows]),
    ]
}

fn borrowed(texts: &[Option<String>]) -> Vec<Option<&str>> {
    texts.iter().map(Option::as_deref).collect()
}

/// Finite numbers in their ranges, or a reason.
fn check(test: Test, answer: &TestVerdict) {
    let what = format!("{test} {answer:?}");
    assert!(answer.threshold.is_finite(), "{what}");
    assert!(answer.statistic.is_none_or(f64::is_finite), "{what}");
    assert!(answer.p_value.is_none_or(|p| (0.0..=1.0).contains(&p)), "{what}");
    match answer.score {
        Some(score) if test.score_kind() == ScoreKind::Distance => {
            assert!(score.is_finite() && score >= 0.0, "{what}");
        }
        Some(score) => assert!((0.0..=1.0).contains(&score), "{what}"),
        None => assert!(answer.reason.is_some() && !answer.drifted && answer.p_value.is_none(), "{what}"),
    }
    let text = serde_json::to_string(answer).unwrap();
    assert!(!text.contains("null") || answer.score.is_none(), "{what}");
    let _: TestVerdict = serde_json::from_str(&text).unwrap();
}

fn check_pair(reference: ColumnData<'_>, current: ColumnData<'_>) {
    let answers = compare(reference, current, &Test::ALL, 3);
    assert_eq!(answers.len(), Test::ALL.len());
    for (test, answer) in &answers {
        check(*test, answer);
        let applies =
            test.applies_to(reference.column_type()) && reference.column_type() == current.column_type();
        assert!(applies || answer.reason.is_some(), "{test} {answer:?}");
    }
    let column = ComparedColumn { name: "x", reference, current };
    for defaults in [DefaultTests::Calibrated, DefaultTests::Evidently] {
        for tests in [Vec::new(), Test::ALL.to_vec()] {
            let options = CompareOptions { defaults, tests, ..CompareOptions::default() };
            let comparison = compare_tables(&[column], &options);
            for (test, answer) in &comparison.columns["x"].tests {
                check(*test, answer);
            }
            let text = serde_json::to_string(&comparison).unwrap();
            let _: TableComparison = serde_json::from_str(&text).unwrap();
        }
    }
}

/// A column never drifted from itself.
fn check_copy(column: ColumnData<'_>) {
    for (test, answer) in compare(column, column, &Test::ALL, 3) {
        assert!(!answer.drifted, "{test} {answer:?}");
        if let (Some(score), ScoreKind::Distance) = (answer.score, test.score_kind()) {
            assert!(score <= 1e-7, "{test} {answer:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_numbers_are_compared(before in any_numbers(), after in any_numbers()) {
        check_pair(ColumnData::Numbers(&before), ColumnData::Numbers(&after));
        check_copy(ColumnData::Numbers(&before));
    }

    #[test]
    fn any_categories_are_compared(before in any_texts(), after in any_texts()) {
        let (before, after) = (borrowed(&before), borrowed(&after));
        check_pair(ColumnData::Categories(&before), ColumnData::Categories(&after));
        check_copy(ColumnData::Categories(&before));
    }

    #[test]
    fn sides_can_be_swapped(before in any_numbers(), after in any_numbers()) {
        use Test::{AndersonDarling, CramerVonMises, Energy, JensenShannon, KolmogorovSmirnov, MannWhitney, Student};
        let tests = [KolmogorovSmirnov, Student, MannWhitney, CramerVonMises, AndersonDarling, Energy, JensenShannon];
        let there = compare(ColumnData::Numbers(&before), ColumnData::Numbers(&after), &tests, 1);
        let back = compare(ColumnData::Numbers(&after), ColumnData::Numbers(&before), &tests, 1);
        for ((test, there), (_, back)) in there.iter().zip(&back) {
            let close = match (there.score, back.score) {
                (Some(there), Some(back)) => (there - back).abs() <= 1e-6 * there.max(back) + 1e-9,
                (there, back) => there.is_none() == back.is_none(),
            };
            prop_assert!(close, "{} {:?} {:?}", test, there, back);
        }
    }
}

proptest! {
    // A classifier is trained in every case.
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_vectors_are_compared(
        width in 1usize..4,
        before in any_numbers(),
        after in any_numbers(),
        other_width in 1usize..4,
    ) {
        let matrix = |width: usize, values: &[f64]| Matrix::of_rows(width, values.chunks_exact(width)).unwrap();
        let (before, after) = (matrix(width, &before), matrix(other_width, &after));
        if let Ok(distance) = mean_distance(&before, &after) {
            prop_assert!(distance.is_finite() && distance >= 0.0);
        }
        if let Ok(result) = domain_classifier(&before, &after, 1) {
            prop_assert!((0.0..=1.0).contains(&result.auc) && (0.0..=1.0).contains(&result.p_value));
        }
        if let Ok(result) = vector_discrepancy(&before, &after, 1) {
            prop_assert!(result.discrepancy.is_finite() && (0.0..=1.0).contains(&result.p_value));
        }
        if let Ok(reconstruction) = Reconstruction::of(&before, 0.65) {
            prop_assert!(reconstruction.components() >= 1);
            for rows in [&before, &after] {
                if let Ok(error) = reconstruction.error(rows) {
                    prop_assert!(error.mean >= 0.0 && error.mean.is_finite());
                    prop_assert!(error.sampling_error.is_none_or(f64::is_finite));
                }
            }
        }
    }

    #[test]
    fn any_columns_are_described(values in any_numbers()) {
        let description = describe(&values);
        let figures = [
            description.mean,
            description.population_deviation,
            description.sample_deviation,
            description.skewness,
            description.excess_kurtosis,
        ];
        prop_assert!(figures.iter().flatten().all(|figure| figure.is_finite()), "{:?}", description);
        let cramers_v = NumberPair::of(&values, &[0.0, 1.0]).categories().map(|table| table.cramers_v());
        prop_assert!(cramers_v.is_err() || (0.0..=1.0).contains(&cramers_v.unwrap()));
        let pair = NumberPair::of(&values, &[0.0, 1.0, 1.5]);
        let p_values = [
            pair.welch().map(|result| result.p_value),
            pair.levene().map(|result| result.p_value),
            pair.anderson_darling_right().map(|result| result.p_value),
            pair.asymptotic_cramer_von_mises().map(|result| result.p_value),
        ];
        prop_assert!(p_values.iter().flatten().all(|p| (0.0..=1.0).contains(p)), "{:?}", p_values);
    }

    #[test]
    fn any_texts_are_compared(before in any_texts(), after in any_texts()) {
        let (before, after) = (borrowed(&before), borrowed(&after));
        check_pair(ColumnData::Texts(&before), ColumnData::Texts(&after));
    }
}

#[test]
fn types_that_differ_have_a_reason() {
    let (numbers, texts) = ([1.0, 2.0, 3.0], [Some("a"), None]);
    check_pair(ColumnData::Numbers(&numbers), ColumnData::Categories(&texts));
    check_pair(ColumnData::Texts(&texts), ColumnData::Categories(&texts));
}

#[test]
fn hopeless_numbers_have_reasons() {
    let long = vec![7.5; 300];
    let columns: [&[f64]; 9] = [
        &[],
        &[f64::NAN; 50],
        &[f64::INFINITY; 50],
        &[f64::NEG_INFINITY, f64::INFINITY, f64::NAN],
        &[1.0],
        &[f64::MAX, f64::MIN, f64::MAX, f64::MIN, 0.0, 1.0],
        &[0.0, -0.0, 0.0],
        &[5e-324, 1e-323, 0.0, 5e-324, 5e-324, 1.5e-323],
        &long,
    ];
    for before in columns {
        for after in columns {
            check_pair(ColumnData::Numbers(before), ColumnData::Numbers(after));
        }
        check_copy(ColumnData::Numbers(before));
    }
    let nothing = compare(ColumnData::Numbers(&[f64::NAN; 9]), ColumnData::Numbers(&long), &Test::ALL, 1);
    assert!(nothing.iter().all(|(_, answer)| answer.score.is_none()));
}

#[test]
fn a_hundred_thousand_categories() {
    let names: Vec<String> = (0..200_000).map(|row| format!("cliente {row}")).collect();
    let column = |rows: std::ops::Range<usize>| -> Vec<Option<&str>> {
        names[rows].iter().map(|name| Some(name.as_str())).collect()
    };
    let (before, same, other) = (column(0..100_000), column(50_000..150_000), column(100_000..200_000));
    check_pair(ColumnData::Categories(&before), ColumnData::Categories(&same));
    let answers = compare(
        ColumnData::Categories(&before),
        ColumnData::Categories(&other),
        &[Test::ChiSquared, Test::TotalVariation],
        1,
    );
    // Names that stand once: every fresh sample holds new ones, which is no drift.
    assert!(answers.iter().all(|(_, answer)| !answer.drifted), "{answers:?}");
}

#[test]
fn threads_do_not_change_the_answer() {
    let columns: Vec<Vec<f64>> =
        (0..7).map(|column| (0..500).map(|row| f64::from((row * (column + 3)) % 97)).collect()).collect();
    let compared: Vec<ComparedColumn<'_>> = columns
        .iter()
        .zip(["a", "b", "c", "d", "e", "f", "g"])
        .map(|(values, name)| ComparedColumn {
            name,
            reference: ColumnData::Numbers(&values[..300]),
            current: ColumnData::Numbers(&values[200..]),
        })
        .collect();
    let with = |threads| {
        let options = CompareOptions { threads, tests: Test::ALL.to_vec(), ..CompareOptions::default() };
        compare_tables(&compared, &options)
    };
    assert_eq!(with(1), with(3));
    assert_eq!(with(1), with(100));
}

#[test]
fn the_verdict_follows_the_rules() {
    let usual: Vec<f64> = (0..400).map(|row| f64::from(row * 7 % 400)).collect();
    let moved: Vec<f64> = usual.iter().map(|value| value + 200.0).collect();
    let barely: Vec<f64> = usual.iter().map(|value| value + 1.0).collect();
    let column = |name, current| ComparedColumn {
        name,
        reference: ColumnData::Numbers(&usual),
        current: ColumnData::Numbers(current),
    };
    let columns = [column("moved", &moved), column("same", &usual), column("barely", &barely)];
    let calibrated = compare_tables(&columns, &CompareOptions::default());
    assert!(calibrated.verdict.drifted);
    assert_eq!(calibrated.verdict.drifted_columns, ["moved"]);
    assert_eq!(calibrated.columns["moved"].tests[&Test::KolmogorovSmirnov].threshold, 0.05 / 3.0);
    let row = calibrated.verdict.table.iter().find(|row| row.column == "moved").unwrap();
    assert!(row.adjusted_p.unwrap() < 1e-6 && (row.effect.unwrap() - 0.5).abs() < 1e-9, "{row:?}");
    let options = CompareOptions { defaults: DefaultTests::Evidently, ..CompareOptions::default() };
    let evidently = compare_tables(&columns, &options);
    // One of three columns is less than half.
    assert!(!evidently.verdict.drifted && evidently.verdict.drifted_columns == ["moved"]);
    let json = serde_json::to_value(&evidently).unwrap();
    assert_eq!(json["columns"]["moved"]["type"], "numeric");
    assert_eq!(json["columns"]["moved"]["tests"]["ks"]["threshold"], 0.05);
    assert_eq!(json["columns"]["moved"]["tests"]["ks"]["drifted"], true);
}

#[test]
fn a_sure_but_tiny_change_is_not_drift() {
    let column = |moved: usize| -> Vec<Option<&'static str>> {
        (0..200_000).map(|row| Some(if row < moved { "rara" } else { "usual" })).collect()
    };
    let (before, after) = (column(1_000), column(1_400));
    let compared = [ComparedColumn {
        name: "x",
        reference: ColumnData::Categories(&before),
        current: ColumnData::Categories(&after),
    }];
    let comparison = compare_tables(&compared, &CompareOptions::default());
    let answer = &comparison.columns["x"].tests[&Test::ChiSquared];
    assert!(answer.p_value.unwrap() < 1e-9 && !answer.drifted && answer.reason.is_some(), "{answer:?}");
}

#[test]
fn a_test_that_cannot_reach_its_threshold_says_so() {
    let before: Vec<f64> = (0..200).map(f64::from).collect();
    let after: Vec<f64> = before.iter().map(|value| value + 1000.0).collect();
    let names: Vec<String> = (0..100).map(|number| format!("x{number}")).collect();
    let (reference, current) = (ColumnData::Numbers(&before), ColumnData::Numbers(&after));
    for test in [Test::TotalVariation, Test::MeanDiscrepancy, Test::AndersonDarling] {
        let options = CompareOptions { tests: vec![test], ..CompareOptions::default() };
        let answer = |columns: usize| {
            let columns: Vec<ComparedColumn<'_>> = names[..columns]
                .iter()
                .map(|name| ComparedColumn { name: name.as_str(), reference, current })
                .collect();
            compare_tables(&columns, &options).columns["x0"].tests[&test].clone()
        };
        assert!(answer(1).drifted, "{test}");
        let coarse = answer(100);
        assert!(!coarse.drifted && matches!(coarse.cause, Some(Cause::Coarse { .. })), "{test} {coarse:?}");
        assert!(coarse.reason.unwrap().contains("smallest p-value"), "{test}");
    }
}
