//! From a message to a request: raw contents or typed ones, never both.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use chasqui_runtime::{DataType, Signature, Tensor, TensorData};

use super::messages::inference::infer_parameter::ParameterChoice;
use super::messages::inference::model_infer_request::InferInputTensor;
use super::messages::inference::{InferParameter, InferTensorContents, ModelInferRequest};
use crate::inference::tensors::{Asked, ElementType, Given, InferRequest, Raw, binary, key_of, rest, sizes};
use crate::problem::Problem;

type Parameters = HashMap<String, InferParameter>;

/// Whether the inputs are raw; the outputs are then too.
pub(super) fn is_raw(message: &ModelInferRequest) -> bool {
    !message.raw_input_contents.is_empty()
}

/// Reads a request for a model of this signature, of at most `most_rows` rows. `timeout` is that of the call.
pub(super) fn read(
    message: ModelInferRequest,
    timeout: Option<Duration>,
    signature: &Signature,
    most_rows: usize,
) -> Result<InferRequest<'static>, Problem> {
    let mut raw = request(message).map_err(Problem::bad_request)?;
    raw.timeout = match (raw.timeout, timeout) {
        (Some(own), Some(of_call)) => Some(own.min(of_call)),
        (own, of_call) => own.or(of_call),
    };
    raw.fit(signature, most_rows)
}

fn request(message: ModelInferRequest) -> Result<Raw<'static>, String> {
    let ModelInferRequest { id, parameters, inputs, outputs, raw_input_contents, .. } = message;
    let inputs = if raw_input_contents.is_empty() {
        inputs.into_iter().map(typed).collect::<Result<Vec<_>, String>>()?
    } else {
        all_raw(inputs, &raw_input_contents)?
    };
    let outputs: Vec<Asked<'static>> = outputs
        .into_iter()
        .map(|output| {
            let classes = natural(&output.parameters, "classification")?.unwrap_or(0);
            Ok(Asked { name: Cow::Owned(output.name), is_binary: None, classes: classes as usize })
        })
        .collect::<Result<_, String>>()?;
    natural(&parameters, "priority")?;
    Ok(Raw {
        id: (!id.is_empty()).then_some(Cow::Owned(id)),
        key: key(&parameters)?.map(Cow::Owned),
        timeout: rest::timeout(natural(&parameters, "timeout")?),
        inputs,
        outputs: (!outputs.is_empty()).then_some(outputs),
        // Messages have a form for every type.
        binary_output: true,
    })
}

/// The key of the entity: a text, or a whole number as its decimal text.
fn key(parameters: &Parameters) -> Result<Option<String>, String> {
    match choice(parameters, "key") {
        None => Ok(None),
        Some(ParameterChoice::StringParam(text)) => key_of(text.clone()).map(Some),
        Some(ParameterChoice::Int64Param(number)) => Ok(Some(number.to_string())),
        Some(ParameterChoice::Uint64Param(number)) => Ok(Some(number.to_string())),
        Some(_) => Err("the parameter `key` is a text or a whole number".into()),
    }
}

fn natural(parameters: &Parameters, name: &str) -> Result<Option<u64>, String> {
    let number = match choice(parameters, name) {
        None => return Ok(None),
        Some(ParameterChoice::Int64Param(number)) => u64::try_from(*number).ok(),
        Some(ParameterChoice::Uint64Param(number)) => Some(*number),
        Some(_) => None,
    };
    number.map(Some).ok_or_else(|| format!("the parameter `{name}` must be a whole number, 0 or more"))
}

fn choice<'p>(parameters: &'p Parameters, name: &str) -> Option<&'p ParameterChoice> {
    parameters.get(name)?.parameter_choice.as_ref()
}

