//! `TreeEnsembleClassifier`: sums of leaves to labels and scores, with onnxruntime's conventions for two
//! classes whose weights all belong to one of them.

use super::table::Table;
use super::{Aggregate, Forest, Score};
use crate::array::Array;
use crate::attributes::Attributes;
use crate::classes::Classes;
use crate::transform::{Second, Transform};
use crate::{ModelError, TensorData};

/// A forest that predicts classes.
#[derive(Debug)]
pub(crate) struct Classifier {
    forest: Forest,
    base_values: Vec<f64>,
    transform: Transform,
    classes: Classes,
    /// Two classes, and all weights belong to one of them.
    one_sided: bool,
    weights_are_positive: bool,
}

impl Classifier {
    /// Reads and checks the operator.
    pub(crate) fn read(node: Attributes<'_>, double: bool) -> Result<Classifier, ModelError> {
        let classes = Classes::read(node, "classlabels_int64s", "classlabels_strings")?;
        let (base_values, _) = node.numbers("base_values")?;
        if base_values.len() > classes.len().max(2) {
            return Err(node.invalid("`base_values` has more entries than there are classes"));
        }
        let table = Table::read(node, "class", classes.len())?;
        let transform = Transform::read(node)?;
        let first = table.weights.first().map(|weight| weight.target);
        let one_sided = classes.len() == 2 && table.weights.iter().all(|weight| Some(weight.target) == first);
        let weights_are_positive = table.weights.iter().all(|weight| weight.value >= 0.0);
        let forest = Forest::new(&table, Aggregate::Sum, classes.len(), double);
        Ok(Classifier { forest, base_values, transform, classes, one_sided, weights_are_positive })
    }

    pub(crate) fn forest(&self) -> &Forest {
        &self.forest
    }

    pub(crate) fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Labels `[rows]` and scores `[rows, classes]`.
    pub(crate) fn evaluate(&self, input: &Array<'_>) -> Result<[Array<'static>; 2], ModelError> {
        let (rows, columns) = input.table(self.forest.features())?;
        let mut scores = self.forest.scores(input.data(), rows, columns);
        let count = self.classes.len();
        let mut labels = Vec::with_capacity(rows);
        let mut values = vec![0.0; rows * count];
        for (row, out) in scores.chunks_exact_mut(count).zip(values.chunks_exact_mut(count)) {
            labels.push(self.finish(row, out));
        }
        let labels = Array::new(&[rows], self.classes.labels(&labels));
        let scores = Array::new(&[rows, count], TensorData::F32(values));
        Ok([labels, scores])
    }

    /// Adds the base values, writes the row's scores and returns the position of its label.
    fn finish(&self, scores: &mut [Score], out: &mut [f32]) -> usize {
        if scores.len() != 2 {
            for (score, base) in scores.iter_mut().zip(&self.base_values) {
                *score = Score { value: score.value + base, reached: true };
            }
            for (score, out) in scores.iter().zip(out.iter_mut()) {
                *out = score.value as f32;
            }
            self.transform.apply(out);
            return highest(scores);
        }
        let second = match self.base_values.as_slice() {
            &[_, base] if scores[1].reached && self.one_sided => {
                scores[1].value += base;
                scores[0].value = -scores[1].value;
                true
            }
            &[first, second] => {
                scores[0].value += first;
                scores[1].value += second;
                true
            }
            &[base] => {
                scores[0].value += base;
                scores[1].reached
            }
            _ => scores[1].reached,
        };
        let weight = if scores[1].reached { scores[1].value } else { scores[0].value };
        let positive = self.is_positive(weight);
        if second {
            out[0] = scores[0].value as f32;
            out[1] = scores[1].value as f32;
            self.transform.apply(out);
        } else {
            let rule = if self.one_sided && self.weights_are_positive {
                Second::Complement
            } else {
                Second::Opposite { positive }
            };
            let pair = self.transform.pair(scores[0].value as f32, rule);
            out.copy_from_slice(&pair);
        }
        usize::from(positive)
    }

    fn is_positive(&self, weight: f64) -> bool {
        let threshold = if self.one_sided && self.weights_are_positive { 0.5 } else { 0.0 };
        weight > threshold
    }
}

/// Position of the highest score reached, the first of equals.
fn highest(scores: &[Score]) -> usize {
    let mut best: Option<(usize, f64)> = None;
    for (position, score) in scores.iter().enumerate() {
        if score.reached && best.is_none_or(|(_, value)| score.value > value) {
            best = Some((position, score.value));
        }
    }
    best.map_or(0, |(position, _)| position)
}
