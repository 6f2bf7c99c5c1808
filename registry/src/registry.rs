//! The three things every noun needs: rows, bytes and the time.

use std::sync::Arc;

use crate::{Artifacts, Clock, Db, Micros, Result};

/// The registry. Each noun adds its own operations in its own file; cloning shares everything.
#[derive(Debug, Clone)]
pub struct Registry {
    /// The rows.
    pub db: Db,
    /// The bytes.
    pub artifacts: Artifacts,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Registry {
    /// Connects to the database (see [`Db::connect`]), brings its schema up to date and opens the storage
    /// (see [`Artifacts::open`]).
    pub async fn open(database_url: &str, storage_url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let db = Db::connect(database_url).await?;
        db.migrate().await?;
        let artifacts = Artifacts::open(storage_url).await?;
        Ok(Registry { db, artifacts, clock })
    }

    /// The present instant.
    pub fn now(&self) -> Micros {
        self.clock.now()
    }
}
