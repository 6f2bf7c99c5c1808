//! Bad requests get a precise 4xx; large ones are refused before they cost memory; repeated ones are done once.

use chasqui_tests::{Answer, Server, ServerBuilder};
use reqwest::{Body, Method};
use serde_json::{Value, json};

use crate::answers::{assert_problem, items};
use crate::fixtures::{csv, register, regression, sales};

async fn post_text(server: &Server, path: &str, body: &str) -> Answer {
    server.send(Method::POST, path, "application/json", body.as_bytes().to_vec()).await
}

#[tokio::test]
async fn what_cannot_be_understood_is_named() {
    let server = Server::start().await;
    for broken in ["{", "{\"name\": }", "not json", "{\"name\":\"a\"} x", "\u{0}"] {
        assert_problem(&post_text(&server, "/api/v1/models", broken).await, 400, "JSON");
    }
    let not_utf8 = server.send(Method::POST, "/api/v1/models", "", b"{\"name\":\"\xff\"}".to_vec()).await;
    assert_problem(&not_utf8, 400, "JSON");
    for (body, named) in [
        ("{\"name\":\"a\",\"colour\":1}", "colour"),
        ("{}", "name"),
        ("{\"name\":7}", "7"),
        ("{\"name\":\"a\",\"task\":\"guess\"}", "guess"),
    ] {
        assert_problem(&post_text(&server, "/api/v1/models", body).await, 422, named);
    }
    assert_problem(&post_text(&server, "/api/v1/models", "[]").await, 400, "list");
    for (query, named) in [("limt=5", "limt"), ("limit=0", "limit"), ("limit=2000", "limit"), ("limit=x", "")]
    {
        let answer = server.get(&format!("/api/v1/models?{query}")).await;
        assert!([400, 422].contains(&answer.status.as_u16()), "{query}: {}", answer.text());
        assert_problem(&answer, answer.status.as_u16(), named);
    }
    let unknown = server.put("/api/v1/services/x", &json!({ "model": "m", "slo": 5 })).await;
    assert_problem(&unknown, 422, "slo");
}

#[tokio::test]
async fn names_are_checked_at_the_border() {
    let server = Server::start().await;
    let long = "x".repeat(256);
    for bad in ["", "a/b", "a:b", ".", "..", " a", "a ", "a\nb", "a\u{0}b", long.as_str()] {
        let answer = server.post("/api/v1/models", &json!({ "name": bad })).await;
        assert_problem(&answer, 422, "name");
    }
    for bad in ["a%2Fb", "a%3Ab", "%2E%2E", "%20a", "a%00b", "a%FFb", long.as_str()] {
        let answer = register(&server, bad, regression(4.0)).await;
        assert!(answer.status.is_client_error(), "{bad}: {}", answer.status);
    }
    assert!(items(&server.get("/api/v1/models").await.ok()).is_empty());
    let longest = "ñ".repeat(255);
    assert_eq!(server.post("/api/v1/models", &json!({ "name": longest })).await.status, 201);
    assert_eq!(server.post("/api/v1/models", &json!({ "name": "año 2026 (piloto)" })).await.status, 201);
    assert_eq!(
        server.get("/api/v1/models/a%C3%B1o%202026%20(piloto)").await.ok()["name"],
        "año 2026 (piloto)"
    );
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_offered_405() {
    let server = Server::start().await;
    for path in [
        "/api/v1/nothing",
        "/api/v1/models/none",
        "/api/v1/models/none/versions/1",
        "/api/v1/datasets/none",
        "/api/v1/services/none",
        "/api/v1/services/none/log",
        "/api/v1/services/none/drift",
        "/api/v1/rollouts/none",
        "/api/v1/rollouts/none/evidence",
        "/api/v1/jobs/none",
        "/api/v1/pipelines/none",
        "/api/v1/reports/none.html",
        "/api/v1/predictions/00000000-0000-7000-8000-000000000000",
        "/nothing",
    ] {
        assert_problem(&server.get(path).await, 404, "");
    }
    assert_problem(
        &post_text(&server, "/api/v1/services/none/predict", "{\"records\":[{}]}").await,
        404,
        "none",
    );
    for (method, path) in [
        (Method::PATCH, "/api/v1/models"),
        (Method::DELETE, "/api/v1/audit"),
        (Method::GET, "/api/v1/outcomes"),
        (Method::PUT, "/health/live"),
    ] {
        let answer = server.send(method, path, "", Vec::new()).await;
        assert_problem(&answer, 405, "");
        assert!(answer.header("allow").is_some_and(|allow| !allow.is_empty()), "{path}");
    }
    for path in ["/v2/models/none", "/v2/models/none/ready", "/v2/nothing"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.json()["error"].is_string(), "{path}: {}", answer.text());
    }
}

