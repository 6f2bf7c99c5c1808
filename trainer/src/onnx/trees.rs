//! Boosted trees: categories through LabelEncoder, side by side with the numbers into one TreeEnsemble.

use tract_onnx::pb::AttributeProto;

use super::graph::{Graph, float, floats, int, ints, string, strings};
use crate::features::{Feature, FeatureKind, Levels};
use crate::learners::boosting::{Node, Tree};
use crate::learners::{BoostedModel, Link};
use crate::target::Classes;

pub(super) fn write(
    graph: &mut Graph,
    model: &BoostedModel,
    features: &[Feature],
    classes: Option<&Classes>,
) {
    let columns: Vec<String> = features
        .iter()
        .zip(&model.orders)
        .map(|(feature, order)| match (&feature.kind, order) {
            (FeatureKind::Category(levels), Some(order)) => encoder(graph, &feature.name, levels, order),
            _ => feature.name.clone(),
        })
        .collect();
    let joined = graph.concat(&columns, "features");
    let mut ensemble = Ensemble::default();
    for (position, tree) in model.trees.iter().enumerate() {
        ensemble.add(tree, position % model.outputs);
    }
    match (model.link, classes) {
        (Link::Logistic, Some(classes)) => {
            ensemble.keep_a_margin();
            graph.classifier(
                "TreeEnsembleClassifier",
                joined,
                classes,
                ensemble.attributes("class", "LOGISTIC"),
            );
        }
        (Link::Softmax, Some(classes)) => {
            graph.classifier(
                "TreeEnsembleClassifier",
                joined,
                classes,
                ensemble.attributes("class", "SOFTMAX"),
            );
        }
        _ => {
            let mut attributes = ensemble.attributes("target", "NONE");
            attributes.push(int("n_targets", 1));
            attributes.push(string("aggregate_function", "SUM"));
            graph.regressor("TreeEnsembleRegressor", joined, attributes);
        }
    }
}

/// Each level becomes its place in the order; what is unknown becomes "other", the last of the order.
fn encoder(graph: &mut Graph, name: &str, levels: &Levels, order: &[f32]) -> String {
    let (known, other) = order.split_at(levels.len());
    let keys = match levels {
        Levels::Texts(texts) => strings("keys_strings", texts),
        Levels::Numbers(numbers) => floats("keys_floats", numbers.clone()),
    };
    let attributes = vec![keys, floats("values_floats", known.to_vec()), float("default_float", other[0])];
    graph.node("LabelEncoder", "ai.onnx.ml", &[name.to_owned()], &format!("{name}_order"), attributes)
}

/// The parallel arrays of a TreeEnsemble, an entry per node, and per leaf.
#[derive(Default)]
struct Ensemble {
    trees: i64,
    tree_ids: Vec<i64>,
    node_ids: Vec<i64>,
    features: Vec<i64>,
    thresholds: Vec<f32>,
    modes: Vec<&'static str>,
    left: Vec<i64>,
    right: Vec<i64>,
    missing_left: Vec<i64>,
    leaf_trees: Vec<i64>,
    leaf_nodes: Vec<i64>,
    leaf_outputs: Vec<i64>,
    weights: Vec<f32>,
}

impl Ensemble {
    fn add(&mut self, tree: &Tree, output: usize) {
        let id = self.trees;
        self.trees += 1;
        for (position, node) in (0_i64..).zip(&tree.nodes) {
            self.tree_ids.push(id);
            self.node_ids.push(position);
            match *node {
                Node::Split { feature, threshold, missing_left, left, right, .. } => {
                    self.modes.push("BRANCH_LEQ");
                    self.features.push(i64::from(feature));
                    self.thresholds.push(threshold);
                    self.left.push(i64::from(left));
                    self.right.push(i64::from(right));
                    self.missing_left.push(i64::from(missing_left));
                }
                Node::Leaf(answer) => {
                    self.modes.push("LEAF");
                    self.features.push(0);
                    self.thresholds.push(0.0);
                    self.left.push(0);
                    self.right.push(0);
                    self.missing_left.push(0);
                    self.leaf_trees.push(id);
                    self.leaf_nodes.push(position);
                    self.leaf_outputs.push(output as i64);
                    self.weights.push(answer);
                }
            }
        }
    }

    /// Makes sure that a leaf is negative. Where none is, engines take the single score of two classes for a
    /// probability and not for a margin (onnxruntime, `weights_are_all_positive_`): then one more tree takes
    /// from every score what the first tree gets more.
    fn keep_a_margin(&mut self) {
        if self.weights.iter().any(|&weight| weight < 0.0) {
            return;
        }
        for (weight, &tree) in self.weights.iter_mut().zip(&self.leaf_trees) {
            if tree == 0 {
                *weight += 1.0;
            }
        }
        self.add(&Tree { nodes: vec![Node::Leaf(-1.0)] }, 0);
    }

    /// The attributes of the operator; `kind` is "class" or "target".
    fn attributes(self, kind: &str, post_transform: &str) -> Vec<AttributeProto> {
        vec![
            ints("nodes_treeids", self.tree_ids),
            ints("nodes_nodeids", self.node_ids),
            ints("nodes_featureids", self.features),
            floats("nodes_values", self.thresholds),
            strings("nodes_modes", &self.modes),
            ints("nodes_truenodeids", self.left),
            ints("nodes_falsenodeids", self.right),
            ints("nodes_missing_value_tracks_true", self.missing_left),
            ints(&format!("{kind}_treeids"), self.leaf_trees),
            ints(&format!("{kind}_nodeids"), self.leaf_nodes),
            ints(&format!("{kind}_ids"), self.leaf_outputs),
            floats(&format!("{kind}_weights"), self.weights),
            string("post_transform", post_transform),
        ]
    }
}
