//! A decision tree, learned on bins and answering on numbers.

use super::bins::{Bins, MISSING};

/// One node; children come after their parent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Node {
    /// Sends values up to the threshold left.
    Split {
        feature: u32,
        threshold: f32,
        /// The last bin that goes left.
        bin: u8,
        missing_left: bool,
        left: u32,
        right: u32,
    },
    /// Ends with an answer.
    Leaf(f32),
}

/// A tree, its root first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
}

impl Tree {
    /// The answer for a row of numbers, NaN where missing.
    pub(crate) fn answer(&self, columns: &[Vec<f32>], row: usize) -> f32 {
        self.descend(|feature, threshold, _, missing_left| {
            let value = columns[feature][row];
            if value.is_nan() { missing_left } else { value <= threshold }
        })
    }

    /// The answer for a binned row.
    pub(super) fn answer_binned(&self, bins: &Bins, row: usize) -> f32 {
        self.descend(|feature, _, bin, missing_left| {
            let code = bins.column(feature)[row];
            if code == MISSING { missing_left } else { code <= bin }
        })
    }

    /// Adds a constant to every answer.
    pub(super) fn shift(&mut self, constant: f64) {
        self.rescale(1.0, constant);
    }

    /// Multiplies every answer and adds a constant.
    pub(super) fn rescale(&mut self, factor: f64, constant: f64) {
        for node in &mut self.nodes {
            if let Node::Leaf(answer) = node {
                *answer = (f64::from(*answer) * factor + constant) as f32;
            }
        }
    }

    fn descend(&self, goes_left: impl Fn(usize, f32, u8, bool) -> bool) -> f32 {
        let mut position = 0;
        loop {
            match self.nodes[position] {
                Node::Leaf(answer) => return answer,
                Node::Split { feature, threshold, bin, missing_left, left, right } => {
                    let next =
                        if goes_left(feature as usize, threshold, bin, missing_left) { left } else { right };
                    position = next as usize;
                }
            }
        }
    }
}
