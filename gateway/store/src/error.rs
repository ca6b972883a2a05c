//! Why the archive could not do something: it is away, or it refuses.

use sqlx::migrate::MigrateError;
use uuid::Uuid;

/// Classes of SQLSTATE that blame the data: data exceptions, broken constraints, limits of the program.
const REFUSALS: [&str; 3] = ["22", "23", "54"];
/// Classes that pass: connection lost, transaction rolled back, out of resources or disk, a lock not had in time,
/// cancelled or shut down, failure of the system below, a login that does not work (yet), a server that only reads (25).
const PASSING: [&str; 8] = ["08", "25", "28", "40", "53", "55", "57", "58"];

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database's URL is not one: expected postgres://user:password@host:port/name")]
    Url(#[source] sqlx::Error),
    /// Later it may work: nothing is lost by trying again, and what was half done is not there.
    #[error("the database is away")]
    Away(#[source] sqlx::Error),
    /// Trying again with the same data cannot help.
    #[error("the database refuses this")]
    Refused(#[source] sqlx::Error),
    /// Neither: the schema or a query of ours is wrong.
    #[error("the database answered what nobody expected")]
    Unexpected(#[source] sqlx::Error),
    #[error("the database's schema could not be brought up to date")]
    Migrate(#[source] MigrateError),
    #[error("{0} is not in the archive: put the object first")]
    UnknownObject(Uuid),
    #[error("a checkpoint of {bytes} bytes is longer than {limit}")]
    CheckpointTooLarge { bytes: usize, limit: usize },
    #[error("the number {0} is larger than the archive can hold")]
    NumberTooLarge(u64),
}

impl StoreError {
    /// Whether to try again later.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away(_))
    }

    /// Whether this very data can never be kept.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::CheckpointTooLarge { .. } | Self::NumberTooLarge(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::BeginFailed
            | sqlx::Error::WorkerCrashed => Self::Away(error),
            sqlx::Error::Database(answer) => {
                match answer.code().and_then(|code| code.get(..2).map(str::to_owned)) {
                    Some(class) if PASSING.contains(&class.as_str()) => Self::Away(error),
                    Some(class) if REFUSALS.contains(&class.as_str()) => Self::Refused(error),
                    _ => Self::Unexpected(error),
                }
            }
            _ => Self::Unexpected(error),
        }
    }
}

/// A number for a `bigint` column.
pub(crate) fn bigint(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::NumberTooLarge(number))
}

/// A number for an `integer` column.
pub(crate) fn integer(number: u32) -> Result<i32, StoreError> {
    i32::try_from(number).map_err(|_| StoreError::NumberTooLarge(u64::from(number)))
}
