//! Tensors between our form and tract's.

use tract_onnx::prelude::{Datum, DatumType, IntoTValue, TDim, TValue, Tensor as Value, TractResult};
use tract_onnx::tract_core::internal::bail;

use crate::array::Array;
use crate::{DataType, Tensor, TensorData};

/// tract's name of a type.
pub(super) fn datum_type(datatype: DataType) -> DatumType {
    match datatype {
        DataType::Bool => DatumType::Bool,
        DataType::Int8 => DatumType::I8,
        DataType::Int16 => DatumType::I16,
        DataType::Int32 => DatumType::I32,
        DataType::Int64 => DatumType::I64,
        DataType::Uint8 => DatumType::U8,
        DataType::Uint16 => DatumType::U16,
        DataType::Uint32 => DatumType::U32,
        DataType::Uint64 => DatumType::U64,
        DataType::Fp16 => DatumType::F16,
        DataType::Fp32 => DatumType::F32,
        DataType::Fp64 => DatumType::F64,
        DataType::Bytes => DatumType::String,
    }
}

/// A tensor for tract, in the type the graph's input has.
pub(super) fn to_tract(tensor: &Tensor, datatype: DataType) -> TractResult<TValue> {
    let value = wrap(&tensor.shape, &tensor.data)?;
    if datatype == DataType::Fp16 {
        return Ok(value.cast_to::<tract_onnx::prelude::f16>()?.into_owned().into_tvalue());
    }
    Ok(value.into_tvalue())
}

/// An array of a kernel for tract.
pub(super) fn array_to_tract(array: &Array<'_>) -> TractResult<TValue> {
    Ok(wrap(array.shape(), array.data())?.into_tvalue())
}

fn wrap(shape: &[usize], data: &TensorData) -> TractResult<Value> {
    match data {
        TensorData::Bool(values) => Value::from_shape(shape, values),
        TensorData::I8(values) => Value::from_shape(shape, values),
        TensorData::I16(values) => Value::from_shape(shape, values),
        TensorData::I32(values) => Value::from_shape(shape, values),
        TensorData::I64(values) => Value::from_shape(shape, values),
        TensorData::U8(values) => Value::from_shape(shape, values),
        TensorData::U16(values) => Value::from_shape(shape, values),
        TensorData::U32(values) => Value::from_shape(shape, values),
        TensorData::U64(values) => Value::from_shape(shape, values),
        TensorData::F32(values) => Value::from_shape(shape, values),
        TensorData::F64(values) => Value::from_shape(shape, values),
        TensorData::Text(values) => tract_onnx::prelude::tensor1(values).into_shape(shape),
    }
}

/// A tensor from tract; half precision comes as single.
pub(super) fn from_tract(value: &Value) -> TractResult<Tensor> {
    fn elements<T: Datum>(value: &Value) -> TractResult<Vec<T>> {
        Ok(value.try_as_plain_ram()?.as_slice::<T>()?.to_vec())
    }
    let data = match value.datum_type() {
        DatumType::Bool => TensorData::Bool(elements(value)?),
        DatumType::I8 => TensorData::I8(elements(value)?),
        DatumType::I16 => TensorData::I16(elements(value)?),
        DatumType::I32 => TensorData::I32(elements(value)?),
        DatumType::I64 => TensorData::I64(elements(value)?),
        DatumType::U8 => TensorData::U8(elements(value)?),
        DatumType::U16 => TensorData::U16(elements(value)?),
        DatumType::U32 => TensorData::U32(elements(value)?),
        DatumType::U64 => TensorData::U64(elements(value)?),
        DatumType::F32 => TensorData::F32(elements(value)?),
        DatumType::F64 => TensorData::F64(elements(value)?),
        DatumType::F16 => TensorData::F32(elements(&*value.cast_to::<f32>()?)?),
        DatumType::String => TensorData::Text(elements(value)?),
        other if other == TDim::datum_type() => TensorData::I64(elements(&*value.cast_to::<i64>()?)?),
        other => bail!("an output has the type {other:?}, which has no name in the protocol"),
    };
    Ok(Tensor { shape: value.shape().to_vec(), data })
}
