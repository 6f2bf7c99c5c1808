//! Answers requests with named records: `POST /api/v1/services/{service}/predict`.

use chasqui_runtime::{Tensor, TensorData, Value, prediction};
use smallvec::SmallVec;

use super::execute::Answered;
use super::expect::Warnings;
use super::records::parse;
use super::rows::{Asked, Inquiry, Spread};
use super::snapshot::ServiceRoute;
use super::{Answer, json};
use crate::problem::Problem;

/// Most classes whose probabilities are all told; with more only the predicted one's is.
const MAX_CLASSES: usize = 100;
/// What is said to those who ask why.
pub const NO_EXPLANATION: &str = "explanations are not offered for this model; leave `explain` out";

/// Answers one request. Everything in it may run on the thread that serves HTTP: it does no I/O but the one
/// write to the prediction log.
pub(super) fn answer(inquiry: Inquiry<'_>, body: &[u8]) -> Result<Answer, Problem> {
    let schema = inquiry.records_only()?;
    let mut records = parse(body, schema, inquiry.inference.limits.records)?;
    let warnings = inquiry.check(schema, &mut records)?;
    if records.explain {
        return Err(Problem::unprocessable(NO_EXPLANATION));
    }
    let inquiry = inquiry.at(records.at)?;
    let asked = inquiry.ask(schema, &records, Spread::Together)?;
    let rendered = Answer {
        body: render(inquiry.route, records.rows, &asked, &warnings),
        version: asked.version(),
        rollout: asked.rollout(),
    };
    asked.tell(&inquiry);
    Ok(rendered)
}

/// Writes the answer in the order of the records.
fn render(route: &ServiceRoute, rows: usize, asked: &Asked, warnings: &Warnings) -> Vec<u8> {
    let mut body = Vec::with_capacity(64 + 160 * rows);
    body.extend_from_slice(b"{\"service\":");
    json::text(&mut body, route.name.as_str());
    body.extend_from_slice(b",\"predictions\":[");
    for (position, (answered, row)) in asked.rows().enumerate() {
        if position > 0 {
            body.push(b',');
        }
        body.push(b'{');
        members(&mut body, answered, row);
        body.push(b'}');
    }
    body.push(b']');
    warnings.write(&mut body);
    body.push(b'}');
    body
}

/// Writes the members of one prediction.
pub(super) fn members(body: &mut Vec<u8>, answered: &Answered, row: usize) {
    let signature = &answered.target.version.signature;
    body.extend_from_slice(b"\"prediction_id\":\"");
    json::id(body, answered.ids[row]);
    body.extend_from_slice(b"\",\"version\":");
    json::integer(body, i128::from(answered.target.version.number));
    let said = prediction(signature, &answered.outputs, row);
    if let Some(label) = said.label {
        body.extend_from_slice(b",\"label\":");
        json::value(body, label);
        scores(body, answered, row, label);
    }
    if said.value.is_some()
        && let Some(output) = signature.roles.value.and_then(|place| answered.outputs.get(place))
    {
        body.extend_from_slice(b",\"value\":");
        let (range, _) = cells(output, row);
        json::elements(body, &output.data, range.start..range.start + 1);
    }
    if said.label.is_none() && said.value.is_none() {
        raw(body, answered, row);
    }
}

/// Writes the label's probability and, where the classes are known, each one's.
fn scores(body: &mut Vec<u8>, answered: &Answered, row: usize, label: Value<'_>) {
    let signature = &answered.target.version.signature;
    let Some(output) = signature.roles.scores.and_then(|place| answered.outputs.get(place)) else { return };
    let (range, width) = cells(output, row);
    let classes = &signature.classes;
    let probabilities: SmallVec<[f32; 4]> = match (classes.len(), width) {
        (2, 1) => {
            let positive = output.data.number(range.start).unwrap_or(f64::NAN) as f32;
            SmallVec::from_slice(&[1.0 - positive, positive])
        }
        (count, width) if count == width && count <= MAX_CLASSES => match &output.data {
            TensorData::F32(values) => SmallVec::from_slice(&values[range]),
            data => range.map(|index| data.number(index).unwrap_or(f64::NAN) as f32).collect(),
        },
        _ => return,
    };
    if let Some(class) = classes.iter().position(|class| is_class(class, label)) {
        body.extend_from_slice(b",\"probability\":");
        json::single(body, probabilities[class]);
    }
    body.extend_from_slice(b",\"probabilities\":{");
    for (position, (class, probability)) in classes.iter().zip(&probabilities).enumerate() {
        if position > 0 {
            body.push(b',');
        }
        json::text(body, class);
        body.push(b':');
        json::single(body, *probability);
    }
    body.push(b'}');
}

fn is_class(class: &str, label: Value<'_>) -> bool {
    match label {
        Value::Text(text) => class == text,
        Value::Number(number) => class.parse() == Ok(number),
        Value::Missing => false,
    }
}

/// A model whose outputs have no known meaning: every output's cells of this row, by name.
fn raw(body: &mut Vec<u8>, answered: &Answered, row: usize) {
    body.extend_from_slice(b",\"outputs\":{");
    let specs = &answered.target.version.signature.outputs;
    for (position, (spec, output)) in specs.iter().zip(&answered.outputs).enumerate() {
        if position > 0 {
            body.push(b',');
        }
        json::text(body, &spec.name);
        body.extend_from_slice(b":[");
        json::elements(body, &output.data, cells(output, row).0);
        body.push(b']');
    }
    body.push(b'}');
}

/// The elements of a row, and how many there are.
pub(super) fn cells(output: &Tensor, row: usize) -> (std::ops::Range<usize>, usize) {
    let width = output.shape.get(1..).map_or(1, |axes| axes.iter().product());
    let end = ((row + 1) * width).min(output.data.len());
    ((row * width).min(end)..end, width)
}
