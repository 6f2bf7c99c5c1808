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
        // With two base values onnxruntime takes the sums of the first class for both, when the second is
        // reached at all; models were exported and checked against that, so it stays.
        match *self.base_values.as_slice() {
            [_, base] if scores[1].reached => {
                scores[1].value = base + scores[0].value;
                scores[0].value = -scores[1].value;
            }
            [first, second, ..] => {
                scores[0].value += first;
                scores[1].value += second;
            }
            [base] => scores[0].value += base,
            [] => {}
        }
        let [first, second] = [visible(&scores[0]), visible(&scores[1])];
        let positive = self.is_positive(if scores[1].reached { second } else { first });
        if scores[1].reached || self.base_values.len() == 2 {
            out.copy_from_slice(&[first as f32, second as f32]);
            self.transform.apply(out);
        } else {
            out.copy_from_slice(&self.transform.pair(first as f32, self.second()));
        }
        usize::from(positive)
    }

    fn second(&self) -> Second {
        if self.one_sided && self.weights_are_positive { Second::Complement } else { Second::Opposite }
    }

    fn is_positive(&self, weight: f64) -> bool {
        let threshold = if self.one_sided && self.weights_are_positive { 0.5 } else { 0.0 };
        weight > threshold
    }
}

/// The sum of a class, 0 when no leaf reached has a weight for it.
fn visible(score: &Score) -> f64 {
    if score.reached { score.value } else { 0.0 }
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
