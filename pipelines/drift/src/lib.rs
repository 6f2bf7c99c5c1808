//! What changed: sketches of the data a model was trained on and of the data it sees, the statistical tests
//! between them, and the calibrated scan that decides whether a change deserves an alarm.
//!
//! Everything here is a pure function of values: no I/O, no clock; randomness takes a seed. A test that cannot be
//! answered (constant column, too few rows, everything missing) is "not applicable" with a reason, never a panic
//! and never a NaN.

pub mod calendar;
pub mod columns;
mod comparison;
pub mod decision;
mod distance;
mod error;
mod fisher;
mod floors;
pub mod kind;
mod kolmogorov;
mod multiple_testing;
pub mod performance;
mod policy;
mod profile;
mod random;
mod reference;
mod scan;
mod sketch;
pub mod stream;
mod summary;

mod verdict;

pub use comparison::{
    TestResult, chi_squared, hellinger, jensen_shannon, ks, psi, total_variation, wasserstein,
};
pub use error::DriftError;
pub use floors::Floors;
pub use multiple_testing::benjamini_hochberg;
pub use policy::DriftPolicy;
pub use profile::{ColumnProfile, Profile, WindowSketch};
pub use reference::{NumberReference, Reference, TextReference};
pub use scan::{scan, scan_with};
pub use sketch::Sketch;
pub use summary::{Bin, Category, Summary};
pub use verdict::{ColumnKind, DriftVerdict, FeatureDrift};
