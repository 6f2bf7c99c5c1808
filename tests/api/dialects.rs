//! The forms of KServe v1 and MLflow: the same service, the same log, the answers and errors that their clients know.

use chasqui_tests::{Answer, Server, ServerBuilder};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::{items, text};
use crate::fixtures::{ask, classification, register, regression};
use crate::graphs;

const PREDICT: &str = "/v1/models/ventas:predict";
const INVOKE: &str = "/services/ventas/invocations";

async fn shop() -> Server {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    server
}

async fn invoke(server: &Server, content_type: &str, body: &str) -> Answer {
    server.send(Method::POST, INVOKE, content_type, body.as_bytes().to_vec()).await
}

/// What the friendly form answers for these prices in these stores.
async fn friendly(server: &Server, rows: &[(Value, &str)]) -> Vec<Value> {
    let mut values = Vec::new();
    for (price, store) in rows {
        let answer = ask(server, "ventas", json!({ "price": price, "store": store })).await.ok();
        values.push(answer["predictions"][0]["value"].clone());
    }
    values
}

async fn logged(server: &Server) -> usize {
    items(&server.get("/api/v1/services/ventas/log?limit=1000").await.ok()).len()
}

/// Asserts that an answer is an error as KServe tells it.
#[track_caller]
fn assert_v1_error(answer: &Answer, status: u16, part: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    let document = answer.json();
    assert_eq!(document.as_object().unwrap().len(), 1, "{document}");
    assert!(text(&document["error"]).contains(part), "`{part}` is not in {document}");
}

/// Asserts that an answer is an error as MLflow tells it.
#[track_caller]
fn assert_mlflow_error(answer: &Answer, status: u16, code: &str, part: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    let document = answer.json();
    assert_eq!(document["error_code"], code, "{document}");
    assert!(text(&document["message"]).contains(part), "`{part}` is not in {document}");
}

#[tokio::test]
async fn kserve_v1_answers_rows_and_columns() {
    let server = shop().await;
    assert_eq!(server.get("/v1/models").await.ok(), json!({ "models": ["ventas"] }));
    assert_eq!(server.get("/v1/models/ventas").await.ok(), json!({ "name": "ventas", "ready": true }));
    let expected = friendly(&server, &[(json!(5), "Quito"), (json!(null), "Cuenca")]).await;
    let before = logged(&server).await;
    let bodies = [
        json!({ "instances": [[5, "Quito"], [null, "Cuenca"]] }),
        json!({ "instances": [{ "price": 5, "store": "Quito" }, { "store": "Cuenca", "price": null }] }),
        json!({ "instances": [{ "price": [5], "store": ["Quito"] }, [null, "Cuenca"]], "future": {} }),
        json!({ "inputs": { "price": [5, null], "store": ["Quito", "Cuenca"] } }),
        json!({ "inputs": { "price": [[5], [null]], "store": [["Quito"], ["Cuenca"]] } }),
        json!({ "parameters": { "key": "c-1" }, "inputs": [[5, "Quito"], [null, "Cuenca"]] }),
    ];
    for body in &bodies {
        let answer = server.post(PREDICT, body).await;
        assert_eq!(answer.header("x-model-version"), Some("1"));
        let answer = answer.ok();
        assert_eq!(answer["predictions"].as_array().unwrap(), &expected, "{body}");
        assert_eq!(answer["prediction_ids"].as_array().unwrap().len(), 2);
    }
    assert_eq!(logged(&server).await, before + 2 * bodies.len(), "every answered row is in the log");
    let keyed = items(&server.get("/api/v1/services/ventas/log").await.ok())
        .iter()
        .filter(|prediction| prediction["key"] == "c-1")
        .count();
    assert_eq!(keyed, 2);
}

