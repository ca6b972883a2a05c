//! How much output may be on its way to a client that its emulator has not parsed: enough to keep it busy, and no more,
//! for what is on its way stands between a person and the answer to ^C. No I/O, and time is an argument.

use std::time::Duration;

use super::ring::{READ_BYTES, RING_BYTES};

/// What a client begins with: 256 KiB keep any emulator busy over 20 ms.
pub const START_BYTES: u64 = 256 * 1024;

/// The least: four acknowledgement steps of 32 KiB, so that a client cannot stall between two of them.
pub const LEAST_BYTES: u64 = 128 * 1024;

/// The most: what is unparsed has to be in the ring still, beside what one more read may bring.
pub const MOST_BYTES: u64 = (RING_BYTES - READ_BYTES) as u64;

/// A round trip counts as no shorter: on a busy machine either side may wait so long for its turn, and nobody sees it.
const LEAST_ROUND_TRIP: Duration = Duration::from_millis(10);

/// The part of the way to the new size that each measurement goes: one odd measurement must not decide.
const SMOOTHING: i64 = 4;

/// What a client parses in a second at least that is sent frames as large as they may be: each is there within a quarter of a
/// second. On a slower way one frame would stand before the answer to a ping for longer than anybody waits for that.
const LARGE_FRAMES_RATE: u128 = 256 * 1024;

/// Output whose acknowledgement is timed.
#[derive(Debug, Clone, Copy)]
struct Mark {
    end: u64,
    /// What was acknowledged when it was sent.
    acked: u64,
    at: Duration,
    /// The window was used up meanwhile: only then do measurements say anything about it.
    full: bool,
}

/// The window of one client in one terminal.
#[derive(Debug, Clone)]
pub struct Window {
    bytes: u64,
    /// The client chose it.
    fixed: bool,
    /// The longest step between two acknowledgements: with less than this a client might wait for ever.
    step: u64,
    /// The shortest time from sending to an acknowledgement: later ones measure the queue in the client.
    round_trip: Option<Duration>,
    mark: Option<Mark>,
    /// It was last seen to parse fast enough for the largest frames.
    fast: bool,
}

impl Window {
    /// One that adapts, or the one that the client asked for.
    pub fn new(asked: Option<u64>) -> Self {
        let bytes = asked.map_or(START_BYTES, |bytes| bytes.clamp(LEAST_BYTES, MOST_BYTES));
        Self { bytes, fixed: asked.is_some(), step: 0, round_trip: None, mark: None, fast: false }
    }

    /// Its size.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether frames may be as large as they may be.
    pub const fn takes_large_frames(&self) -> bool {
        self.fast
    }

    /// Nothing that was sent before is timed any more: the client goes on from somewhere else.
    pub const fn moved(&mut self) {
        self.mark = None;
    }

    /// Output up to `end` was handed to the socket while everything below `acked` was acknowledged.
    pub fn sent(&mut self, acked: u64, end: u64, now: Duration) {
        let full = end.saturating_sub(acked) >= self.bytes;
        let mark = self.mark.get_or_insert(Mark { end, acked, at: now, full });
        mark.full |= full;
    }

    /// The client has parsed everything up to `acked`, which was `before` until now.
    pub fn acknowledged(&mut self, before: u64, acked: u64, now: Duration) {
        self.step = self.step.max(acked.saturating_sub(before)).min(MOST_BYTES);
        let Some(mark) = self.mark.take_if(|mark| mark.end <= acked) else { return };
        let took = now.saturating_sub(mark.at).max(Duration::from_micros(1));
        let round_trip =
            self.round_trip.map_or(took, |least| least.min(took)).max(LEAST_ROUND_TRIP);
        self.round_trip = Some(round_trip);
        let parsed = acked.saturating_sub(mark.acked);
        let fast = u128::from(parsed) * 1_000_000 >= LARGE_FRAMES_RATE * took.as_micros();
        // Who was not kept busy may have been no slower than what there was to parse.
        self.fast = fast || self.fast && !mark.full;
        if mark.full && !self.fixed {
            self.adapt(parsed, took, round_trip);
        }
    }

