//! Lays trees out as small nodes in one array.
//!
//! Every node asks `x <= threshold`; the children lie side by side, so the next position is the left child plus
//! the outcome. A leaf looks at one column past the row's last, which always holds NaN: the comparison is false
//! for any threshold, the "right child" is the leaf itself, and a walk that is longer than the tree stays there.
//! The threshold of a leaf is free to carry its weight.

use std::collections::VecDeque;
use std::fmt::Debug;

use super::table::{Branch, Mode, Table};

/// A packed node.
pub(super) trait Node: Copy + Debug {
    /// The precision of thresholds, features and weights.
    type Number: Copy + PartialOrd + Debug;
    /// Packs a node; `None` when it does not fit.
    fn pack(value: Self::Number, feature: u32, child: u32, missing_left: bool) -> Option<Self>;
    fn value(self) -> Self::Number;
    fn feature(self) -> usize;
    /// Position of the left child within the tree.
    fn child(self) -> usize;
    /// Whether NaN goes left.
    fn missing_left(self) -> bool;
    fn narrow(value: f64) -> Self::Number;
    fn wide(value: Self::Number) -> f64;
    fn zero() -> Self::Number;
    fn add(sum: Self::Number, value: Self::Number) -> Self::Number;
    /// The greatest number below `value`.
    fn below(value: f64) -> Self::Number;
    fn not_a_number() -> Self::Number;
    fn is_nan(value: Self::Number) -> bool;
    /// A position hidden in a leaf's value, and back.
    fn hide(position: u32) -> Self::Number;
    fn position(value: Self::Number) -> usize;
}

const CHILD_BITS: u32 = 20;
const FEATURE_BITS: u32 = 11;
const MISSING_LEFT: u32 = 1 << 31;

/// Eight bytes: the threshold, and in one word the feature (11 bits), the child (20) and where NaN goes (1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Compact {
    value: f32,
    link: u32,
}

impl Node for Compact {
    type Number = f32;

    fn pack(value: f32, feature: u32, child: u32, missing_left: bool) -> Option<Self> {
        if feature >= 1 << FEATURE_BITS || child >= 1 << CHILD_BITS {
            return None;
        }
        let flag = if missing_left { MISSING_LEFT } else { 0 };
        Some(Compact { value, link: flag | feature << CHILD_BITS | child })
    }
    #[inline]
    fn value(self) -> f32 {
        self.value
    }
    #[inline]
    fn feature(self) -> usize {
        (self.link >> CHILD_BITS & ((1 << FEATURE_BITS) - 1)) as usize
    }
    #[inline]
    fn child(self) -> usize {
        (self.link & ((1 << CHILD_BITS) - 1)) as usize
    }
    #[inline]
    fn missing_left(self) -> bool {
        self.link & MISSING_LEFT != 0
    }
    fn narrow(value: f64) -> f32 {
        value as f32
    }
    fn wide(value: f32) -> f64 {
        f64::from(value)
    }
    fn zero() -> f32 {
        0.0
    }
    fn add(sum: f32, value: f32) -> f32 {
        sum + value
    }
    fn below(value: f64) -> f32 {
        (value as f32).next_down()
    }
    fn not_a_number() -> f32 {
        f32::NAN
    }
    fn is_nan(value: f32) -> bool {
        value.is_nan()
    }
    fn hide(position: u32) -> f32 {
        f32::from_bits(position)
    }
    fn position(value: f32) -> usize {
        value.to_bits() as usize
    }
}

/// Sixteen bytes: for thresholds of double precision, or more features or nodes than fit into [`Compact`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Wide {
    value: f64,
    feature: u32,
    child: u32,
}

impl Node for Wide {
    type Number = f64;

    fn pack(value: f64, feature: u32, child: u32, missing_left: bool) -> Option<Self> {
        let flag = if missing_left { MISSING_LEFT } else { 0 };
        Some(Wide { value, feature: feature | flag, child })
    }
    #[inline]
    fn value(self) -> f64 {
        self.value
    }
    #[inline]
    fn feature(self) -> usize {
        (self.feature & !MISSING_LEFT) as usize
    }
    #[inline]
    fn child(self) -> usize {
        self.child as usize
    }
    #[inline]
    fn missing_left(self) -> bool {
        self.feature & MISSING_LEFT != 0
    }
    fn narrow(value: f64) -> f64 {
        value
    }
    fn wide(value: f64) -> f64 {
        value
    }
    fn zero() -> f64 {
        0.0
    }
    fn add(sum: f64, value: f64) -> f64 {
        sum + value
    }
    fn below(value: f64) -> f64 {
        value.next_down()
    }
    fn not_a_number() -> f64 {
        f64::NAN
    }
    fn is_nan(value: f64) -> bool {
        value.is_nan()
    }
    fn hide(position: u32) -> f64 {
        f64::from_bits(u64::from(position))
    }
    fn position(value: f64) -> usize {
        value.to_bits() as usize
    }
}

/// Where a tree starts and how many steps lead to its deepest leaf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree {
    pub(super) base: usize,
    pub(super) depth: u32,
}

/// A forest of packed nodes.
#[derive(Debug)]
pub(super) struct Flat<N> {
    pub(super) nodes: Vec<N>,
    pub(super) trees: Vec<Tree>,
    /// Columns a row needs; the one after them is the leaves' NaN.
    pub(super) features: usize,
}