#[tokio::test]
async fn kserve_v1_answers_what_the_model_predicts() {
    let server = Server::start().await;
    register(&server, "demanda", classification()).await.ok();
    register(&server, "pares", graphs::two_outputs()).await.ok();
    register(&server, "enteros", graphs::whole_number()).await.ok();
    assert_eq!(server.get("/v1/models").await.ok(), json!({ "models": ["demanda", "enteros", "pares"] }));
    let label = server.post("/v1/models/demanda:predict", &json!({ "instances": [[10, "Guayaquil"]] })).await;
    assert_eq!(label.ok()["predictions"], json!(["alta"]));
    let both = server.post("/v1/models/pares:predict", &json!({ "instances": [[1, 2, 3, 4]] })).await.ok();
    assert_eq!(both["predictions"], json!([{ "first": [1, 2, 3, 4], "second": [-1, -2, -3, -4] }]));
    // A model of one column takes plain values, and its input by name; whole numbers are exact.
    for body in [
        json!({ "instances": [9_007_199_254_740_993_i64, 8] }),
        json!({ "instances": [[9_007_199_254_740_993_i64], [8]] }),
        json!({ "inputs": { "n": [9_007_199_254_740_993_i64, 8] } }),
        json!({ "instances": [{ "n": 9_007_199_254_740_993_i64 }, { "n": [8] }] }),
    ] {
        let answer = server.post("/v1/models/enteros:predict", &body).await.ok();
        assert_eq!(answer["predictions"], json!([9_007_199_254_740_993_i64, 8]), "{body}");
    }
}

#[tokio::test]
async fn kserve_v1_tells_errors_its_way() {
    let mut server = shop().await;
    for (body, part) in [
        ("{", "JSON"),
        ("", "JSON"),
        ("[]", "instances"),
        ("{}", "exactly one of `instances`, `inputs`"),
        ("{\"instances\":[],\"inputs\":[]}", "exactly one"),
        ("{\"instances\":[]}", "no rows"),
        ("{\"instances\":7}", "array of rows"),
        ("{\"instances\":[[1]]}", "record 0: expected 2 values, got 1"),
        ("{\"instances\":[[1,\"Quito\"],{\"price\":\"x\",\"store\":\"Quito\"}]}", "record 1, field `price`"),
        ("{\"instances\":[{\"price\":1,\"store\":\"Quito\",\"colour\":1}]}", "`colour`: is not a field"),
        ("{\"inputs\":{\"price\":[1]}}", "`store`: is missing"),
        ("{\"inputs\":{\"price\":[1],\"store\":[\"a\",\"b\"]}}", "must agree"),
        ("{\"instances\":[[1,\"Quito\"]],\"parameters\":7}", "object of parameters"),
        ("{\"instances\":[[NaN,\"Quito\"]]}", "JSON"),
    ] {
        let answer = server.send(Method::POST, PREDICT, "", body.as_bytes().to_vec()).await;
        assert_v1_error(&answer, 400, part);
    }
    let deep = format!("{{\"instances\":{}", "[".repeat(100_000));
    assert_v1_error(&server.send(Method::POST, PREDICT, "", deep.into_bytes()).await, 400, "");
    assert_v1_error(&server.post("/v1/models/none:predict", &json!({})).await, 404, "none");
    assert_v1_error(&server.get("/v1/models/none").await, 404, "none");
    assert_v1_error(&server.get("/v1/nothing").await, 404, "/v1/nothing");
    assert_v1_error(&server.get(PREDICT).await, 405, "POST");
    assert_v1_error(&server.post("/v1/models/ventas:explain", &json!({})).await, 501, "explanations");
    assert_v1_error(&server.post("/v1/models/none:explain", &json!({})).await, 404, "none");
    assert_eq!(logged(&server).await, 0, "what was refused is no prediction");
    server.key = "nobody".into();
    assert_v1_error(&server.post(PREDICT, &json!({})).await, 401, "key");
}

