//! The company's calendar: holidays that decrees add or take away, and the events and seasons of its own.
//!
//! There is one for all services. What is by law is not stored: `chasqui_drift::calendar` knows it for any year.

use chasqui_drift::calendar::Calendar;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use sqlx::any::AnyRow;

use crate::db::Tx;
use crate::name::Actor;
use crate::{Error, Micros, Registry, Result, audit, row};

const ID: i64 = 1;

/// The calendar as stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct StoredCalendar {
    /// What the company changed.
    pub calendar: Calendar,
    /// When it was last changed; none while nobody has.
    pub updated_at: Option<Micros>,
    /// By whom.
    pub updated_by: Option<String>,
}

impl Registry {
    /// The company's calendar; the law's alone while nobody has changed it.
    pub async fn calendar(&self) -> Result<StoredCalendar> {
        let row = sqlx::query("SELECT * FROM calendars WHERE id = $1")
            .bind(ID)
            .fetch_optional(self.db.pool())
            .await?;
        row.as_ref().map(from_row).transpose().map(Option::unwrap_or_default)
    }

    /// Replaces the company's calendar. The same again changes nothing.
    ///
    /// # Errors
    /// `Invalid` when a day or a season makes no sense.
    pub async fn put_calendar(
        &self,
        actor: &Actor,
        calendar: Calendar,
        reason: &str,
    ) -> Result<StoredCalendar> {
        calendar.check().map_err(|error| Error::Invalid(error.to_string()))?;
        let now = self.now();
        let mut tx = self.db.begin().await?;
        let before = find(&mut tx).await?;
        if before.updated_at.is_some() && before.calendar == calendar {
            tx.rollback().await?;
            return Ok(before);
        }
        sqlx::query(
            "INSERT INTO calendars (id, body, updated_at, updated_by) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at, \
             updated_by = excluded.updated_by",
        )
        .bind(ID)
        .bind(row::to_json(&calendar)?)
        .bind(now.0)
        .bind(actor.as_str())
        .execute(&mut *tx)
        .await?;
        let entry = audit::Entry {
            actor,
            action: "calendar.put",
            subject: "calendar".to_owned(),
            before: before.updated_at.map(|_| json!(before.calendar)),
            after: Some(json!(calendar)),
            reason,
        };
        audit::record(&mut tx, now, entry).await?;
        tx.commit().await?;
        Ok(StoredCalendar { calendar, updated_at: Some(now), updated_by: Some(actor.to_string()) })
    }
}

async fn find(tx: &mut Tx) -> Result<StoredCalendar> {
    let row = sqlx::query("SELECT * FROM calendars WHERE id = $1").bind(ID).fetch_optional(&mut **tx).await?;
    row.as_ref().map(from_row).transpose().map(Option::unwrap_or_default)
}

fn from_row(row: &AnyRow) -> Result<StoredCalendar> {
    Ok(StoredCalendar {
        calendar: row::json(row, "body")?,
        updated_at: Some(row::micros(row, "updated_at")?),
        updated_by: Some(row::text(row, "updated_by")?),
    })
}
