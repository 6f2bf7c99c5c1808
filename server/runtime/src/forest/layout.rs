//! Lays trees out as small nodes in one array.
//!
//! Every node asks `x <= threshold`; the children lie side by side, so the next position is the left child plus
//! the outcome. A leaf looks at one column past the row's last, which always holds a missing value: that is
//! above any threshold, the "right child" is the leaf itself, and a walk that is longer than the tree stays
//! there. The threshold of a leaf is free to carry its weight.

use std::collections::VecDeque;

use super::node::{Node, Wide};
use super::table::{Branch, Mode, Table};

/// Where a tree starts and how many steps lead to its deepest leaf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree {
    pub(super) base: usize,
    /// The position after its last node.
    pub(super) end: usize,
    pub(super) depth: u32,
}

/// A forest of packed nodes.
#[derive(Debug)]
pub(super) struct Flat<N> {
    pub(super) nodes: Vec<N>,
    pub(super) trees: Vec<Tree>,
    /// Columns a row needs; the one after them is the leaves'.
    pub(super) features: usize,
}

/// Position of a tree's root: pairs of children then start at even positions, within one cache line.
pub(super) const ROOT: usize = 1;

/// What stands at a position: a row of the table, or a later question of a row that asks about a set of values.
#[derive(Clone, Copy)]
enum Item {
    Row(u32),
    /// The value is known to lie in one of these intervals, of those that the boundaries of the row's set make.
    Within {
        row: u32,
        low: u32,
        high: u32,
    },
}

impl<N: Node> Flat<N> {
    /// Packs a table; `None` when a node does not fit. With `single`, leaves carry their one weight.
    pub(super) fn lay_out(table: &Table, single: bool) -> Option<Flat<N>> {
        let mut flat = Flat {
            nodes: Vec::with_capacity(table.rows.len() + table.roots.len()),
            trees: Vec::with_capacity(table.roots.len()),
            features: table.features,
        };
        let mut builder = Builder::new(table, single);
        for &root in &table.roots {
            let base = flat.nodes.len();
            builder.tree(&mut flat, base, root)?;
            flat.trees.push(Tree { base, end: flat.nodes.len(), depth: depth_of(table, root) });
        }
        Some(flat)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self.nodes.as_slice()) + size_of_val(self.trees.as_slice())
    }
}

impl Flat<Wide> {
    /// Packs a table whose feature ids were checked: wide nodes always fit.
    pub(super) fn lay_out_wide(table: &Table, single: bool) -> Flat<Wide> {
        Self::lay_out(table, single).unwrap_or_else(|| Flat {
            nodes: Vec::new(),
            trees: Vec::new(),
            features: table.features,
        })
    }
}

struct Builder<'a, N: Node> {
    table: &'a Table,
    single: bool,
    /// Where the questions of each row start among `boundaries` and `pairs`.
    first: Vec<u32>,
    /// What each question compares with: the threshold of a row, or the boundaries of its set in order.
    boundaries: Vec<N::Key>,
    /// Positions of the children of each question, 0 while not placed. A question may stand at several
    /// positions (all the intervals outside a set lead to the same child), its children only once.
    pairs: Vec<u32>,
}