#[tokio::test]
async fn mlflow_reads_every_form() {
    let server = shop().await;
    let expected = friendly(&server, &[(json!(5.5), "Quito"), (json!(null), "Cuenca")]).await;
    let json_bodies = [
        r#"{"dataframe_split":{"columns":["price","store"],"index":[0,1],"data":[[5.5,"Quito"],[NaN,"Cuenca"]]}}"#,
        r#"{"dataframe_split":{"data":[["Quito",5.5],["Cuenca",null]],"columns":["store","price"]},"params":{"key":"c"}}"#,
        r#"{"dataframe_records":[{"price":5.5,"store":"Quito","hue":[1]},{"store":"Cuenca"}]}"#,
        r#"{"instances":[[5.5,"Quito"],[NaN,"Cuenca"]]}"#,
        r#"{"inputs":{"price":[5.5,NaN],"store":["Quito","Cuenca"]}}"#,
        r#"{"inputs":[{"price":5.5,"store":"Quito"},{"price":null,"store":"Cuenca"}],"client_request_id":"a"}"#,
    ];
    for body in json_bodies {
        for content_type in ["application/json", "application/json; charset=utf-8", ""] {
            let answer = invoke(&server, content_type, body).await.ok();
            assert_eq!(answer["predictions"].as_array().unwrap(), &expected, "{body}");
            assert_eq!(answer.get("notes"), None);
        }
    }
    let split = r#"{"columns":["price","store"],"data":[[5.5,"Quito"],[null,"Cuenca"]]}"#;
    let answer = invoke(&server, "application/json; format=pandas-split", split).await.ok();
    assert_eq!(answer["predictions"].as_array().unwrap(), &expected);
    let records = r#"[{"price":5.5,"store":"Quito"},{"price":null,"store":"Cuenca"}]"#;
    let answer = invoke(&server, "application/json; format=pandas-records", records).await.ok();
    assert_eq!(answer["predictions"].as_array().unwrap(), &expected);
    for file in ["price,store\n5.5,Quito\n,Cuenca\n", ",store,price\r\n0,\"Quito\",5.5\r\n1,Cuenca,NaN\r\n"] {
        let answer = invoke(&server, "text/csv", file).await.ok();
        assert_eq!(answer["predictions"].as_array().unwrap(), &expected, "{file}");
        assert_eq!(answer["prediction_ids"].as_array().unwrap().len(), 2);
    }
    let body = r#"{"inputs":[[5.5,"Quito"]],"params":{"temperature":0.5}}"#;
    let answer = invoke(&server, "application/json", body).await.ok();
    assert!(text(&answer["notes"][0]).contains("ignored: `temperature`"), "{answer}");
}

#[tokio::test]
async fn mlflow_tells_errors_its_way() {
    let mut server = shop().await;
    for (content_type, body, part) in [
        ("application/json", "{", "JSON"),
        ("application/json", "[[1,2]]", "exactly one of `dataframe_split`"),
        ("application/json", "{\"columns\":[],\"data\":[]}", "exactly one of `dataframe_split`"),
        ("application/json", "{\"inputs\":[],\"instances\":[]}", "exactly one"),
        ("application/json", "{\"inputs\":[[1,\"x\"]],\"params\":[]}", "object of parameters"),
        ("application/json", "{\"inputs\":[[Infinity,\"x\"]]}", "JSON"),
        (
            "application/json",
            "{\"dataframe_split\":{\"columns\":[\"price\"],\"data\":[[1]]}}",
            "`store`: is missing",
        ),
        ("application/json", "{\"dataframe_records\":[{\"price\":\"x\",\"store\":\"y\"}]}", "field `price`"),
        ("text/csv", "price,store\nmucho,Quito\n", "record 0, field `price`"),
        ("text/csv", "price,store\n", "no rows"),
        ("text/csv", "", "header"),
    ] {
        assert_mlflow_error(&invoke(&server, content_type, body).await, 400, "BAD_REQUEST", part);
    }
    for (content_type, part) in [
        ("text/plain", "text/plain"),
        ("application/json; charset=latin-1", "UTF-8"),
        ("application/json; format=pandas-table", "pandas-table"),
    ] {
        assert_mlflow_error(&invoke(&server, content_type, "{}").await, 415, "BAD_REQUEST", part);
    }
    let not_utf8 = server.send(Method::POST, INVOKE, "text/csv", b"price,store\n1,\xff\n".to_vec()).await;
    assert_mlflow_error(&not_utf8, 400, "BAD_REQUEST", "UTF-8");
    assert_mlflow_error(&server.get(INVOKE).await, 405, "BAD_REQUEST", "POST");
    let none = server.post("/services/none/invocations", &json!({ "inputs": [[1]] })).await;
    assert_mlflow_error(&none, 404, "RESOURCE_DOES_NOT_EXIST", "none");
    server.key = "nobody".into();
    assert_mlflow_error(&server.post("/invocations", &json!({})).await, 401, "UNAUTHENTICATED", "key");
}

