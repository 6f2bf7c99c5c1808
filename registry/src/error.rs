//! The errors of this crate, in terms of what the caller can do about them.

/// What went wrong, by what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The named thing does not exist, or was deleted.
    #[error("{0}")]
    NotFound(String),
    /// A thing of that name exists already.
    #[error("{0}")]
    AlreadyExists(String),
    /// The present state of things forbids it; the message says which.
    #[error("{0}")]
    Conflict(String),
    /// The input is wrong; the message names it and says what to do.
    #[error("{0}")]
    Invalid(String),
    /// The input is larger than what is accepted.
    #[error("{0}")]
    TooLarge(String),
    /// The database or the object store does not answer now; the same request may succeed later.
    #[error("{0}")]
    Unavailable(String),
    /// A defect of ours or of the machine; the source is for the log, never for the client.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Wraps a defect; also takes a text.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Internal(source.into())
    }

    /// The [`Error::NotFound`] of a named thing: `the model \`x\` does not exist`.
    pub fn not_found(kind: &str, name: impl std::fmt::Display) -> Self {
        Error::NotFound(format!("the {kind} `{name}` does not exist"))
    }

    /// A small, stable, transport-neutral code of the kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Error::NotFound(_) => "not_found",
            Error::AlreadyExists(_) => "already_exists",
            Error::Conflict(_) => "conflict",
            Error::Invalid(_) => "invalid",
            Error::TooLarge(_) => "too_large",
            Error::Unavailable(_) => "unavailable",
            Error::Internal(_) => "internal",
        }
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Error::internal(error)
    }
}

impl From<chasqui_runtime::ModelError> for Error {
    fn from(error: chasqui_runtime::ModelError) -> Self {
        Error::Invalid(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn an_internal_error_hides_its_source_from_its_message() {
        let error = Error::internal("disk 7 melted");
        assert_eq!(error.to_string(), "internal error");
        assert_eq!(
            std::error::Error::source(&error).map(ToString::to_string).as_deref(),
            Some("disk 7 melted")
        );
    }
}
