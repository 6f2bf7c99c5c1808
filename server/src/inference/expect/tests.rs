use chasqui_registry::name::ModelName;
use chasqui_registry::service::Expectations;
use chasqui_runtime::{Tensor, TensorData};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::inference::cell::Cell;
use crate::inference::records::parse;
use crate::inference::schema::Schema;
use crate::inference::schema::tests::signature;
use crate::metrics::Metrics;
use crate::problem::Problem;

/// A service whose records are `{price, age, city, units}` with the key `client`.
struct Service {
    expected: Expected,
    schema: Schema,
    metrics: Metrics,
}

impl Service {
    fn new(expectations: Value, personal: &[&str]) -> Self {
        let mut config = ServiceConfig::of_model(ModelName::try_from("ventas").unwrap());
        config.key_field = Some("client".into());
        config.personal = personal.iter().map(|name| (*name).into()).collect();
        config.expectations = Some(serde_json::from_value::<Expectations>(expectations).unwrap());
        config.check().unwrap();
        let mut schema = Schema::of(&signature(), config.key_field.as_deref()).unwrap();
        schema.is_lenient = true;
        let expected = Expected::of(&config, &signature()).unwrap();
        Self { expected, schema, metrics: Metrics::new().unwrap() }
    }

    fn findings(&self) -> Findings<'_> {
        Findings::new("ventas", &self.metrics)
    }

    /// The cells that the model is asked with, and the warnings.
    fn ask(&self, records: &Value) -> Result<(Vec<Cell<'static>>, Warnings), Problem> {
        let body = json!({ "records": records }).to_string();
        let mut records = parse(body.as_bytes(), &self.schema, 1000)?;
        let warnings = check_records(Some(&self.expected), self.findings(), &self.schema, &mut records)?;
        let owned = |cell: &Cell<'_>| match cell {
            Cell::Text(text) => Cell::Text(text.clone().into_owned().into()),
            Cell::Absent => Cell::Absent,
            Cell::Missing => Cell::Missing,
            Cell::Integer(number) => Cell::Integer(*number),
            Cell::Number(number) => Cell::Number(*number),
            Cell::Flag(flag) => Cell::Flag(*flag),
        };
        Ok((records.cells.iter().map(owned).collect(), warnings))
    }

    /// `(record, field, rule)` of every fault.
    fn faults(&self, records: &Value) -> Vec<(usize, String, String)> {
        let problem = self.ask(records).unwrap_err();
        assert_eq!(problem.status(), 422);
        errors(&problem)
            .iter()
            .map(|error| {
                let text = |name: &str| error[name].as_str().unwrap().to_owned();
                (error["record"].as_u64().unwrap() as usize, text("field"), text("rule"))
            })
            .collect()
    }

    fn counted(&self, series: &str) -> bool {
        String::from_utf8(self.metrics.render().unwrap()).unwrap().contains(series)
    }
}

