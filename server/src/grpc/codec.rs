//! Messages are weighed before they are decoded: two bytes of an empty input become three hundred in memory, so a
//! message within its limit could still ask for more than the machine has. And buffers begin small: most messages are.

use std::marker::PhantomData;

use bytes::Buf;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

use super::status;
use crate::problem::Problem;

/// Fields of a message and of its inputs: tensors, outputs, parameters.
const MOST_FIELDS: usize = 4096;
/// Texts in typed contents: four times the memory that their bytes on the wire may take.
const MOST_TEXTS: usize = 1 << 23;
/// Bytes of whole numbers in typed contents, each of which may become eight.
const MOST_NUMBER_BYTES: usize = 1 << 24;

/// The number of `inputs` in a request, and of `contents` in an input.
const NESTED: u32 = 5;
/// The number of `shape`.
const SHAPE: u32 = 3;
/// The number of `bytes_contents`.
const TEXTS: u32 = 8;
/// The numbers of the contents that are whole numbers of variable length.
const NUMBERS: std::ops::RangeInclusive<u32> = 2..=5;

/// Bytes that the buffers of a call begin with. The allocator gives and takes so few without a lock; the library's 8 KiB
/// twice a call made threads wait for each other.
const BUFFER: usize = 512;
/// Bytes of a stream's answers that leave together, as the library has it.
const TOGETHER: usize = 32 << 10;

/// The codec of every call: as the library's, after a look at what a message would become.
#[derive(Debug, Clone, Default)]
pub(super) struct WeighingCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Codec for WeighingCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = WeighingDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BUFFER, TOGETHER))
    }

    fn decoder(&mut self) -> Self::Decoder {
        WeighingDecoder(ProstCodec::<T, U>::raw_decoder(BufferSettings::new(BUFFER, TOGETHER)))
    }
}

/// Weighs, then decodes.
#[derive(Debug, Clone)]
pub(super) struct WeighingDecoder<U>(ProstDecoder<U>);

impl<U: Message + Default> Decoder for WeighingDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        weigh(message.chunk()).map_err(Status::resource_exhausted)?;
        let wrong = |status: Status| {
            status::of(&Problem::bad_request(format!("the message is wrong: {}", status.message())))
        };
        self.0.decode(message).map_err(wrong)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

/// What the parts of a message add up to, however they are divided: fields that occur again are joined.
#[derive(Debug, Default)]
struct Weight {
    fields: usize,
    texts: usize,
    number_bytes: usize,
}

/// How deep the fields of an input lie.
const INPUT: usize = 1;
/// How deep its contents lie.
const CONTENTS: usize = 2;

fn weigh(message: &[u8]) -> Result<(), String> {
    Weight::default().add(message, 0)
}

impl Weight {
    /// Adds the fields that have a length, and numbers one by one. What is malformed ends it: the decoder comes no
    /// further and says so better.
    fn add(&mut self, message: &[u8], depth: usize) -> Result<(), String> {
        let mut rest = message;
        while let Some((number, value)) = next(&mut rest)? {
            let is_number = match depth {
                CONTENTS => NUMBERS.contains(&number),
                INPUT => number == SHAPE,
                _ => false,
            };
            match value {
                None => self.number_bytes += usize::from(is_number),
                Some(value) if is_number => self.number_bytes += value.len(),
                Some(_) if depth == CONTENTS && number == TEXTS => self.texts += 1,
                Some(_) => self.fields += 1,
            }
            self.check()?;
            if let Some(value) = value.filter(|_| depth < CONTENTS && number == NESTED) {
                self.add(value, depth + 1)?;
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        let (what, most) = if self.fields > MOST_FIELDS {
            ("fields", MOST_FIELDS)
        } else if self.texts > MOST_TEXTS {
            ("texts that are not raw", MOST_TEXTS)
        } else if self.number_bytes > MOST_NUMBER_BYTES {
            ("bytes of whole numbers that are not raw", MOST_NUMBER_BYTES)
        } else {
            return Ok(());
        };
        Err(format!("the message has more than {most} {what}"))
    }
}

/// A field's number, and its bytes if it has a length.
type Field<'m> = (u32, Option<&'m [u8]>);

/// The next field that has a length or is a number of variable length; `None` at the end, and where the message is
/// malformed.
fn next<'m>(rest: &mut &'m [u8]) -> Result<Option<Field<'m>>, String> {
    while !rest.is_empty() {
        let Ok((number, kind)) = decode_key(rest) else { return Ok(None) };
        let skipped = match kind {
            WireType::Varint => return Ok(decode_varint(rest).ok().map(|_| (number, None))),
            WireType::ThirtyTwoBit => Some(4),
            WireType::SixtyFourBit => Some(8),
            WireType::LengthDelimited => return Ok(value(rest).map(|value| (number, Some(value)))),
            // The decoder would step over one, and go on where we cannot.
            WireType::StartGroup | WireType::EndGroup => return Err("the message has a group".into()),
        };
        let left = *rest;
        let Some((_, behind)) = skipped.and_then(|skipped| left.split_at_checked(skipped)) else {
            return Ok(None);
        };
        *rest = behind;
    }
    Ok(None)
}

