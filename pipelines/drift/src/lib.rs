//! What changed: sketches of the data a model was trained on and of the data it sees, the statistical tests
//! between them, and the calibrated scan that decides whether a change deserves an alarm.
//!
//! Everything here is a pure function of values: no I/O, no clock; randomness takes a seed. A test that cannot be
//! answered (constant column, too few rows, everything missing) is "not applicable" with a reason, never a panic
//! and never a NaN.

pub mod calendar;
mod categories;
pub mod columns;
mod compare;
mod comparison;
mod contingency;
pub mod decision;
mod describe;
mod distance;
mod domain;
mod eigen;
mod error;
mod fisher;
mod floors;
pub mod groups;
mod intake;
pub mod kind;
mod kolmogorov;
mod multiple_testing;
mod not_applicable;
mod numbers;
pub mod performance;
mod policy;
mod profile;
pub mod quality;
mod random;
mod reconstruction;
mod reference;
mod sample;
mod scan;
mod sketch;
mod sort;
pub mod stream;
mod summary;
mod tail;
mod test;
mod test_verdict;
mod text_content;
mod untested;
mod vectors;
mod verdict;

pub use categories::CategoryPair;
pub use compare::{
    ColumnComparison, ColumnData, ColumnPicture, CompareOptions, ComparedColumn, DefaultTests,
    TableComparison, TableRow, TableVerdict, compare, compare_tables,
};
pub use comparison::{
    TestResult, chi_squared, hellinger, jensen_shannon, ks, psi, total_variation, wasserstein,
    wasserstein_error,
};
pub use contingency::ExactResult;
pub use describe::{Description, describe};
pub use distance::Table;
pub use domain::DomainResult;
pub use error::DriftError;
pub use floors::Floors;
pub use intake::{
    CategoryCounts, IntakeLimits, Kept, NumberColumn, NumberFigures, RowSample, TextColumn, sampling_error,
};
pub use multiple_testing::{benjamini_hochberg, benjamini_yekutieli, holm};
pub use not_applicable::NotApplicable;
pub use numbers::{Bins, KolmogorovSmirnov, MeanDiscrepancy, NumberPair, RankResult, StudentResult};
pub use policy::DriftPolicy;
pub use profile::{ColumnProfile, Profile, WindowSketch};
pub use reconstruction::{ErrorLimits, Reconstruction, ReconstructionError, frequencies};
pub use reference::{NumberReference, Reference, TextReference};
pub use scan::{scan, scan_with};
pub use sketch::{RecentRows, RowHash, Sketch};
pub use summary::{Bin, Category, Summary};
pub use test::{ColumnType, ScoreKind, Test};
pub use test_verdict::{Cause, TestVerdict};
pub use text_content::text_content;
pub use untested::Untested;
pub use vectors::{Matrix, VectorDiscrepancy, domain_classifier, mean_distance, vector_discrepancy};
pub use verdict::{ColumnKind, DriftVerdict, FeatureDrift};
