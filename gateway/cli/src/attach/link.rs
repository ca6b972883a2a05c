//! One socket that is lost and found again, as a state machine without I/O: events and the time go in, effects come out.
//! When to connect, and how a dead socket is noticed, is decided here; what travels over it is the stream's business.

use std::time::Duration;

use super::retry::{Random, Retry};
use super::verdict::{Verdict, verdict};

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(15);
const PONG_DEADLINE: Duration = Duration::from_secs(5);
/// After an event that hints at a dead socket there is less patience.
const PROBE_DEADLINE: Duration = Duration::from_millis(1_500);
/// The runtime pings every 20 s. A key that is pressed after a longer silence asks whether anybody is there.
const SILENCE: Duration = Duration::from_secs(25);
/// However often somebody asks for it, connections are tried no more often than this.
const NUDGE_PAUSE: Duration = Duration::from_secs(1);

/// The socket broke without a close frame.
pub(super) const CUT: u16 = 1006;

/// What happened.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Start,
    /// The socket stands.
    Opened,
    /// It is gone, or never stood.
    Closed {
        code: u16,
        reason: String,
    },
    /// The runtime knows us.
    Welcomed,
    /// Anything came.
    Heard,
    /// A key was pressed.
    Typed,
    /// The runtime lacks input that was sent: a new socket begins with what it has.
    Gap,
    /// The machine woke up, or the user asks.
    Nudge,
    /// A deadline may be over.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Open a socket, with another token if need be.
    Connect {
        renew: bool,
    },
    /// Say HELLO.
    Greet(Option<Loss>),
    Ping,
    /// Forget the socket.
    Drop,
}

/// Why the last connection was lost, and how long there has been none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) cause: String,
    pub(super) attempts: u32,
    pub(super) down: Duration,
}

/// Where the link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing yet, or until the next attempt.
    Waiting,
    Connecting,
    Greeting,
    Live,
    /// Over, for this reason.
    Halted(String),
}

/// The link of one attachment. Moments are counted from its start.
#[derive(Debug)]
pub(super) struct Link {
    state: State,
    retry: Retry,
    attempts: u32,
    /// A new token was tried since the last WELCOME.
    renewed: bool,
    live_since: Duration,
    lost_at: Option<Duration>,
    cause: Option<String>,
    why: Option<String>,
    established: bool,
    last_heard: Duration,
    last_attempt: Duration,
    retry_at: Option<Duration>,
    connect_by: Option<Duration>,
    ping_at: Option<Duration>,
    pong_by: Option<Duration>,
}

impl Link {
    pub(super) fn new(random: Random) -> Self {
        Self {
            state: State::Waiting,
            retry: Retry::new(random),
            attempts: 0,
            renewed: false,
            live_since: Duration::ZERO,
            lost_at: None,
            cause: None,
            why: None,
            established: false,
            last_heard: Duration::ZERO,
            last_attempt: Duration::ZERO,
            retry_at: None,
            connect_by: None,
            ping_at: None,
            pong_by: None,
        }
    }

    pub(super) const fn state(&self) -> &State {
        &self.state
    }

