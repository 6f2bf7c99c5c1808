//! Tensors as bytes: little-endian, row-major, without padding; a text is its length in four bytes and then itself.

use chasqui_runtime::{DataType, TensorData};
use half::{bf16, f16};

use super::ElementType;

/// Bytes of a text's length.
const LENGTH: usize = 4;

/// Reads `count` elements, which must be all of `bytes`.
pub fn read(element: ElementType, count: usize, bytes: &[u8]) -> Result<TensorData, String> {
    macro_rules! numbers {
        ($variant:ident, $number:ty) => {
            TensorData::$variant(each(count, bytes, <$number>::from_le_bytes)?)
        };
    }
    let datatype = match element {
        ElementType::Bf16 => {
            return Ok(TensorData::F32(each(count, bytes, |pair| bf16::from_le_bytes(pair).to_f32())?));
        }
        ElementType::Plain(datatype) => datatype,
    };
    Ok(match datatype {
        DataType::Bool => TensorData::Bool(flags(count, bytes)?),
        DataType::Int8 => numbers!(I8, i8),
        DataType::Int16 => numbers!(I16, i16),
        DataType::Int32 => numbers!(I32, i32),
        DataType::Int64 => numbers!(I64, i64),
        DataType::Uint8 => numbers!(U8, u8),
        DataType::Uint16 => numbers!(U16, u16),
        DataType::Uint32 => numbers!(U32, u32),
        DataType::Uint64 => numbers!(U64, u64),
        DataType::Fp16 => TensorData::F32(each(count, bytes, |pair| f16::from_le_bytes(pair).to_f32())?),
        DataType::Fp32 => numbers!(F32, f32),
        DataType::Fp64 => numbers!(F64, f64),
        DataType::Bytes => TensorData::Text(texts(count, bytes)?),
    })
}

