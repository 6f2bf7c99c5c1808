//! A file becomes a version, or is refused with the reason and leaves nothing behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chasqui_tests::{Server, ServerBuilder};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::{assert_problem, items, text};
use crate::fixtures::{ask, classification, register, regression};
use crate::graphs;

#[tokio::test]
async fn a_file_becomes_a_version_with_a_service() {
    let server = Server::start().await;
    let bytes = regression(4.0);
    let answer = server
        .upload(
            "/api/v1/models/ventas/versions?metrics=%7B%22rmse%22%3A1.5%7D&tags=%7B%22a%22%3A%22b%22%7D&card=Hola",
            bytes.clone(),
        )
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("location"), Some("/api/v1/models/ventas/versions/1"));
    let version = answer.ok();
    assert_eq!(version["version"], 1);
    assert_eq!(version["size_bytes"], bytes.len());
    assert_eq!(version["metrics"]["rmse"], 1.5);
    assert_eq!((&version["tags"]["a"], &version["card"]), (&json!("b"), &json!("Hola")));
    assert_eq!(version["signature"]["task"], "regression");
    let features: Vec<&str> = version["signature"]["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|feature| text(&feature["name"]))
        .collect();
    assert_eq!(features, ["price", "store"]);

    assert_eq!(server.get("/api/v1/models/ventas").await.ok()["name"], "ventas");
    assert_eq!(server.get("/api/v1/models/ventas/aliases/champion").await.ok()["version"], 1);
    let service = server.get("/api/v1/services/ventas").await.ok();
    assert_eq!(service["ready"], true, "{service}");
    let download = server.get("/api/v1/models/ventas/versions/1/download").await;
    assert_eq!(download.bytes, bytes);
    // The next request finds it: no waiting, no restart.
    ask(&server, "ventas", json!({ "price": 2.0, "store": "Quito" })).await.ok();
}

#[tokio::test]
async fn the_same_bytes_are_the_same_version() {
    let server = Server::start().await;
    let first = register(&server, "ventas", regression(4.0)).await.ok();
    let objects = files(server.data_dir());
    let second = register(&server, "ventas", regression(4.0)).await.ok();
    assert_eq!(first, second);
    assert_eq!(files(server.data_dir()), objects);
    assert_eq!(items(&server.get("/api/v1/models/ventas/versions").await.ok()).len(), 1);
}

#[tokio::test]
async fn a_later_version_challenges_and_changes_nothing() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let record = json!({ "price": 5.0, "store": "Quito" });
    let before = ask(&server, "ventas", record.clone()).await.ok();
    assert_eq!(register(&server, "ventas", regression(9.0)).await.ok()["version"], 2);
    assert_eq!(server.get("/api/v1/models/ventas/aliases/champion").await.ok()["version"], 1);
    assert_eq!(server.get("/api/v1/models/ventas/aliases/challenger").await.ok()["version"], 2);
    let after = ask(&server, "ventas", record.clone()).await.ok();
    assert_eq!(after["predictions"][0]["value"], before["predictions"][0]["value"]);

    let moved = json!({ "version": 2, "reason": "probada en el piloto" });
    server.put("/api/v1/models/ventas/aliases/champion", &moved).await.ok();
    let answer = ask(&server, "ventas", record).await;
    assert_eq!(answer.header("x-model-version"), Some("2"));
    let value = answer.ok()["predictions"][0]["value"].as_f64().unwrap();
    assert!((value - 95.0).abs() < 1.0, "50 + 9 · 5, not {value}");

    let nowhere = server.put("/api/v1/models/ventas/aliases/champion", &json!({ "version": 7 })).await;
    assert_problem(&nowhere, 404, "7");
    let named = server.put("/api/v1/models/ventas/aliases/piloto", &json!({ "version": 1 })).await;
    assert!(named.status.is_success());
    assert_eq!(items(&server.get("/api/v1/models/ventas/aliases").await.ok()).len(), 3);
    let used = server.send(Method::DELETE, "/api/v1/models/ventas/versions/2", "", Vec::new()).await;
    assert_problem(&used, 409, "2");
}

#[tokio::test]
async fn a_version_must_not_break_the_callers_of_the_champion() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let before = files(server.data_dir());
    assert_problem(&register(&server, "ventas", graphs::other_columns()).await, 409, "price");
    assert_problem(&register(&server, "ventas", classification()).await, 409, "Binary");
    assert_eq!(files(server.data_dir()), before);
    assert_eq!(items(&server.get("/api/v1/models/ventas/versions").await.ok()).len(), 1);
}

