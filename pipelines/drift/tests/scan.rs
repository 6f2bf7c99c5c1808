//! The scan's promises on simulated years: few false alarms, short delays. And what it says of hopeless columns.

use chasqui_drift::{
    ColumnProfile, DriftPolicy, DriftVerdict, Floors, Profile, Reference, WindowSketch, scan, scan_with,
};

/// SplitMix64 with the draws that the simulations need.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Column `column`'s next value: normal, log-normal, whole, few categories, or a long tail of categories.
    fn value(&mut self, column: usize, shift: f64) -> Cell {
        match column % 5 {
            0 => Cell::Number(self.normal() + shift),
            1 => Cell::Number((self.normal() + shift).exp()),
            2 => Cell::Number((self.normal() * 3.0 + 10.0).round()),
            3 => {
                Cell::Text(["norte", "sur", "este", "oeste"][(self.uniform().powi(2) * 4.0) as usize].into())
            }
            _ => Cell::Text(format!("producto {}", (1.0 / (self.uniform() + 1e-4)) as u64)),
        }
    }
}

enum Cell {
    Number(f64),
    Text(String),
}

fn profile(columns: &[usize], rows: usize, random: &mut Random) -> Profile {
    let features = columns.iter().map(|column| {
        let cells: Vec<Cell> = (0..rows).map(|_| random.value(*column, 0.0)).collect();
        let numbers: Vec<f64> = cells
            .iter()
            .filter_map(|cell| if let Cell::Number(x) = cell { Some(*x) } else { None })
            .collect();
        let texts = cells
            .iter()
            .filter_map(|cell| if let Cell::Text(text) = cell { Some(text.as_str()) } else { None });
        let reference = if numbers.is_empty() {
            Reference::of_texts(texts.map(Some))
        } else {
            Reference::of_numbers(&numbers)
        };
        ColumnProfile { name: format!("c{column}"), importance: None, reference }
    });
    Profile { rows: rows as u64, features: features.collect(), prediction: None }
}

fn window(profile: &Profile, columns: &[usize], rows: u64, shift: f64, random: &mut Random) -> WindowSketch {
    let mut window = WindowSketch::new(profile);
    window.rows = rows;
    for ((sketch, column), profiled) in window.features.iter_mut().zip(columns).zip(&profile.features) {
        for _ in 0..rows {
            match random.value(*column, shift) {
                Cell::Number(x) => sketch.add_number(&profiled.reference, x),
                Cell::Text(text) => sketch.add_text(&profiled.reference, &text),
            }
        }
    }
    window
}

fn alarms(verdict: &DriftVerdict) -> usize {
    verdict.features.iter().filter(|column| column.drifted || column.missing_changed).count()
}

#[test]
fn a_year_without_drift_is_quiet() {
    let columns: Vec<usize> = (0..40).collect();
    for rows in [50, 100, 500] {
        let mut random = Random(20_270_101 + rows);
        let profile = profile(&columns, 2000, &mut random);
        let mut floors = Floors::new(1);
        let (mut windows, mut alarmed) = (Vec::new(), 0);
        for _ in 0..52 {
            windows.push(window(&profile, &columns, rows, 0.0, &mut random));
            alarmed += alarms(&scan_with(&profile, &windows, &DriftPolicy::default(), &mut floors));
        }
        assert!(alarmed <= 1, "{alarmed} false alarms at {rows} rows a week");
    }
}

#[test]
fn a_jump_is_found_in_time() {
    // Forty columns of which one jumps by 0.35 standard deviations.
    for (rows, bar) in [(100, 5.0), (200, 2.0), (500, 1.0)] {
        let mut delays: Vec<f64> = (0..31).map(|run| delay(rows, 900 + run)).collect();
        delays.sort_by(f64::total_cmp);
        assert!(delays[15] <= bar, "median {} weeks at {rows} rows: {delays:?}", delays[15]);
    }
}

fn delay(rows: u64, seed: u64) -> f64 {
    let mut random = Random(seed);
    let mut profile = profile(&[0], 2000, &mut random);
    profile.features.extend((1..40).map(|column| ColumnProfile {
        name: format!("quiet {column}"),
        importance: None,
        reference: Reference::of_numbers(&[]),
    }));
    let mut windows: Vec<WindowSketch> =
        (0..8).map(|_| window(&profile, &[0], rows, 0.0, &mut random)).collect();
    for week in 1..=20 {
        windows.push(window(&profile, &[0], rows, 0.35, &mut random));
        if scan(&profile, &windows, &DriftPolicy::default(), 3).drifted {
            return f64::from(week);
        }
    }
    f64::INFINITY
}

