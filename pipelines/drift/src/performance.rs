//! How well a model does before anybody has told it what was right: estimated performance, with its uncertainty,
//! its thresholds and the reasons why an estimate must not be believed.
//!
//! Classification by confidence-based performance estimation (CBPE), regression by direct loss estimation (DLE),
//! both as NannyML 0.13.1 documents and computes them. The estimates assume that the relation between inputs and
//! truth is as it was in the reference; whether that holds only labels can tell, see [`reconcile`].
//!
//! Drift explains, performance decides: nothing here looks at the inputs' distributions. Training the predictor of
//! losses is not here either, this crate is below the trainer.

mod binary;
mod calibration;
mod confusion;
mod loss;
mod measure;
mod multiclass;
mod roc;
mod thresholds;
mod validity;

pub use binary::{Cbpe, CbpeSettings, Labelled, Scored};
pub use calibration::{Calibration, Isotonic, calibrate, expected_calibration_error};
pub use confusion::{Confusion, ValueMatrix};
pub use loss::{Loss, LossEstimate, LossEstimator, Prediction};
pub use measure::{Estimate, Measure, Realized};
pub use multiclass::{ClassLabelled, ClassScored, MulticlassCbpe};
pub use roc::area_under_roc;
pub use thresholds::Thresholds;
pub use validity::{Doubt, LABELS_PER_WEEK, Reconciliation, doubts, labels_wanted, reconcile};
