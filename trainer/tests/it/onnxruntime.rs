//! What we export answers the same in onnxruntime and passes onnx's checker. Needs a Python that has both, named
//! by `CHASQUI_TEST_PYTHON`.

use std::io::Write;
use std::process::{Command, Stdio};

use chasqui_runtime::{Limits, Model};
use chasqui_trainer::{ColumnData, Predictions, Table, Task, evaluate};
use serde_json::{Value, json};

use super::tables::shop;
use super::training::{boosting, linear_for, run, shop_spec};

const SCRIPT: &str = "
import json, sys
import numpy, onnx, onnxruntime
case = json.load(sys.stdin)
data = bytes(case['onnx'])
model = onnx.load_from_string(data)
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(data, providers=['CPUExecutionProvider'])
feeds = {}
for name, values in case['inputs'].items():
    text = any(isinstance(v, str) for v in values)
    if text:
        feeds[name] = numpy.array(values, dtype=object).reshape(-1, 1)
    else:
        feeds[name] = numpy.array([numpy.nan if v is None else v for v in values], dtype=numpy.float32).reshape(-1, 1)
outputs = session.run(None, feeds)
print(json.dumps({
    'label': [str(v) for v in outputs[0].ravel()] if len(outputs) > 1 else None,
    'values': [float(v) for v in outputs[-1].ravel()],
}))
";

fn ask(python: &str, case: &Value) -> Value {
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(case.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn inputs(model: &Model, table: &Table) -> Value {
    let mut inputs = serde_json::Map::new();
    for feature in &model.signature().features {
        let values: Vec<Value> = match table.column(&feature.name).unwrap() {
            ColumnData::Number(values) => {
                values.iter().map(|value| if value.is_nan() { Value::Null } else { json!(value) }).collect()
            }
            ColumnData::Text(values) => {
                values.iter().map(|text| json!(text.clone().unwrap_or_default())).collect()
            }
            ColumnData::Time(_) => panic!("no feature is a time"),
        };
        inputs.insert(feature.name.clone(), Value::Array(values));
    }
    Value::Object(inputs)
}

/// The table with gaps and categories that no training row had.
fn damaged(table: &Table) -> Table {
    let mut columns = table.columns().to_vec();
    for column in &mut columns {
        match &mut column.data {
            ColumnData::Number(values) if column.name == "price" || column.name == "year" => {
                values.iter_mut().step_by(3).for_each(|value| *value = f64::NAN);
            }
            ColumnData::Number(values) if column.name == "store" => {
                values.iter_mut().step_by(5).for_each(|value| *value = 99.0);
                values.iter_mut().step_by(7).for_each(|value| *value = f64::NAN);
            }
            ColumnData::Text(values) if column.name == "city" => {
                values.iter_mut().step_by(4).for_each(|value| *value = Some("Zaruma".into()));
            }
            _ => {}
        }
    }
    Table::new(columns).unwrap()
}

#[test]
fn onnxruntime_answers_the_same() {
    let Ok(python) = std::env::var("CHASQUI_TEST_PYTHON") else {
        eprintln!("skipped: CHASQUI_TEST_PYTHON names no Python with onnx and onnxruntime");
        return;
    };
    let table = shop(1500, 20);
    let rows: Vec<usize> = (0..table.rows()).collect();
    for task in [Task::Regression, Task::Binary, Task::Multiclass] {
        for learner in [boosting(), linear_for(task)] {
            let spec = shop_spec(task, learner);
            let trained = run(&table, &spec).unwrap();
            let model = Model::load(&trained.onnx, &Limits::default()).unwrap();
            for table in [table.clone(), damaged(&table)] {
                let theirs = ask(&python, &json!({"onnx": trained.onnx, "inputs": inputs(&model, &table)}));
                let ours = evaluate(&model, &table, &rows, &spec.target, task).unwrap().predictions;
                let (ours, scale) = match ours {
                    Predictions::Values(values) => (values, 1000.0),
                    Predictions::Probabilities { values, .. } => (values, 1.0),
                };
                let theirs: Vec<f64> = serde_json::from_value(theirs["values"].clone()).unwrap();
                assert_eq!(ours.len(), theirs.len());
                for (row, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                    let close = (ours - theirs).abs() <= 1e-5 * scale;
                    assert!(close, "{task:?} {}: {ours} {theirs} at {row}", spec.learner.kind());
                }
            }
        }
    }
}
