//! What a model file may cost before it is refused.

use serde::{Deserialize, Serialize};

/// Upper bounds checked before a model is decoded or optimised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest file, in bytes.
    pub max_bytes: usize,
    /// Most operator nodes, those of subgraphs included.
    pub max_nodes: usize,
    /// Most bytes of memory that the decoded file, or any tensor it declares, may take.
    pub max_memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_bytes: 256 << 20, max_nodes: 20_000, max_memory: 1 << 30 }
    }
}
