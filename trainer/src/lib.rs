//! How a model is made: a table in, an ONNX file with its metrics and its profile out.
//!
//! A pure computation: the same table, specification and seed give the same bytes. Everything a model needs to
//! answer (levels of categories, imputed values, scales) is inside the ONNX file, whose inputs are the raw
//! columns of the table. An exported file is loaded by `chasqui-runtime` and compared with the learner's own
//! answers before it is handed out.
//!
//! Not here: reading files, storing versions, deciding whether a model is good enough.

mod error;
mod evaluate;
mod features;
mod learners;
mod metrics;
mod onnx;
mod predictions;
mod profile;
mod random;
mod spec;
mod split;
mod table;
mod target;
mod train;

pub use chasqui_runtime::Task;
pub use error::TrainError;
pub use evaluate::{Evaluation, evaluate, inputs_for};
pub use metrics::{classification_metrics, regression_metrics};
pub use predictions::Predictions;
pub use profile::profile;
pub use spec::{Boosting, Holdout, Learner, Linear, TrainSpec};
pub use split::{Split, split};
pub use table::{Column, ColumnData, Table};
pub use train::{Progress, Trained, train};
