//! The test cases of the `onnx` package for the operators that `docs/operators.md` claims. The counts in its table
//! are exact: a case more or less is a change of what is promised.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use chasqui_runtime::{Limits, Model, ModelError, Tensor};
use serde::Deserialize;

use crate::cases::{Folder, Given, compare};

#[derive(Deserialize)]
struct Form {
    name: String,
    operator: String,
    file: String,
    tolerance: f64,
    inputs: Vec<Given>,
    outputs: Vec<Given>,
}

/// Cases passed and cases in all.
type Count = (usize, usize);

/// The rows of the table: operator, cases passed, cases.
fn claims() -> BTreeMap<String, Count> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operators.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let claim = |row: &str| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let operator = cells[1].trim_matches('`').to_owned();
        (operator, (cells[2].parse().unwrap(), cells[3].parse().unwrap()))
    };
    rows.map(claim).collect()
}

#[test]
fn the_claimed_operators_pass_their_cases() {
    let claims = claims();
    let operators: Vec<&str> = claims.keys().map(String::as_str).collect();
    let Some(folder) = Folder::of("export_backend", &operators) else { return };
    let forms: Vec<Form> = folder.read();
    let mut cases: BTreeMap<&str, Vec<&Form>> = BTreeMap::new();
    for form in &forms {
        cases.entry(&form.name).or_default().push(form);
    }
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut faults = String::new();
    for (name, forms) in &cases {
        let count = counts.entry(forms[0].operator.clone()).or_default();
        count.1 += 1;
        match passes(&folder, forms) {
            Ok(()) => count.0 += 1,
            Err(fault) => writeln!(faults, "{name}: {fault}").unwrap(),
        }
    }
    for operator in operators {
        counts.entry(operator.to_owned()).or_default();
    }
    let mut table = String::new();
    for (operator, (passed, cases)) in &counts {
        writeln!(table, "| `{operator}` | {passed} | {cases} |").unwrap();
    }
    assert_eq!(counts, claims, "the table should be\n{table}\nas\n{faults}");
}

/// A form may be refused when another one is answered; an answer that is wrong is a failure in any form.
fn passes(folder: &Folder, forms: &[&Form]) -> Result<(), String> {
    let mut answered = false;
    let mut refusals = Vec::new();
    for form in forms {
        match answer(folder, form) {
            Ok(outputs) => {
                compare(&form.outputs, &outputs, form.tolerance.max(1e-5))?;
                answered = true;
            }
            Err(error) => refusals.push(error.to_string()),
        }
    }
    if answered { Ok(()) } else { Err(refusals.join("; ")) }
}

fn answer(folder: &Folder, form: &Form) -> Result<Vec<Tensor>, ModelError> {
    let bytes = std::fs::read(folder.path.join(&form.file)).unwrap();
    let model = Model::load(&bytes, &Limits::default())?;
    let inputs: Vec<Tensor> = form.inputs.iter().map(Given::tensor).collect();
    model.predict(&inputs)
}
