//! Object stores: one contract for memory, folders and S3.

use bytes::Bytes;
use chasqui_registry::artifact::Sha256Hex;
use chasqui_registry::name::ServiceName;
use chasqui_registry::{Artifacts, Error, Micros};
use uuid::Uuid;

async fn contract(artifacts: &Artifacts) {
    keeps_what_it_is_given(artifacts).await;
    keeps_large_objects_in_parts(artifacts).await;
    keeps_plain_paths(artifacts).await;
    refuses_paths_out_of_its_folder(artifacts).await;
}

async fn keeps_what_it_is_given(artifacts: &Artifacts) {
    artifacts.ping().await.unwrap();
    let bytes = Bytes::from_static(b"abc");
    let sha256 = artifacts.put(bytes.clone()).await.unwrap();
    assert_eq!(sha256, Sha256Hex::of_slice(b"abc"));
    assert_eq!(artifacts.put(bytes.clone()).await.unwrap(), sha256);
    assert_eq!(artifacts.get(&sha256).await.unwrap(), bytes);
    assert!(artifacts.contains(&sha256).await.unwrap());
    assert_eq!(artifacts.artifacts().await.unwrap(), [sha256]);
    let absent = Sha256Hex::of_slice(b"absent");
    assert!(!artifacts.contains(&absent).await.unwrap());
    assert!(matches!(artifacts.get(&absent).await, Err(Error::NotFound(_))));
    let empty = artifacts.put(Bytes::new()).await.unwrap();
    assert!(artifacts.get(&empty).await.unwrap().is_empty());
}

async fn keeps_large_objects_in_parts(artifacts: &Artifacts) {
    let bytes: Bytes = (0..20_000_003_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let sha256 = artifacts.put(bytes.clone()).await.unwrap();
    assert!(artifacts.get(&sha256).await.unwrap() == bytes);
}

async fn keeps_plain_paths(artifacts: &Artifacts) {
    let service = ServiceName::try_from("Predicción 100% #1").unwrap();
    let id = Uuid::from_u128(7);
    let path = Artifacts::predictions_path(&service, 3, Micros(1_700_000_000_000_000), id);
    assert!(path.starts_with("predictions/"), "{path}");
    assert!(path.ends_with("/3/2023-11-14/00000000-0000-0000-0000-000000000007.parquet"), "{path}");
    artifacts.put_at(&path, Bytes::from_static(b"one")).await.unwrap();
    artifacts.put_at(&path, Bytes::from_static(b"other")).await.unwrap();
    assert_eq!(artifacts.get_at(&path).await.unwrap(), "other");
    let listed = artifacts.list("predictions").await.unwrap();
    assert_eq!((listed.len(), listed[0].size_bytes), (1, 5));
    assert_eq!(artifacts.get_at(&listed[0].path).await.unwrap(), "other");
    artifacts.delete_at(&path).await.unwrap();
    artifacts.delete_at(&path).await.unwrap();
    assert!(matches!(artifacts.get_at(&path).await, Err(Error::NotFound(_))));
    assert!(artifacts.list("predictions").await.unwrap().is_empty());
}

async fn refuses_paths_out_of_its_folder(artifacts: &Artifacts) {
    for path in ["../x", "a/../../x", "a//b", "a\nb"] {
        assert!(matches!(artifacts.get_at(path).await, Err(Error::Invalid(_))), "{path}");
    }
}

#[tokio::test]
async fn memory() {
    contract(&Artifacts::open("memory://").await.unwrap()).await;
}

#[tokio::test]
async fn folder() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}/artefactos%20nuevos", folder.path().display());
    contract(&Artifacts::open(&url).await.unwrap()).await;
}

#[tokio::test]
async fn s3() {
    let Ok(endpoint) = std::env::var("CHASQUI_TEST_S3_ENDPOINT") else {
        eprintln!("SKIPPED: CHASQUI_TEST_S3_ENDPOINT is not set");
        return;
    };
    let bucket = format!("chasqui-test-{}", Uuid::now_v7().simple());
    create_bucket(&endpoint, &bucket).await;
    let settings = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let with_prefix =
        Artifacts::open_with(&format!("s3://{bucket}/a/prefix"), settings.clone()).await.unwrap();
    contract(&with_prefix).await;
    contract(&Artifacts::open_with(&format!("s3://{bucket}"), settings).await.unwrap()).await;
}

/// An unsigned request suffices for the servers that tests use.
async fn create_bucket(endpoint: &str, bucket: &str) {
    let url = format!("{}/{bucket}", endpoint.trim_end_matches('/'));
    rustls::crypto::ring::default_provider().install_default().ok();
    let answer = reqwest::Client::new().put(url).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

#[tokio::test]
async fn a_changed_file_is_not_handed_out_and_is_mended_by_putting_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = Artifacts::open(&format!("file://{}", folder.path().display())).await.unwrap();
    let sha256 = artifacts.put(Bytes::from_static(b"abc")).await.unwrap();
    let hex = sha256.as_str();
    let file = folder.path().join("artifacts/sha256").join(&hex[..2]).join(hex);
    std::fs::write(&file, b"abd").unwrap();
    assert!(matches!(artifacts.get(&sha256).await, Err(Error::Internal(_))));
    artifacts.put(Bytes::from_static(b"abc")).await.unwrap();
    assert_eq!(artifacts.get(&sha256).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_wrong_url_is_refused_with_the_reason() {
    for url in ["", "not a url", "ftp://host/x", "file://relative/x"] {
        let refused = Artifacts::open(url).await;
        assert!(matches!(&refused, Err(Error::Invalid(why)) if why.contains("URL")), "{url}: {refused:?}");
    }
}