    /// Why there is no connection, in the other side's words, if it said any.
    pub(super) fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// When the next `Tick` is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        [self.retry_at, self.connect_by, self.ping_at, self.pong_by].into_iter().flatten().min()
    }

    /// Takes one event and tells what is to be done, in order.
    pub(super) fn handle(&mut self, event: Event, now: Duration) -> Vec<Effect> {
        if matches!(self.state, State::Halted(_)) {
            return Vec::new();
        }
        match event {
            Event::Start => vec![self.connect(false, now)],
            Event::Opened => self.opened(now),
            Event::Closed { code, reason } => self.closed(code, &reason, now),
            Event::Welcomed => self.welcomed(now),
            Event::Heard => self.heard(now),
            Event::Typed => {
                // Somebody is there: neither a breaker's pause nor a silent socket is waited for.
                let silent = now.saturating_sub(self.last_heard) > SILENCE;
                if silent || self.state == State::Waiting { self.nudge(now) } else { Vec::new() }
            }
            Event::Gap if self.state == State::Live => self.replace("input gap", now),
            Event::Gap => Vec::new(),
            Event::Nudge => self.nudge(now),
            Event::Tick => self.tick(now),
        }
    }

    fn connect(&mut self, renew: bool, now: Duration) -> Effect {
        self.state = State::Connecting;
        self.retry_at = None;
        self.attempts += 1;
        self.last_attempt = now;
        self.connect_by = Some(now + CONNECT_DEADLINE);
        Effect::Connect { renew }
    }

    fn opened(&mut self, now: Duration) -> Vec<Effect> {
        if self.state != State::Connecting {
            return Vec::new();
        }
        self.state = State::Greeting;
        let loss = self.lost_at.map(|at| Loss {
            cause: self.cause.clone().unwrap_or_else(|| "unknown".to_owned()),
            attempts: self.attempts,
            down: now.saturating_sub(at),
        });
        vec![Effect::Greet(loss)]
    }

    fn welcomed(&mut self, now: Duration) -> Vec<Effect> {
        if self.state != State::Greeting {
            return Vec::new();
        }
        self.state = State::Live;
        self.established = true;
        self.renewed = false;
        self.attempts = 0;
        self.live_since = now;
        (self.lost_at, self.cause, self.why, self.connect_by) = (None, None, None, None);
        self.retry.welcomed();
        self.ping_at = Some(now + PING_EVERY);
        self.heard(now)
    }

    const fn heard(&mut self, now: Duration) -> Vec<Effect> {
        self.last_heard = now;
        self.pong_by = None;
        Vec::new()
    }

    fn closed(&mut self, code: u16, reason: &str, now: Duration) -> Vec<Effect> {
        if !self.has_socket() {
            return Vec::new();
        }
        let lived = (self.state == State::Live).then(|| now.saturating_sub(self.live_since));
        (self.connect_by, self.ping_at, self.pong_by) = (None, None, None);
        if self.established {
            self.lost_at.get_or_insert(now);
        }
        self.cause.get_or_insert_with(|| format!("closed with {code}"));
        self.state = State::Waiting;
        let delay = match verdict(code, reason) {
            Verdict::Halt(why) => {
                self.state = State::Halted(why);
                return Vec::new();
            }
            Verdict::Login if self.renewed => {
                let why = "The token is not accepted (any longer): log in again, or give another one with --token.";
                self.state = State::Halted(why.to_owned());
                return Vec::new();
            }
            Verdict::Login => {
                self.renewed = true;
                return vec![self.connect(true, now)];
            }
            Verdict::Wait(hint, words) => {
                self.why = (!words.is_empty()).then_some(words);
                self.retry.hinted(hint)
            }
            other => match lived {
                None => self.retry.after_failure(now),
                Some(lived) if other == Verdict::Retry => self.retry.after_loss(lived),
                Some(_) => self.retry.after_loss(Duration::ZERO),
            },
        };
        if code == CUT && !reason.is_empty() {
            self.why = Some(reason.to_owned());
        }
        self.retry_at = Some(now + delay);
        Vec::new()
    }

    const fn has_socket(&self) -> bool {
        matches!(self.state, State::Connecting | State::Greeting | State::Live)
    }

    /// Gives a socket up that does not answer.
    fn replace(&mut self, cause: &str, now: Duration) -> Vec<Effect> {
        self.cause = Some(cause.to_owned());
        let mut effects = vec![Effect::Drop];
        effects.extend(self.closed(CUT, "", now));
        effects
    }

    fn nudge(&mut self, now: Duration) -> Vec<Effect> {
        match self.state {
            State::Live => self.ping(PROBE_DEADLINE, now),
            State::Waiting if self.retry_at.is_some() => {
                let soonest = self.last_attempt + NUDGE_PAUSE;
                if soonest <= now {
                    return vec![self.connect(false, now)];
                }
                self.retry_at = self.retry_at.map(|at| at.min(soonest));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn tick(&mut self, now: Duration) -> Vec<Effect> {
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        if due(self.connect_by) {
            self.replace("no answer", now)
        } else if due(self.pong_by) {
            self.replace("ping timeout", now)
        } else if due(self.retry_at) {
            vec![self.connect(false, now)]
        } else if due(self.ping_at) {
            self.ping(PONG_DEADLINE, now)
        } else {
            Vec::new()
        }
    }

    fn ping(&mut self, patience: Duration, now: Duration) -> Vec<Effect> {
        let by = now + patience;
        self.pong_by = Some(self.pong_by.map_or(by, |earlier| earlier.min(by)));
        self.ping_at = Some(now + PING_EVERY);
        vec![Effect::Ping]
    }
}

#[cfg(test)]
mod tests;
