//! The errors of training and evaluation, in terms of what the caller can do.

use chasqui_runtime::ModelError;
use thiserror::Error;

/// Why a model was not trained, exported or evaluated.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The specification or the table is at fault; the message names the column or the setting.
    #[error("{0}")]
    Invalid(String),
    /// The progress callback asked to stop.
    #[error("training was cancelled")]
    Cancelled,
    /// The exported file does not answer as the learner does; it must not be used.
    #[error("the exported model does not answer as the learner does: {0}")]
    Mismatch(String),
    /// The runtime refused a model or its inputs.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A fault of the numerical engine.
    #[error("the numerical engine failed")]
    Engine(#[from] candle_core::Error),
}

impl TrainError {
    /// A small, stable, transport-neutral code of the kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            TrainError::Invalid(_) => "training_invalid",
            TrainError::Cancelled => "training_cancelled",
            TrainError::Mismatch(_) => "export_mismatch",
            TrainError::Model(error) => error.code(),
            TrainError::Engine(_) => "training_failed",
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> TrainError {
        TrainError::Invalid(message.into())
    }
}
