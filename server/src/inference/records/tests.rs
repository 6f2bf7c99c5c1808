use super::*;
use crate::inference::schema::tests::signature;
use proptest::prelude::*;

const GOOD: &str = r#"{"price":1.5,"age":30,"city":"Quito","units":2}"#;

fn schema() -> Schema {
    Schema::of(&signature(), Some("customer")).unwrap()
}

fn body(records: &str) -> String {
    format!(r#"{{"records":[{records}]}}"#)
}

fn refusal(records: &str) -> Problem {
    parse(body(records).as_bytes(), &schema(), 10).unwrap_err()
}

#[test]
fn reads_records_in_any_order_of_fields() {
    let text =
        body(&format!(r#"{GOOD},{{"units":3,"city":"Cu\u0065nca","customer":9,"age":null,"price":-0.5}}"#));
    let schema = schema();
    let records = parse(text.as_bytes(), &schema, 10).unwrap();
    assert_eq!(records.rows, 2);
    assert_eq!(
        records.cells[4..],
        [Cell::Number(-0.5), Cell::Missing, Cell::Text("Cuenca".into()), Cell::Integer(3)]
    );
    assert!(matches!(&records.cells[2], Cell::Text(Cow::Borrowed("Quito"))));
    assert_eq!(records.key(&schema, 0), None);
    assert_eq!(records.key(&schema, 1).unwrap(), "9");
}

#[test]
fn the_key_of_the_request_wins_wherever_it_stands() {
    for text in [
        format!(r#"{{"key":"c-1","records":[{GOOD}]}}"#),
        format!(r#"{{"records":[{GOOD}],"context":{{"a":[1,{{}}]}},"explain":false,"key":"c-1"}}"#),
    ] {
        let schema = schema();
        assert_eq!(parse(text.as_bytes(), &schema, 10).unwrap().key(&schema, 0).unwrap(), "c-1");
    }
}

#[test]
fn faults_name_record_field_and_reason() {
    let cases = [
        (r#"{"price":"1.5","age":1,"city":"x","units":1}"#, "price", "without quotes"),
        (r#"{"price":1,"age":1,"city":"x","units":1.5}"#, "units", "whole number"),
        (r#"{"price":1,"age":1,"city":"x"}"#, "units", "missing"),
        (r#"{"price":1,"age":1,"city":7,"units":1}"#, "city", "\"7\""),
        (r#"{"price":1,"age":1,"city":"x","units":null}"#, "units", "null"),
        (r#"{"price":1,"agee":1,"city":"x","units":1}"#, "agee", "not a field"),
        (r#"{"price":1,"price":1,"city":"x","units":1}"#, "price", "twice"),
        (r#"{"price":[1],"age":1,"city":"x","units":1}"#, "price", "array"),
        (r#"{"price":1e39,"age":1,"city":"x","units":1}"#, "price", "too large"),
    ];
    for (record, field, reason) in cases {
        let problem = refusal(&format!("{GOOD},{record}"));
        assert_eq!(problem.status(), 422, "{record}");
        for part in ["record 1", &format!("`{field}`"), reason] {
            assert!(problem.detail().contains(part), "{part}: {}", problem.detail());
        }
    }
}

#[test]
fn malformed_bodies_are_400_and_wrong_ones_422() {
    let status = |text: &str| parse(text.as_bytes(), &schema(), 10).unwrap_err().status().as_u16();
    let trailing = format!("{}x", body(GOOD));
    for malformed in ["", "{", r#"{"records":[{"price":1"#, "{\"records\":[\u{1}]}", trailing.as_str()] {
        assert_eq!(status(malformed), 400, "{malformed}");
    }
    for wrong in
        ["[]", "3", "{}", r#"{"records":[]}"#, r#"{"records":{}}"#, r#"{"record":[]}"#, r#"{"records":[3]}"#]
    {
        assert_eq!(status(wrong), 422, "{wrong}");
    }
    assert_eq!(parse(b"{\"records\":[{\"city\":\"\xff\"}]}", &schema(), 10).unwrap_err().status(), 400);
    let deep = format!("{{\"context\":{}", "[".repeat(100_000));
    assert!(matches!(status(&deep), 400 | 422));
}

#[test]
fn too_many_records_are_refused_before_they_are_read() {
    let text = body(&[GOOD; 3].join(","));
    assert!(parse(text.as_bytes(), &schema(), 3).is_ok());
    let problem = parse(text.as_bytes(), &schema(), 2).unwrap_err();
    assert!(problem.detail().contains("more than 2 records"), "{}", problem.detail());
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, &schema(), 10);
    }

    #[test]
    fn no_record_makes_it_panic(
        value in prop::sample::select(vec!["1", "null", "\"x\"", "true", "{}", "[", "1e999", "-", "\"\\ud800\""]),
        field in prop::sample::select(vec!["price", "age", "city", "units", "customer", "x"]),
    ) {
        let _ = parse(body(&format!("{{\"{field}\":{value}}}")).as_bytes(), &schema(), 10);
    }
}
