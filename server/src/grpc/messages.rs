//! The messages and services that `build.rs` generates from `proto/`.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "this is generated code")]

/// `package inference`
pub(super) mod inference {
    tonic::include_proto!("inference");
}

/// `package grpc.health.v1`
pub(super) mod health {
    tonic::include_proto!("grpc.health.v1");
}
