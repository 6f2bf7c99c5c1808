//! Metrics for Prometheus, logs for machines, and health that tells the truth.

use chasqui_tests::{ADMIN_KEY, Answer, Server};
use reqwest::Method;
use serde_json::{Value, json};

use crate::fixtures::{ask, register, regression};
use crate::graphs;

/// The value of the series with this name and, among its labels, these.
pub(crate) fn metric(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let wanted: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    let line = text.lines().find(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| {
            rest.starts_with(['{', ' ']) && wanted.iter().all(|label| rest.contains(label))
        })
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn prometheus_sees_what_happens() {
    let server = Server::start().await;
    register(&server, "ventas", graphs::fails_from(7)).await.ok();
    for price in [1.0, 2.0, 3.0, 9.0] {
        ask(&server, "ventas", json!({ "price": price, "store": "Quito" })).await;
    }
    ask(&server, "ventas", json!({ "price": "1.0", "store": "Quito" })).await;
    let body = json!({ "records": [{ "price": 1, "store": "Quito" }, { "price": 2, "store": "Quito" }] });
    server.post("/api/v1/services/ventas/predict", &body).await.ok();

    let answer = server.get("/metrics").await;
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
    let text = answer.text();
    let of_version = [("service", "ventas"), ("version", "1")];
    let value = |name: &str, labels: &[(&str, &str)]| {
        metric(&text, name, labels).unwrap_or_else(|| panic!("{name} {labels:?} is not in:\n{text}"))
    };
    assert_eq!(value("chasqui_requests_total", &of_version), 5.0);
    assert_eq!(value("chasqui_predictions_total", &of_version), 5.0);
    assert_eq!(value("chasqui_errors_total", &of_version), 1.0);
    assert_eq!(value("chasqui_latency_seconds_count", &of_version), 4.0);
    assert!(value("chasqui_latency_seconds_sum", &of_version) > 0.0);
    let all = [("service", "ventas"), ("version", "1"), ("le", "+Inf")];
    assert_eq!(value("chasqui_latency_seconds_bucket", &all), 4.0);
    assert_eq!(value("chasqui_share", &of_version), 1.0);
    assert_eq!(value("chasqui_refused_total", &[("service", "ventas"), ("code", "invalid")]), 1.0);
    for name in [
        "chasqui_http_in_flight",
        "chasqui_log_lag_records",
        "chasqui_log_lag_bytes",
        "chasqui_log_lag_seconds",
        "chasqui_routing_epoch",
        "chasqui_load_failures_total",
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
    ] {
        assert!(metric(&text, name, &[]).is_some(), "{name} is not in:\n{text}");
    }
    let lag = |text: &str| metric(text, "chasqui_log_lag_records", &[]);
    server.wait_for_answer("/metrics", |answer| lag(&answer.text()) == Some(5.0)).await;
    for state in ["queued", "running", "succeeded", "failed", "cancelled"] {
        let jobs = |answer: &Answer| metric(&answer.text(), "chasqui_jobs", &[("state", state)]).is_some();
        server.wait_for_answer("/metrics", jobs).await;
    }
    // Every family says what it is; nothing that a client invents becomes a label.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let told = text.contains(&format!("# HELP {family} ")) || text.contains(&format!("# HELP {name} "));
        assert!(told, "{name} has no line of help");
    }
    server.send(Method::GET, "/api/v1/invented/by/a/client", "", Vec::new()).await;
    server.send(Method::from_bytes(b"INVENTED").unwrap(), "/api/v1/models", "", Vec::new()).await;
    let text = server.get("/metrics").await.text();
    assert!(!text.contains("invented") && !text.contains("INVENTED"), "{text}");
}

