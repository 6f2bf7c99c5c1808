//! The flat walk against a plain recursion over the same table, and hostile tables.

mod ensemble;

use proptest::prelude::*;
use tract_onnx::pb::{AttributeProto, NodeProto};

use super::table::{Mode, Table};
use super::{Aggregate, Forest, Score, join};
use crate::attributes::Attributes;
use crate::{ModelError, TensorData};

/// One node of a table under construction.
#[derive(Debug, Clone, Default)]
struct Entry {
    tree: i64,
    node: i64,
    feature: i64,
    threshold: f32,
    mode: &'static str,
    yes: i64,
    no: i64,
    missing: i64,
    weights: Vec<(i64, f32)>,
}

fn node(entries: &[Entry]) -> NodeProto {
    let ints = |name: &str, of: &dyn Fn(&Entry) -> i64| AttributeProto {
        name: name.into(),
        ints: entries.iter().map(of).collect(),
        ..AttributeProto::default()
    };
    let weights =
        || entries.iter().flat_map(|entry| entry.weights.iter().map(move |weight| (entry, *weight)));
    let weight_ints = |name: &str, of: &dyn Fn(&Entry, i64) -> i64| AttributeProto {
        name: name.into(),
        ints: weights().map(|(entry, (target, _))| of(entry, target)).collect(),
        ..AttributeProto::default()
    };
    let floats = |name: &str, floats: Vec<f32>| AttributeProto {
        name: name.into(),
        floats,
        ..AttributeProto::default()
    };
    let attribute = vec![
        ints("nodes_treeids", &|entry| entry.tree),
        ints("nodes_nodeids", &|entry| entry.node),
        ints("nodes_featureids", &|entry| entry.feature),
        ints("nodes_truenodeids", &|entry| entry.yes),
        ints("nodes_falsenodeids", &|entry| entry.no),
        ints("nodes_missing_value_tracks_true", &|entry| entry.missing),
        floats("nodes_values", entries.iter().map(|entry| entry.threshold).collect()),
        AttributeProto {
            name: "nodes_modes".into(),
            strings: entries.iter().map(|entry| entry.mode.into()).collect(),
            ..AttributeProto::default()
        },
        weight_ints("target_treeids", &|entry, _| entry.tree),
        weight_ints("target_nodeids", &|entry, _| entry.node),
        weight_ints("target_ids", &|_, target| target),
        floats("target_weights", weights().map(|(_, (_, value))| value).collect()),
    ];
    NodeProto { op_type: "TreeEnsembleRegressor".into(), attribute, ..NodeProto::default() }
}

fn read(entries: &[Entry], targets: usize) -> Result<Table, ModelError> {
    Table::read(Attributes(&node(entries)), "target", targets)
}

/// The definition: follow the comparisons from the root.
fn naive(table: &Table, aggregate: Aggregate, targets: usize, row: &[f32]) -> Vec<Score> {
    let mut scores = vec![Score::default(); targets];
    for &root in &table.roots {
        let mut at = root as usize;
        while let Some(branch) = table.rows[at].branch {
            let (value, threshold) = (f64::from(row[branch.feature as usize]), branch.threshold);
            let holds = match branch.mode {
                Mode::LessOrEqual => value <= threshold,
                Mode::Less => value < threshold,
                Mode::GreaterOrEqual => value >= threshold,
                Mode::Greater => value > threshold,
                Mode::Equal => value == threshold,
                Mode::NotEqual => value != threshold,
                Mode::Member => {
                    let (from, to) = branch.members;
                    table.members[from as usize..to as usize].contains(&value)
                }
            };
            at = if holds || (value.is_nan() && branch.missing_is_true) { branch.yes } else { branch.no }
                as usize;
        }
        let (from, to) = table.rows[at].weights;
        for weight in &table.weights[from as usize..to as usize] {
            join(&mut scores[weight.target as usize], weight.value, aggregate);
        }
    }
    if aggregate == Aggregate::Average {
        for score in &mut scores {
            score.value /= table.roots.len() as f64;
        }
    }
    scores
}

const MODES: [&str; 6] = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"];

fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => (-4_i32..5).prop_map(|half| half as f32 / 2.0),
        1 => Just(f32::NAN),
        1 => prop_oneof![Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(-0.0), Just(f32::MIN_POSITIVE)],
    ]
}