fn value<'m>(rest: &mut &'m [u8]) -> Option<&'m [u8]> {
    let length = usize::try_from(decode_varint(rest).ok()?).ok()?;
    let left = *rest;
    let (value, behind) = left.split_at_checked(length)?;
    *rest = behind;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::super::messages::inference::model_infer_request::InferInputTensor;
    use super::super::messages::inference::{InferTensorContents, ModelInferRequest};
    use super::*;
    use proptest::prelude::*;

    fn request(contents: InferTensorContents) -> Vec<u8> {
        let input =
            InferInputTensor { name: "x".into(), contents: Some(contents), ..InferInputTensor::default() };
        ModelInferRequest { inputs: vec![input], ..ModelInferRequest::default() }.encode_to_vec()
    }

    #[test]
    fn what_would_grow_too_much_is_refused() {
        assert!(weigh(&[0x2a_u8, 0].repeat(MOST_FIELDS)).is_ok());
        assert!(weigh(&[0x2a_u8, 0].repeat(MOST_FIELDS + 1)).unwrap_err().contains("fields"));
        assert!(weigh(&[0x0b, 0x0c, 0x2a, 0]).unwrap_err().contains("group"));
        let parameters = [0x22_u8, 0].repeat(MOST_FIELDS + 1);
        let mut input = vec![0x2a];
        prost::encoding::encode_varint(parameters.len() as u64, &mut input);
        input.extend(parameters);
        assert!(weigh(&input).unwrap_err().contains("fields"));
        let fine = InferTensorContents { int64_contents: vec![1; 1000], ..InferTensorContents::default() };
        assert!(weigh(&request(fine)).is_ok());
        let numbers = InferTensorContents {
            int64_contents: vec![1; MOST_NUMBER_BYTES + 1],
            ..InferTensorContents::default()
        };
        assert!(weigh(&request(numbers)).unwrap_err().contains("whole numbers"));
        let half = InferTensorContents {
            uint64_contents: vec![1; MOST_NUMBER_BYTES / 2 + 1],
            ..InferTensorContents::default()
        };
        // As a writer that does not pack them would put them: a tag before each.
        let mut unpacked = vec![0x2a];
        let loose = [0x18_u8, 1].repeat(MOST_NUMBER_BYTES + 1);
        let mut contents = vec![0x2a];
        prost::encoding::encode_varint(loose.len() as u64, &mut contents);
        contents.extend(loose);
        prost::encoding::encode_varint(contents.len() as u64, &mut unpacked);
        unpacked.extend(contents);
        assert!(weigh(&unpacked).unwrap_err().contains("whole numbers"));
        let twice = request(half).repeat(2);
        assert!(weigh(&twice).unwrap_err().contains("whole numbers"), "divided among inputs it is as much");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = weigh(&bytes);
        }
    }
}
