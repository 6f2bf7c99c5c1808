//! What a model was trained on, column by column, and the sketches of one monitoring window.

use serde::{Deserialize, Serialize};

use crate::{DriftError, Reference, Sketch};

/// The share of a window's rows that a model must have answered for its answers to speak for the window.
const WHOLE: f64 = 0.9;

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

/// What a model's service was asked during one window, a sketch per feature of its [`Profile`], and what the model
/// answered.
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

    /// The sketch of the answers, where the model gave nearly all of them. A rollout gives each side its share of the
    /// entities, and the answers for some say nothing about those for all.
    pub(crate) fn whole_prediction(&self) -> Option<&Sketch> {
        let answered = |sketch: &&Sketch| sketch.count() as f64 >= WHOLE * self.rows as f64;
        self.prediction.as_ref().filter(answered)
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
