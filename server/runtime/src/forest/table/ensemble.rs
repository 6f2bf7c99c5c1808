//! The node table of the operator `TreeEnsemble` (`ai.onnx.ml` 5): inner nodes and leaves apart, named by their
//! positions, and questions about membership of a set.

use super::{Branch, Mode, Row, Table, Weight, feature_of, features_of};
use crate::attributes::Attributes;
use crate::{DataType, ModelError};

/// First member of a set and the one after the last.
type Range = (u32, u32);

/// Most members of all sets: each becomes some 64 bytes of nodes.
const MAX_MEMBERS: usize = 1 << 22;

impl Table {
    /// Reads `nodes_*`, `leaf_*`, `tree_roots` and `membership_values` of a node.
    pub(crate) fn read_ensemble(node: Attributes<'_>, targets: usize) -> Result<Table, ModelError> {
        let columns = Columns::read(node)?;
        let (weights, double_weights) = leaves(node, targets)?;
        let (members, sets) = members(node, &columns.modes)?;
        let inner = columns.modes.len();
        let empty = Row { branch: None, weights: (0, 0) };
        let mut builder = Builder { node, inner, leaves: weights.len(), rows: vec![empty; inner] };
        let mut sets = sets.into_iter();
        for (position, &mode) in columns.modes.iter().enumerate() {
            let members = if mode == Mode::Member { sets.next().unwrap_or_default() } else { (0, 0) };
            let branch = Branch {
                mode,
                feature: feature_of(node, columns.features[position])?,
                threshold: columns.splits[position],
                members,
                missing_is_true: columns.missing.get(position) == Some(&1),
                yes: builder.child(columns.yes[position], columns.yes_is_leaf[position])?,
                no: builder.child(columns.no[position], columns.no_is_leaf[position])?,
            };
            builder.rows[position].branch = Some(branch);
        }
        let table = Table {
            roots: roots(node, inner)?,
            features: features_of(&builder.rows),
            rows: builder.rows,
            weights,
            members,
            double: columns.double || double_weights,
        };
        table.check_parents(node)?;
        Ok(table)
    }
}

/// The columns `nodes_*`, equally long.
struct Columns<'a> {
    modes: Vec<Mode>,
    splits: Vec<f64>,
    double: bool,
    features: &'a [i64],
    yes: &'a [i64],
    no: &'a [i64],
    yes_is_leaf: &'a [i64],
    no_is_leaf: &'a [i64],
    missing: &'a [i64],
}

