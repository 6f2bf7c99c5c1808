//! Models of scikit-learn, XGBoost and LightGBM, and hand-made ones for every convention of the tree
//! operators, against the answers of onnxruntime.
//!
//! The models are exported anew by `export_models.py` with the interpreter that `CHASQUI_TEST_PYTHON` names; a
//! folder made earlier can be given as `CHASQUI_TEST_MODELS` instead. Without either the test says so and ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a test that cannot run says so")]

use std::path::{Path, PathBuf};
use std::process::Command;

use chasqui_runtime::{
    DataType, Limits, Model, Outputs, Signature, Task, Tensor, TensorData, Value, prediction,
};
use serde::Deserialize;
use serde_json::Value as Json;

#[derive(Deserialize)]
struct Case {
    name: String,
    task: Option<Task>,
    classes: Option<Vec<String>>,
    inputs: Vec<Given>,
    outputs: Vec<Given>,
}

#[derive(Deserialize)]
struct Given {
    name: String,
    datatype: DataType,
    shape: Vec<usize>,
    data: Vec<Json>,
}

impl Given {
    fn number(&self, index: usize) -> f64 {
        match &self.data[index] {
            Json::Null => f64::NAN,
            Json::String(text) => text.parse().unwrap(),
            Json::Bool(value) => f64::from(u8::from(*value)),
            other => other.as_f64().unwrap(),
        }
    }

    fn tensor(&self) -> Tensor {
        let numbers = || (0..self.data.len()).map(|index| self.number(index));
        let data = match self.datatype {
            DataType::Bytes => {
                let texts = self.data.iter().map(|text| text.as_str().unwrap().to_owned());
                TensorData::Text(texts.collect())
            }
            DataType::Int64 => TensorData::I64(numbers().map(|number| number as i64).collect()),
            DataType::Fp64 => TensorData::F64(numbers().collect()),
            _ => TensorData::F32(numbers().map(|number| number as f32).collect()),
        };
        Tensor::new(self.shape.clone(), data).unwrap()
    }
}

