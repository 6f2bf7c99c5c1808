//! Tables of named columns: encoders, metadata, the meaning of the outputs, in both engines.

use chasqui_runtime::{
    DataType, FeatureKind, Limits, Model, ModelError, Task, Tensor, TensorData, Value, feature_value,
    prediction,
};
use prost::Message;
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto, StringStringEntryProto};

use crate::graphs::{constant, floats, input, int, model, node, numbers, tensor, text, texts};

fn with(mut node: NodeProto, attributes: Vec<AttributeProto>) -> NodeProto {
    node.domain = if node.op_type == "Concat" { String::new() } else { "ai.onnx.ml".into() };
    node.attribute = attributes;
    node
}

/// Age and city, the city one-hot, side by side as `table`.
fn columns() -> Vec<NodeProto> {
    vec![
        with(node("OneHotEncoder", &["city"], &["hot"]), vec![texts("cats_strings", &["Cuenca", "Quito"])]),
        node("Reshape", &["hot", "flat"], &["cities"]),
        with(node("Concat", &["age", "cities"], &["table"]), vec![int("axis", 1)]),
    ]
}

fn of_columns(rest: Vec<NodeProto>, outputs: &[(&str, DataType, &[i64])]) -> ModelProto {
    let nodes = columns().into_iter().chain(rest).collect();
    let mut built = model(nodes, vec![constant("flat", &[-1, 2])]);
    let graph = built.graph.as_mut().unwrap();
    graph.input = vec![input("age", DataType::Fp32, &[0, 1]), input("city", DataType::Bytes, &[0, 1])];
    graph.output = outputs.iter().map(|(name, datatype, axes)| input(name, *datatype, axes)).collect();
    built
}

/// Classes "no" and "yes" by a line: 0.5 age − 1, and 2 more in Quito.
fn classifier() -> ModelProto {
    let line = with(
        node("LinearClassifier", &["table"], &["label", "scores"]),
        vec![
            numbers("coefficients", &[-0.5, 0.0, -2.0, 0.5, 0.0, 2.0]),
            numbers("intercepts", &[1.0, -1.0]),
            texts("classlabels_strings", &["no", "yes"]),
            text("post_transform", "LOGISTIC"),
        ],
    );
    let map = with(
        node("ZipMap", &["scores"], &["probability"]),
        vec![texts("classlabels_strings", &["no", "yes"])],
    );
    let outputs: [(&str, DataType, &[i64]); 2] =
        [("label", DataType::Bytes, &[0]), ("probability", DataType::Fp32, &[0, 2])];
    let mut built = of_columns(vec![line, map], &outputs);
    // Exporters declare a sequence of maps, for which the type is not even read.
    built.graph.as_mut().unwrap().output[1].r#type = None;
    built
}

fn load(model: &ModelProto) -> Result<Model, ModelError> {
    Model::load(&model.encode_to_vec(), &Limits::default())
}

fn rows(ages: &[f32], cities: &[&str]) -> [Tensor; 2] {
    let cities = TensorData::Text(cities.iter().map(|city| (*city).into()).collect());
    let count = ages.len();
    [floats(&[count, 1], |row| ages[row]), Tensor::new(vec![count, 1], cities).unwrap()]
}

fn entry(key: &str, value: &str) -> StringStringEntryProto {
    StringStringEntryProto { key: key.into(), value: value.into() }
}

#[test]
fn maps_are_given_out_as_tables() {
    let model = load(&classifier()).unwrap();
    let signature = model.signature();
    assert_eq!(signature.task, Some(Task::Binary));
    assert_eq!(signature.classes, ["no", "yes"]);
    assert_eq!((signature.roles.label, signature.roles.scores), (Some(0), Some(1)));
    assert_eq!(signature.outputs[1].name, "probability");
    assert_eq!(signature.outputs[1].shape, [-1, 2]);
    let features: Vec<_> = signature.features.iter().map(|f| (f.name.as_str(), f.kind, f.input)).collect();
    assert_eq!(features, [("age", FeatureKind::Number, 0), ("city", FeatureKind::Text, 1)]);
    let inputs = rows(&[1.0, 1.0, 8.0], &["Quito", "Loja", "Cuenca"]);
    let outputs = model.predict(&inputs).unwrap();
    let answers: Vec<_> = (0..3).map(|row| prediction(signature, &outputs, row)).collect();
    assert_eq!(answers[0].label, Some(Value::Text("yes")));
    assert_eq!(answers[1].label, Some(Value::Text("no")));
    assert_eq!(answers[2].label, Some(Value::Text("yes")));
    for (answer, margin) in answers.iter().zip([1.5_f64, -0.5, 3.0]) {
        assert!((answer.score.unwrap() - 1.0 / (1.0 + (-margin).exp())).abs() < 1e-6);
    }
    assert_eq!(feature_value(signature, &inputs, 1, 1), Value::Text("Loja"));
}

