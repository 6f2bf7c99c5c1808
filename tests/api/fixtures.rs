//! A small shop chain: tables, and models that the project's own trainer makes of them.

use std::fmt::Write;
use std::ops::ControlFlow;

use chasqui_tests::{Answer, Server};
use chasqui_trainer::{Column, ColumnData, Holdout, Learner, Linear, Table, Task, TrainSpec, train};
use serde_json::{Value, json};

/// The stores, each with what it sells more than the first.
const STORES: [(&str, f64); 3] = [("Quito", 0.0), ("Guayaquil", 12.0), ("Cuenca", -5.0)];

/// A generator of numbers (Steele, Lea & Flood 2014, splitmix64): the same seed gives the same table.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A day of a store.
#[derive(Debug, Clone)]
pub(crate) struct Sale {
    /// The price, 0 to 10.
    pub(crate) price: f64,
    /// The store.
    pub(crate) store: &'static str,
    /// What was sold.
    pub(crate) sales: f64,
}

impl Sale {
    /// The record that asks for its prediction.
    pub(crate) fn record(&self) -> Value {
        json!({ "price": self.price, "store": self.store })
    }
}

/// Days on which `slope` more is sold per dollar of the price.
pub(crate) fn sales(rows: usize, slope: f64, seed: u64) -> Vec<Sale> {
    let mut random = Random(seed);
    let mut sales = Vec::with_capacity(rows);
    for _ in 0..rows {
        let (store, more) = STORES[(random.bits() % 3) as usize];
        let price = (random.unit() * 1000.0).floor() / 100.0;
        let noise = random.unit() - 0.5;
        sales.push(Sale { price, store, sales: 50.0 + slope * price + more + noise });
    }
    sales
}

/// The same as a file with points and commas.
pub(crate) fn csv(sales: &[Sale]) -> String {
    let mut text = String::from("price,store,sales\n");
    for sale in sales {
        writeln!(text, "{},{},{}", sale.price, sale.store, sale.sales).unwrap();
    }
    text
}

fn table(sales: &[Sale]) -> Table {
    let column = |name: &str, data: ColumnData| Column { name: name.into(), data };
    let stores = sales.iter().map(|sale| Some(sale.store.to_owned())).collect();
    let high =
        sales.iter().map(|sale| Some(if sale.sales > 60.0 { "alta" } else { "baja" }.to_owned())).collect();
    Table::new(vec![
        column("price", ColumnData::Number(sales.iter().map(|sale| sale.price).collect())),
        column("store", ColumnData::Text(stores)),
        column("sales", ColumnData::Number(sales.iter().map(|sale| sale.sales).collect())),
        column("demand", ColumnData::Text(high)),
    ])
    .unwrap()
}

fn spec(target: &str, task: Task, learner: Learner) -> TrainSpec {
    TrainSpec {
        target: target.into(),
        task,
        numeric: vec!["price".into()],
        categorical: vec!["store".into()],
        learner,
        time_column: None,
        holdout: Holdout::default(),
        seed: 7,
    }
}

fn trained(slope: f64, spec: &TrainSpec) -> Vec<u8> {
    let table = table(&sales(200, slope, 11));
    train(&table, spec, &mut |_| ControlFlow::Continue(())).unwrap().onnx
}

/// An ONNX file that predicts the sales of a price in a store; other slopes are other versions.
pub(crate) fn regression(slope: f64) -> Vec<u8> {
    trained(slope, &spec("sales", Task::Regression, Learner::Linear(Linear::default())))
}

/// An ONNX file that says whether the demand is `alta` or `baja`.
pub(crate) fn classification() -> Vec<u8> {
    trained(4.0, &spec("demand", Task::Binary, Learner::Logistic(Linear::default())))
}

/// Registers a version of a model.
pub(crate) async fn register(server: &Server, model: &str, bytes: Vec<u8>) -> Answer {
    server.upload(&format!("/api/v1/models/{model}/versions"), bytes).await
}

/// Asks a service for the prediction of one record.
pub(crate) async fn ask(server: &Server, service: &str, record: Value) -> Answer {
    server.post(&format!("/api/v1/services/{service}/predict"), &json!({ "records": [record] })).await
}
