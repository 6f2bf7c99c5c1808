//! Nothing is open but health, metrics and the sign-in page; keys have roles; secrets stay secret.

use std::path::Path;

use chasqui_tests::{ADMIN_KEY, Answer, Server, ServerBuilder};
use reqwest::Method;
use serde_json::json;

use crate::answers::{assert_problem, items, text};
use crate::fixtures::{ask, register, regression};

/// One request per class of route.
const CLOSED: [(&str, &str); 35] = [
    ("GET", "/api/v1/models"),
    ("POST", "/api/v1/models"),
    ("GET", "/api/v1/models/x"),
    ("POST", "/api/v1/models/x/versions"),
    ("GET", "/api/v1/models/x/versions/1/download"),
    ("PUT", "/api/v1/models/x/aliases/champion"),
    ("GET", "/api/v1/datasets"),
    ("GET", "/api/v1/calendar"),
    ("PUT", "/api/v1/calendar"),
    ("POST", "/api/v1/datasets/x/versions"),
    ("GET", "/api/v1/services"),
    ("PUT", "/api/v1/services/x"),
    ("DELETE", "/api/v1/services/x"),
    ("POST", "/api/v1/services/x/predict"),
    ("GET", "/api/v1/services/x/log"),
    ("GET", "/api/v1/services/x/drift"),
    ("POST", "/api/v1/services/x/rollouts"),
    ("GET", "/api/v1/predictions/00000000-0000-7000-8000-000000000000"),
    ("POST", "/api/v1/outcomes"),
    ("GET", "/api/v1/rollouts"),
    ("POST", "/api/v1/rollouts/x/abort"),
    ("PUT", "/api/v1/pipelines/x"),
    ("POST", "/api/v1/pipelines/x/runs"),
    ("GET", "/api/v1/jobs"),
    ("GET", "/api/v1/jobs/x/events"),
    ("GET", "/api/v1/audit"),
    ("GET", "/api/v1/keys"),
    ("POST", "/api/v1/keys"),
    ("GET", "/api/v1/alerts"),
    ("GET", "/api/v1/whoami"),
    ("GET", "/api/v1/nothing/here"),
    ("GET", "/v2"),
    ("GET", "/v2/models/x"),
    ("POST", "/v2/models/x/infer"),
    ("GET", "/reports/x"),
];

async fn send(server: &Server, method: &str, path: &str) -> Answer {
    server.send(method.parse().unwrap(), path, "application/json", b"{}".to_vec()).await
}

#[tokio::test]
async fn every_route_needs_a_key_that_works() {
    let mut server = Server::start().await;
    for key in ["", "not-a-key-of-this-server"] {
        server.key = key.into();
        for (method, path) in CLOSED {
            let answer = send(&server, method, path).await;
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text());
            assert!(
                answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")),
                "{path}"
            );
            if path.starts_with("/api/") {
                assert_problem(&answer, 401, "key");
            }
        }
    }
    server.key = String::new();
    for open in ["/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready", "/metrics", "/login"]
    {
        assert_eq!(server.get(open).await.status, 200, "{open}");
    }
    for credentials in ["Basic YTpi", "Bearer", "Bearer ", ADMIN_KEY, "bearer  \u{7f}"] {
        let request = server.request(Method::GET, "/api/v1/models");
        let sent = request.header("authorization", credentials.as_bytes()).send().await;
        // What is not a header at all is refused before it is a request.
        let Ok(response) = sent else { continue };
        assert!([400, 401].contains(&response.status().as_u16()), "{credentials:?}: {}", response.status());
    }
}

