//! The elements of one input: flat or nested arrays straight into a typed vector.

use std::fmt;

use chasqui_runtime::{DataType, TensorData};
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};

use crate::inference::cell::Cell;
use crate::limits::NESTING;

/// Reads `data` for a tensor of this type and shape.
pub(super) struct Seed<'s> {
    pub(super) datatype: DataType,
    pub(super) shape: &'s [usize],
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = TensorData;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<TensorData, D::Error> {
        macro_rules! read {
            ($variant:ident, $element:ty) => {{
                let count = self.shape.iter().product();
                let mut values: Vec<$element> = Vec::with_capacity(count);
                let level = Level { shape: self.shape, depth: 0, count, values: &mut values };
                deserializer.deserialize_seq(level)?;
                Ok(TensorData::$variant(values))
            }};
        }
        match self.datatype {
            DataType::Bool => read!(Bool, bool),
            DataType::Int8 => read!(I8, i8),
            DataType::Int16 => read!(I16, i16),
            DataType::Int32 => read!(I32, i32),
            DataType::Int64 => read!(I64, i64),
            DataType::Uint8 => read!(U8, u8),
            DataType::Uint16 => read!(U16, u16),
            DataType::Uint32 => read!(U32, u32),
            DataType::Uint64 => read!(U64, u64),
            DataType::Fp32 => read!(F32, f32),
            DataType::Fp64 => read!(F64, f64),
            DataType::Bytes => read!(Text, String),
            DataType::Fp16 => Err(de::Error::custom("FP16 has no JSON form; send it as a binary tensor")),
        }
    }
}

/// An element that knows how it stands in JSON.
trait Element: Sized {
    fn of<E: de::Error>(cell: Cell<'_>) -> Result<Self, E>;

    /// From a number above the largest signed one; only one type holds it exactly.
    fn of_large<E: de::Error>(number: u64) -> Result<Self, E> {
        Self::of(Cell::Number(number as f64))
    }
}

fn unfit<E: de::Error>(cell: &Cell<'_>, datatype: DataType) -> E {
    let reason = cell.refusal(datatype).unwrap_or_else(|| format!("{cell} does not fit {datatype}"));
    E::custom(reason)
}

/// A whole number written as one: `1.0` is a float to every client library, and taking it would hide a wrong
/// datatype.
fn whole<T: TryFrom<i64>, E: de::Error>(cell: &Cell<'_>, datatype: DataType) -> Result<T, E> {
    match cell {
        Cell::Integer(number) => T::try_from(*number).map_err(|_| unfit(cell, datatype)),
        Cell::Number(number) => {
            Err(E::custom(format!("{number} is not a whole number that fits {datatype}")))
        }
        other => Err(unfit(other, datatype)),
    }
}

macro_rules! integer_elements {
    ($($element:ty => $datatype:ident),*) => {$(
        impl Element for $element {
            fn of<E: de::Error>(cell: Cell<'_>) -> Result<Self, E> {
                whole(&cell, DataType::$datatype)
            }
        }
    )*};
}

integer_elements!(
    i8 => Int8, i16 => Int16, i32 => Int32, i64 => Int64, u8 => Uint8, u16 => Uint16, u32 => Uint32
);

impl Element for u64 {
    fn of<E: de::Error>(cell: Cell<'_>) -> Result<Self, E> {
        whole(&cell, DataType::Uint64)
    }

