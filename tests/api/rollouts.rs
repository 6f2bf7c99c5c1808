//! A new version gets a growing share, and is promoted, rolled back, paused or aborted, by evidence anyone can recompute.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chasqui_tests::{Server, ServerBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::answers::{assert_problem, items, text};
use crate::fixtures::{register, regression};
use crate::graphs;
use crate::telemetry::metric;

/// The alternatives that are bet on, as multiples of the tolerated ratio.
const GRID: [f64; 10] = [1.25, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 50.0, 200.0];
/// A rollout that takes longer is not decided by evidence any more.
const PATIENCE: Duration = Duration::from_secs(90);

/// A champion, a challenger, and an objective that a busy machine keeps.
async fn two_versions(server: &Server, challenger: Vec<u8>) {
    register(server, "ventas", regression(4.0)).await.ok();
    assert_eq!(register(server, "ventas", challenger).await.ok()["version"], 2);
    server.put("/api/v1/services/ventas", &json!({ "model": "ventas", "slo_ms": 30_000.0 })).await.ok();
}

async fn begin(server: &Server, plan: Value) -> String {
    let answer = server.post("/api/v1/services/ventas/rollouts", &plan).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let place = answer.header("location").unwrap().to_owned();
    assert!(place.ends_with(text(&answer.json()["id"])));
    place
}

/// Sends traffic, a new customer a request, until the rollout is over; every request must be answered. Returns how
/// often each version answered.
async fn traffic_until_over(server: &Server, place: &str) -> (Value, BTreeMap<String, u64>) {
    let limit = Instant::now() + PATIENCE;
    let mut versions = BTreeMap::new();
    for customer in 0_u64.. {
        let body = json!({
            "records": [{ "price": customer % 11, "store": "Quito" }],
            "key": format!("cliente-{customer}"),
        });
        let answer = server.post("/api/v1/services/ventas/predict", &body).await;
        assert_eq!(answer.status, 200, "no client sees the canary fail: {}", answer.text());
        *versions.entry(answer.header("x-model-version").unwrap().to_owned()).or_insert(0) += 1;
        // A hundred requests a second or so: what is measured is how much a canary harms before it is taken out.
        tokio::time::sleep(Duration::from_millis(8)).await;
        if customer % 25 == 0 {
            let rollout = server.get(place).await.ok();
            if rollout["terminal"] == true {
                return (rollout, versions);
            }
            assert!(Instant::now() < limit, "it is still {rollout}\n{}", server.log());
        }
    }
    unreachable!("the loop has no end")
}

/// `ln E` from the counts alone, by the formula of the specification as it is written there.
fn ln_e(evidence: &Value, metric: &str, tolerated: f64) -> f64 {
    let segments = evidence["segments"].as_array().unwrap();
    let count =
        |segment: &Value, arm: &str| segment["arms"][arm][format!("{metric}_entities")].as_f64().unwrap();
    let mut sum = 0.0;
    for multiple in GRID {
        let theta = tolerated * multiple;
        let mut ln = 0.0;
        for segment in segments {
            let w = segment["weight"].as_f64().unwrap();
            if w <= 0.0 || w >= 1.0 {
                continue;
            }
            let p = w * tolerated / (w * tolerated + 1.0 - w);
            let q = w * theta / (w * theta + 1.0 - w);
            ln += count(segment, "canary") * (q / p).ln()
                + count(segment, "stable") * ((1.0 - q) / (1.0 - p)).ln();
        }
        sum += ln.exp();
    }
    (sum / GRID.len() as f64).ln()
}

/// Recomputes every guard of an evidence from its counts.
fn assert_recomputable(evidence: &Value) {
    for guard in evidence["guards"].as_array().unwrap() {
        let metric = match text(&guard["metric"]) {
            "errors" => "error",
            other => other,
        };
        let recomputed = ln_e(evidence, metric, guard["tolerated"].as_f64().unwrap());
        let stated = guard["ln_e"].as_f64().unwrap();
        assert!((recomputed - stated).abs() < 1e-9, "{recomputed} and {stated} differ: {guard}");
    }
}

