//! What a runtime counts since its process began. The operator adds up what each has more than it had.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Upper bounds of [`Latencies`], in seconds: what a person notices lies in the middle.
pub const LATENCY_BOUNDS: [f64; 12] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// How long something took, of many times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies {
    /// How often it took at most as long as the bound of the same place and longer than the one before it. The last: longer
    /// than all of them. Empty: it never happened.
    pub counts: Vec<u64>,
    /// All together.
    pub microseconds: u64,
}

impl Latencies {
    /// It took so long, once more.
    pub fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = LATENCY_BOUNDS.iter().take_while(|bound| seconds > **bound).count();
        self.counts.resize(LATENCY_BOUNDS.len() + 1, 0);
        self.counts[place] += 1;
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.microseconds = self.microseconds.saturating_add(microseconds);
    }

    /// What came since an earlier word of the same process.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let former = before.counts.iter().copied().chain(std::iter::repeat(0));
        let counts = self.counts.iter().zip(former);
        Self {
            counts: counts.map(|(now, before)| now.saturating_sub(before)).collect(),
            microseconds: self.microseconds.saturating_sub(before.microseconds),
        }
    }
}

/// Why clients lost their connections, as they say when they come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returns {
    /// The socket was closed.
    pub closed: u64,
    /// Nothing was heard any more.
    pub silent: u64,
    /// Anything else they say.
    pub other: u64,
}

impl Returns {
    /// A client came back, and gives this reason.
    pub fn add(&mut self, cause: &str) {
        let place = match cause {
            "no answer" | "ping timeout" => &mut self.silent,
            cause if cause.starts_with("closed") => &mut self.closed,
            _ => &mut self.other,
        };
        *place += 1;
    }
}

/// What clients that came back found of the terminals they had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumes {
    /// Every byte that they missed.
    pub exact: u64,
    /// The terminal's newest part: more was written meanwhile than is kept.
    pub snapshot: u64,
    /// Another process: what they had is of a pod that is gone.
    pub lost: u64,
}

/// More tries than this to come back, and a client's breaker was open: it opens at the fifth that fails within a minute.
const TRIES_BEFORE_BREAKER: u32 = 5;

/// Whoever says to have been away for longer counts as this long: one nonsense must not drown all others.
const AWAY_LIMIT: Duration = Duration::from_hours(24);

/// What is counted of terminals, beside [`Returns`] and [`Resumes`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TerminalCounters {
    /// Shells that were started.
    pub opened: u64,
    /// Shells that could not be started.
    pub open_failures: u64,
    /// Clients that came back after so many tries that their breaker must have been open.
    pub breakers: u64,
    /// Times that a client had as much unparsed as it may have, and more waited for it.
    pub client_stalls: u64,
    /// Times that a program was held back, as all who type were behind.
    pub program_stalls: u64,
    /// How long clients that came back had no connection, as they tell.
    pub away: Latencies,
    /// From HELLO of a client that came back until all that it had missed was handed to its socket.
    pub resume: Latencies,
    /// From when a program was given input until it wrote something, sampled.
    pub echo: Latencies,
}

impl TerminalCounters {
    /// A client came back after so many tries, and had been away for so long.
    pub fn returned(&mut self, tries: u32, away: Duration) {
        self.breakers += u64::from(tries > TRIES_BEFORE_BREAKER);
        self.away.add(away.min(AWAY_LIMIT));
    }
}

/// What is counted of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentCounters {
    /// Times the agent's program ended by itself.
    pub crashes: u64,
    /// Times a client came back for what it had missed.
    pub reconnects: u64,
    /// From a person's message at our door until the agent's program has it. What waited for the program is left out.
    pub heard: Latencies,
    /// From when something was written down, or begun to be said, until a client that followed was shown it.
    pub shown: Latencies,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_has_one_place() {
        let mut all = Latencies::default();
        for micros in [1, 500, 501, 4_999_999, 5_000_000, 5_000_001] {
            all.add(Duration::from_micros(micros));
        }
        assert_eq!(all.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1]);
        let before = all.clone();
        all.add(Duration::from_millis(1));
        let since = all.since(&before);
        assert_eq!((since.counts[1], since.counts.iter().sum::<u64>()), (1, 1));
        assert_eq!(since.microseconds, 1000);
        assert_eq!(all.since(&Latencies::default()), all);
    }

    #[test]
    fn the_sixth_try_tells_of_a_breaker() {
        let mut counters = TerminalCounters::default();
        for tries in [0, 1, 5, 6, u32::MAX] {
            counters.returned(tries, Duration::from_millis(300));
        }
        assert_eq!((counters.breakers, counters.away.counts[9]), (2, 5));
        counters.returned(1, Duration::MAX);
        assert!(counters.away.microseconds < 25 * 3_600 * 1_000_000);
        let older: TerminalCounters = serde_json::from_str(r#"{"opened": 1}"#).unwrap();
        assert_eq!((older.opened, older.echo), (1, Latencies::default()));
    }

    #[test]
    fn what_clients_say_comes_to_three_causes() {
        let mut returns = Returns::default();
        for cause in ["closed with 1006", "ping timeout", "no answer", "unknown", ""] {
            returns.add(cause);
        }
        assert_eq!(returns, Returns { closed: 1, silent: 2, other: 2 });
    }
}
