//! Datasets from upload to rows, on both databases; dialects, real files, hostile files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "dataset/dialects.rs"]
mod dialects;
#[path = "dataset/fixture.rs"]
mod fixture;
#[path = "dataset/hostile.rs"]
mod hostile;
#[path = "dataset/real_files.rs"]
mod real_files;
#[path = "dataset/versions.rs"]
mod versions;
