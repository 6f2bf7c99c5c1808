//! Decision trees, flat and fast: `TreeEnsembleClassifier`, `TreeEnsembleRegressor` and `TreeEnsemble` of
//! `ai.onnx.ml`.
//!
//! - [`table`] checks the operator's node table; nothing is trusted before.
//! - [`layout`] turns every node mode into `x <= threshold`, children side by side, in [`node`]s of 8 or 16 bytes.
//! - [`walk`] runs eight walks at once, without branches that depend on the data.
//! - [`classifier`] and [`regressor`] turn sums of leaves into labels, scores and values as onnxruntime does.

pub(crate) mod classifier;
mod layout;
mod node;
pub(crate) mod regressor;
pub(crate) mod table;
#[cfg(test)]
mod tests;
mod walk;

use crate::TensorData;
use layout::Flat;
use node::{Compact, Node, Wide};
use table::{Table, Weight};

/// How the leaves reached in the trees are joined into one number per target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

/// The sums of one row, one per target or class.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Score {
    pub(crate) value: f64,
    /// Whether any leaf reached had a weight for this target.
    pub(crate) reached: bool,
}

/// What a leaf holds.
#[derive(Debug)]
enum Leaves {
    /// One weight in every leaf, all for the same target: it sits in the node itself.
    Single { target: usize },
    /// Ranges of `weights`; the node holds the position of its range.
    Many { ranges: Vec<(u32, u32)>, weights: Vec<Weight> },
}

#[derive(Debug)]
enum Nodes {
    /// Thresholds of single precision, few enough features and nodes: 8 bytes a node.
    Compact(Flat<Compact>),
    /// Everything else: 16 bytes a node.
    Wide(Flat<Wide>),
}

/// An ensemble ready to be evaluated.
#[derive(Debug)]
pub(crate) struct Forest {
    nodes: Nodes,
    leaves: Leaves,
    aggregate: Aggregate,
    targets: usize,
    features: usize,
}

impl Forest {
    /// Lays a checked table out. `double` asks for comparisons in double precision even where thresholds are
    /// single, as onnxruntime does for inputs of type double.
    pub(crate) fn new(table: &Table, aggregate: Aggregate, targets: usize, double: bool) -> Forest {
        let leaves = leaves_of(table);
        let single = matches!(leaves, Leaves::Single { .. });
        let compact = if double || table.double { None } else { Flat::<Compact>::lay_out(table, single) };
        let nodes = match compact {
            Some(flat) => Nodes::Compact(flat),
            None => Nodes::Wide(Flat::<Wide>::lay_out_wide(table, single)),
        };
        Forest { nodes, leaves, aggregate, targets, features: table.features }
    }

    /// Number of columns the trees look at, the highest feature id plus one.
    pub(crate) fn features(&self) -> usize {
        self.features
    }

    /// Number of targets or classes.
    pub(crate) fn targets(&self) -> usize {
        self.targets
    }

    /// Bytes kept in memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        let nodes = match &self.nodes {
            Nodes::Compact(flat) => flat.memory_bytes(),
            Nodes::Wide(flat) => flat.memory_bytes(),
        };
        let leaves = match &self.leaves {
            Leaves::Single { .. } => 0,
            Leaves::Many { ranges, weights } => {
                size_of_val(ranges.as_slice()) + size_of_val(weights.as_slice())
            }
        };
        nodes + leaves
    }

    /// Scores of `rows` rows of `columns` columns each, `targets` per row, base values not yet added.
    ///
    /// `columns` is at least [`Forest::features`] and `data` numeric with `rows * columns` elements; the
    /// callers check both.
    pub(crate) fn scores(&self, data: &TensorData, rows: usize, columns: usize) -> Vec<Score> {
        let mut scores = vec![Score::default(); rows * self.targets];
        match (&self.nodes, data) {
            (Nodes::Compact(flat), TensorData::F32(values)) => {
                self.gather(flat, &mut scores, columns, |index| values[index]);
            }
            (Nodes::Compact(flat), _) => {
                let value = |index| data.number(index).unwrap_or(f64::NAN) as f32;
                self.gather(flat, &mut scores, columns, value);
            }
            (Nodes::Wide(flat), _) => {
                let value = |index| data.number(index).unwrap_or(f64::NAN);
                self.gather(flat, &mut scores, columns, value);
            }
        }
        if self.aggregate == Aggregate::Average {
            let trees = self.trees() as f64;
            for score in &mut scores {
                score.value /= trees;
            }
        }
        scores
    }

    fn trees(&self) -> usize {
        match &self.nodes {
            Nodes::Compact(flat) => flat.trees.len(),
            Nodes::Wide(flat) => flat.trees.len(),
        }
    }

    fn gather<N: Node>(
        &self,
        flat: &Flat<N>,
        scores: &mut [Score],
        columns: usize,
        value: impl Fn(usize) -> N::Number,
    ) {
        let targets = self.targets;
        let rows = scores.len() / targets;
        match (&self.leaves, self.aggregate) {
            (Leaves::Single { target }, Aggregate::Sum | Aggregate::Average) => {
                // Summed in the precision of the weights and in the order of the trees, so that ties fall as
                // they do in onnxruntime.
                let mut sums = vec![N::zero(); rows];
                walk::walk(flat, rows, columns, value, |row, leaf| {
                    sums[row] = N::add(sums[row], N::number(leaf));
                });
                for (row, &sum) in sums.iter().enumerate() {
                    scores[row * targets + target] = Score { value: N::wide(sum), reached: true };
                }
            }
            (Leaves::Single { target }, aggregate) => {
                walk::walk(flat, rows, columns, value, |row, leaf| {
                    join(&mut scores[row * targets + target], N::wide(N::number(leaf)), aggregate);
                });
            }
            (Leaves::Many { ranges, weights }, aggregate) => {
                walk::walk(flat, rows, columns, value, |row, leaf| {
                    let (from, to) = ranges[N::position(leaf)];
                    let row = &mut scores[row * targets..(row + 1) * targets];
                    for weight in &weights[from as usize..to as usize] {
                        let score = &mut row[weight.target as usize];
                        join(score, weight.value, aggregate);
                        score.value = N::wide(N::narrow(score.value));
                    }
                });
            }
        }
    }
}

fn join(score: &mut Score, value: f64, aggregate: Aggregate) {
    score.value = match aggregate {
        Aggregate::Sum | Aggregate::Average => score.value + value,
        Aggregate::Min if score.reached => score.value.min(value),
        Aggregate::Max if score.reached => score.value.max(value),
        Aggregate::Min | Aggregate::Max => value,
    };
    score.reached = true;
}

fn leaves_of(table: &Table) -> Leaves {
    let mut leaves = table.rows.iter().filter(|row| row.branch.is_none());
    let target = table.weights.first().map(|weight| weight.target);
    let single = leaves.all(|row| row.weights.1 - row.weights.0 == 1);
    match target {
        Some(target) if single && table.weights.iter().all(|weight| weight.target == target) => {
            Leaves::Single { target: target as usize }
        }
        _ => Leaves::Many {
            ranges: table.rows.iter().map(|row| row.weights).collect(),
            weights: table.weights.clone(),
        },
    }
}