#[test]
fn a_new_category_and_a_lost_one_are_found() {
    let texts = |names: &[&'static str]| -> Vec<Option<&'static str>> {
        (0..600).map(|row| Some(names[row % names.len()])).collect()
    };
    let reference = Reference::of_texts(texts(&["a", "b", "c"]).into_iter());
    let profile = Profile {
        rows: 600,
        features: vec![ColumnProfile { name: "city".into(), importance: Some(0.5), reference }],
        prediction: None,
    };
    let mut last = WindowSketch::new(&profile);
    last.rows = 100;
    for row in 0..100 {
        last.features[0].add_text(&profile.features[0].reference, ["a", "b", "z"][row % 3]);
    }
    let verdict = scan(&profile, &[last], &DriftPolicy::default(), 1);
    let city = &verdict.features[0];
    assert!(verdict.drifted && city.drifted);
    assert_eq!(city.after.new_categories[0].value, "z");
    assert!((city.effect - 0.33).abs() < 0.02, "{city:?}");
    assert_eq!(verdict.features[0].before.categories.len(), 3);
}

#[test]
fn a_rise_of_missing_values_is_a_fault_of_the_data() {
    let reference = Reference::of_numbers(&(0..1000).map(f64::from).collect::<Vec<_>>());
    let column = ColumnProfile { name: "age".into(), importance: None, reference };
    let profile = Profile { rows: 1000, features: vec![column.clone()], prediction: Some(column) };
    let mut last = WindowSketch::new(&profile);
    last.rows = 200;
    for row in 0..200 {
        let value = f64::from(row * 5);
        let reference = &profile.features[0].reference;
        last.features[0].add_number(reference, if row % 10 == 0 { f64::NAN } else { value });
        if let Some(prediction) = &mut last.prediction {
            prediction.add_number(reference, value);
        }
    }
    let verdict = scan(&profile, &[last], &DriftPolicy::default(), 1);
    assert!(verdict.missing_changed && !verdict.drifted, "{verdict:?}");
    assert_eq!((verdict.features[0].missing_before, verdict.features[0].missing_after), (0.0, 0.1));
    assert!(!verdict.prediction.unwrap().missing_changed);
}

#[test]
fn hopeless_columns_have_reasons() {
    let columns = [
        ("empty", Reference::of_numbers(&[])),
        ("all missing", Reference::of_numbers(&[f64::NAN; 50])),
        ("infinite", Reference::of_numbers(&[f64::INFINITY; 50])),
        ("no categories", Reference::of_texts(std::iter::repeat_n(None, 50))),
        ("constant category", Reference::of_texts(std::iter::repeat_n(Some("x"), 50))),
    ];
    let features = columns.into_iter().map(|(name, reference)| ColumnProfile {
        name: name.into(),
        importance: Some(f64::NAN),
        reference,
    });
    let profile = Profile { rows: 50, features: features.collect(), prediction: None };
    let mut last = WindowSketch::new(&profile);
    last.rows = 60;
    for (sketch, column) in last.features.iter_mut().zip(&profile.features) {
        (0..60).for_each(|_| sketch.add_text(&column.reference, "x"));
    }
    let verdict = scan(&profile, &[last.clone()], &DriftPolicy::default(), 1);
    assert!(verdict.features.iter().all(|column| column.reason.is_some() && !column.drifted), "{verdict:?}");
    let text = serde_json::to_string(&verdict).unwrap();
    let read: DriftVerdict = serde_json::from_str(&text).unwrap();
    let reasons =
        |verdict: &DriftVerdict| verdict.features.iter().map(|column| column.reason).collect::<Vec<_>>();
    assert_eq!(reasons(&read), reasons(&verdict));
    // A window of another model, and none at all.
    let other = WindowSketch { rows: 5, features: Vec::new(), prediction: None };
    for windows in [&[other][..], &[]] {
        let verdict = scan(&profile, windows, &DriftPolicy::default(), 1);
        assert!(!verdict.drifted && verdict.features.iter().all(|column| column.reason.is_some()));
    }
}

#[test]
fn kept_floors_do_not_change_the_answer() {
    let columns: Vec<usize> = (0..5).collect();
    let mut random = Random(5);
    let profile = profile(&columns, 500, &mut random);
    let windows: Vec<WindowSketch> =
        (0..4).map(|week| window(&profile, &columns, 40 + week * 17, 0.0, &mut random)).collect();
    let mut floors = Floors::new(9);
    for end in 1..=4 {
        let kept = scan_with(&profile, &windows[..end], &DriftPolicy::default(), &mut floors);
        assert_eq!(kept, scan(&profile, &windows[..end], &DriftPolicy::default(), 9));
    }
}

#[test]
fn answers_for_a_part_of_the_rows_say_nothing_about_all() {
    let mut random = Random(8);
    let trained: Vec<f64> = (0..2000).map(|_| random.normal()).collect();
    let column =
        ColumnProfile { name: "y".into(), importance: None, reference: Reference::of_numbers(&trained) };
    let profile = Profile { rows: 2000, features: Vec::new(), prediction: Some(column.clone()) };
    let mut shifted = WindowSketch::new(&profile);
    let answers = shifted.prediction.as_mut().unwrap();
    (0..400).for_each(|_| answers.add_number(&column.reference, random.normal() + 1.0));
    for (rows, drifted) in [(400, true), (440, true), (800, false)] {
        shifted.rows = rows;
        let verdict = scan(&profile, std::slice::from_ref(&shifted), &DriftPolicy::default(), 1);
        let prediction = verdict.prediction.unwrap();
        assert_eq!((prediction.drifted, prediction.reason.is_none()), (drifted, drifted), "{rows} rows");
    }
}
