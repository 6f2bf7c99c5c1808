//! How often drift checks are wrong, and how late they are: a seeded simulation of model-years.
//!
//! Prints the table of `docs/drift.md`. The first argument is the number of seeds (100 by default).

#![expect(clippy::print_stdout, reason = "an example prints its table")]

use chasqui_drift::{
    ColumnData, ColumnProfile, DriftPolicy, DriftVerdict, Floors, NumberPair, Profile, Reference, Test,
    WindowSketch, compare, scan_with,
};

const COLUMNS: usize = 40;
const WEEKS: usize = 52;
const TRAINING_ROWS: usize = 2_000;
const SIZES: [usize; 4] = [50, 100, 200, 500];
/// Where a delay ends at the latest.
const LONGEST: usize = 30;
/// Weeks before the change.
const QUIET: usize = 8;
/// Seeds of the contrast, which sorts the training data anew for every window.
const CONTRAST_SEEDS: u64 = 10;
const JUMP: f64 = 0.35;
const RAMP_WEEKS: f64 = 12.0;
const RAMP_END: f64 = 0.5;

fn main() {
    let seeds = std::env::args().nth(1).and_then(|seeds| seeds.parse().ok()).unwrap_or(100);
    println!("| rows a week | {} |", SIZES.map(|rows| rows.to_string()).join(" | "));
    println!("| --- | {} |", SIZES.map(|_| "---:").join(" | "));
    let mut years = SIZES.map(|_| Year::default());
    for (year, rows) in years.iter_mut().zip(SIZES) {
        for seed in 0..seeds {
            year.add(&quiet_year(rows, seed, seed < CONTRAST_SEEDS));
        }
    }
    let contrasted = seeds.min(CONTRAST_SEEDS) as f64;
    row("false alarms a model-year, scan", &years.map(|year| year.scan / seeds as f64));
    row("model-years with any false alarm, scan", &years.map(|year| year.any / seeds as f64));
    row(
        "false alarms a model-year, Wasserstein ≥ 0.1 (numbers only)",
        &years.map(|year| year.wasserstein / contrasted),
    );
    row(
        "false alarms a model-year, Jensen–Shannon ≥ 0.1",
        &years.map(|year| year.jensen_shannon / contrasted),
    );
    for (name, shift) in [("jump of 0.35 σ", jump as fn(usize) -> f64), ("ramp over 12 weeks to 0.5 σ", ramp)]
    {
        let delays = SIZES.map(|rows| (0..seeds).map(|seed| delay(rows, seed, shift)).collect::<Vec<_>>());
        row(&format!("{name}: median delay, weeks"), &delays.clone().map(|delays| median(&delays)));
        row(
            &format!("{name}: mean delay, weeks"),
            &delays.map(|delays| delays.iter().sum::<f64>() / delays.len() as f64),
        );
    }
}

fn row(name: &str, figures: &[f64; 4]) {
    println!("| {name} | {} |", figures.map(|figure| format!("{figure:.2}")).join(" | "));
}

