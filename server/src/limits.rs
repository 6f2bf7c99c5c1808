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
            uploads: 2,
        }
    }
}

/// Depth to which arrays and objects of a request may nest.
pub const NESTING: usize = 100;
