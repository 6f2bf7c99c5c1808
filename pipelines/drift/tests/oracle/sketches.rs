//! Sketches against the oracle.

use chasqui_drift::{Reference, Sketch, columns};

use crate::files::{assert_close, assert_p, columns_of, expected, folder, numbers};

fn sketched(reference: &Reference, column: &[Option<String>]) -> Sketch {
    let mut sketch = Sketch::new(reference);
    for value in column {
        match value {
            Some(value) => sketch.add_text(reference, value),
            None => sketch.add_missing(),
        }
    }
    sketch
}

#[test]
fn numeric_sketches() {
    let Some(folder) = folder() else { return };
    let expected = expected(&folder);
    for (pair, expected) in expected["pairs"].as_object().unwrap() {
        if expected["kind"] != "numeric" {
            continue;
        }
        let (before, after) = columns_of(&folder, pair);
        let reference = Reference::of_numbers(&numbers(&before));
        let sketch = sketched(&reference, &after);
        let deciles = &expected["decile_bins"];
        assert_close(chasqui_drift::psi(&reference, &sketch).unwrap(), &deciles["psi"], 1e-9, pair);
        let jensen_shannon = chasqui_drift::jensen_shannon(&reference, &sketch).unwrap();
        assert_close(jensen_shannon, &deciles["js_distance_base2_no_floor"], 1e-9, &format!("{pair} js"));
        // A constant column has one decile bin: not applicable.
        if let Some(result) = chasqui_drift::chi_squared(&reference, &sketch).filter(|_| pair != "tiny_n20") {
            assert_close(
                result.statistic,
                &deciles["chi2_contingency"]["chi2"],
                1e-9,
                &format!("{pair} chi2"),
            );
            assert_p(result.p_value, &deciles["chi2_contingency"]["p"], &format!("{pair} chi2"));
        }
        let wasserstein = chasqui_drift::wasserstein(&reference, &sketch).unwrap();
        let exact = expected["wasserstein"]["evidently_normed"].as_f64().unwrap();
        // A lower bound; a cell of twenty rows is wider than one of hundreds.
        let tolerance = if pair == "tiny_n20" { 0.01 } else { 0.002 };
        assert!(
            (-1e-9..=tolerance).contains(&(exact - wasserstein)),
            "{pair}: {wasserstein}, expected {exact}"
        );
        let ks = chasqui_drift::ks(&reference, &sketch).unwrap();
        let exact = expected["ks"]["auto"]["statistic"].as_f64().unwrap();
        assert!(
            (0.0..=1.0 / 64.0).contains(&(exact - ks.statistic + 1e-12)),
            "{pair}: {ks:?}, expected {exact}"
        );
        let at_exact = (ks.statistic - exact).abs() < 1e-12 && reference.rows() * sketch.count() > 20_000;
        if at_exact {
            assert_p(ks.p_value, &expected["ks"]["asymp"]["p"], &format!("{pair} ks asymptotic"));
        }
    }
}

#[test]
fn categorical_sketches() {
    let Some(folder) = folder() else { return };
    let expected = expected(&folder);
    for (pair, expected) in expected["pairs"].as_object().unwrap() {
        if expected["kind"] != "categorical" {
            continue;
        }
        let (before, after) = columns_of(&folder, pair);
        let reference = Reference::of_texts(before.iter().map(Option::as_deref));
        let sketch = sketched(&reference, &after);
        let chi = chasqui_drift::chi_squared(&reference, &sketch).unwrap();
        assert_close(chi.statistic, &expected["chi2_contingency"]["no_correction"]["statistic"], 1e-9, pair);
        assert_p(chi.p_value, &expected["chi2_contingency"]["no_correction"]["p"], pair);
        let by_columns =
            columns::chi_squared(before.iter().map(Option::as_deref), after.iter().map(Option::as_deref))
                .unwrap();
        assert_eq!(by_columns, chi);
        for (actual, key) in [
            (chasqui_drift::psi(&reference, &sketch), "psi"),
            (chasqui_drift::jensen_shannon(&reference, &sketch), "js_distance_base2"),
            (chasqui_drift::hellinger(&reference, &sketch), "hellinger"),
            (chasqui_drift::total_variation(&reference, &sketch), "tvd"),
        ] {
            assert_close(actual.unwrap(), &expected[key], 1e-9, &format!("{pair} {key}"));
        }
    }
}
