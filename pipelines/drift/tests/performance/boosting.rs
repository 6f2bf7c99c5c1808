//! A small gradient boosting of regression trees (Friedman 2001), enough to predict losses in a test: the product's
//! predictor of losses is a model like any other and comes from above this crate.

const TREES: usize = 100;
const RATE: f64 = 0.1;
const DEPTH: usize = 5;
const MIN_LEAF: usize = 20;
const CUTS: usize = 63;

enum Node {
    Leaf(f64),
    Split { input: usize, threshold: f64, low: Box<Node>, high: Box<Node> },
}

pub(crate) struct Boosting {
    start: f64,
    trees: Vec<Node>,
}

impl Boosting {
    /// `inputs[input][row]`.
    pub(crate) fn fit(inputs: &[Vec<f64>], target: &[f64]) -> Self {
        let start = mean(target.iter().copied());
        let cuts: Vec<Vec<f64>> = inputs.iter().map(|column| cuts(column)).collect();
        let mut left: Vec<f64> = target.iter().map(|value| value - start).collect();
        let mut trees = Vec::new();
        for _ in 0..TREES {
            let tree = grow(inputs, &cuts, &left, (0..target.len()).collect(), DEPTH);
            for (row, residual) in left.iter_mut().enumerate() {
                *residual -= RATE * answer(&tree, inputs, row);
            }
            trees.push(tree);
        }
        Self { start, trees }
    }

    pub(crate) fn predict(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        let score = |row| self.trees.iter().map(|tree| RATE * answer(tree, inputs, row)).sum::<f64>();
        (0..inputs[0].len()).map(|row| self.start + score(row)).collect()
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// Thresholds at equally frequent places of the column.
fn cuts(column: &[f64]) -> Vec<f64> {
    let mut sorted = column.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut cuts: Vec<f64> = (1..=CUTS).map(|cut| sorted[cut * sorted.len() / (CUTS + 1)]).collect();
    cuts.dedup();
    cuts
}

fn answer(tree: &Node, inputs: &[Vec<f64>], row: usize) -> f64 {
    match tree {
        Node::Leaf(value) => *value,
        Node::Split { input, threshold, low, high } => {
            answer(if inputs[*input][row] < *threshold { low } else { high }, inputs, row)
        }
    }
}

fn grow(inputs: &[Vec<f64>], cuts: &[Vec<f64>], left: &[f64], rows: Vec<usize>, depth: usize) -> Node {
    let leaf = mean(rows.iter().map(|row| left[*row]));
    if depth == 0 || rows.len() < 2 * MIN_LEAF {
        return Node::Leaf(leaf);
    }
    let best = (0..inputs.len())
        .filter_map(|input| best_cut(&inputs[input], &cuts[input], left, &rows).map(|cut| (cut, input)))
        .max_by(|a, b| a.0.0.total_cmp(&b.0.0));
    let Some(((gain, threshold), input)) = best else { return Node::Leaf(leaf) };
    if gain <= 0.0 {
        return Node::Leaf(leaf);
    }
    let (low, high): (Vec<usize>, Vec<usize>) =
        rows.into_iter().partition(|row| inputs[input][*row] < threshold);
    Node::Split {
        input,
        threshold,
        low: Box::new(grow(inputs, cuts, left, low, depth - 1)),
        high: Box::new(grow(inputs, cuts, left, high, depth - 1)),
    }
}

/// The largest gain in squared error and the threshold that has it.
fn best_cut(column: &[f64], cuts: &[f64], left: &[f64], rows: &[usize]) -> Option<(f64, f64)> {
    let mut bins = vec![(0.0, 0usize); cuts.len() + 1];
    for row in rows {
        let bin = cuts.partition_point(|cut| *cut <= column[*row]);
        bins[bin].0 += left[*row];
        bins[bin].1 += 1;
    }
    let total: f64 = bins.iter().map(|bin| bin.0).sum();
    let (mut sum, mut count) = (0.0, 0);
    let mut best = None;
    for (cut, bin) in cuts.iter().zip(&bins) {
        sum += bin.0;
        count += bin.1;
        let other = rows.len() - count;
        if count < MIN_LEAF || other < MIN_LEAF {
            continue;
        }
        let gain = sum * sum / count as f64 + (total - sum).powi(2) / other as f64
            - total * total / rows.len() as f64;
        if best.is_none_or(|(known, _)| gain > known) {
            best = Some((gain, *cut));
        }
    }
    best
}
