//! The extensions of the Open Inference Protocol over REST: binary tensors, classification, deadlines, descriptions.

use chasqui_tests::{Answer, Server};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::assert_protocol_error;
use crate::fixtures::{classification, register};
use crate::graphs;

const INFER: &str = "/v2/models/pares/infer";
const JSON_LENGTH: &str = "inference-header-content-length";

/// Sends JSON with bytes behind it.
async fn send(server: &Server, path: &str, json: &Value, tail: &[u8]) -> Answer {
    let json = json.to_string();
    let request = server.request(Method::POST, path).header(JSON_LENGTH, json.len());
    let body = [json.as_bytes(), tail].concat();
    Answer::of(request.body(body).send().await.unwrap()).await.unwrap()
}

/// The JSON of an answer, and what is behind it.
fn parts(answer: &Answer) -> (Value, Vec<u8>) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    let length: usize = answer.header(JSON_LENGTH).unwrap().parse().unwrap();
    let (json, tail) = answer.bytes.split_at(length);
    (serde_json::from_slice(json).unwrap(), tail.to_vec())
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn input(size: usize) -> Value {
    json!([{ "name": "x", "shape": [1, 4], "datatype": "FP32", "parameters": { "binary_data_size": size } }])
}

async fn pairs() -> Server {
    let server = Server::start().await;
    register(&server, "pares", graphs::two_outputs()).await.ok();
    server
}

#[tokio::test]
async fn tensors_travel_as_bytes_where_that_is_asked_for() {
    let server = pairs().await;
    let numbers = [1.5, f32::NAN, -0.0, f32::INFINITY];
    let question = json!({ "inputs": input(16), "parameters": { "binary_data_output": true }, "id": "a" });
    let (json, tail) = parts(&send(&server, INFER, &question, &bytes(&numbers)).await);
    assert_eq!((&json["id"], &json["model_version"]), (&json!("a"), &json!("1")));
    for output in json["outputs"].as_array().unwrap() {
        assert_eq!(output["parameters"]["binary_data_size"], 16, "{output}");
        assert_eq!(output.get("data"), None);
    }
    assert_eq!(tail[..16], bytes(&numbers), "what JSON cannot tell comes back bit by bit");
    assert_eq!(tail[16..20], bytes(&[-1.5]));

    // What an output says of itself wins over what the request says of all, and the order is the caller's.
    let question = json!({
        "inputs": input(16),
        "parameters": { "binary_data_output": true },
        "outputs": [{ "name": "second" }, { "name": "first", "parameters": { "binary_data": false } }],
    });
    let (json, tail) = parts(&send(&server, INFER, &question, &bytes(&[1.0, 2.0, 3.0, 4.0])).await);
    assert_eq!(json["outputs"][0]["name"], "second");
    assert_eq!(json["outputs"][1]["data"], json!([1, 2, 3, 4]));
    assert_eq!(tail, bytes(&[-1.0, -2.0, -3.0, -4.0]));

    let plain = send(&server, INFER, &json!({ "inputs": input(16) }), &bytes(&[1.0, 2.0, 3.0, 4.0])).await;
    assert_eq!(plain.header(JSON_LENGTH), None, "nothing is behind the JSON");
    assert_eq!(plain.header("content-type"), Some("application/json"));
    assert_eq!(plain.ok()["outputs"][0]["data"], json!([1, 2, 3, 4]));
}

