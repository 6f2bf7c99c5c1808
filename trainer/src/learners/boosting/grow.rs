//! Grows one tree: always at the leaf whose split gains most, down to the deepest level or the last leaf allowed.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::bins::{Bins, MISSING};
use super::histogram::{Sample, Sums, fill, subtract};
use super::split::{Split, answer, best};
use super::tree::{Node, Tree};
use crate::spec::Boosting;

/// Grows trees over the same bins and keeps what they have in common: memory and the features' gains.
pub(super) struct Grower<'a> {
    settings: &'a Boosting,
    bins: &'a Bins,
    spare: Vec<Vec<Sums>>,
    gains: Vec<f64>,
}

/// A leaf that can be split.
struct Candidate {
    split: Split,
    node: usize,
    depth: usize,
    samples: Range<usize>,
    sums: Sums,
    cells: Vec<Sums>,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.split.gain.total_cmp(&other.split.gain).then_with(|| other.node.cmp(&self.node))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

/// A tree while it grows.
struct Growth<'a> {
    features: &'a [u32],
    samples: Vec<Sample>,
    nodes: Vec<Node>,
    /// Per node the samples that ended there, empty for splits.
    ends: Vec<Range<usize>>,
    open: BinaryHeap<Candidate>,
}

impl<'a> Grower<'a> {
    pub(super) fn new(settings: &'a Boosting, bins: &'a Bins) -> Grower<'a> {
        Grower { settings, bins, spare: Vec::new(), gains: vec![0.0; bins.features()] }
    }

    /// Summed gain of all splits so far, by feature.
    pub(super) fn gains(&self) -> &[f64] {
        &self.gains
    }

    /// Grows a tree on `rows` and `features`, both ascending; gives it and the answer of each of the rows.
    pub(super) fn grow(
        &mut self,
        gradients: &[[f32; 2]],
        rows: Vec<u32>,
        features: &[u32],
    ) -> (Tree, impl Iterator<Item = (u32, f32)> + use<>) {
        let samples: Vec<Sample> =
            rows.into_iter().map(|row| Sample { row, derivatives: gradients[row as usize] }).collect();
        let mut sums = Sums::default();
        for sample in &samples {
            sums.add(sample.sums());
        }
        let whole = 0..samples.len();
        let mut growth =
            Growth { features, samples, nodes: Vec::new(), ends: Vec::new(), open: BinaryHeap::new() };
        growth.leaf(sums, whole.clone(), self.settings);
        let mut cells = self.empty();
        fill(self.bins, features, &growth.samples, &mut cells, self.settings.threads);
        self.open(&mut growth, 0, 0, whole, sums, cells);
        let most = self.settings.leaves.unwrap_or(1 << self.settings.depth);
        let mut leaves = 1;
        while leaves < most {
            let Some(candidate) = growth.open.pop() else { break };
            self.split(&mut growth, candidate);
            leaves += 1;
        }
        while let Some(candidate) = growth.open.pop() {
            self.spare.push(candidate.cells);
        }
        let Growth { samples, nodes, ends, .. } = growth;
        let answers: Vec<(f32, Range<usize>)> = nodes
            .iter()
            .zip(ends)
            .filter_map(|(node, end)| match node {
                Node::Leaf(answer) => Some((*answer, end)),
                Node::Split { .. } => None,
            })
            .collect();
        let by_row = answers.into_iter().flat_map(move |(answer, end)| {
            end.map(|sample| (samples[sample].row, answer)).collect::<Vec<_>>()
        });
        (Tree { nodes }, by_row)
    }

    /// Keeps a leaf open when it may be split.
    fn open(
        &mut self,
        growth: &mut Growth<'_>,
        node: usize,
        depth: usize,
        samples: Range<usize>,
        sums: Sums,
        cells: Vec<Sums>,
    ) {
        match best(self.bins, growth.features, &cells, sums, self.settings) {
            Some(split) => growth.open.push(Candidate { split, node, depth, samples, sums, cells }),
            None => self.spare.push(cells),
        }
    }

    fn split(&mut self, growth: &mut Growth<'_>, candidate: Candidate) {
        let Candidate { split, node, depth, samples, sums, mut cells } = candidate;
        self.gains[split.feature as usize] += split.gain;
        let middle = partition(&mut growth.samples[samples.clone()], self.bins, &split) + samples.start;
        let sides = [(samples.start..middle, split.left), (middle..samples.end, sums.minus(split.left))];
        let [left, right] = sides.clone().map(|(range, sums)| growth.leaf(sums, range, self.settings));
        growth.nodes[node] = Node::Split {
            feature: split.feature,
            threshold: self.bins.threshold(split.feature as usize, split.bin),
            bin: split.bin,
            missing_left: split.missing_left,
            left: left as u32,
            right: right as u32,
        };
        let deeper = depth + 1;
        let may_split = |rows: u64| rows >= 2 * self.settings.min_leaf as u64;
        if deeper >= self.settings.depth || !sides.iter().any(|(_, sums)| may_split(sums.rows)) {
            self.spare.push(cells);
            return;
        }
        let [(left_range, left_sums), (right_range, right_sums)] = sides;
        let left_is_smaller = left_range.len() <= right_range.len();
        let smaller = if left_is_smaller { left_range.clone() } else { right_range.clone() };
        let mut own = self.empty();
        fill(self.bins, growth.features, &growth.samples[smaller], &mut own, self.settings.threads);
        subtract(&mut cells, &own);
        let (left_cells, right_cells) = if left_is_smaller { (own, cells) } else { (cells, own) };
        self.open(growth, left, deeper, left_range, left_sums, left_cells);
        self.open(growth, right, deeper, right_range, right_sums, right_cells);
    }

    /// A histogram of zeros, from the used ones where there is one.
    fn empty(&mut self) -> Vec<Sums> {
        let mut cells = self.spare.pop().unwrap_or_default();
        cells.clear();
        cells.resize(self.bins.cells(), Sums::default());
        cells
    }
}

impl Growth<'_> {
    fn leaf(&mut self, sums: Sums, samples: Range<usize>, settings: &Boosting) -> usize {
        self.nodes.push(Node::Leaf((settings.learning_rate * answer(sums, settings.lambda)) as f32));
        self.ends.push(samples);
        self.nodes.len() - 1
    }
}

/// Moves the samples that go left to the front, both sides in their order; gives their number.
fn partition(samples: &mut [Sample], bins: &Bins, split: &Split) -> usize {
    let column = bins.column(split.feature as usize);
    let mut right = Vec::with_capacity(samples.len());
    let mut left = 0;
    for position in 0..samples.len() {
        let sample = samples[position];
        let code = column[sample.row as usize];
        let goes_left = if code == MISSING { split.missing_left } else { code <= split.bin };
        if goes_left {
            samples[left] = sample;
            left += 1;
        } else {
            right.push(sample);
        }
    }
    samples[left..].copy_from_slice(&right);
    left
}
