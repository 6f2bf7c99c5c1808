//! The outside programs of the tests, named by environment variables that `tests/run` sets. Where one is
//! absent the test says so and skips.
#![expect(clippy::print_stderr, reason = "a test that skips says so")]

use std::path::PathBuf;
use std::process::Command;

/// A Python with the packages of `tests/requirements.txt`.
pub fn python() -> Option<PathBuf> {
    named("CHASQUI_TEST_PYTHON").map(PathBuf::from)
}

/// The S3 server's URL.
pub fn s3_endpoint() -> Option<String> {
    named("CHASQUI_TEST_S3_ENDPOINT")
}

/// A new bucket on the S3 server, made by `boto3`.
pub fn s3_bucket(endpoint: &str, name: &str) {
    let python = python().expect("the S3 server is a Python program");
    let script = format!(
        "import boto3; boto3.client('s3', endpoint_url='{endpoint}', aws_access_key_id='test', \
         aws_secret_access_key='test', region_name='us-east-1').create_bucket(Bucket='{name}')"
    );
    let made = Command::new(python).args(["-c", &script]).status().expect("Python starts");
    assert!(made.success(), "the bucket {name} could not be made");
}

/// A new, empty database on the PostgreSQL server.
pub fn postgres_database(name: &str) -> Option<String> {
    let server = named("CHASQUI_TEST_POSTGRES_URL")?;
    let made = Command::new("psql")
        .args([
            &server,
            "-q",
            "-c",
            &format!("DROP DATABASE IF EXISTS {name}"),
            "-c",
            &format!("CREATE DATABASE {name}"),
        ])
        .status()
        .expect("psql is installed beside the server");
    assert!(made.success(), "the database {name} could not be made");
    let (base, _) = server.rsplit_once('/').expect("the URL names a database");
    Some(format!("{base}/{name}"))
}

/// The headless browser.
pub fn chromium() -> Option<PathBuf> {
    let found =
        ["/usr/bin/chromium", "/usr/bin/chromium-browser"].iter().map(PathBuf::from).find(|p| p.exists());
    if found.is_none() {
        eprintln!("SKIPPED: no Chromium");
    }
    found
}

fn named(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        eprintln!("SKIPPED: {variable} is not set; tests/run sets it");
    }
    value
}
