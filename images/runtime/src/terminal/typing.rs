//! Where somebody types: floods elsewhere give way meanwhile. No I/O, and time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Whoever has typed a key is about to type the next one, or looks for what the last one did.
const PAUSE: Duration = Duration::from_millis(500);

/// Which program was given input last, and when.
#[derive(Debug, Clone, Copy, Default)]
pub struct Typing(Option<(u16, Instant)>);

impl Typing {
    /// A program was given input.
    pub const fn typed(&mut self, terminal: u16, now: Instant) {
        self.0 = Some((terminal, now));
    }

    /// Whether somebody types into another terminal than this one.
    pub fn is_elsewhere(self, terminal: u16, now: Instant) -> bool {
        let is_recent = |at| now.saturating_duration_since(at) < PAUSE;
        self.0.is_some_and(|(typed, at)| typed != terminal && is_recent(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_types_elsewhere_until_a_while_after_the_last_key() {
        let (mut typing, now) = (Typing::default(), Instant::now());
        assert!(!typing.is_elsewhere(2, now));
        typing.typed(1, now);
        assert!(typing.is_elsewhere(2, now) && !typing.is_elsewhere(1, now));
        assert!(!typing.is_elsewhere(2, now + PAUSE));
        // Whoever types into a flood wants to see it end.
        typing.typed(2, now);
        assert!(!typing.is_elsewhere(2, now));
    }
}
