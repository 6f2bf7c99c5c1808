//! Real clients against the real binary: each script is one that anyone can run by hand.

#![expect(clippy::print_stdout, reason = "a script tells what it saw")]
use std::process::Command;

use chasqui_tests::{binary, python};

/// Runs a script; its sentences are shown when it fails.
fn run(script: &str) {
    let Some(python) = python() else { return };
    let path = format!("{}/compat/{script}", env!("CARGO_MANIFEST_DIR"));
    let done = Command::new(python).arg(path).env("CHASQUI_BIN", binary()).output().expect("Python starts");
    let told = String::from_utf8_lossy(&done.stdout);
    print!("{told}");
    assert!(done.status.success(), "{script}:\n{told}\n{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn mlflow_scores_as_with_its_own_server() {
    run("mlflow_scoring.py");
}

#[test]
fn requests_asks_kserve_v1_and_streams_lines() {
    run("plain_requests.py");
}