#[test]
fn metadata_names_features_and_task() {
    let mut named = classifier();
    named.metadata_props = vec![entry("chasqui.features", r#"["edad","ciudad"]"#)];
    let model = load(&named).unwrap();
    assert_eq!(model.signature().features[0].name, "edad");
    for wrong in [r#"["edad"]"#, "edad", r#"["a","a"]"#] {
        named.metadata_props[0].value = wrong.into();
        assert!(load(&named).unwrap_err().to_string().contains("chasqui.features"), "{wrong}");
    }
    named.metadata_props = vec![entry("chasqui.task", "fortune telling")];
    assert!(load(&named).unwrap_err().to_string().contains("fortune telling"));
}

#[test]
fn a_network_over_texts_runs_in_the_other_engine() {
    let rest = vec![node("MatMul", &["table", "w"], &["z"]), node("Sigmoid", &["z"], &["p"])];
    let mut built = of_columns(rest, &[("p", DataType::Fp32, &[0, 1])]);
    built.graph.as_mut().unwrap().initializer.push(tensor("w", &[3, 1], vec![0.5, -1.0, 2.0]));
    let model = load(&built).unwrap();
    let signature = model.signature();
    assert_eq!((signature.task, signature.roles.scores), (Some(Task::Binary), Some(0)));
    let ages = [1.0, 2.0, 0.0];
    for count in 1..=3 {
        let outputs = model.predict(&rows(&ages[..count], &["Quito", "Cuenca", "Loja"][..count])).unwrap();
        for (row, margin) in [2.5_f64, 0.0, 0.0].into_iter().enumerate().take(count) {
            let score = prediction(signature, &outputs, row).score.unwrap();
            assert!((score - 1.0 / (1.0 + (-margin).exp())).abs() < 1e-6, "{row}: {score}");
        }
    }
}

#[test]
fn one_axis_stands_for_a_column() {
    let model = load(&classifier()).unwrap();
    let inputs = rows(&[1.0, 8.0], &["Quito", "Cuenca"]);
    let expected = model.predict(&inputs).unwrap();
    let flat = inputs.map(|tensor| Tensor::new(vec![2], tensor.data).unwrap());
    assert_eq!(model.predict(&flat).unwrap(), expected);
}

#[test]
fn inputs_of_different_lengths_are_refused() {
    let model = load(&classifier()).unwrap();
    let [ages, _] = rows(&[1.0, 8.0], &["Quito", "Cuenca"]);
    let [_, city] = rows(&[1.0], &["Quito"]);
    let error = model.predict(&[ages, city]).unwrap_err();
    assert_eq!(error, ModelError::Input("input `city` has 1 rows, the first input has 2".into()));
}

#[test]
fn a_category_that_must_be_known_is_an_input_error() {
    let mut strict = classifier();
    strict.graph.as_mut().unwrap().node[0].attribute.push(int("zeros", 0));
    let model = load(&strict).unwrap();
    let error = model.predict(&rows(&[1.0], &["Loja"])).unwrap_err();
    assert!(matches!(&error, ModelError::Input(text) if text.contains("unknown")), "{error}");
    assert!(model.predict(&rows(&[1.0], &["Quito"])).is_ok());
}

#[test]
fn an_input_error_is_one_in_the_other_engine_too() {
    let rest = vec![node("MatMul", &["table", "w"], &["y"])];
    let mut built = of_columns(rest, &[("y", DataType::Fp32, &[0, 1])]);
    let graph = built.graph.as_mut().unwrap();
    graph.initializer.push(tensor("w", &[3, 1], vec![1.0; 3]));
    graph.node[0].attribute.push(int("zeros", 0));
    let model = load(&built).unwrap();
    assert_eq!(model.signature().task, Some(Task::Regression));
    for count in [1, 2] {
        let inputs = rows(&[1.0, 2.0][..count], &["Loja", "Quito"][..count]);
        assert!(matches!(model.predict(&inputs), Err(ModelError::Input(_))));
    }
}

/// A line over a dictionary of three words.
fn dictionary() -> ModelProto {
    let words = texts("string_vocabulary", &["edad", "deuda", "Quito"]);
    let vectorizer = with(node("DictVectorizer", &["x"], &["table"]), vec![words]);
    let line = with(
        node("LinearRegressor", &["table"], &["y"]),
        vec![numbers("coefficients", &[1.0, 10.0, 100.0]), numbers("intercepts", &[0.5])],
    );
    let mut built = model(vec![vectorizer, line], vec![]);
    // What is no tensor in the file is not even read.
    built.graph.as_mut().unwrap().input[0].r#type = None;
    built
}

#[test]
fn a_dictionary_is_a_table_of_named_columns() {
    let model = load(&dictionary()).unwrap();
    let signature = model.signature();
    assert_eq!(signature.inputs[0].shape, [-1, 3]);
    let names: Vec<&str> = signature.features.iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names, ["edad", "deuda", "Quito"]);
    let outputs = model.predict(&[floats(&[2, 3], |index| index as f32)]).unwrap();
    assert_eq!(outputs[0].data, TensorData::F32(vec![210.5, 543.5]));
}

#[test]
fn a_dictionary_that_others_read_too_is_refused() {
    let mut built = dictionary();
    built.graph.as_mut().unwrap().node.push(node("Identity", &["x"], &["z"]));
    assert!(load(&built).unwrap_err().to_string().contains("the input `x` is not a tensor"));
    let mut built = dictionary();
    built.graph.as_mut().unwrap().node[0].attribute.clear();
    assert!(load(&built).unwrap_err().to_string().contains("vocabulary"));
}

#[test]
fn models_are_shared_between_threads() {
    fn shareable<T: Send + Sync>(_: &T) {}
    shareable(&load(&classifier()).unwrap());
}
