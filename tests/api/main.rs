//! The promises of the binary, black-box: every test starts the real `chasqui` on a folder and a port of its own and
//! talks to it as its users do. One module per promise; what they start from is in `fixtures` and `graphs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod browser;
mod commands;
mod datasets;
mod draining;
mod durability;
mod engines;
mod expectations;
mod fixtures;
mod graphs;
mod jobs;
mod journey;
mod monitoring;
mod pages;
mod predictions;
mod protocol;
mod reference;
mod registration;
mod requests;
mod rollouts;
mod security;
mod telemetry;