#[tokio::test]
async fn a_failing_canary_is_rolled_back_and_no_client_notices() {
    let server = Server::start().await;
    // Prices of 7 dollars and more make it fail: 4 of 11 requests.
    two_versions(&server, graphs::fails_from(7)).await;
    let place = begin(
        &server,
        json!({
            "version": 2,
            "reason": "una candidata mala",
            "steps": [{ "weight": 0.3, "hold": "30s", "min_requests": 1000 }],
        }),
    )
    .await;
    let begun = server.wait_for(&place, |rollout| rollout["status"] == "step").await;
    let (rollout, versions) = traffic_until_over(&server, &place).await;
    assert_eq!(rollout["status"], "rolled_back", "{rollout}");
    assert!(versions.contains_key("2"), "the canary answered what it could: {versions:?}");

    let took = rollout["finished_at"].as_i64().unwrap() - begun["updated_at"].as_i64().unwrap();
    assert!(took < 25_000_000, "from the first share to the end it took {took} µs");
    let metrics = server.get("/metrics").await.text();
    let victims =
        metric(&metrics, "chasqui_errors_total", &[("service", "ventas"), ("version", "2")]).unwrap();
    assert!(
        (5.0..100.0).contains(&victims),
        "{victims} requests failed on the canary before it was taken out"
    );

    let report = server.get(&format!("{place}/evidence")).await.ok();
    assert_eq!(report["chain_holds"], true);
    assert_recomputable(&report["evidence"]);
    let errors = &report["evidence"]["guards"][0];
    assert_eq!(errors["metric"], "errors");
    assert_eq!(errors["threshold"], 250.0);
    assert!(errors["ln_e"].as_f64().unwrap() >= 250_f64.ln(), "{errors}");
    assert_eq!(errors["canary_events"].as_f64().unwrap(), victims);
    // The event that decided holds the counts it was decided by.
    let events = report["events"].as_array().unwrap();
    let decisive = events.iter().find(|event| event["to_status"] == "rolling_back").unwrap();
    let evidence: Value = serde_json::from_str(text(&decisive["evidence"])).unwrap();
    assert_recomputable(&evidence);
    assert_eq!(evidence["guards"][0]["breached"], true);

    assert_eq!(server.get("/api/v1/models/ventas/aliases/champion").await.ok()["version"], 1);
    let service = server.get("/api/v1/services/ventas").await.ok();
    assert_eq!(service["shares"], json!([{ "version": 1, "share": 1.0 }]));
    let alerts = server.get("/api/v1/alerts?service=ventas").await.ok();
    assert!(items(&alerts).iter().any(|alert| alert["kind"] == "rollback"), "{alerts}");
    let audit = server.get("/api/v1/audit?limit=1000").await.ok();
    assert!(items(&audit).iter().any(|entry| entry["action"] == "rollout.rollback"));
}

