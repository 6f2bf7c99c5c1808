//! What a service expects of its requests: faults are refused, warned of or put right, told precisely and counted.

use chasqui_tests::{Answer, Server};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::{assert_problem, assert_protocol_error, items, text};
use crate::fixtures::{ask, register, regression};
use crate::telemetry::metric;

const SERVICE: &str = "/api/v1/services/ventas";
const PREDICT: &str = "/api/v1/services/ventas/predict";
const STORES: [&str; 3] = ["Quito", "Guayaquil", "Cuenca"];

/// A server whose service expects this; its records are `{price, store}` and its key is `cliente`.
async fn expecting(expectations: Value) -> Server {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    server.put(SERVICE, &config(&expectations)).await.ok();
    server
}

fn config(expectations: &Value) -> Value {
    json!({ "model": "ventas", "key_field": "cliente", "personal": ["cliente"], "expectations": expectations })
}

async fn faults_counted(server: &Server, labels: &[(&str, &str)]) -> Option<f64> {
    metric(&server.get("/metrics").await.text(), "chasqui_expectation_faults_total", labels)
}

async fn logged(server: &Server) -> Vec<Value> {
    let page = server.get("/api/v1/services/ventas/log").await.ok();
    items(&page).to_vec()
}

#[tokio::test]
async fn expectations_are_checked_when_they_are_declared() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    for (expectations, reason) in [
        (json!({ "fields": { "price": { "least": 0 } } }), "least"),
        (json!({ "fields": { "store": { "format": "nif" } } }), "nif"),
        (json!({ "mode": "ignore", "fields": { "price": { "min": 0 } } }), "ignore"),
        (json!({ "fields": {} }), "empty"),
        (json!({ "fields": { "price": { "min": 2, "max": 1 } } }), "price"),
        (json!({ "fields": { "colour": { "required": true } } }), "colour"),
        (json!({ "fields": { "store": { "min": 1 } } }), "numbers"),
        (json!({ "fields": { "price": { "format": "plate" } } }), "texts"),
        (json!({ "fields": { "cliente": { "format": "cedula", "mode": "coerce" } } }), "never changed"),
    ] {
        assert_problem(&server.put(SERVICE, &config(&expectations)).await, 422, reason);
    }
    let declared =
        json!({ "mode": "warn", "fields": { "price": { "min": 0.0, "max": 10.0, "mode": "reject" } } });
    server.put(SERVICE, &config(&declared)).await.ok();
    let seen = server.get(SERVICE).await.ok();
    assert_eq!(seen["config"]["expectations"], declared);
    // Without expectations nothing is said of them, and nothing is expected.
    server.put(SERVICE, &json!({ "model": "ventas" })).await.ok();
    assert_eq!(server.get(SERVICE).await.ok()["config"].get("expectations"), None);
    ask(&server, "ventas", json!({ "price": 1000, "store": "Marte" })).await.ok();
}

