//! How long the agent may be silent, by what it waits for.

use std::time::Duration;

/// From the start of the program to its first line: it takes a second on a busy machine.
const START: Duration = Duration::from_mins(1);
/// The agent is done when it says that it is idle, right after its last words; one that forgets to say so is done, too.
const SETTLE: Duration = Duration::from_secs(10);
/// Whoever was told to stop says so within this time.
const INTERRUPTED: Duration = Duration::from_secs(10);

/// What the agent waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Its own start.
    #[default]
    Start,
    /// The model.
    Model,
    /// The model's service, which said to come back later.
    Retry(Duration),
    /// A tool of its own: a build or a test may be silent for as long as it likes, which the deadline ends.
    Tool,
    /// A human.
    Human,
    /// Nothing: its turn is over.
    Settle,
    /// It was told to stop.
    Interrupted,
}

/// How long it may be silent.
pub(crate) fn limit(waiting: Waiting, silence: Duration) -> Option<Duration> {
    match waiting {
        Waiting::Start => Some(START),
        Waiting::Model => Some(silence),
        Waiting::Retry(delay) => Some(silence.saturating_add(delay)),
        Waiting::Tool | Waiting::Human => None,
        Waiting::Settle => Some(SETTLE),
        Waiting::Interrupted => Some(INTERRUPTED),
    }
}
