//! Linear models: numbers through Imputer and Scaler, categories through OneHotEncoder, side by side into one
//! LinearRegressor or LinearClassifier.
//!
//! The scaling is a step of its own and not folded into the weights: of a column far from zero, such as a year,
//! the folded products would cancel and leave few of single precision's digits.

use super::graph::{Graph, float, floats, int, ints, string, strings};
use crate::features::{Feature, FeatureKind, Levels};
use crate::learners::linear::FeatureWeights;
use crate::learners::{LinearModel, Link};
use crate::target::Classes;

const ML: &str = "ai.onnx.ml";

/// Columns of the final operator with their weights per output, and the intercept.
struct Terms {
    columns: Vec<Vec<f64>>,
    intercept: Vec<f64>,
}

pub(super) fn write(graph: &mut Graph, model: &LinearModel, features: &[Feature], classes: Option<&Classes>) {
    let mut terms = Terms { columns: Vec::new(), intercept: model.intercept.clone() };
    let mut parts: Vec<String> = numbers(graph, model, features, &mut terms).into_iter().collect();
    for (feature, weights) in features.iter().zip(&model.weights) {
        if let (FeatureKind::Category(levels), FeatureWeights::Category(weights)) = (&feature.kind, weights) {
            parts.extend(category(graph, &feature.name, levels, weights, &mut terms));
        }
    }
    let joined = graph.concat(&parts, "features");
    let outputs = terms.intercept.len();
    let row = |output: usize, sign: f64| -> Vec<f32> {
        terms.columns.iter().map(|weights| (sign * weights[output]) as f32).collect()
    };
    match (model.link, classes) {
        (Link::Logistic, Some(classes)) => {
            let coefficients = [row(0, -1.0), row(0, 1.0)].concat();
            let intercepts = vec![-terms.intercept[0] as f32, terms.intercept[0] as f32];
            let attributes = vec![
                floats("coefficients", coefficients),
                floats("intercepts", intercepts),
                int("multi_class", 0),
                string("post_transform", "LOGISTIC"),
            ];
            graph.classifier("LinearClassifier", joined, classes, attributes);
        }
        (Link::Softmax, Some(classes)) => {
            let coefficients = (0..outputs).flat_map(|output| row(output, 1.0)).collect();
            let attributes = vec![
                floats("coefficients", coefficients),
                floats("intercepts", terms.intercept.iter().map(|&weight| weight as f32).collect()),
                int("multi_class", 1),
                string("post_transform", "SOFTMAX"),
            ];
            graph.classifier("LinearClassifier", joined, classes, attributes);
        }
        _ => {
            let attributes = vec![
                floats("coefficients", row(0, 1.0)),
                floats("intercepts", vec![terms.intercept[0] as f32]),
                string("post_transform", "NONE"),
                int("targets", 1),
            ];
            graph.regressor("LinearRegressor", joined, attributes);
        }
    }
}

/// All numeric features, imputed and scaled; `None` when there are none.
fn numbers(
    graph: &mut Graph,
    model: &LinearModel,
    features: &[Feature],
    terms: &mut Terms,
) -> Option<String> {
    let (mut names, mut centers, mut scales) = (Vec::new(), Vec::new(), Vec::new());
    for (feature, weights) in features.iter().zip(&model.weights) {
        if let FeatureWeights::Number { center, scale, weights } = weights {
            names.push(feature.name.clone());
            centers.push(*center);
            scales.push(*scale);
            terms.columns.push(weights.clone());
        }
    }
    if names.is_empty() {
        return None;
    }
    let joined = graph.concat(&names, "numbers");
    let imputing =
        vec![floats("imputed_value_floats", centers.clone()), float("replaced_value_float", f32::NAN)];
    let imputed = graph.node("Imputer", ML, &[joined], "imputed", imputing);
    let scaling = vec![floats("offset", centers), floats("scale", scales)];
    Some(graph.node("Scaler", ML, &[imputed], "scaled", scaling))
}

/// A column per level that is 1 in the rows of that level; "other" is 0 in all and so goes into the intercept.
fn category(
    graph: &mut Graph,
    name: &str,
    levels: &Levels,
    weights: &[f64],
    terms: &mut Terms,
) -> Option<String> {
    let outputs = terms.intercept.len();
    let (known, other) = weights.split_at(levels.len() * outputs);
    for (intercept, other) in terms.intercept.iter_mut().zip(other) {
        *intercept += other;
    }
    if known.is_empty() {
        return None;
    }
    for level in known.chunks_exact(outputs) {
        terms.columns.push(level.iter().zip(other).map(|(weight, other)| weight - other).collect());
    }
    let encoded = match levels {
        Levels::Texts(texts) => {
            let attributes = vec![strings("cats_strings", texts), int("zeros", 1)];
            graph.node("OneHotEncoder", ML, &[name.to_owned()], &format!("{name}_encoded"), attributes)
        }
        Levels::Numbers(numbers) => {
            let codes: Vec<i64> = (0..numbers.len() as i64).collect();
            let labels = vec![
                floats("keys_floats", numbers.clone()),
                ints("values_int64s", codes.clone()),
                int("default_int64", -1),
            ];
            let coded = graph.node("LabelEncoder", ML, &[name.to_owned()], &format!("{name}_coded"), labels);
            let attributes = vec![ints("cats_int64s", codes), int("zeros", 1)];
            graph.node("OneHotEncoder", ML, &[coded], &format!("{name}_encoded"), attributes)
        }
    };
    // The encoder adds an axis: [N, 1] becomes [N, 1, levels].
    let shape = graph.constant(&format!("{name}_shape"), &[-1, levels.len() as i64]);
    Some(graph.node("Reshape", "", &[encoded, shape], &format!("{name}_columns"), Vec::new()))
}
