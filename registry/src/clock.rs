//! Time as a parameter, and the ids that are made of it.

use std::borrow::Cow;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl JsonSchema for Micros {
    fn schema_name() -> Cow<'static, str> {
        "Micros".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "int64", "description": "Microseconds since 1970, UTC." })
    }
}

impl Micros {
    /// Microseconds in a second.
    pub const PER_SECOND: i64 = 1_000_000;

    /// The instant `seconds` later; saturates.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Micros(self.0.saturating_add(seconds.saturating_mul(Self::PER_SECOND)))
    }

    /// A fresh UUIDv7 that sorts by this instant, to the millisecond.
    pub fn new_id(self) -> Uuid {
        let seconds = u64::try_from(self.0.div_euclid(Self::PER_SECOND)).unwrap_or(0);
        let nanoseconds = self.0.rem_euclid(Self::PER_SECOND) * 1000;
        Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, nanoseconds as u32))
    }
}

/// Says what time it is.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present instant.
    fn now(&self) -> Micros;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is moved; for tests and replays.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Micros) -> Self {
        ManualClock(AtomicI64::new(now.0))
    }

    /// Shows `now` from here on.
    pub fn set(&self, now: Micros) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves on by some seconds.
    pub fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds.saturating_mul(Micros::PER_SECOND), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, ManualClock, Micros};

    #[test]
    fn ids_sort_by_time() {
        let clock = ManualClock::new(Micros(1_700_000_000_000_000));
        let earlier = clock.now().new_id();
        clock.advance_seconds(1);
        assert!(earlier < clock.now().new_id());
        assert_eq!(earlier.get_version_num(), 7);
    }
}
