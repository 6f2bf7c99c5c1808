//! The one error of this crate.

/// Why sketches could not be combined or read.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum DriftError {
    /// Two sketches were made over different reference cells.
    #[error("sketches of different cells cannot be merged: {0}; make both from the same reference")]
    Mismatch(String),
    /// Stored cells contradict themselves.
    #[error("invalid reference: {0}; make it again from the training data")]
    Invalid(String),
    /// A test's name that is none.
    #[error("unknown test {name:?}; valid are {valid}")]
    UnknownTest {
        /// What was asked for.
        name: String,
        /// The names of all tests.
        valid: String,
    },
}