#[tokio::test]
async fn a_good_canary_becomes_the_champion() {
    let server = Server::start().await;
    two_versions(&server, regression(4.5)).await;
    let place = begin(
        &server,
        json!({
            "version": 2,
            "steps": [
                { "weight": 0.2, "hold": "1s", "min_requests": 20 },
                { "weight": 0.6, "hold": "1s", "min_requests": 20 },
            ],
            "bake": { "weight": 0.9, "hold": "1s", "min_requests": 20, "requests": 5000 },
        }),
    )
    .await;
    let (rollout, versions) = traffic_until_over(&server, &place).await;
    assert_eq!(rollout["status"], "succeeded", "{rollout}");
    assert!(versions["1"] > 0 && versions["2"] > 0, "{versions:?}");
    assert_eq!(server.get("/api/v1/models/ventas/aliases/champion").await.ok()["version"], 2);
    let all = json!([{ "version": 2, "share": 1.0 }]);
    server.wait_for("/api/v1/services/ventas", |service| service["shares"] == all).await;
    let body = json!({ "records": [{ "price": 2, "store": "Quito" }] });
    let answer = server.post("/api/v1/services/ventas/predict", &body).await;
    assert_eq!((answer.header("x-model-version"), answer.header("x-rollout-id")), (Some("2"), None));

    let report = server.get(&format!("{place}/evidence")).await.ok();
    assert_eq!(report["chain_holds"], true);
    assert_recomputable(&report["evidence"]);
    let visited: Vec<&str> =
        report["events"].as_array().unwrap().iter().map(|event| text(&event["to_status"])).collect();
    assert_eq!((visited[0], *visited.last().unwrap()), ("scheduled", "succeeded"));
    for status in ["warming", "step", "baking"] {
        assert!(visited.contains(&status), "{status} is not in {visited:?}");
    }
    // All that was answered while it had a share was counted, on the arm that the key chose.
    let counted: f64 = report["evidence"]["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|segment| segment["arms"]["canary"]["requests"].as_f64().unwrap())
        .sum();
    assert!(counted > 60.0 && counted <= versions["2"] as f64, "{counted} of {}", versions["2"]);
}

#[tokio::test]
async fn a_key_stays_with_its_version_whatever_happens_to_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = ServerBuilder::default().data_dir(folder.path()).start().await;
    two_versions(&server, regression(4.5)).await;
    let plan = json!({ "version": 2, "steps": [{ "weight": 0.5, "hold": "1h" }] });
    let place = begin(&server, plan).await;
    let rollout = server.wait_for(&place, |rollout| rollout["status"] == "step").await;
    server.wait_for("/api/v1/services/ventas", |service| service["shares"][1]["share"] == 0.5).await;

    let keys: Vec<String> = (0..60).map(|key| format!("cliente-{key}")).collect();
    let before = versions_of(&server, &keys).await;
    for (key, version) in &before {
        let expected = if unit_hash(text(&rollout["salt"]), key) < 0.5 { "2" } else { "1" };
        assert_eq!(version, expected, "an outside script can tell where {key} goes");
    }
    let share = before.values().filter(|version| *version == "2").count();
    assert!((15..=45).contains(&share), "{share} of 60 keys at a share of one half");
    assert_eq!(versions_of(&server, &keys).await, before);

    server.kill();
    let mut server = ServerBuilder::default().data_dir(folder.path()).start().await;
    assert_eq!(versions_of(&server, &keys).await, before);
    assert!(server.terminate());
    let server = ServerBuilder::default().data_dir(folder.path()).start().await;
    assert_eq!(versions_of(&server, &keys).await, before);

    // Tensors are routed by the same key.
    for key in &keys[..10] {
        let body = json!({ "parameters": { "key": key }, "inputs": [
            { "name": "price", "shape": [1, 1], "datatype": "FP32", "data": [1.0] },
            { "name": "store", "shape": [1, 1], "datatype": "BYTES", "data": ["Quito"] },
        ]});
        let answer = server.post("/v2/models/ventas/infer", &body).await.ok();
        assert_eq!(answer["model_version"], *before[key]);
    }
    // A batch of several entities is answered by the version of each.
    let config = json!({ "model": "ventas", "slo_ms": 30_000.0, "key_field": "cliente" });
    server.put("/api/v1/services/ventas", &config).await.ok();
    let record = |key: &String| json!({ "price": 1.0, "store": "Quito", "cliente": key });
    let body = json!({ "records": keys.iter().map(record).collect::<Vec<_>>() });
    let answers = server.post("/api/v1/services/ventas/predict", &body).await.ok();
    for (key, answer) in keys.iter().zip(answers["predictions"].as_array().unwrap()) {
        assert_eq!(answer["version"].to_string(), before[key]);
    }
    // So is each line of a stream, and each row of a table.
    let lines: Vec<String> = keys.iter().map(|key| record(key).to_string()).collect();
    let (path, body) = ("/api/v1/services/ventas/predict", lines.join("\n").into_bytes());
    let answers = server.send(reqwest::Method::POST, path, "application/x-ndjson", body).await.text();
    for (key, line) in keys.iter().zip(answers.lines()) {
        let answer: Value = serde_json::from_str(line).unwrap();
        assert_eq!(answer["version"].to_string(), before[key], "{answer}");
    }
    let table = json!({ "dataframe_records": keys.iter().map(record).collect::<Vec<_>>() });
    let answers = server.post("/services/ventas/invocations", &table).await;
    assert_eq!(answers.header("x-model-version"), Some("1,2"));
    let ids = answers.ok()["prediction_ids"].as_array().unwrap().clone();
    for (key, id) in keys.iter().zip(&ids) {
        let found = server.get(&format!("/api/v1/predictions/{}", text(id))).await.ok();
        assert_eq!(found["key"], *key, "{found}");
        assert_eq!(found["version"].to_string(), before[key], "{found}");
    }
}

