//! The walk down the trees.

use super::layout::{Flat, Node, ROOT};

/// Trees walked at once: enough independent loads in flight to hide the latency of one.
const LANES: usize = 8;
/// Rows taken through a group of trees before the next group: the group's nodes stay in the cache.
const BLOCK: usize = 64;
/// Steps between two looks at whether all lanes have arrived.
const STRIDE: u32 = 4;

/// Calls `reach(row, value of the leaf)` for every row and tree, for one row in the order of the trees.
///
/// `value(i)` is the element `i` of the row-major input of `columns` columns.
pub(super) fn walk<N: Node>(
    flat: &Flat<N>,
    rows: usize,
    columns: usize,
    value: impl Fn(usize) -> N::Number,
    mut reach: impl FnMut(usize, N::Number),
) {
    let width = flat.features + 1;
    let mut block = vec![N::not_a_number(); width * rows.min(BLOCK)];
    for first in (0..rows).step_by(BLOCK) {
        let count = BLOCK.min(rows - first);
        let mut missing = false;
        for (row, cells) in block.chunks_exact_mut(width).take(count).enumerate() {
            let offset = (first + row) * columns;
            for (column, cell) in cells[..width - 1].iter_mut().enumerate() {
                *cell = value(offset + column);
                missing |= N::is_nan(*cell);
            }
        }
        for group in flat.trees.chunks(LANES) {
            let mut bases = [group[0].base; LANES];
            for (base, tree) in bases.iter_mut().zip(group) {
                *base = tree.base;
            }
            let depth = group.iter().map(|tree| tree.depth).max().unwrap_or(0);
            for (row, cells) in block.chunks_exact(width).take(count).enumerate() {
                let leaves = if missing {
                    descend::<N, true>(&flat.nodes, bases, depth, cells)
                } else {
                    descend::<N, false>(&flat.nodes, bases, depth, cells)
                };
                for &leaf in &leaves[..group.len()] {
                    reach(first + row, leaf);
                }
            }
        }
    }
}

/// Values of the leaves that a row reaches in the trees at `bases`.
#[inline]
fn descend<N: Node, const MISSING: bool>(
    nodes: &[N],
    bases: [usize; LANES],
    depth: u32,
    cells: &[N::Number],
) -> [N::Number; LANES] {
    let mut at = bases.map(|base| nodes[base + ROOT]);
    let mut left = depth;
    while left > 0 {
        let steps = left.min(STRIDE);
        left -= steps;
        for _ in 0..steps {
            for lane in 0..LANES {
                at[lane] = nodes[bases[lane] + next::<N, MISSING>(at[lane], cells)];
            }
        }
        // A leaf is what looks at the column past the last.
        if left > 0 && at.iter().all(|node| node.feature() + 1 == cells.len()) {
            break;
        }
    }
    at.map(N::value)
}

#[inline]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN must count as not less or equal")]
fn next<N: Node, const MISSING: bool>(node: N, cells: &[N::Number]) -> usize {
    let cell = cells[node.feature()];
    let mut right = !(cell <= node.value());
    if MISSING {
        right &= !(N::is_nan(cell) & node.missing_left());
    }
    node.child() + usize::from(right)
}