fn median(delays: &[f64]) -> f64 {
    let mut sorted = delays.to_vec();
    sorted.sort_by(f64::total_cmp);
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

fn jump(_week: usize) -> f64 {
    JUMP
}

fn ramp(week: usize) -> f64 {
    (week as f64 / RAMP_WEEKS).min(1.0) * RAMP_END
}

/// Alarms of model-years without drift.
#[derive(Clone, Copy, Default)]
struct Year {
    scan: f64,
    any: f64,
    wasserstein: f64,
    jensen_shannon: f64,
}

impl Year {
    fn add(&mut self, other: &Self) {
        self.scan += other.scan;
        self.any += other.any;
        self.wasserstein += other.wasserstein;
        self.jensen_shannon += other.jensen_shannon;
    }
}

fn quiet_year(rows: usize, seed: u64, contrast: bool) -> Year {
    let mut random = Random(seed.wrapping_mul(1_000_003) + rows as u64);
    let training: Vec<Values> =
        (0..COLUMNS).map(|column| random.column(column, TRAINING_ROWS, 0.0)).collect();
    let profile = profile(&training);
    let mut floors = Floors::new(seed);
    let (mut year, mut windows) = (Year::default(), Vec::new());
    for _ in 0..WEEKS {
        let values: Vec<Values> = (0..COLUMNS).map(|column| random.column(column, rows, 0.0)).collect();
        if contrast {
            for (before, after) in training.iter().zip(&values) {
                let (wasserstein, jensen_shannon) = fixed_thresholds(before, after);
                year.wasserstein += f64::from(u8::from(wasserstein));
                year.jensen_shannon += f64::from(u8::from(jensen_shannon));
            }
        }
        windows.push(window(&profile, &values, rows));
        year.scan += alarms(&scan_with(&profile, &windows, &DriftPolicy::default(), &mut floors));
    }
    year.any = f64::from(u8::from(year.scan > 0.0));
    year
}

fn alarms(verdict: &DriftVerdict) -> f64 {
    verdict.features.iter().filter(|column| column.drifted || column.missing_changed).count() as f64
}

/// Whether a column alarms by Wasserstein (numbers only) and by Jensen–Shannon at 0.1.
fn fixed_thresholds(before: &Values, after: &Values) -> (bool, bool) {
    match (before, after) {
        (Values::Numbers(before), Values::Numbers(after)) => {
            let distance = NumberPair::of(before, after).normed_wasserstein();
            let (before, after) = (ColumnData::Numbers(before), ColumnData::Numbers(after));
            let jensen_shannon = compare(before, after, &[Test::JensenShannon], 1)[0].1.drifted;
            (distance.is_ok_and(|distance| distance >= 0.1), jensen_shannon)
        }
        (Values::Texts(before), Values::Texts(after)) => {
            let [before, after] =
                [before, after].map(|texts| texts.iter().map(|text| Some(text.as_str())).collect::<Vec<_>>());
            let (before, after) = (ColumnData::Categories(&before), ColumnData::Categories(&after));
            (false, compare(before, after, &[Test::JensenShannon], 1)[0].1.drifted)
        }
        _ => (false, false),
    }
}

/// Weeks until the scan finds that one of forty columns (normal) has changed.
fn delay(rows: usize, seed: u64, shift: fn(usize) -> f64) -> f64 {
    let mut random = Random(seed.wrapping_mul(7_919) + 31 * rows as u64);
    let mut profile = profile(&[random.column(0, TRAINING_ROWS, 0.0)]);
    // The other columns only make the threshold what it is for forty.
    profile.features.extend((1..COLUMNS).map(|column| ColumnProfile {
        name: format!("quiet {column}"),
        importance: None,
        reference: Reference::of_numbers(&[]),
    }));
    let mut floors = Floors::new(seed);
    let mut windows: Vec<WindowSketch> = Vec::new();
    for _ in 0..QUIET {
        windows.push(window(&profile, &[random.column(0, rows, 0.0)], rows));
    }
    for week in 1..=LONGEST {
        windows.push(window(&profile, &[random.column(0, rows, shift(week))], rows));
        if scan_with(&profile, &windows, &DriftPolicy::default(), &mut floors).drifted {
            return week as f64;
        }
    }
    LONGEST as f64
}

fn profile(training: &[Values]) -> Profile {
    let features = training.iter().enumerate().map(|(column, values)| ColumnProfile {
        name: format!("c{column}"),
        importance: None,
        reference: match values {
            Values::Numbers(numbers) => Reference::of_numbers(numbers),
            Values::Texts(texts) => Reference::of_texts(texts.iter().map(|text| Some(text.as_str()))),
        },
    });
    Profile { rows: TRAINING_ROWS as u64, features: features.collect(), prediction: None }
}

fn window(profile: &Profile, columns: &[Values], rows: usize) -> WindowSketch {
    let mut window = WindowSketch::new(profile);
    window.rows = rows as u64;
    for ((sketch, column), values) in window.features.iter_mut().zip(&profile.features).zip(columns) {
        match values {
            Values::Numbers(numbers) => {
                for number in numbers {
                    sketch.add_number(&column.reference, *number);
                }
            }
            Values::Texts(texts) => {
                for text in texts {
                    sketch.add_text(&column.reference, text);
                }
            }
        }
    }
    window
}

enum Values {
    Numbers(Vec<f64>),
    Texts(Vec<String>),
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

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Normal, log-normal, whole, few categories, or a long tail of categories, by the column's number.
    fn column(&mut self, column: usize, rows: usize, shift: f64) -> Values {
        match column % 5 {
            0 => Values::Numbers((0..rows).map(|_| self.normal() + shift).collect()),
            1 => Values::Numbers((0..rows).map(|_| (self.normal() + shift).exp()).collect()),
            2 => Values::Numbers((0..rows).map(|_| (self.normal() * 3.0 + 10.0).round()).collect()),
            3 => {
                let cities = ["norte", "sur", "este", "oeste"];
                Values::Texts(
                    (0..rows).map(|_| cities[(self.uniform().powi(2) * 4.0) as usize].into()).collect(),
                )
            }
            _ => {
                let product =
                    |random: &mut Self| format!("producto {}", (1.0 / (random.uniform() + 1e-4)) as u64);
                Values::Texts((0..rows).map(|_| product(self)).collect())
            }
        }
    }
}