impl<'a> Columns<'a> {
    fn read(node: Attributes<'a>) -> Result<Columns<'a>, ModelError> {
        let (splits, datatype) = node.number_tensor("nodes_splits")?;
        let (modes, _) = node.number_tensor("nodes_modes")?;
        let modes: Vec<Mode> =
            modes.into_iter().map(|code| mode(node, code)).collect::<Result<_, ModelError>>()?;
        if modes.is_empty() {
            return Err(node.invalid("the trees have no nodes"));
        }
        let length = modes.len();
        let column = |name: &str, optional: bool| {
            let values = node.ints(name);
            if values.len() == length || optional && values.is_empty() {
                return Ok(values);
            }
            Err(node.invalid(&format!("`{name}` has {} entries, `nodes_modes` {length}", values.len())))
        };
        if splits.len() != length {
            return Err(node.invalid("the columns of the node table differ in length"));
        }
        Ok(Columns {
            modes,
            splits,
            double: datatype == DataType::Fp64,
            features: column("nodes_featureids", false)?,
            yes: column("nodes_truenodeids", false)?,
            no: column("nodes_falsenodeids", false)?,
            yes_is_leaf: column("nodes_trueleafs", false)?,
            no_is_leaf: column("nodes_falseleafs", false)?,
            missing: column("nodes_missing_value_tracks_true", true)?,
        })
    }
}

fn mode(node: Attributes<'_>, code: f64) -> Result<Mode, ModelError> {
    const MODES: [Mode; 7] = [
        Mode::LessOrEqual,
        Mode::Less,
        Mode::GreaterOrEqual,
        Mode::Greater,
        Mode::Equal,
        Mode::NotEqual,
        Mode::Member,
    ];
    let position = (0..MODES.len()).find(|&position| position as f64 == code);
    position
        .map(|position| MODES[position])
        .ok_or_else(|| ModelError::Unsupported(format!("{}: node mode {code}", node.title())))
}

/// The weights of the leaves, one each, and whether they are of double precision.
fn leaves(node: Attributes<'_>, targets: usize) -> Result<(Vec<Weight>, bool), ModelError> {
    let (values, datatype) = node.number_tensor("leaf_weights")?;
    let ids = node.ints("leaf_targetids");
    if ids.len() != values.len() || values.is_empty() {
        return Err(node.invalid("`leaf_weights` and `leaf_targetids` are empty or differ in length"));
    }
    let weight = |(&id, value): (&i64, f64)| match usize::try_from(id) {
        Ok(target) if target < targets => Ok(Weight { target: target as u32, value }),
        _ => Err(node.invalid(&format!("a weight is for target {id} of {targets}"))),
    };
    let weights = ids.iter().zip(values).map(weight).collect::<Result<_, ModelError>>()?;
    Ok((weights, datatype == DataType::Fp64))
}

fn roots(node: Attributes<'_>, nodes: usize) -> Result<Vec<u32>, ModelError> {
    let roots = node.ints("tree_roots");
    if roots.is_empty() {
        return Err(node.invalid("there are no `tree_roots`"));
    }
    let root = |&id: &i64| match usize::try_from(id) {
        Ok(root) if root < nodes => Ok(root as u32),
        _ => Err(node.invalid(&format!("the root {id} does not exist"))),
    };
    roots.iter().map(root).collect()
}

/// All members, and the range of each node that asks for membership; NaN stands between the sets of the file.
fn members(node: Attributes<'_>, modes: &[Mode]) -> Result<(Vec<f64>, Vec<Range>), ModelError> {
    let count = modes.iter().filter(|mode| **mode == Mode::Member).count();
    if count == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    let (values, _) = node.number_tensor("membership_values")?;
    if values.len() > MAX_MEMBERS {
        return Err(node.invalid(&format!("{} members of sets, {MAX_MEMBERS} are allowed", values.len())));
    }
    let mut members = Vec::with_capacity(values.len());
    let mut sets = Vec::with_capacity(count);
    for set in values.split(|value| value.is_nan()).take(count) {
        if set.is_empty() {
            return Err(node.invalid("a set has no members"));
        }
        let first = members.len() as u32;
        members.extend_from_slice(set);
        sets.push((first, members.len() as u32));
    }
    if sets.len() != count {
        return Err(node.invalid(&format!("{} sets for {count} nodes that ask for one", sets.len())));
    }
    Ok((members, sets))
}

/// Rows under construction: the inner nodes, then the leaves, one for each time that one is referred to, so
/// that every row has one parent.
struct Builder<'a> {
    node: Attributes<'a>,
    inner: usize,
    leaves: usize,
    rows: Vec<Row>,
}

impl Builder<'_> {
    /// The row of a child: an inner node, or a leaf, which is put at the end.
    fn child(&mut self, id: i64, is_leaf: i64) -> Result<u32, ModelError> {
        match usize::try_from(id) {
            Ok(at) if is_leaf != 0 && at < self.leaves => {
                self.rows.push(Row { branch: None, weights: (at as u32, at as u32 + 1) });
                Ok(self.rows.len() as u32 - 1)
            }
            Ok(at) if is_leaf == 0 && at < self.inner => Ok(at as u32),
            _ => {
                let kind = if is_leaf == 0 { "node" } else { "leaf" };
                Err(self.node.invalid(&format!("the {kind} {id} does not exist")))
            }
        }
    }
}
