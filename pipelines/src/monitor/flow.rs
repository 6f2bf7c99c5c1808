//! How the rows of a service's windows came, and the windows in which none came.

use std::collections::BTreeMap;

use chasqui_drift::quality::Flow;
use chasqui_registry::service::{MonitorPolicy, Service};
use chasqui_registry::{Micros, Registry};
use sqlx::Row;

use super::{DAY_SECONDS, WindowKey, window_length};
use crate::error::Result;

/// What is usual is what the last windows had, so many at least: a week and a day, so that nights and Sundays without
/// rows are among them.
const WINDOWS: i64 = 8;
/// A service without rows for so many windows is at rest: nothing more is said of it.
const MOST_SILENT: i64 = 8;
/// Replicas write what they saw every second or so; a window that was quiet this long has it all.
pub(super) const QUIET: i64 = 3_000_000;

/// How the rows of one window came, as one replica start has seen it so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowTotal {
    /// Rows.
    pub rows: u64,
    /// Those that were sent a moment before already.
    pub repeated: u64,
    /// The time of the first.
    pub first_at: Micros,
    /// The time of the last.
    pub last_at: Micros,
}

/// Stores how the rows of a window came. It is absolute, as a sketch is.
pub async fn store_flow(registry: &Registry, key: &WindowKey, boot: &str, flow: &FlowTotal) -> Result<()> {
    sqlx::query(
        "INSERT INTO flows (service, model, version, window_start, boot, rows_seen, repeated, first_at, last_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (service, model, version, window_start, boot) DO UPDATE SET rows_seen = excluded.rows_seen, \
         repeated = excluded.repeated, first_at = excluded.first_at, last_at = excluded.last_at \
         WHERE excluded.rows_seen > flows.rows_seen",
    )
    .bind(&key.service)
    .bind(&key.model)
    .bind(key.version)
    .bind(key.window_start.0)
    .bind(boot)
    .bind(i64::try_from(flow.rows).unwrap_or(i64::MAX))
    .bind(i64::try_from(flow.repeated).unwrap_or(i64::MAX))
    .bind(flow.first_at.0)
    .bind(flow.last_at.0)
    .execute(registry.db.pool())
    .await?;
    Ok(())
}

/// The windows in which the serving version was asked nothing and that have no verdict, the oldest first: those between
/// windows with rows, and one that has just ended.
pub(super) async fn silent(registry: &Registry, service: &Service) -> Result<Vec<WindowKey>> {
    let config = &service.config;
    let serving = registry.resolve_target(&config.model, &config.routing.stable).await?;
    let Some(version) = serving.filter(|_| !config.unloaded) else { return Ok(Vec::new()) };
    let length = window_length(&config.monitor);
    let rows = sqlx::query(
        "SELECT window_start, MAX(last_at) AS last_at FROM flows WHERE service = $1 AND window_start >= \
         COALESCE((SELECT MAX(window_start) - $4 FROM drift_verdicts WHERE service = $1 AND model = $2 \
         AND version = $3), \
         (SELECT MIN(window_start) FROM flows WHERE service = $1 AND model = $2 AND version = $3)) \
         GROUP BY window_start ORDER BY window_start",
    )
    .bind(service.name.as_str())
    .bind(config.model.as_str())
    .bind(version)
    .bind(length.saturating_mul(MOST_SILENT))
    .fetch_all(registry.db.pool())
    .await?;
    let busy = rows.iter().map(|row| Ok((row.try_get("window_start")?, row.try_get("last_at")?)));
    let busy = busy.collect::<Result<Vec<(i64, i64)>>>()?;
    let mut silent = Vec::new();
    for start in silent_starts(&busy, length, registry.now().0) {
        let judged = sqlx::query(
            "SELECT 1 AS judged FROM drift_verdicts WHERE service = $1 AND (window_start = $4 \
             OR (model = $2 AND version = $3 AND window_start > $4)) LIMIT 1",
        )
        .bind(service.name.as_str())
        .bind(config.model.as_str())
        .bind(version)
        .bind(start)
        .fetch_optional(registry.db.pool())
        .await?;
        if judged.is_none() {
            silent.push(WindowKey {
                service: service.name.to_string(),
                model: config.model.to_string(),
                version,
                window_start: Micros(start),
            });
        }
    }
    Ok(silent)
}

/// The first instants of windows without rows, given the first and the last instant with rows of those that have any, in
/// their order: between two of them, and after the last one where the end has only just passed. Ended long ago and not
/// followed by any it may be a replay that pauses.
fn silent_starts(busy: &[(i64, i64)], length: i64, now: i64) -> Vec<i64> {
    let mut starts = Vec::new();
    for (place, (start, last_at)) in busy.iter().enumerate() {
        let next = busy.get(place + 1).map(|(next, _)| *next);
        for number in 1..=MOST_SILENT {
            let silent = start.saturating_add(length.saturating_mul(number));
            let end = silent.saturating_add(length);
            let has_ended = match next {
                Some(next) => end <= next,
                None => (QUIET..length.saturating_add(QUIET)).contains(&now.saturating_sub(end)),
            };
            // Windows of another length, from before the policy changed, may reach into this one.
            if has_ended && *last_at < silent {
                starts.push(silent);
            }
        }
    }
    starts
}

/// Whether all rows of a window can be expected to be there: a later one has begun, or its end has only just passed. A
/// replay of old days that pauses is neither.
pub(super) fn is_settled(start: i64, latest: i64, policy: &MonitorPolicy, now: Micros) -> bool {
    let end = start.saturating_add(window_length(policy));
    latest > start || now.0.saturating_sub(end) <= window_length(policy)
}

