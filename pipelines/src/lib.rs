//! When things happen: jobs, schedules, drift checks, gates, rollouts, alerts and reports.
//!
//! Rows are the truth and the queue only wakes: every job and every rollout goes on from its row, wherever it was left.
//! What decides (evidence, state machine, gates) is pure; what reads and writes stands around it. Routing requests,
//! serving pages and everything on the wire is the server's.

pub mod alert;
mod error;
pub mod gate;
pub mod jobs;
pub mod monitor;
pub mod pipeline;
pub mod queue;
mod random;
pub mod reference;
pub mod report;
pub mod rollout;
pub mod schedule;
pub mod spec;
pub mod worker;

pub use error::{Error, Result};
pub use worker::{Worker, WorkerConfig, WorkerContext, WorkerHandle};