async fn small_server() -> Server {
    ServerBuilder::default()
        .env("CHASQUI_LIMITS_JSON_BYTES", "2000")
        .env("CHASQUI_LIMITS_PREDICT_BYTES", "3000")
        .env("CHASQUI_LIMITS_MODEL_BYTES", "100000")
        .env("CHASQUI_LIMITS_DATASET_BYTES", "4000")
        .env("CHASQUI_LIMITS_RECORDS", "10")
        .env("CHASQUI_LIMITS_ROWS", "20")
        .start()
        .await
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused() {
    let server = small_server().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let long = |bytes: usize| vec![b'x'; bytes];
    for (path, bytes, limit) in [
        ("/api/v1/models", 2001, "2000"),
        ("/api/v1/outcomes", 2001, "2000"),
        ("/api/v1/services/ventas/predict", 3001, "3000"),
        ("/api/v1/models/x/versions", 100_001, "100000"),
        ("/api/v1/datasets/x/versions", 4001, "4000"),
    ] {
        assert_problem(&server.upload(path, long(bytes)).await, 413, limit);
        // Without a length in its header the body is counted as it comes.
        let chunks = (0..bytes.div_ceil(500)).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 500]));
        let request =
            server.request(Method::POST, path).body(Body::wrap_stream(futures::stream::iter(chunks)));
        assert_problem(&Answer::of(request.send().await.unwrap()).await.unwrap(), 413, limit);
    }
    let infer = server.upload("/v2/models/ventas/infer", long(3001)).await;
    assert_eq!(infer.status, 413);
    assert!(infer.json()["error"].is_string());
    assert!(csv(&sales(20, 4.0, 1)).len() < 4000);
    assert_eq!(
        server.upload("/api/v1/datasets/x/versions", csv(&sales(20, 4.0, 1)).into_bytes()).await.status,
        201
    );
}

#[tokio::test]
async fn a_body_counts_as_long_as_it_is_when_unpacked() {
    let server = small_server().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let send = async |encoding: &str, body: Vec<u8>| {
        let request = server.request(Method::POST, "/api/v1/services/ventas/predict");
        let request = request.header("content-encoding", encoding).body(body);
        Answer::of(request.send().await.unwrap()).await.unwrap()
    };
    let bomb = gzip_of_zeros(1 << 20);
    assert!(bomb.len() < 3000 * 3, "{}", bomb.len());
    // Below the limit as it comes, far above it when unpacked.
    assert_problem(&send("gzip", bomb[..2900].to_vec()).await, 413, "3000");
    assert_problem(&send("br", b"x".to_vec()).await, 415, "br");
    let broken = send("gzip", b"not gzip".to_vec()).await;
    assert_problem(&broken, 400, "");
}

/// A gzip file of so many zero bytes, from fixed Huffman codes (RFC 1951, 3.2.6) without a compressor: one literal,
/// then matches of 258 bytes at distance 1, thirteen bits each.
fn gzip_of_zeros(bytes: usize) -> Vec<u8> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut held, mut count) = (0_u32, 0);
    let mut push = |bits: u32, length: u32| {
        held |= bits << count;
        count += length;
        while count >= 8 {
            file.push(held as u8);
            held >>= 8;
            count -= 8;
        }
    };
    // Huffman codes come with their first bit first.
    let code = |bits: u32, length: u32| bits.reverse_bits() >> (32 - length);
    push(0b011, 3);
    push(code(0b0011_0000, 8), 8);
    for _ in 0..bytes / 258 {
        push(code(0b1100_0101, 8), 8);
        push(0, 5);
    }
    push(0, 7);
    push(0, 7);
    file.extend_from_slice(&[0; 8]);
    file
}

#[tokio::test]
async fn too_many_records_are_refused() {
    let server = small_server().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let records = |count: usize| {
        let records: Vec<Value> = sales(count, 4.0, 1).iter().map(crate::fixtures::Sale::record).collect();
        json!({ "records": records })
    };
    server.post("/api/v1/services/ventas/predict", &records(10)).await.ok();
    assert_problem(&server.post("/api/v1/services/ventas/predict", &records(11)).await, 422, "10");
}

#[tokio::test]
async fn a_repeated_post_is_done_once() {
    let server = Server::start().await;
    let post = async |key: &str, body: Value| {
        let request = server.request(Method::POST, "/api/v1/models").header("idempotency-key", key);
        Answer::of(request.body(body.to_string()).send().await.unwrap()).await.unwrap()
    };
    let first = post("pedido-17", json!({ "name": "ventas" })).await;
    let second = post("pedido-17", json!({ "name": "ventas" })).await;
    assert_eq!((first.status, second.status), (201.try_into().unwrap(), 201.try_into().unwrap()));
    assert_eq!(first.bytes, second.bytes);
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(items(&server.get("/api/v1/models").await.ok()).len(), 1);

    let other = post("pedido-17", json!({ "name": "compras" })).await;
    assert!(other.status.is_client_error(), "the same key for something else: {}", other.text());
    let again = post("pedido-18", json!({ "name": "ventas" })).await;
    assert_problem(&again, 409, "ventas");
}
