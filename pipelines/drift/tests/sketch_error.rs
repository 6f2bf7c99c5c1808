//! The stated errors of sketches, on a thousand random pairs of columns: heavy tails, ties, atoms, shifts.

use chasqui_drift::{
    NumberPair, NumberReference, Reference, Sketch, Table, chi_squared, hellinger, jensen_shannon, ks, psi,
    total_variation, wasserstein, wasserstein_error,
};
use proptest::prelude::*;

/// Numbers of many shapes.
fn column(rows: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        // Uniform, log-normal-like, Cauchy, Pareto.
        Just(0u8),
        Just(1),
        Just(2),
        Just(3),
        // Whole numbers, an atom at zero, multiples of a tenth.
        Just(4),
        Just(5),
        Just(6),
    ];
    (value, proptest::collection::vec(1e-6..1.0f64, rows), -2.0..2.0f64, 0.2..5.0f64).prop_map(
        |(shape, uniforms, shift, scale)| {
            let shaped = uniforms.into_iter().map(|u| match shape {
                0 => u,
                1 => (1.0 / u - 1.0).ln().exp().powf(0.7),
                2 => (std::f64::consts::PI * (u - 0.5)).tan(),
                3 => u.powf(-1.0 / 1.5),
                4 => (u * 12.0).floor(),
                5 => {
                    if u < 0.6 {
                        0.0
                    } else {
                        1.0 / u
                    }
                }
                _ => (u * 50.0).round() / 10.0,
            });
            shaped.map(|x| x * scale + shift).collect()
        },
    )
}

/// The second column of the first one's shape, somewhat moved, or of another.
fn pair() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    prop_oneof![
        (column(20..1500), column(1..600)),
        (column(20..1500), 0.9..1.1f64, -0.1..0.1f64, 1usize..600).prop_map(
            |(before, scale, shift, rows)| {
                let after = before.iter().rev().take(rows).map(|x| x * scale + shift).collect();
                (before, after)
            }
        ),
        (column(20..1500), 1usize..600).prop_map(|(before, rows)| {
            let after = before.iter().skip(before.len() / 3).take(rows).copied().collect();
            (before, after)
        }),
    ]
}

fn counted(values: &[f64], cuts: &[f64]) -> Vec<u64> {
    let mut counts = vec![0; cuts.len() + 1];
    for value in values {
        counts[cuts.partition_point(|cut| cut < value)] += 1;
    }
    counts
}

/// Largest share of the reference in a cell that holds more than one distinct value of the two columns.
fn largest_mass(cells: &NumberReference, before: &[f64], after: &[f64]) -> f64 {
    let mut pooled: Vec<f64> = before.iter().chain(after).copied().collect();
    pooled.sort_by(f64::total_cmp);
    pooled.dedup();
    let several = counted(&pooled, cells.cuts());
    let masses = cells.counts().iter().zip(several).filter(|(_, distinct)| *distinct > 1);
    masses.map(|(count, _)| *count as f64 / before.len() as f64).fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn errors_stay_within_their_bounds((before, after) in pair()) {
        let reference = Reference::of_numbers(&before);
        let mut sketch = Sketch::new(&reference);
        for value in &after {
            sketch.add_number(&reference, *value);
        }
        let Reference::Number(cells) = &reference else { panic!("numbers") };
        let exact = NumberPair::of(&before, &after);

        // Over the cells themselves nothing is lost.
        let cuts = cells.decile_cuts();
        let table = Table::new(counted(&before, &cuts), counted(&after, &cuts)).unwrap();
        prop_assert_eq!(psi(&reference, &sketch), Some(table.psi()));
        prop_assert_eq!(jensen_shannon(&reference, &sketch), Some(table.jensen_shannon()));
        prop_assert_eq!(hellinger(&reference, &sketch), Some(table.hellinger()));
        prop_assert_eq!(total_variation(&reference, &sketch), Some(table.total_variation()));
        prop_assert_eq!(chi_squared(&reference, &sketch), table.chi_squared());

        // Kolmogorov–Smirnov: short by the largest mass of a cell at most.
        let distance = exact.kolmogorov_smirnov().unwrap().distance;
        let short = distance - ks(&reference, &sketch).unwrap().statistic;
        let mass = largest_mass(cells, &before, &after);
        prop_assert!((-1e-12..=mass + 1e-12).contains(&short), "short by {} of mass {}", short, mass);

        // Wasserstein: short by the stated error at most.
        if let Ok(distance) = exact.normed_wasserstein() {
            let of_cells = wasserstein(&reference, &sketch).unwrap();
            let short = distance - of_cells;
            let bound = wasserstein_error(&reference, &sketch).unwrap_or(0.0);
            let largest = before.iter().chain(&after).fold(1.0f64, |largest, value| largest.max(value.abs()));
            let rounding = 1e-13 * largest * cells.cuts().len() as f64 / exact.reference_deviation().unwrap().max(1e-9);
            prop_assert!((-rounding..=bound + rounding).contains(&short), "short by {} of {}", short, bound);
        }
    }
}
