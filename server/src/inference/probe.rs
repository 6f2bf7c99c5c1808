//! The readers of requests without a server around them, for programs that look for bodies that break them:
//! `server/fuzz`, and the test of its seeds.

use std::borrow::Cow;

use chasqui_runtime::{DataType, Feature, FeatureKind, Outputs, Signature, TensorSpec};

use super::foreign::{Given, KSERVE_V1, MLFLOW, Reader};
use super::lines::Lines;
use super::mlflow::{self, Written};
use super::python_json::without_nan;
use super::records::{parse, parse_one};
use super::schema::Schema;
use super::{expect, tensors};
use crate::problem::Problem;

/// Most rows of a body.
const ROWS: usize = 1000;
/// Longest line of a stream.
const LINE_BYTES: usize = 4096;

/// The form that a body is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Records with named fields.
    Records,
    /// Lines with one record each; a line at fault is not a fault of the body.
    Lines,
    /// Tensors of the Open Inference Protocol, in JSON.
    Tensors,
    /// Rows or columns of KServe v1.
    KserveV1,
    /// A body of MLflow's scoring server.
    Mlflow(Written),
}

impl Form {
    /// Every form, with the name of its folder of seeds.
    pub const ALL: [(&'static str, Self); 8] = [
        ("records", Self::Records),
        ("lines", Self::Lines),
        ("tensors", Self::Tensors),
        ("kserve_v1", Self::KserveV1),
        ("mlflow_json", Self::Mlflow(Written::Json)),
        ("mlflow_split", Self::Mlflow(Written::Split)),
        ("mlflow_records", Self::Mlflow(Written::Records)),
        ("mlflow_csv", Self::Mlflow(Written::Csv)),
    ];
}

/// What bodies are read for.
#[derive(Debug)]
pub struct Probe {
    signature: Signature,
    schema: Option<Schema>,
}

impl Probe {
    /// A service whose records are `{price, age, city, units}`, the first two in one input `x`, with the key
    /// `customer`; a lenient one leaves values that do not fit to a later look.
    pub fn of_table(is_lenient: bool) -> Self {
        let spec = |name: &str, datatype, shape: &[i64]| TensorSpec {
            name: name.into(),
            datatype,
            shape: shape.to_vec(),
        };
        let feature = |name: &str, kind, input, column| Feature { name: name.into(), kind, input, column };
        let inputs = vec![
            spec("x", DataType::Fp32, &[-1, 2]),
            spec("city", DataType::Bytes, &[-1, 1]),
            spec("units", DataType::Int64, &[-1]),
        ];
        let features = vec![
            feature("price", FeatureKind::Number, 0, 0),
            feature("age", FeatureKind::Number, 0, 1),
            feature("city", FeatureKind::Text, 1, 0),
            feature("units", FeatureKind::Number, 2, 0),
        ];
        let signature = signature(inputs, features);
        let mut schema = Schema::of(&signature, Some("customer"));
        if let Some(schema) = &mut schema {
            schema.is_lenient = is_lenient;
        }
        Self { signature, schema }
    }

    /// A model of images of two by two points, which are no table.
    pub fn of_images() -> Self {
        let image = TensorSpec { name: "image".into(), datatype: DataType::Fp32, shape: vec![-1, 2, 2] };
        Self { signature: signature(vec![image], Vec::new()), schema: None }
    }

    /// Reads a body; gives the number of its rows.
    pub fn read(&self, form: Form, body: &[u8]) -> Result<usize, Problem> {
        match form {
            Form::Records => Ok(parse(body, self.records()?, ROWS)?.rows),
            Form::Lines => self.read_lines(body),
            Form::Tensors => {
                let request = tensors::rest::parse(body, None, &self.signature, ROWS)?;
                Ok(request.inputs.first().map_or(0, chasqui_runtime::Tensor::rows))
            }
            Form::KserveV1 => Ok(rows(&self.reader(&KSERVE_V1).read(body, &KSERVE_V1)?.rows)),
            Form::Mlflow(written) => {
                let body = if written == Written::Csv { Cow::Borrowed(body) } else { without_nan(body) };
                Ok(rows(&mlflow::read(self.reader(&MLFLOW), written, &body)?.rows))
            }
        }
    }

    fn reader<'a>(&self, protocol: &super::foreign::Protocol) -> Reader<'_, 'a> {
        Reader::new(protocol, self.schema.as_ref(), &self.signature, ROWS)
    }

    fn records(&self) -> Result<&Schema, Problem> {
        self.schema.as_ref().ok_or_else(|| Problem::unprocessable("the inputs are not named columns"))
    }

    fn read_lines(&self, body: &[u8]) -> Result<usize, Problem> {
        let schema = self.records()?;
        let mut lines = Lines::new(LINE_BYTES);
        let (first, second) = body.split_at(body.len() / 2);
        let mut found = lines.push(first);
        found.extend(lines.push(second));
        found.extend(lines.finish());
        let is_read = |bytes: &[u8]| parse_one(bytes, schema).is_ok();
        Ok(found.iter().filter(|line| line.bytes.as_ref().is_some_and(|bytes| is_read(bytes))).count())
    }
}

/// Reads a text in every format that a service can expect, and puts it right where that can be done.
pub fn read_formats(text: &str) {
    expect::read_formats(text);
}

fn rows(given: &Given<'_>) -> usize {
    match given {
        Given::Records(records) => records.rows,
        Given::Tensors(tensors, _) => tensors.first().map_or(0, chasqui_runtime::Tensor::rows),
    }
}

fn signature(inputs: Vec<TensorSpec>, features: Vec<Feature>) -> Signature {
    Signature {
        inputs,
        outputs: Vec::new(),
        features,
        task: None,
        classes: Vec::new(),
        roles: Outputs::default(),
    }
}

#[cfg(test)]
mod tests;
