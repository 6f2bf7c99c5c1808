//! The errors of this crate, in terms of what the caller can do about them.

use thiserror::Error;

/// Why a model was not loaded or did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ModelError {
    /// The bytes are not a model we may run: not ONNX, truncated, too large or inconsistent.
    #[error("invalid model: {0}")]
    Invalid(String),
    /// The model asks for an operator, or a form of one, that the runtime does not have.
    #[error("unsupported model: {0}")]
    Unsupported(String),
    /// The tensors handed over do not fit the model's signature.
    #[error("invalid input: {0}")]
    Input(String),
    /// The model failed while it computed; the input may be at fault or the model itself.
    #[error("the model failed: {0}")]
    Failed(String),
}

impl ModelError {
    /// A small, stable, transport-neutral code of the kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            ModelError::Invalid(_) => "model_invalid",
            ModelError::Unsupported(_) => "model_unsupported",
            ModelError::Input(_) => "input_invalid",
            ModelError::Failed(_) => "model_failed",
        }
    }
}