#[tokio::test]
async fn offsets_need_not_be_aligned_and_a_body_can_be_the_input() {
    let server = pairs().await;
    for padding in 0..4 {
        let id = "x".repeat(padding);
        let question = json!({ "id": id, "inputs": input(16) });
        let answer = send(&server, INFER, &question, &bytes(&[1.0, 2.0, 3.0, 4.0])).await.ok();
        assert_eq!(answer["outputs"][0]["data"], json!([1, 2, 3, 4]), "offset {padding}");
    }
    let rows = bytes(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let request = server.request(Method::POST, INFER).header(JSON_LENGTH, "0").body(rows.clone());
    let (json, tail) = parts(&Answer::of(request.send().await.unwrap()).await.unwrap());
    assert_eq!(json["outputs"][0]["shape"], json!([2, 4]));
    assert_eq!(tail[..32], rows);
}

#[tokio::test]
async fn texts_have_their_length_before_them() {
    let server = Server::start().await;
    register(&server, "textos", graphs::text()).await.ok();
    let texts = ["", "Ñuñoa", "Santo Domingo de los Tsáchilas"];
    let mut tail = Vec::new();
    for text in texts {
        tail.extend((text.len() as u32).to_le_bytes());
        tail.extend(text.as_bytes());
    }
    let question = json!({
        "parameters": { "binary_data_output": true },
        "inputs": [{ "name": "t", "shape": [3, 1], "datatype": "BYTES", "parameters": { "binary_data_size": tail.len() } }],
    });
    let (json, back) = parts(&send(&server, "/v2/models/textos/infer", &question, &tail).await);
    assert_eq!((&json["outputs"][0]["datatype"], back), (&json!("BYTES"), tail));
    let request = server.request(Method::POST, "/v2/models/textos/infer").header(JSON_LENGTH, "0");
    let (_, back) = parts(&Answer::of(request.body("Quito").send().await.unwrap()).await.unwrap());
    assert_eq!(back, b"\x05\0\0\0Quito");
}

#[tokio::test]
async fn halves_are_binary_only() {
    let server = pairs().await;
    register(&server, "medios", graphs::halves()).await.ok();
    let path = "/v2/models/medios/infer";
    assert_eq!(server.get("/v2/models/medios").await.ok()["inputs"][0]["datatype"], "FP16");
    for datatype in ["FP16", "BF16", "FP32"] {
        let input = json!([{ "name": "x", "shape": [1, 2], "datatype": datatype, "data": [0.5, -2] }]);
        assert_protocol_error(&server.post(path, &json!({ "inputs": input })).await, "a half in JSON");
    }
    let tensor = |datatype: &str, columns: usize| {
        let parameters = json!({ "binary_data_size": 2 * columns });
        json!({ "inputs": [{ "name": "x", "shape": [1, columns], "datatype": datatype, "parameters": parameters }] })
    };
    // 0.5 and −2, as halves and as the upper halves of singles.
    let (half, brain) = ([0x00, 0x38, 0x00, 0xc0], [0x00, 0x3f, 0x00, 0xc0]);
    let answer = send(&server, path, &tensor("FP16", 2), &half).await.ok();
    assert_eq!(answer["outputs"][0]["data"], json!([0.5, -2]));
    // So are answers.
    register(&server, "opuestos", graphs::opposite_halves()).await.ok();
    let (path, mut question) = ("/v2/models/opuestos/infer", tensor("FP16", 2));
    assert_protocol_error(&send(&server, path, &question, &half).await, "FP16 in JSON");
    question["parameters"] = json!({ "binary_data_output": true });
    let (json, back) = parts(&send(&server, path, &question, &half).await);
    assert_eq!(json["outputs"][0]["datatype"], "FP16");
    assert_eq!(back, [0x00, 0xb8, 0x00, 0x40]);
    assert_protocol_error(&send(&server, path, &tensor("BF16", 2), &brain).await, "another kind of half");
    // A single holds every half of either kind.
    for (datatype, bytes) in [("FP16", half), ("BF16", brain)] {
        let answer = send(&server, INFER, &tensor(datatype, 4), &[bytes, bytes].concat()).await.ok();
        assert_eq!(answer["outputs"][0]["data"], json!([0.5, -2, 0.5, -2]), "{datatype}");
    }
}

#[tokio::test]
async fn classes_are_told_by_score_index_and_label() {
    let server = Server::start().await;
    register(&server, "demanda", classification()).await.ok();
    let signature = server.get("/v2/models/demanda").await.ok();
    let scores =
        signature["outputs"].as_array().unwrap().iter().find(|output| output["shape"][1] == 2).unwrap();
    let name = scores["name"].clone();
    let question = |classes: usize| {
        json!({
            "inputs": [
                { "name": "price", "shape": [2, 1], "datatype": "FP32", "data": [9.0, 0.5] },
                { "name": "store", "shape": [2, 1], "datatype": "BYTES", "data": ["Guayaquil", "Cuenca"] },
            ],
            "outputs": [{ "name": name, "parameters": { "classification": classes } }],
        })
    };
    let plain = server.post("/v2/models/demanda/infer", &question(0)).await.ok();
    let scores: Vec<f64> =
        plain["outputs"][0]["data"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect();
    let told = server.post("/v2/models/demanda/infer", &question(1)).await.ok();
    let told = &told["outputs"][0];
    assert_eq!((&told["datatype"], &told["shape"]), (&json!("BYTES"), &json!([2, 1])));
    for (row, text) in told["data"].as_array().unwrap().iter().enumerate() {
        let scores = &scores[2 * row..2 * row + 2];
        let best = usize::from(scores[1] > scores[0]);
        let expected = format!("{}:{best}:{}", scores[best] as f32, ["alta", "baja"][best]);
        assert_eq!(text, &json!(expected));
    }
    let all = server.post("/v2/models/demanda/infer", &question(100)).await.ok();
    assert_eq!(all["outputs"][0]["shape"], json!([2, 2]));
}

#[tokio::test]
async fn a_deadline_that_has_passed_is_an_error_and_not_a_prediction() {
    let server = pairs().await;
    let question = |timeout: u64, rows: usize| {
        json!({
            "parameters": { "timeout": timeout, "priority": 1 },
            "inputs": [{ "name": "x", "shape": [rows, 4], "datatype": "FP32", "data": vec![1; 4 * rows] }],
        })
    };
    let late = server.post(INFER, &question(1, 20_000)).await;
    assert_eq!(late.status, 504, "{}", late.text());
    assert!(late.json()["error"].as_str().unwrap().contains("1 µs"), "{}", late.text());
    server.post(INFER, &question(30_000_000, 1)).await.ok();
    server.post(INFER, &question(0, 1)).await.ok();
    server.post(INFER, &question(u64::MAX, 1)).await.ok();
    let counts = &server.get("/v2/models/pares/stats").await.ok()["model_stats"][0];
    assert_eq!(counts["inference_count"], 3, "{counts}");
}

#[tokio::test]
async fn statistics_and_configuration_are_triton_s() {
    let server = pairs().await;
    let rows = |rows: usize| json!({ "inputs": [{ "name": "x", "shape": [rows, 4], "datatype": "FP32", "data": vec![1; 4 * rows] }] });
    for count in [1, 7, 7] {
        server.post(INFER, &rows(count)).await.ok();
    }
    for path in ["/v2/models/stats", "/v2/models/pares/stats", "/v2/models/pares/versions/1/stats"] {
        let answer = server.get(path).await.ok();
        let statistics = answer["model_stats"].as_array().unwrap();
        assert_eq!(statistics.len(), 1, "{answer}");
        let of_version = &statistics[0];
        assert_eq!((&of_version["name"], &of_version["version"]), (&json!("pares"), &json!("1")));
        assert_eq!((&of_version["inference_count"], &of_version["execution_count"]), (&json!(15), &json!(3)));
        let stages = &of_version["inference_stats"];
        let nanoseconds = |stage: &str| stages[stage]["ns"].as_u64().unwrap();
        assert_eq!(stages["success"]["count"], 3);
        assert_eq!(stages["fail"]["count"], 0);
        let sum: u64 =
            ["queue", "compute_input", "compute_infer", "compute_output"].map(nanoseconds).iter().sum();
        assert_eq!(nanoseconds("success"), sum, "{stages}");
        let sizes: Vec<(u64, u64)> = of_version["batch_stats"]
            .as_array()
            .unwrap()
            .iter()
            .map(|batch| {
                (batch["batch_size"].as_u64().unwrap(), batch["compute_infer"]["count"].as_u64().unwrap())
            })
            .collect();
        assert_eq!(sizes, [(1, 1), (7, 2)]);
    }
    let config = server.get("/v2/models/pares/config").await.ok();
    assert_eq!(config["platform"], "onnx_onnxv1");
    assert_eq!(config["input"], json!([{ "name": "x", "data_type": "TYPE_FP32", "dims": [4] }]));
    assert_eq!(config["max_batch_size"], 1 << 20);
    assert_eq!(config["version_policy"]["specific"]["versions"], json!([1]));
    for path in ["/v2/models/otro/stats", "/v2/models/pares/versions/9/stats", "/v2/models/otro/config"] {
        assert_protocol_error(&server.get(path).await, path);
    }
}
