//! Cases that a script has written: models with inputs and the answers of onnxruntime.
//!
//! They are made anew with the interpreter that `CHASQUI_TEST_PYTHON` names; folders made earlier can be given
//! as subfolders of `CHASQUI_TEST_MODELS` instead. Without either the tests say so and end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use chasqui_runtime::{
    DataType, Limits, Model, Outputs, Signature, Task, Tensor, TensorData, Value, prediction,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) file: String,
    task: Option<Task>,
    classes: Option<Vec<String>>,
    pub(crate) inputs: Vec<Given>,
    pub(crate) outputs: Vec<Given>,
}

#[derive(Deserialize)]
pub(crate) struct Given {
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

    pub(crate) fn tensor(&self) -> Tensor {
        let numbers = || (0..self.data.len()).map(|index| self.number(index));
        let data = match self.datatype {
            DataType::Bytes => {
                let texts = self.data.iter().map(|text| text.as_str().unwrap().to_owned());
                TensorData::Text(texts.collect())
            }
            DataType::Bool => TensorData::Bool(numbers().map(|number| number != 0.0).collect()),
            DataType::Int8 => TensorData::I8(numbers().map(|number| number as i8).collect()),
            DataType::Int16 => TensorData::I16(numbers().map(|number| number as i16).collect()),
            DataType::Int32 => TensorData::I32(numbers().map(|number| number as i32).collect()),
            // Not by way of a float, which would round.
            DataType::Int64 => TensorData::I64(self.data.iter().map(|int| int.as_i64().unwrap()).collect()),
            DataType::Uint8 => TensorData::U8(numbers().map(|number| number as u8).collect()),
            DataType::Uint16 => TensorData::U16(numbers().map(|number| number as u16).collect()),
            DataType::Uint32 => TensorData::U32(numbers().map(|number| number as u32).collect()),
            DataType::Uint64 => TensorData::U64(self.data.iter().map(|int| int.as_u64().unwrap()).collect()),
            DataType::Fp64 => TensorData::F64(numbers().collect()),
            DataType::Fp16 | DataType::Fp32 => {
                TensorData::F32(numbers().map(|number| number as f32).collect())
            }
        };
        Tensor::new(self.shape.clone(), data).unwrap()
    }
}

/// The folder that `script` has filled, now or earlier.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    _kept: Option<tempfile::TempDir>,
}

impl Folder {
    /// Runs the script; `None`, said, when there is nothing to run it with.
    pub(crate) fn of(script: &str, arguments: &[&str]) -> Option<Folder> {
        if let Ok(folder) = std::env::var("CHASQUI_TEST_MODELS") {
            return Some(Folder { path: Path::new(&folder).join(script), _kept: None });
        }
        let Ok(python) = std::env::var("CHASQUI_TEST_PYTHON") else {
            eprintln!("skipped: CHASQUI_TEST_PYTHON does not name a Python with scikit-learn and skl2onnx");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
        let script = scripts.join(format!("{script}.py"));
        // -B: nothing is written beside the scripts.
        let made = Command::new(python).arg("-B").arg(script).arg(folder.path()).args(arguments).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(Folder { path: folder.path().to_owned(), _kept: Some(folder) })
    }

    pub(crate) fn cases(&self) -> Vec<Case> {
        self.read()
    }

    pub(crate) fn read<T: DeserializeOwned>(&self) -> Vec<T> {
        let cases = std::fs::read_to_string(self.path.join("cases.json")).unwrap();
        serde_json::from_str(&cases).unwrap()
    }
}

/// Loads each model once and compares every case; what differs, one line each.
pub(crate) fn faults(folder: &Folder, cases: &[Case], tolerance: impl Fn(&Case) -> f64) -> Vec<String> {
    let mut models: HashMap<&str, Result<Model, String>> = HashMap::new();
    let mut faults = Vec::new();
    for case in cases {
        let model = models.entry(&case.file).or_insert_with(|| {
            let bytes = std::fs::read(folder.path.join(&case.file)).unwrap();
            Model::load(&bytes, &Limits::default()).map_err(|error| error.to_string())
        });
        let checked =
            model.as_ref().map_err(String::clone).and_then(|model| check(model, case, tolerance(case)));
        faults.extend(checked.err().map(|fault| format!("{}: {fault}", case.name)));
    }
    faults
}

fn check(model: &Model, case: &Case, tolerance: f64) -> Result<(), String> {
    let inputs: Vec<Tensor> = case.inputs.iter().map(Given::tensor).collect();
    let outputs = model.predict(&inputs).map_err(|error| error.to_string())?;
    compare(&case.outputs, &outputs, tolerance)?;
    for row in [0, 7] {
        let single: Vec<Tensor> = inputs.iter().map(|input| row_of(input, row)).collect();
        let alone = model.predict(&single).map_err(|error| error.to_string())?;
        let expected: Vec<Tensor> = outputs.iter().map(|output| row_of(output, row)).collect();
        same(&expected, &alone).map_err(|fault| format!("row {row} alone: {fault}"))?;
    }
    check_signature(case, model.signature(), &outputs)
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

pub(crate) fn compare(expected: &[Given], found: &[Tensor], tolerance: f64) -> Result<(), String> {
    if expected.len() != found.len() {
        return Err(format!("{} outputs, {} expected", found.len(), expected.len()));
    }
    for (expected, found) in expected.iter().zip(found) {
        let name = &expected.name;
        if expected.shape != found.shape {
            return Err(format!("`{name}` has the shape {:?}, not {:?}", found.shape, expected.shape));
        }
        // Half precision comes out as single.
        let carried = if expected.datatype == DataType::Fp16 { DataType::Fp32 } else { expected.datatype };
        if carried != found.datatype() {
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
    if signature.features.is_empty() && signature.inputs.iter().all(|input| input.shape.len() <= 2) {
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
    // Of missing values some models make NaN, and so does the probit of a score that is no probability.
    let is_nan = |given: &Given| (0..given.data.len()).any(|index| given.data[index].is_null());
    if !complete && !case.outputs.iter().any(is_nan) {
        return Err(format!("the prediction is {row:?} with {:?}", signature.roles));
    }
    if let Some(Value::Missing) = row.label {
        return Err("the label is missing".into());
    }
    Ok(())
}
