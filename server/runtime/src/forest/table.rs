//! The node table of a tree ensemble operator, read and checked.
//!
//! Here the form of `ai.onnx.ml` 1 and 3, one list per column with names for nodes; [`ensemble`] reads the form
//! of version 5, where positions are the names.

mod ensemble;

use std::collections::HashMap;

use crate::ModelError;
use crate::attributes::Attributes;

/// Highest feature id accepted; beyond it a row would not fit into any sensible request.
const MAX_FEATURE: i64 = 1 << 20;

/// How a node compares a feature with its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
    Equal,
    NotEqual,
    /// Whether the feature is one of [`Branch::members`].
    Member,
}

/// The decision of an inner node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Branch {
    pub(crate) mode: Mode,
    pub(crate) feature: u32,
    pub(crate) threshold: f64,
    /// First member and the one after the last, of [`Mode::Member`].
    pub(crate) members: (u32, u32),
    /// Whether a missing value (NaN) goes the way of a true comparison.
    pub(crate) missing_is_true: bool,
    /// Row of the child for a true comparison.
    pub(crate) yes: u32,
    /// Row of the child for a false comparison.
    pub(crate) no: u32,
}

/// One node: a branch, or a leaf with a range of weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) branch: Option<Branch>,
    /// First weight and the one after the last.
    pub(crate) weights: (u32, u32),
}

/// What a leaf adds to a target or class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weight {
    pub(crate) target: u32,
    pub(crate) value: f64,
}

/// A forest as checked rows.
///
/// - Children and roots are positions of existing rows.
/// - A row is the child of at most one other and no root is a child, so every tree ends.
/// - Weight ranges lie within `weights`, targets below the number of targets.
/// - Ranges of members lie within `members`, none of which is NaN, and are not empty.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    pub(crate) roots: Vec<u32>,
    pub(crate) weights: Vec<Weight>,
    pub(crate) members: Vec<f64>,
    /// Highest feature id plus one.
    pub(crate) features: usize,
    /// Whether thresholds or weights are of double precision.
    pub(crate) double: bool,
}

impl Table {
    /// Reads `nodes_*` and the weights `{prefix}_*` (`class` or `target`) of a node.
    pub(crate) fn read(node: Attributes<'_>, prefix: &str, targets: usize) -> Result<Table, ModelError> {
        let (thresholds, double) = node.numbers("nodes_values")?;
        let ids = Ids::read(node, thresholds.len())?;
        let positions = ids.positions(node)?;
        let mut rows = Vec::with_capacity(thresholds.len());
        for (position, &threshold) in thresholds.iter().enumerate() {
            let branch = ids.branch(node, &positions, position, threshold)?;
            rows.push(Row { branch, weights: (0, 0) });
        }
        let (weights, double_weights) = read_weights(node, prefix, targets, &positions, &mut rows)?;
        let table = Table {
            roots: ids.roots(),
            features: features_of(&rows),
            rows,
            weights,
            members: Vec::new(),
            double: double || double_weights,
        };
        table.check_parents(node)?;
        Ok(table)
    }

    /// Refuses cycles and shared children: either makes a "tree" endless or exponential.
    fn check_parents(&self, node: Attributes<'_>) -> Result<(), ModelError> {
        let mut has_parent = vec![false; self.rows.len()];
        for &root in &self.roots {
            if std::mem::replace(&mut has_parent[root as usize], true) {
                return Err(node.invalid("two trees have the same root"));
            }
        }
        for branch in self.rows.iter().filter_map(|row| row.branch) {
            for child in [branch.yes, branch.no] {
                if std::mem::replace(&mut has_parent[child as usize], true) {
                    return Err(node.invalid("the trees have a cycle or a node with two parents"));
                }
            }
        }
        Ok(())
    }
}

/// Highest feature id plus one.
fn features_of(rows: &[Row]) -> usize {
    let features = rows.iter().filter_map(|row| row.branch).map(|branch| branch.feature as usize + 1);
    features.max().unwrap_or(0)
}

/// A feature id within the range that is accepted.
fn feature_of(node: Attributes<'_>, feature: i64) -> Result<u32, ModelError> {
    if (0..=MAX_FEATURE).contains(&feature) {
        return Ok(feature as u32);
    }
    Err(node.invalid(&format!("the feature id {feature} is out of range")))
}

/// The integer columns of the table, equally long.
struct Ids<'a> {
    trees: &'a [i64],
    nodes: &'a [i64],
    features: &'a [i64],
    yes: &'a [i64],
    no: &'a [i64],
    missing: &'a [i64],
    modes: Vec<&'a str>,
}

/// Rows by tree and node id.
type Positions = HashMap<(i64, i64), u32>;

