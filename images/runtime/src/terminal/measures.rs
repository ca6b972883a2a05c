//! How fast terminals are, and what holds them up. No I/O, and time is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fabrica_protocol::kterm::Hello;
use fabrica_protocol::runtime::TerminalCounters;

/// Echo is sampled so often at a terminal: often enough for a person's keys, and a paste is one sample.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// A terminal that wrote so lately may be about to write again: what comes next would say nothing of the key.
const QUIET: Duration = Duration::from_millis(10);
/// What comes later is no echo: the program shows nothing of what it is given, or works.
const ECHO_LIMIT: Duration = Duration::from_secs(5);

/// What is being measured, and the sums of what was.
#[derive(Debug, Default)]
pub struct Measures {
    pub counted: TerminalCounters,
    /// When the frame came that is handled.
    pub now: Duration,
    /// When clients that came back said HELLO, until they have what they missed.
    resuming: BTreeMap<u32, Duration>,
    /// Connections and terminals of which more waits than the client may have.
    stalled: BTreeSet<(u32, u16)>,
    /// Terminals whose programs are held back.
    held: BTreeSet<u16>,
    echoes: BTreeMap<u16, Echo>,
}

/// The sample of one terminal.
#[derive(Debug, Default)]
struct Echo {
    typed: Option<Duration>,
    shown: Option<Duration>,
    sampled: Option<Duration>,
}

impl Measures {
    /// A client came back.
    pub(super) fn returned(&mut self, connection: u32, hello: &Hello) {
        self.counted.returned(hello.attempts, Duration::from_millis(hello.down_ms));
        self.resuming.insert(connection, self.now);
    }

    /// A client is gone.
    pub(super) fn left(&mut self, connection: u32) {
        self.resuming.remove(&connection);
        self.stalled.retain(|(client, _)| *client != connection);
    }

    /// A client has been given all of a terminal that it may have now; `behind`: and there is more.
    pub(super) fn stalls(&mut self, connection: u32, terminal: u16, behind: bool) {
        if !behind {
            self.stalled.remove(&(connection, terminal));
        } else if self.stalled.insert((connection, terminal)) {
            self.counted.client_stalls += 1;
        }
    }

    /// A client has all that was there when it came.
    pub(super) fn caught_up(&mut self, connection: u32, now: Duration) {
        if let Some(since) = self.resuming.remove(&connection) {
            self.counted.resume.add(now.saturating_sub(since));
        }
    }

    /// A program is held back, or is not.
    pub(super) fn held(&mut self, terminal: u16, held: bool) {
        if !held {
            self.held.remove(&terminal);
        } else if self.held.insert(terminal) {
            self.counted.program_stalls += 1;
        }
    }

    /// A program was given input.
    pub(super) fn typed(&mut self, terminal: u16, now: Duration) {
        let echo = self.echoes.entry(terminal).or_default();
        let is_past = |moment: Option<Duration>, least| {
            moment.is_none_or(|moment| now.saturating_sub(moment) >= least)
        };
        if is_past(echo.shown, QUIET) && is_past(echo.sampled, SAMPLE_EVERY) {
            (echo.typed, echo.sampled) = (Some(now), Some(now));
        }
    }

    /// A program wrote something.
    pub(super) fn shown(&mut self, terminal: u16, now: Duration) {
        let echo = self.echoes.entry(terminal).or_default();
        echo.shown = Some(now);
        let took = echo.typed.take().map(|typed| now.saturating_sub(typed));
        if let Some(took) = took.filter(|took| *took <= ECHO_LIMIT) {
            self.counted.echo.add(took);
        }
    }

    /// A program ended.
    pub(super) fn ended(&mut self, terminal: u16) {
        self.held.remove(&terminal);
        self.echoes.remove(&terminal);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn milliseconds(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[rstest]
    #[case::a_key(&[(0, "in"), (2, "out"), (4, "out")], 1)]
    #[case::two_pieces_are_one_sample(&[(0, "in"), (1, "in"), (2, "out")], 1)]
    #[case::keys_apart(&[(0, "in"), (2, "out"), (150, "in"), (152, "out")], 2)]
    #[case::keys_too_close(&[(0, "in"), (2, "out"), (50, "in"), (52, "out")], 1)]
    #[case::under_flood(&[(0, "out"), (5, "in"), (6, "out"), (7, "in"), (8, "out")], 0)]
    #[case::a_password(&[(0, "in"), (6_000, "out")], 0)]
    fn echo_is_sampled(#[case] steps: &[(u64, &str)], #[case] samples: u64) {
        let mut measures = Measures::default();
        for (at, what) in steps {
            match *what {
                "in" => measures.typed(1, milliseconds(*at)),
                _ => measures.shown(1, milliseconds(*at)),
            }
        }
        assert_eq!(measures.counted.echo.counts.iter().sum::<u64>(), samples);
    }

    #[test]
    fn a_program_that_is_held_back_counts_once() {
        let mut measures = Measures::default();
        for held in [false, true, true, false, true] {
            measures.held(1, held);
        }
        assert_eq!(measures.counted.program_stalls, 2);
    }
}
