//! The API keeps what its document promises: a script that anyone can run by hand lets schemathesis ask a started
//! server for everything that the document offers, and for much that it does not.

#![expect(clippy::print_stdout, reason = "the script tells what it saw")]
use std::process::Command;

use chasqui_tests::{binary, postgres_database, python};

/// Runs the script; what it saw is shown when it fails.
fn ask(settings: &[(&str, String)]) {
    let Some(python) = python() else { return };
    let script = format!("{}/contract/contract.py", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command.arg(script).env("CHASQUI_BIN", binary()).envs(settings.iter().cloned());
    let done = command.output().expect("Python starts");
    let told = String::from_utf8_lossy(&done.stdout);
    print!("{told}");
    assert!(done.status.success(), "{told}\n{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn the_api_answers_as_its_document_says() {
    ask(&[]);
}

/// PostgreSQL takes fewer texts than SQLite does.
#[test]
fn so_it_does_on_postgresql() {
    let Some(url) = postgres_database("contract") else { return };
    ask(&[("CHASQUI_CONTRACT_DATABASE", url)]);
}