    /// Towards twice what the client parses in a round trip.
    fn adapt(&mut self, parsed: u64, took: Duration, round_trip: Duration) {
        let target = 2 * u128::from(parsed) * round_trip.as_nanos() / took.as_nanos();
        let target = u64::try_from(target).unwrap_or(MOST_BYTES).min(2 * MOST_BYTES);
        let change = (target.cast_signed() - self.bytes.cast_signed()) / SMOOTHING;
        let least = LEAST_BYTES.max(self.step);
        self.bytes = self.bytes.saturating_add_signed(change).clamp(least, MOST_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A client at the end of a link, and the time that passes: returns the window that comes of a long flood.
    fn flood(round_trip: Duration, rate: u64, step: u64) -> u64 {
        let mut window = Window::new(None);
        let (mut sent, mut acked, mut parsed_at) = (0, 0, Duration::ZERO);
        let mut now = Duration::ZERO;
        let mut arriving = std::collections::VecDeque::new();
        for _ in 0..4000 {
            while sent - acked < window.bytes() {
                let end = sent + (16 * 1024).min(acked + window.bytes() - sent);
                window.sent(acked, end, now);
                let parsing = Duration::from_nanos((end - sent) * 1_000_000_000 / rate);
                parsed_at = parsed_at.max(now + round_trip / 2) + parsing;
                arriving.push_back((end, parsed_at + round_trip / 2));
                sent = end;
            }
            let mut last = None;
            while let Some((end, at)) = arriving.pop_front() {
                last = Some((end, at));
                if end - acked >= step {
                    break;
                }
            }
            let (end, at) = last.expect("output is on its way");
            now = now.max(at);
            window.acknowledged(acked, end, now);
            acked = end;
        }
        window.bytes()
    }

    #[test]
    fn a_long_way_takes_more_and_a_slow_emulator_no_more_than_it_parses() {
        const MEBIBYTE: u64 = 1024 * 1024;
        let step = 32 * 1024;
        assert_eq!(flood(Duration::from_millis(100), 20 * MEBIBYTE, step), MOST_BYTES);
        assert_eq!(flood(Duration::from_millis(1), 5 * MEBIBYTE, step), LEAST_BYTES);
        assert_eq!(flood(Duration::from_millis(1), 100 * 1024, step), LEAST_BYTES);
        let between = flood(Duration::from_millis(30), 8 * MEBIBYTE, step);
        assert!((300_000..900_000).contains(&between), "{between}");
    }

    #[test]
    fn large_frames_are_for_who_was_seen_to_be_fast() {
        let mut window = Window::new(None);
        let (mut acked, mut now) = (0, Duration::ZERO);
        for (milliseconds, large) in [(10, true), (2_000, false), (100, true)] {
            assert_ne!(window.takes_large_frames(), large);
            let end = acked + window.bytes();
            window.sent(acked, end, now);
            now += Duration::from_millis(milliseconds);
            window.acknowledged(acked, end, now);
            acked = end;
            assert_eq!(window.takes_large_frames(), large);
        }
    }

    #[test]
    fn who_is_never_kept_busy_may_be_seen_to_be_fast() {
        let mut window = Window::new(None);
        let now = Duration::from_millis(10);
        for (bytes, large) in [(100, false), (64 * 1024, true), (100, true)] {
            window.sent(0, bytes, Duration::ZERO);
            window.acknowledged(0, bytes, now);
            assert_eq!(window.takes_large_frames(), large);
        }
    }

    #[test]
    fn what_a_client_asks_for_stays() {
        let mut window = Window::new(Some(1));
        assert_eq!(window.bytes(), LEAST_BYTES);
        window.sent(0, LEAST_BYTES, Duration::ZERO);
        window.acknowledged(0, LEAST_BYTES, Duration::from_secs(1));
        assert_eq!(window.bytes(), LEAST_BYTES);
    }

    proptest! {
        /// However a client divides its acknowledgements, as long as the first window holds one, it is never left waiting
        /// with an acknowledgement that it will not send.
        #[test]
        fn no_step_stalls(
            step in 1..=START_BYTES,
            delays in prop::collection::vec(0..2_000_u64, 1..60),
            pieces in prop::collection::vec(1..65_536_u64, 1..20),
        ) {
            let mut window = Window::new(None);
            let mut pieces = pieces.iter().cycle();
            let (mut sent, mut acked, mut now) = (0, 0, Duration::ZERO);
            for delay in delays {
                while sent - acked < window.bytes() {
                    let end = (sent + pieces.next().unwrap()).min(acked + window.bytes());
                    window.sent(acked, end, now);
                    sent = end;
                }
                now += Duration::from_millis(delay);
                prop_assert!((LEAST_BYTES..=MOST_BYTES).contains(&window.bytes()));
                prop_assert!(sent - acked >= step, "{} of {step} bytes came", sent - acked);
                let steps = (sent - acked) / step * step;
                window.acknowledged(acked, acked + steps, now);
                acked += steps;
            }
        }
    }
}