#[tokio::test]
async fn broken_and_hostile_files_leave_nothing_behind() {
    let server = ServerBuilder::default().env("CHASQUI_LIMITS_MODEL_BYTES", "50000").start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let whole = regression(5.0);
    let mut cases: Vec<(String, Vec<u8>, u16)> = Vec::new();
    // The last bytes are metadata; a cut within them, within the graph or within the first fields is never a model.
    for offset in [1, 2, 7, whole.len() / 10, whole.len() / 4, whole.len() / 2, whole.len() - 1] {
        cases.push((format!("cut at {offset}"), whole[..offset].to_vec(), 422));
    }
    for offset in [0, whole.len() / 3, whole.len() / 2] {
        let mut damaged = whole.clone();
        damaged[offset..offset + 16].fill(0xff);
        cases.push((format!("damaged at {offset}"), damaged, 422));
    }
    cases.push(("empty".into(), Vec::new(), 422));
    cases.push(("a table".into(), b"price,store\n1,Quito\n".to_vec(), 422));
    cases.push(("a picture".into(), b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR".to_vec(), 422));
    cases.push((
        "a pickle".into(),
        b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00cos\nsystem\n".to_vec(),
        422,
    ));
    cases.push(("an unknown operator".into(), graphs::unknown_operator(), 422));
    cases.push(("10 GB in the header".into(), graphs::huge_constant(), 422));
    cases.push(("10 GB when computed".into(), graphs::huge_when_computed(), 422));
    cases.push(("too large".into(), vec![0; 50_001], 413));

    let before = State::of(&server).await;
    for (what, bytes, status) in cases {
        for model in ["ventas", "nuevo"] {
            let started = Instant::now();
            let answer = register(&server, model, bytes.clone()).await;
            assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text());
            assert_problem(&answer, status, "");
            assert!(answer.json()["detail"].as_str().unwrap().len() > 15, "{what}: {}", answer.text());
            assert!(started.elapsed() < Duration::from_secs(10), "{what} took {:?}", started.elapsed());
        }
        assert_eq!(State::of(&server).await, before, "{what} left something behind");
    }
    assert!(resident_bytes(server.pid()) < 600 << 20, "refusing must not cost the memory that was asked for");

    let reason = register(&server, "nuevo", graphs::unknown_operator()).await;
    assert!(reason.text().contains("Frobnicate"), "{}", reason.text());
    // What was refused stands in nobody's way.
    register(&server, "nuevo", whole).await.ok();
}

/// What must not change when a file is refused.
#[derive(Debug, PartialEq)]
struct State {
    models: Value,
    versions: Value,
    services: usize,
    audit: Value,
    files: BTreeSet<PathBuf>,
}

impl State {
    async fn of(server: &Server) -> Self {
        Self {
            models: server.get("/api/v1/models").await.ok(),
            versions: server.get("/api/v1/models/ventas/versions").await.ok(),
            services: items(&server.get("/api/v1/services").await.ok()).len(),
            audit: server.get("/api/v1/audit").await.ok(),
            files: files(server.data_dir()),
        }
    }
}

/// The objects in the store.
fn files(data_dir: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    let mut folders = vec![data_dir.join("artifacts")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path);
            }
        }
    }
    files
}

fn resident_bytes(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn models_go_and_come_back_and_the_audit_knows() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let gone = server.send(Method::DELETE, "/api/v1/services/ventas?reason=fin", "", Vec::new()).await;
    assert_eq!(gone.status, 204, "{}", gone.text());
    assert_problem(&ask(&server, "ventas", json!({ "price": 1.0, "store": "Quito" })).await, 404, "ventas");
    let gone = server.send(Method::DELETE, "/api/v1/models/ventas?reason=fin", "", Vec::new()).await;
    assert_eq!(gone.status, 204, "{}", gone.text());
    assert_problem(&server.get("/api/v1/models/ventas").await, 404, "ventas");
    server.post("/api/v1/models/ventas/restore", &json!({ "reason": "todavía sirve" })).await.ok();
    assert_eq!(items(&server.get("/api/v1/models/ventas/versions").await.ok()).len(), 1);

    let audit = server.get("/api/v1/audit?limit=1000").await.ok();
    let actions: BTreeSet<&str> = items(&audit).iter().map(|entry| text(&entry["action"])).collect();
    for action in [
        "model.create",
        "version.register",
        "alias.set",
        "service.create",
        "service.delete",
        "model.delete",
        "model.restore",
    ] {
        assert!(actions.contains(action), "{action} is not in {actions:?}");
    }
    let walked = server.get("/api/v1/audit/verification").await.ok();
    assert_eq!((&walked["broken_at"], &walked["entries"]), (&Value::Null, &json!(items(&audit).len())));
}
