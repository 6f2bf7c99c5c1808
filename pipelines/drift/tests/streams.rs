//! The stream detectors against river, update by update.

use std::{fs, path::PathBuf};

use chasqui_drift::stream::{
    Adwin, AdwinSettings, Ddm, DdmSettings, Direction, Eddm, EddmSettings, HddmA, HddmASettings, HddmW,
    HddmWSettings, PageHinkley, PageHinkleySettings, Signal,
};
use proptest::prelude::*;
use serde_json::Value;

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn streams() -> Option<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracle/drift/streams.json");
    if !path.is_file() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    let text = fs::read_to_string(path).expect("the oracle is readable");
    Some(serde_json::from_str(&text).expect("the oracle is JSON"))
}

/// Name and parameters of a detector as the oracle's keys give them: `DDM(warm_start=30,warning=2,drift=3)`.
fn parse(key: &str) -> (&str, Vec<(&str, &str)>) {
    let (name, rest) = key.split_once('(').expect("a key has parameters");
    let inside = rest.split_once(')').expect("a key is closed").0;
    (name, inside.split(',').map(|pair| pair.split_once('=').expect("name=value")).collect())
}

fn number(pair: &(&str, &str)) -> f64 {
    pair.1.parse().unwrap_or_else(|_| panic!("{pair:?} is no number"))
}

fn adwin(parameters: &[(&str, &str)]) -> Adwin {
    let mut settings = AdwinSettings::default();
    for pair in parameters {
        match pair.0 {
            "delta" => settings.delta = number(pair),
            "clock" => settings.clock = number(pair) as u64,
            "max_buckets" => settings.max_buckets = number(pair) as usize,
            "min_window" => settings.min_window = number(pair),
            "grace" => settings.grace = number(pair) as u64,
            other => panic!("unknown parameter {other}"),
        }
    }
    Adwin::new(settings)
}

fn page_hinkley(parameters: &[(&str, &str)]) -> PageHinkley {
    let mut settings = PageHinkleySettings::default();
    for pair in parameters {
        match pair.0 {
            "min_instances" => settings.min_instances = number(pair) as u64,
            "delta" => settings.delta = number(pair),
            "threshold" => settings.threshold = number(pair),
            "alpha" => settings.alpha = number(pair),
            "mode" => {
                settings.direction = match pair.1 {
                    "up" => Direction::Up,
                    "down" => Direction::Down,
                    "both" => Direction::Both,
                    other => panic!("unknown mode {other}"),
                }
            }
            other => panic!("unknown parameter {other}"),
        }
    }
    PageHinkley::new(settings)
}

