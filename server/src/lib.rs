//! Who may ask, and how it looks on the wire: HTTP, keys, pages and the command line of Chasqui.
//!
//! The binary `chasqui` is a thin shell around [`cli::main`]; [`app::start`] starts the same server inside
//! another program, on any port.

pub mod api;
pub mod app;
pub mod auth;
pub mod body;
pub mod cli;
pub mod client;
pub mod config;
pub mod demo;
pub mod edge;
mod grpc;
pub mod inference;
pub mod limits;
mod memory;
pub mod metrics;
pub mod openapi;
pub mod pages;
mod performance;
pub mod problem;
pub mod telemetry;
mod work;
