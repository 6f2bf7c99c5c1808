//! The friendly form: named records in, named predictions out, every one of them in the log.

use chasqui_tests::{Answer, Server};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::{assert_problem, items, text};
use crate::fixtures::{Sale, ask, classification, register, regression, sales};
use crate::graphs;

const PREDICT: &str = "/api/v1/services/ventas/predict";

#[tokio::test]
async fn one_record_or_many_are_answered_by_name() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let answer = ask(&server, "ventas", json!({ "price": 5, "store": "Quito" })).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let answer = answer.ok();
    assert_eq!(answer["service"], "ventas");
    let one = &answer["predictions"][0];
    assert_eq!(one["version"], 1);
    assert_eq!(text(&one["prediction_id"]).len(), 36);
    let value = one["value"].as_f64().unwrap();
    assert!((value - 70.0).abs() < 1.0, "50 + 4 · 5, not {value}");

    let asked = sales(40, 4.0, 5);
    let records: Vec<Value> = asked.iter().map(Sale::record).collect();
    let many = server.post(PREDICT, &json!({ "records": records })).await.ok();
    let many = many["predictions"].as_array().unwrap();
    assert_eq!(many.len(), 40);
    for (sale, answer) in asked.iter().zip(many) {
        let value = answer["value"].as_f64().unwrap();
        assert!((value - sale.sales).abs() < 1.5, "{sale:?}: {value}");
    }
    // Order of fields, white space and line ends mean nothing; the type of the content is not looked at.
    let body = "{\r\n \"records\" : [ {\"store\":\"Qu\\u0069to\", \"pr\\u0069ce\":5.0e0} ] }\r\n";
    let odd = server.send(Method::POST, PREDICT, "text/plain", body.as_bytes().to_vec()).await.ok();
    assert_eq!(odd["predictions"][0]["value"], one["value"]);
}