/// Trees grown from a list of choices: feature, threshold, mode, missing, weight.
fn forest(targets: i64) -> impl Strategy<Value = Vec<Entry>> {
    let choice = (0_i64..5, number(), 0_usize..9, 0_i64..2, -8_i32..9);
    let tree = prop::collection::vec(choice, 1..60);
    prop::collection::vec(tree, 1..20).prop_map(move |trees| {
        let mut entries = Vec::new();
        for (tree, choices) in trees.into_iter().enumerate() {
            let mut open = vec![0_i64];
            let mut next = 1;
            for (feature, threshold, mode, missing, weight) in choices {
                let Some(node) = open.pop() else { break };
                let mode = MODES.get(mode).copied().unwrap_or("BRANCH_LEQ");
                let (yes, no) = (next, next + 1);
                next += 2;
                if weight % 3 == 0 {
                    open.extend([no, yes]);
                } else {
                    open.extend([yes, no]);
                }
                let tree = tree as i64;
                entries.push(Entry {
                    tree,
                    node,
                    feature,
                    threshold,
                    mode,
                    yes,
                    no,
                    missing,
                    weights: vec![],
                });
            }
            entries.extend(open.into_iter().map(|node| Entry {
                tree: tree as i64,
                node,
                mode: "LEAF",
                weights: (0..targets).map(|target| (target, (node * 3 % 7 + target) as f32 / 4.0)).collect(),
                ..Entry::default()
            }));
        }
        entries
    })
}

fn rows() -> impl Strategy<Value = Vec<f32>> {
    (1_usize..80).prop_flat_map(|rows| prop::collection::vec(number(), rows * 5))
}

fn check(entries: &[Entry], targets: usize, aggregate: Aggregate, data: &[f32], double: bool) {
    let table = read(entries, targets).unwrap();
    let forest = Forest::new(&table, aggregate, targets, double);
    let input = TensorData::F32(data.to_vec());
    let flat = forest.scores(&input, data.len() / 5, 5);
    for (row, found) in data.chunks(5).zip(flat.chunks(targets)) {
        assert_eq!(found, naive(&table, aggregate, targets, row), "{row:?}");
    }
}

proptest! {
    #[test]
    fn flat_equals_naive_for_one_target(entries in forest(1), data in rows(), double: bool) {
        check(&entries, 1, Aggregate::Sum, &data, double);
        check(&entries, 1, Aggregate::Average, &data, double);
        check(&entries, 1, Aggregate::Max, &data, double);
    }

    #[test]
    fn flat_equals_naive_for_three_targets(entries in forest(3), data in rows(), double: bool) {
        check(&entries, 3, Aggregate::Sum, &data, double);
        check(&entries, 3, Aggregate::Min, &data, double);
    }
}

fn stump() -> Vec<Entry> {
    let leaf = |node| Entry { node, mode: "LEAF", weights: vec![(0, 1.0)], ..Entry::default() };
    vec![Entry { mode: "BRANCH_LEQ", yes: 1, no: 2, ..Entry::default() }, leaf(1), leaf(2)]
}

fn fault(change: impl Fn(&mut Vec<Entry>)) -> String {
    let mut entries = stump();
    change(&mut entries);
    read(&entries, 1).unwrap_err().to_string()
}

#[test]
fn hostile_tables_are_refused() {
    assert!(read(&stump(), 1).is_ok());
    assert!(fault(|entries| entries[0].yes = 0).contains("cycle"));
    assert!(fault(|entries| entries[0].yes = 2).contains("two parents"));
    assert!(fault(|entries| entries[0].no = 7).contains("does not exist"));
    assert!(fault(|entries| entries[0].no = i64::MAX).contains("does not exist"));
    assert!(fault(|entries| entries[0].feature = -1).contains("feature id"));
    assert!(fault(|entries| entries[0].feature = 1 << 40).contains("feature id"));
    assert!(fault(|entries| entries[2].node = 1).contains("twice"));
    assert!(fault(|entries| entries[1].weights[0].0 = 1).contains("target 1 of 1"));
    assert!(fault(|entries| entries[0].mode = "BRANCH_MEMBER").contains("BRANCH_MEMBER"));
    assert!(fault(Vec::clear).contains("no nodes"));
}

#[test]
fn columns_of_different_lengths_are_refused() {
    for position in 0..12 {
        let mut node = node(&stump());
        let attribute = &mut node.attribute[position];
        attribute.ints.pop();
        attribute.floats.pop();
        attribute.strings.pop();
        assert!(Table::read(Attributes(&node), "target", 1).is_err(), "{position}");
    }
}

#[test]
fn a_forest_too_large_for_compact_nodes_is_laid_out_wide() {
    let mut entries = stump();
    entries[0].feature = 5000;
    entries[0].threshold = 0.5;
    entries[2].weights[0].1 = 2.0;
    let table = read(&entries, 1).unwrap();
    let forest = Forest::new(&table, Aggregate::Sum, 1, false);
    let mut row = vec![0.0_f32; 5001];
    row[5000] = 0.75;
    assert_eq!(forest.scores(&TensorData::F32(row), 1, 5001)[0].value, 2.0);
}