fn document(problem: &Problem) -> Value {
    use actix_web::body::MessageBody;
    let bytes = problem.response().into_body().try_into_bytes().unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn errors(problem: &Problem) -> Vec<Value> {
    document(problem)["errors"].as_array().unwrap().clone()
}

fn record(price: &Value, city: &str) -> Value {
    json!({ "price": price, "age": 30, "city": city, "units": 2 })
}

#[test]
fn all_faults_are_told_in_order_in_both_languages() {
    let service = Service::new(
        json!({ "fields": { "price": { "min": 0, "max": 10 }, "city": { "categories": ["Quito", "Loja"] } } }),
        &[],
    );
    let found = service.faults(&json!([
        record(&json!(-1), "Quito"),
        record(&json!(3), "Cuenca"),
        { "price": 11, "city": "Loja", "units": 1.5 },
    ]));
    let found: Vec<_> =
        found.iter().map(|(record, field, rule)| (*record, field.as_str(), rule.as_str())).collect();
    let wanted = [
        (0, "price", "min"),
        (1, "city", "categories"),
        (2, "price", "max"),
        (2, "age", "required"),
        (2, "units", "type"),
    ];
    assert_eq!(found, wanted);
    let problem = service.ask(&json!([record(&json!(1), "Quito"), record(&json!(3), "Cuenca")])).unwrap_err();
    let error = &errors(&problem)[0];
    assert_eq!(error["message"], r#"record 1, field `city`: "Cuenca" is not one of "Quito", "Loja""#);
    assert_eq!(error["message_es"], r#"registro 1, campo `city`: "Cuenca" no es uno de "Quito", "Loja""#);
    assert_eq!(document(&problem)["detail"], error["message"]);
    assert_eq!(document(&problem)["record"], 1);
    assert_eq!(document(&problem.in_spanish())["detail"], error["message_es"]);
    assert!(service.counted(
        r#"chasqui_expectation_faults_total{field="city",outcome="rejected",rule="categories",service="ventas"} 2"#
    ));
    assert!(!service.counted(r#"field="units""#), "only declared fields are labels");
}

#[test]
fn many_faults_are_counted_all_and_told_in_part() {
    let service = Service::new(json!({ "fields": { "price": { "max": 10 } } }), &[]);
    let records: Vec<Value> = (0..100).map(|_| record(&json!(11), "x")).collect();
    let document = document(&service.ask(&json!(records)).unwrap_err());
    assert_eq!(document["errors"].as_array().unwrap().len(), MAX_TOLD);
    assert_eq!(document["error_count"], 100);
    assert!(document["detail"].as_str().unwrap().starts_with("100 values"), "{document}");
    assert!(service.counted(r#"rule="max",service="ventas"} 100"#));
}

#[test]
fn a_missing_value_breaks_nothing_but_required() {
    let optional =
        Service::new(json!({ "fields": { "price": { "min": 1 }, "city": { "max_length": 3 } } }), &[]);
    optional.ask(&json!([{ "price": null, "age": null, "city": "", "units": 1 }])).unwrap();
    let required = Service::new(
        json!({ "fields": { "price": { "required": true }, "city": { "required": true } } }),
        &[],
    );
    let found = required.faults(&json!([{ "price": null, "age": null, "city": "", "units": 1 }]));
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|(_, _, rule)| rule == "required"));
}

#[test]
fn warnings_let_the_value_through_but_never_a_wrong_type() {
    let service = Service::new(
        json!({ "mode": "warn", "fields": { "price": { "max": 10 }, "city": { "max_length": 3, "mode": "reject" } } }),
        &[],
    );
    let (cells, warnings) = service.ask(&json!([record(&json!(11), "abc")])).unwrap();
    assert_eq!(cells[0], Cell::Integer(11));
    assert_eq!((warnings.count, warnings.told[0].rule), (1, "max"));
    let mut body = Vec::new();
    warnings.write(&mut body);
    let text = format!("{{\"a\":1{}}}", String::from_utf8(body).unwrap());
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["warning_count"], 1);
    let found = service.faults(&json!([record(&json!("mucho"), "abcd")]));
    assert_eq!(found.iter().map(|(_, _, rule)| rule.as_str()).collect::<Vec<_>>(), ["type", "max_length"]);
}

#[test]
fn values_are_put_right_only_when_there_is_no_doubt() {
    let service = Service::new(
        json!({ "mode": "coerce", "fields": {
            "price": { "max": 2000 },
            "age": { "format": "decimal_comma" },
            "city": { "categories": ["Quito", "Santa Elena"] },
        } }),
        &[],
    );
    let (cells, _) = service
        .ask(&json!([{ "price": "1.384,10", "age": "1.384", "city": " santa  ELENA", "units": 1 }]))
        .unwrap();
    let wanted =
        [Cell::Number(1384.1), Cell::Number(1384.0), Cell::Text("Santa Elena".into()), Cell::Integer(1)];
    assert_eq!(cells, wanted);
    for (price, city, field, rule) in [
        (json!("1.384"), "Quito", "price", "type"),
        (json!("2.384,10"), "Quito", "price", "type"),
        (json!(2001), "Quito", "price", "max"),
        (json!(true), "Quito", "price", "type"),
        (json!(1), "Kito", "city", "categories"),
    ] {
        let found = service.faults(&json!([record(&price, city)]));
        assert_eq!(found, [(0, field.to_owned(), rule.to_owned())]);
    }
    assert!(service.counted(r#"field="price",outcome="fixed",rule="type",service="ventas"} 1"#));
}

#[test]
fn a_text_field_takes_the_number_that_it_should_have_been() {
    let service =
        Service::new(json!({ "mode": "coerce", "fields": { "city": { "format": "cedula" } } }), &[]);
    let asked = |city: Value| service.ask(&json!([{ "price": 1, "age": 1, "city": city, "units": 1 }]));
    for written in [json!("171003406-5"), json!(" 1710034065"), json!(1_710_034_065)] {
        assert_eq!(asked(written).unwrap().0[2], Cell::Text("1710034065".into()));
    }
    // Whether a zero was lost or another digit cannot be known.
    for doubtful in [json!(962_467_429), json!("962467429"), json!(1.5), json!("1710034066")] {
        assert!(asked(doubtful.clone()).is_err(), "{doubtful}");
    }
    let phones = Service::new(json!({ "mode": "coerce", "fields": { "city": { "format": "phone" } } }), &[]);
    let (cells, _) = phones.ask(&json!([record(&json!(1), "+593991234567")])).unwrap();
    assert_eq!(cells[2], Cell::Text("0991234567".into()), "one number is one text");
}

#[test]
fn personal_values_are_never_repeated() {
    let secret = "1710034066";
    for (expectations, city) in [
        (json!({ "fields": { "city": { "format": "cedula" } } }), json!(secret)),
        (json!({ "fields": { "city": { "categories": ["a"] } } }), json!(secret)),
        (json!({ "fields": { "city": { "max_length": 2 } } }), json!(secret)),
        (json!({ "fields": { "city": { "max_length": 2 } } }), json!(1_710_034_066)),
        (json!({ "fields": { "price": { "max": 2 } } }), json!(1_710_034_066)),
    ] {
        let service = Service::new(expectations, &["city"]);
        let asked = json!([{ "price": 1, "age": 1, "city": city, "units": 1 }]);
        let text = document(&service.ask(&asked).unwrap_err()).to_string();
        assert!(!text.contains("171003"), "{text}");
    }
    let warning =
        Service::new(json!({ "mode": "warn", "fields": { "city": { "format": "cedula" } } }), &["city"]);
    let (_, warnings) = warning.ask(&json!([record(&json!(1), secret)])).unwrap();
    assert!(!format!("{:?}", warnings.told).contains(secret));
}

#[test]
fn a_wrong_type_is_named_as_it_was_sent() {
    let service = Service::new(json!({ "fields": { "price": { "max": 5 } } }), &[]);
    for (price, sent) in [(json!(true), "true"), (json!(""), "\"\""), (json!("x"), "\"x\"")] {
        let errors = errors(&service.ask(&json!([record(&price, "Quito")])).unwrap_err());
        for message in ["message", "message_es"] {
            assert!(errors[0][message].as_str().unwrap().ends_with(sent), "{}", errors[0]);
        }
    }
}

#[test]
fn long_values_are_shortened() {
    let service = Service::new(json!({ "fields": { "city": { "max_length": 2 } } }), &[]);
    let problem = service.ask(&json!([record(&json!(1), &"ñ".repeat(500))])).unwrap_err();
    assert!(problem.detail().len() < 200 && problem.detail().contains('…'), "{}", problem.detail());
}

#[test]
fn a_key_that_is_no_field_is_looked_at_too() {
    let service =
        Service::new(json!({ "fields": { "client": { "format": "cedula", "required": true } } }), &[]);
    let ask = |body: Value| {
        let body = body.to_string();
        let mut records = parse(body.as_bytes(), &service.schema, 10).unwrap();
        check_records(Some(&service.expected), service.findings(), &service.schema, &mut records)
    };
    let one = |client: Value| json!({ "price": 1, "age": 1, "city": "a", "units": 1, "client": client });
    ask(json!({ "records": [one(json!("1710034065")), one(json!("0962467429"))] })).unwrap();
    ask(json!({ "key": "1710034065", "records": [one(json!(null))] })).unwrap();
    let problem = ask(json!({ "records": [one(json!("1710034065")), one(json!("17"))] })).unwrap_err();
    assert_eq!(errors(&problem)[0]["record"], 1);
    let problem = ask(json!({ "key": "17", "records": [one(json!(null))] })).unwrap_err();
    assert_eq!((errors(&problem)[0].get("record"), &errors(&problem)[0]["field"]), (None, &json!("client")));
    assert!(ask(json!({ "records": [record(&json!(1), "a")] })).is_err(), "it is required");
}

fn tensors(price: f32, city: &str) -> Vec<Tensor> {
    vec![
        Tensor { shape: vec![2, 2], data: TensorData::F32(vec![0.1, f32::NAN, price, 1.0]) },
        Tensor { shape: vec![2, 1], data: TensorData::Text(vec!["Quito".into(), city.into()]) },
        Tensor { shape: vec![2], data: TensorData::I64(vec![1, 2]) },
    ]
}

#[test]
fn named_columns_of_tensors_are_looked_at_by_row() {
    let declared = json!({ "fields": {
        "price": { "min": 0.1, "max": 0.7 },
        "city": { "categories": ["Quito"] },
        "units": { "categories": [1, 2] },
    } });
    let service = Service::new(declared.clone(), &[]);
    let look = |service: &Service, inputs: &mut [Tensor]| {
        check_tensors(Some(&service.expected), service.findings(), &signature(), inputs, None)
    };
    // 0.1 and 0.7 in single precision are not the decimals that were declared, but meant.
    look(&service, &mut tensors(0.7, "Quito")).unwrap();
    let problem = look(&service, &mut tensors(0.8, "quito")).unwrap_err();
    let found: Vec<Value> =
        errors(&problem).iter().map(|error| json!([error["record"], error["rule"]])).collect();
    assert_eq!(found, [json!([1, "max"]), json!([1, "categories"])]);

    let mut coercing = declared;
    coercing["mode"] = json!("coerce");
    let service = Service::new(coercing, &[]);
    let mut inputs = tensors(0.7, "quito ");
    look(&service, &mut inputs).unwrap();
    assert_eq!(inputs[1].data, TensorData::Text(vec!["Quito".into(), "Quito".into()]));
}

proptest! {
    /// Whatever is sent, the request is taken or refused with its faults; what is taken meets the declaration.
    #[test]
    fn what_is_taken_meets_what_is_expected(price: f64, words: String, mode in 0_usize..3) {
        let mode = ["reject", "warn", "coerce"][mode];
        let service = Service::new(
            json!({ "mode": mode, "fields": { "price": { "min": -5, "max": 5 }, "city": { "format": "plate" } } }),
            &[],
        );
        let price = if price.is_finite() { json!(price) } else { json!(words) };
        if let Ok((cells, warnings)) = service.ask(&json!([{ "price": price, "age": null, "city": words, "units": 1 }])) {
            let in_range = cells[0].number().is_some_and(|number| number.is_nan() || (-5.0..=5.0).contains(&number));
            prop_assert!(in_range || warnings.count > 0);
            prop_assert!(warnings.count == 0 || mode == "warn");
        }
    }
}
