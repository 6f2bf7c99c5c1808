//! Trains through the public API, on generated and on real tables.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod it {
    mod generated;
    mod onnxruntime;
    mod real;
    mod tables;
    mod training;
}
