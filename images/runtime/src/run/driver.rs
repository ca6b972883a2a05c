//! Who works on a plan: started, listened to, stopped.

use fabrica_protocol::run::Entry;

use crate::config::{Config, Login};

/// Where a driver works, and what must not leave it.
pub(super) struct Place<'a> {
    pub(super) config: &'a Config,
    pub(super) login: &'a Login,
}

/// Why the agent failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriverError {
    #[error("Block {number} of the plan cannot be started")]
    Start {
        number: usize,
        #[source]
        source: std::io::Error,
    },
    #[error("Block {number} of the plan failed with {status}: {last}")]
    Block { number: usize, status: String, last: String },
}

/// An agent. Its events are asked for one by one, so one that tells faster than its records are kept has to wait.
pub(super) trait Driver {
    /// Begins.
    async fn start(&mut self, place: &Place<'_>) -> Result<(), DriverError>;

    /// What the agent does next; nothing when it has ended. May be dropped and asked again.
    async fn next(&mut self, place: &Place<'_>) -> Option<Result<Entry, DriverError>>;

    /// Ends it; what it was doing. Whatever it leaves behind is ended by the caller.
    async fn stop(&mut self, place: &Place<'_>) -> Option<Entry>;
}
