//! The Open Inference Protocol over REST: what clients of it rely on.

use chasqui_tests::{Answer, Server};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::assert_protocol_error;
use crate::fixtures::{register, regression};
use crate::graphs;

const INFER: &str = "/v2/models/pares/infer";

async fn pairs() -> Server {
    let server = Server::start().await;
    register(&server, "pares", graphs::two_outputs()).await.ok();
    server
}

async fn infer(server: &Server, body: &[u8]) -> Answer {
    // tritonclient says nothing about the type of its JSON.
    server.send(Method::POST, INFER, "", body.to_vec()).await
}

/// A request whose one input has this shape and this text as data.
fn request(shape: &str, data: &str) -> String {
    format!("{{\"inputs\":[{{\"name\":\"x\",\"shape\":{shape},\"datatype\":\"FP32\",\"data\":{data}}}]}}")
}

/// The numbers of an output.
fn data(answer: &Value, output: usize) -> Vec<f64> {
    answer["outputs"][output]["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap())
        .collect()
}

#[tokio::test]
async fn server_and_models_describe_themselves() {
    let server = pairs().await;
    assert_eq!(server.get("/v2/health/live").await.ok()["live"], true);
    assert_eq!(server.get("/v2/health/ready").await.ok()["ready"], true);
    let about = server.get("/v2").await.ok();
    assert_eq!(about["name"], "chasqui");
    assert!(about["version"].is_string() && about["extensions"].is_array(), "{about}");
    for path in ["/v2/models/pares", "/v2/models/pares/versions/1"] {
        let model = server.get(path).await.ok();
        assert_eq!(model["name"], "pares");
        assert_eq!(model["platform"], "onnx_onnxv1");
        assert_eq!(model["versions"], json!(["1"]));
        assert_eq!(model["inputs"], json!([{ "name": "x", "datatype": "FP32", "shape": [-1, 4] }]));
        assert_eq!(model["outputs"][1]["name"], "second");
        assert_eq!(server.get(&format!("{path}/ready")).await.ok()["ready"], true);
    }
    assert_eq!(server.get("/v2/models/pares/versions/9").await.status, 404);
    assert_eq!(server.get("/v2/models/pares/versions/nine/ready").await.status, 404);
    assert_eq!(server.get("/v2/models/otro").await.status, 404);
}

#[tokio::test]
async fn an_answer_has_the_id_and_the_outputs_that_were_asked_for() {
    let server = pairs().await;
    let plain = infer(&server, request("[1,4]", "[4.7,-0.1,1e-30,16777216]").as_bytes()).await;
    assert_eq!(plain.header("x-model-version"), Some("1"));
    // The shortest digits that read back as the same single: 4.7, not 4.699999809265137.
    assert!(plain.text().contains("\"data\":[4.7,-0.1,1e-30,16777216"), "{}", plain.text());
    let plain = plain.ok();
    assert_eq!((&plain["model_name"], &plain["model_version"]), (&json!("pares"), &json!("1")));
    assert_eq!(plain.get("id"), None);
    let names: Vec<&Value> =
        plain["outputs"].as_array().unwrap().iter().map(|output| &output["name"]).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(plain["outputs"][1]["shape"], json!([1, 4]));
    assert_eq!(plain["outputs"][1]["datatype"], "FP32");

    let chosen = json!({
        "id": "pedido-ñ-17",
        "parameters": { "key": "cliente-3" },
        "inputs": [{ "name": "x", "shape": [2, 4], "datatype": "FP32", "data": [[1, 2, 3, 4], [5, 6, 7, 8]] }],
        "outputs": [{ "name": "second" }, { "name": "first", "parameters": {} }],
    });
    let chosen = server.post("/v2/models/pares/versions/1/infer", &chosen).await.ok();
    assert_eq!(chosen["id"], "pedido-ñ-17");
    assert_eq!(chosen["outputs"][0]["name"], "second");
    assert_eq!(data(&chosen, 0), [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0]);
    assert_eq!(chosen["outputs"][1]["name"], "first");
    let one = json!({
        "inputs": [{ "name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4] }],
        "outputs": [{ "name": "second" }],
    });
    assert_eq!(server.post(INFER, &one).await.ok()["outputs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn odd_but_right_requests_are_answered() {
    let server = pairs().await;
    for (what, body) in [
        (
            "data before shape and type",
            "{\"inputs\":[{\"data\":[1,2,3,4],\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,4]}]}"
                .to_owned(),
        ),
        (
            "nested data before its shape",
            "{\"inputs\":[{\"data\":[[1,2,3,4]],\"shape\":[1,4],\"datatype\":\"FP32\",\"name\":\"x\"}]}"
                .to_owned(),
        ),
        (
            "escaped keys",
            request("[1,4]", "[1,2,3,4]").replace("inputs", "in\\u0070uts").replace("shape", "sh\\u0061pe"),
        ),
        ("line ends", request("[1,4]", "[1,\r\n2,\t3,\r\n4]\r\n")),
        ("forty digits", request("[1,4]", "[1.0000000000000000000000000000000000000001,2,3,4]")),
        ("exponents", request("[1,4]", "[10e-1,0.2E+1,3,4]")),
        (
            "an empty id and unknown members",
            request("[1,4]", "[1,2,3,4]").replacen('{', "{\"id\":\"\",\"future\":{\"a\":[1]},", 1),
        ),
    ] {
        let answer = infer(&server, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        assert_eq!(data(&answer.json(), 0), [1.0, 2.0, 3.0, 4.0], "{what}");
    }
    // JSON has no NaN: a missing number is null, on the way in and on the way out.
    let missing = infer(&server, request("[1,4]", "[1,null,3,4]").as_bytes()).await.ok();
    assert_eq!(missing["outputs"][1]["data"][1], Value::Null);
}

#[tokio::test]
async fn whole_numbers_are_exact_and_have_their_range() {
    let server = Server::start().await;
    register(&server, "enteros", graphs::whole_number()).await.ok();
    let send = async |data: &str| {
        let body = format!(
            "{{\"inputs\":[{{\"name\":\"n\",\"shape\":[1,1],\"datatype\":\"INT64\",\"data\":{data}}}]}}"
        );
        server.send(Method::POST, "/v2/models/enteros/infer", "", body.into_bytes()).await
    };
    for number in ["9007199254740993", "-9223372036854775808", "9223372036854775807", "0"] {
        let answer = send(&format!("[{number}]")).await;
        assert!(answer.text().contains(&format!("\"data\":[{number}]")), "{number}: {}", answer.text());
    }
    for data in ["[9223372036854775808]", "[1.5]", "[1e30]", "[\"7\"]", "[true]", "[null]"] {
        assert_protocol_error(&send(data).await, data);
    }
}

#[tokio::test]
async fn texts_are_bytes() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let body = |store: Value, rows: Value| {
        json!({ "inputs": [
            { "name": "price", "shape": rows, "datatype": "FP32", "data": [5.0] },
            { "name": "store", "shape": [1, 1], "datatype": "BYTES", "data": [store] },
        ]})
    };
    let path = "/v2/models/ventas/infer";
    let value =
        server.post(path, &body(json!("Cuenca"), json!([1, 1]))).await.ok()["outputs"][0]["data"][0].clone();
    assert!((value.as_f64().unwrap() - 65.0).abs() < 1.0, "50 + 4 · 5 − 5, not {value}");
    for store in [json!(7), json!(null)] {
        assert_protocol_error(&server.post(path, &body(store, json!([1, 1]))).await, "a text that is none");
    }
    let uneven = json!({ "inputs": [
        { "name": "price", "shape": [2, 1], "datatype": "FP32", "data": [5.0, 6.0] },
        { "name": "store", "shape": [1, 1], "datatype": "BYTES", "data": ["Quito"] },
    ]});
    assert_protocol_error(&server.post(path, &uneven).await, "inputs of different lengths");
}
