//! The REST form: JSON, and behind it the bytes of the tensors that it announces.
//!
//! With the header `Inference-Header-Content-Length: N` the first N bytes of a body are JSON and the rest belongs to
//! the inputs that have a `binary_data_size`, in their order, unaligned. N = 0 makes the body the only input.
//! `data` may stand before `shape` and `datatype`, flat or nested.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use chasqui_runtime::{DataType, Signature, Tensor, TensorData};
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Asked, ElementType, Given, InferRequest, Raw, binary, data, short, sizes};
use crate::body::strict;
use crate::inference::cell::{KeySeed, Text};
use crate::problem::Problem;

/// Reads a request for a model of this signature, of at most `max_rows` rows. `json_length` is what the header says.
pub fn parse<'a>(
    body: &'a [u8],
    json_length: Option<usize>,
    signature: &Signature,
    max_rows: usize,
) -> Result<InferRequest<'a>, Problem> {
    let raw = match json_length {
        None => read(body, &[])?,
        Some(0) => whole(body, signature).map_err(Problem::bad_request)?,
        Some(length) => {
            let Some((json, tail)) = body.split_at_checked(length) else {
                return Err(Problem::bad_request(format!(
                    "the header Inference-Header-Content-Length says {length} bytes of JSON, the body has {}",
                    body.len()
                )));
            };
            read(json, tail)?
        }
    };
    raw.fit(signature, max_rows)
}

fn read<'a>(json: &'a [u8], tail: &'a [u8]) -> Result<Raw<'a>, Problem> {
    let mut left = tail;
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let seed = RequestSeed { frame: Frame { json_bytes: json.len(), tail: &mut left } };
    let raw = seed.deserialize(&mut deserializer).and_then(|request| {
        deserializer.end()?;
        Ok(request)
    });
    let raw = raw.map_err(|error| {
        let what = if error.is_data() { "the request is wrong" } else { "the body is not valid JSON" };
        Problem::bad_request(format!("{what}: {error}"))
    })?;
    if !left.is_empty() {
        return Err(Problem::bad_request(format!(
            "{} bytes behind the JSON belong to no input; an input announces its own by `binary_data_size`",
            left.len()
        )));
    }
    Ok(raw)
}

/// The body as the only input; its shape follows from its length, and a text is the whole body.
fn whole<'a>(body: &[u8], signature: &Signature) -> Result<Raw<'a>, String> {
    let [spec] = signature.inputs.as_slice() else {
        let count = signature.inputs.len();
        return Err(format!("a body without JSON is one input, this model has {count}; send their JSON"));
    };
    let element = ElementType::Plain(spec.datatype);
    let known = |axis: &&i64| **axis >= 0;
    let per_row: Option<usize> = spec
        .shape
        .iter()
        .filter(known)
        .try_fold(1_usize, |product, axis| product.checked_mul(*axis as usize));
    let open = spec.shape.iter().filter(|axis| **axis < 0).count();
    let (count, rows) = match (spec.datatype, per_row) {
        (DataType::Bytes, Some(1)) => (1, 1),
        (DataType::Bytes, _) => return Err("a body without JSON is one text; send the JSON".into()),
        (datatype, Some(per_row)) if per_row > 0 && open <= 1 => {
            let count = body.len() / datatype.size();
            (count, if open == 1 { count / per_row } else { 1 })
        }
        _ => return Err(format!("the shape {:?} does not follow from a body's length", spec.shape)),
    };
    let shape: Vec<usize> = spec.shape.iter().map(|axis| usize::try_from(*axis).unwrap_or(rows)).collect();
    let data = match spec.datatype {
        DataType::Bytes => {
            let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8 text".to_owned())?;
            TensorData::Text(vec![text.to_owned()])
        }
        _ if shape.iter().product::<usize>() != count => {
            return Err(format!("{} bytes do not fill the shape {:?}", body.len(), spec.shape));
        }
        _ => binary::read(element, count, body)?,
    };
    let tensor = Tensor::new(shape, data).map_err(|error| error.to_string())?;
    let inputs = vec![Given { name: Cow::Owned(spec.name.clone()), element, tensor }];
    Ok(Raw { inputs, binary_output: true, ..Raw::default() })
}

