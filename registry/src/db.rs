//! The database. This is the only file that names an engine: SQLite and PostgreSQL behave the same above it.
//!
//! SQLite takes one writer at a time. Transactions of this process queue for that place in order, and take
//! the write lock when they begin (`BEGIN IMMEDIATE`): a transaction that read first and asked for the lock
//! later could only fail. `synchronous = FULL` makes what was acknowledged survive a power cut too.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions, Executor, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::{Error, Result};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");
static DRIVERS: Once = Once::new();

const SQLITE_PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON;";
const SQLITE_CONNECTIONS: u32 = 8;
const POSTGRES_CONNECTIONS: u32 = 16;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Which database engine is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file, one machine.
    Sqlite,
    /// A server, many replicas.
    Postgres,
}

/// A pool of connections to the one database; cloning shares it.
#[derive(Debug, Clone)]
pub struct Db {
    pool: AnyPool,
    engine: Engine,
    writer: Arc<Semaphore>,
}

/// A transaction that will write. Dropped without [`Tx::commit`], nothing of it remains.
///
/// While a task holds one, all its statements go through it: a second transaction would wait for the first,
/// and a statement on the pool may find every connection taken by tasks that wait likewise.
#[derive(Debug)]
pub struct Tx {
    transaction: Transaction<'static, Any>,
    // Declared after the transaction: the place is given up only when the transaction has ended.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Db {
    /// Connects by URL: `postgres://…`, `sqlite:path`, or the path of an SQLite file, which is created when
    /// missing together with its folder.
    pub async fn connect(url: &str) -> Result<Self> {
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let engine = engine_of(url);
        let options = match engine {
            Engine::Postgres => postgres_options(url)?,
            Engine::Sqlite => sqlite_options(url).await?,
        };
        let pool = pool_options(engine).connect_with(options).await?;
        Ok(Db { pool, engine, writer: Arc::new(Semaphore::new(1)) })
    }

    /// Brings the schema up to date; several processes may do so at once.
    pub async fn migrate(&self) -> Result<()> {
        let Err(first) = MIGRATOR.run(&self.pool).await else { return Ok(()) };
        if self.engine == Engine::Postgres {
            return Err(Error::internal(first));
        }
        // SQLite has no lock over all migrations: another process may have been faster at this one.
        MIGRATOR.run(&self.pool).await.map_err(Error::internal)
    }

    /// The pool, for single statements.
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Begins a transaction that will write.
    pub async fn begin(&self) -> Result<Tx> {
        if self.engine == Engine::Postgres {
            return Ok(Tx { transaction: self.pool.begin().await?, _turn: None });
        }
        let turn = self.writer.clone().acquire_owned().await.map_err(Error::internal)?;
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Tx { transaction, _turn: Some(turn) })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").fetch_one(&self.pool).await?;
        Ok(())
    }

    /// Closes every connection; SQLite folds its write-ahead log into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl Tx {
    /// Makes everything since [`Db::begin`] durable, all or nothing.
    pub async fn commit(self) -> Result<()> {
        Ok(self.transaction.commit().await?)
    }

    /// Gives everything up, and waits until the database has.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.transaction.rollback().await?)
    }
}

impl Deref for Tx {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.transaction
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }
}

/// Whether a statement failed because a unique key was taken.
pub fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if !is_passing(&error) {
            return Error::internal(error);
        }
        tracing::warn!(error = %error, "the database did not answer");
        Error::Unavailable("the database is busy or not reachable; try again".into())
    }
}

/// Whether the same statement may succeed later.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
            true
        }
        sqlx::Error::Database(database) => database.code().is_some_and(|code| is_passing_code(&code)),
        _ => false,
    }
}

/// SQLite: `SQLITE_BUSY` (5) and `SQLITE_LOCKED` (6), whose extended codes carry them in the low byte.
/// PostgreSQL, which has five characters: serialisation failure, deadlock, too many connections, shutdown.
fn is_passing_code(code: &str) -> bool {
    if code.len() == 5 {
        return code.starts_with("08")
            || matches!(code, "40001" | "40P01" | "53300" | "57P01" | "57P02" | "57P03");
    }
    code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6))
}

fn engine_of(url: &str) -> Engine {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Engine::Postgres
    } else {
        Engine::Sqlite
    }
}

fn pool_options(engine: Engine) -> AnyPoolOptions {
    let options = AnyPoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
    if engine == Engine::Postgres {
        // A server may have gone and come back since the connection was last used.
        return options.max_connections(POSTGRES_CONNECTIONS).test_before_acquire(true);
    }
    options
        .max_connections(SQLITE_CONNECTIONS)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(SQLITE_PRAGMAS).await?;
                Ok(())
            })
        })
}

fn postgres_options(url: &str) -> Result<AnyConnectOptions> {
    let url =
        Url::parse(url).map_err(|error| Error::Invalid(format!("the database URL is wrong: {error}")))?;
    Ok(AnyConnectOptions::from_url(&url)?)
}

async fn sqlite_options(url: &str) -> Result<AnyConnectOptions> {
    let path = sqlite_path(url)?;
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(|error| {
            Error::Invalid(format!("cannot create the folder {}: {error}", folder.display()))
        })?;
    }
    Ok(AnyConnectOptions::from_url(&sqlite_url(&path)?)?)
}

fn sqlite_path(url: &str) -> Result<PathBuf> {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = path.strip_prefix("//").unwrap_or(path);
    let scheme_is_other = url.split_once("://").is_some_and(|(scheme, _)| scheme != "sqlite");
    if path.is_empty() || path.starts_with(':') || path.contains('?') || scheme_is_other {
        return Err(Error::Invalid(
            "the database URL must be `postgres://…`, `sqlite:path` or the path of a file".into(),
        ));
    }
    std::path::absolute(path).map_err(|error| Error::Invalid(format!("the path {path:?} is wrong: {error}")))
}

fn sqlite_url(path: &Path) -> Result<Url> {
    let file = Url::from_file_path(path)
        .map_err(|()| Error::Invalid(format!("the path {} is not absolute", path.display())))?;
    let url = format!("sqlite://{}?mode=rwc", file.path());
    Url::parse(&url).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::{Engine, engine_of, is_passing_code, sqlite_path, sqlite_url};

    #[test]
    fn urls_say_the_engine() {
        assert_eq!(engine_of("postgres://localhost/chasqui"), Engine::Postgres);
        assert_eq!(engine_of("data/chasqui.db"), Engine::Sqlite);
        assert_eq!(sqlite_path("sqlite:///x/y.db").unwrap().to_str(), Some("/x/y.db"));
        assert_eq!(sqlite_path("sqlite:/x/y.db").unwrap().to_str(), Some("/x/y.db"));
        assert!(sqlite_path("mysql://localhost/x").is_err());
        assert!(sqlite_path("sqlite::memory:").is_err());
        assert!(sqlite_path("").is_err());
    }

    #[test]
    fn paths_with_odd_characters_survive_the_url() {
        let url = sqlite_url("/x/año nuevo #1%.db".as_ref()).unwrap();
        assert_eq!(url.as_str(), "sqlite:///x/a%C3%B1o%20nuevo%20%231%25.db?mode=rwc");
    }

    #[test]
    fn busy_and_deadlock_pass_by() {
        assert!(["5", "517", "6", "40P01", "40001", "08006"].iter().all(|code| is_passing_code(code)));
        assert!(!["1", "2067", "23505", "42601", ""].iter().any(|code| is_passing_code(code)));
    }
}
