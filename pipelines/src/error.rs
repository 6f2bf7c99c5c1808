//! The one error type of this crate, in terms of what the caller can do about it.

/// What went wrong, named after what the caller can do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The named thing does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The thing exists already.
    #[error("{0}")]
    AlreadyExists(String),
    /// The state does not allow it now; reload and decide again.
    #[error("{0}")]
    Conflict(String),
    /// The input is wrong; the message says what to change.
    #[error("{0}")]
    Invalid(String),
    /// Something we depend on does not answer; try again.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of ours. The source is for the log, never for the client.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The registry refused or failed.
    #[error(transparent)]
    Registry(#[from] chasqui_registry::Error),
}

impl Error {
    /// A small code that does not depend on the transport: `not_found`, `conflict`, ….
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::AlreadyExists(_) => "already_exists",
            Self::Conflict(_) => "conflict",
            Self::Invalid(_) => "invalid",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
            Self::Registry(error) => error.code(),
        }
    }

    /// Wraps a fault of ours.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Registry(error.into())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::internal(error)
    }
}

/// What the functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
