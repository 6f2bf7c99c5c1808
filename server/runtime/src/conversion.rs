//! Changes of element type: what a caller may send for a type, and the `Cast` operator.

use crate::{DataType, ModelError, TensorData};

/// The numbers of `data` as an input of type `to` takes them.
///
/// Any numeric type may stand for a floating-point one (rounded to the nearest); for a whole-number type the
/// values must be whole and in range. Texts and numbers do not stand for each other.
pub(crate) fn accept(data: &TensorData, to: DataType) -> Result<TensorData, ModelError> {
    let from = data.datatype();
    if from.is_number() != to.is_number() {
        return Err(ModelError::Input(format!("{to} is expected, {from} was given")));
    }
    if to.is_float() || to == DataType::Bytes {
        return cast(data, to);
    }
    let converted = cast(data, to)?;
    for index in 0..data.len() {
        if !same_integer(data, &converted, index) {
            let value = data.number(index).unwrap_or(f64::NAN);
            return Err(ModelError::Input(format!("{value} at position {index} is not a value of {to}")));
        }
    }
    Ok(converted)
}

fn same_integer(before: &TensorData, after: &TensorData, index: usize) -> bool {
    match (exact(before, index), exact(after, index)) {
        (Some(before), Some(after)) => before == after,
        _ => before.number(index) == after.number(index),
    }
}

/// Whole numbers without the rounding of `f64`.
fn exact(data: &TensorData, index: usize) -> Option<i128> {
    match data {
        TensorData::I64(values) => values.get(index).map(|&value| i128::from(value)),
        TensorData::U64(values) => values.get(index).map(|&value| i128::from(value)),
        TensorData::F32(_) | TensorData::F64(_) => {
            let number = data.number(index)?;
            (number.fract() == 0.0).then_some(number as i128)
        }
        _ => data.number(index).map(|number| number as i128),
    }
}

/// The elements in another numeric type: fractions are cut off, values out of range become the nearest bound.
pub(crate) fn cast(data: &TensorData, to: DataType) -> Result<TensorData, ModelError> {
    macro_rules! numbers {
        ($values:expr, $from:ty) => {{
            let values = $values.iter().copied();
            Ok(match to {
                DataType::Bool => TensorData::Bool(values.map(|value| value != <$from>::default()).collect()),
                DataType::Int8 => TensorData::I8(values.map(|value| value as i8).collect()),
                DataType::Int16 => TensorData::I16(values.map(|value| value as i16).collect()),
                DataType::Int32 => TensorData::I32(values.map(|value| value as i32).collect()),
                DataType::Int64 => TensorData::I64(values.map(|value| value as i64).collect()),
                DataType::Uint8 => TensorData::U8(values.map(|value| value as u8).collect()),
                DataType::Uint16 => TensorData::U16(values.map(|value| value as u16).collect()),
                DataType::Uint32 => TensorData::U32(values.map(|value| value as u32).collect()),
                DataType::Uint64 => TensorData::U64(values.map(|value| value as u64).collect()),
                DataType::Fp16 | DataType::Fp32 => {
                    TensorData::F32(values.map(|value| value as f32).collect())
                }
                DataType::Fp64 => TensorData::F64(values.map(|value| value as f64).collect()),
                DataType::Bytes => return Err(ModelError::Input("a number cannot become a text".into())),
            })
        }};
    }
    match data {
        TensorData::Bool(values) => {
            let bytes: Vec<u8> = values.iter().map(|value| u8::from(*value)).collect();
            numbers!(bytes, u8)
        }
        TensorData::I8(values) => numbers!(values, i8),
        TensorData::I16(values) => numbers!(values, i16),
        TensorData::I32(values) => numbers!(values, i32),
        TensorData::I64(values) => numbers!(values, i64),
        TensorData::U8(values) => numbers!(values, u8),
        TensorData::U16(values) => numbers!(values, u16),
        TensorData::U32(values) => numbers!(values, u32),
        TensorData::U64(values) => numbers!(values, u64),
        TensorData::F32(values) => numbers!(values, f32),
        TensorData::F64(values) => numbers!(values, f64),
        TensorData::Text(values) if to == DataType::Bytes => Ok(TensorData::Text(values.clone())),
        TensorData::Text(_) => Err(ModelError::Input("a text cannot become a number".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_type_become_floats() {
        let ints = TensorData::I64(vec![1, -2, 1 << 40]);
        assert_eq!(
            accept(&ints, DataType::Fp64).unwrap(),
            TensorData::F64(vec![1.0, -2.0, (1_i64 << 40) as f64])
        );
        let flags = TensorData::Bool(vec![true, false]);
        assert_eq!(accept(&flags, DataType::Fp32).unwrap(), TensorData::F32(vec![1.0, 0.0]));
        let doubles = TensorData::F64(vec![0.1, f64::NAN]);
        let TensorData::F32(values) = accept(&doubles, DataType::Fp32).unwrap() else { panic!("no floats") };
        assert!(values[0] == 0.1_f32 && values[1].is_nan());
    }

    #[test]
    fn integers_must_be_whole_and_in_range() {
        let whole = TensorData::F64(vec![3.0, -4.0]);
        assert_eq!(accept(&whole, DataType::Int64).unwrap(), TensorData::I64(vec![3, -4]));
        for wrong in [3.5, f64::NAN, 300.0, f64::INFINITY, -1.0] {
            assert!(accept(&TensorData::F64(vec![wrong]), DataType::Uint8).is_err(), "{wrong}");
        }
        assert!(accept(&TensorData::F64(vec![2_f64.powi(63)]), DataType::Int64).is_err());
        assert!(accept(&TensorData::U64(vec![u64::MAX]), DataType::Int64).is_err());
        let exact = TensorData::U64(vec![(1 << 53) + 1]);
        assert_eq!(accept(&exact, DataType::Int64).unwrap(), TensorData::I64(vec![(1 << 53) + 1]));
    }

    #[test]
    fn texts_and_numbers_do_not_mix() {
        assert!(accept(&TensorData::Text(vec!["1".into()]), DataType::Fp32).is_err());
        assert!(accept(&TensorData::F32(vec![1.0]), DataType::Bytes).is_err());
    }
}
