//! Days of the chain as traffic: predictions in the morning, what was really sold told the day after.

use std::collections::BTreeMap;

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::chain::{Chain, Row};
use crate::client::Client;

/// The service that the demo asks.
pub(super) const SERVICE: &str = "demanda";
/// Calls in flight at a time.
const CONNECTIONS: usize = 8;

/// The chain's application: it asks each morning and tells what came of it.
#[derive(Debug)]
pub(super) struct Traffic<'a> {
    client: &'a Client,
    /// The shops.
    pub(super) chain: Chain,
    /// Predictions so far, by version.
    pub(super) by_version: BTreeMap<i64, u64>,
    /// Sum of absolute errors and of units since the last [`Traffic::take_error`].
    error: (f64, f64),
    owed: Vec<Value>,
}

/// A row as the model's caller writes it.
pub(super) fn record(row: &Row) -> Value {
    json!({
        "store": row.store, "province": row.province, "family": row.family,
        "day_of_week": row.day_of_week, "payday": u8::from(row.payday), "holiday": u8::from(row.holiday),
        "promotion": u8::from(row.promotion), "price": row.price, "plan": row.plan,
    })
}

impl<'a> Traffic<'a> {
    /// An application of the service.
    pub(super) fn new(client: &'a Client, chain: Chain) -> Self {
        Self { client, chain, by_version: BTreeMap::new(), error: (0.0, 0.0), owed: Vec::new() }
    }

    /// Predictions in all.
    pub(super) fn sent(&self) -> u64 {
        self.by_version.values().sum()
    }

    /// One day: yesterday's outcomes, then every shop's questions.
    pub(super) async fn day(&mut self) -> anyhow::Result<()> {
        let today = self.chain.today();
        self.tell_outcomes().await?;
        let rows = self.chain.next_day();
        let at = noon(today);
        let answers: Vec<Value> = stream::iter(rows.iter().map(|row| {
            let key = format!("{} {}", row.store, row.family);
            let body = json!({ "records": [record(row)], "key": key, "at": at });
            let client = self.client;
            async move { client.post(&format!("/api/v1/services/{SERVICE}/predict"), &body).await }
        }))
        .buffered(CONNECTIONS)
        .try_collect()
        .await?;
        for (row, answer) in rows.iter().zip(answers) {
            let said = &answer["predictions"][0];
            let value = said["value"].as_f64().context("a prediction without a value")?;
            *self
                .by_version
                .entry(said["version"].as_i64().context("a prediction without a version")?)
                .or_default() += 1;
            self.error.0 += (value - row.units).abs();
            self.error.1 += row.units;
            self.owed.push(
                json!({ "prediction_id": said["prediction_id"], "value": row.units, "occurred_at": at }),
            );
        }
        Ok(())
    }

    /// Tells what is not told yet.
    pub(super) async fn tell_outcomes(&mut self) -> anyhow::Result<()> {
        for part in std::mem::take(&mut self.owed).chunks(1000) {
            self.client.post("/api/v1/outcomes", &Value::from(part)).await?;
        }
        Ok(())
    }

    /// The weighted absolute percentage error since the last call of this.
    pub(super) fn take_error(&mut self) -> f64 {
        let (error, units) = std::mem::take(&mut self.error);
        if units > 0.0 { error / units } else { 0.0 }
    }
}

/// Noon in continental Ecuador, which keeps UTC−5 all the year.
fn noon(day: Date) -> String {
    format!("{day}T12:00:00-05:00")
}
