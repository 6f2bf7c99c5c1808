use super::rest::parse;
use super::*;
use chasqui_runtime::{Outputs, TensorData};
use proptest::prelude::*;

fn signature() -> Signature {
    let spec = |name: &str, datatype, shape: &[i64]| TensorSpec {
        name: name.into(),
        datatype,
        shape: shape.to_vec(),
    };
    Signature {
        inputs: vec![spec("x", DataType::Fp32, &[-1, 2])],
        outputs: vec![spec("label", DataType::Int64, &[-1]), spec("probabilities", DataType::Fp32, &[-1, 2])],
        features: vec![],
        task: None,
        classes: vec![],
        roles: Outputs::default(),
    }
}

fn one(datatype: DataType) -> Signature {
    let mut signature = signature();
    signature.inputs[0] = TensorSpec { name: "x".into(), datatype, shape: vec![-1] };
    signature
}

fn numbers(body: &str) -> Vec<f32> {
    match parse(body.as_bytes(), None, &signature(), 100).unwrap().inputs.remove(0).data {
        TensorData::F32(values) => values,
        other => panic!("{other:?}"),
    }
}

fn refusal(body: &str) -> String {
    let problem = parse(body.as_bytes(), None, &signature(), 100).unwrap_err();
    assert_eq!(problem.status(), 400, "{}", problem.detail());
    problem.detail().to_owned()
}

fn with(shape: &str, data: &str) -> String {
    format!(r#"{{"inputs":[{{"name":"x","shape":{shape},"datatype":"FP32","data":{data}}}]}}"#)
}

#[test]
fn members_may_stand_in_any_order() {
    assert_eq!(numbers(&with("[2,2]", "[1,2,3,4]")), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(numbers(&with("[2,2]", "[[1,2],[3,4]]")), [1.0, 2.0, 3.0, 4.0]);
    let early = r#"{"inputs":[{"data":[[1,2]],"datatype":"FP32","shape":[1,2],"name":"x"}],"id":"a"}"#;
    assert_eq!(numbers(early), [1.0, 2.0]);
    let escaped = "{\r\n\"i\\u006eputs\":[{\"n\\u0061me\":\"\\u0078\",\r\n\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":[1,2]}]}";
    assert_eq!(numbers(escaped), [1.0, 2.0]);
    assert_eq!(
        numbers(&with("[1,2]", "[0.1234567890123456789012345678901234567890,1e-400]")),
        [0.123_456_79, 0.0]
    );
    assert!(numbers(&with("[1,2]", "[null,1]"))[0].is_nan());
}

#[test]
fn id_key_and_outputs_are_read() {
    let body = r#"{"id":"é\n","parameters":{"key":"c-9","binary_data_output":true},
        "outputs":[{"name":"probabilities","parameters":{"binary_data":false}},{"name":"label"}],
        "inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{},"data":[1,2]}]}"#;
    let request = parse(body.as_bytes(), None, &signature(), 100).unwrap();
    assert_eq!((request.id.as_deref(), request.key.as_deref()), (Some("é\n"), Some("c-9")));
    let wanted = |place, is_binary| Wanted { place, is_binary, classes: 0 };
    assert_eq!(request.outputs.as_slice(), [wanted(1, false), wanted(0, true)]);
}

#[test]
fn tricky_shapes_are_refused_before_memory_is_taken() {
    let cases = [
        ("[0,2]", "[]", "no rows"),
        ("[4611686018427387906,4]", "[1,2]", "elements"),
        ("[9223372036854775807,9223372036854775807]", "[1,2]", "elements"),
        ("[-1,2]", "[1,2]", "negative"),
        ("[1000000000,2]", "[1,2,3,4]", "elements"),
        ("[2]", "[1,2]", "shape"),
        ("[1,3]", "[1,2,3]", "shape"),
        ("[1,2]", "[1]", "elements"),
        ("[1,2]", "[1,2,3]", "elements"),
        ("[2,2]", "[[1,2,3],[4]]", "follow the shape"),
        ("[2,2]", "[[1,2],3,4]", "mixes"),
        ("[1,2]", "[[[1,2]]]", "follow the shape"),
        ("[1.5,2]", "[1,2]", "expected"),
        ("[99999999999999999999,2]", "[1,2]", "expected"),
        ("[1,2]", "[1,\"2\"]", "without quotes"),
        ("[1,2]", "[1,true]", "expected a number"),
        ("[1,2]", "[1e39,0]", "too large"),
        ("[1,2]", "[1e999,0]", "range"),
        ("[1,2]", "null", "expected"),
        ("[1,2]", "{}", "expected"),
    ];
    for (shape, data, part) in cases {
        let detail = refusal(&with(shape, data));
        assert!(detail.contains(part), "{shape} {data}: {detail}");
    }
}