#[tokio::test]
async fn browsers_without_a_session_are_led_to_the_sign_in_page() {
    let mut server = Server::start().await;
    server.key = String::new();
    for (page, place) in
        [("/", "/login?next=%2F"), ("/services/x?a=b", "/login?next=%2Fservices%2Fx%3Fa%3Db")]
    {
        let request = server.request(Method::GET, page).header("accept", "text/html,*/*");
        let answer = Answer::of(request.send().await.unwrap()).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some(place)));
    }
    // A form whose session has ended in the meantime leads there too.
    for form in ["/logout", "/alerts/1/acknowledge", "/rollouts/1/abort"] {
        let request = server.request(Method::POST, form).header("accept", "text/html,*/*");
        let answer = Answer::of(request.send().await.unwrap()).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some("/login?next=%2F")));
    }
    // Programs are told, not led.
    let request = server.request(Method::GET, "/api/v1/models").header("accept", "text/html");
    assert_eq!(request.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn roles_say_what_a_key_may_do() {
    let mut server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let mut secrets = Vec::new();
    for role in ["viewer", "editor"] {
        let made =
            server.post("/api/v1/keys", &json!({ "name": format!("caja-{role}"), "role": role })).await.ok();
        secrets.push(text(&made["secret"]).to_owned());
    }

    server.key.clone_from(&secrets[0]);
    assert_eq!(server.get("/api/v1/whoami").await.ok()["role"], "viewer");
    server.get("/api/v1/models/ventas/versions/1").await.ok();
    ask(&server, "ventas", json!({ "price": 1.0, "store": "Quito" })).await.ok();
    let infer = json!({ "inputs": [
        { "name": "price", "shape": [1, 1], "datatype": "FP32", "data": [1.0] },
        { "name": "store", "shape": [1, 1], "datatype": "BYTES", "data": ["Quito"] },
    ]});
    server.post("/v2/models/ventas/infer", &infer).await.ok();
    for (method, path) in [
        ("POST", "/api/v1/models"),
        ("POST", "/api/v1/models/ventas/versions"),
        ("PUT", "/api/v1/services/ventas"),
        ("DELETE", "/api/v1/services/ventas"),
        ("PUT", "/api/v1/models/ventas/aliases/champion"),
        ("POST", "/api/v1/datasets/x/versions"),
        ("PUT", "/api/v1/pipelines/x"),
        ("POST", "/api/v1/services/ventas/rollouts"),
        ("POST", "/api/v1/keys"),
    ] {
        assert_problem(&send(&server, method, path).await, 403, "viewer");
    }

    server.key.clone_from(&secrets[1]);
    assert_eq!(server.post("/api/v1/models", &json!({ "name": "otro" })).await.status, 201);
    for (method, path) in [("GET", "/api/v1/keys"), ("POST", "/api/v1/keys"), ("DELETE", "/api/v1/keys/x")] {
        let answer =
            server.send(method.parse().unwrap(), path, "", b"{\"name\":\"a\",\"role\":\"admin\"}".to_vec());
        let answer = answer.await;
        assert!([403, 404, 400].contains(&answer.status.as_u16()), "{method} {path}: {}", answer.text());
        assert!(path.ends_with('x') || answer.status == 403, "{method} {path}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_key_works_until_it_is_revoked() {
    let mut server = Server::start().await;
    let made = server.post("/api/v1/keys", &json!({ "name": "caja", "role": "viewer" })).await;
    let place = made.header("location").unwrap().to_owned();
    assert_eq!(made.status, 201);
    let made = made.ok();
    let listed = server.get("/api/v1/keys").await.ok();
    assert!(items(&listed).iter().any(|key| key["id"] == made["id"] && key["role"] == "viewer"));
    assert!(!listed.to_string().contains(text(&made["secret"])), "a secret is shown once");

    server.key = text(&made["secret"]).to_owned();
    server.get("/api/v1/models").await.ok();
    server.key = ADMIN_KEY.into();
    assert_eq!(server.send(Method::DELETE, &place, "", Vec::new()).await.status, 204);
    server.key = text(&made["secret"]).to_owned();
    assert_problem(&server.get("/api/v1/models").await, 401, "key");

    server.key = ADMIN_KEY.into();
    for bad in [json!({ "name": "a", "role": "root" }), json!({ "name": "", "role": "viewer" }), json!({})] {
        assert_problem(&server.post("/api/v1/keys", &bad).await, 422, "");
    }
}

#[tokio::test]
async fn the_first_key_is_made_and_shown_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = ServerBuilder::default().without_admin_key().data_dir(folder.path()).start().await;
    let log = server.log();
    let secrets: Vec<&str> =
        log.split_whitespace().filter(|word| word.starts_with("chq_") && word.len() == 68).collect();
    assert_eq!(secrets.len(), 1, "{log}");
    assert_problem(&server.get("/api/v1/whoami").await, 401, "key");
    secrets[0].clone_into(&mut server.key);
    assert_eq!(server.get("/api/v1/whoami").await.ok()["role"], "admin");
    assert!(server.terminate());
    assert_eq!(server.log().matches(secrets[0]).count(), 1);
    assert_in_no_file(folder.path(), secrets[0]);

    let mut again = ServerBuilder::default().without_admin_key().data_dir(folder.path()).start().await;
    assert!(!again.log().contains("chq_"), "{}", again.log());
    secrets[0].clone_into(&mut again.key);
    again.get("/api/v1/whoami").await.ok();
}

#[tokio::test]
async fn secrets_are_kept_as_hashes_only() {
    let server = Server::start().await;
    let made = server.post("/api/v1/keys", &json!({ "name": "caja", "role": "editor" })).await.ok();
    server.get("/api/v1/audit").await.ok();
    assert_in_no_file(server.data_dir(), ADMIN_KEY);
    assert_in_no_file(server.data_dir(), text(&made["secret"]));
    assert!(!server.log().contains(ADMIN_KEY) && !server.log().contains(text(&made["secret"])));
}

/// Looks at every byte of every file, the database's own log included.
fn assert_in_no_file(folder: &Path, secret: &str) {
    let mut looked_at = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let holds = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!holds, "the secret is in {}", path.display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 0, "there is at least a database");
}
