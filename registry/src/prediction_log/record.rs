//! The bytes of the local log: frames, shapes and predictions.
//!
//! A segment file is a header and then frames `[mark u32][length u32][crc32 u32][payload]`, little-endian. The
//! mark is a number that the segment drew for itself and that also seeds the checksums: after damaged bytes the
//! reader looks for the next mark and goes on, and no text inside a record can pass for a frame.
//! A payload is either a [`Shape`], which says what a service version's inputs are called, or a [`Record`] that
//! refers to one. Shapes may repeat, and may follow the records that refer to them.

use chasqui_runtime::Value;
use uuid::Uuid;

use super::pseudonym::Pseudonymiser;
use super::shape::Shape;
use crate::Micros;

/// Longest payload; a longer one is refused on append and taken for damage on reading.
pub const MAX_PAYLOAD: usize = 16 << 20;
const FRAME_HEADER: usize = 12;
const KIND_SHAPE: u8 = 1;
const KIND_RECORD: u8 = 2;

/// Which side of a rollout answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm {
    /// The version that has been serving.
    Stable,
    /// The version on trial.
    Canary,
}

impl Arm {
    /// Its name in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
        }
    }

    /// The arm of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Stable, Self::Canary].into_iter().find(|arm| arm.as_str() == text)
    }
}

/// The rollout that a prediction was part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolloutMark {
    /// The rollout.
    pub id: Uuid,
    /// Its segment, which grows with every change of weight.
    pub segment: i64,
    /// The side that answered.
    pub arm: Arm,
}

/// One prediction, borrowing its texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    /// A UUIDv7.
    pub id: Uuid,
    /// When it was answered.
    pub at: Micros,
    /// How long the answer took.
    pub latency_us: u64,
    /// The rollout it was part of.
    pub rollout: Option<RolloutMark>,
    /// The entity it was made for.
    pub key: Option<&'a str>,
    /// The request that asked for it.
    pub request_id: Option<&'a str>,
    /// The inputs in the order of the shape's features.
    pub inputs: Vec<Value<'a>>,
    /// The predicted class.
    pub label: Value<'a>,
    /// The probability that goes with it.
    pub score: Option<f64>,
    /// The predicted number.
    pub value: Option<f64>,
    /// The answer was an error.
    pub error: bool,
}

/// Appends a frame around what `write` appends; takes it back and returns `false` when it is too long.
fn frame(out: &mut Vec<u8>, mark: u32, write: impl FnOnce(&mut Vec<u8>)) -> bool {
    let start = out.len();
    out.extend_from_slice(&mark.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    write(out);
    let length = out.len() - start - FRAME_HEADER;
    if length > MAX_PAYLOAD {
        out.truncate(start);
        return false;
    }
    out[start + 4..start + 8].copy_from_slice(&(length as u32).to_le_bytes());
    let crc = checksum(mark, &out[start + FRAME_HEADER..]);
    out[start + 8..start + 12].copy_from_slice(&crc.to_le_bytes());
    true
}

fn checksum(mark: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(mark);
    hasher.update(payload);
    hasher.finalize()
}

/// Appends a frame with a shape.
pub(crate) fn encode_shape(out: &mut Vec<u8>, mark: u32, shape: &Shape) -> bool {
    frame(out, mark, |out| {
        out.push(KIND_SHAPE);
        out.extend_from_slice(shape.encoded());
    })
}

/// Appends a frame with a record; personal values are replaced by their pseudonyms on the way.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    mark: u32,
    shape: &Shape,
    record: &Record<'_>,
    pseudonymiser: &Pseudonymiser,
) -> bool {
    frame(out, mark, |out| {
        out.push(KIND_RECORD);
        out.extend_from_slice(&shape.digest().to_le_bytes());
        encode_head(out, record);
        match record.key {
            Some(key) if shape.key_is_personal() => put_text(out, &pseudonymiser.pseudonym(key)),
            Some(key) => put_text(out, key),
            None => {}
        }
        if let Some(request_id) = record.request_id {
            put_text(out, request_id);
        }
        put_value(out, record.label);
        for number in [record.score, record.value].into_iter().flatten() {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&(record.inputs.len() as u32).to_le_bytes());
        for (place, &value) in record.inputs.iter().enumerate() {
            if shape.is_personal(place) {
                match pseudonymiser.pseudonym_of(value) {
                    Some(pseudonym) => put_value(out, Value::Text(&pseudonym)),
                    None => put_value(out, Value::Missing),
                }
            } else {
                put_value(out, value);
            }
        }
    })
}

