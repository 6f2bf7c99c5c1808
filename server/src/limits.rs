//! How large a request may be. Everything is checked before memory is taken for it.

use serde::{Deserialize, Serialize};

const MIB: usize = 1 << 20;

/// Limits on requests; the section `[limits]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a JSON or TOML body.
    pub json_bytes: usize,
    /// Bytes of a prediction request, after decompression.
    pub predict_bytes: usize,
    /// Bytes of an uploaded model.
    pub model_bytes: usize,
    /// Bytes of an uploaded dataset.
    pub dataset_bytes: usize,
    /// Records of one prediction request with named fields.
    pub records: usize,
    /// Rows of one tensor request.
    pub rows: usize,
    /// Requests of one version that wait while others compute; further ones are refused at once.
    pub queue: usize,
    /// Milliseconds that a request may wait for its turn to compute.
    pub deadline_ms: u64,
    /// Bytes that loaded models may take, estimated. Routed versions are always loaded; versions that are only kept
    /// to be asked for by number give way.
    pub models_bytes: usize,
    /// Large uploads that are read at the same time; others wait.
    pub uploads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            json_bytes: 2 * MIB,
            predict_bytes: 64 * MIB,
            model_bytes: 256 * MIB,
            dataset_bytes: 512 * MIB,
            records: 10_000,
            rows: 1 << 20,
            queue: 64,
            deadline_ms: 30_000,
            models_bytes: 1024 * MIB,
            uploads: 2,
        }
    }
}

/// Depth to which arrays and objects of a request may nest.
pub const NESTING: usize = 100;
