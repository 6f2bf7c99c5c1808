//! Dense layers built by hand, in both engines.

use chasqui_runtime::{DataType, Limits, Model, Tensor, TensorData};
use prost::Message;
use tract_onnx::pb::{ModelProto, TensorProto};

use crate::graphs::{constant, floats, input, int, model, node, tensor};

fn load(built: &ModelProto) -> Model {
    Model::load(&built.encode_to_vec(), &Limits::default()).unwrap()
}

fn value(index: usize) -> f32 {
    (index * 37 % 19) as f32 / 4.0 - 2.0
}

fn stored(name: &str, axes: &[i64]) -> TensorProto {
    let count = axes.iter().product::<i64>() as usize;
    tensor(name, axes, (0..count).map(value).collect())
}

fn numbers(outputs: &[Tensor]) -> &[f32] {
    let TensorData::F32(values) = &outputs[0].data else { panic!("no floats") };
    values
}

/// A layer by `Gemm` with weights stored the other way round.
fn layer(inputs: i64, outputs: i64) -> ModelProto {
    let mut gemm = node("Gemm", &["x", "w", "b"], &["y"]);
    gemm.attribute.push(int("transB", 1));
    let mut built = model(vec![gemm], vec![stored("w", &[outputs, inputs]), stored("b", &[outputs])]);
    built.graph.as_mut().unwrap().input = vec![input("x", DataType::Fp32, &[0, inputs])];
    built
}

#[test]
fn a_layer_is_a_product_whatever_its_size() {
    for inputs in [1, 5, 16] {
        for outputs in [1, 7, 8, 17] {
            let model = load(&layer(inputs as i64, outputs as i64));
            for rows in [1, 3, 4, 9] {
                let found = model.predict(&[floats(&[rows, inputs], |index| value(index + 3))]).unwrap();
                assert_eq!(found[0].shape, [rows, outputs]);
                for (at, found) in numbers(&found).iter().enumerate() {
                    let (row, output) = (at / outputs, at % outputs);
                    let terms = (0..inputs).map(|k| value(row * inputs + k + 3) * value(output * inputs + k));
                    // Quarters of small numbers: the sums are exact in any order.
                    assert_eq!(*found, terms.sum::<f32>() + value(output), "{inputs} {outputs} {rows} {at}");
                }
            }
        }
    }
}

#[test]
fn constants_stand_for_all_columns_or_for_each() {
    for (axes, scale) in [(&[][..], 0), (&[1][..], 0), (&[3][..], 1), (&[1, 3][..], 1)] {
        let built = model(vec![node("Sub", &["c", "x"], &["y"])], vec![stored("c", axes)]);
        let found = load(&built).predict(&[floats(&[2, 3], |index| index as f32)]).unwrap();
        let expected: Vec<f32> = (0..6).map(|at| value(at % 3 * scale) - at as f32).collect();
        assert_eq!(numbers(&found), expected, "{axes:?}");
    }
}

#[test]
fn layers_over_more_axes_are_left_to_the_other_engine() {
    let nodes = vec![node("MatMul", &["x", "w"], &["z"]), node("Relu", &["z"], &["y"])];
    let mut built = model(nodes, vec![stored("w", &[3, 2])]);
    built.graph.as_mut().unwrap().input = vec![input("x", DataType::Fp32, &[0, 4, 3])];
    let model = load(&built);
    for rows in [1, 2] {
        let found = model.predict(&[floats(&[rows, 4, 3], value)]).unwrap();
        assert_eq!(found[0].shape, [rows, 4, 2]);
        let first: f32 = (0..3).map(|k| value(k) * value(2 * k)).sum();
        assert_eq!(numbers(&found)[0], first.max(0.0));
    }
}

#[test]
fn a_column_that_grows_by_a_constant_is_left_to_the_other_engine() {
    let mut built = model(vec![node("Add", &["x", "c"], &["y"])], vec![stored("c", &[3])]);
    built.graph.as_mut().unwrap().input = vec![input("x", DataType::Fp32, &[0, 1])];
    let found = load(&built).predict(&[floats(&[2, 1], |index| index as f32)]).unwrap();
    assert_eq!(found[0].shape, [2, 3]);
    assert_eq!(numbers(&found)[4], 1.0 + value(1));
}

#[test]
fn the_first_of_equals_is_the_highest() {
    let mut highest = node("ArgMax", &["x"], &["at"]);
    highest.attribute.push(int("axis", 1));
    let flat = node("Reshape", &["at", "flat"], &["y"]);
    let built = model(vec![highest, flat], vec![constant("flat", &[-1])]);
    let rows = [1.0, 3.0, 3.0, 0.0, -1.0, -2.0];
    let found = load(&built).predict(&[floats(&[2, 3], |index| rows[index])]).unwrap();
    assert_eq!(found[0].data, TensorData::I64(vec![1, 0]));
}

#[test]
fn rows_that_depend_on_each_other_are_found() {
    let entangled = |operator: &str, keeps: &str| {
        let mut reduce = node(operator, &["x", "axes"], &["all"]);
        reduce.attribute.push(int("keepdims", 1));
        let mut built = model(vec![reduce, node(keeps, &["x", "all"], &["y"])], vec![constant("axes", &[0])]);
        built.graph.as_mut().unwrap().input = vec![input("x", DataType::Fp32, &[0, 3])];
        load(&built).has_independent_rows()
    };
    assert!(!entangled("ReduceSum", "Sub") && !entangled("ReduceSum", "Mul"));
    assert!(load(&layer(5, 7)).has_independent_rows());
    let mut texts = model(vec![node("Identity", &["x"], &["y"])], Vec::new());
    texts.graph.as_mut().unwrap().input = vec![input("x", DataType::Bytes, &[0, 1])];
    assert!(!load(&texts).has_independent_rows(), "nobody knows which texts it takes");
}
