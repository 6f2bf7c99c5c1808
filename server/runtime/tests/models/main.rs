//! Models built by hand, through the public interface.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod columns;
mod graphs;
mod hostile;
mod layers;
mod vectors;
