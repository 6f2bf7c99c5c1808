//! Class labels, whole numbers or texts.

use crate::attributes::Attributes;
use crate::{ModelError, TensorData};

/// Most classes of one classifier.
const MAX_CLASSES: usize = 1 << 16;

/// The labels of a classifier in the order of its scores.
#[derive(Debug, Clone)]
pub(crate) enum Classes {
    Ints(Vec<i64>),
    Texts(Vec<String>),
}

impl Classes {
    /// Reads the labels from two attributes of which one is given.
    pub(crate) fn read(node: Attributes<'_>, ints: &str, texts: &str) -> Result<Classes, ModelError> {
        let names = node.texts(texts)?;
        let classes = if names.is_empty() {
            Classes::Ints(node.ints(ints).to_vec())
        } else {
            Classes::Texts(names.into_iter().map(str::to_owned).collect())
        };
        if classes.len() == 0 || classes.len() > MAX_CLASSES {
            return Err(node.invalid(&format!("{} class labels", classes.len())));
        }
        Ok(classes)
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Classes::Ints(labels) => labels.len(),
            Classes::Texts(labels) => labels.len(),
        }
    }

    pub(crate) fn are_texts(&self) -> bool {
        matches!(self, Classes::Texts(_))
    }

    /// The labels at `positions`, one per row.
    pub(crate) fn labels(&self, positions: &[usize]) -> TensorData {
        match self {
            Classes::Ints(labels) => TensorData::I64(positions.iter().map(|&at| labels[at]).collect()),
            Classes::Texts(labels) => {
                TensorData::Text(positions.iter().map(|&at| labels[at].clone()).collect())
            }
        }
    }
}