#[tokio::test]
async fn invocations_ask_the_service_that_is_meant() {
    let server = ServerBuilder::default().without_admin_key().start().await;
    for path in ["/ping", "/health"] {
        let alive = server.get(path).await;
        assert_eq!((alive.status.as_u16(), alive.text().as_str()), (200, "\n"), "{path}");
    }
    assert_eq!(server.get("/version").await.status, 401);
    assert_eq!(server.post("/invocations", &json!({})).await.status, 401);

    let server = Server::start().await;
    assert!(server.get("/version").await.text().starts_with(|first: char| first.is_ascii_digit()));
    let body = json!({ "inputs": [[5, "Quito"]] });
    let nothing = server.post("/invocations", &body).await;
    assert_mlflow_error(&nothing, 404, "RESOURCE_DOES_NOT_EXIST", "no service yet");
    register(&server, "ventas", regression(4.0)).await.ok();
    assert_eq!(server.post("/invocations", &body).await.ok()["predictions"].as_array().unwrap().len(), 1);
    register(&server, "compras", regression(2.0)).await.ok();
    let several = server.post("/invocations", &body).await;
    assert_mlflow_error(&several, 400, "BAD_REQUEST", "2 services, `compras`, `ventas`");
    for (service, sold) in [("ventas", 70.0), ("compras", 60.0)] {
        let request = server.request(Method::POST, "/invocations").header("x-chasqui-service", service);
        let answer = Answer::of(request.body(body.to_string()).send().await.unwrap()).await.unwrap().ok();
        assert!((answer["predictions"][0].as_f64().unwrap() - sold).abs() < 1.0, "{service}: {answer}");
    }
}

#[tokio::test]
async fn a_configured_service_is_asked_by_default() {
    let server = ServerBuilder::default().env("CHASQUI_INVOCATIONS_SERVICE", "compras").start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    register(&server, "compras", regression(2.0)).await.ok();
    let answer = server.post("/invocations", &json!({ "inputs": [[5, "Quito"]] })).await.ok();
    assert!((answer["predictions"][0].as_f64().unwrap() - 60.0).abs() < 1.0, "{answer}");
}

#[tokio::test]
async fn expectations_and_limits_hold_in_every_form() {
    let server = ServerBuilder::default()
        .env("CHASQUI_LIMITS_RECORDS", "3")
        .env("CHASQUI_LIMITS_PREDICT_BYTES", "3000")
        .start()
        .await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let expectations = json!({ "mode": "warn", "fields": {
        "price": { "min": 0, "mode": "reject" },
        "store": { "categories": ["Quito", "Cuenca"] },
    }});
    let config = json!({ "model": "ventas", "expectations": expectations });
    server.put("/api/v1/services/ventas", &config).await.ok();
    let refused = json!({ "inputs": { "price": [-1, 2, -3], "store": ["Quito", "Quito", "Quito"] } });
    let part = "2 values are not as this service expects";
    assert_v1_error(&server.post(PREDICT, &refused).await, 400, part);
    assert_mlflow_error(&server.post(INVOKE, &refused).await, 400, "BAD_REQUEST", part);
    let spanish = server.request(Method::POST, INVOKE).header("accept-language", "es");
    let spanish = Answer::of(spanish.body(refused.to_string()).send().await.unwrap()).await.unwrap();
    assert_mlflow_error(&spanish, 400, "BAD_REQUEST", "2 valores no son como los espera");
    let warned = json!({ "instances": [[1, "Marte"]] });
    for path in [PREDICT, INVOKE] {
        let answer = server.post(path, &warned).await.ok();
        assert_eq!(answer["warning_count"], 1, "{answer}");
        assert_eq!(answer["warnings"][0]["field"], "store");
    }
    let many = json!({ "instances": [[1, "Quito"], [1, "Quito"], [1, "Quito"], [1, "Quito"]] });
    assert_v1_error(&server.post(PREDICT, &many).await, 400, "more than 3 rows");
    assert_mlflow_error(&server.post(INVOKE, &many).await, 400, "BAD_REQUEST", "more than 3 rows");
    let long = "x".repeat(3001);
    assert_v1_error(&server.upload(PREDICT, long.clone().into_bytes()).await, 413, "3000");
    assert_mlflow_error(&invoke(&server, "text/csv", &long).await, 413, "BAD_REQUEST", "3000");
}
