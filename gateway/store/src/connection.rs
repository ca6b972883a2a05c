//! The connection to the database, and its schema.

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, SqlSafeStr};

use crate::error::StoreError;

/// Enough for a recorder that writes in turn and pages that read; a small server allows a hundred in all.
const CONNECTIONS: u32 = 8;
/// How long a connection is waited for: longer means that the database is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// After this long an operation counts as lost, whatever the network says. Longer than the server's own bounds.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(45);
/// The server's own bounds: a lock somebody holds, and a query on a machine that is too slow.
const SERVER_BOUNDS: &str = "SET lock_timeout = '10s'; SET statement_timeout = '30s'";
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
/// Every change of the schema, oldest first. What stands here once never changes: its digest is in the database.
const MIGRATIONS: [(i64, &str, &str); 1] =
    [(1, "archive", include_str!("../migrations/0001_archive.sql"))];

/// The archive. Clones share their connections.
#[derive(Clone)]
pub struct Store {
    options: PgConnectOptions,
    pub(crate) pool: PgPool,
}

/// Says nothing of the URL, which has a password in it.
impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// A store that connects when it is first asked for something, so that a database which is away stops nobody's
    /// start. TLS is as `sslmode` and `sslrootcert` of the URL say. Must be called within a tokio runtime.
    pub fn connect(url: &str) -> Result<Self, StoreError> {
        // The driver takes any scheme for its own.
        if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(StoreError::Url(sqlx::Error::Configuration("another scheme".into())));
        }
        let options = PgConnectOptions::from_str(url)
            .map_err(StoreError::Url)?
            .application_name("fabrica")
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT_TIMEOUT)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(SERVER_BOUNDS).await.map(drop) })
            })
            .connect_lazy_with(options.clone());
        Ok(Self { options, pool })
    }

    /// Brings the schema up to date. Whoever comes second waits for the first (an advisory lock) and finds it done.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        // A connection of its own: a migration may take longer than any query.
        let mut connection = self.options.connect().await?;
        let outcome = migrator().run_direct(None, &mut connection, false).await;
        // It is closed in any case; what matters is what became of the schema.
        drop(connection.close().await);
        outcome.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error)
            | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => error.into(),
            other => StoreError::Migrate(other),
        })
    }

    /// Whether the database answers now.
    pub async fn ping(&self) -> Result<(), StoreError> {
        bounded(async { Ok(self.pool.execute("SELECT 1").await.map(drop)?) }).await
    }
}

fn migrator() -> Migrator {
    let migration = |(version, description, sql): (i64, &'static str, &'static str)| {
        Migration::new(
            version,
            description.into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    };
    let mut migrator = Migrator::with_migrations(MIGRATIONS.map(migration).to_vec());
    // While versions are rolled out an older one starts on a newer schema: changes of the schema must allow it.
    migrator.set_ignore_missing(true);
    migrator
}

/// Runs an operation, but not for ever: a peer that vanished without a word is away.
pub(crate) async fn bounded<T>(
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(OPERATION_TIMEOUT, operation).await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::Away(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))),
    }
}
