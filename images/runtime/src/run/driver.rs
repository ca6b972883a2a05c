//! Who works on a plan: started, listened to, stopped.

use std::ffi::OsString;

use fabrica_protocol::run::{Entry, Question, Usage};

use super::kept::Conversation;
use super::shelf::Former;
use crate::config::Config;

/// Where a driver works.
pub(crate) struct Place<'a> {
    pub(crate) config: &'a Config,
    /// Variables for the agent's git.
    pub(crate) git: &'a [(OsString, OsString)],
}

/// What an agent does.
#[derive(Debug)]
pub(crate) enum Event {
    Told(Entry),
    /// Its program has ended until this is answered.
    Parked(Question),
}

/// Why the agent failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriverError {
    #[error("Block {number} of the plan cannot be started")]
    Start {
        number: usize,
        #[source]
        source: std::io::Error,
    },
    #[error("Block {number} of the plan failed with {status}: {last}")]
    Block { number: usize, status: String, last: String },
    #[error(transparent)]
    Agent(#[from] Failure),
}

/// A failure with a reason of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// A condition reason.
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// Whether another attempt may end otherwise.
    pub(crate) again: bool,
}

impl Failure {
    /// One that another attempt may not have.
    pub(crate) fn passing(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), again: true }
    }

    /// One that every attempt would have.
    pub(crate) fn lasting(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), again: false }
    }
}

impl DriverError {
    /// As a verdict wants it.
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::Agent(failure) => failure,
            Self::Start { .. } | Self::Block { .. } => {
                Failure::passing("AgentFailed", crate::chain(&self))
            }
        }
    }
}

/// What the agent says of its work, for those who are to take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Completion {
    /// One line.
    pub(crate) title: String,
    /// Markdown.
    pub(crate) body: String,
}

/// An agent. Its events are asked for one by one, so one that tells faster than its records are kept has to wait.
pub(crate) trait Driver {
    /// Begins with the plan, behind which stands what strangers say in a work item; or goes on with what a former pod
    /// did.
    async fn start(
        &mut self,
        place: &Place<'_>,
        plan: &str,
        from: Option<&Former>,
    ) -> Result<(), DriverError>;

    /// What the agent does next; nothing when it has ended. May be dropped and asked again.
    async fn next(&mut self, place: &Place<'_>) -> Option<Result<Event, DriverError>>;

    /// Goes on after it was parked.
    async fn resume(&mut self, place: &Place<'_>) -> Result<(), DriverError>;

    /// Ends it; what it was doing. Whatever it leaves behind is ended by the caller.
    async fn stop(&mut self, place: &Place<'_>) -> Vec<Entry>;

    /// Where its conversation is, if it has one that another pod can go on with.
    fn conversation(&self, place: &Place<'_>) -> Option<Conversation>;

    /// What it says of its work, if it said so.
    fn completion(&self) -> Option<Completion>;

    /// What it used models for, if it did.
    fn usage(&self) -> Option<Usage>;
}