#[tokio::test]
async fn classes_come_with_their_probabilities() {
    let server = Server::start().await;
    register(&server, "demanda", classification()).await.ok();
    for (price, label) in [(10.0, "alta"), (0.0, "baja")] {
        let answer = ask(&server, "demanda", json!({ "price": price, "store": "Guayaquil" })).await.ok();
        let one = &answer["predictions"][0];
        if price > 5.0 {
            assert_eq!(one["label"], label, "{one}");
        }
        let all = one["probabilities"].as_object().unwrap();
        let sum: f64 = all.values().map(|probability| probability.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{one}");
        assert_eq!(one["probability"], all[text(&one["label"])]);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_named_with_record_and_field() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let good = json!({ "price": 1.0, "store": "Quito" });
    for (bad, field, reason) in [
        (json!({ "store": "Quito" }), "price", "missing"),
        (json!({ "price": 1.0, "store": "Quito", "colour": 1 }), "colour", "not a field"),
        (json!({ "price": "1.0", "store": "Quito" }), "price", "without quotes"),
        (json!({ "price": "mucho", "store": "Quito" }), "price", "mucho"),
        (json!({ "price": true, "store": "Quito" }), "price", "true"),
        (json!({ "price": 1.0, "store": 7 }), "store", "7"),
        (json!({ "price": [1.0], "store": "Quito" }), "price", "single value"),
        (json!({ "price": 1e39, "store": "Quito" }), "price", "large"),
    ] {
        let answer = server.post(PREDICT, &json!({ "records": [good, bad] })).await;
        assert_problem(&answer, 422, reason);
        let document = answer.json();
        assert_eq!((&document["record"], &document["field"]), (&json!(1), &json!(field)), "{document}");
    }
    for (body, status, reason) in [
        ("{}", 422, "records"),
        ("{\"records\":[]}", 422, "empty"),
        ("{\"records\":{}}", 422, "array"),
        ("{\"records\":[7]}", 422, "record"),
        ("{\"recrods\":[]}", 422, "recrods"),
        ("{\"records\":[{\"price\":1,\"price\":2,\"store\":\"Quito\"}]}", 422, "twice"),
        ("{\"records\":[{\"price\":NaN,\"store\":\"Quito\"}]}", 400, "JSON"),
        ("{\"records\":[{\"price\":1,\"store\":\"Quito\"}", 400, "JSON"),
        ("", 400, "JSON"),
        ("{\"records\":[{\"price\":1,\"store\":\"Quito\"}],\"key\":\"\"}", 422, "key"),
        ("{\"records\":[{\"price\":1,\"store\":\"Quito\"}],\"key\":1.5}", 422, "key"),
    ] {
        let answer = server.send(Method::POST, PREDICT, "", body.as_bytes().to_vec()).await;
        assert_problem(&answer, status, reason);
    }
    let deep = format!("{{\"records\":[{{\"price\":{}", "[".repeat(100_000));
    assert!(server.send(Method::POST, PREDICT, "", deep.into_bytes()).await.status.is_client_error());
    let log = server.get("/api/v1/services/ventas/log").await.ok();
    assert!(items(&log).is_empty(), "what was refused is no prediction: {log}");
}

#[tokio::test]
async fn missing_values_and_unknown_categories_are_answered() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    for record in [
        json!({ "price": null, "store": "Quito" }),
        json!({ "price": 1, "store": null }),
        json!({ "price": 1, "store": "Marte" }),
    ] {
        let answer = ask(&server, "ventas", record.clone()).await.ok();
        assert!(answer["predictions"][0]["value"].is_number(), "{record}: {answer}");
    }
}

async fn with_header(server: &Server, name: &str, value: &str) -> Answer {
    let body = json!({ "records": [{ "price": 1.0, "store": "Quito" }] }).to_string();
    let request = server.request(Method::POST, PREDICT).header(name, value).body(body);
    Answer::of(request.send().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn headers_say_which_version_and_which_request() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    register(&server, "ventas", regression(9.0)).await.ok();
    let plain = ask(&server, "ventas", json!({ "price": 1.0, "store": "Quito" })).await;
    assert_eq!(plain.header("x-model-version"), Some("1"));
    assert_eq!(plain.header("x-rollout-id"), None);
    assert_eq!(plain.header("x-request-id").unwrap().len(), 32);
    let named = with_header(&server, "x-request-id", "pedido-17").await;
    assert_eq!(named.header("x-request-id"), Some("pedido-17"));

    // A version can be asked for by number; the services's own traffic does not see it.
    let pinned = with_header(&server, "x-model-version", "1").await;
    assert_eq!(pinned.header("x-model-version"), Some("1"));
    assert_problem(&with_header(&server, "x-model-version", "17").await, 404, "17");
    assert_problem(&with_header(&server, "x-model-version", "one").await, 400, "x-model-version");
}

#[tokio::test]
async fn every_answer_is_in_the_log_with_its_outcome() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let config = json!({ "model": "ventas", "key_field": "cliente", "personal": ["cliente"] });
    server.put("/api/v1/services/ventas", &config).await.ok();
    let record = json!({ "price": 5.0, "store": "Quito", "cliente": "0102030405" });
    let request = server.request(Method::POST, PREDICT).header("x-request-id", "pedido-17");
    let answer = request.body(json!({ "records": [record] }).to_string()).send().await.unwrap();
    let answer = Answer::of(answer).await.unwrap().ok();
    let (id, value) = (text(&answer["predictions"][0]["prediction_id"]), &answer["predictions"][0]["value"]);

    let outcome = json!([{ "prediction_id": id, "value": 71.5, "converted": true }]);
    assert_eq!(server.post("/api/v1/outcomes", &outcome).await.ok()["stored"], 1);
    assert_eq!(server.post("/api/v1/outcomes", &outcome).await.ok()["unchanged"], 1);

    let found = server.get(&format!("/api/v1/predictions/{id}")).await.ok();
    assert_eq!((&found["service"], &found["version"]), (&json!("ventas"), &json!(1)));
    assert_eq!(found["inputs"], json!({ "price": 5.0, "store": "Quito" }));
    assert!((found["outputs"]["value"].as_f64().unwrap() - value.as_f64().unwrap()).abs() < 1e-4);
    assert_eq!(found["request_id"], "pedido-17");
    assert_eq!((&found["outcome"]["value"], &found["outcome"]["converted"]), (&json!(71.5), &json!(true)));
    assert!(!found.to_string().contains("0102030405"), "personal values are pseudonyms: {found}");

    let page = server.get("/api/v1/services/ventas/log").await.ok();
    assert_eq!(items(&page).len(), 1);
    assert_eq!(items(&page)[0]["id"], id);
    assert!(!page.to_string().contains("0102030405"));

    // An outcome may come by the entity's key and about when; the key itself is what the caller knows.
    let at = found["at"].as_i64().unwrap();
    let by_key = json!([{ "service": "ventas", "key": "0102030405", "at": at, "value": 80.0 }]);
    assert_eq!(server.post("/api/v1/outcomes", &by_key).await.ok()["updated"], 1);
    let nobody = json!([{ "service": "ventas", "key": "999", "at": at, "value": 80.0 }]);
    assert_eq!(server.post("/api/v1/outcomes", &nobody).await.ok()["unmatched"], json!([0]));
    for bad in [
        json!([{ "prediction_id": id }]),
        json!([{ "value": 1.0 }]),
        json!([{ "prediction_id": "x", "value": 1 }]),
    ] {
        assert_problem(&server.post("/api/v1/outcomes", &bad).await, 422, "");
    }
}

#[tokio::test]
async fn the_log_is_read_page_by_page_and_by_time() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let records: Vec<Value> = sales(25, 4.0, 3).iter().map(Sale::record).collect();
    let answer = server.post(PREDICT, &json!({ "records": records })).await.ok();
    let mut asked: Vec<&str> =
        answer["predictions"].as_array().unwrap().iter().map(|one| text(&one["prediction_id"])).collect();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = server.get(&format!("/api/v1/services/ventas/log?limit=10{cursor}")).await.ok();
        seen.extend(items(&page).iter().map(|row| text(&row["id"]).to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    seen.sort_unstable();
    asked.sort_unstable();
    assert_eq!(seen, asked);
    let earlier =
        server.get("/api/v1/services/ventas/log?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z").await;
    assert!(items(&earlier.ok()).is_empty());
    assert_problem(&server.get("/api/v1/services/ventas/log?from=5&to=4").await, 422, "from");
}

#[tokio::test]
async fn history_is_logged_at_its_own_time() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let body = json!({ "records": [{ "price": 5.0, "store": "Quito" }], "at": "2016-04-16T18:58:00-05:00" });
    let answer = server.post(PREDICT, &body).await.ok();
    let id = text(&answer["predictions"][0]["prediction_id"]);
    let page = server
        .get("/api/v1/services/ventas/log?from=2016-04-16T23:58:00Z&to=2016-04-16T23:59:00Z")
        .await
        .ok();
    assert_eq!(items(&page).len(), 1, "{page}");
    assert_eq!(items(&page)[0]["id"], id);
    let bad = json!({ "records": [{ "price": 5.0, "store": "Quito" }], "at": "ayer" });
    assert_problem(&server.post(PREDICT, &bad).await, 422, "at");
}

#[tokio::test]
async fn a_model_that_fails_is_our_fault_and_told_as_such() {
    let server = Server::start().await;
    register(&server, "ventas", graphs::fails_from(7)).await.ok();
    ask(&server, "ventas", json!({ "price": 6.0, "store": "Quito" })).await.ok();
    let failed = ask(&server, "ventas", json!({ "price": 9.0, "store": "Quito" })).await;
    assert_problem(&failed, 500, "");
    assert_eq!(failed.json()["code"], "model_failed");
    ask(&server, "ventas", json!({ "price": 6.0, "store": "Quito" })).await.ok();
}
