//! Alerts: what people must hear of, once. Titles are Spanish, facts are JSON.

use chasqui_registry::db::Tx;
use chasqui_registry::name::Actor;
use chasqui_registry::{Micros, Page, PageRequest, Registry, audit};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::{Error, Result};

const WEEK_MICROS: i64 = 7 * 86_400 * Micros::PER_SECOND;

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The data changed.
    Drift,
    /// The data are faulty.
    Data,
    /// Performance fell.
    Performance,
    /// What was beyond the week's alerts.
    Digest,
    /// A new version was taken out.
    Rollback,
    /// A rollout waits for a person, failed or succeeded.
    Rollout,
    /// A candidate did not pass, or the rows could not tell.
    Gate,
    /// Retraining failed.
    RetrainFailed,
}

impl Kind {
    /// Its name in `alerts.kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Data => "data",
            Self::Performance => "performance",
            Self::Digest => "digest",
            Self::Rollback => "rollback",
            Self::Rollout => "rollout",
            Self::Gate => "gate",
            Self::RetrainFailed => "retrain_failed",
        }
    }
}

/// How serious it is; the words are those of the reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For information.
    Normal,
    /// Review.
    Atencion,
    /// Decide this week.
    Importante,
    /// Act today.
    Urgente,
}

impl Severity {
    /// Its name in `alerts.severity`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Atencion => "atencion",
            Self::Importante => "importante",
            Self::Urgente => "urgente",
        }
    }

    /// The severity of this name; normal for names of nothing.
    fn of_name(name: &str) -> Self {
        let all = [Self::Atencion, Self::Importante, Self::Urgente];
        all.into_iter().find(|severity| severity.name() == name).unwrap_or(Self::Normal)
    }
}

/// An alert to be raised.
#[derive(Debug, Clone)]
pub struct NewAlert {
    /// The service it concerns.
    pub service: String,
    /// What it is about.
    pub kind: Kind,
    /// How serious it is.
    pub severity: Severity,
    /// One Spanish sentence.
    pub title: String,
    /// The facts behind it.
    pub body: Value,
    /// At most one alert is kept per key.
    pub dedup_key: String,
}

impl NewAlert {
    /// Itself as one of the items of a digest.
    fn item(&self) -> Value {
        json!({ "kind": self.kind, "severity": self.severity, "title": self.title, "body": self.body })
    }
}

/// An alert as stored.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Alert {
    /// Its id.
    pub id: String,
    /// The service it concerns.
    pub service: String,
    /// [`Kind::name`].
    pub kind: String,
    /// [`Severity::name`].
    pub severity: String,
    /// One Spanish sentence.
    pub title: String,
    /// The facts behind it.
    pub body: Value,
    /// When it was raised.
    pub created_at: Micros,
    /// When somebody took note of it.
    pub acknowledged_at: Option<Micros>,
    /// Who.
    pub acknowledged_by: Option<String>,
}

/// Raises an alert in the transaction of what caused it; false when its key was raised before.
pub async fn raise(tx: &mut Tx, at: Micros, alert: &NewAlert) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO alerts (id, service, kind, severity, title, body, dedup_key, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (dedup_key) DO NOTHING",
    )
    .bind(at.new_id().to_string())
    .bind(&alert.service)
    .bind(alert.kind.name())
    .bind(alert.severity.name())
    .bind(&alert.title)
    .bind(serde_json::to_string(&alert.body)?)
    .bind(&alert.dedup_key)
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How many alerts about the data and the performance of a service were raised since an instant.
pub(crate) async fn sent_since(tx: &mut Tx, service: &str, since: Micros) -> Result<usize> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS sent FROM alerts WHERE service = $1 AND created_at >= $2 \
         AND kind IN ('drift', 'data', 'performance')",
    )
    .bind(service)
    .bind(since.0)
    .fetch_one(&mut **tx)
    .await?;
    Ok(usize::try_from(row.try_get::<i64, _>("sent")?).unwrap_or(0))
}

