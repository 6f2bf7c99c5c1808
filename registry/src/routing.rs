//! The routing epoch: it grows with every change of what is served, so replicas know when to look again.

use crate::db::Tx;
use crate::{Error, Registry, Result, row};

/// Lets the epoch grow. Every transaction that changes a service, an alias that services route to, a version
/// or a rollout calls this, and does so before it writes to the audit log: all take the locks in one order.
pub async fn bump_epoch(tx: &mut Tx) -> Result<()> {
    sqlx::query("UPDATE routing_epoch SET epoch = epoch + 1 WHERE id = 1").execute(&mut **tx).await?;
    Ok(())
}

impl Registry {
    /// The present epoch. Read it before reading what it guards: a change in between is then seen next time.
    pub async fn epoch(&self) -> Result<i64> {
        let row =
            sqlx::query("SELECT epoch FROM routing_epoch WHERE id = 1").fetch_one(self.db.pool()).await?;
        row::integer(&row, "epoch")
    }

    /// Lets the epoch grow on its own, outside any other change.
    pub async fn bump_epoch(&self) -> Result<()> {
        let done = sqlx::query("UPDATE routing_epoch SET epoch = epoch + 1 WHERE id = 1")
            .execute(self.db.pool())
            .await?;
        if done.rows_affected() != 1 {
            return Err(Error::internal("the routing epoch has no row; run the migrations"));
        }
        Ok(())
    }
}
