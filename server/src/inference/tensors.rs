//! The request of the Open Inference Protocol, whatever wire it comes by: named tensors in, tensors in the
//! signature's order out.
//!
//! [`rest`] reads JSON with or without binary tensors behind it; messages of gRPC become a [`Raw`] where gRPC is.
//! Shapes are multiplied with overflow checks and compared with what the body can hold before memory is taken.

mod axes;
pub mod binary;
mod classification;
mod data;
pub mod rest;

use std::borrow::Cow;
use std::time::Duration;

use chasqui_runtime::{DataType, Signature, Tensor, TensorSpec};
use serde::de::value::{Error as NameError, StrDeserializer};
use serde::{Deserialize, de::IntoDeserializer};
use smallvec::SmallVec;

pub use self::classification::top;
use super::cell::{Cell, key_text};
use crate::problem::Problem;

/// A request whose tensors fit the signature.
#[derive(Debug)]
pub struct InferRequest<'a> {
    /// The caller's id, given back in the answer.
    pub id: Option<Cow<'a, str>>,
    /// The entity's key: `key` in the request's `parameters`.
    pub key: Option<Cow<'a, str>>,
    /// How long the caller waits: `timeout` in the request's `parameters`.
    pub timeout: Option<Duration>,
    /// In the order of the signature.
    pub inputs: Vec<Tensor>,
    /// The outputs wanted, in the order wanted.
    pub outputs: SmallVec<[Wanted; 4]>,
}

/// An output that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Its position in the signature that the request was read by.
    pub place: usize,
    /// Whether it goes behind the JSON in binary form.
    pub is_binary: bool,
    /// The number of classes to be told in place of the tensor; 0 asks for the tensor.
    pub classes: usize,
}

/// The type of elements on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// One that models have.
    Plain(DataType),
    /// The upper half of an `FP32`.
    Bf16,
}

impl ElementType {
    /// By the protocol's name.
    pub fn of(name: &str) -> Option<Self> {
        if name == "BF16" {
            return Some(Self::Bf16);
        }
        let deserializer: StrDeserializer<'_, NameError> = name.into_deserializer();
        DataType::deserialize(deserializer).ok().map(Self::Plain)
    }

    /// The protocol's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain(datatype) => datatype.name(),
            Self::Bf16 => "BF16",
        }
    }

    /// Whether an input of type `wanted` takes it: the same type, or a half that widens without loss.
    fn fits(self, wanted: DataType) -> bool {
        match self {
            Self::Plain(given) => given == wanted || (given == DataType::Fp16 && wanted == DataType::Fp32),
            Self::Bf16 => wanted == DataType::Fp32,
        }
    }
}

/// One input as read, before the signature is known to want it.
#[derive(Debug)]
pub struct Given<'a> {
    /// The input's name.
    pub name: Cow<'a, str>,
    /// What its elements were on the wire.
    pub element: ElementType,
    /// The elements.
    pub tensor: Tensor,
}

/// One output as asked for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The output's name.
    pub name: Cow<'a, str>,
    /// Whether it is to be binary; `None` leaves it to the request.
    pub is_binary: Option<bool>,
    /// See [`Wanted::classes`].
    pub classes: usize,
}

/// A request as read.
#[derive(Debug, Default)]
pub struct Raw<'a> {
    /// See [`InferRequest::id`].
    pub id: Option<Cow<'a, str>>,
    /// See [`InferRequest::key`].
    pub key: Option<Cow<'a, str>>,
    /// See [`InferRequest::timeout`].
    pub timeout: Option<Duration>,
    /// As sent.
    pub inputs: Vec<Given<'a>>,
    /// As asked for; `None` asks for all.
    pub outputs: Option<Vec<Asked<'a>>>,
    /// Whether outputs are binary unless they say otherwise.
    pub binary_output: bool,
}

impl<'a> Raw<'a> {
    /// Puts the tensors in the order of the signature; of at most `max_rows` rows.
    pub fn fit(self, signature: &Signature, max_rows: usize) -> Result<InferRequest<'a>, Problem> {
        let outputs =
            wanted(self.outputs.as_deref(), self.binary_output, signature).map_err(Problem::bad_request)?;
        let inputs = ordered(self.inputs, signature).map_err(Problem::bad_request)?;
        let rows = common_rows(&inputs, signature).map_err(Problem::bad_request)?;
        if rows == 0 {
            return Err(Problem::bad_request("the inputs have no rows; send at least one"));
        }
        if rows > max_rows {
            return Err(Problem::bad_request(format!("{rows} rows in one request; {max_rows} at most")));
        }
        Ok(InferRequest { id: self.id, key: self.key, timeout: self.timeout, inputs, outputs })
    }
}

