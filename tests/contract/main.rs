//! The API keeps what its document promises: a script that anyone can run by hand lets schemathesis ask a started
//! server for everything that the document offers, and for much that it does not.

#![expect(clippy::print_stdout, reason = "the script tells what it saw")]
use std::process::Command;

use chasqui_tests::{binary, python};

#[test]
fn the_api_answers_as_its_document_says() {
    let Some(python) = python() else { return };
    let script = format!("{}/contract/contract.py", env!("CARGO_MANIFEST_DIR"));
    let done = Command::new(python).arg(script).env("CHASQUI_BIN", binary()).output().expect("Python starts");
    let told = String::from_utf8_lossy(&done.stdout);
    print!("{told}");
    assert!(done.status.success(), "{told}\n{}", String::from_utf8_lossy(&done.stderr));
}
