//! Answers of KServe v1 and MLflow: `{"predictions": […]}` with what scikit-learn's `predict` returns for a row (the
//! class, or the number), or with the row's outputs where their meaning is not known.
//!
//! Members that those protocols do not have come after: ids, under which outcomes can be told, and warnings. Their
//! clients read `predictions` and pass over the rest.

use chasqui_runtime::{Tensor, prediction};

use super::execute::{Answered, MOST_IDS};
use super::expect::Warnings;
use super::rows::{Asked, Inquiry};
use super::{Answer, friendly, json};

/// Writes the answer, and hands what was asked to `observe`.
pub(super) fn answer(inquiry: &Inquiry<'_>, asked: Asked, warnings: &Warnings, notes: &[String]) -> Answer {
    let rows = asked.rows().count();
    let mut body = Vec::with_capacity(64 + 64 * rows);
    body.extend_from_slice(b"{\"predictions\":[");
    for (position, (answered, row)) in asked.rows().enumerate() {
        separate(&mut body, position);
        one(&mut body, answered, row);
    }
    body.push(b']');
    if rows <= MOST_IDS {
        ids(&mut body, &asked);
    }
    warnings.write(&mut body);
    if !notes.is_empty() {
        body.extend_from_slice(b",\"notes\":[");
        for (position, note) in notes.iter().enumerate() {
            separate(&mut body, position);
            json::text(&mut body, note);
        }
        body.push(b']');
    }
    body.push(b'}');
    let answer = Answer { body, version: asked.version(), rollout: asked.rollout() };
    asked.tell(inquiry);
    answer
}

fn separate(body: &mut Vec<u8>, position: usize) {
    if position > 0 {
        body.push(b',');
    }
}

fn ids(body: &mut Vec<u8>, asked: &Asked) {
    body.extend_from_slice(b",\"prediction_ids\":[");
    for (position, (answered, row)) in asked.rows().enumerate() {
        separate(body, position);
        body.push(b'"');
        json::id(body, answered.ids[row]);
        body.push(b'"');
    }
    body.push(b']');
}

/// Writes what was predicted for a row.
fn one(body: &mut Vec<u8>, answered: &Answered, row: usize) {
    let signature = &answered.target.version.signature;
    let output = |role: Option<usize>| role.and_then(|place| answered.outputs.get(place));
    if let Some(output) = output(signature.roles.label.or(signature.roles.value)) {
        return cells(body, output, row, true);
    }
    // A model that gives scores alone says its class by them.
    if let Some(label) = prediction(signature, &answered.outputs, row).label {
        return json::value(body, label);
    }
    if let [output] = answered.outputs.as_slice() {
        return cells(body, output, row, false);
    }
    body.push(b'{');
    for (position, (spec, output)) in signature.outputs.iter().zip(&answered.outputs).enumerate() {
        separate(body, position);
        json::text(body, &spec.name);
        body.push(b':');
        cells(body, output, row, false);
    }
    body.push(b'}');
}

/// Writes a row of an output, nested as its axes are; a number stands alone when `is_number`, or when the row has no
/// axes.
fn cells(body: &mut Vec<u8>, output: &Tensor, row: usize, is_number: bool) {
    let (range, _) = friendly::cells(output, row);
    let is_alone = is_number && range.len() == 1;
    match output.shape.get(1..).unwrap_or_default() {
        [] => json::elements(body, &output.data, range),
        _ if is_alone => json::elements(body, &output.data, range),
        axes => nested(body, output, range, axes),
    }
}

fn nested(body: &mut Vec<u8>, output: &Tensor, range: std::ops::Range<usize>, axes: &[usize]) {
    body.push(b'[');
    match axes {
        [] | [_] => json::elements(body, &output.data, range),
        [first, rest @ ..] => {
            let width = range.len() / (*first).max(1);
            for position in 0..*first {
                separate(body, position);
                let start = range.start + position * width;
                nested(body, output, start..start + width, rest);
            }
        }
    }
    body.push(b']');
}

#[cfg(test)]
mod tests {
    use chasqui_runtime::TensorData;

    use super::*;

    fn written(shape: &[usize], row: usize, is_number: bool) -> String {
        let count: usize = shape.iter().product();
        let data = TensorData::F32((0..count).map(|number| number as f32).collect());
        let tensor = Tensor::new(shape.to_vec(), data).unwrap();
        let mut body = Vec::new();
        cells(&mut body, &tensor, row, is_number);
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn a_row_is_nested_as_its_axes_are() {
        assert_eq!(written(&[3], 1, false), "1");
        assert_eq!(written(&[2, 3], 1, false), "[3,4,5]");
        assert_eq!(written(&[2, 1], 1, false), "[1]");
        assert_eq!(written(&[2, 1], 1, true), "1");
        assert_eq!(written(&[2, 2, 2], 1, false), "[[4,5],[6,7]]");
        assert_eq!(written(&[2, 2, 0], 1, false), "[[],[]]");
    }
}