#[tokio::test]
async fn every_fault_of_a_request_is_told_at_once() {
    let server = expecting(json!({ "fields": {
        "price": { "required": true, "min": 0, "max": 10 },
        "store": { "categories": STORES },
    } }))
    .await;
    ask(&server, "ventas", json!({ "price": 10, "store": "Quito" })).await.ok();
    let body = json!({ "records": [
        { "price": 1, "store": "Quito" },
        { "price": -1, "store": "Marte" },
        { "price": null, "store": "Loja" },
        { "price": "diez", "store": "Quito" },
        { "store": "Quito" },
    ] });
    let answer = server.post(PREDICT, &body).await;
    assert_problem(&answer, 422, "6 values");
    let document = answer.json();
    assert_eq!((&document["record"], &document["field"]), (&json!(1), &json!("price")), "{document}");
    let found: Vec<Value> = document["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| json!([error["record"], error["field"], error["rule"]]))
        .collect();
    let wanted = json!([
        [1, "price", "min"],
        [1, "store", "categories"],
        [2, "price", "required"],
        [2, "store", "categories"],
        [3, "price", "type"],
        [4, "price", "required"],
    ]);
    assert_eq!(json!(found), wanted);
    assert_eq!(document["error_count"], 6);
    let error = &document["errors"][1];
    for part in ["record 1", "`store`", "Marte", "Guayaquil"] {
        assert!(text(&error["message"]).contains(part), "{error}");
    }
    for part in ["registro 1", "`store`", "Marte", "no es uno de"] {
        assert!(text(&error["message_es"]).contains(part), "{error}");
    }
    assert_eq!(logged(&server).await.len(), 1, "what was refused is no prediction");
    let labels =
        |field, rule| [("service", "ventas"), ("field", field), ("rule", rule), ("outcome", "rejected")];
    assert_eq!(faults_counted(&server, &labels("store", "categories")).await, Some(2.0));
    assert_eq!(faults_counted(&server, &labels("price", "required")).await, Some(2.0));
    // The bound is on words, not on counts.
    let many: Vec<Value> = (0..50).map(|_| json!({ "price": 11, "store": "Quito" })).collect();
    let document = server.post(PREDICT, &json!({ "records": many })).await.json();
    assert_eq!((document["errors"].as_array().unwrap().len(), &document["error_count"]), (20, &json!(50)));
    assert_eq!(faults_counted(&server, &labels("price", "max")).await, Some(50.0));
}

#[tokio::test]
async fn faults_are_told_in_the_language_asked_for() {
    let server = expecting(json!({ "fields": { "price": { "max": 10 } } })).await;
    let asked = async |query: &str, accept: &str| {
        let request =
            server.request(Method::POST, &format!("{PREDICT}{query}")).header("accept-language", accept);
        let body = json!({ "records": [{ "price": 11, "store": "Quito" }] }).to_string();
        Answer::of(request.body(body).send().await.unwrap()).await.unwrap()
    };
    let english = "record 0, field `price`: 11 is above the maximum 10";
    let spanish = "registro 0, campo `price`: 11 es mayor que el máximo 10";
    for (query, accept, wanted) in [
        ("", "", english),
        ("", "en-US,en;q=0.9,es;q=0.8", english),
        ("", "fr", english),
        ("", "es-EC,es;q=0.9,en;q=0.8", spanish),
        ("?lang=es", "en", spanish),
        ("?lang=en", "es", english),
    ] {
        let answer = asked(query, accept).await;
        assert_problem(&answer, 422, wanted);
        assert_eq!(answer.json()["detail"], wanted, "{query} {accept}");
    }
}

#[tokio::test]
async fn warnings_go_with_the_answer() {
    let server = expecting(json!({ "mode": "warn", "fields": {
        "price": { "max": 10 },
        "store": { "categories": STORES, "mode": "reject" },
    } }))
    .await;
    let good = ask(&server, "ventas", json!({ "price": 1, "store": "Quito" })).await.ok();
    assert_eq!((good.get("warnings"), good.get("warning_count")), (None, None));
    let odd = ask(&server, "ventas", json!({ "price": 11, "store": "Quito" })).await.ok();
    assert!(odd["predictions"][0]["value"].is_number(), "{odd}");
    assert_eq!(odd["warning_count"], 1);
    let warning = &odd["warnings"][0];
    assert_eq!((&warning["record"], &warning["rule"]), (&json!(0), &json!("max")));
    assert!(text(&warning["message_es"]).contains("mayor"), "{warning}");
    assert_eq!(logged(&server).await.len(), 2, "what is warned of is a prediction");
    let outcome = |outcome| [("field", "price"), ("rule", "max"), ("outcome", outcome)];
    assert_eq!(faults_counted(&server, &outcome("warned")).await, Some(1.0));
    // A field's own mode wins, and a value that the model cannot take is never only a warning.
    assert_problem(&ask(&server, "ventas", json!({ "price": 1, "store": "Marte" })).await, 422, "Marte");
    assert_problem(&ask(&server, "ventas", json!({ "price": "once", "store": "Quito" })).await, 422, "once");
}

#[tokio::test]
async fn what_is_certain_is_put_right_and_answered_the_same() {
    let server = expecting(json!({ "mode": "coerce", "fields": {
        "price": { "min": 0, "max": 2000 },
        "store": { "categories": STORES },
    } }))
    .await;
    let right = ask(&server, "ventas", json!({ "price": 1384.1, "store": "Guayaquil" })).await.ok();
    let wrong = ask(&server, "ventas", json!({ "price": "1.384,10", "store": "  guayaquil" })).await.ok();
    assert_eq!(right["predictions"][0]["value"], wrong["predictions"][0]["value"]);
    let log = logged(&server).await;
    assert_eq!(log[0]["inputs"], log[1]["inputs"], "the log has what the model was asked");
    for (price, store, reason) in [
        (json!("1.384"), "Quito", "1.384"),
        (json!("9.999,00"), "Quito", "9.999"),
        (json!(1), "Kito", "Kito"),
    ] {
        assert_problem(&ask(&server, "ventas", json!({ "price": price, "store": store })).await, 422, reason);
    }
    let fixed = |field, rule| [("field", field), ("rule", rule), ("outcome", "fixed")];
    assert_eq!(faults_counted(&server, &fixed("price", "type")).await, Some(1.0));
    assert_eq!(faults_counted(&server, &fixed("store", "categories")).await, Some(1.0));
}

#[tokio::test]
async fn a_personal_key_is_looked_at_and_never_repeated() {
    let server =
        expecting(json!({ "fields": { "cliente": { "format": "cedula", "required": true } } })).await;
    let asked = async |cliente: Value| {
        ask(&server, "ventas", json!({ "price": 1, "store": "Quito", "cliente": cliente })).await
    };
    asked(json!("1710034065")).await.ok();
    for wrong in ["1710034066", "171003406", "2510034065", "xyz-9"] {
        let answer = asked(json!(wrong)).await;
        assert_problem(&answer, 422, "cédula");
        assert_eq!(answer.json()["errors"][0]["field"], "cliente");
        assert!(!answer.text().contains(wrong), "{}", answer.text());
    }
    assert_problem(&ask(&server, "ventas", json!({ "price": 1, "store": "Quito" })).await, 422, "required");
}

/// A request of the protocol for one record, by the inputs that the service names.
async fn infer(server: &Server, price: f64, store: &str) -> Answer {
    let described = server.get("/v2/models/ventas").await.ok();
    let inputs: Vec<Value> = described["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|input| {
            let data = if input["datatype"] == "BYTES" { json!([store]) } else { json!([price]) };
            let shape = vec![1; input["shape"].as_array().unwrap().len()];
            json!({ "name": input["name"], "datatype": input["datatype"], "shape": shape, "data": data })
        })
        .collect();
    server.post("/v2/models/ventas/infer", &json!({ "inputs": inputs })).await
}

