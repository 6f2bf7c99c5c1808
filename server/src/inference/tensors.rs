//! The request of the Open Inference Protocol, JSON form: bytes in, tensors in the signature's order out.
//!
//! Shapes are multiplied with overflow checks and compared with what the body can hold before any memory is
//! taken; `data` may stand before `shape` and `datatype`, flat or nested. Binary tensors are not read here.

mod data;

use std::borrow::Cow;
use std::fmt;

use chasqui_runtime::{DataType, Signature, Tensor};
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::cell::{KeySeed, Text};
use crate::body::strict;
use crate::problem::Problem;

/// A request whose tensors fit the signature.
#[derive(Debug)]
pub(super) struct InferRequest<'a> {
    /// The caller's id, given back in the answer.
    pub id: Option<Cow<'a, str>>,
    /// The entity's key: `key` in the request's `parameters`.
    pub key: Option<Cow<'a, str>>,
    /// In the order of the signature.
    pub inputs: Vec<Tensor>,
    /// Positions of the outputs wanted, in the order wanted; `None` means all.
    pub outputs: Option<Vec<usize>>,
}

/// Reads a request for a model of this signature, of at most `max_rows` rows.
pub(super) fn parse<'a>(
    body: &'a [u8],
    signature: &Signature,
    max_rows: usize,
) -> Result<InferRequest<'a>, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let raw = RequestSeed { body_bytes: body.len() }.deserialize(&mut deserializer).and_then(|request| {
        deserializer.end()?;
        Ok(request)
    });
    let raw = raw.map_err(|error| {
        let what = if error.is_data() { "the request is wrong" } else { "the body is not valid JSON" };
        Problem::bad_request(format!("{what}: {error}"))
    })?;
    let inputs = ordered(raw.inputs, signature).map_err(Problem::bad_request)?;
    let rows = common_rows(&inputs, signature).map_err(Problem::bad_request)?;
    if rows == 0 {
        return Err(Problem::bad_request("the inputs have no rows; send at least one"));
    }
    if rows > max_rows {
        return Err(Problem::bad_request(format!("{rows} rows in one request; {max_rows} at most")));
    }
    let outputs =
        raw.outputs.map(|names| positions(&names, signature)).transpose().map_err(Problem::bad_request)?;
    Ok(InferRequest { id: raw.id, key: raw.key, inputs, outputs })
}

/// One input as read, before the signature is known to want it.
#[derive(Debug)]
struct NamedTensor<'a> {
    name: Cow<'a, str>,
    datatype: DataType,
    tensor: Tensor,
}

