//! `LinearClassifier` and `LinearRegressor`.

use super::dot::dot;
use crate::array::Array;
use crate::attributes::Attributes;
use crate::classes::Classes;
use crate::transform::{Second, Transform};
use crate::{ModelError, TensorData};

/// Coefficients `[targets, columns]` and an intercept per target.
#[derive(Debug)]
struct Linear {
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
    columns: usize,
}

impl Linear {
    fn read(node: Attributes<'_>, targets: usize) -> Result<Linear, ModelError> {
        let coefficients = node.floats("coefficients").to_vec();
        let mut intercepts = node.floats("intercepts").to_vec();
        if intercepts.is_empty() {
            intercepts = vec![0.0; targets];
        }
        if intercepts.len() != targets {
            return Err(node.invalid(&format!("{} intercepts for {targets} targets", intercepts.len())));
        }
        if coefficients.is_empty() || !coefficients.len().is_multiple_of(targets) {
            let count = coefficients.len();
            return Err(node.invalid(&format!("{count} coefficients do not divide among {targets} targets")));
        }
        let columns = coefficients.len() / targets;
        Ok(Linear { coefficients, intercepts, columns })
    }

    /// Scores of each row, `[rows, targets]`, and the number of rows.
    fn scores(&self, input: &Array<'_>) -> Result<(usize, Vec<f32>), ModelError> {
        let (rows, columns) = input.table(self.columns)?;
        if columns != self.columns {
            let expected = self.columns;
            return Err(ModelError::Input(format!("{expected} columns are expected, {columns} were given")));
        }
        let values = input.floats()?;
        let mut scores = Vec::with_capacity(rows * self.intercepts.len());
        for row in values.chunks_exact(columns) {
            for (coefficients, intercept) in self.coefficients.chunks_exact(columns).zip(&self.intercepts) {
                scores.push((dot(coefficients, row) + f64::from(*intercept)) as f32);
            }
        }
        Ok((rows, scores))
    }

    fn memory_bytes(&self) -> usize {
        (self.coefficients.len() + self.intercepts.len()) * size_of::<f32>()
    }
}

/// A linear model of numbers.
#[derive(Debug)]
pub(crate) struct LinearRegressor {
    linear: Linear,
    transform: Transform,
}

impl LinearRegressor {
    pub(super) fn read(node: Attributes<'_>) -> Result<LinearRegressor, ModelError> {
        let targets = node.int("targets").unwrap_or(1);
        let targets = usize::try_from(targets).ok().filter(|targets| (1..=1 << 16).contains(targets));
        let targets = targets.ok_or_else(|| node.invalid("`targets` is out of range"))?;
        Ok(LinearRegressor { linear: Linear::read(node, targets)?, transform: Transform::read(node)? })
    }

    pub(crate) fn targets(&self) -> usize {
        self.linear.intercepts.len()
    }

    pub(super) fn columns(&self) -> usize {
        self.linear.columns
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.linear.memory_bytes()
    }

    pub(super) fn evaluate(&self, input: &Array<'_>) -> Result<Array<'static>, ModelError> {
        let (rows, mut scores) = self.linear.scores(input)?;
        let targets = self.targets();
        for row in scores.chunks_exact_mut(targets) {
            self.transform.apply(row);
        }
        Ok(Array::new(&[rows, targets], TensorData::F32(scores)))
    }
}

/// A linear model of classes.
#[derive(Debug)]
pub(crate) struct LinearClassifier {
    linear: Linear,
    transform: Transform,
    classes: Classes,
}

impl LinearClassifier {
    pub(super) fn read(node: Attributes<'_>) -> Result<LinearClassifier, ModelError> {
        let classes = Classes::read(node, "classlabels_ints", "classlabels_strings")?;
        let intercepts = node.floats("intercepts").len();
        let targets = if intercepts == 0 { classes.len() } else { intercepts };
        if targets != classes.len() && !(targets == 1 && classes.len() == 2) {
            return Err(node.invalid(&format!("{targets} intercepts for {} classes", classes.len())));
        }
        let linear = Linear::read(node, targets)?;
        Ok(LinearClassifier { linear, transform: Transform::read(node)?, classes })
    }

    pub(crate) fn classes(&self) -> &Classes {
        &self.classes
    }

    pub(super) fn columns(&self) -> usize {
        self.linear.columns
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.linear.memory_bytes()
    }

    pub(super) fn evaluate(&self, input: &Array<'_>) -> Result<[Array<'static>; 2], ModelError> {
        let (rows, mut scores) = self.linear.scores(input)?;
        let targets = self.linear.intercepts.len();
        let mut labels = Vec::with_capacity(rows);
        if targets == 1 && self.classes.len() == 2 {
            labels.extend(scores.iter().map(|score| usize::from(*score > 0.0)));
            scores =
                scores.iter().flat_map(|score| self.transform.pair(*score, Second::Complement)).collect();
        } else {
            for row in scores.chunks_exact_mut(targets) {
                labels.push(highest(row));
                self.transform.apply(row);
            }
        }
        let columns = self.classes.len();
        let labels = Array::new(&[rows], self.classes.labels(&labels));
        let scores = Array::new(&[rows, columns], TensorData::F32(scores));
        Ok([labels, scores])
    }
}

fn highest(scores: &[f32]) -> usize {
    let mut best = 0;
    for (position, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = position;
        }
    }
    best
}
