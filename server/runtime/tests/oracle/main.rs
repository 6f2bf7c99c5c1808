//! The engine against onnxruntime and against the test cases of the `onnx` package.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a test that cannot run says so")]

mod backend;
mod cases;
mod matrix;
mod sklearn;
