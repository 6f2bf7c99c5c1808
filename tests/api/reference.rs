//! The API's document and its page: for those with a key, the same wherever it comes from, and what it says of wrong
//! bodies holds.

use std::process::Command;

use chasqui_tests::{Answer, Server, binary};
use reqwest::Method;
use serde_json::json;

use crate::fixtures::{register, regression};

#[tokio::test]
async fn the_document_is_the_same_everywhere_and_for_those_with_a_key() {
    let mut server = Server::start().await;
    let kept = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json")).unwrap();
    let served = server.get("/api/openapi.json").await;
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert!(served.bytes == kept, "the served document is not the one that is checked in");
    let printed = Command::new(binary()).arg("openapi").output().unwrap();
    assert!(printed.status.success() && printed.stdout == kept, "the printed document is another one");

    let page = server.request(Method::GET, "/api").header("accept", "text/html").send().await.unwrap();
    let page = Answer::of(page).await.unwrap();
    assert_eq!(page.status, 200);
    assert!(page.text().contains("/api/v1/models/{model}/versions"), "{}", page.text());
    let panel = server.request(Method::GET, "/").header("accept", "text/html").send().await.unwrap();
    assert!(panel.text().await.unwrap().contains("href=\"/api\""), "the panel does not lead to the page");

    server.key = String::new();
    server.get("/api/openapi.json").await.refused(401, "key");
    server.get("/api").await.refused(401, "key");
    let browser = server.request(Method::GET, "/api").header("accept", "text/html").send().await.unwrap();
    assert_eq!(browser.headers()["location"], "/login?next=%2Fapi");
}

#[tokio::test]
async fn a_list_is_no_object() {
    let server = Server::start().await;
    register(&server, "ventas", regression(1.0)).await;
    let path = "/api/v1/services/ventas";
    for body in [
        json!([]),
        json!(["ventas"]),
        json!({ "model": "ventas", "routing": [] }),
        json!({ "model": "ventas", "monitor": [60, 1, []] }),
        json!({ "model": "ventas", "expectations": { "fields": { "precio": [] } } }),
    ] {
        server.put(path, &body).await.refused(400, "a list stands where an object is meant");
    }
    server.post("/api/v1/models", &json!(["x"])).await.refused(400, "a list");
    server.post("/api/v1/keys", &json!(["x", "viewer"])).await.refused(400, "a list");
    let rollout = json!({ "version": 1, "bake": [] });
    server.post(&format!("{path}/rollouts"), &rollout).await.refused(400, "a list");
    let lineage = "/api/v1/models/ventas/versions?lineage=%5B%5D";
    server.upload(lineage, vec![1]).await.refused(422, "a list");
    server.put(path, &json!({ "model": "ventas", "routing": {} })).await.ok();
}

#[tokio::test]
async fn nul_is_in_no_path_and_no_query() {
    let server = Server::start().await;
    for path in
        ["/api/v1/jobs/a%00b", "/api/v1/rollouts/%00", "/v2/models/%00/ready", "/api/v1/models?search=%00"]
    {
        server.get(path).await.refused(400, "NUL");
    }
}