/// Position of a tree's root: pairs of children then start at even positions, within one cache line.
pub(super) const ROOT: usize = 1;

/// What stands at a position: a row of the table, or the second half of a row that asks for equality.
#[derive(Clone, Copy)]
enum Item {
    Row(u32),
    AtMostBelow(u32),
}

impl<N: Node> Flat<N> {
    /// Packs a table; `None` when a node does not fit. With `single`, leaves carry their one weight.
    pub(super) fn lay_out(table: &Table, single: bool) -> Option<Flat<N>> {
        let mut flat = Flat {
            nodes: Vec::with_capacity(table.rows.len() + table.roots.len()),
            trees: Vec::with_capacity(table.roots.len()),
            features: table.features,
        };
        let mut builder = Builder { table, single, pairs: vec![0; table.rows.len() * 2] };
        for &root in &table.roots {
            let tree = Tree { base: flat.nodes.len(), depth: depth_of(table, root) };
            builder.tree(&mut flat, tree.base, root)?;
            flat.trees.push(tree);
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

struct Builder<'a> {
    table: &'a Table,
    single: bool,
    /// Positions of the children of each item, 0 while not placed. An item may stand at two positions (the
    /// false side of an equality), its children only once.
    pairs: Vec<u32>,
}

impl Builder<'_> {
    fn tree<N: Node>(&mut self, flat: &mut Flat<N>, base: usize, root: u32) -> Option<()> {
        let filler = N::pack(N::zero(), 0, 0, false)?;
        flat.nodes.extend([filler, filler]);
        let mut queue = VecDeque::from([(ROOT, Item::Row(root))]);
        while let Some((position, item)) = queue.pop_front() {
            let (row, second) = match item {
                Item::Row(row) => (row, false),
                Item::AtMostBelow(row) => (row, true),
            };
            let Some(branch) = self.table.rows[row as usize].branch else {
                let payload = self.payload::<N>(row);
                flat.nodes[base + position] =
                    N::pack(payload, flat.features as u32, position as u32 - 1, false)?;
                continue;
            };
            let Question { threshold, missing_left, left, right } = question::<N>(row, &branch, second);
            let pair = &mut self.pairs[row as usize * 2 + usize::from(second)];
            if *pair == 0 {
                *pair = (flat.nodes.len() - base) as u32;
                queue.extend([(*pair as usize, left), (*pair as usize + 1, right)]);
                flat.nodes.extend([filler, filler]);
            }
            flat.nodes[base + position] = N::pack(threshold, branch.feature, *pair, missing_left)?;
        }
        Some(())
    }

    fn payload<N: Node>(&self, row: u32) -> N::Number {
        if !self.single {
            return N::hide(row);
        }
        let (first, _) = self.table.rows[row as usize].weights;
        N::narrow(self.table.weights[first as usize].value)
    }
}

/// A branch as `x <= threshold`.
struct Question<N: Node> {
    threshold: N::Number,
    missing_left: bool,
    left: Item,
    right: Item,
}

fn question<N: Node>(row: u32, branch: &Branch, second: bool) -> Question<N> {
    let (yes, no) = (Item::Row(branch.yes), Item::Row(branch.no));
    let exact = N::narrow(branch.threshold);
    // No number is below minus infinity; a NaN threshold is never reached either.
    let below =
        if branch.threshold == f64::NEG_INFINITY { N::not_a_number() } else { N::below(branch.threshold) };
    let tracks = branch.missing_is_true;
    match branch.mode {
        Mode::LessOrEqual => Question { threshold: exact, missing_left: tracks, left: yes, right: no },
        Mode::Less => Question { threshold: below, missing_left: tracks, left: yes, right: no },
        // Against a NaN threshold nothing is greater: the true side stays left, which NaN never lets in.
        Mode::GreaterOrEqual | Mode::Greater if branch.threshold.is_nan() => {
            Question { threshold: exact, missing_left: tracks, left: yes, right: no }
        }
        Mode::GreaterOrEqual => Question { threshold: below, missing_left: !tracks, left: no, right: yes },
        Mode::Greater => Question { threshold: exact, missing_left: !tracks, left: no, right: yes },
        Mode::Equal => equality(row, second, (exact, below), (yes, no), tracks),
        // NaN differs from everything, whatever the track says.
        Mode::NotEqual => equality(row, second, (exact, below), (no, yes), false),
    }
}

/// `x == t` as `x <= t` and not `x <= below t`.
fn equality<N: Node>(
    row: u32,
    second: bool,
    (exact, below): (N::Number, N::Number),
    (equal, different): (Item, Item),
    missing_is_equal: bool,
) -> Question<N> {
    if second {
        return Question { threshold: below, missing_left: false, left: different, right: equal };
    }
    let again = Item::AtMostBelow(row);
    Question { threshold: exact, missing_left: missing_is_equal, left: again, right: different }
}

/// Steps from the root to the deepest leaf; an equality takes two.
fn depth_of(table: &Table, root: u32) -> u32 {
    let mut deepest = 0;
    let mut stack = vec![(root, 0)];
    while let Some((row, depth)) = stack.pop() {
        let Some(branch) = table.rows[row as usize].branch else {
            deepest = deepest.max(depth);
            continue;
        };
        let steps = if matches!(branch.mode, Mode::Equal | Mode::NotEqual) { 2 } else { 1 };
        stack.extend([(branch.yes, depth + steps), (branch.no, depth + steps)]);
    }
    deepest
}