fn encode_head(out: &mut Vec<u8>, record: &Record<'_>) {
    let flags = u8::from(record.key.is_some())
        | u8::from(record.request_id.is_some()) << 1
        | u8::from(record.rollout.is_some()) << 2
        | u8::from(record.score.is_some()) << 3
        | u8::from(record.value.is_some()) << 4
        | u8::from(record.error) << 5;
    out.push(flags);
    out.extend_from_slice(record.id.as_bytes());
    out.extend_from_slice(&record.at.0.to_le_bytes());
    out.extend_from_slice(&record.latency_us.to_le_bytes());
    if let Some(rollout) = record.rollout {
        out.extend_from_slice(rollout.id.as_bytes());
        out.extend_from_slice(&rollout.segment.to_le_bytes());
        out.push(u8::from(rollout.arm == Arm::Canary));
    }
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Missing => out.push(0),
        Value::Number(number) => {
            out.push(1);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Text(text) => {
            out.push(2);
            put_text(out, text);
        }
    }
}

/// Reads a payload that is a shape, at no cost when it is not.
pub(crate) fn decode_shape(payload: &[u8]) -> Option<Shape> {
    if payload.first() != Some(&KIND_SHAPE) {
        return None;
    }
    Shape::decode(&mut Cursor { rest: &payload[1..] })
}

/// Reads a payload that is a record: the digest of its shape and the record; `None` when it is not one.
pub(crate) fn decode_record(payload: &[u8]) -> Option<(u64, Record<'_>)> {
    if payload.first() != Some(&KIND_RECORD) {
        return None;
    }
    decode_record_body(&mut Cursor { rest: &payload[1..] })
}

fn decode_record_body<'a>(cursor: &mut Cursor<'a>) -> Option<(u64, Record<'a>)> {
    let shape = u64::from_le_bytes(cursor.array()?);
    let flags = cursor.byte()?;
    let has = |bit: u8| flags & (1 << bit) != 0;
    let id = Uuid::from_bytes(cursor.array()?);
    let at = Micros(i64::from_le_bytes(cursor.array()?));
    let latency_us = u64::from_le_bytes(cursor.array()?);
    let rollout = if has(2) { Some(decode_rollout(cursor)?) } else { None };
    let key = if has(0) { Some(cursor.text()?) } else { None };
    let request_id = if has(1) { Some(cursor.text()?) } else { None };
    let label = decode_value(cursor)?;
    let score = if has(3) { Some(f64::from_le_bytes(cursor.array()?)) } else { None };
    let value = if has(4) { Some(f64::from_le_bytes(cursor.array()?)) } else { None };
    let count = cursor.length()?;
    // Every value takes a byte at least: a larger count is damage, not a reason to reserve memory.
    if count > cursor.rest.len() {
        return None;
    }
    let inputs = (0..count).map(|_| decode_value(cursor)).collect::<Option<Vec<_>>>()?;
    let error = has(5);
    let record = Record { id, at, latency_us, rollout, key, request_id, inputs, label, score, value, error };
    cursor.rest.is_empty().then_some((shape, record))
}

fn decode_rollout(cursor: &mut Cursor<'_>) -> Option<RolloutMark> {
    let id = Uuid::from_bytes(cursor.array()?);
    let segment = i64::from_le_bytes(cursor.array()?);
    let arm = match cursor.byte()? {
        0 => Arm::Stable,
        1 => Arm::Canary,
        _ => return None,
    };
    Some(RolloutMark { id, segment, arm })
}

fn decode_value<'a>(cursor: &mut Cursor<'a>) -> Option<Value<'a>> {
    match cursor.byte()? {
        0 => Some(Value::Missing),
        1 => Some(Value::Number(f64::from_le_bytes(cursor.array()?))),
        2 => Some(Value::Text(cursor.text()?)),
        _ => None,
    }
}

/// Takes values off the front of a payload; `None` at its end.
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn length(&mut self) -> Option<usize> {
        Some(u32::from_le_bytes(self.array()?) as usize)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).ok()
    }
}

/// Walks the frames of a segment after its header, past damage.
pub(crate) struct Frames<'a> {
    mark: u32,
    rest: &'a [u8],
    damaged: usize,
}

impl<'a> Frames<'a> {
    pub(crate) fn new(mark: u32, bytes: &'a [u8]) -> Self {
        Self { mark, rest: bytes, damaged: 0 }
    }

    /// Bytes that belong to no whole frame: a write cut short by the end of its process or a full disk.
    pub(crate) fn damaged_bytes(&self) -> usize {
        self.damaged
    }

    fn at_front(&self) -> Option<&'a [u8]> {
        let mut cursor = Cursor { rest: self.rest };
        if u32::from_le_bytes(cursor.array()?) != self.mark {
            return None;
        }
        let length = cursor.length().filter(|length| (1..=MAX_PAYLOAD).contains(length))?;
        let crc = u32::from_le_bytes(cursor.array()?);
        let payload = cursor.take(length)?;
        (checksum(self.mark, payload) == crc).then_some(payload)
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            if let Some(payload) = self.at_front() {
                self.rest = &self.rest[FRAME_HEADER + payload.len()..];
                return Some(payload);
            }
            let mark = self.mark.to_le_bytes();
            let skip = self.rest[1..].windows(4).position(|bytes| bytes == mark).map(|place| place + 1);
            let skip = skip.unwrap_or(self.rest.len());
            self.damaged += skip;
            self.rest = &self.rest[skip..];
        }
        None
    }
}

#[cfg(test)]
mod tests;
