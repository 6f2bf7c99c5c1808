//! `TreeEnsemble`: the flat walk against a recursion over the attributes themselves, and hostile ones.

use proptest::prelude::*;
use tract_onnx::pb::tensor_proto::DataType as Proto;
use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto};

use super::{number, rows};
use crate::array::Array;
use crate::attributes::Attributes;
use crate::forest::regressor::Regressor;
use crate::{ModelError, TensorData};

/// A child: an inner node or a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Child {
    id: i64,
    is_leaf: bool,
}

#[derive(Debug, Clone)]
struct Inner {
    mode: usize,
    feature: i64,
    split: f32,
    set: Vec<f32>,
    missing: i64,
    yes: Child,
    no: Child,
}

/// The attributes of the operator.
#[derive(Debug, Clone, Default)]
struct Ensemble {
    roots: Vec<i64>,
    inner: Vec<Inner>,
    leaves: Vec<(i64, f32)>,
}

const MEMBER: usize = 6;

impl Ensemble {
    fn node(&self, targets: i64) -> NodeProto {
        let ints = |name: &str, ints: Vec<i64>| AttributeProto {
            name: name.into(),
            ints,
            ..AttributeProto::default()
        };
        let int = |name: &str, i| AttributeProto { name: name.into(), i, ..AttributeProto::default() };
        let tensor = |name: &str, tensor: TensorProto| AttributeProto {
            name: name.into(),
            t: Some(tensor),
            ..AttributeProto::default()
        };
        let floats = |values: Vec<f32>| TensorProto {
            dims: vec![values.len() as i64],
            data_type: Proto::Float as i32,
            float_data: values,
            ..TensorProto::default()
        };
        let column = |of: &dyn Fn(&Inner) -> i64| self.inner.iter().map(of).collect::<Vec<i64>>();
        let modes = TensorProto {
            dims: vec![self.inner.len() as i64],
            data_type: Proto::Uint8 as i32,
            int32_data: self.inner.iter().map(|node| node.mode as i32).collect(),
            ..TensorProto::default()
        };
        let sets = self.inner.iter().filter(|node| node.mode == MEMBER);
        let members = sets.flat_map(|node| node.set.iter().copied().chain([f32::NAN])).collect();
        let attribute = vec![
            int("n_targets", targets),
            ints("tree_roots", self.roots.clone()),
            ints("nodes_featureids", column(&|node| node.feature)),
            ints("nodes_truenodeids", column(&|node| node.yes.id)),
            ints("nodes_trueleafs", column(&|node| i64::from(node.yes.is_leaf))),
            ints("nodes_falsenodeids", column(&|node| node.no.id)),
            ints("nodes_falseleafs", column(&|node| i64::from(node.no.is_leaf))),
            ints("nodes_missing_value_tracks_true", column(&|node| node.missing)),
            ints("leaf_targetids", self.leaves.iter().map(|leaf| leaf.0).collect()),
            tensor("leaf_weights", floats(self.leaves.iter().map(|leaf| leaf.1).collect())),
            tensor("nodes_splits", floats(self.inner.iter().map(|node| node.split).collect())),
            tensor("nodes_modes", modes),
            tensor("membership_values", floats(members)),
        ];
        NodeProto { op_type: "TreeEnsemble".into(), attribute, ..NodeProto::default() }
    }

    fn read(&self, targets: i64) -> Result<Regressor, ModelError> {
        Regressor::read_ensemble(Attributes(&self.node(targets)), false)
    }

    /// The definition: sums of the leaves reached.
    fn naive(&self, targets: usize, row: &[f32]) -> Vec<f32> {
        let mut sums = vec![0.0; targets];
        for &root in &self.roots {
            let mut at = Child { id: root, is_leaf: false };
            while !at.is_leaf {
                let node = &self.inner[at.id as usize];
                let value = row[node.feature as usize];
                let holds = match node.mode {
                    0 => value <= node.split,
                    1 => value < node.split,
                    2 => value >= node.split,
                    3 => value > node.split,
                    4 => value == node.split,
                    5 => value != node.split,
                    _ => node.set.contains(&value),
                };
                at = if holds || value.is_nan() && node.missing == 1 { node.yes } else { node.no };
            }
            let (target, weight) = self.leaves[at.id as usize];
            sums[target as usize] += weight;
        }
        sums
    }
}

fn answers(regressor: &Regressor, data: &[f32]) -> Vec<f32> {
    let input = Array::new(&[data.len() / 5, 5], TensorData::F32(data.to_vec()));
    let result = regressor.evaluate(&input).unwrap();
    result.floats().unwrap().into_owned()
}

