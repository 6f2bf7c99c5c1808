//! What exists: models, versions, aliases, datasets, services, predictions, outcomes, keys and the audit log;
//! bytes in object storage, rows in SQLite or PostgreSQL.
//!
//! Every noun is a file: its type, its rules, its SQL and its tests. [`db`] alone names a database engine,
//! [`artifact`] alone knows object paths. What happens *when* (jobs, rollouts, drift checks) is not here.

pub mod alias;
pub mod artifact;
pub mod audit;
pub mod calendar;
pub mod clock;
pub mod dataset;
pub mod db;
mod error;
pub mod estimator;
pub mod idempotency;
pub mod model;
pub mod name;
pub mod outcome;
mod pace;
pub mod page;
pub mod prediction_log;
mod registry;
pub mod routing;
mod row;
pub mod service;
pub mod user;
pub mod version;

pub use artifact::Artifacts;
pub use clock::{Clock, Micros};
pub use db::Db;
pub use error::{Error, Result};
pub use page::{Page, PageRequest};
pub use registry::Registry;