fn ordered(mut given: Vec<Given<'_>>, signature: &Signature) -> Result<Vec<Tensor>, String> {
    let mut inputs = Vec::with_capacity(signature.inputs.len());
    for spec in &signature.inputs {
        let Some(position) = given.iter().position(|input| input.name == spec.name) else {
            return Err(format!("the input `{}` is missing", spec.name));
        };
        let input = given.swap_remove(position);
        if !input.element.fits(spec.datatype) {
            let (name, wanted, got) = (&spec.name, spec.datatype, input.element.name());
            return Err(format!("the input `{name}` must be {wanted}, not {got}"));
        }
        if !spec.fits(&input.tensor.shape) {
            let (name, wanted, got) = (&spec.name, &spec.shape, &input.tensor.shape);
            return Err(format!("the input `{name}` must have the shape {wanted:?} (-1: any), not {got:?}"));
        }
        inputs.push(input.tensor);
    }
    let Some(extra) = given.first() else { return Ok(inputs) };
    let twice = signature.inputs.iter().any(|spec| spec.name == extra.name);
    let why = if twice { "occurs twice" } else { "is not an input of this model" };
    Err(format!("the input `{}` {why}", short(&extra.name)))
}

/// The first axis is the batch where the signature leaves it open; all inputs must agree.
fn common_rows(inputs: &[Tensor], signature: &Signature) -> Result<usize, String> {
    let mut rows: Option<(usize, &str)> = None;
    for (tensor, spec) in inputs.iter().zip(&signature.inputs) {
        if spec.shape.first() != Some(&-1) {
            continue;
        }
        match rows {
            Some((rows, first)) if rows != tensor.rows() => {
                let (name, count) = (&spec.name, tensor.rows());
                return Err(format!("`{first}` has {rows} rows and `{name}` has {count}; they must agree"));
            }
            _ => rows = Some((tensor.rows(), &spec.name)),
        }
    }
    let fixed = || inputs.first().map_or(1, Tensor::rows);
    Ok(rows.map_or_else(fixed, |(rows, _)| rows))
}

fn wanted(
    asked: Option<&[Asked<'_>]>,
    binary_output: bool,
    signature: &Signature,
) -> Result<SmallVec<[Wanted; 4]>, String> {
    let mut outputs: SmallVec<[Wanted; 4]> = SmallVec::new();
    let Some(asked) = asked else {
        for (place, spec) in signature.outputs.iter().enumerate() {
            outputs.push(possible(Wanted { place, is_binary: binary_output, classes: 0 }, spec)?);
        }
        return Ok(outputs);
    };
    for output in asked {
        let found = signature.outputs.iter().enumerate().find(|(_, spec)| spec.name == output.name);
        let Some((place, spec)) = found else {
            return Err(format!("the output `{}` does not exist", short(&output.name)));
        };
        if outputs.iter().any(|wanted| wanted.place == place) {
            return Err(format!("the output `{}` is asked for twice", output.name));
        }
        let is_binary = output.is_binary.unwrap_or(binary_output);
        outputs.push(possible(Wanted { place, is_binary, classes: output.classes }, spec)?);
    }
    if outputs.is_empty() {
        return Err("`outputs` is empty; leave it out to get all".into());
    }
    Ok(outputs)
}

/// Refuses what could only be found impossible after the model has run.
fn possible(wanted: Wanted, spec: &TensorSpec) -> Result<Wanted, String> {
    let name = &spec.name;
    if wanted.classes > 0 && spec.datatype == DataType::Bytes {
        return Err(format!("the output `{name}` is BYTES, which has no classes; ask for the tensor"));
    }
    if wanted.classes == 0 && !wanted.is_binary && spec.datatype == DataType::Fp16 {
        return Err(format!(
            "the output `{name}` is FP16, which has no JSON form; ask for it with the parameter `binary_data`: true"
        ));
    }
    Ok(wanted)
}

/// A key that came as a text, when it can be one.
pub fn key_of(text: String) -> Result<String, String> {
    let key = key_text(Cell::Text(Cow::Owned(text)))?;
    Ok(key.map(Cow::into_owned).unwrap_or_default())
}

/// The sizes of a shape whose elements `most` bytes can hold, at least one each.
pub fn sizes(shape: &[i64], most: usize) -> Result<Vec<usize>, String> {
    if shape.len() > axes::MOST {
        return Err(format!("the shape has {} axes, {} at most", shape.len(), axes::MOST));
    }
    let mut product: usize = 1;
    let mut sizes = Vec::with_capacity(shape.len());
    for &axis in shape {
        let size = usize::try_from(axis)
            .map_err(|_| format!("the shape {shape:?} has a negative size; send the real one"))?;
        product = product
            .checked_mul(size)
            .ok_or_else(|| format!("the shape {shape:?} has more elements than memory can hold"))?;
        sizes.push(size);
    }
    if product > most {
        return Err(format!("the shape {shape:?} has {product} elements, more than the body can hold"));
    }
    Ok(sizes)
}

/// A name as an error shows it.
fn short(name: &str) -> String {
    name.chars().take(100).collect()
}

#[cfg(test)]
mod tests;