/// Trees grown from choices: feature, split, mode, set, missing, weight. Leaves may be shared.
fn ensemble(targets: i64) -> impl Strategy<Value = Ensemble> {
    let member = (-4_i32..5).prop_map(|half| half as f32 / 2.0);
    let set = prop::collection::vec(
        prop_oneof![6 => member, 1 => Just(f32::INFINITY), 1 => Just(f32::NEG_INFINITY), 1 => Just(-0.0)],
        1..7,
    );
    let choice = (0_i64..5, number(), 0_usize..9, set, 0_i64..2, 0_u32..8);
    let tree = prop::collection::vec(choice, 1..40);
    prop::collection::vec(tree, 1..14).prop_map(move |trees| {
        let leaves = (0..8).map(|leaf| (leaf % targets, (leaf * 3 % 7) as f32 / 4.0)).collect();
        let mut built = Ensemble { leaves, ..Ensemble::default() };
        for choices in trees {
            let first = built.inner.len() as i64;
            built.roots.push(first);
            let count = choices.len() as i64;
            for (at, (feature, split, mode, set, missing, leaf)) in choices.into_iter().enumerate() {
                // A heap: children at 2 at + 1 and 2 at + 2, leaves where the tree has no such node.
                let child = |offset: i64| {
                    let id = 2 * at as i64 + offset;
                    if id < count {
                        return Child { id: first + id, is_leaf: false };
                    }
                    Child { id: (i64::from(leaf) + offset) % 8, is_leaf: true }
                };
                let (yes, no) = (child(1), child(2));
                let mode = mode.min(MEMBER);
                built.inner.push(Inner { mode, feature, split, set, missing, yes, no });
            }
        }
        built
    })
}

proptest! {
    #[test]
    fn flat_equals_naive(of_one in ensemble(1), of_three in ensemble(3), data in rows()) {
        for (built, targets) in [(of_one, 1), (of_three, 3)] {
            let found = answers(&built.read(targets).unwrap(), &data);
            for (row, found) in data.chunks(5).zip(found.chunks(targets as usize)) {
                prop_assert_eq!(found, built.naive(targets as usize, row), "{:?}", row);
            }
        }
    }
}

/// One node that asks whether the feature is 1 or 3.
fn stump() -> Ensemble {
    let leaf = |id| Child { id, is_leaf: true };
    let node = Inner {
        mode: MEMBER,
        feature: 0,
        split: 0.0,
        set: vec![1.0, 3.0],
        missing: 0,
        yes: leaf(0),
        no: leaf(1),
    };
    Ensemble { roots: vec![0], inner: vec![node], leaves: vec![(0, 5.0), (0, 7.0)] }
}

fn fault(change: impl Fn(&mut Ensemble)) -> String {
    let mut built = stump();
    change(&mut built);
    built.read(1).unwrap_err().to_string()
}

#[test]
fn a_tree_of_one_leaf_answers() {
    let mut built = stump();
    built.inner[0].no = built.inner[0].yes;
    assert_eq!(answers(&built.read(1).unwrap(), &[9.0; 10]), [5.0, 5.0]);
}

#[test]
fn hostile_ensembles_are_refused() {
    assert!(stump().read(1).is_ok());
    let inner = |id| Child { id, is_leaf: false };
    let leaf = |id| Child { id, is_leaf: true };
    assert!(fault(|built| built.inner[0].yes = inner(0)).contains("cycle"));
    assert!(fault(|built| built.inner[0].yes = inner(1)).contains("node 1 does not exist"));
    assert!(fault(|built| built.inner[0].yes = inner(-1)).contains("node -1 does not exist"));
    assert!(fault(|built| built.inner[0].no = leaf(2)).contains("leaf 2 does not exist"));
    assert!(fault(|built| built.inner[0].no = leaf(i64::MIN)).contains("does not exist"));
    assert!(fault(|built| built.roots = vec![0, 0]).contains("same root"));
    assert!(fault(|built| built.roots = vec![-1]).contains("the root -1"));
    assert!(fault(|built| built.roots = vec![1 << 40]).contains("does not exist"));
    assert!(fault(|built| built.roots.clear()).contains("tree_roots"));
    assert!(fault(|built| built.inner.clear()).contains("no nodes"));
    assert!(fault(|built| built.leaves[0].0 = 1).contains("target 1 of 1"));
    assert!(fault(|built| built.leaves[0].0 = -1).contains("target -1 of 1"));
    assert!(fault(|built| built.leaves.clear()).contains("leaf_weights"));
    assert!(fault(|built| built.inner[0].mode = 7).contains("mode 7"));
    assert!(fault(|built| built.inner[0].set.clear()).contains("no members"));
    assert!(fault(|built| built.inner[0].feature = -1).contains("feature id"));
    assert!(fault(|built| built.inner[0].feature = i64::MAX).contains("feature id"));
    for targets in [0, -1, i64::MAX] {
        assert!(stump().read(targets).unwrap_err().to_string().contains("n_targets"));
    }
}

#[test]
fn a_shared_node_is_refused() {
    let mut built = stump();
    built.inner.push(built.inner[0].clone());
    built.inner[0].yes = Child { id: 1, is_leaf: false };
    assert!(built.read(1).is_ok());
    built.inner[0].no = Child { id: 1, is_leaf: false };
    assert!(built.read(1).unwrap_err().to_string().contains("two parents"));
}

#[test]
fn sets_that_are_missing_or_columns_that_differ_are_refused() {
    let mut node = stump().node(1);
    let attributes = node.attribute.len();
    node.attribute.truncate(attributes - 1);
    assert!(Regressor::read_ensemble(Attributes(&node), false).is_err());
    for position in 1..attributes - 1 {
        let mut node = stump().node(1);
        let attribute = &mut node.attribute[position];
        attribute.ints.push(0);
        if let Some(tensor) = &mut attribute.t {
            tensor.dims[0] += 1;
            tensor.float_data.push(0.0);
            tensor.int32_data.extend((tensor.data_type == Proto::Uint8 as i32).then_some(0));
        }
        // A root more is the same root twice.
        assert!(Regressor::read_ensemble(Attributes(&node), false).is_err(), "{position}");
    }
}
