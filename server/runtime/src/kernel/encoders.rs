//! Operators that turn categories into numbers and back: `LabelEncoder`, `CategoryMapper`, `OneHotEncoder`.

use std::collections::HashMap;

use crate::array::{Array, Shape};
use crate::attributes::Attributes;
use crate::{DataType, ModelError, TensorData, conversion, initializer};

/// A key that compares: numbers by their bits, all NaN alike, both zeros alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Int(i64),
    Number(u64),
}

fn number_key(number: f64) -> Key {
    let number = if number.is_nan() { f64::NAN } else { number + 0.0 };
    Key::Number(number.to_bits())
}

/// Positions of keys.
#[derive(Debug)]
enum Index {
    Texts(HashMap<String, usize>),
    Ints(HashMap<Key, usize>),
    Numbers(HashMap<Key, usize>),
}

impl Index {
    fn new(keys: &TensorData) -> Index {
        let count = keys.len();
        let number = |at| keys.number(at).unwrap_or(f64::NAN);
        match keys {
            // Of equal keys the first counts, so the last is inserted first.
            TensorData::Text(texts) => {
                Index::Texts(texts.iter().enumerate().rev().map(|(at, text)| (text.clone(), at)).collect())
            }
            TensorData::F32(_) | TensorData::F64(_) => {
                Index::Numbers((0..count).rev().map(|at| (number_key(number(at)), at)).collect())
            }
            TensorData::I64(ints) => {
                Index::Ints(ints.iter().enumerate().rev().map(|(at, int)| (Key::Int(*int), at)).collect())
            }
            _ => Index::Ints((0..count).rev().map(|at| (Key::Int(number(at) as i64), at)).collect()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Index::Texts(index) => index.len(),
            Index::Ints(index) | Index::Numbers(index) => index.len(),
        }
    }

    /// Positions of all elements of an array.
    fn find_all(&self, data: &TensorData) -> Result<Vec<Option<usize>>, ModelError> {
        let wrong = || ModelError::Input("an encoder got texts for numbers or numbers for texts".into());
        match (self, data) {
            (Index::Texts(index), TensorData::Text(texts)) => {
                Ok(texts.iter().map(|text| index.get(text).copied()).collect())
            }
            (Index::Texts(_), _) | (_, TensorData::Text(_)) => Err(wrong()),
            (Index::Ints(index), TensorData::I64(ints)) => {
                Ok(ints.iter().map(|int| index.get(&Key::Int(*int)).copied()).collect())
            }
            (Index::Ints(index), _) => Ok((0..data.len())
                .map(|at| {
                    let number = data.number(at).filter(|number| !number.is_nan())?;
                    index.get(&Key::Int(number as i64)).copied()
                })
                .collect()),
            (Index::Numbers(index), _) => Ok((0..data.len())
                .map(|at| index.get(&number_key(data.number(at).unwrap_or(f64::NAN))).copied())
                .collect()),
        }
    }
}

/// Maps keys to values, others to a default.
#[derive(Debug)]
pub(crate) struct LabelEncoder {
    index: Index,
    values: TensorData,
    /// One element of the values' type.
    default: TensorData,
}

impl LabelEncoder {
    pub(super) fn read(node: Attributes<'_>) -> Result<LabelEncoder, ModelError> {
        let keys = list(node, "keys")?;
        let values = list(node, "values")?;
        if keys.len() != values.len() {
            return Err(node.invalid(&format!("{} keys for {} values", keys.len(), values.len())));
        }
        let default = default(node, &values)?;
        Ok(LabelEncoder { index: Index::new(&keys), values, default })
    }

    /// The type of the values.
    pub(crate) fn datatype(&self) -> DataType {
        self.values.datatype()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.index.len() * 64
    }

    pub(super) fn evaluate(&self, input: &Array<'_>) -> Result<Array<'static>, ModelError> {
        fn choose<T: Clone>(found: &[Option<usize>], values: &[T], default: &[T]) -> Vec<T> {
            found.iter().map(|at| at.map_or_else(|| default[0].clone(), |at| values[at].clone())).collect()
        }
        let found = self.index.find_all(input.data())?;
        macro_rules! choose_each {
            ($($kind:ident),*) => {
                match (&self.values, &self.default) {
                    $((TensorData::$kind(values), TensorData::$kind(default)) => {
                        TensorData::$kind(choose(&found, values, default))
                    })*
                    // `read` gives both the same type.
                    _ => return Err(ModelError::Unsupported("LabelEncoder: the type of the values".into())),
                }
            };
        }
        let data = choose_each!(Bool, I8, I16, I32, I64, U8, U16, U32, U64, F32, F64, Text);
        Ok(Array::new(input.shape(), data))
    }
}

/// Texts to whole numbers and whole numbers to texts, whichever comes in.
#[derive(Debug)]
pub(crate) struct CategoryMapper {
    of_texts: LabelEncoder,
    of_ints: LabelEncoder,
}

impl CategoryMapper {
    pub(super) fn read(node: Attributes<'_>) -> Result<CategoryMapper, ModelError> {
        let ints = node.ints("cats_int64s").to_vec();
        CategoryMapper::new(node, &node.texts("cats_strings")?, ints)
    }