    fn of_large<E: de::Error>(number: u64) -> Result<Self, E> {
        Ok(number)
    }
}

impl Element for bool {
    fn of<E: de::Error>(cell: Cell<'_>) -> Result<Self, E> {
        match cell {
            Cell::Flag(flag) => Ok(flag),
            Cell::Integer(number @ (0 | 1)) => Ok(number == 1),
            other => Err(unfit(&other, DataType::Bool)),
        }
    }
}

/// `null` is NaN, as NaN is `null` in answers.
impl Element for f32 {
    fn of<E: de::Error>(cell: Cell<'_>) -> Result<Self, E> {
        match cell.number() {
            Some(number) if cell.refusal(DataType::Fp32).is_none() => Ok(number as f32),
            _ => Err(unfit(&cell, DataType::Fp32)),
        }
    }
}

impl Element for f64 {
    fn of<E: de::Error>(cell: Cell<'_>) -> Result<Self, E> {
        match cell.number() {
            Some(number) if cell.refusal(DataType::Fp64).is_none() => Ok(number),
            _ => Err(unfit(&cell, DataType::Fp64)),
        }
    }
}

impl Element for String {
    fn of<E: de::Error>(cell: Cell<'_>) -> Result<Self, E> {
        match cell {
            Cell::Text(text) => Ok(text.into_owned()),
            Cell::Missing => Err(E::custom("null is not possible in BYTES; send an empty text")),
            other => Err(unfit(&other, DataType::Bytes)),
        }
    }
}

/// One level of nested arrays.
struct Level<'s, 'v, T> {
    shape: &'s [usize],
    depth: usize,
    count: usize,
    values: &'v mut Vec<T>,
}

impl<T> Level<'_, '_, T> {
    fn deeper(&mut self) -> Level<'_, '_, T> {
        Level { shape: self.shape, depth: self.depth + 1, count: self.count, values: self.values }
    }

    /// A nested array must have as many members as its axis; a flat one is counted at the end.
    fn check_length<E: de::Error>(&self, length: usize, is_nested: bool) -> Result<(), E> {
        if !is_nested && self.depth == 0 {
            return Ok(());
        }
        let wanted = self.shape.get(self.depth).copied();
        if wanted == Some(length) && (is_nested || self.depth + 1 == self.shape.len()) {
            return Ok(());
        }
        Err(E::custom(format!(
            "an array of {length} at depth {} does not follow the shape {:?}",
            self.depth + 1,
            self.shape
        )))
    }
}

impl<'de, T: Element> Visitor<'de> for Level<'_, '_, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<(), A::Error> {
        if self.depth >= NESTING {
            return Err(de::Error::custom(format!("`data` is nested deeper than {NESTING}")));
        }
        let (mut length, mut arrays) = (0_usize, 0_usize);
        while let Some(is_array) = sequence.next_element_seed(Member(self.deeper()))? {
            length += 1;
            arrays += usize::from(is_array);
        }
        if arrays != 0 && arrays != length {
            return Err(de::Error::custom("`data` mixes elements and arrays"));
        }
        self.check_length(length, arrays != 0)
    }
}

/// An element, or an array of the next level; says whether it was an array.
struct Member<'s, 'v, T>(Level<'s, 'v, T>);

impl<T: Element> Member<'_, '_, T> {
    fn push<E: de::Error>(self, cell: Cell<'_>) -> Result<bool, E> {
        self.push_value(T::of(cell))
    }

    fn push_value<E: de::Error>(self, value: Result<T, E>) -> Result<bool, E> {
        let Level { values, count, .. } = self.0;
        if values.len() >= count {
            return Err(E::custom(format!("`data` has more than the {count} elements of its shape")));
        }
        values.push(value?);
        Ok(false)
    }
}

impl<'de, T: Element> DeserializeSeed<'de> for Member<'_, '_, T> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Element> Visitor<'de> for Member<'_, '_, T> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an element or an array")
    }

    fn visit_unit<E: de::Error>(self) -> Result<bool, E> {
        self.push(Cell::Missing)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<bool, E> {
        self.push(Cell::Flag(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<bool, E> {
        self.push(Cell::Integer(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<bool, E> {
        match i64::try_from(number) {
            Ok(number) => self.push(Cell::Integer(number)),
            Err(_) => self.push_value(T::of_large(number)),
        }
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<bool, E> {
        self.push(Cell::Number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<bool, E> {
        self.push(Cell::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<bool, A::Error> {
        self.0.visit_seq(sequence)?;
        Ok(true)
    }
}