#[tokio::test]
async fn tensors_of_named_columns_meet_the_same() {
    let server =
        expecting(json!({ "fields": { "price": { "max": 0.7 }, "store": { "categories": STORES } } })).await;
    // In single precision it is a little more than 0.7.
    infer(&server, 0.7, "Quito").await.ok();
    for (price, store, part) in [(0.8, "Quito", "`price`"), (0.5, "Marte", "`store`")] {
        let answer = infer(&server, price, store).await;
        assert_protocol_error(&answer, store);
        assert!(answer.text().contains(part), "{}", answer.text());
    }
    server
        .put(SERVICE, &config(&json!({ "mode": "warn", "fields": { "price": { "max": 0.7 } } })))
        .await
        .ok();
    let warned = infer(&server, 0.8, "Quito").await.ok();
    assert_eq!(warned["parameters"]["warning_count"], 1);
    assert!(text(&warned["parameters"]["warning"]).contains("maximum 0.7"), "{warned}");
    assert!(warned["parameters"]["prediction_id"].is_string());
    let coerced = json!({ "mode": "coerce", "fields": { "store": { "categories": STORES } } });
    server.put(SERVICE, &config(&coerced)).await.ok();
    let right = infer(&server, 0.5, "Guayaquil").await.ok();
    let fixed = infer(&server, 0.5, "GUAYAQUIL ").await.ok();
    assert_eq!(right["outputs"], fixed["outputs"]);
}

#[tokio::test]
async fn nothing_that_is_sent_is_a_fault_of_ours() {
    let values = [
        "null",
        "true",
        "0",
        "-0.0",
        "1e308",
        "-1e308",
        "9223372036854775808",
        "\"\"",
        "\" \"",
        "\"\\u0000\"",
        "\"1,,2\"",
        "\"٣\"",
        "\"-\"",
        "\"ñ\"",
        "\"99999999999999999999999999999999999999\"",
        "\"2026-02-30\"",
        "\"\\ud83d\\ude00\"",
        "[]",
        "{}",
        "[1]",
    ];
    for mode in ["reject", "warn", "coerce"] {
        let server = expecting(json!({ "mode": mode, "fields": {
            "price": { "min": -5, "max": 5, "categories": [1, 2.5] },
            "store": { "format": "date_iso", "max_length": 12 },
        } }))
        .await;
        for price in values {
            for store in values {
                let body = format!("{{\"records\":[{{\"price\":{price},\"store\":{store}}}]}}");
                let answer = server.send(Method::POST, PREDICT, "", body.into_bytes()).await;
                assert!(!answer.status.is_server_error(), "{mode} {price} {store}: {}", answer.text());
            }
        }
    }
}
