//! HTTPS with the certificate of the configuration.

use std::time::{Duration, Instant};

use chasqui_tests::{Server, ServerBuilder, binary};
use serde_json::json;

use crate::fixtures::{ask, register, regression};

/// A self-signed certificate for loopback and its key, PEM.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[tokio::test]
async fn predictions_are_asked_over_tls() {
    let (pem, key) = certificate();
    let server = ServerBuilder::default().tls(pem, key).start().await;
    assert_eq!(server.url.scheme(), "https");
    register(&server, "ventas", regression(4.0)).await.ok();
    ask(&server, "ventas", json!({ "price": 2.0, "store": "Quito" })).await.ok();
    assert!(server.log().contains("listening on https://"), "{}", server.log());
    plain_http_gets_nothing(&server).await;
}

async fn plain_http_gets_nothing(server: &Server) {
    let mut url = server.url.join("/health/live").unwrap();
    url.set_scheme("http").unwrap();
    let answered = reqwest::get(url).await;
    assert!(answered.is_err(), "{answered:?}");
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let (pem, key) = certificate();
    let server = ServerBuilder::default().tls(pem, key).start().await;
    let (pem, key) = certificate();
    std::fs::write(server.folder().join("tls_certificate.pem"), &pem).unwrap();
    std::fs::write(server.folder().join("tls_key.pem"), key).unwrap();
    let renewed = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let limit = Instant::now() + Duration::from_mins(1);
    loop {
        let client = reqwest::Client::builder().tls_certs_only([renewed.clone()]).build().unwrap();
        if client.get(server.url.join("/health/live").unwrap()).send().await.is_ok() {
            break;
        }
        assert!(Instant::now() < limit, "the old certificate is still used: {}", server.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn wrong_certificates_are_told_at_the_start() {
    let (pem, _) = certificate();
    let (_, another) = certificate();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("certificate.pem"), pem).unwrap();
    std::fs::write(path("another.pem"), another).unwrap();
    std::fs::write(path("empty.pem"), "").unwrap();
    let cases = [
        ("certificate.pem", Some("another.pem"), "do not belong together"),
        ("empty.pem", Some("another.pem"), "holds no certificate"),
        ("certificate.pem", Some("absent.pem"), "cannot read the TLS key"),
        ("certificate.pem", None, "belong together; one of them is missing"),
    ];
    for (certificate, key, words) in cases {
        let mut command = tokio::process::Command::new(binary());
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(path("data"))
            .env("CHASQUI_TLS_CERTIFICATE", path(certificate))
            .env_remove("CHASQUI_BIN");
        if let Some(key) = key {
            command.env("CHASQUI_TLS_KEY", path(key));
        }
        let ended = command.output().await.unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && told.contains(words), "{certificate}, {key:?}: {told}");
    }
}
