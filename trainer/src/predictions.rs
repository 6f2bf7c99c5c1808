//! What a model says about many rows at once.

/// Predictions for a number of rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Predictions {
    /// Of a regression: a number per row.
    Values(Vec<f64>),
    /// Of a classification.
    Probabilities {
        /// The labels of the classes; of two, the last is the positive one.
        classes: Vec<String>,
        /// Probabilities, row by row, a column per class.
        values: Vec<f64>,
    },
}

impl Predictions {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Predictions::Values(values) => values.len(),
            Predictions::Probabilities { classes, values } => values.len() / classes.len().max(1),
        }
    }

    /// One number per row: the value, or the probability of the last class.
    pub fn scores(&self) -> Vec<f64> {
        match self {
            Predictions::Values(values) => values.clone(),
            Predictions::Probabilities { classes, values } => values
                .chunks_exact(classes.len().max(1))
                .filter_map(|probabilities| probabilities.last().copied())
                .collect(),
        }
    }
}
