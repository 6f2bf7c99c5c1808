//! From an outcome to a message, in the form that the request had.

use std::collections::HashMap;

use bytes::Bytes;
use chasqui_runtime::{DataType, TensorData};

use super::messages::inference::infer_parameter::ParameterChoice;
use super::messages::inference::model_infer_response::InferOutputTensor;
use super::messages::inference::{InferParameter, InferTensorContents, ModelInferResponse};
use crate::inference::tensors::binary;
use crate::inference::{Outcome, Output};

/// Writes an answer. One with a type that has no typed contents is raw whatever the request was.
pub(super) fn write(outcome: &Outcome<'_>, is_raw: bool) -> ModelInferResponse {
    let is_raw = is_raw || outcome.outputs().any(|output| output.datatype == DataType::Fp16);
    let mut response = ModelInferResponse {
        model_name: outcome.service().to_owned(),
        model_version: outcome.version().to_string(),
        id: outcome.id().unwrap_or_default().to_owned(),
        parameters: parameters(outcome),
        outputs: Vec::with_capacity(outcome.outputs().count()),
        ..ModelInferResponse::default()
    };
    for output in outcome.outputs() {
        let Output { name, datatype, tensor, .. } = output;
        let contents = if is_raw {
            let mut bytes = Vec::with_capacity(binary::size(&tensor.data, datatype));
            binary::write(&mut bytes, &tensor.data, datatype);
            response.raw_output_contents.push(Bytes::from(bytes));
            None
        } else {
            Some(typed(&tensor.data))
        };
        response.outputs.push(InferOutputTensor {
            name: name.to_owned(),
            datatype: datatype.name().to_owned(),
            shape: tensor.shape.iter().map(|axis| *axis as i64).collect(),
            contents,
            ..InferOutputTensor::default()
        });
    }
    response
}

/// The ids under which outcomes can be sent, and what was not as expected; see the REST form.
fn parameters(outcome: &Outcome<'_>) -> HashMap<String, InferParameter> {
    let mut parameters = HashMap::new();
    let mut put = |name: &str, choice: ParameterChoice| {
        parameters.insert(name.to_owned(), InferParameter { parameter_choice: Some(choice) });
    };
    let ids: Vec<String> = outcome.prediction_ids().iter().map(ToString::to_string).collect();
    if !ids.is_empty() {
        put("prediction_id", ParameterChoice::StringParam(ids.join(",")));
    }
    if let Some((message, count)) = outcome.warning() {
        put("warning", ParameterChoice::StringParam(message.to_owned()));
        put("warning_count", ParameterChoice::Int64Param(count as i64));
    }
    parameters
}

fn typed(data: &TensorData) -> InferTensorContents {
    let mut contents = InferTensorContents::default();
    match data {
        TensorData::Bool(values) => contents.bool_contents.clone_from(values),
        TensorData::I8(values) => contents.int_contents = widened(values),
        TensorData::I16(values) => contents.int_contents = widened(values),
        TensorData::I32(values) => contents.int_contents.clone_from(values),
        TensorData::I64(values) => contents.int64_contents.clone_from(values),
        TensorData::U8(values) => contents.uint_contents = widened(values),
        TensorData::U16(values) => contents.uint_contents = widened(values),
        TensorData::U32(values) => contents.uint_contents.clone_from(values),
        TensorData::U64(values) => contents.uint64_contents.clone_from(values),
        TensorData::F32(values) => contents.fp32_contents.clone_from(values),
        TensorData::F64(values) => contents.fp64_contents.clone_from(values),
        TensorData::Text(values) => {
            contents.bytes_contents =
                values.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect();
        }
    }
    contents
}

fn widened<N: Copy + Into<W>, W>(values: &[N]) -> Vec<W> {
    values.iter().map(|value| (*value).into()).collect()
}