#[test]
fn tricky_requests_are_refused_cleanly() {
    let input = r#"{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}"#;
    let cases = [
        (format!(r#"{{"inputs":[{input},{input}]}}"#), "twice"),
        (format!(r#"{{"inputs":[{input}],"inputs":[]}}"#), "twice"),
        (format!(r#"{{"inputs":[{input}],"outputs":[{{"name":"y"}}]}}"#), "does not exist"),
        (format!(r#"{{"inputs":[{input}],"outputs":[]}}"#), "empty"),
        (r#"{"inputs":[]}"#.into(), "missing"),
        (r#"{}"#.into(), "`inputs` is missing"),
        (r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32"}]}"#.into(), "`data`"),
        (r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP33","data":[1,2]}]}"#.into(), "FP33"),
        (r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}]}"#.into(), "must be FP32"),
        (r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP16","data":[1,2]}]}"#.into(), "binary"),
        (r#"{"inputs":[{"name":"z","shape":[1,2],"datatype":"FP32","data":[1,2]}]}"#.into(), "missing"),
        (format!("{{\"inputs\":{}", "[".repeat(100_000)), "the"),
        (with("[1,2]", &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))), "the"),
        (format!(r#"{{"inputs":[{{"data":{}{}"#, "[".repeat(100_000), "]".repeat(100_000)), "the"),
        (with("[1,2]", "[1,2]")[..40].into(), "not valid JSON"),
    ];
    for (body, part) in cases {
        let detail = refusal(&body);
        assert!(detail.contains(part), "{}: {detail}", &body[..body.len().min(80)]);
    }
    let problem = parse(b"{\"id\":\"\xff\",\"inputs\":[]}", None, &signature(), 100).unwrap_err();
    assert_eq!(problem.status(), 400);
}

#[test]
fn whole_numbers_are_exact() {
    let body = |datatype: &str, data: &str| {
        format!(r#"{{"inputs":[{{"name":"x","shape":[1],"datatype":"{datatype}","data":[{data}]}}]}}"#)
    };
    let parsed = |datatype, name: &str, data: &str| {
        parse(body(name, data).as_bytes(), None, &one(datatype), 9)
            .map(|request| request.inputs[0].data.clone())
    };
    assert_eq!(
        parsed(DataType::Int64, "INT64", "9007199254740993").unwrap(),
        TensorData::I64(vec![9_007_199_254_740_993])
    );
    assert!(parsed(DataType::Int64, "INT64", "9223372036854775808").is_err());
    assert!(parsed(DataType::Int64, "INT64", "1.0").is_err());
    assert!(parsed(DataType::Int64, "INT64", "null").is_err());
    assert!(parsed(DataType::Uint8, "UINT8", "256").is_err());
    assert_eq!(
        parsed(DataType::Uint64, "UINT64", "18446744073709551615").unwrap(),
        TensorData::U64(vec![u64::MAX])
    );
    assert!(parsed(DataType::Uint64, "UINT64", "-1").is_err());
    assert_eq!(parsed(DataType::Bool, "BOOL", "true").unwrap(), TensorData::Bool(vec![true]));
    assert_eq!(
        parsed(DataType::Bytes, "BYTES", "\"a\\\"b\"").unwrap(),
        TensorData::Text(vec!["a\"b".into()])
    );
    assert!(parsed(DataType::Bytes, "BYTES", "null").is_err());
}

/// A body whose first bytes are this JSON.
fn parsed<'a>(body: &'a [u8], json: &str, signature: &Signature) -> Result<InferRequest<'a>, Problem> {
    parse(body, Some(json.len()), signature, 100)
}

#[test]
fn binary_tensors_follow_the_json_in_the_order_of_the_inputs() {
    let mut signature = signature();
    signature.inputs.insert(0, TensorSpec { name: "t".into(), datatype: DataType::Bytes, shape: vec![-1] });
    let json = r#"{"inputs":[
        {"name":"x","datatype":"FP16","parameters":{"binary_data_size":4},"shape":[1,2]},
        {"name":"t","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":6,"future":[1]}}]}"#;
    let body = [json.as_bytes(), &[0x00, 0x3c, 0x00, 0xc0], &[2, 0, 0, 0, 0xc3, 0xb1]].concat();
    let request = parsed(&body, json, &signature).unwrap();
    assert_eq!(request.inputs[0].data, TensorData::Text(vec!["ñ".into()]));
    assert_eq!(request.inputs[1].data, TensorData::F32(vec![1.0, -2.0]));
    for cut in 1..=10 {
        assert!(parsed(&body[..body.len() - cut], json, &signature).is_err(), "{cut} bytes short");
    }
    let longer = [body.as_slice(), b"x"].concat();
    let detail = parsed(&longer, json, &signature).unwrap_err();
    assert!(detail.detail().contains("belong to no input"), "{}", detail.detail());
}

#[test]
fn a_body_without_json_is_the_only_input() {
    let whole = |bytes: &[u8], signature: &Signature| {
        parse(bytes, Some(0), signature, 100).map(|request| request.inputs[0].clone())
    };
    let rows = whole(&[0; 24], &signature()).unwrap();
    assert_eq!(rows.shape, [3, 2]);
    assert!(whole(&[0; 23], &signature()).is_err() && whole(&[0; 28], &signature()).is_err());
    assert!(whole(&[], &signature()).is_err());
    let text = whole("año".as_bytes(), &one(DataType::Bytes)).unwrap();
    assert_eq!((text.shape, text.data), (vec![1], TensorData::Text(vec!["año".into()])));
    assert!(whole(&[0xff], &one(DataType::Bytes)).is_err());
    let mut open = signature();
    open.inputs[0].shape = vec![-1, -1];
    assert!(whole(&[0; 24], &open).is_err(), "two open axes do not follow from a length");
    open.inputs[0].shape = vec![-1, 0];
    assert!(whole(&[0; 24], &open).is_err());
    open.inputs[0].shape = vec![-1, i64::MAX, i64::MAX];
    assert!(whole(&[0; 24], &open).is_err());
}

#[test]
fn what_an_output_says_wins_over_the_request() {
    let json = |outputs: &str| {
        format!(
            r#"{{"parameters":{{"binary_data_output":true,"timeout":250,"priority":2}},{outputs}
            "inputs":[{{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}}]}}"#
        )
    };
    let wanted = |outputs: &str| {
        let body = json(outputs);
        let request = parse(body.as_bytes(), None, &signature(), 9).unwrap();
        assert_eq!(request.timeout, Some(Duration::from_micros(250)));
        request.outputs.to_vec()
    };
    let output = |place, is_binary, classes| Wanted { place, is_binary, classes };
    assert_eq!(wanted(""), [output(0, true, 0), output(1, true, 0)]);
    let two = r#""outputs":[{"name":"probabilities","parameters":{"classification":2,"binary_data":false}},
        {"name":"label","parameters":null}],"#;
    assert_eq!(wanted(two), [output(1, false, 2), output(0, true, 0)]);
}

#[test]
fn what_has_no_json_form_is_refused_before_the_model_runs() {
    let mut signature = signature();
    signature.outputs[1].datatype = DataType::Fp16;
    let input = r#""inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]"#;
    let parsed = |more: &str| parse(format!("{{{more}{input}}}").as_bytes(), None, &signature, 9).map(|_| ());
    assert!(parsed("").unwrap_err().detail().contains("binary_data"));
    assert!(parsed(r#""parameters":{"binary_data_output":true},"#).is_ok());
    assert!(parsed(r#""outputs":[{"name":"label"}],"#).is_ok());
    assert!(parsed(r#""outputs":[{"name":"probabilities","parameters":{"classification":1}}],"#).is_ok());
    signature.outputs[0].datatype = DataType::Bytes;
    let classes =
        r#"{"outputs":[{"name":"label","parameters":{"classification":1}}],"#.to_owned() + input + "}";
    assert!(parse(classes.as_bytes(), None, &signature, 9).unwrap_err().detail().contains("no classes"));
}

proptest! {
    #[test]
    fn no_frame_makes_it_panic(json in ".{0,40}", tail: Vec<u8>, length in 0_usize..80) {
        let body = [json.as_bytes(), &tail].concat();
        let _ = parse(&body, Some(length), &signature(), 10);
    }

    #[test]
    fn no_announcement_makes_it_panic(shape: Vec<i64>, size: u64, tail: Vec<u8>, kind in "FP32|BYTES|BOOL|BF16") {
        let json = format!(
            r#"{{"inputs":[{{"name":"x","shape":{shape:?},"datatype":"{kind}","parameters":{{"binary_data_size":{size}}}}}]}}"#
        );
        let body = [json.as_bytes(), &tail].concat();
        let _ = parsed(&body, &json, &signature());
    }

    #[test]
    fn no_body_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes, None, &signature(), 10);
    }

    #[test]
    fn no_shape_and_data_make_it_panic(shape: Vec<i64>, data in "[\\[\\]0-9,.null\"-]{0,40}") {
        let _ = parse(with(&format!("{shape:?}"), &data).as_bytes(), None, &signature(), 10);
    }
}
