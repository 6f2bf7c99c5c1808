//! How a model answers: ONNX bytes in, a checked, immutable [`Model`] out, tensors through it.
//!
//! Nothing here does I/O, keeps time or logs. Files are measured against [`Limits`] before anything is
//! allocated for them, panics of the inference engine are contained, and decision trees never go through
//! tract's own operator (its binary labels are wrong) but through the flat forest of this crate.

mod answer;
mod array;
mod attributes;
mod classes;
mod conversion;
mod datatype;
mod dictionary;
mod error;
mod expansion;
mod forest;
mod initializer;
mod inspection;
mod kernel;
mod limits;
mod model;
mod native;
mod network;
mod reading;
mod signature;
mod tensor;
mod transform;
mod wire;

pub use answer::{Prediction, Value, feature_value, prediction};
pub use datatype::DataType;
pub use error::ModelError;
pub use limits::Limits;
pub use model::Model;
pub use signature::{Feature, FeatureKind, Outputs, Signature, Task, TensorSpec};
pub use tensor::{Tensor, TensorData};