impl<'a, N: Node> Builder<'a, N> {
    fn new(table: &'a Table, single: bool) -> Builder<'a, N> {
        let mut first = Vec::with_capacity(table.rows.len());
        let mut boundaries = Vec::with_capacity(table.rows.len());
        for row in &table.rows {
            first.push(boundaries.len() as u32);
            match &row.branch {
                Some(branch) if is_set(branch) => boundaries.extend(boundaries_of::<N>(table, branch)),
                Some(branch) => boundaries.push(N::threshold(boundary::<N>(branch))),
                None => {}
            }
        }
        let pairs = vec![0; boundaries.len()];
        Builder { table, single, first, boundaries, pairs }
    }

    fn tree(&mut self, flat: &mut Flat<N>, base: usize, root: u32) -> Option<()> {
        let filler = N::pack(N::hide(0), 0, 0, false)?;
        flat.nodes.extend([filler, filler]);
        let mut queue = VecDeque::from([(ROOT, Item::Row(root))]);
        while let Some((position, item)) = queue.pop_front() {
            let (Item::Row(row) | Item::Within { row, .. }) = item;
            let Some(branch) = self.table.rows[row as usize].branch else {
                let payload = self.payload(row);
                flat.nodes[base + position] =
                    N::pack(payload, flat.features as u32, position as u32 - 1, false)?;
                continue;
            };
            let Question { at, missing_left, left, right } = self.question(item, row, &branch);
            let pair = &mut self.pairs[at];
            if *pair == 0 {
                *pair = (flat.nodes.len() - base) as u32;
                queue.extend([(*pair as usize, left), (*pair as usize + 1, right)]);
                flat.nodes.extend([filler, filler]);
            }
            flat.nodes[base + position] = N::pack(self.boundaries[at], branch.feature, *pair, missing_left)?;
        }
        Some(())
    }

    fn payload(&self, row: u32) -> N::Key {
        if !self.single {
            return N::hide(row);
        }
        let (first, _) = self.table.rows[row as usize].weights;
        N::weight(N::narrow(self.table.weights[first as usize].value))
    }

    fn question(&self, item: Item, row: u32, branch: &Branch) -> Question {
        let first = self.first[row as usize] as usize;
        if is_set(branch) {
            let end = self.first.get(row as usize + 1).map_or(self.boundaries.len(), |end| *end as usize);
            return search(item, row, branch, first, (end - first) as u32);
        }
        let (yes, no) = (Item::Row(branch.yes), Item::Row(branch.no));
        let yes_is_left = match branch.mode {
            Mode::GreaterOrEqual | Mode::Greater => branch.threshold.is_nan(),
            _ => true,
        };
        if yes_is_left {
            return Question { at: first, missing_left: branch.missing_is_true, left: yes, right: no };
        }
        Question { at: first, missing_left: !branch.missing_is_true, left: no, right: yes }
    }
}

/// A comparison with the boundary `at`: `x <= boundary` goes left.
struct Question {
    at: usize,
    missing_left: bool,
    left: Item,
    right: Item,
}

fn is_set(branch: &Branch) -> bool {
    matches!(branch.mode, Mode::Equal | Mode::NotEqual | Mode::Member)
}

/// What a row without a set compares with. Against a NaN threshold nothing is greater: the true side stays
/// left, which a NaN never lets in.
fn boundary<N: Node>(branch: &Branch) -> N::Number {
    match branch.mode {
        Mode::Less | Mode::GreaterOrEqual => below::<N>(branch.threshold),
        _ => N::narrow(branch.threshold),
    }
}

/// The greatest number below; no number is below minus infinity, so none is at most what this returns then.
fn below<N: Node>(value: f64) -> N::Number {
    if value == f64::NEG_INFINITY { N::narrow(f64::NAN) } else { N::below(value) }
}

/// The values that a set row asks for.
fn values<'a>(table: &'a Table, branch: &'a Branch) -> &'a [f64] {
    match branch.mode {
        Mode::Member => &table.members[branch.members.0 as usize..branch.members.1 as usize],
        _ => std::slice::from_ref(&branch.threshold),
    }
}

/// Two boundaries per value in ascending order: the number below it, and itself. Between them only the value
/// fits, so that intervals with odd numbers are inside the set and those with even ones outside.
fn boundaries_of<N: Node>(table: &Table, branch: &Branch) -> Vec<N::Key> {
    let mut values = values(table, branch).to_vec();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let pair = |value: f64| [below::<N>(value), N::narrow(value)].map(N::threshold);
    values.into_iter().flat_map(pair).collect()
}

/// One step of a binary search among the intervals of a set with `boundaries` boundaries.
fn search(item: Item, row: u32, branch: &Branch, first: usize, boundaries: u32) -> Question {
    let (low, high) = match item {
        Item::Within { low, high, .. } => (low, high),
        Item::Row(_) => (0, boundaries),
    };
    let (inside, outside, missing_is_inside) = match branch.mode {
        // NaN differs from everything, whatever the track says.
        Mode::NotEqual => (branch.no, branch.yes, false),
        _ => (branch.yes, branch.no, branch.missing_is_true),
    };
    // NaN goes to the last interval inside or to the one outside after it.
    let of_missing = if missing_is_inside { boundaries - 1 } else { boundaries };
    let among = |low: u32, high: u32| match low {
        _ if low < high => Item::Within { row, low, high },
        _ if low % 2 == 1 => Item::Row(inside),
        _ => Item::Row(outside),
    };
    let middle = u32::midpoint(low, high);
    Question {
        at: first + middle as usize,
        missing_left: of_missing <= middle,
        left: among(low, middle),
        right: among(middle + 1, high),
    }
}

/// Steps from the root to the deepest leaf.
fn depth_of(table: &Table, root: u32) -> u32 {
    let mut deepest = 0;
    let mut stack = vec![(root, 0)];
    while let Some((row, depth)) = stack.pop() {
        let Some(branch) = table.rows[row as usize].branch else {
            deepest = deepest.max(depth);
            continue;
        };
        // A search among 2n + 1 intervals.
        let intervals = 2 * values(table, &branch).len() + 1;
        let steps = if is_set(&branch) { intervals.next_power_of_two().ilog2() } else { 1 };
        stack.extend([(branch.yes, depth + steps), (branch.no, depth + steps)]);
    }
    deepest
}
