//! The smallest useful ONNX file, written field by field: `y = x · w`.

use bytes::Bytes;

const FLOAT: u64 = 1;

/// A linear model of as many features as weights: input `x` of [N, F], output `variable` of [N, 1].
pub(crate) fn linear(weights: &[f32]) -> Bytes {
    let features = weights.len() as u64;
    let node = [text(1, "x"), text(1, "w"), text(2, "variable"), text(4, "MatMul")].concat();
    let raw: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
    let initializer =
        [number(1, features), number(1, 1), number(2, FLOAT), text(8, "w"), message(9, &raw)].concat();
    let graph = [
        message(1, &node),
        text(2, "linear"),
        message(5, &initializer),
        message(11, &value_info("x", features)),
        message(12, &value_info("variable", 1)),
    ]
    .concat();
    let opset = [text(1, ""), number(2, 13)].concat();
    [number(1, 8), message(7, &graph), message(8, &opset)].concat().into()
}

/// The same with an operator that nobody has.
pub(crate) fn unsupported() -> Bytes {
    let bytes = linear(&[1.0, 2.0]);
    let position = bytes.windows(6).position(|window| window == b"MatMul").unwrap();
    let mut bytes = bytes.to_vec();
    bytes[position..position + 6].copy_from_slice(b"Foobar");
    bytes.into()
}

fn value_info(name: &str, columns: u64) -> Vec<u8> {
    let shape = [message(1, &text(2, "N")), message(1, &number(1, columns))].concat();
    let tensor_type = [number(1, FLOAT), message(2, &shape)].concat();
    [text(1, name), message(2, &message(1, &tensor_type))].concat()
}

fn text(field: u64, text: &str) -> Vec<u8> {
    message(field, text.as_bytes())
}

fn message(field: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = varint(field << 3 | 2);
    out.extend(varint(bytes.len() as u64));
    out.extend_from_slice(bytes);
    out
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}
