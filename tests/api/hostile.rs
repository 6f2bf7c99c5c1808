//! Every trick that breaks other servers of the Open Inference Protocol: a clean 4xx, at once, and the memory is
//! afterwards what it was before.

use std::fmt::Display;
use std::time::{Duration, Instant};

use chasqui_tests::{Answer, Server};
use futures::{StreamExt, stream};
use reqwest::Method;

use crate::answers::assert_protocol_error;
use crate::fixtures::register;
use crate::graphs;

const INFER: &str = "/v2/models/pares/infer";
const NUMBER: &str = "/v2/models/enteros/infer";
const TEXT: &str = "/v2/models/textos/infer";
const JSON_LENGTH: &str = "inference-header-content-length";

/// A request that cannot be answered.
#[derive(Clone)]
struct Case {
    what: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Case {
    fn json(what: &'static str, body: Vec<u8>) -> Self {
        Self { what, path: INFER, headers: Vec::new(), body }
    }

    /// JSON and bytes behind it, with the length that the header says of the JSON.
    fn binary(what: &'static str, path: &'static str, length: &dyn Display, json: &str, tail: &[u8]) -> Self {
        let body = [json.as_bytes(), tail].concat();
        Self { what, path, headers: vec![(JSON_LENGTH, length.to_string())], body }
    }

    async fn send(&self, server: &Server) -> Answer {
        let mut request = server.request(Method::POST, self.path).body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        Answer::of(request.send().await.unwrap()).await.unwrap()
    }
}

/// A request whose one input has this shape and this text as data.
fn request(shape: &str, data: &str) -> String {
    format!("{{\"inputs\":[{{\"name\":\"x\",\"shape\":{shape},\"datatype\":\"FP32\",\"data\":{data}}}]}}")
}

/// JSON that announces bytes behind it.
fn announcing(name: &str, shape: &str, datatype: &str, size: &dyn Display) -> String {
    format!(
        "{{\"inputs\":[{{\"name\":\"{name}\",\"shape\":{shape},\"datatype\":\"{datatype}\",\
         \"parameters\":{{\"binary_data_size\":{size}}}}}]}}"
    )
}

fn json_cases() -> Vec<Case> {
    let good = request("[1,4]", "[1,2,3,4]");
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mut cases: Vec<Case> = Vec::new();
    let mut case = |what: &'static str, body: String| cases.push(Case::json(what, body.into_bytes()));
    case("nothing", String::new());
    case("a list", "[]".into());
    case("a number", "7".into());
    case("no inputs", "{}".into());
    case("empty inputs", "{\"inputs\":[]}".into());
    case("null inputs", "{\"inputs\":null}".into());
    case("no rows", request("[0,4]", "[]"));
    case("a shape that wraps", request("[4611686018427387906,4]", "[1,2,3,4,5,6,7,8]"));
    case("a shape beyond 64 bits", request("[18446744073709551617,4]", "[1,2,3,4]"));
    case("a shape of billions", request("[1000000000,4]", "[1,2,3,4]"));
    case("a negative shape", request("[-1,4]", "[1,2,3,4]"));
    case("two negative sizes", request("[-1,-4]", "[1,2,3,4]"));
    case("a broken shape", request("[1.5,4]", "[1,2,3,4]"));
    case("a text as shape", request("\"1,4\"", "[1,2,3,4]"));
    case("no axes", request("[]", "[1]"));
    case("a million axes", request(&format!("[{}4]", "1,".repeat(1_000_000)), "[1,2,3,4]"));
    case("three axes", request("[1,1,4]", "[1,2,3,4]"));
    case("another width", request("[1,5]", "[1,2,3,4,5]"));
    case("too few values", request("[1,4]", "[1,2,3]"));
    case("too many values", request("[1,4]", "[1,2,3,4,5]"));
    case("ragged rows", request("[2,4]", "[[1,2,3,4],[5,6,7]]"));
    case("null as data", request("[1,4]", "null"));
    case("texts as numbers", request("[1,4]", "[\"1\",2,3,4]"));
    case("truth among numbers", request("[1,4]", "[true,2,3,4]"));
    case("an object as data", request("[1,4]", "{\"a\":1}"));
    case("NaN", request("[1,4]", "[NaN,2,3,4]"));
    case("deep data", request("[1,4]", &nested(100_000)));
    case("deep data before the shape", format!("{{\"inputs\":[{{\"data\":{}", nested(100_000)));
    case("deep parameters", format!("{{\"parameters\":{},{}", nested(100_000), &good[1..]));
    case("deep unknown member", format!("{{\"future\":{},{}", "{\"a\":".repeat(100_000), &good[1..]));
    case("an unknown type", good.replace("FP32", "FP31"));
    case("another type", good.replace("FP32", "BYTES"));
    case("no type", good.replace("\"datatype\":\"FP32\",", ""));
    case("no shape", good.replace("\"shape\":[1,4],", ""));
    case("no name", good.replace("\"name\":\"x\",", ""));
    case("no data", good.replace(",\"data\":[1,2,3,4]", ""));
    case("an unknown input", good.replace("\"x\"", "\"y\""));
    case("data twice", good.replace("\"data\":[1,2,3,4]", "\"data\":[1,2,3,4],\"data\":[1,2,3,4]"));
    case("inputs twice", format!("{},{}", &good[..good.len() - 1], &good[1..]));
    let inner = &good["{\"inputs\":[".len()..good.len() - 2];
    case("an input twice", format!("{{\"inputs\":[{inner},{inner}]}}"));
    case("an unknown output", format!("{},\"outputs\":[{{\"name\":\"third\"}}]}}", &good[..good.len() - 1]));
    case(
        "an output twice",
        format!("{},\"outputs\":[{{\"name\":\"first\"}},{{\"name\":\"first\"}}]}}", &good[..good.len() - 1]),
    );
    case("empty outputs", format!("{},\"outputs\":[]}}", &good[..good.len() - 1]));
    let parameters = |text: &str| good.replacen('{', &format!("{{\"parameters\":{text},"), 1);
    case("parameters that are a list", parameters("[1]"));
    case("a timeout in words", parameters("{\"timeout\":\"soon\"}"));
    case("a negative timeout", parameters("{\"timeout\":-1}"));
    case("a priority in words", parameters("{\"priority\":\"high\"}"));
    case("a switch that is a number", parameters("{\"binary_data_output\":1}"));
    let output = |text: &str| {
        let outputs = format!("{{\"outputs\":[{{\"name\":\"first\",\"parameters\":{text}}}],");
        good.replacen('{', &outputs, 1)
    };
    case("a negative number of classes", output("{\"classification\":-1}"));
    case("half a class", output("{\"classification\":0.5}"));
    case("a text as binary", output("{\"binary_data\":\"yes\"}"));
    case(
        "a size of binary data that is not there",
        good.replace("\"data\":[1,2,3,4]", "\"parameters\":{\"binary_data_size\":16}"),
    );
    case("a number too large for its type", request("[1,4]", "[1e39,2,3,4]"));
    case("a number as id", good.replacen('{', "{\"id\":7,", 1));
    case("something after the end", format!("{good} x"));
    case("a lone surrogate", good.replacen('{', "{\"id\":\"\\ud800\",", 1));
    for cut in [1, 12, good.len() / 2, good.len() - 1] {
        case("cut short", good[..cut].to_owned());
    }
    let mut not_utf8 = good.replacen('{', "{\"id\":\"??\",", 1).into_bytes();
    let place = not_utf8.iter().position(|byte| *byte == b'?').unwrap();
    not_utf8[place] = 0xff;
    cases.push(Case::json("an id that is not UTF-8", not_utf8));
    cases
}

/// The same input with sixteen bytes of numbers, and what can be wrong with that.
fn binary_cases() -> Vec<Case> {
    let sixteen = [0_u8; 16];
    let good = announcing("x", "[1,4]", "FP32", &16);
    let exact = |what, json: &str, tail: &[u8]| Case::binary(what, INFER, &json.len(), json, tail);
    let mut cases = vec![
        Case::binary("a length beyond the body", INFER, &(good.len() + 17), &good, &sixteen),
        Case::binary("a length of billions", INFER, &"18446744073709551615", &good, &sixteen),
        Case::binary("a length beyond 64 bits", INFER, &"99999999999999999999", &good, &sixteen),
        Case::binary("a negative length", INFER, &"-1", &good, &sixteen),
        Case::binary("a length in words", INFER, &"ten", &good, &sixteen),
        Case::binary("a length within the JSON", INFER, &(good.len() - 1), &good, &sixteen),
        Case::binary("a length that takes a byte of the tensor", INFER, &(good.len() + 1), &good, &sixteen),
        exact("a body cut short", &good, &sixteen[..15]),
        exact("no tensor at all", &good, b""),
        exact("bytes that nobody announced", &good, &[0; 20]),
        exact("bytes behind JSON tensors", &request("[1,4]", "[1,2,3,4]"), &sixteen),
        exact("a size that is not the shape's", &announcing("x", "[1,4]", "FP32", &12), &sixteen[..12]),
        exact("a size of billions", &announcing("x", "[1,4]", "FP32", &u64::MAX), &sixteen),
        exact("a negative size", &announcing("x", "[1,4]", "FP32", &-16), &sixteen),
        exact("a size in words", &announcing("x", "[1,4]", "FP32", &"\"16\""), &sixteen),
        exact("no rows", &announcing("x", "[0,4]", "FP32", &0), b""),
        exact("a shape that wraps", &announcing("x", "[4611686018427387906,4]", "FP32", &32), &[0; 32]),
        exact("a shape of billions", &announcing("x", "[1000000000,4]", "FP32", &16), &sixteen),
        exact("a negative shape", &announcing("x", "[-1,4]", "FP32", &16), &sixteen),
        exact("another type", &announcing("x", "[1,4]", "INT32", &16), &sixteen),
        exact("a wider type", &announcing("x", "[1,4]", "FP64", &32), &[0; 32]),
        exact("halves of the wrong length", &announcing("x", "[1,4]", "FP16", &16), &sixteen),
        exact("an unknown type", &announcing("x", "[1,4]", "FP8", &4), &[0; 4]),
        exact("an unknown input", &announcing("y", "[1,4]", "FP32", &16), &sixteen),
    ];
    let both = good.replace("\"parameters\"", "\"data\":[1,2,3,4],\"parameters\"");
    cases.push(exact("data in both forms", &both, &sixteen));
    let half = "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],\"datatype\":\"BF16\",\"data\":[1,2,3,4]}]}";
    cases.push(Case::json("halves in JSON", half.as_bytes().to_vec()));
    for size in [0, 1, 15, 17, 33] {
        cases.push(Case::binary("a bare body that fills no row", INFER, &0, "", &vec![0; size]));
    }
    cases.push(Case::binary("a bare body for several inputs", "/v2/models/ventas/infer", &0, "", &sixteen));
    cases.push(Case {
        headers: vec![("content-encoding", "gzip".into()), (JSON_LENGTH, "4".into())],
        ..Case::json("a body that is not gzip", b"not gzip".to_vec())
    });
    cases.push(Case {
        headers: vec![("content-encoding", "deflate".into())],
        ..Case::json("a body that is not deflate", good.clone().into_bytes())
    });
    cases.extend(text_cases());
    let wide = announcing("n", "[1,1]", "INT64", &4);
    cases.push(Case::binary("half a whole number", NUMBER, &wide.len(), &wide, &[0; 4]));
    cases
}

/// Texts are their length and themselves.
fn text_cases() -> Vec<Case> {
    let texts: [(&str, &str, &[u8]); 8] = [
        ("a length past the end", "[1,1]", &[5, 0, 0, 0, b'Q', b'u']),
        ("a length of gigabytes", "[1,1]", &[255, 255, 255, 255, b'Q', b'u']),
        ("a length cut off", "[1,1]", &[5, 0, 0]),
        ("the second text missing", "[2,1]", &[1, 0, 0, 0, b'Q', 0]),
        ("bytes behind the last text", "[1,1]", &[1, 0, 0, 0, b'Q', b'u']),
        ("a text that is not UTF-8", "[1,1]", &[1, 0, 0, 0, 0xff]),
        ("texts of billions", "[4294967296,1]", &[0; 8]),
        ("no text", "[1,1]", &[]),
    ];
    let case = |(what, shape, tail): (&'static str, &str, &[u8])| {
        let json = announcing("t", shape, "BYTES", &tail.len());
        Case::binary(what, TEXT, &json.len(), &json, tail)
    };
    texts.map(case).to_vec()
}

async fn served() -> Server {
    let server = Server::start().await;
    for (name, model) in [
        ("pares", graphs::two_outputs()),
        ("enteros", graphs::whole_number()),
        ("textos", graphs::text()),
        ("ventas", crate::fixtures::regression(4.0)),
    ] {
        register(&server, name, model).await.ok();
    }
    server
}

fn cases() -> Vec<Case> {
    [json_cases(), binary_cases()].concat()
}

#[tokio::test]
async fn hostile_requests_get_a_clean_4xx_at_once() {
    let server = served().await;
    for case in cases() {
        let started = Instant::now();
        let answer = case.send(&server).await;
        assert_protocol_error(&answer, case.what);
        let elapsed = started.elapsed();
        assert!(elapsed < Duration::from_secs(2), "{} took {elapsed:?}", case.what);
    }
    let good = Case::json("a good one", request("[1,4]", "[1,2,3,4]").into_bytes());
    assert_eq!(good.send(&server).await.status, 200, "it still answers");
}

#[tokio::test]
async fn ten_thousand_hostile_requests_leave_the_memory_as_it_was() {
    const AT_ONCE: usize = 8;
    const REQUESTS: usize = 10_000;
    let server = served().await;
    let cases = cases();
    let send = async |count: usize| {
        let sent = stream::iter(cases.iter().cycle().take(count)).map(|case| case.send(&server));
        let statuses = sent.buffer_unordered(AT_ONCE).map(|answer| answer.status);
        assert!(statuses.all(async |status| status.is_client_error()).await);
    };
    // What every thread keeps for its next request is there after the first thousand.
    send(1000).await;
    let before = resident_bytes(server.pid());
    send(REQUESTS).await;
    let after = resident_bytes(server.pid());
    let grown = after.saturating_sub(before);
    assert!(grown < 8 << 20, "{before} bytes were resident before, {after} after");
}

/// `VmRSS` of a process.
fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kibibytes << 10
}