    /// The `LabelEncoder` of `ai.onnx.ml` 1, which numbers its texts from 0; `None` when it is a later one.
    pub(super) fn of_positions(node: Attributes<'_>) -> Result<Option<CategoryMapper>, ModelError> {
        let texts = node.texts("classes_strings")?;
        if texts.is_empty() {
            return Ok(None);
        }
        CategoryMapper::new(node, &texts, (0..texts.len() as i64).collect()).map(Some)
    }

    fn new(node: Attributes<'_>, texts: &[&str], ints: Vec<i64>) -> Result<CategoryMapper, ModelError> {
        if texts.is_empty() || texts.len() != ints.len() {
            return Err(node.invalid(&format!("{} texts for {} numbers", texts.len(), ints.len())));
        }
        let texts = TensorData::Text(texts.iter().map(|text| (*text).to_owned()).collect());
        let ints = TensorData::I64(ints);
        let of_texts =
            LabelEncoder { index: Index::new(&texts), default: default(node, &ints)?, values: ints.clone() };
        let of_ints =
            LabelEncoder { index: Index::new(&ints), default: default(node, &texts)?, values: texts };
        Ok(CategoryMapper { of_texts, of_ints })
    }

    /// The type of the results for inputs that are texts or not.
    pub(crate) fn datatype(input_is_text: bool) -> DataType {
        if input_is_text { DataType::Int64 } else { DataType::Bytes }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.of_texts.memory_bytes() + self.of_ints.memory_bytes()
    }

    pub(super) fn evaluate(&self, input: &Array<'_>) -> Result<Array<'static>, ModelError> {
        match input.data() {
            TensorData::Text(_) => self.of_texts.evaluate(input),
            _ => self.of_ints.evaluate(input),
        }
    }
}

/// `{name}_strings`, `{name}_int64s`, `{name}_floats` or `{name}_tensor`.
fn list(node: Attributes<'_>, name: &str) -> Result<TensorData, ModelError> {
    if let Some(tensor) = node.tensor(&format!("{name}_tensor")) {
        return Ok(initializer::read(tensor)?.data);
    }
    let texts = node.texts(&format!("{name}_strings"))?;
    let ints = node.ints(&format!("{name}_int64s"));
    if !texts.is_empty() {
        return Ok(TensorData::Text(texts.into_iter().map(str::to_owned).collect()));
    }
    if !ints.is_empty() {
        return Ok(TensorData::I64(ints.to_vec()));
    }
    let floats = node.floats(&format!("{name}_floats"));
    if floats.is_empty() {
        return Err(node.invalid(&format!("there are no {name}")));
    }
    Ok(TensorData::F32(floats.to_vec()))
}

fn default(node: Attributes<'_>, values: &TensorData) -> Result<TensorData, ModelError> {
    if let Some(tensor) = node.tensor("default_tensor") {
        let default = initializer::read(tensor)?.data;
        if default.len() == 1 && default.datatype() == values.datatype() {
            return Ok(default);
        }
        return Err(node.invalid("`default_tensor` is not one element of the values' type"));
    }
    Ok(match values {
        TensorData::Text(_) => {
            TensorData::Text(vec![node.text("default_string")?.unwrap_or("_Unused").to_owned()])
        }
        TensorData::I64(_) => TensorData::I64(vec![node.int("default_int64").unwrap_or(-1)]),
        TensorData::F32(_) => TensorData::F32(vec![node.float("default_float").unwrap_or(-0.0)]),
        other => conversion::cast(&TensorData::I64(vec![0]), other.datatype())?,
    })
}

/// A column per category, 1 where the category is met.
#[derive(Debug)]
pub(crate) struct OneHotEncoder {
    index: Index,
    categories: usize,
    /// Whether an unknown category is all zeros; else it is an error.
    zeros: bool,
}

impl OneHotEncoder {
    pub(super) fn read(node: Attributes<'_>) -> Result<OneHotEncoder, ModelError> {
        let texts = node.texts("cats_strings")?;
        let keys = if texts.is_empty() {
            TensorData::I64(node.ints("cats_int64s").to_vec())
        } else {
            TensorData::Text(texts.into_iter().map(str::to_owned).collect())
        };
        if keys.is_empty() || keys.len() > 1 << 20 {
            return Err(node.invalid(&format!("{} categories", keys.len())));
        }
        let zeros = node.int("zeros").unwrap_or(1) != 0;
        Ok(OneHotEncoder { index: Index::new(&keys), categories: keys.len(), zeros })
    }

    pub(crate) fn categories(&self) -> usize {
        self.categories
    }

    pub(super) fn evaluate(&self, input: &Array<'_>) -> Result<Array<'static>, ModelError> {
        let found = self.index.find_all(input.data())?;
        let mut values = vec![0.0; found.len() * self.categories];
        for (at, cells) in found.iter().zip(values.chunks_exact_mut(self.categories)) {
            match at {
                Some(at) => cells[*at] = 1.0,
                None if self.zeros => {}
                None => return Err(ModelError::Input("OneHotEncoder: a category is unknown".into())),
            }
        }
        let mut shape = Shape::from_slice(input.shape());
        shape.push(self.categories);
        Ok(Array::new(&shape, TensorData::F32(values)))
    }
}