fn all_raw(inputs: Vec<InferInputTensor>, raw: &[Bytes]) -> Result<Vec<Given<'static>>, String> {
    if raw.len() != inputs.len() {
        let (raw, inputs) = (raw.len(), inputs.len());
        return Err(format!("{raw} raw contents for {inputs} inputs; send one for each, or none"));
    }
    let mut given = Vec::with_capacity(inputs.len());
    for (input, bytes) in inputs.into_iter().zip(raw) {
        if input.contents.as_ref().is_some_and(|contents| length(contents) > 0) {
            return Err(in_input(&input.name, "raw and typed contents exclude each other"));
        }
        let element = element(&input)?;
        let shape = sizes(&input.shape, bytes.len()).map_err(|error| in_input(&input.name, &error))?;
        let data = binary::read(element, shape.iter().product(), bytes);
        let tensor = data.and_then(|data| Tensor::new(shape, data).map_err(|error| error.to_string()));
        let tensor = tensor.map_err(|error| in_input(&input.name, &error))?;
        given.push(Given { name: Cow::Owned(input.name), element, tensor });
    }
    Ok(given)
}

fn typed(mut input: InferInputTensor) -> Result<Given<'static>, String> {
    let element = element(&input)?;
    let contents = input.contents.take().unwrap_or_default();
    let there = length(&contents);
    let data = elements(element, contents).map_err(|error| in_input(&input.name, &error))?;
    if data.len() != there {
        let error = format!("its contents are in a field that is not that of {}", element.name());
        return Err(in_input(&input.name, &error));
    }
    let shape = sizes(&input.shape, usize::MAX).map_err(|error| in_input(&input.name, &error))?;
    let tensor = Tensor::new(shape, data).map_err(|error| in_input(&input.name, &error.to_string()))?;
    Ok(Given { name: Cow::Owned(input.name), element, tensor })
}

fn elements(element: ElementType, contents: InferTensorContents) -> Result<TensorData, String> {
    let ElementType::Plain(datatype) = element else {
        return Err("BF16 has no typed contents; send it raw".into());
    };
    Ok(match datatype {
        DataType::Bool => TensorData::Bool(contents.bool_contents),
        DataType::Int8 => TensorData::I8(narrow(contents.int_contents, datatype)?),
        DataType::Int16 => TensorData::I16(narrow(contents.int_contents, datatype)?),
        DataType::Int32 => TensorData::I32(contents.int_contents),
        DataType::Int64 => TensorData::I64(contents.int64_contents),
        DataType::Uint8 => TensorData::U8(narrow(contents.uint_contents, datatype)?),
        DataType::Uint16 => TensorData::U16(narrow(contents.uint_contents, datatype)?),
        DataType::Uint32 => TensorData::U32(contents.uint_contents),
        DataType::Uint64 => TensorData::U64(contents.uint64_contents),
        DataType::Fp16 => return Err("FP16 has no typed contents; send it raw".into()),
        DataType::Fp32 => TensorData::F32(contents.fp32_contents),
        DataType::Fp64 => TensorData::F64(contents.fp64_contents),
        DataType::Bytes => TensorData::Text(texts(&contents.bytes_contents)?),
    })
}

fn narrow<W: Copy + std::fmt::Display, T: TryFrom<W>>(
    values: Vec<W>,
    datatype: DataType,
) -> Result<Vec<T>, String> {
    let narrowed = values
        .into_iter()
        .map(|value| T::try_from(value).map_err(|_| format!("{value} does not fit {datatype}")));
    narrowed.collect()
}

fn texts(values: &[Bytes]) -> Result<Vec<String>, String> {
    let texts = values.iter().enumerate().map(|(position, bytes)| {
        let text = std::str::from_utf8(bytes).map_err(|_| format!("text {position} is not UTF-8"))?;
        Ok(text.to_owned())
    });
    texts.collect()
}

/// Elements in all fields.
fn length(contents: &InferTensorContents) -> usize {
    contents.bool_contents.len()
        + contents.int_contents.len()
        + contents.int64_contents.len()
        + contents.uint_contents.len()
        + contents.uint64_contents.len()
        + contents.fp32_contents.len()
        + contents.fp64_contents.len()
        + contents.bytes_contents.len()
}

fn element(input: &InferInputTensor) -> Result<ElementType, String> {
    ElementType::of(&input.datatype).ok_or_else(|| {
        let shown: String = input.datatype.chars().take(40).collect();
        in_input(&input.name, &format!("`{shown}` is not a datatype"))
    })
}

fn in_input(name: &str, error: &str) -> String {
    let shown: String = name.chars().take(100).collect();
    format!("input `{shown}`: {error}")
}
