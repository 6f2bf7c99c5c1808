//! Reads the attributes of a node, checked.

use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto};

use crate::{DataType, ModelError, initializer};

/// The attributes of one node, by name.
#[derive(Clone, Copy)]
pub(crate) struct Attributes<'a>(pub(crate) &'a NodeProto);

impl<'a> Attributes<'a> {
    fn find(self, name: &str) -> Option<&'a AttributeProto> {
        self.0.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// What is wrong with this node, named so that its author finds it.
    pub(crate) fn invalid(self, what: &str) -> ModelError {
        ModelError::Invalid(format!("{}: {what}", self.title()))
    }

    /// The operator and the name of the node.
    pub(crate) fn title(self) -> String {
        if self.0.name.is_empty() {
            self.0.op_type.clone()
        } else {
            format!("{} `{}`", self.0.op_type, self.0.name)
        }
    }

    /// A list of integers, empty when absent.
    pub(crate) fn ints(self, name: &str) -> &'a [i64] {
        self.find(name).map_or(&[], |attribute| &attribute.ints)
    }

    /// A list of numbers, empty when absent.
    pub(crate) fn floats(self, name: &str) -> &'a [f32] {
        self.find(name).map_or(&[], |attribute| &attribute.floats)
    }

    /// A list of texts, empty when absent.
    pub(crate) fn texts(self, name: &str) -> Result<Vec<&'a str>, ModelError> {
        let Some(attribute) = self.find(name) else { return Ok(Vec::new()) };
        let texts = attribute.strings.iter().map(|bytes| std::str::from_utf8(bytes));
        texts.collect::<Result<_, _>>().map_err(|_| self.invalid(&format!("`{name}` is not UTF-8")))
    }

    /// A text, when present.
    pub(crate) fn text(self, name: &str) -> Result<Option<&'a str>, ModelError> {
        let Some(attribute) = self.find(name) else { return Ok(None) };
        let text = std::str::from_utf8(&attribute.s);
        text.map(Some).map_err(|_| self.invalid(&format!("`{name}` is not UTF-8")))
    }

    /// An integer, when present.
    pub(crate) fn int(self, name: &str) -> Option<i64> {
        self.find(name).map(|attribute| attribute.i)
    }

    /// A number, when present.
    pub(crate) fn float(self, name: &str) -> Option<f32> {
        self.find(name).map(|attribute| attribute.f)
    }

    /// A tensor, when present.
    pub(crate) fn tensor(self, name: &str) -> Option<&'a TensorProto> {
        self.find(name).and_then(|attribute| attribute.t.as_ref())
    }

    /// The numbers of a tensor and their type; none when it is absent.
    pub(crate) fn number_tensor(self, name: &str) -> Result<(Vec<f64>, DataType), ModelError> {
        let Some(tensor) = self.tensor(name) else { return Ok((Vec::new(), DataType::Fp32)) };
        let data = initializer::read(tensor)?.data;
        let numbers: Option<Vec<f64>> = (0..data.len()).map(|index| data.number(index)).collect();
        let numbers = numbers.ok_or_else(|| self.invalid(&format!("`{name}` is not numeric")))?;
        Ok((numbers, data.datatype()))
    }

    /// Numbers given as `name` (single precision) or `name_as_tensor` (either precision); whether double.
    pub(crate) fn numbers(self, name: &str) -> Result<(Vec<f64>, bool), ModelError> {
        let stored = format!("{name}_as_tensor");
        if self.tensor(&stored).is_some() {
            let (numbers, datatype) = self.number_tensor(&stored)?;
            return Ok((numbers, datatype == DataType::Fp64));
        }
        Ok((self.floats(name).iter().map(|&value| f64::from(value)).collect(), false))
    }
}