/// What the elements of inputs are taken from.
struct Frame<'f, 'de> {
    json_bytes: usize,
    /// Bytes behind the JSON that no input has taken yet.
    tail: &'f mut &'de [u8],
}

struct RequestSeed<'f, 'de> {
    frame: Frame<'f, 'de>,
}

impl<'de> DeserializeSeed<'de> for RequestSeed<'_, 'de> {
    type Value = Raw<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RequestSeed<'_, 'de> {
    type Value = Raw<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `inputs`")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut request = Raw::default();
        let mut seen = [false; 4];
        while let Some(Text(name)) = map.next_key()? {
            let member = ["id", "parameters", "inputs", "outputs"].iter().position(|known| *known == name);
            if member.is_some_and(|member| std::mem::replace(&mut seen[member], true)) {
                return Err(de::Error::custom(format!("`{name}` occurs twice")));
            }
            match member {
                Some(0) => request.id = map.next_value::<Option<Text<'_>>>()?.map(|text| text.0),
                Some(1) => map.next_value_seed(ParametersSeed(&mut request))?,
                Some(2) => request.inputs = map.next_value_seed(InputsSeed(&mut self.frame))?,
                Some(_) => {
                    request.outputs =
                        map.next_value_seed(strict::seed::<Option<Vec<Output<'de>>>>())?.map(asked);
                }
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

/// Reads the request's `parameters` and keeps those that mean something here.
struct ParametersSeed<'r, 'de>(&'r mut Raw<'de>);

impl<'de> DeserializeSeed<'de> for ParametersSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ParametersSeed<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of parameters")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let request = self.0;
        while let Some(Text(name)) = map.next_key()? {
            match &*name {
                "key" => request.key = map.next_value_seed(KeySeed)?,
                "binary_data_output" => {
                    request.binary_output = map.next_value::<Option<bool>>()?.unwrap_or(false);
                }
                "timeout" => request.timeout = timeout(map.next_value::<Option<u64>>()?),
                // Nothing waits in a line that it could jump, but it must be what the protocol says.
                "priority" => drop(map.next_value::<Option<u64>>()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// A timeout in microseconds; 0 is none.
pub fn timeout(microseconds: Option<u64>) -> Option<Duration> {
    microseconds.filter(|microseconds| *microseconds > 0).map(Duration::from_micros)
}

struct InputsSeed<'s, 'f, 'de>(&'s mut Frame<'f, 'de>);

impl<'de> DeserializeSeed<'de> for InputsSeed<'_, '_, 'de> {
    type Value = Vec<Given<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for InputsSeed<'_, '_, 'de> {
    type Value = Vec<Given<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of tensors")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut inputs = Vec::new();
        while let Some(input) = sequence.next_element_seed(InputSeed(&mut *self.0))? {
            inputs.push(input);
        }
        Ok(inputs)
    }
}

/// Parameters of an input.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InputParameters {
    binary_data_size: Option<usize>,
}

/// The members of an input as far as they have been read.
#[derive(Default)]
struct Members<'de> {
    name: Option<Cow<'de, str>>,
    shape: Option<Vec<usize>>,
    element: Option<ElementType>,
    /// `data` that came when shape and type were known.
    late: Option<TensorData>,
    /// `data` that came before them, unread.
    early: Option<&'de RawValue>,
    binary_size: Option<usize>,
}

struct InputSeed<'s, 'f, 'de>(&'s mut Frame<'f, 'de>);

impl<'de> DeserializeSeed<'de> for InputSeed<'_, '_, 'de> {
    type Value = Given<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for InputSeed<'_, '_, 'de> {
    type Value = Given<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a tensor with `name`, `shape`, `datatype` and `data`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        const KNOWN: [&str; 5] = ["name", "shape", "datatype", "data", "parameters"];
        let frame = self.0;
        let body_bytes = frame.json_bytes + frame.tail.len();
        let mut read = Members::default();
        let mut seen = [false; KNOWN.len()];
        while let Some(Text(member)) = map.next_key()? {
            let position = KNOWN.iter().position(|known| *known == member);
            if position.is_some_and(|position| std::mem::replace(&mut seen[position], true)) {
                return Err(de::Error::custom(format!("`{member}` occurs twice in one input")));
            }
            match (position, &read.shape, read.element) {
                (Some(0), ..) => read.name = Some(map.next_value::<Text<'_>>()?.0),
                (Some(1), ..) => {
                    let shape = map.next_value::<Vec<i64>>()?;
                    read.shape = Some(sizes(&shape, body_bytes).map_err(<A::Error as de::Error>::custom)?);
                }
                (Some(2), ..) => read.element = Some(element::<A::Error>(&map.next_value::<Text<'_>>()?.0)?),
                (Some(3), Some(shape), Some(element)) => {
                    let seed = in_json::<A::Error>(element, shape, frame.json_bytes)?;
                    read.late = Some(map.next_value_seed(seed)?);
                }
                (Some(3), ..) => read.early = Some(map.next_value()?),
                (Some(_), ..) => {
                    let parameters = map.next_value_seed(strict::seed::<Option<InputParameters>>())?;
                    read.binary_size = parameters.and_then(|parameters| parameters.binary_data_size);
                }
                (None, ..) => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        read.finish(frame)
    }
}

impl<'de> Members<'de> {
    fn finish<E: de::Error>(self, frame: &mut Frame<'_, 'de>) -> Result<Given<'de>, E> {
        let missing = |member: &str| E::custom(format!("an input lacks `{member}`"));
        let name = self.name.ok_or_else(|| missing("name"))?;
        let shape = self.shape.ok_or_else(|| missing("shape"))?;
        let element = self.element.ok_or_else(|| missing("datatype"))?;
        let in_input = |error: &dyn fmt::Display| E::custom(format!("input `{}`: {error}", short(&name)));
        let data = match (self.late, self.early, self.binary_size) {
            (None, None, Some(size)) => {
                let bytes = frame.take(size).map_err(|error| in_input(&error))?;
                binary::read(element, shape.iter().product(), bytes).map_err(|error| in_input(&error))?
            }
            (_, _, Some(_)) => return Err(in_input(&"`data` and `binary_data_size` exclude each other")),
            (Some(data), _, None) => data,
            (None, Some(text), None) => in_json::<E>(element, &shape, frame.json_bytes)?
                .deserialize(&mut serde_json::Deserializer::from_str(text.get()))
                .map_err(|error| in_input(&error))?,
            (None, None, None) => return Err(missing("data")),
        };
        let tensor = Tensor::new(shape, data).map_err(|error| in_input(&error))?;
        Ok(Given { name, element, tensor })
    }
}

impl<'de> Frame<'_, 'de> {
    /// The next `size` bytes behind the JSON.
    fn take(&mut self, size: usize) -> Result<&'de [u8], String> {
        let left = self.tail.len();
        let Some((mine, rest)) = self.tail.split_at_checked(size) else {
            return Err(format!("`binary_data_size` is {size}, and {left} bytes are left behind the JSON"));
        };
        *self.tail = rest;
        Ok(mine)
    }
}

fn element<E: de::Error>(name: &str) -> Result<ElementType, E> {
    ElementType::of(name).ok_or_else(|| {
        let known = "BOOL, INT8 to INT64, UINT8 to UINT64, FP16, FP32, FP64, BF16 and BYTES";
        E::custom(format!("`{}` is not a datatype; there are {known}", short(name)))
    })
}

/// A reader of `data` in JSON; each element takes two bytes of it or more, but for the last.
fn in_json<E: de::Error>(
    element: ElementType,
    shape: &[usize],
    json_bytes: usize,
) -> Result<data::Seed<'_>, E> {
    let ElementType::Plain(datatype) = element else {
        return Err(E::custom("BF16 has no JSON form; send it as a binary tensor"));
    };
    let elements: usize = shape.iter().product();
    if elements > json_bytes / 2 + 1 {
        return Err(E::custom(format!(
            "the shape {shape:?} has {elements} elements, more than the body can hold"
        )));
    }
    Ok(data::Seed { datatype, shape })
}

/// An output that is asked for.
#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    parameters: Option<OutputParameters>,
}

/// Parameters of an output.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OutputParameters {
    binary_data: Option<bool>,
    classification: Option<usize>,
}

fn asked(outputs: Vec<Output<'_>>) -> Vec<Asked<'_>> {
    let asked = outputs.into_iter().map(|output| {
        let parameters = output.parameters.unwrap_or_default();
        let classes = parameters.classification.unwrap_or(0);
        Asked { name: output.name.0, is_binary: parameters.binary_data, classes }
    });
    asked.collect()
}
