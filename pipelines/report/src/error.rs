//! What can go wrong when a report is built or rendered.

/// Why a report could not be built or rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The figures break a rule of the report; the message names the field and says what is expected.
    #[error("the report is not valid: {0}")]
    Invalid(String),
    /// The page could not be written.
    #[error("the report could not be rendered")]
    Internal(#[from] askama::Error),
}

impl ReportError {
    /// A short, stable code for the edge that renders errors.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Internal(_) => "internal",
        }
    }
}
