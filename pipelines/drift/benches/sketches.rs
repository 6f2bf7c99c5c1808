//! Time of one value into a sketch, of a check of a hundred features over thirty days, and of two whole tables.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{hint::black_box, time::Instant};

use chasqui_drift::{
    ColumnData, ColumnProfile, CompareOptions, ComparedColumn, DriftPolicy, Floors, Profile, Reference,
    Sketch, WindowSketch, compare_tables, scan_with,
};

const TRAINING_ROWS: usize = 20_000;
const VALUES: usize = 2_000_000;
const FEATURES: usize = 100;
const DAYS: usize = 30;
const ROWS_A_DAY: usize = 500;
const TABLE_ROWS: usize = 100_000;
const TABLE_COLUMNS: usize = 30;

/// Runs the parts named in the arguments (`updates`, `checks`, `tables`), or all.
fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    if wanted("updates") {
        updates(&mut Random(42));
    }
    if wanted("checks") {
        checks(&mut Random(42));
    }
    if wanted("tables") {
        tables(&mut Random(42));
    }
}

/// Nanoseconds a value: target below 1,000.
fn updates(random: &mut Random) {
    let reference = Reference::of_numbers(&random.normals(TRAINING_ROWS));
    let values = random.normals(VALUES);
    let mut sketch = Sketch::new(&reference);
    let start = Clock::start();
    for value in &values {
        sketch.add_number(&reference, *value);
    }
    report("number into a sketch", &start, VALUES, "ns", 1e9);
    black_box(&sketch);

    let names: Vec<String> = (0..300).map(|name| format!("producto {name}")).collect();
    let text = |random: &mut Random| names[(random.uniform().powi(3) * 300.0) as usize].as_str();
    let training: Vec<&str> = (0..TRAINING_ROWS).map(|_| text(random)).collect();
    let reference = Reference::of_texts(training.iter().map(|text| Some(*text)));
    let values: Vec<&str> = (0..VALUES).map(|_| text(random)).collect();
    let mut sketch = Sketch::new(&reference);
    let start = Clock::start();
    for value in &values {
        sketch.add_text(&reference, value);
    }
    report("category into a sketch", &start, VALUES, "ns", 1e9);
    black_box(&sketch);

    let unseen: Vec<String> = (0..VALUES / 10).map(|row| format!("nuevo {}", row % 5_000)).collect();
    let start = Clock::start();
    for value in &unseen {
        sketch.add_text(&reference, value);
    }
    report("unseen category into a sketch", &start, unseen.len(), "ns", 1e9);
    black_box(&sketch);
}

/// Milliseconds a check: target below 10.
fn checks(random: &mut Random) {
    let features = (0..FEATURES).map(|feature| ColumnProfile {
        name: format!("x{feature}"),
        importance: None,
        reference: Reference::of_numbers(&random.normals(TRAINING_ROWS)),
    });
    let profile = Profile { rows: TRAINING_ROWS as u64, features: features.collect(), prediction: None };
    let days: Vec<WindowSketch> = (0..DAYS)
        .map(|_| {
            let mut window = WindowSketch::new(&profile);
            window.rows = ROWS_A_DAY as u64;
            for (sketch, column) in window.features.iter_mut().zip(&profile.features) {
                for value in random.normals(ROWS_A_DAY) {
                    sketch.add_number(&column.reference, value);
                }
            }
            window
        })
        .collect();
    let mut floors = Floors::new(1);
    for what in ["first check of 100 features × 30 days", "check of 100 features × 30 days"] {
        let start = Clock::start();
        black_box(scan_with(&profile, &days, &DriftPolicy::default(), &mut floors));
        report(what, &start, 1, "ms", 1e3);
    }
}

/// Seconds for two tables of 100,000 rows: target below 0.3 on two cores.
fn tables(random: &mut Random) {
    let mut table = || -> Vec<Vec<f64>> { (0..TABLE_COLUMNS).map(|_| random.normals(TABLE_ROWS)).collect() };
    let (before, after) = (table(), table());
    let names: Vec<String> = (0..TABLE_COLUMNS).map(|column| format!("x{column}")).collect();
    let columns: Vec<ComparedColumn<'_>> = names
        .iter()
        .zip(before.iter().zip(&after))
        .map(|(name, (before, after))| ComparedColumn {
            name,
            reference: ColumnData::Numbers(before),
            current: ColumnData::Numbers(after),
        })
        .collect();
    for threads in [1, 2] {
        let options = CompareOptions { threads, ..CompareOptions::default() };
        let start = Clock::start();
        black_box(compare_tables(&columns, &options));
        report(&format!("100,000 × 30 against 100,000 × 30, {threads} threads"), &start, 1, "s", 1.0);
    }
    let cities: Vec<String> = (0..40).map(|city| format!("ciudad {city}")).collect();
    let mut column = || -> Vec<Option<&str>> {
        (0..TABLE_ROWS).map(|_| Some(cities[(random.uniform().powi(2) * 40.0) as usize].as_str())).collect()
    };
    let (before, after) = (column(), column());
    let categorical: Vec<ComparedColumn<'_>> = names
        .iter()
        .map(|name| ComparedColumn {
            name,
            reference: ColumnData::Categories(&before),
            current: ColumnData::Categories(&after),
        })
        .collect();
    let options = CompareOptions { threads: 2, ..CompareOptions::default() };
    let start = Clock::start();
    black_box(compare_tables(&categorical, &options));
    report("the same with 30 categorical columns, 2 threads", &start, 1, "s", 1.0);
    assert_eq!(before.len(), TABLE_ROWS);
}

fn report(what: &str, start: &Clock, times: usize, unit: &str, per_second: f64) {
    let scale = per_second / times as f64;
    let wall = start.wall.elapsed().as_secs_f64() * scale;
    match start.cpu.zip(thread_cpu()) {
        Some((before, after)) => {
            let cpu = (after - before) * scale;
            println!("{what}: {wall:.3} {unit} ({cpu:.3} {unit} of processor on this thread)");
        }
        None => println!("{what}: {wall:.3} {unit}"),
    }
}

/// Time passed and, where the system tells, processor time of this thread: on a busy machine the two differ.
struct Clock {
    wall: Instant,
    cpu: Option<f64>,
}

impl Clock {
    fn start() -> Self {
        Self { wall: Instant::now(), cpu: thread_cpu() }
    }
}

/// Seconds of processor time of this thread (Linux).
fn thread_cpu() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normals(&mut self, rows: usize) -> Vec<f64> {
        let normal = |random: &mut Self| {
            let radius = (-2.0 * (1.0 - random.uniform()).ln()).sqrt();
            radius * (std::f64::consts::TAU * random.uniform()).cos()
        };
        (0..rows).map(|_| normal(self)).collect()
    }
}
