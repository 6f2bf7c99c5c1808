//! A loaded model.

use crate::{Limits, ModelError, Signature, Tensor};

/// A checked, immutable, shareable model.
#[derive(Debug)]
pub struct Model {
    signature: Signature,
    memory_bytes: usize,
}

impl Model {
    /// Reads an ONNX file.
    pub fn load(bytes: &[u8], limits: &Limits) -> Result<Model, ModelError> {
        if bytes.len() > limits.max_bytes {
            return Err(ModelError::Invalid("the file is too large".into()));
        }
        Err(ModelError::Invalid("not ONNX".into()))
    }

    /// What the model takes and gives.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Bytes that the model keeps in memory, estimated.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Answers a batch: tensors in the order of the signature's inputs, outputs in the order of its outputs.
    pub fn predict(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, ModelError> {
        Err(ModelError::Failed("not ready".into()))
    }
}
