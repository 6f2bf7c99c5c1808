//! The walk down the trees.
//!
//! Eight walks are under way at once, enough independent loads to hide the latency of one: of a single row in
//! eight trees, or of eight rows in one tree, whose nodes then stay in the nearest cache.

use super::layout::{Flat, ROOT, Tree};
use super::node::Node;

/// Walks at once.
const LANES: usize = 8;
/// Rows that one tree is walked for before the next.
const BLOCK: usize = 64;
/// Steps between two looks at whether all lanes have arrived.
const STRIDE: u32 = 4;

/// Calls `reach(row, payload of the leaf)` for every row and tree, for one row in the order of the trees.
///
/// `value(i)` is the element `i` of the row-major input of `columns` columns.
pub(super) fn walk<N: Node>(
    flat: &Flat<N>,
    rows: usize,
    columns: usize,
    value: impl Fn(usize) -> N::Number,
    reach: impl FnMut(usize, N::Key),
) {
    // A width that is known spares a check at every step.
    match flat.features {
        0..=31 => walk_padded::<N, 32>(flat, rows, columns, value, reach),
        32..=127 => walk_padded::<N, 128>(flat, rows, columns, value, reach),
        128..=511 => walk_padded::<N, 512>(flat, rows, columns, value, reach),
        512..=2047 => walk_padded::<N, 2048>(flat, rows, columns, value, reach),
        _ => walk_any(flat, rows, columns, value, reach),
    }
}

/// The keys of a row's features; whether any is missing.
fn fill<N: Node>(cells: &mut [N::Key], value: impl Fn(usize) -> N::Number) -> bool {
    let mut missing = false;
    for (column, cell) in cells.iter_mut().enumerate() {
        *cell = N::cell(value(column));
        missing |= *cell == N::MISSING;
    }
    missing
}

/// Rows padded with missing values to `WIDTH` columns, a power of two above the number of features.
fn walk_padded<N: Node, const WIDTH: usize>(
    flat: &Flat<N>,
    rows: usize,
    columns: usize,
    value: impl Fn(usize) -> N::Number,
    mut reach: impl FnMut(usize, N::Key),
) {
    let mut block = vec![[N::MISSING; WIDTH]; rows.min(BLOCK)];
    for first in (0..rows).step_by(BLOCK) {
        let count = BLOCK.min(rows - first);
        let mut missing = false;
        for (row, cells) in block[..count].iter_mut().enumerate() {
            let offset = (first + row) * columns;
            missing |= fill::<N>(&mut cells[..flat.features], |column| value(offset + column));
        }
        let (groups, single) = block[..count].as_chunks::<LANES>();
        for tree in &flat.trees {
            let nodes = &flat.nodes[tree.base..tree.end];
            for (group, rows) in groups.iter().enumerate() {
                let read = |lane: usize, feature: usize| rows[lane][feature & (WIDTH - 1)];
                let leaves = descend(nodes, [0; LANES], tree.depth, flat.features, missing, read);
                for (lane, &leaf) in leaves.iter().enumerate() {
                    reach(first + group * LANES + lane, leaf);
                }
            }
        }
        for (row, cells) in single.iter().enumerate() {
            let row = first + groups.len() * LANES + row;
            let read = |_: usize, feature: usize| cells[feature & (WIDTH - 1)];
            walk_row(flat, missing, read, |leaf| reach(row, leaf));
        }
    }
}

/// Rows of any width, one at a time.
fn walk_any<N: Node>(
    flat: &Flat<N>,
    rows: usize,
    columns: usize,
    value: impl Fn(usize) -> N::Number,
    mut reach: impl FnMut(usize, N::Key),
) {
    let mut cells = vec![N::MISSING; flat.features + 1];
    for row in 0..rows {
        let missing = fill::<N>(&mut cells[..flat.features], |column| value(row * columns + column));
        walk_row(flat, missing, |_, feature| cells[feature], |leaf| reach(row, leaf));
    }
}

/// One row through all trees.
fn walk_row<N: Node>(
    flat: &Flat<N>,
    missing: bool,
    read: impl Fn(usize, usize) -> N::Key,
    mut reach: impl FnMut(N::Key),
) {
    for group in flat.trees.chunks(LANES) {
        let mut bases = [group[0].base; LANES];
        for (base, tree) in bases.iter_mut().zip(group) {
            *base = tree.base;
        }
        let depth = group.iter().map(|tree: &Tree| tree.depth).max().unwrap_or(0);
        let leaves = descend(&flat.nodes, bases, depth, flat.features, missing, &read);
        leaves[..group.len()].iter().for_each(|&leaf| reach(leaf));
    }
}

/// Payloads of the leaves that the lanes reach from the roots of the trees at `bases`; `read(lane, feature)` is
/// what a lane looks at, of which `leaf` is the feature that leaves look at.
#[inline]
fn descend<N: Node>(
    nodes: &[N],
    bases: [usize; LANES],
    depth: u32,
    leaf: usize,
    missing: bool,
    read: impl Fn(usize, usize) -> N::Key,
) -> [N::Key; LANES] {
    if missing {
        return descend_by(nodes, bases, depth, leaf, |lane, node| {
            let cell = read(lane, node.feature());
            (node.key() < cell) & !((cell == N::MISSING) & node.missing_left())
        });
    }
    descend_by(nodes, bases, depth, leaf, |lane, node| node.key() < read(lane, node.feature()))
}

#[inline]
fn descend_by<N: Node>(
    nodes: &[N],
    bases: [usize; LANES],
    depth: u32,
    leaf: usize,
    goes_right: impl Fn(usize, N) -> bool,
) -> [N::Key; LANES] {
    let mut at = bases.map(|base| nodes[base + ROOT]);
    let mut left = depth;
    while left > 0 {
        let steps = left.min(STRIDE);
        left -= steps;
        for _ in 0..steps {
            for lane in 0..LANES {
                at[lane] = nodes[bases[lane] + at[lane].child() + usize::from(goes_right(lane, at[lane]))];
            }
        }
        if left > 0 && at.iter().all(|node| node.feature() == leaf) {
            break;
        }
    }
    at.map(N::key)
}
