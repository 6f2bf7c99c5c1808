//! The promises of the binary, black-box: every test starts the real `chasqui` on a folder and a port of its own and
//! talks to it as its users do. One module per promise; what they start from is in `fixtures` and `graphs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod binary;
mod browser;
mod commands;
mod datasets;
mod dialects;
mod draining;
mod drift_files;
mod durability;
mod engines;
mod estimation;
mod expectations;
mod fixtures;
mod graphs;
mod hostile;
mod jobs;
mod journey;
mod monitoring;
mod pages;
mod predictions;
mod pressure;
mod protocol;
mod reference;
mod registration;
mod repository;
mod requests;
mod rollouts;
mod security;
mod streams;
mod telemetry;
mod tls;