/// Adds what was beyond the week's alerts to the digest of the week: one alert, whose facts grow and which is as serious
/// as the most serious of them.
pub(crate) async fn gather(tx: &mut Tx, at: Micros, service: &str, rest: &[NewAlert]) -> Result<()> {
    let Some(severity) = rest.iter().map(|alert| alert.severity).max() else { return Ok(()) };
    let items: Vec<Value> = rest.iter().map(NewAlert::item).collect();
    let key = format!("digest:{service}:{}", at.0.div_euclid(WEEK_MICROS));
    let known = sqlx::query("SELECT id, severity, body FROM alerts WHERE dedup_key = $1")
        .bind(&key)
        .fetch_optional(&mut **tx)
        .await?;
    let Some(known) = known else {
        let alert = NewAlert {
            service: service.to_owned(),
            kind: Kind::Digest,
            severity,
            title: digest_title(service, items.len()),
            body: json!({ "items": items }),
            dedup_key: key,
        };
        raise(tx, at, &alert).await?;
        return Ok(());
    };
    let mut body: Value = serde_json::from_str(&known.try_get::<String, _>("body")?)?;
    let Some(all) = body["items"].as_array_mut() else {
        return Err(Error::internal("a digest without items"));
    };
    all.extend(items);
    let title = digest_title(service, all.len());
    let severity = severity.max(Severity::of_name(&known.try_get::<String, _>("severity")?));
    // What is added is news: the digest is open again.
    sqlx::query(
        "UPDATE alerts SET title = $1, body = $2, severity = $3, acknowledged_at = NULL, acknowledged_by = NULL \
         WHERE id = $4",
    )
    .bind(title)
    .bind(serde_json::to_string(&body)?)
    .bind(severity.name())
    .bind(known.try_get::<String, _>("id")?)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn digest_title(service: &str, items: usize) -> String {
    match items {
        1 => format!("Resumen de la semana de «{service}»: 1 aviso más sobre sus datos."),
        _ => format!("Resumen de la semana de «{service}»: {items} avisos más sobre sus datos."),
    }
}

/// Alerts, the newest first; of one service when given.
pub async fn list(registry: &Registry, service: Option<&str>, page: &PageRequest) -> Result<Page<Alert>> {
    let cursor = page.after_text();
    let rows = sqlx::query(
        "SELECT * FROM alerts WHERE ($1 = '' OR id < $1) AND ($2 = '' OR service = $2) \
         ORDER BY id DESC LIMIT $3",
    )
    .bind(cursor)
    .bind(service.unwrap_or(""))
    .bind(page.fetch_limit())
    .fetch_all(registry.db.pool())
    .await?;
    let alerts = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
    Ok(Page::of_rows(alerts, page, |alert| alert.id.clone()))
}

/// Notes that a person has seen it.
pub async fn acknowledge(registry: &Registry, actor: &Actor, id: &str) -> Result<()> {
    let now = registry.now();
    let mut tx = registry.db.begin().await?;
    let done = sqlx::query(
        "UPDATE alerts SET acknowledged_at = $1, acknowledged_by = $2 WHERE id = $3 AND acknowledged_at IS NULL",
    )
    .bind(now.0)
    .bind(actor.as_str())
    .bind(id)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound(format!("there is no open alert `{id}`")));
    }
    let entry = audit::Entry {
        actor,
        action: "alert.acknowledge",
        subject: format!("alert:{id}"),
        before: None,
        after: None,
        reason: "",
    };
    audit::record(&mut tx, now, entry).await?;
    Ok(tx.commit().await?)
}

fn from_row(row: &AnyRow) -> Result<Alert> {
    Ok(Alert {
        id: row.try_get("id")?,
        service: row.try_get("service")?,
        kind: row.try_get("kind")?,
        severity: row.try_get("severity")?,
        title: row.try_get("title")?,
        body: serde_json::from_str(&row.try_get::<String, _>("body")?)?,
        created_at: Micros(row.try_get("created_at")?),
        acknowledged_at: row.try_get::<Option<i64>, _>("acknowledged_at")?.map(Micros),
        acknowledged_by: row.try_get("acknowledged_by")?,
    })
}