fn ordered(mut given: Vec<NamedTensor<'_>>, signature: &Signature) -> Result<Vec<Tensor>, String> {
    let mut inputs = Vec::with_capacity(signature.inputs.len());
    for spec in &signature.inputs {
        let Some(position) = given.iter().position(|input| input.name == spec.name) else {
            return Err(format!("the input `{}` is missing", spec.name));
        };
        let input = given.swap_remove(position);
        if input.datatype != spec.datatype {
            let (name, wanted, got) = (&spec.name, spec.datatype, input.datatype);
            return Err(format!("the input `{name}` must be {wanted}, not {got}"));
        }
        let fits = spec.shape.len() == input.tensor.shape.len()
            && spec
                .shape
                .iter()
                .zip(&input.tensor.shape)
                .all(|(want, got)| *want < 0 || *want as usize == *got);
        if !fits {
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

fn positions(names: &[Cow<'_, str>], signature: &Signature) -> Result<Vec<usize>, String> {
    let mut positions = Vec::with_capacity(names.len());
    for name in names {
        let Some(position) = signature.outputs.iter().position(|spec| spec.name == *name) else {
            return Err(format!("the output `{}` does not exist", short(name)));
        };
        if positions.contains(&position) {
            return Err(format!("the output `{name}` is asked for twice"));
        }
        positions.push(position);
    }
    if positions.is_empty() {
        return Err("`outputs` is empty; leave it out to get all".into());
    }
    Ok(positions)
}

fn short(name: &str) -> String {
    name.chars().take(100).collect()
}

/// The request as read.
struct RawRequest<'a> {
    id: Option<Cow<'a, str>>,
    key: Option<Cow<'a, str>>,
    inputs: Vec<NamedTensor<'a>>,
    outputs: Option<Vec<Cow<'a, str>>>,
}

struct RequestSeed {
    body_bytes: usize,
}

impl<'de> DeserializeSeed<'de> for RequestSeed {
    type Value = RawRequest<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RequestSeed {
    type Value = RawRequest<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `inputs`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut request = RawRequest { id: None, key: None, inputs: Vec::new(), outputs: None };
        let mut seen = [false; 4];
        while let Some(Text(name)) = map.next_key()? {
            let member = ["id", "parameters", "inputs", "outputs"].iter().position(|known| *known == name);
            if member.is_some_and(|member| std::mem::replace(&mut seen[member], true)) {
                return Err(de::Error::custom(format!("`{name}` occurs twice")));
            }
            match member {
                Some(0) => request.id = map.next_value::<Option<Text<'_>>>()?.map(|text| text.0),
                Some(1) => request.key = map.next_value_seed(ParametersSeed)?,
                Some(2) => {
                    request.inputs = map.next_value_seed(InputsSeed { body_bytes: self.body_bytes })?;
                }
                Some(_) => request.outputs = map.next_value_seed(OutputsSeed)?,
                // The protocol grows by members that older servers ignore.
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if !seen[2] {
            return Err(de::Error::custom("`inputs` is missing"));
        }
        Ok(request)
    }
}

/// Reads `parameters` and keeps `key`.
struct ParametersSeed;

impl<'de> DeserializeSeed<'de> for ParametersSeed {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ParametersSeed {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of parameters")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut key = None;
        while let Some(Text(name)) = map.next_key()? {
            if name == "key" {
                key = map.next_value_seed(KeySeed)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(key)
    }
}

struct InputsSeed {
    body_bytes: usize,
}

impl<'de> DeserializeSeed<'de> for InputsSeed {
    type Value = Vec<NamedTensor<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for InputsSeed {
    type Value = Vec<NamedTensor<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of tensors")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut inputs = Vec::new();
        while let Some(input) = sequence.next_element_seed(InputSeed { body_bytes: self.body_bytes })? {
            inputs.push(input);
        }
        Ok(inputs)
    }
}

struct InputSeed {
    body_bytes: usize,
}

impl<'de> DeserializeSeed<'de> for InputSeed {
    type Value = NamedTensor<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for InputSeed {
    type Value = NamedTensor<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a tensor with `name`, `shape`, `datatype` and `data`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut name, mut shape, mut datatype) = (None, None, None);
        let (mut early, mut late) = (None::<&'de RawValue>, None);
        let mut seen = [false; 4];
        while let Some(Text(member)) = map.next_key()? {
            let position = ["name", "shape", "datatype", "data"].iter().position(|known| *known == member);
            if position.is_some_and(|position| std::mem::replace(&mut seen[position], true)) {
                return Err(de::Error::custom(format!("`{member}` occurs twice in one input")));
            }
            match (position, &shape, datatype) {
                (Some(0), ..) => name = Some(map.next_value::<Text<'_>>()?.0),
                (Some(1), ..) => {
                    shape = Some(checked_shape(&map.next_value::<Vec<i64>>()?, self.body_bytes)?);
                }
                (Some(2), ..) => datatype = Some(map.next_value::<DataType>()?),
                (Some(3), Some(shape), Some(datatype)) => {
                    late = Some(map.next_value_seed(data::Seed { datatype, shape })?);
                }
                // What comes before shape and type is kept as text, unread.
                (Some(3), ..) => early = Some(map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let missing = |member: &str| de::Error::custom(format!("an input lacks `{member}`"));
        let name = name.ok_or_else(|| missing("name"))?;
        let shape = shape.ok_or_else(|| missing("shape"))?;
        let datatype = datatype.ok_or_else(|| missing("datatype"))?;
        let in_input =
            |error: &dyn fmt::Display| de::Error::custom(format!("input `{}`: {error}", short(&name)));
        let data = match (late, early) {
            (Some(data), _) => data,
            (None, Some(text)) => data::Seed { datatype, shape: &shape }
                .deserialize(&mut serde_json::Deserializer::from_str(text.get()))
                .map_err(|error| in_input(&error))?,
            (None, None) => return Err(missing("data")),
        };
        let tensor = Tensor::new(shape, data).map_err(|error| in_input(&error))?;
        Ok(NamedTensor { name, datatype, tensor })
    }
}

/// The shape, when the body is long enough for its elements: each takes two bytes or more, but for the last.
fn checked_shape<E: de::Error>(shape: &[i64], body_bytes: usize) -> Result<Vec<usize>, E> {
    let mut product: usize = 1;
    let mut sizes = Vec::with_capacity(shape.len());
    for &axis in shape {
        let size = usize::try_from(axis)
            .map_err(|_| E::custom(format!("the shape {shape:?} has a negative size; send the real one")))?;
        product = product.checked_mul(size).ok_or_else(|| {
            E::custom(format!("the shape {shape:?} has more elements than memory can hold"))
        })?;
        sizes.push(size);
    }
    if product > body_bytes / 2 + 1 {
        return Err(E::custom(format!(
            "the shape {shape:?} has {product} elements, more than the body can hold"
        )));
    }
    Ok(sizes)
}

/// An output that is asked for; its parameters are about binary tensors.
#[derive(serde::Deserialize)]
struct Wanted<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

struct OutputsSeed;

impl<'de> DeserializeSeed<'de> for OutputsSeed {
    type Value = Option<Vec<Cow<'de, str>>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let wanted = strict::read::<Option<Vec<Wanted<'de>>>, D>(deserializer)?;
        Ok(wanted.map(|wanted| wanted.into_iter().map(|output| output.name.0).collect()))
    }
}

#[cfg(test)]
mod tests;