#[tokio::test]
async fn a_live_rollout_is_seen_with_its_state_and_share() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    register(&server, "ventas", regression(5.0)).await.ok();
    let plan = json!({ "version": 2, "steps": [{ "weight": 0.25, "hold": "1h" }] });
    server.post("/api/v1/services/ventas/rollouts", &plan).await.ok();
    let service = ("service", "ventas");
    let seen = |answer: &Answer| {
        let text = answer.text();
        metric(&text, "chasqui_rollout_state", &[service, ("state", "step")]) == Some(1.0)
            && metric(&text, "chasqui_rollout_weight", &[service]) == Some(0.25)
            && metric(&text, "chasqui_share", &[service, ("version", "2")]) == Some(0.25)
            && metric(&text, "chasqui_share", &[service, ("version", "1")]) == Some(0.75)
    };
    server.wait_for_answer("/metrics", seen).await;
}

#[tokio::test]
async fn logs_are_json_lines_with_request_ids_and_without_secrets() {
    let mut server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let request = server.request(Method::GET, "/api/v1/models/ventas?secreto=0102030405");
    let answer = request.header("x-request-id", "pedido-17").send().await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "pedido-17");
    let made = server.post("/api/v1/keys", &json!({ "name": "caja", "role": "viewer" })).await.ok();
    let request = server.request(Method::POST, "/login").body(format!("key={ADMIN_KEY}&next=%2F"));
    request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    server.get("/health/live").await.ok();
    assert!(server.terminate());

    let log = server.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in the line: {line}")))
        .collect();
    let line = lines.iter().find(|line| line["request.id"] == "pedido-17").expect("the request has a line");
    assert_eq!((&line["level"], &line["http.status"]), (&json!("INFO"), &json!(200)));
    assert_eq!((&line["http.method"], &line["http.path"]), (&json!("GET"), &json!("/api/v1/models/ventas")));
    assert!(
        line["timestamp"].is_string() && line["message"].is_string() && line["elapsed_us"].is_u64(),
        "{line}"
    );
    assert!(!lines.iter().any(|line| line["http.path"] == "/health/live"), "probes do not fill the log");
    for secret in [ADMIN_KEY, made["secret"].as_str().unwrap(), "0102030405"] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
}

#[tokio::test]
async fn liveness_and_readiness_say_what_they_mean() {
    let server = Server::start().await;
    assert_eq!(server.get("/health/live").await.ok(), json!({ "live": true }));
    let ready = server.get("/health/ready").await.ok();
    assert_eq!((&ready["ready"], &ready["state"]), (&json!(true), &json!("ready")));
    assert_eq!(server.send(Method::HEAD, "/health/ready", "", Vec::new()).await.status, 200);
}

/// `chasqui_…` names in a text, without the suffixes of a histogram's series.
fn metrics_named_in(text: &str) -> std::collections::BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let starts = text.match_indices("chasqui_").map(|(at, _)| &text[at..]);
    let names = starts.map(|rest| rest.split(|c| !is_name(c)).next().unwrap_or_default());
    names.map(|name| name.trim_end_matches("_bucket").to_owned()).collect()
}

#[test]
fn the_board_and_the_alert_rules_name_metrics_that_exist() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |path: &str| std::fs::read_to_string(format!("{root}/{path}")).unwrap();
    let declared = metrics_named_in(&read("server/src/metrics.rs"));
    for path in ["deploy/grafana/chasqui.json", "deploy/prometheus/chasqui.rules.yaml"] {
        let named = metrics_named_in(&read(path));
        assert!(named.len() >= 5, "{path} names {named:?}");
        let unknown: Vec<&String> = named.difference(&declared).collect();
        assert!(unknown.is_empty(), "{path} names {unknown:?}");
    }
    let shown = metrics_named_in(&read("deploy/grafana/chasqui.json"));
    let of_drift = ["drifted", "drift_psi", "drift_explained", "data_faults"];
    let of_performance = ["performance", "performance_fell", "weekly_loss_dollars"];
    for gauge in of_drift.iter().chain(&of_performance) {
        assert!(shown.contains(&format!("chasqui_{gauge}")), "the board does not show {gauge}: {shown:?}");
    }
}
