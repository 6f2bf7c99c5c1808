//! Tensors stored in a model file.

use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType as Proto};

use crate::tensor::element_count;
use crate::{DataType, ModelError, Tensor, TensorData};

/// Our name for a type of the file.
pub(crate) fn datatype(code: i32) -> Result<DataType, ModelError> {
    let proto = Proto::try_from(code)
        .map_err(|_| ModelError::Unsupported(format!("the element type {code} is unknown")))?;
    Ok(match proto {
        Proto::Bool => DataType::Bool,
        Proto::Int8 => DataType::Int8,
        Proto::Int16 => DataType::Int16,
        Proto::Int32 => DataType::Int32,
        Proto::Int64 => DataType::Int64,
        Proto::Uint8 => DataType::Uint8,
        Proto::Uint16 => DataType::Uint16,
        Proto::Uint32 => DataType::Uint32,
        Proto::Uint64 => DataType::Uint64,
        Proto::Float16 => DataType::Fp16,
        Proto::Float => DataType::Fp32,
        Proto::Double => DataType::Fp64,
        Proto::String => DataType::Bytes,
        other => {
            let name = other.as_str_name();
            return Err(ModelError::Unsupported(format!("the element type {name} is not supported")));
        }
    })
}

/// Checks that a stored tensor has the elements it declares and takes at most `max_memory` bytes; how many.
pub(crate) fn check(tensor: &TensorProto, max_memory: usize) -> Result<usize, ModelError> {
    let name = &tensor.name;
    if !tensor.external_data.is_empty() || tensor.data_location == Some(DataLocation::External as i32) {
        return Err(ModelError::Invalid(format!(
            "the tensor `{name}` is stored in another file; export the model as a single file"
        )));
    }
    let datatype = datatype(tensor.data_type)?;
    let shape = shape(tensor)?;
    let bytes = element_count(&shape).and_then(|count| count.checked_mul(datatype.size()));
    let Some(bytes) = bytes.filter(|bytes| *bytes <= max_memory) else {
        return Err(ModelError::Invalid(format!(
            "the tensor `{name}` declares the shape {shape:?}, more than the {max_memory} bytes allowed"
        )));
    };
    let count = bytes / datatype.size();
    let stored = stored(tensor, datatype);
    if stored != Some(count) {
        return Err(ModelError::Invalid(format!(
            "the tensor `{name}` declares {count} elements and stores {}",
            stored.map_or_else(|| "a part of one".to_owned(), |stored| stored.to_string())
        )));
    }
    Ok(bytes)
}

fn shape(tensor: &TensorProto) -> Result<Vec<usize>, ModelError> {
    let axes = tensor.dims.iter().map(|&axis| usize::try_from(axis));
    axes.collect::<Result<_, _>>().map_err(|_| {
        ModelError::Invalid(format!("the tensor `{}` declares a negative dimension", tensor.name))
    })
}

/// Number of elements stored; `None` when raw bytes do not divide.
fn stored(tensor: &TensorProto, datatype: DataType) -> Option<usize> {
    if !tensor.raw_data.is_empty() {
        let size = datatype.size();
        let divides = datatype != DataType::Bytes && tensor.raw_data.len().is_multiple_of(size);
        return divides.then(|| tensor.raw_data.len() / size);
    }
    Some(match datatype {
        DataType::Fp32 => tensor.float_data.len(),
        DataType::Fp64 => tensor.double_data.len(),
        DataType::Int64 => tensor.int64_data.len(),
        DataType::Uint32 | DataType::Uint64 => tensor.uint64_data.len(),
        DataType::Bytes => tensor.string_data.len(),
        _ => tensor.int32_data.len(),
    })
}

/// Reads a tensor that [`check`] has passed, or a small one of an attribute.
pub(crate) fn read(tensor: &TensorProto) -> Result<Tensor, ModelError> {
    check(tensor, usize::MAX)?;
    let shape = shape(tensor)?;
    let data = if tensor.raw_data.is_empty() {
        typed(tensor, datatype(tensor.data_type)?)?
    } else {
        raw(&tensor.raw_data, datatype(tensor.data_type)?)
    };
    Ok(Tensor { shape, data })
}

fn typed(tensor: &TensorProto, datatype: DataType) -> Result<TensorData, ModelError> {
    let small = &tensor.int32_data;
    Ok(match datatype {
        DataType::Fp32 => TensorData::F32(tensor.float_data.clone()),
        DataType::Fp64 => TensorData::F64(tensor.double_data.clone()),
        DataType::Int64 => TensorData::I64(tensor.int64_data.clone()),
        DataType::Uint64 => TensorData::U64(tensor.uint64_data.clone()),
        DataType::Uint32 => TensorData::U32(tensor.uint64_data.iter().map(|&value| value as u32).collect()),
        DataType::Int32 => TensorData::I32(small.clone()),
        DataType::Int16 => TensorData::I16(small.iter().map(|&value| value as i16).collect()),
        DataType::Int8 => TensorData::I8(small.iter().map(|&value| value as i8).collect()),
        DataType::Uint16 => TensorData::U16(small.iter().map(|&value| value as u16).collect()),
        DataType::Uint8 => TensorData::U8(small.iter().map(|&value| value as u8).collect()),
        DataType::Bool => TensorData::Bool(small.iter().map(|&value| value != 0).collect()),
        DataType::Fp16 => TensorData::F32(small.iter().map(|&bits| half(bits as u16)).collect()),
        DataType::Bytes => {
            let texts = tensor.string_data.iter().map(|bytes| String::from_utf8(bytes.clone()));
            let texts = texts.collect::<Result<_, _>>();
            TensorData::Text(texts.map_err(|_| {
                ModelError::Invalid(format!("the tensor `{}` holds texts that are not UTF-8", tensor.name))
            })?)
        }
    })
}

fn raw(bytes: &[u8], datatype: DataType) -> TensorData {
    fn each<const SIZE: usize, T>(bytes: &[u8], read: fn([u8; SIZE]) -> T) -> Vec<T> {
        let (chunks, _) = bytes.as_chunks::<SIZE>();
        chunks.iter().map(|chunk| read(*chunk)).collect()
    }
    match datatype {
        DataType::Fp32 => TensorData::F32(each(bytes, f32::from_le_bytes)),
        DataType::Fp64 => TensorData::F64(each(bytes, f64::from_le_bytes)),
        DataType::Int64 => TensorData::I64(each(bytes, i64::from_le_bytes)),
        DataType::Int32 => TensorData::I32(each(bytes, i32::from_le_bytes)),
        DataType::Int16 => TensorData::I16(each(bytes, i16::from_le_bytes)),
        DataType::Int8 => TensorData::I8(each(bytes, i8::from_le_bytes)),
        DataType::Uint64 => TensorData::U64(each(bytes, u64::from_le_bytes)),
        DataType::Uint32 => TensorData::U32(each(bytes, u32::from_le_bytes)),
        DataType::Uint16 => TensorData::U16(each(bytes, u16::from_le_bytes)),
        DataType::Uint8 => TensorData::U8(bytes.to_vec()),
        DataType::Bool => TensorData::Bool(bytes.iter().map(|&byte| byte != 0).collect()),
        DataType::Fp16 => TensorData::F32(each(bytes, |pair| half(u16::from_le_bytes(pair)))),
        // `stored` refuses raw bytes for texts.
        DataType::Bytes => TensorData::Text(Vec::new()),
    }
}

/// A half-precision number (IEEE 754 binary16) from its bits.
pub(crate) fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f32::from(bits & 0x3ff);
    match exponent {
        0 => sign * fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}