/// A detector of the oracle as one function of the next value; None for those that are only informative there.
fn detector(key: &str) -> Option<Box<dyn FnMut(f64) -> Signal>> {
    let (name, parameters) = parse(key);
    let value = |wanted: &str| number(parameters.iter().find(|pair| pair.0 == wanted).expect("given"));
    Some(match name {
        "ADWIN" => {
            let mut adwin = adwin(&parameters);
            Box::new(move |value| adwin.update(value))
        }
        "PageHinkley" => {
            let mut test = page_hinkley(&parameters);
            Box::new(move |value| test.update(value))
        }
        "DDM" => {
            let warm_start = value("warm_start") as u64;
            let mut ddm =
                Ddm::new(DdmSettings { warm_start, warning: value("warning"), drift: value("drift") });
            Box::new(move |value| ddm.update(value == 1.0))
        }
        "EDDM" => {
            let warm_start = value("warm_start") as u64;
            let mut eddm = Eddm::new(EddmSettings { warm_start, alpha: value("alpha"), beta: value("beta") });
            Box::new(move |value| eddm.update(value == 1.0))
        }
        "HDDM_A" => {
            let mut hddm = HddmA::new(HddmASettings { drift: value("drift"), warning: value("warning") });
            Box::new(move |value| hddm.update(value == 1.0))
        }
        "HDDM_W" => {
            let mut hddm = HddmW::new(HddmWSettings {
                drift: value("drift"),
                warning: value("warning"),
                lambda: value("lambda"),
            });
            Box::new(move |value| hddm.update(value == 1.0))
        }
        "KSWIN" => return None,
        other => panic!("unknown detector {other}"),
    })
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn at(signals: &[Signal], wanted: Signal) -> Vec<u64> {
    (0u64..).zip(signals).filter(|(_, signal)| **signal == wanted).map(|(index, _)| index).collect()
}

#[test]
fn every_detector_fires_where_river_does() {
    let Some(oracle) = streams() else { return };
    let mut compared = 0;
    for (name, stream) in oracle["streams"].as_object().expect("streams") {
        let values = numbers(&stream["values"]);
        for (key, expected) in stream["detectors"].as_object().expect("detectors") {
            let Some(mut update) = detector(key) else { continue };
            let signals: Vec<Signal> = values.iter().map(|value| update(*value)).collect();
            let drifts: Vec<f64> = at(&signals, Signal::Drift).iter().map(|index| *index as f64).collect();
            assert_eq!(drifts, numbers(&expected["drift_at"]), "{name} {key}");
            compared += 1;
            let Some(count) = expected.get("warning_count") else { continue };
            let warnings: Vec<f64> =
                at(&signals, Signal::Warning).iter().map(|index| *index as f64).collect();
            // EDDM of river leaves a warning set beside the drift that follows it; one signal is either.
            let beside = |pair: &&[Signal]| *pair == [Signal::Warning, Signal::Drift];
            let both = if key.starts_with("EDDM") { signals.windows(2).filter(beside).count() } else { 0 };
            let warned = (warnings.len() + both) as u64;
            assert_eq!(warned, count.as_u64().expect("a count"), "{name} {key} warnings");
            let first = numbers(&expected["first_warnings"]);
            assert_eq!(warnings[..first.len()], first, "{name} {key} first warnings");
        }
    }
    assert_eq!(compared, 31, "the oracle holds 31 comparable runs");
}

#[test]
fn the_window_of_adwin_ends_as_rivers() {
    let Some(oracle) = streams() else { return };
    for (name, stream) in oracle["streams"].as_object().expect("streams") {
        for (key, expected) in stream["detectors"].as_object().expect("detectors") {
            let ("ADWIN", parameters) = parse(key) else { continue };
            let mut window = adwin(&parameters);
            for value in numbers(&stream["values"]) {
                window.update(value);
            }
            let close = |actual: f64, key: &str| {
                let expected = expected[key].as_f64().expect("a number");
                assert!((actual - expected).abs() <= 1e-9 * expected.abs(), "{name} {key}: {actual}");
            };
            close(window.width() as f64, "final_width");
            close(window.mean(), "final_estimation");
            close(window.squared_deviations(), "final_variance");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// ADWIN's check is about differences: adding a constant to the stream moves nothing.
    #[test]
    fn adwin_does_not_see_the_level(values in prop::collection::vec(-10i32..10, 40..400), level in -1000i32..1000) {
        let (mut near, mut far) = (adwin(&[("clock", "1")]), adwin(&[("clock", "1")]));
        for value in values {
            let (a, b) = (near.update(f64::from(value)), far.update(f64::from(value + level)));
            prop_assert_eq!(a, b);
        }
        prop_assert!((near.squared_deviations() - far.squared_deviations()).abs() < 1e-6);
    }

    /// A constant stream never changes for the detectors of numbers.
    #[test]
    fn a_constant_never_drifts(value in -1e6f64..1e6, length in 1usize..500) {
        let mut window = adwin(&[("clock", "1")]);
        let mut test = page_hinkley(&[]);
        for _ in 0..length {
            prop_assert_eq!(window.update(value), Signal::Steady);
            prop_assert_eq!(test.update(value), Signal::Steady);
        }
    }
}
