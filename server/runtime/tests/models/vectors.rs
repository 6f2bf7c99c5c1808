//! Support vector machines built by hand: what they decide, and files that are broken.

use chasqui_runtime::{Limits, Model, TensorData};
use prost::Message;
use tract_onnx::pb::{AttributeProto, NodeProto};

use crate::graphs::{floats, int, ints, model, node, numbers, text, texts};

/// Three classes, one vector each on an axis, compared by the product.
fn machine() -> Vec<AttributeProto> {
    vec![
        text("kernel_type", "LINEAR"),
        numbers("kernel_params", &[0.5, 0.0, 3.0]),
        ints("vectors_per_class", &[1, 1, 1]),
        numbers("support_vectors", &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
        // Line j - 1 for pairs (i, j) and vectors of class i, line i for those of class j.
        numbers("coefficients", &[1.0, -1.0, -1.0, 1.0, 1.0, -1.0]),
        numbers("rho", &[0.0, 0.0, 0.0]),
        texts("classlabels_strings", &["x", "y", "z"]),
    ]
}

fn load(operator: &str, attributes: Vec<AttributeProto>) -> Result<Model, String> {
    let outputs: &[&str] = if operator == "SVMClassifier" { &["label", "y"] } else { &["y"] };
    let machine =
        NodeProto { domain: "ai.onnx.ml".into(), attribute: attributes, ..node(operator, &["x"], outputs) };
    let mut built = model(vec![machine], vec![]);
    let graph = built.graph.as_mut().unwrap();
    graph.output.clear();
    graph.output.extend(
        outputs.iter().map(|name| crate::graphs::input(name, chasqui_runtime::DataType::Fp32, &[0, 3])),
    );
    Model::load(&built.encode_to_vec(), &Limits::default()).map_err(|error| error.to_string())
}

#[test]
fn pairs_vote() {
    let model = load("SVMClassifier", machine()).unwrap();
    let rows = [0.9, 0.1, 0.2, 0.1, 0.8, 0.2, 0.0, 0.1, 0.5];
    let outputs = model.predict(&[floats(&[3, 3], |index| rows[index])]).unwrap();
    let labels = ["x", "y", "z"].map(String::from).to_vec();
    assert_eq!(outputs[0].data, TensorData::Text(labels));
    assert_eq!(outputs[1].shape, [3, 3]);
    let TensorData::F32(scores) = &outputs[1].data else { panic!("no floats") };
    for (found, expected) in scores[..3].iter().zip([0.8, 0.7, -0.1]) {
        assert!((found - expected).abs() < 1e-6, "{scores:?}");
    }
}

fn broken(name: &str, put: AttributeProto) -> String {
    let mut attributes = machine();
    attributes.retain(|attribute| attribute.name != name);
    attributes.push(put);
    load("SVMClassifier", attributes).unwrap_err()
}

#[test]
fn hostile_machines_are_refused() {
    assert!(broken("vectors_per_class", ints("vectors_per_class", &[1, -1, 3])).contains("out of range"));
    let huge = ints("vectors_per_class", &[i64::MAX, i64::MAX, i64::MAX]);
    assert!(broken("vectors_per_class", huge).contains("out of range"));
    assert!(broken("vectors_per_class", ints("vectors_per_class", &[2, 1])).contains("classes"));
    assert!(
        broken("vectors_per_class", ints("vectors_per_class", &[1, 1, 1 << 40])).contains("coefficients")
    );
    assert!(broken("support_vectors", numbers("support_vectors", &[1.0; 8])).contains("8 numbers"));
    assert!(broken("support_vectors", int("other", 1)).contains("0 numbers"));
    assert!(broken("coefficients", numbers("coefficients", &[1.0; 5])).contains("5 coefficients"));
    assert!(broken("rho", numbers("rho", &[0.0])).contains("3 pairs"));
    assert!(broken("prob_a", numbers("prob_a", &[1.0; 3])).contains("prob_a"));
    assert!(broken("kernel_params", numbers("kernel_params", &[1.0])).contains("three entries"));
    assert!(broken("kernel_type", text("kernel_type", "MAGIC")).contains("MAGIC"));
    assert!(broken("classlabels_strings", int("other", 1)).contains("0 class labels"));
}

#[test]
fn a_regressor_without_vectors_is_a_line() {
    let line = || vec![numbers("coefficients", &[1.0, 2.0, 3.0]), numbers("rho", &[0.5])];
    let model = load("SVMRegressor", line()).unwrap();
    let outputs = model.predict(&[floats(&[1, 3], |index| index as f32)]).unwrap();
    assert_eq!(outputs[0].data, TensorData::F32(vec![8.5]));
    for supports in [-1, 2, i64::MAX] {
        let attributes = line().into_iter().chain([int("n_supports", supports)]).collect();
        assert!(load("SVMRegressor", attributes).is_err(), "{supports}");
    }
    assert!(load("SVMRegressor", vec![numbers("coefficients", &[1.0])]).unwrap_err().contains("rho"));
}
