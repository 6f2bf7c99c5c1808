//! `TreeEnsembleRegressor` and `TreeEnsemble`: sums of leaves to values.

use super::table::Table;
use super::{Aggregate, Forest, Score};
use crate::array::Array;
use crate::attributes::Attributes;
use crate::transform::Transform;
use crate::{DataType, ModelError, TensorData};

/// Most targets of one regressor.
const MAX_TARGETS: i64 = 1 << 16;

/// A forest that predicts numbers.
#[derive(Debug)]
pub(crate) struct Regressor {
    forest: Forest,
    base_values: Vec<f64>,
    transform: Transform,
    /// Whether the values are given out in double precision.
    double: bool,
}

fn targets(node: Attributes<'_>) -> Result<usize, ModelError> {
    let targets = node.int("n_targets").unwrap_or(1);
    if (1..=MAX_TARGETS).contains(&targets) {
        return Ok(targets as usize);
    }
    Err(node.invalid(&format!("`n_targets` is {targets}")))
}

impl Regressor {
    /// Reads and checks `TreeEnsembleRegressor`.
    pub(crate) fn read(node: Attributes<'_>, double: bool) -> Result<Regressor, ModelError> {
        let targets = targets(node)?;
        let aggregate = match node.text("aggregate_function")?.unwrap_or("SUM") {
            "SUM" => Aggregate::Sum,
            "AVERAGE" => Aggregate::Average,
            "MIN" => Aggregate::Min,
            "MAX" => Aggregate::Max,
            other => return Err(node.invalid(&format!("the aggregate function `{other}` is unknown"))),
        };
        let (base_values, _) = node.numbers("base_values")?;
        if !base_values.is_empty() && base_values.len() != targets {
            return Err(node.invalid("`base_values` has not one entry per target"));
        }
        let table = Table::read(node, "target", targets)?;
        let transform = Transform::read(node)?;
        let forest = Forest::new(&table, aggregate, targets, double);
        Ok(Regressor { forest, base_values, transform, double: false })
    }

    /// Reads and checks `TreeEnsemble`. Its values have the type of its inputs, which is that of its thresholds.
    pub(crate) fn read_ensemble(node: Attributes<'_>, double: bool) -> Result<Regressor, ModelError> {
        let targets = targets(node)?;
        let aggregate = match node.int("aggregate_function").unwrap_or(1) {
            0 => Aggregate::Average,
            1 => Aggregate::Sum,
            2 => Aggregate::Min,
            3 => Aggregate::Max,
            other => return Err(node.invalid(&format!("the aggregate function {other} is unknown"))),
        };
        let table = Table::read_ensemble(node, targets)?;
        let transform = Transform::numbered(node)?;
        let forest = Forest::new(&table, aggregate, targets, double);
        Ok(Regressor { forest, base_values: Vec::new(), transform, double: table.double })
    }

    /// Type of the values.
    pub(crate) fn datatype(&self) -> DataType {
        if self.double { DataType::Fp64 } else { DataType::Fp32 }
    }

    pub(crate) fn forest(&self) -> &Forest {
        &self.forest
    }

    /// Values `[rows, targets]`.
    pub(crate) fn evaluate(&self, input: &Array<'_>) -> Result<Array<'static>, ModelError> {
        let (rows, columns) = input.table(self.forest.features())?;
        let scores = self.forest.scores(input.data(), rows, columns);
        let targets = self.forest.targets();
        if self.double && self.transform == Transform::None {
            let values = scores.iter().map(|score| score.value).collect();
            return Ok(Array::new(&[rows, targets], TensorData::F64(values)));
        }
        let mut values = Vec::with_capacity(scores.len());
        for row in scores.chunks_exact(targets) {
            let first = values.len();
            values.extend(row.iter().enumerate().map(|(target, score)| self.value(target, score)));
            self.finish(&mut values[first..]);
        }
        Array::new(&[rows, targets], TensorData::F32(values)).cast(self.datatype())
    }

    fn value(&self, target: usize, score: &Score) -> f32 {
        (score.value + self.base_values.get(target).copied().unwrap_or(0.0)) as f32
    }

    /// onnxruntime applies only the probit to a single target.
    fn finish(&self, values: &mut [f32]) {
        if values.len() > 1 || self.transform == Transform::Probit {
            self.transform.apply(values);
        }
    }
}
