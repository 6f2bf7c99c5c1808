//! Tables as offices really have them become one typed dataset; what cannot be read is refused where it is wrong.

use chasqui_tests::{Answer, Server};
use serde_json::{Value, json};

use crate::answers::{assert_problem, items, text};

async fn add(server: &Server, name: &str, query: &str, bytes: &[u8]) -> Answer {
    server.upload(&format!("/api/v1/datasets/{name}/versions{query}"), bytes.to_vec()).await
}

fn types(version: &Value) -> Vec<(&str, &str)> {
    let columns = version["schema"].as_array().unwrap();
    columns.iter().map(|column| (text(&column["name"]), text(&column["type"]))).collect()
}

fn profile<'a>(version: &'a Value, column: &str) -> &'a Value {
    let profiles = version["profile"].as_array().unwrap();
    profiles.iter().find(|profile| profile["name"] == column).unwrap()
}

#[tokio::test]
async fn a_spreadsheet_in_spanish_is_understood() {
    let server = Server::start().await;
    let mut latin = Vec::new();
    for line in [
        "fecha;tienda;precio;unidades;año",
        "31/01/2026;Quito;1.234,50;7;2026",
        "28/02/2026;Cañar;0,5;12;2026",
        "15/03/2026;\"La Troncal; centro\";10,25;;2026",
    ] {
        // ISO 8859-1: every character is its own byte.
        latin.extend(line.chars().map(|character| character as u8));
        latin.extend(b"\r\n");
    }
    let answer = add(&server, "ventas", "", &latin).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("location"), Some("/api/v1/datasets/ventas/versions/1"));
    let version = answer.ok();
    assert_eq!(version["row_count"], 3);
    let expected = [
        ("fecha", "date"),
        ("tienda", "text"),
        ("precio", "float64"),
        ("unidades", "int64"),
        ("año", "int64"),
    ];
    assert_eq!(types(&version), expected);
    let price = profile(&version, "precio");
    assert_eq!((&price["min"], &price["max"]), (&json!(0.5), &json!(1234.5)));
    assert_eq!(profile(&version, "unidades")["missing"], 1);
    assert_eq!(profile(&version, "fecha")["first"], "2026-01-31");
    let dialect = &version["source"]["dialect"];
    assert_eq!((&dialect["delimiter"], &dialect["encoding"]), (&json!(";"), &json!("latin-1")));
}

#[tokio::test]
async fn the_same_table_in_every_format_is_one_version() {
    let server = Server::start().await;
    let csv = "tienda,precio,dia\nQuito,1.5,2026-01-31\nCuenca,,2026-02-01\n";
    let first = add(&server, "a", "", csv.as_bytes()).await.ok();
    assert_eq!(types(&first), [("tienda", "text"), ("precio", "float64"), ("dia", "date")]);

    let again = add(
        &server,
        "a",
        "",
        "tienda;precio;dia\r\nQuito;1,5;31/01/2026\r\nCuenca;;01/02/2026\r\n".as_bytes(),
    );
    let again = again.await.ok();
    assert_eq!((&again["version"], &again["sha256"]), (&first["version"], &first["sha256"]));

    let parquet = server.get("/api/v1/datasets/a/versions/1/download").await;
    assert!(parquet.bytes.starts_with(b"PAR1") && parquet.bytes.ends_with(b"PAR1"));
    let from_parquet = add(&server, "b", "", &parquet.bytes).await.ok();
    assert_eq!(types(&from_parquet), types(&first));
    assert_eq!(from_parquet["source"]["format"], "parquet");
    assert_eq!(from_parquet["row_count"], 2);

    let lines = "{\"tienda\":\"Quito\",\"precio\":1.5,\"dia\":\"2026-01-31\"}\n\
                 {\"tienda\":\"Cuenca\",\"precio\":null,\"dia\":\"2026-02-01\"}\n";
    let from_lines = add(&server, "c", "", lines.as_bytes()).await.ok();
    assert_eq!(from_lines["source"]["format"], "ndjson");
    assert_eq!(types(&from_lines), types(&first));

    let more = add(&server, "a", "", "tienda,precio,dia\nLoja,2,2026-03-01\n".as_bytes()).await.ok();
    assert_eq!(more["version"], 2);
    assert_eq!(server.get("/api/v1/datasets/a").await.ok()["latest_version"], 2);
    assert_eq!(items(&server.get("/api/v1/datasets").await.ok()).len(), 3);
}

#[tokio::test]
async fn what_is_stated_wins_over_what_is_detected() {
    let server = Server::start().await;
    // 1.234 may be a thousand or a bit more than one; 01/02 may be in January or in February.
    let csv = "importe;dia\n1.234;01/02/2026\n";
    let stated = add(&server, "a", "?decimal=comma&date_format=mm/dd/yyyy", csv.as_bytes()).await.ok();
    assert_eq!(profile(&stated, "importe")["max"], 1234.0);
    assert_eq!(profile(&stated, "dia")["first"], "2026-01-02");
    let typed = add(&server, "b", "?types=%7B%22codigo%22%3A%22text%22%7D", b"codigo,n\n007,1\n").await.ok();
    assert_eq!(types(&typed), [("codigo", "text"), ("n", "int64")]);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_not_kept() {
    let server = Server::start().await;
    let parquet = {
        add(&server, "good", "", b"a,b\n1,x\n2,y\n").await.ok();
        server.get("/api/v1/datasets/good/versions/1/download").await.bytes
    };
    for (what, query, bytes, named) in [
        ("ragged rows", "", &b"a,b\n1,2\n3\n"[..], "3"),
        ("the same name twice", "?header=true", b"a,a\n1,2\n", "a"),
        ("no rows", "", b"a,b\n", ""),
        ("blanks", "", b" \r\n \n", ""),
        ("a picture", "", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x01\xff\xfe", ""),
        ("half a Parquet file", "", &parquet[..parquet.len() / 2], ""),
        ("broken lines", "", b"{\"a\":1}\n{\"a\":\n", "2"),
        ("a list among the lines", "", b"{\"a\":1}\n[2]\n", "2"),
        ("not the type that was stated", "?types=%7B%22a%22%3A%22int64%22%7D", b"a\n1\nx\n", "x"),
        ("an unclosed quote", "", b"a,b\n\"1,2\n3,4\n", ""),
    ] {
        let answer = add(&server, "bad", query, bytes).await;
        assert_eq!(answer.status, 422, "{what}: {}", answer.text());
        assert_problem(&answer, 422, named);
    }
    assert_problem(&add(&server, "bad", "", b"").await, 422, "empty");
    for query in ["?format=xls", "?delimitr=x", "?types=7", "?decimal=dot"] {
        let answer = add(&server, "bad", query, b"a,b\n1,2\n").await;
        assert!([400, 422].contains(&answer.status.as_u16()), "{query}: {}", answer.text());
    }
    assert_problem(&server.get("/api/v1/datasets/bad").await, 404, "bad");
}
