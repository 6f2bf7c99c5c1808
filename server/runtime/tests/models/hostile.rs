//! Files that are broken or mean harm: refused with the reason, never a panic, never an allocation they ask for.

use crate::graphs::{constant, floats, forest, input, model, network, node, tensor};
use chasqui_runtime::{DataType, Limits, Model, ModelError, Task, Tensor, TensorData, Value, prediction};
use prost::Message;
use tract_onnx::pb::{ModelProto, StringStringEntryProto, tensor_proto::DataLocation};

fn load(model: &ModelProto) -> Result<Model, ModelError> {
    Model::load(&model.encode_to_vec(), &Limits::default())
}

fn refusal(model: &ModelProto) -> String {
    load(model).unwrap_err().to_string()
}

#[test]
fn what_is_not_a_model_is_refused() {
    for bytes in [&b""[..], b"hello, world", b"PK\x03\x04zip", b"\x80\x04\x95pickle", &[0xff; 64], &[0; 64]] {
        let error = Model::load(bytes, &Limits::default()).unwrap_err();
        assert!(matches!(error, ModelError::Invalid(_)), "{error}");
    }
    assert!(refusal(&ModelProto::default()).contains("invalid model"));
}

#[test]
fn truncated_files_never_panic() {
    for whole in [forest(), network()] {
        let bytes = whole.encode_to_vec();
        for end in (0..bytes.len()).step_by(97).chain(bytes.len() - 5..bytes.len()) {
            assert!(Model::load(&bytes[..end], &Limits::default()).is_err(), "{end} of {}", bytes.len());
        }
    }
}

#[test]
fn flipped_bytes_never_panic() {
    for whole in [forest(), network()] {
        let bytes = whole.encode_to_vec();
        for at in (0..bytes.len()).step_by(13) {
            for change in [0xff, 0x01, 0x80] {
                let mut broken = bytes.clone();
                broken[at] ^= change;
                if let Ok(model) = Model::load(&broken, &Limits::default()) {
                    let zeros = Tensor::new(vec![1, 3], TensorData::F32(vec![0.0; 3])).unwrap();
                    let _ = model.predict(&[zeros]);
                }
            }
        }
    }
}

#[test]
fn limits_hold_before_anything_is_decoded() {
    let bytes = forest().encode_to_vec();
    let small = Limits { max_bytes: 100, ..Limits::default() };
    assert!(Model::load(&bytes, &small).unwrap_err().to_string().contains("100 are allowed"));
    let few = Limits { max_nodes: 0, ..Limits::default() };
    assert!(Model::load(&bytes, &few).unwrap_err().to_string().contains("1 nodes"));
    // A graph of a million empty nodes is two megabytes on the wire.
    let mut nodes = vec![0x3a, 0x80, 0x89, 0x7a];
    nodes.extend([0x0a, 0x00].repeat(1_000_000));
    assert!(Model::load(&nodes, &Limits::default()).unwrap_err().to_string().contains("1000000 nodes"));
}

#[test]
fn a_tensor_of_ten_gigabytes_is_refused() {
    let mut model = network();
    model.graph.as_mut().unwrap().initializer[0].dims = vec![50_000, 50_000];
    assert!(refusal(&model).contains("declares the shape [50000, 50000]"));
    model.graph.as_mut().unwrap().initializer[0].dims = vec![i64::MAX, i64::MAX];
    assert!(refusal(&model).contains("more than"));
    model.graph.as_mut().unwrap().initializer[0].dims = vec![-3];
    assert!(refusal(&model).contains("negative"));
    model.graph.as_mut().unwrap().initializer[0].dims = vec![3, 5];
    assert!(refusal(&model).contains("declares 15 elements and stores 6"));
    let mut wide = network();
    wide.graph.as_mut().unwrap().input[0] = input("x", DataType::Fp32, &[0, 1 << 40]);
    assert!(refusal(&wide).contains("the input `x` declares"));
}

#[test]
fn raw_bytes_that_do_not_fit_are_refused() {
    let mut model = network();
    let weights = &mut model.graph.as_mut().unwrap().initializer[0];
    weights.float_data.clear();
    weights.raw_data = vec![0; 23];
    assert!(refusal(&model).contains("a part of one"));
}

#[test]
fn external_data_is_refused() {
    let mut model = network();
    let weights = &mut model.graph.as_mut().unwrap().initializer[0];
    weights.data_location = Some(DataLocation::External as i32);
    let entry = StringStringEntryProto { key: "location".into(), value: "/etc/passwd".into() };
    weights.external_data.push(entry);
    assert!(refusal(&model).contains("another file"));
}

