//! Counts of rollouts: absolute and cumulative per replica start, so that repeats and crashes do no harm.

use std::collections::BTreeMap;

use chasqui_registry::Registry;
pub use chasqui_registry::prediction_log::Arm;
use sqlx::Row;

use super::evidence::{ArmCounts, Arms, SegmentCounts};
use super::state::State;
use crate::error::Result;

/// What is counted; see [`ArmCounts`] for the meaning of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counter {
    /// Routed requests.
    Requests,
    /// Entities seen for the first time.
    Entities,
    /// Failed requests.
    Errors,
    /// Entities with their first failed request.
    ErrorEntities,
    /// Slow requests.
    Latency,
    /// Entities with their first slow request.
    LatencyEntities,
}

impl Counter {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Requests,
        Self::Entities,
        Self::Errors,
        Self::ErrorEntities,
        Self::Latency,
        Self::LatencyEntities,
    ];

    /// Its name in `rollout_counts.metric`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Entities => "entities",
            Self::Errors => "errors",
            Self::ErrorEntities => "error_entities",
            Self::Latency => "latency",
            Self::LatencyEntities => "latency_entities",
        }
    }

    fn of(self, counts: &mut ArmCounts) -> &mut u64 {
        match self {
            Self::Requests => &mut counts.requests,
            Self::Entities => &mut counts.entities,
            Self::Errors => &mut counts.errors,
            Self::ErrorEntities => &mut counts.error_entities,
            Self::Latency => &mut counts.latency,
            Self::LatencyEntities => &mut counts.latency_entities,
        }
    }
}

/// Stores what one replica start has counted so far in one segment. A count never shrinks: a late repeat of a smaller
/// one changes nothing.
pub async fn record_counts(
    registry: &Registry,
    rollout_id: &str,
    segment: i64,
    boot: &str,
    counts: &[(Arm, Counter, u64)],
) -> Result<()> {
    let mut tx = registry.db.begin().await?;
    for (arm, counter, count) in counts {
        sqlx::query(
            "INSERT INTO rollout_counts (rollout_id, segment, boot, arm, metric, count) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (rollout_id, segment, boot, arm, metric) DO UPDATE SET count = excluded.count \
             WHERE excluded.count > rollout_counts.count",
        )
        .bind(rollout_id)
        .bind(segment)
        .bind(boot)
        .bind(arm.as_str())
        .bind(counter.name())
        .bind(i64::try_from(*count).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await?;
    }
    Ok(tx.commit().await?)
}

/// The counts of all replicas per segment, with the weights that the segments had.
pub async fn read_counts(registry: &Registry, rollout_id: &str, state: &State) -> Result<Vec<SegmentCounts>> {
    let rows = sqlx::query(
        "SELECT segment, arm, metric, CAST(SUM(count) AS BIGINT) AS count FROM rollout_counts \
         WHERE rollout_id = $1 GROUP BY segment, arm, metric",
    )
    .bind(rollout_id)
    .fetch_all(registry.db.pool())
    .await?;
    let mut segments: BTreeMap<i64, Arms> = BTreeMap::new();
    for row in rows {
        let arms = segments.entry(row.try_get("segment")?).or_default();
        let arm: String = row.try_get("arm")?;
        let counts = if arm == Arm::Canary.as_str() { &mut arms.canary } else { &mut arms.stable };
        let metric: String = row.try_get("metric")?;
        if let Some(counter) = Counter::ALL.into_iter().find(|counter| counter.name() == metric) {
            *counter.of(counts) = u64::try_from(row.try_get::<i64, _>("count")?).unwrap_or(0);
        }
    }
    let weight = |segment: i64| usize::try_from(segment).ok().and_then(|i| state.weights.get(i)).copied();
    let known = segments.into_iter().filter_map(|(segment, arms)| {
        let weight = weight(segment)?;
        Some(SegmentCounts { segment, weight, arms })
    });
    Ok(known.collect())
}
