//! Our time beside onnxruntime's on the same models and rows, one thread each, in turns.
//!
//! `CHASQUI_TEST_PYTHON` names the interpreter with onnxruntime, scikit-learn and XGBoost
//! (`tests/requirements.txt`); each round asks both, the best of each counts.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use chasqui_runtime::{Limits, Model, Tensor, TensorData};

const COLUMNS: usize = 30;
const ROUNDS: usize = 5;

/// Batches of the rows of a file, each with other rows.
fn batches(path: &Path, rows: usize) -> Vec<Tensor> {
    let bytes = std::fs::read(path).expect("the script wrote the rows");
    let (chunks, _) = bytes.as_chunks::<4>();
    let values: Vec<f32> = chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
    let parts = values.chunks_exact(rows * COLUMNS).take((2048 / rows).max(8));
    let tensor = |part: &[f32]| Tensor::new(vec![rows, COLUMNS], TensorData::F32(part.to_vec()));
    parts.map(|part| tensor(part).expect("the shape fits")).collect()
}

/// Microseconds of one call, the best of five rounds over all batches.
fn ours(model: &Model, batches: &[Tensor]) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        for batch in batches {
            black_box(model.predict(black_box(std::slice::from_ref(batch))).expect("the input fits"));
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / batches.len() as f64);
    }
    best
}

fn main() {
    let Ok(python) = std::env::var("CHASQUI_TEST_PYTHON") else {
        std::io::stdout().write_all(b"CHASQUI_TEST_PYTHON is not set\n").expect("the output is open");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/exported.py");
    let mut child = Command::new(python)
        .args(["-B".as_ref(), script.as_os_str(), folder.path().as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut questions = child.stdin.take().expect("it is piped");
    let mut answers = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut answer = || answers.next().expect("the script answers").expect("in text");
    let ready = answer();
    let mut report = String::from("model     rows   ours µs   onnxruntime µs   times as fast\n");
    for name in ready.split_whitespace().skip(1) {
        let bytes = std::fs::read(folder.path().join(format!("{name}.onnx"))).expect("the script wrote it");
        let model = Model::load(&bytes, &Limits::default()).expect("the model is supported");
        for rows in [1, 64, 1000] {
            let batches = batches(&folder.path().join(format!("{name}.rows")), rows);
            let (mut own, mut theirs) = (f64::INFINITY, f64::INFINITY);
            for _ in 0..ROUNDS {
                own = own.min(ours(&model, &batches));
                writeln!(questions, "{name} {rows}").expect("the script listens");
                theirs = theirs.min(answer().parse().expect("a number"));
            }
            let ratio = theirs / own;
            writeln!(report, "{name:<9} {rows:>4} {own:>9.2} {theirs:>16.2} {ratio:>15.2}")
                .expect("a text takes text");
        }
    }
    drop(questions);
    child.wait().expect("the script ends");
    std::io::stdout().write_all(report.as_bytes()).expect("the output is open");
}