/// The folder with models and answers, made now or given.
fn folder(kept: &mut Option<tempfile::TempDir>) -> Option<PathBuf> {
    if let Ok(folder) = std::env::var("CHASQUI_TEST_MODELS") {
        return Some(PathBuf::from(folder));
    }
    let Ok(python) = std::env::var("CHASQUI_TEST_PYTHON") else {
        eprintln!("skipped: CHASQUI_TEST_PYTHON does not name a Python with scikit-learn and skl2onnx");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export_models.py");
    let made = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let path = folder.path().to_owned();
    *kept = Some(folder);
    Some(path)
}

#[test]
fn answers_as_onnxruntime_does() {
    let mut kept = None;
    let Some(folder) = folder(&mut kept) else { return };
    let cases = std::fs::read_to_string(folder.join("cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&cases).unwrap();
    assert!(cases.len() > 100);
    let faults: Vec<String> = cases.iter().filter_map(|case| check(&folder, case).err()).collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

fn check(folder: &Path, case: &Case) -> Result<(), String> {
    let named = |fault: String| format!("{}: {fault}", case.name);
    let bytes = std::fs::read(folder.join(format!("{}.onnx", case.name))).unwrap();
    let model = Model::load(&bytes, &Limits::default()).map_err(|error| named(error.to_string()))?;
    let inputs: Vec<Tensor> = case.inputs.iter().map(Given::tensor).collect();
    let outputs = model.predict(&inputs).map_err(|error| named(error.to_string()))?;
    // The inverse error function is approximated by a difference of nearly equal numbers around one half.
    let tolerance = if case.name.contains("PROBIT") { 2e-4 } else { 1e-5 };
    compare(&case.outputs, &outputs, tolerance).map_err(named)?;
    for row in [0, 7] {
        let single: Vec<Tensor> = inputs.iter().map(|input| row_of(input, row)).collect();
        let alone = model.predict(&single).map_err(|error| named(error.to_string()))?;
        let expected: Vec<Tensor> = outputs.iter().map(|output| row_of(output, row)).collect();
        same(&expected, &alone).map_err(|fault| named(format!("row {row} alone: {fault}")))?;
    }
    check_signature(case, model.signature(), &outputs).map_err(named)
}

fn row_of(tensor: &Tensor, row: usize) -> Tensor {
    let width = tensor.data.len() / tensor.shape[0];
    let range = row * width..(row + 1) * width;
    let data = match &tensor.data {
        TensorData::F32(values) => TensorData::F32(values[range].to_vec()),
        TensorData::F64(values) => TensorData::F64(values[range].to_vec()),
        TensorData::I64(values) => TensorData::I64(values[range].to_vec()),
        TensorData::I32(values) => TensorData::I32(values[range].to_vec()),
        TensorData::Text(values) => TensorData::Text(values[range].to_vec()),
        other => panic!("{:?}", other.datatype()),
    };
    let mut shape = tensor.shape.clone();
    shape[0] = 1;
    Tensor::new(shape, data).unwrap()
}

fn close(expected: f64, found: f64, tolerance: f64) -> bool {
    (expected.is_nan() && found.is_nan())
        || expected == found
        || (expected - found).abs() <= tolerance * expected.abs().max(1.0)
}

fn compare(expected: &[Given], found: &[Tensor], tolerance: f64) -> Result<(), String> {
    if expected.len() != found.len() {
        return Err(format!("{} outputs, {} expected", found.len(), expected.len()));
    }
    for (expected, found) in expected.iter().zip(found) {
        let name = &expected.name;
        if expected.shape != found.shape {
            return Err(format!("`{name}` has the shape {:?}, not {:?}", found.shape, expected.shape));
        }
        if expected.datatype != found.datatype() {
            return Err(format!("`{name}` is {}, not {}", found.datatype(), expected.datatype));
        }
        for index in 0..expected.data.len() {
            let equal = match found.data.text(index) {
                Some(text) => expected.data[index] == text,
                None => close(expected.number(index), found.data.number(index).unwrap(), tolerance),
            };
            if !equal {
                let value = found.data.number(index);
                return Err(format!("`{name}`[{index}] is {value:?}, not {}", expected.data[index]));
            }
        }
    }
    Ok(())
}

fn same(expected: &[Tensor], found: &[Tensor]) -> Result<(), String> {
    for (expected, found) in expected.iter().zip(found) {
        if expected.shape != found.shape {
            return Err(format!("the shape {:?}, not {:?}", found.shape, expected.shape));
        }
        for index in 0..expected.data.len() {
            let numbers = expected.data.number(index).zip(found.data.number(index));
            let equal = numbers
                .map_or(expected.data.text(index) == found.data.text(index), |(a, b)| close(a, b, 1e-6));
            if !equal {
                return Err(format!("{:?} and {:?}", expected.data, found.data));
            }
        }
    }
    Ok(())
}

fn check_signature(case: &Case, signature: &Signature, outputs: &[Tensor]) -> Result<(), String> {
    if signature.inputs.iter().map(|spec| &spec.name).ne(case.inputs.iter().map(|given| &given.name)) {
        return Err(format!("the inputs are {:?}", signature.inputs));
    }
    if signature.features.is_empty() {
        return Err("the features have no names".into());
    }
    let Some(task) = case.task else { return Ok(()) };
    if signature.task != Some(task) {
        return Err(format!("the task is {:?}", signature.task));
    }
    if case.classes.as_ref().is_some_and(|classes| *classes != signature.classes) {
        return Err(format!("the classes are {:?}", signature.classes));
    }
    let row = prediction(signature, outputs, 3);
    let complete = match task {
        Task::Regression => matches!(signature.roles, Outputs { value: Some(_), .. }) && row.value.is_some(),
        Task::Binary | Task::Multiclass => row.label.is_some() && row.score.is_some(),
    };
    // The probit of a score that is no probability is NaN.
    if !complete && !case.name.contains("PROBIT") {
        return Err(format!("the prediction is {row:?} with {:?}", signature.roles));
    }
    if let Some(Value::Missing) = row.label {
        return Err("the label is missing".into());
    }
    Ok(())
}