/// The first instant of the latest window of a service that has rows.
pub(super) async fn latest(registry: &Registry, key: &WindowKey) -> Result<Option<i64>> {
    let row = sqlx::query("SELECT MAX(window_start) AS latest FROM flows WHERE service = $1")
        .bind(&key.service)
        .fetch_one(registry.db.pool())
        .await?;
    Ok(row.try_get("latest")?)
}

/// The flow of this window, when it was counted, and those of the windows before it, or before its silence began.
///
/// A rollout counts every row for both versions: the version that saw most saw them all.
pub(super) async fn flows(
    registry: &Registry,
    key: &WindowKey,
    policy: &MonitorPolicy,
) -> Result<(Option<Flow>, Vec<Flow>)> {
    let length = window_length(policy);
    let back = WINDOWS.saturating_mul(length.max(DAY_SECONDS * Micros::PER_SECOND));
    let rows = sqlx::query(
        "SELECT window_start, CAST(SUM(rows_seen) AS BIGINT) AS rows_seen, \
         CAST(SUM(repeated) AS BIGINT) AS repeated, MAX(last_at) AS last_at \
         FROM flows WHERE service = $1 AND window_start <= $2 AND window_start >= $3 \
         GROUP BY window_start, model, version ORDER BY window_start",
    )
    .bind(&key.service)
    .bind(key.window_start.0)
    .bind(key.window_start.0.saturating_sub(back))
    .fetch_all(registry.db.pool())
    .await?;
    let mut counted: BTreeMap<i64, Counted> = BTreeMap::new();
    for row in &rows {
        let counted = counted.entry(row.try_get("window_start")?).or_default();
        counted.last_at = counted.last_at.max(row.try_get("last_at")?);
        let seen = u64::try_from(row.try_get::<i64, _>("rows_seen")?).unwrap_or(0);
        if seen > counted.rows {
            counted.rows = seen;
            counted.repeated = u64::try_from(row.try_get::<i64, _>("repeated")?).unwrap_or(0);
        }
    }
    Ok(with_silence(&counted, key.window_start.0, length))
}

#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    rows: u64,
    repeated: u64,
    last_at: i64,
}

/// The windows up to the one that begins at `start`, those without rows among them: that one, and those before it. Where
/// it has no rows the windows before it are those before the silence: what lasts is no more usual for that.
fn with_silence(counted: &BTreeMap<i64, Counted>, start: i64, length: i64) -> (Option<Flow>, Vec<Flow>) {
    let mut earlier: Vec<Flow> = Vec::new();
    let mut busy = counted.iter().peekable();
    while let Some((at, Counted { rows, repeated, last_at })) = busy.next() {
        let quiet = |end: i64| end.saturating_sub(*last_at).max(0) as f64 / length as f64;
        let end = at.saturating_add(length);
        let flow = Flow { rows: *rows, repeated: *repeated, quiet: quiet(end).min(1.0) };
        if *at == start {
            return (Some(flow), earlier);
        }
        earlier.push(flow);
        let Some((next, _)) = busy.peek() else {
            let silence = Flow { rows: 0, repeated: 0, quiet: quiet(start.saturating_add(length)) };
            return (Some(silence), earlier);
        };
        let silent = (1..).map(|number| end.saturating_add(length.saturating_mul(number)));
        let silent = silent.take_while(|end| end <= next).map(quiet).filter(|quiet| *quiet > 1.0);
        earlier.extend(silent.map(|quiet| Flow { rows: 0, repeated: 0, quiet }));
    }
    (None, earlier)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: i64 = 60_000_000;

    fn at(window: i64) -> i64 {
        window * LENGTH
    }

    #[test]
    fn gaps_are_silent_and_so_is_what_has_just_ended() {
        let ended = |windows: i64| at(windows) + QUIET;
        let starts = |busy: &[i64], now: i64| {
            let busy: Vec<(i64, i64)> = busy.iter().map(|window| (at(*window), at(window + 1) - 1)).collect();
            silent_starts(&busy, LENGTH, now)
        };
        assert_eq!(starts(&[0, 1, 4], ended(5)), [at(2), at(3)]);
        assert_eq!(starts(&[0, 1], ended(3)), [at(2)]);
        assert!(starts(&[0, 1], ended(3) - 1).is_empty(), "replicas may still write");
        assert_eq!(starts(&[0], ended(9)), [at(8)]);
        assert!(starts(&[0], ended(40)).is_empty(), "a replay that pauses");
        assert_eq!(starts(&[0, 1000], ended(1001)).len(), 8, "then it is at rest");
        assert!(starts(&[], ended(1)).is_empty());
        let longer = [(at(0), at(3)), (at(4), at(5) - 1)];
        assert!(silent_starts(&longer, LENGTH, ended(5)).is_empty(), "a window that was four times as long");
    }

    #[test]
    fn what_lasts_is_not_usual_and_a_pause_before_is() {
        let busy =
            |window: i64| (at(window), Counted { rows: 100, repeated: 0, last_at: at(window + 1) - 1 });
        let counted: BTreeMap<i64, Counted> = [0, 1, 3, 4].map(busy).into();
        let (now, earlier) = with_silence(&counted, at(6), LENGTH);
        assert!(now.unwrap().rows == 0 && (now.unwrap().quiet - 2.0).abs() < 1e-6);
        let rows: Vec<u64> = earlier.iter().map(|flow| flow.rows).collect();
        assert_eq!(rows, [100, 100, 0, 100, 100]);
        assert!((earlier[2].quiet - 1.0).abs() < 1e-6);
        assert_eq!(with_silence(&counted, at(4), LENGTH).0.unwrap().rows, 100);
        assert_eq!(with_silence(&BTreeMap::new(), at(4), LENGTH), (None, Vec::new()));
    }
}
