//! Real data through a real server: each journey is a script that anyone can run by hand.

#![expect(clippy::print_stdout, reason = "a journey tells what it saw")]
use std::process::Command;

use chasqui_tests::{binary, python};

/// Runs a journey; its sentences are shown when it fails.
fn travel(script: &str) {
    let Some(python) = python() else { return };
    let path = format!("{}/journeys/{script}", env!("CARGO_MANIFEST_DIR"));
    let done = Command::new(python).arg(path).env("CHASQUI_BIN", binary()).output().expect("Python starts");
    let told = String::from_utf8_lossy(&done.stdout);
    print!("{told}");
    assert!(done.status.success(), "{script}:\n{told}\n{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn favorita_finds_the_earthquake_and_recovers() {
    travel("favorita.py");
}

#[test]
fn bank_marketing_drifts_and_recovers() {
    travel("bank_marketing.py");
}

#[test]
fn scikit_learn_forest_answers_the_same() {
    travel("outside_model.py");
}