async fn versions_of(server: &Server, keys: &[String]) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    for key in keys {
        let body = json!({ "records": [{ "price": 1.0, "store": "Quito" }], "key": key });
        let answer = server.post("/api/v1/services/ventas/predict", &body).await;
        assert!(answer.header("x-rollout-id").is_some(), "{}", answer.text());
        versions.insert(key.clone(), answer.header("x-model-version").unwrap().to_owned());
    }
    versions
}

/// The first eight bytes of SHA-256 over salt, a zero and key, as a share of 2⁶⁴.
fn unit_hash(salt: &str, key: &str) -> f64 {
    let digest = Sha256::digest([salt.as_bytes(), &[0], key.as_bytes()].concat());
    let number = digest[..8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

#[tokio::test]
async fn a_person_can_pause_go_on_and_abort() {
    let server = Server::start().await;
    two_versions(&server, regression(4.5)).await;
    let plan = json!({ "version": 2, "steps": [{ "weight": 0.5, "hold": "1h" }] });
    let place = begin(&server, plan.clone()).await;
    server.wait_for(&place, |rollout| rollout["status"] == "step").await;
    assert_problem(&server.post("/api/v1/services/ventas/rollouts", &plan).await, 409, "ventas");

    let paused = server.post(&format!("{place}/pause"), &json!({ "reason": "feriado" })).await.ok();
    assert_eq!((&paused["status"], &paused["weight"]), (&json!("paused"), &json!(0.5)));
    let resumed = server.post(&format!("{place}/resume"), &json!({})).await.ok();
    assert_eq!(resumed["status"], "step");
    let aborted = server.post(&format!("{place}/abort"), &json!({ "reason": "ya no" })).await.ok();
    assert_eq!(aborted["weight"], 0.0);
    // When the command is answered, this replica routes by it.
    for key in 0..20 {
        let body = json!({ "records": [{ "price": 1.0, "store": "Quito" }], "key": key });
        let answer = server.post("/api/v1/services/ventas/predict", &body).await;
        assert_eq!(answer.header("x-model-version"), Some("1"));
    }
    server.wait_for(&place, |rollout| rollout["status"] == "rolled_back").await;
    assert_problem(&server.post(&format!("{place}/resume"), &json!({})).await, 409, "");
    assert_eq!(items(&server.get("/api/v1/services/ventas/rollouts").await.ok()).len(), 1);
}

#[tokio::test]
async fn plans_that_cannot_be_meant_are_refused() {
    let server = Server::start().await;
    two_versions(&server, regression(4.5)).await;
    for (plan, status, named) in [
        (json!({ "steps": [] }), 422, "version"),
        (json!({ "version": 2, "steps": [] }), 422, "steps"),
        (json!({ "version": 2, "steps": [{ "weight": 0.5 }, { "weight": 0.2 }] }), 422, "steps[1]"),
        (json!({ "version": 2, "steps": [{ "weight": 1.5 }] }), 422, "weight"),
        (json!({ "version": 2, "steps": [{ "weight": 0.5, "min_requests": 0 }] }), 422, "min_requests"),
        (json!({ "version": 2, "steps": [{ "weight": 0.5, "holds": "1s" }] }), 422, "holds"),
        (json!({ "version": 2, "metrics": ["accuracy"] }), 422, "accuracy"),
        (json!({ "version": 2, "stepz": [] }), 422, "stepz"),
        (json!({ "version": 9 }), 404, "9"),
        (json!({ "version": 1 }), 409, "1"),
    ] {
        assert_problem(&server.post("/api/v1/services/ventas/rollouts", &plan).await, status, named);
    }
    assert!(items(&server.get("/api/v1/rollouts").await.ok()).is_empty());
    assert_eq!(server.post("/api/v1/services/otro/rollouts", &json!({ "version": 1 })).await.status, 404);
}