#[test]
fn unsupported_operators_are_named() {
    let mut model = network();
    model.graph.as_mut().unwrap().node[1].op_type = "FrobnicateTwice".into();
    let error = load(&model).unwrap_err();
    assert!(matches!(error, ModelError::Unsupported(_)));
    assert!(error.to_string().contains("FrobnicateTwice"), "{error}");
}

#[test]
fn a_sequence_read_backwards_only_is_refused() {
    for operator in ["LSTM", "GRU", "RNN"] {
        let mut built = network();
        let node = &mut built.graph.as_mut().unwrap().node[1];
        node.op_type = operator.into();
        node.attribute.push(crate::graphs::text("direction", "reverse"));
        assert!(refusal(&built).contains("only backwards"), "{}", refusal(&built));
    }
}

#[test]
fn constants_that_unfold_are_refused() {
    let huge = constant("shape", &[100_000, 100_000, 10]);
    let fill = model(
        vec![node("ConstantOfShape", &["shape"], &["c"]), node("Add", &["x", "c"], &["y"])],
        vec![huge],
    );
    assert!(refusal(&fill).contains("elements"), "{}", refusal(&fill));
    let column = tensor("column", &[60_000, 1], vec![1.0; 60_000]);
    let line = tensor("line", &[1, 60_000], vec![1.0; 60_000]);
    let outer = model(vec![node("Add", &["column", "line"], &["y"])], vec![column, line]);
    assert!(refusal(&outer).contains("3600000000 elements"), "{}", refusal(&outer));
    let mut doubling = Vec::new();
    let names: Vec<String> = (0..50).map(|step| format!("v{step}")).collect();
    let mut last = "x";
    for name in &names {
        let mut concat = node("Concat", &[last, last], &[name]);
        concat.attribute.push(crate::graphs::int("axis", 1));
        doubling.push(concat);
        last = name;
    }
    doubling.push(node("Identity", &[last], &["y"]));
    assert!(refusal(&model(doubling, vec![])).contains("elements"));
}

#[test]
fn values_must_be_defined_once_and_before_their_use() {
    let late = model(vec![node("Relu", &["later"], &["y"]), node("Relu", &["x"], &["later"])], vec![]);
    assert!(load(&late).is_err());
    let twice = model(vec![node("Identity", &["x"], &["y"]), node("Identity", &["x"], &["y"])], vec![]);
    assert!(refusal(&twice).contains("defined twice"));
    let nowhere = model(vec![node("Identity", &["x"], &["z"])], vec![]);
    assert!(load(&nowhere).is_err());
    let circle = model(vec![node("Relu", &["y"], &["z"]), node("Relu", &["z"], &["y"])], vec![]);
    assert!(load(&circle).is_err());
}

#[test]
fn a_network_answers_batches_of_any_size() {
    let model = load(&network()).unwrap();
    let signature = model.signature();
    assert_eq!(signature.inputs[0].shape, [-1, 3]);
    assert_eq!(signature.outputs[0].shape, [-1, 2]);
    assert_eq!(signature.task, Some(Task::Binary));
    assert_eq!(signature.features[2].name, "f2");
    for rows in [1, 2, 7, 64] {
        let x = floats(&[rows, 3], |index| (index % 3) as f32);
        let outputs = model.predict(&[x]).unwrap();
        assert_eq!(outputs[0].shape, [rows, 2]);
        let answer = prediction(signature, &outputs, rows - 1);
        assert!(answer.score.unwrap() > 0.5);
        assert_eq!(answer.label, Some(Value::Number(1.0)));
    }
}

#[test]
fn inputs_are_checked_and_converted() {
    let model = load(&network()).unwrap();
    let expected = model.predict(&[floats(&[2, 3], |index| index as f32)]).unwrap();
    let given = [
        TensorData::F64((0..6).map(f64::from).collect()),
        TensorData::I64((0..6).collect()),
        TensorData::U8((0..6).collect()),
    ];
    for data in given {
        assert_eq!(model.predict(&[Tensor::new(vec![2, 3], data).unwrap()]).unwrap(), expected);
    }
    let refused = [
        floats(&[2, 4], |_| 0.0),
        floats(&[0, 3], |_| 0.0),
        floats(&[3], |_| 0.0),
        floats(&[1, 3, 1], |_| 0.0),
        Tensor { shape: vec![usize::MAX, 3], data: TensorData::F32(vec![0.0; 3]) },
        Tensor { shape: vec![2, 3], data: TensorData::F32(vec![0.0; 5]) },
        Tensor { shape: vec![1, 3], data: TensorData::Text(vec![String::new(); 3]) },
    ];
    for tensor in refused {
        let error = model.predict(std::slice::from_ref(&tensor)).unwrap_err();
        assert!(matches!(error, ModelError::Input(_)), "{tensor:?}: {error}");
    }
    assert!(model.predict(&[]).is_err());
}
