//! What a model was trained on, column by column, and the sketches of one monitoring window.

use serde::{Deserialize, Serialize};

use crate::{DriftError, Reference, Sketch};

/// One column of the training data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// The column's name, as callers send it.
    pub name: String,
    /// The column's share of the model's decisions (0–1), where the trainer knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<f64>,
    /// Its cells.
    pub reference: Reference,
}

/// The training data of a model version, as far as drift checks need it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Rows of the training data.
    pub rows: u64,
    /// The model's features, in the order of its signature.
    pub features: Vec<ColumnProfile>,
    /// The model's own answers on the training data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<ColumnProfile>,
}

/// What a model saw during one window: a sketch per feature of its [`Profile`] and one of its answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowSketch {
    /// Rows of the window.
    pub rows: u64,
    /// Sketches in the order of [`Profile::features`].
    pub features: Vec<Sketch>,
    /// Sketch of the answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Sketch>,
}

impl WindowSketch {
    /// An empty window over the cells of `profile`.
    pub fn new(profile: &Profile) -> Self {
        Self {
            rows: 0,
            features: profile.features.iter().map(|column| Sketch::new(&column.reference)).collect(),
            prediction: profile.prediction.as_ref().map(|column| Sketch::new(&column.reference)),
        }
    }

    /// Adds the counts of `other`, made over the same profile. On an error nothing is added.
    pub fn merge(&mut self, other: &Self) -> Result<(), DriftError> {
        if self.features.len() != other.features.len() {
            let message = format!("{} and {} features", self.features.len(), other.features.len());
            return Err(DriftError::Mismatch(message));
        }
        let mut merged = self.clone();
        for (mine, theirs) in merged.features.iter_mut().zip(&other.features) {
            mine.merge(theirs)?;
        }
        match (&mut merged.prediction, &other.prediction) {
            (Some(mine), Some(theirs)) => mine.merge(theirs)?,
            (None, None) => {}
            _ => return Err(DriftError::Mismatch("only one window has predictions".into())),
        }
        merged.rows = merged.rows.saturating_add(other.rows);
        *self = merged;
        Ok(())
    }
}
