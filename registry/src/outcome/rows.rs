//! Outcomes as rows.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::{Outcome, StoredOutcome};
use crate::db::Tx;
use crate::name::ServiceName;
use crate::{Error, Registry, Result, row};

/// Rows of one statement: seven values each, far below both engines' limits on parameters.
pub(super) const CHUNK: usize = 100;

/// `($1, $2), ($3, $4)` and the like: the only part of a statement that depends on how many rows there are.
fn placeholders(rows: usize, columns: usize) -> String {
    let mut text = String::new();
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { "), (" });
        for column in 0..columns {
            let separator = if column == 0 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{separator}${}", row * columns + column + 1);
        }
    }
    text.push(')');
    text
}

pub(super) async fn existing(
    tx: &mut Tx,
    incoming: &BTreeMap<Uuid, &Outcome>,
) -> Result<HashMap<Uuid, StoredOutcome>> {
    let ids: Vec<Uuid> = incoming.keys().copied().collect();
    let mut found = HashMap::new();
    for chunk in ids.chunks(CHUNK) {
        let marks = placeholders(1, chunk.len());
        let statement = format!("SELECT * FROM outcomes WHERE prediction_id IN {marks}");
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for id in chunk {
            query = query.bind(id.to_string());
        }
        for row in query.fetch_all(&mut **tx).await? {
            let outcome = from_row(&row)?;
            found.insert(outcome.prediction_id, outcome);
        }
    }
    Ok(found)
}

pub(super) async fn upsert(tx: &mut Tx, outcomes: &[StoredOutcome]) -> Result<()> {
    let marks = placeholders(outcomes.len(), 7);
    let statement = format!(
        "INSERT INTO outcomes (prediction_id, service, label, value, converted, occurred_at, received_at) \
         VALUES {marks} ON CONFLICT (prediction_id) DO UPDATE SET service = excluded.service, \
         label = excluded.label, value = excluded.value, converted = excluded.converted, \
         occurred_at = excluded.occurred_at, received_at = excluded.received_at"
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for outcome in outcomes {
        query = query
            .bind(outcome.prediction_id.to_string())
            .bind(outcome.service.as_ref().map(|service| service.as_str().to_owned()))
            .bind(outcome.label.clone())
            .bind(outcome.value)
            .bind(outcome.converted.map(i64::from))
            .bind(outcome.occurred_at.0)
            .bind(outcome.received_at.0);
    }
    query.execute(&mut **tx).await?;
    Ok(())
}

/// The outcomes of the predictions from one id to another, both included, by id.
pub(crate) async fn between(
    registry: &Registry,
    first: &str,
    last: &str,
) -> Result<HashMap<String, StoredOutcome>> {
    let rows = sqlx::query("SELECT * FROM outcomes WHERE prediction_id >= $1 AND prediction_id <= $2")
        .bind(first)
        .bind(last)
        .fetch_all(registry.db.pool())
        .await?;
    let outcomes = rows.iter().map(|row| Ok((row::text(row, "prediction_id")?, from_row(row)?)));
    outcomes.collect()
}

pub(super) fn from_row(row: &AnyRow) -> Result<StoredOutcome> {
    let id = row::text(row, "prediction_id")?;
    Ok(StoredOutcome {
        prediction_id: Uuid::parse_str(&id).map_err(Error::internal)?,
        service: row::optional_text(row, "service")?.map(ServiceName::try_from).transpose()?,
        label: row::optional_text(row, "label")?,
        value: row.try_get::<Option<f64>, _>("value")?,
        converted: row.try_get::<Option<i64>, _>("converted")?.map(|converted| converted != 0),
        occurred_at: row::micros(row, "occurred_at")?,
        received_at: row::micros(row, "received_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::placeholders;

    #[test]
    fn numbers_placeholders() {
        assert_eq!(placeholders(2, 2), "($1, $2), ($3, $4)");
        assert_eq!(placeholders(1, 3), "($1, $2, $3)");
    }
}
