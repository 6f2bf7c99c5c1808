//! The answer as REST tells it: JSON, and behind it the tensors that were asked for in binary form.

use chasqui_runtime::{DataType, Tensor};
use smallvec::SmallVec;

use super::{Outcome, Output};
use crate::inference::json;
use crate::inference::tensors::binary;

/// The body of an answer.
#[derive(Debug)]
pub struct JsonAnswer {
    /// JSON and what is behind it.
    pub body: Vec<u8>,
    /// The length of the JSON, when something is behind it: the header `Inference-Header-Content-Length`.
    pub json_length: Option<usize>,
}

impl JsonAnswer {
    /// Writes an answer.
    pub fn of(outcome: &Outcome<'_>) -> Self {
        let ids = outcome.prediction_ids().len();
        let mut body = Vec::with_capacity(256 + 40 * ids + 12 * outcome.elements());
        body.extend_from_slice(b"{\"model_name\":");
        json::text(&mut body, outcome.service());
        body.extend_from_slice(b",\"model_version\":\"");
        json::integer(&mut body, i128::from(outcome.version()));
        body.push(b'"');
        if let Some(id) = outcome.id() {
            body.extend_from_slice(b",\"id\":");
            json::text(&mut body, id);
        }
        parameters(&mut body, outcome);
        body.extend_from_slice(b",\"outputs\":[");
        let mut behind: SmallVec<[Output<'_>; 4]> = SmallVec::new();
        for (position, output) in outcome.outputs().enumerate() {
            if position > 0 {
                body.push(b',');
            }
            tensor(&mut body, &output);
            if output.is_binary {
                behind.push(output);
            }
        }
        body.extend_from_slice(b"]}");
        let json_length = (!behind.is_empty()).then_some(body.len());
        for output in behind {
            binary::write(&mut body, &output.tensor.data, output.datatype);
        }
        Self { body, json_length }
    }
}

/// The ids under which outcomes can be sent, and what was not as expected; parameters of the protocol are single
/// values, so several ids are one text with commas.
fn parameters(body: &mut Vec<u8>, outcome: &Outcome<'_>) {
    let ids = outcome.prediction_ids();
    let warning = outcome.warning();
    if ids.is_empty() && warning.is_none() {
        return;
    }
    body.extend_from_slice(b",\"parameters\":{");
    if !ids.is_empty() {
        body.extend_from_slice(b"\"prediction_id\":\"");
        for (position, id) in ids.iter().enumerate() {
            if position > 0 {
                body.push(b',');
            }
            json::id(body, *id);
        }
        body.push(b'"');
    }
    if let Some((message, count)) = warning {
        if !ids.is_empty() {
            body.push(b',');
        }
        body.extend_from_slice(b"\"warning\":");
        json::text(body, message);
        body.extend_from_slice(b",\"warning_count\":");
        json::integer(body, count as i128);
    }
    body.push(b'}');
}

fn tensor(body: &mut Vec<u8>, output: &Output<'_>) {
    let (tensor, datatype): (&Tensor, DataType) = (&output.tensor, output.datatype);
    body.extend_from_slice(b"{\"name\":");
    json::text(body, output.name);
    body.extend_from_slice(b",\"shape\":[");
    for (position, axis) in tensor.shape.iter().enumerate() {
        if position > 0 {
            body.push(b',');
        }
        json::integer(body, *axis as i128);
    }
    body.extend_from_slice(b"],\"datatype\":\"");
    body.extend_from_slice(datatype.name().as_bytes());
    if output.is_binary {
        body.extend_from_slice(b"\",\"parameters\":{\"binary_data_size\":");
        json::integer(body, binary::size(&tensor.data, datatype) as i128);
        body.extend_from_slice(b"}}");
    } else {
        body.extend_from_slice(b"\",\"data\":[");
        json::elements(body, &tensor.data, 0..tensor.data.len());
        body.extend_from_slice(b"]}");
    }
}
