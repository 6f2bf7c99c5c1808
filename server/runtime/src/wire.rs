//! Measures a protobuf file without decoding it.
//!
//! Decoding turns a two-byte empty node into hundreds of bytes of memory, so a small file could ask for
//! gigabytes. This pass walks the messages on the wire, allocates nothing and adds up what they would take.

use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto};

use crate::ModelError;

/// Deepest nesting of messages; graphs within graphs count four levels each.
const MAX_DEPTH: usize = 64;
/// Bytes of memory for each byte of messages that are not walked: two bytes make the smallest dimension.
const DENSE: usize = 32;

/// What a file would cost.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Operator nodes, those of subgraphs and functions included.
    pub(crate) nodes: usize,
    /// Bytes of memory of the decoded messages, estimated.
    pub(crate) memory: usize,
}

/// The messages of `onnx.proto` that are walked.
#[derive(Debug, Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Function,
    Training,
}

/// What a field holds.
enum Field {
    Message(Message, usize),
    /// Texts and bytes.
    Bytes,
    /// Variable-length integers, one by one or packed; eight bytes each once decoded.
    Integers,
    /// Fixed-size numbers, packed: as large as on the wire.
    Numbers,
    /// A message of small messages.
    Dense,
}

impl Message {
    fn field(self, number: u64) -> Field {
        let graph = || Field::Message(Message::Graph, size_of::<GraphProto>());
        let node = || Field::Message(Message::Node, size_of::<NodeProto>());
        let tensor = || Field::Message(Message::Tensor, size_of::<TensorProto>());
        match (self, number) {
            (Message::Model, 7) | (Message::Attribute, 6 | 11) | (Message::Training, 1 | 2) => graph(),
            (Message::Model, 25) => Field::Message(Message::Function, size_of::<NodeProto>()),
            (Message::Model, 20) => Field::Message(Message::Training, size_of::<GraphProto>()),
            (Message::Graph, 1) | (Message::Function, 7) => node(),
            (Message::Graph, 5) | (Message::Attribute, 5 | 10) => tensor(),
            (Message::Node, 5) => Field::Message(Message::Attribute, size_of::<AttributeProto>()),
            (Message::Attribute, 8) | (Message::Tensor, 1 | 5 | 7 | 11) => Field::Integers,
            (Message::Attribute, 7) | (Message::Tensor, 4 | 10) => Field::Numbers,
            (Message::Function | Message::Training, _)
            | (Message::Model, 8 | 14)
            | (Message::Graph, 11..=15)
            | (Message::Attribute, 15 | 22 | 23)
            | (Message::Tensor, 3 | 13) => Field::Dense,
            _ => Field::Bytes,
        }
    }
}

/// Adds up what the file would take once decoded.
pub(crate) fn measure(bytes: &[u8]) -> Result<Cost, ModelError> {
    let mut cost = Cost::default();
    walk(bytes, Message::Model, 0, &mut cost)?;
    Ok(cost)
}

fn broken() -> ModelError {
    ModelError::Invalid("the file is truncated or not ONNX".into())
}

fn walk(mut bytes: &[u8], message: Message, depth: usize, cost: &mut Cost) -> Result<(), ModelError> {
    if depth > MAX_DEPTH {
        return Err(ModelError::Invalid("graphs are nested too deeply".into()));
    }
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        match (key & 7, message.field(key >> 3)) {
            (0, _) => {
                varint(&mut bytes)?;
                cost.memory += 8;
            }
            (1, _) => {
                take(&mut bytes, 8)?;
                cost.memory += 8;
            }
            (5, _) => {
                take(&mut bytes, 4)?;
                cost.memory += 4;
            }
            (2, field) => {
                let length = usize::try_from(varint(&mut bytes)?).map_err(|_| broken())?;
                let content = take(&mut bytes, length)?;
                value(content, &field, depth, cost)?;
            }
            _ => return Err(broken()),
        }
    }
    Ok(())
}

fn value(content: &[u8], field: &Field, depth: usize, cost: &mut Cost) -> Result<(), ModelError> {
    let memory = match field {
        Field::Message(inner, size) => {
            cost.nodes += usize::from(matches!(inner, Message::Node));
            walk(content, *inner, depth + 1, cost)?;
            *size
        }
        Field::Bytes => content.len() + size_of::<String>(),
        Field::Integers => 8 * content.iter().filter(|byte| **byte < 0x80).count(),
        Field::Numbers => content.len(),
        Field::Dense => DENSE * content.len() + size_of::<ValueInfoProto>(),
    };
    cost.memory = cost.memory.saturating_add(memory);
    Ok(())
}

fn varint(bytes: &mut &[u8]) -> Result<u64, ModelError> {
    let mut value = 0_u64;
    for (position, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * position);
        if byte < 0x80 {
            *bytes = &bytes[position + 1..];
            return Ok(value);
        }
    }
    Err(broken())
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], ModelError> {
    let (content, rest) = bytes.split_at_checked(length).ok_or_else(broken)?;
    *bytes = rest;
    Ok(content)
}