fn each<const N: usize, T>(
    count: usize,
    bytes: &[u8],
    number: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, String> {
    let wanted = count.checked_mul(N);
    if wanted != Some(bytes.len()) {
        let got = bytes.len();
        return Err(format!("{count} elements of {N} bytes were announced, {got} bytes are there"));
    }
    let (chunks, _) = bytes.as_chunks::<N>();
    Ok(chunks.iter().map(|chunk| number(*chunk)).collect())
}

fn flags(count: usize, bytes: &[u8]) -> Result<Vec<bool>, String> {
    if let Some(other) = bytes.iter().find(|byte| **byte > 1) {
        return Err(format!("a BOOL is the byte 0 or 1, not {other}"));
    }
    each(count, bytes, |[byte]: [u8; 1]| byte == 1)
}

fn texts(count: usize, bytes: &[u8]) -> Result<Vec<String>, String> {
    if count > bytes.len() / LENGTH {
        return Err(format!("{count} texts need {LENGTH} bytes each and more, {} are there", bytes.len()));
    }
    let mut texts = Vec::with_capacity(count);
    let mut rest = bytes;
    for position in 0..count {
        let Some((length, behind)) = rest.split_first_chunk::<LENGTH>() else {
            return Err(format!("text {position} is cut off within its length"));
        };
        let length = u32::from_le_bytes(*length) as usize;
        let Some((text, behind)) = behind.split_at_checked(length) else {
            let left = behind.len();
            return Err(format!("text {position} is {length} bytes long, and {left} are left"));
        };
        let text = std::str::from_utf8(text).map_err(|_| format!("text {position} is not UTF-8"))?;
        texts.push(text.to_owned());
        rest = behind;
    }
    if rest.is_empty() {
        Ok(texts)
    } else {
        Err(format!("{} bytes are left behind the last text", rest.len()))
    }
}

/// Bytes that [`write`] writes.
pub fn size(data: &TensorData, datatype: DataType) -> usize {
    match data {
        TensorData::Text(texts) => texts.iter().map(|text| LENGTH + text.len()).sum(),
        numbers => numbers.len() * datatype.size(),
    }
}

/// Writes all elements; those of an `FP16` are carried as single-precision numbers.
pub fn write(buffer: &mut Vec<u8>, data: &TensorData, datatype: DataType) {
    macro_rules! list {
        ($values:expr) => {
            for value in $values {
                buffer.extend_from_slice(&value.to_le_bytes());
            }
        };
    }
    match data {
        TensorData::Bool(values) => buffer.extend(values.iter().map(|flag| u8::from(*flag))),
        TensorData::I8(values) => list!(values),
        TensorData::I16(values) => list!(values),
        TensorData::I32(values) => list!(values),
        TensorData::I64(values) => list!(values),
        TensorData::U8(values) => buffer.extend_from_slice(values),
        TensorData::U16(values) => list!(values),
        TensorData::U32(values) => list!(values),
        TensorData::U64(values) => list!(values),
        TensorData::F32(values) if datatype == DataType::Fp16 => {
            list!(values.iter().map(|number| f16::from_f32(*number)));
        }
        TensorData::F32(values) => list!(values),
        TensorData::F64(values) => list!(values),
        TensorData::Text(values) => {
            for text in values {
                buffer.extend_from_slice(&(text.len() as u32).to_le_bytes());
                buffer.extend_from_slice(text.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn back(data: &TensorData, datatype: DataType) -> TensorData {
        let mut bytes = Vec::new();
        write(&mut bytes, data, datatype);
        assert_eq!(bytes.len(), size(data, datatype));
        read(ElementType::Plain(datatype), data.len(), &bytes).unwrap()
    }

    #[test]
    fn every_type_comes_back() {
        for (data, datatype) in [
            (TensorData::Bool(vec![true, false]), DataType::Bool),
            (TensorData::I8(vec![-128, 127]), DataType::Int8),
            (TensorData::I16(vec![i16::MIN, 7]), DataType::Int16),
            (TensorData::I32(vec![i32::MIN, 7]), DataType::Int32),
            (TensorData::I64(vec![9_007_199_254_740_993]), DataType::Int64),
            (TensorData::U8(vec![255]), DataType::Uint8),
            (TensorData::U16(vec![u16::MAX]), DataType::Uint16),
            (TensorData::U32(vec![u32::MAX]), DataType::Uint32),
            (TensorData::U64(vec![u64::MAX]), DataType::Uint64),
            (TensorData::F32(vec![4.7, f32::MIN_POSITIVE]), DataType::Fp32),
            (TensorData::F32(vec![0.5, -65504.0]), DataType::Fp16),
            (TensorData::F64(vec![0.1]), DataType::Fp64),
            (TensorData::Text(vec![String::new(), "año".into()]), DataType::Bytes),
        ] {
            assert_eq!(back(&data, datatype), data);
        }
    }

    #[test]
    fn the_upper_half_of_a_single_is_its_brain_form() {
        let bytes: Vec<u8> = 1.5_f32.to_le_bytes()[2..].to_vec();
        assert_eq!(read(ElementType::Bf16, 1, &bytes).unwrap(), TensorData::F32(vec![1.5]));
    }

    #[test]
    fn lengths_are_checked_before_anything_is_taken() {
        let refusal = |element, count, bytes: &[u8]| read(element, count, bytes).unwrap_err();
        let plain = ElementType::Plain;
        assert!(refusal(plain(DataType::Fp32), usize::MAX, &[0; 4]).contains("announced"));
        assert!(refusal(plain(DataType::Fp32), 1, &[0; 3]).contains("3 bytes"));
        assert!(refusal(plain(DataType::Bool), 1, &[2]).contains("0 or 1"));
        assert!(refusal(plain(DataType::Bytes), usize::MAX, &[0; 8]).contains("texts"));
        assert!(refusal(plain(DataType::Bytes), 1, &[255, 255, 255, 255, b'a']).contains("1 are left"));
        assert!(refusal(plain(DataType::Bytes), 1, &[1, 0, 0, 0, 0xff]).contains("UTF-8"));
        assert!(refusal(plain(DataType::Bytes), 1, &[0, 0, 0, 0, 7]).contains("behind the last"));
        assert!(refusal(plain(DataType::Bytes), 2, &[1, 0, 0, 0, b'a', 0, 0, 0]).contains("cut off"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, count in 0_usize..9) {
            for element in ["BOOL", "INT64", "FP16", "BF16", "BYTES"] {
                let _ = read(ElementType::of(element).unwrap(), count, &bytes);
            }
        }

        #[test]
        fn texts_come_back(texts: Vec<String>) {
            let data = TensorData::Text(texts);
            prop_assert_eq!(back(&data, DataType::Bytes), data);
        }
    }
}
