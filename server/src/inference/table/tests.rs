use proptest::prelude::*;
use serde::de::DeserializeSeed;

use super::*;
use crate::inference::schema::tests::signature;

const QUITO: [&str; 4] = ["1.5", "30", "\"Quito\"", "2"];
const LOJA: [&str; 4] = ["-0.5", "null", "\"Loja\"", "3"];

/// How a body is read.
#[derive(Clone, Copy)]
enum As {
    Rows,
    Split,
    Csv,
}

/// Rows as cells, and their keys.
type Seen = (Vec<Cell<'static>>, Vec<Option<String>>);

fn owned(cell: &Cell<'_>) -> Cell<'static> {
    match cell {
        Cell::Text(text) => Cell::Text(text.clone().into_owned().into()),
        Cell::Absent => Cell::Absent,
        Cell::Missing => Cell::Missing,
        Cell::Integer(number) => Cell::Integer(*number),
        Cell::Number(number) => Cell::Number(*number),
        Cell::Flag(flag) => Cell::Flag(*flag),
    }
}

fn read(how: As, body: &str, is_mlflow: bool) -> Result<Seen, Problem> {
    let signature = signature();
    let schema = Schema::of(&signature, Some("customer")).unwrap();
    let layout = Layout { schema: &schema, signature: &signature, limit: 3, is_mlflow };
    let mut table = Table::new(layout);
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let read = match how {
        As::Rows => Rows(&mut table).deserialize(&mut deserializer).and_then(|()| deserializer.end()),
        As::Split => Split(&mut table).deserialize(&mut deserializer).and_then(|()| deserializer.end()),
        As::Csv => {
            csv::read(&mut table, body.as_bytes())?;
            Ok(())
        }
    };
    if let Err(error) = read {
        return Err(table.problem(&error));
    }
    let records = table.finish(None)?;
    let keys = (0..records.rows).map(|row| records.key(&schema, row).map(Cow::into_owned));
    Ok((records.cells.iter().map(owned).collect(), keys.collect()))
}

fn expected() -> Vec<Cell<'static>> {
    let text = |text: &'static str| Cell::Text(text.into());
    vec![
        Cell::Number(1.5),
        Cell::Integer(30),
        text("Quito"),
        Cell::Integer(2),
        Cell::Number(-0.5),
        Cell::Missing,
        text("Loja"),
        Cell::Integer(3),
    ]
}

#[test]
fn one_table_in_every_form_is_the_same_records() {
    let list = |row: [&str; 4]| format!("[{}]", row.join(","));
    let object = |[price, age, city, units]: [&str; 4]| {
        format!("{{\"units\":{units},\"price\":{price},\"c\\u0069ty\":{city},\"age\":{age}}}")
    };
    let names = "[\"price\",\"age\",\"city\",\"units\"]";
    let data = format!("[{},{}]", list(QUITO), list(LOJA));
    for (how, body) in [
        (As::Rows, data.clone()),
        (As::Rows, format!("[{},{}]", object(QUITO), object(LOJA))),
        (As::Rows, format!("[{},{}]", list(QUITO), object(LOJA))),
        (As::Rows, "[{\"x\":[1.5,30],\"city\":[\"Quito\"],\"units\":2},{\"x\":[-0.5,null],\"city\":\"Loja\",\"units\":3}]".into()),
        (As::Rows, "{\"price\":[1.5,-0.5],\"age\":[30,null],\"city\":[\"Quito\",\"Loja\"],\"units\":[2,3]}".into()),
        (As::Rows, "{\"units\":[[2],[3]],\"city\":[\"Quito\",\"Loja\"],\"x\":[[1.5,30],[-0.5,null]]}".into()),
        (As::Split, format!("{{\"columns\":{names},\"index\":[7,9],\"data\":{data}}}")),
        (As::Split, format!("{{\"data\":{data},\"columns\":{names}}}")),
        (As::Split, format!("{{\"columns\":[0,1,2,3],\"data\":{data}}}")),
        (As::Split, format!("{{\"data\":{data}}}")),
        (As::Csv, "price,age,city,units\n1.5,30,Quito,2\n-0.5,,\"Loja\",3\n".into()),
        (As::Csv, "\u{feff}units,city,age,price\r\n2,Quito,30, 1.5\r\n3,Loja,NaN,-.5".into()),
    ] {
        for is_mlflow in [false, true] {
            let (cells, keys) = read(how, &body, is_mlflow).unwrap_or_else(|problem| panic!("{body}: {problem}"));
            assert_eq!(cells, expected(), "{body}");
            assert_eq!(keys, [None, None], "{body}");
        }
    }
}

#[test]
fn keys_are_columns_where_rows_have_names() {
    let keys = |how, body| read(how, body, false).unwrap().1;
    let named = [Some("a".to_owned()), None];
    assert_eq!(keys(As::Csv, "customer,price,age,city,units\na,1,2,x,3\n,1,2,x,3\n"), named);
    let columns = "{\"customer\":[\"a\",null],\"x\":[[1,2],[1,2]],\"city\":[\"x\",\"x\"],\"units\":[3,3]}";
    assert_eq!(keys(As::Rows, columns), named);
    let split = "{\"columns\":[\"customer\",\"price\",\"age\",\"city\",\"units\"],\
                  \"data\":[[\"a\",1,2,\"x\",3],[\"\",1,2,\"x\",3]]}";
    assert_eq!(keys(As::Split, split), named);
}

#[test]
fn a_single_row_may_come_as_single_values() {
    let (cells, _) =
        read(As::Rows, "{\"price\":1.5,\"age\":30,\"city\":\"Quito\",\"units\":2}", true).unwrap();
    assert_eq!(cells, expected()[..4]);
}

#[test]
fn what_mlflow_passes_over_is_refused_elsewhere() {
    let extra = "[{\"price\":1.5,\"age\":30,\"city\":\"Quito\",\"units\":2,\"hue\":{\"a\":[1]}}]";
    assert_eq!(read(As::Rows, extra, true).unwrap().0, expected()[..4]);
    let problem = read(As::Rows, extra, false).unwrap_err();
    assert!(problem.detail().contains("record 0, field `hue`"), "{problem}");
    // pandas gives a column to every name that any row has, and fills the gaps.
    let gap = "[{\"price\":1.5,\"age\":30,\"city\":\"Quito\",\"units\":2},{\"price\":-0.5,\"city\":\"Loja\",\"units\":3}]";
    assert_eq!(read(As::Rows, gap, true).unwrap().0, expected());
    let problem = read(As::Rows, gap, false).unwrap_err();
    assert!(problem.detail().contains("record 1, field `age`: is missing"), "{problem}");
    // A whole number has no missing value.
    let gap = "[{\"price\":1,\"age\":30,\"city\":\"x\"},{\"price\":1,\"age\":3,\"city\":\"x\",\"units\":3}]";
    let problem = read(As::Rows, gap, true).unwrap_err();
    assert!(problem.detail().contains("record 0, field `units`: null is not possible"), "{problem}");
    let index = ",price,age,city,units\n0,1.5,30,Quito,2\n";
    assert_eq!(read(As::Csv, index, true).unwrap().0, expected()[..4]);
    assert!(read(As::Csv, index, false).is_err());
}

#[test]
fn faults_name_record_field_and_reason() {
    for (how, body, parts) in [
        (As::Rows, "[]", &["no rows"][..]),
        (As::Rows, "7", &["array of rows"]),
        (As::Rows, "[7]", &["record 0", "expected 4 values", "7"]),
        (As::Rows, "[[1,2,\"x\"]]", &["record 0", "expected 4 values, got 3"]),
        (As::Rows, "[[1,2,\"x\",3,4]]", &["record 0", "expected 4 values, got 5"]),
        (As::Rows, "[[1,2,\"x\",3],[1,\"2\",\"x\",3]]", &["record 1", "`age`", "without quotes"]),
        (As::Rows, "[[1,[2],\"x\",3]]", &["record 0", "single value"]),
        (As::Rows, "[{\"price\":1,\"price\":2}]", &["record 0", "`price`", "twice"]),
        (As::Rows, "[{\"price\":{}}]", &["record 0", "`price`", "object"]),
        (As::Rows, "[{\"x\":[1,2,3]}]", &["record 0", "`x`", "expected 2 values, got 3"]),
        (As::Rows, "[{\"x\":1}]", &["record 0", "`x`", "list of 2"]),
        (As::Rows, "[{\"customer\":[1]}]", &["record 0", "`customer`", "array"]),
        (As::Rows, "{\"price\":[1]}", &["`age`", "missing"]),
        (
            As::Rows,
            "{\"x\":[[1,2]],\"city\":[\"x\",\"y\"],\"units\":[1]}",
            &["`city`", "2 rows", "first column has 1"],
        ),
        (As::Rows, "{\"x\":[[1,2],[3]],\"city\":[\"x\"],\"units\":[1]}", &["`x`", "row 1 has 1 values"]),
        (As::Rows, "{\"x\":[1],\"city\":[\"x\"],\"units\":[1]}", &["`x`", "expected 2 values a row, got 1"]),
        (As::Rows, "{\"x\":[[1,2]],\"price\":[1],\"city\":[\"x\"],\"units\":[1]}", &["`price`", "twice"]),
        (As::Rows, "{\"price\":[1,2,3,4]}", &["`price`", "more than 3 rows"]),
        (As::Rows, "[[1,2,\"x\",3],[1,2,\"x\",3],[1,2,\"x\",3],[]]", &["more than 3 rows"]),
        (As::Split, "{\"columns\":[\"price\"]}", &["`data` is missing"]),
        (As::Split, "{\"data\":[],\"data\":[]}", &["twice"]),
        (As::Split, "{\"rows\":[]}", &["`rows` is not known"]),
        (As::Split, "{\"columns\":[\"hue\"],\"data\":[]}", &["`hue`", "not a field"]),
        (As::Split, "{\"columns\":[1.5],\"data\":[]}", &["holds names"]),
        (As::Split, "{\"columns\":[\"price\",\"age\"],\"data\":[[1]]}", &["record 0", "expected 2 values"]),
        (
            As::Split,
            "{\"data\":[[\"x\",1,\"x\",1]],\"columns\":null}",
            &["record 0", "`price`", "expected a number"],
        ),
        (As::Csv, "", &["header"]),
        (As::Csv, "price,hue\n1,2\n", &["`hue`", "not a field"]),
        (As::Csv, "x,city,units\n1,x,2\n", &["`x`", "name each"]),
        (As::Csv, "price,age,city,units\n1,2,x,3,4\n", &["record 0", "expected 4 values", "got 5"]),
        (As::Csv, "price,age,city,units\n1,2,x,3\nmucho,2,x,3\n", &["record 1", "`price`", "mucho"]),
        (As::Csv, "price,age,city,units\n1,2,x,\n", &["record 0", "`units`", "null"]),
        (As::Csv, "price,price\n1,2\n", &["record 0", "`price`", "twice"]),
        (As::Csv, "price,age,city,units\n", &["no rows"]),
    ] {
        let problem = read(how, body, false).unwrap_err();
        assert_eq!(problem.status(), 422, "{body}: {problem}");
        for part in parts {
            assert!(problem.detail().contains(part), "{part}: {body}: {problem}");
        }
    }
    for body in ["[[1,2", "{\"price\":}", "[[1,2,\"x\",3]] x", "[NaN]"] {
        assert_eq!(read(As::Rows, body, false).unwrap_err().status(), 400, "{body}");
    }
}

proptest! {
    #[test]
    fn csv_and_split_agree(price: f32, city in "[a-zA-Z ,\"\n]{1,8}", units: i64) {
        prop_assume!(price.is_finite() && !["NA", "NULL", "null", "nan", "NaN", "None"].contains(&city.as_str()));
        let quoted = format!("\"{}\"", city.replace('"', "\"\""));
        let file = format!("price,age,city,units\n{price},1,{quoted},{units}\n");
        let name = serde_json::to_string(&city).unwrap();
        let split = format!("{{\"columns\":[\"price\",\"age\",\"city\",\"units\"],\"data\":[[{price:?},1,{name},{units}]]}}");
        let (from_file, _) = read(As::Csv, &file, true).unwrap();
        let (from_split, _) = read(As::Split, &split, true).unwrap();
        prop_assert_eq!(from_file[0].number(), from_split[0].number());
        prop_assert_eq!(&from_file[1..], &from_split[1..]);
    }
}