impl<'a> Ids<'a> {
    fn read(node: Attributes<'a>, length: usize) -> Result<Ids<'a>, ModelError> {
        if length == 0 {
            return Err(node.invalid("the trees have no nodes"));
        }
        let column = |name: &str| {
            let values = node.ints(name);
            if values.len() == length {
                return Ok(values);
            }
            Err(node.invalid(&format!("`{name}` has {} entries, `nodes_values` {length}", values.len())))
        };
        let missing = node.ints("nodes_missing_value_tracks_true");
        let modes = node.texts("nodes_modes")?;
        if !missing.is_empty() && missing.len() != length || modes.len() != length {
            return Err(node.invalid("the columns of the node table differ in length"));
        }
        Ok(Ids {
            trees: column("nodes_treeids")?,
            nodes: column("nodes_nodeids")?,
            features: column("nodes_featureids")?,
            yes: column("nodes_truenodeids")?,
            no: column("nodes_falsenodeids")?,
            missing,
            modes,
        })
    }

    fn positions(&self, node: Attributes<'_>) -> Result<Positions, ModelError> {
        let mut positions = HashMap::with_capacity(self.nodes.len());
        for (position, (&tree, &id)) in self.trees.iter().zip(self.nodes).enumerate() {
            if positions.insert((tree, id), position as u32).is_some() {
                return Err(node.invalid(&format!("node {id} of tree {tree} occurs twice")));
            }
        }
        Ok(positions)
    }

    /// The first row of each tree is its root, as onnxruntime takes it.
    fn roots(&self) -> Vec<u32> {
        let mut seen = std::collections::HashSet::new();
        let rows = self.trees.iter().enumerate();
        rows.filter(|(_, tree)| seen.insert(**tree)).map(|(position, _)| position as u32).collect()
    }

    fn branch(
        &self,
        node: Attributes<'_>,
        positions: &Positions,
        position: usize,
        threshold: f64,
    ) -> Result<Option<Branch>, ModelError> {
        let mode = match self.modes[position] {
            "LEAF" => return Ok(None),
            "BRANCH_LEQ" => Mode::LessOrEqual,
            "BRANCH_LT" => Mode::Less,
            "BRANCH_GTE" => Mode::GreaterOrEqual,
            "BRANCH_GT" => Mode::Greater,
            "BRANCH_EQ" => Mode::Equal,
            "BRANCH_NEQ" => Mode::NotEqual,
            other => {
                return Err(ModelError::Unsupported(format!("{}: node mode `{other}`", node.title())));
            }
        };
        let child = |id: i64| {
            let tree = self.trees[position];
            positions
                .get(&(tree, id))
                .copied()
                .ok_or_else(|| node.invalid(&format!("node {id} of tree {tree} does not exist")))
        };
        Ok(Some(Branch {
            mode,
            feature: feature_of(node, self.features[position])?,
            threshold,
            members: (0, 0),
            missing_is_true: self.missing.get(position) == Some(&1),
            yes: child(self.yes[position])?,
            no: child(self.no[position])?,
        }))
    }
}

fn read_weights(
    node: Attributes<'_>,
    prefix: &str,
    targets: usize,
    positions: &Positions,
    rows: &mut [Row],
) -> Result<(Vec<Weight>, bool), ModelError> {
    let (values, double) = node.numbers(&format!("{prefix}_weights"))?;
    let trees = node.ints(&format!("{prefix}_treeids"));
    let nodes = node.ints(&format!("{prefix}_nodeids"));
    let ids = node.ints(&format!("{prefix}_ids"));
    if [trees.len(), nodes.len(), ids.len()] != [values.len(); 3] {
        return Err(node.invalid(&format!("the columns `{prefix}_…` differ in length")));
    }
    let mut placed = Vec::with_capacity(values.len());
    for (position, &value) in values.iter().enumerate() {
        let (tree, id, target) = (trees[position], nodes[position], ids[position]);
        let Some(&row) = positions.get(&(tree, id)) else {
            return Err(
                node.invalid(&format!("a weight is for node {id} of tree {tree}, which does not exist"))
            );
        };
        if target < 0 || target as usize >= targets {
            return Err(node.invalid(&format!("a weight is for target {target} of {targets}")));
        }
        placed.push((row, Weight { target: target as u32, value }));
    }
    placed.sort_by_key(|(row, _)| *row);
    for (position, (row, _)) in placed.iter().enumerate() {
        let range = &mut rows[*row as usize].weights;
        if range.1 == 0 {
            range.0 = position as u32;
        }
        range.1 = position as u32 + 1;
    }
    Ok((placed.into_iter().map(|(_, weight)| weight).collect(), double))
}
