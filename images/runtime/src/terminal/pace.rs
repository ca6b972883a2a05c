//! How fast a client may speak. Whoever sends much is read more slowly and loses nothing; whoever asks for more than any
//! page does is sent away. No I/O, and time is an argument.

use std::time::Duration;

use fabrica_protocol::kterm::ClientFrame;

/// Bytes of messages a second: a paste of a whole ring is through in one, and a flood takes little of our time.
pub const MESSAGE_RATE: u64 = 1024 * 1024;

/// What may come at once after a quiet time.
const MESSAGE_BURST: Duration = Duration::from_secs(1);

/// What each message counts at least: to take a small one costs as much as to take this many bytes.
pub const LEAST_MESSAGE: u64 = 64;

/// Frames a second that are neither INPUT, ACK nor RESIZE, whose cost their bytes tell.
pub const CONTROL_RATE: u64 = 100;

/// As many as a page with 16 terminals could need at once, many times over.
const CONTROL_BURST: Duration = Duration::from_secs(2);

/// A client that asks too much too fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {CONTROL_RATE} control frames a second; ra=1000")]
pub struct TooFast;

/// A vessel that fills with what is taken and runs out at a steady rate.
#[derive(Debug, Default)]
struct Meter {
    /// The time that it takes to run out.
    level: Duration,
    at: Duration,
}

impl Meter {
    fn take(&mut self, count: u64, rate: u64, now: Duration) {
        self.run(now);
        self.level += Duration::from_nanos(count.saturating_mul(1_000_000_000) / rate);
    }

    fn run(&mut self, now: Duration) {
        self.level = self.level.saturating_sub(now.saturating_sub(self.at));
        self.at = self.at.max(now);
    }
}

/// What one client has sent lately.
#[derive(Debug, Default)]
pub struct Pace {
    messages: Meter,
    controls: Meter,
}

impl Pace {
    /// Counts a message of this length.
    pub fn message(&mut self, length: usize, now: Duration) {
        self.messages.take((length as u64).max(LEAST_MESSAGE), MESSAGE_RATE, now);
    }

    /// Counts what it was.
    pub fn frame(&mut self, frame: &ClientFrame, now: Duration) -> Result<(), TooFast> {
        use ClientFrame::{Ack, Input, Resize};
        if !matches!(frame, Input { .. } | Ack { .. } | Resize { .. }) {
            self.controls.take(1, CONTROL_RATE, now);
        }
        if self.controls.level > CONTROL_BURST { Err(TooFast) } else { Ok(()) }
    }

    /// How long nothing more should be read.
    pub fn wait(&mut self, now: Duration) -> Option<Duration> {
        self.messages.run(now);
        self.messages.level.checked_sub(MESSAGE_BURST).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: ClientFrame = ClientFrame::Ping { visible: true, client_us: 0 };

    #[test]
    fn what_comes_too_fast_waits() {
        let mut pace = Pace::default();
        let now = Duration::from_secs(5);
        pace.message(1024 * 1024, now);
        assert_eq!(pace.wait(now), None);
        pace.message(512 * 1024, now);
        assert_eq!(pace.wait(now), Some(Duration::from_millis(500)));
        assert_eq!(pace.wait(now + Duration::from_millis(500)), None);
    }

    #[test]
    fn small_messages_are_not_free() {
        let mut pace = Pace::default();
        let ack = ClientFrame::Ack { terminal: 1, offset: 0 };
        for _ in 0..16 * 1024 {
            pace.message(1, Duration::ZERO);
            assert_eq!(pace.frame(&ack, Duration::ZERO), Ok(()));
        }
        assert_eq!(pace.wait(Duration::ZERO), None);
        pace.message(1, Duration::ZERO);
        assert!(pace.wait(Duration::ZERO).is_some());
    }

    #[test]
    fn a_hundred_questions_a_second_are_enough() {
        let mut pace = Pace::default();
        for number in 0..10_000 {
            assert_eq!(pace.frame(&PING, Duration::from_millis(10 * number)), Ok(()));
        }
        let now = Duration::from_secs(200);
        let allowed = (0..1000).take_while(|_| pace.frame(&PING, now).is_ok()).count();
        assert_eq!(allowed, 200);
    }
}
