//! Which of a client's terminals sends next: rounds in which each may send as much as the others, and the one that a
//! person types into goes first. No I/O.

use std::collections::BTreeMap;

/// What each terminal may send in a round: at most one such frame stands between a key and its echo.
pub const QUANTUM_BYTES: u64 = 16 * 1024;

/// Less than this is no frame: what is left of a turn is given up.
const LEAST_BYTES: u64 = 256;

/// The turns of one client's terminals.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    /// What is left in this round; a terminal without an entry has not sent in it.
    left: BTreeMap<u16, u64>,
    served: u16,
    typed: Option<u16>,
}

impl Turns {
    /// A person typed into this terminal.
    pub const fn typed(&mut self, terminal: u16) {
        self.typed = Some(terminal);
    }

    /// Whose turn it is among those that have something to send, in ascending order, and how many bytes it may send.
    pub fn next(&mut self, ready: &[u16]) -> Option<(u16, u64)> {
        if ready.iter().all(|id| self.left(*id) == 0) {
            self.left.clear();
        }
        let mut able = ready.iter().copied().filter(|id| self.left(*id) > 0);
        let typed = self.typed.filter(|id| ready.contains(id) && self.left(*id) > 0);
        let id =
            typed.or_else(|| able.clone().find(|id| *id > self.served)).or_else(|| able.next())?;
        Some((id, self.left(id)))
    }

    /// It has sent so much.
    pub fn spent(&mut self, terminal: u16, bytes: u64) {
        let left = self.left(terminal).saturating_sub(bytes);
        self.left.insert(terminal, if left < LEAST_BYTES { 0 } else { left });
        if self.typed != Some(terminal) {
            self.served = terminal;
        }
    }

    fn left(&self, terminal: u16) -> u64 {
        self.left.get(&terminal).copied().unwrap_or(QUANTUM_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_echo_goes_ahead_of_floods() {
        let mut turns = Turns::default();
        turns.typed(9);
        for _ in 0..7 {
            let (id, most) = turns.next(&[1, 2, 3]).unwrap();
            turns.spent(id, most);
        }
        assert_eq!(turns.next(&[1, 2, 3, 9]), Some((9, QUANTUM_BYTES)));
        turns.spent(9, 1);
        assert_eq!(turns.next(&[1, 2, 3, 9]).unwrap().0, 9);
        assert_ne!(turns.next(&[1, 2, 3]).unwrap().0, 9);
        assert_eq!(turns.next(&[]), None);
    }

    proptest! {
        /// Whoever has something to send is served before the others have sent two quanta each, whatever is typed where and
        /// however little the others send at a time.
        #[test]
        fn nobody_starves(
            patient in 1..=16_u16,
            steps in prop::collection::vec(
                (prop::collection::btree_set(1..=16_u16, 0..16), 1..20_000_u64, prop::option::of(1..=16_u16)),
                1..400,
            ),
        ) {
            let mut turns = Turns::default();
            let mut sent = BTreeMap::<u16, u64>::new();
            for (mut ready, bytes, typed) in steps {
                if let Some(typed) = typed {
                    turns.typed(typed);
                }
                ready.insert(patient);
                let ready: Vec<u16> = ready.into_iter().collect();
                let (id, most) = turns.next(&ready).unwrap();
                prop_assert!(ready.contains(&id) && (1..=QUANTUM_BYTES).contains(&most));
                turns.spent(id, bytes.min(most));
                if id == patient {
                    sent.clear();
                } else {
                    let sent = sent.entry(id).or_default();
                    *sent += bytes.min(most);
                    prop_assert!(*sent <= 2 * QUANTUM_BYTES, "{id} sent {sent} while {patient} waited");
                }
            }
        }

        /// Terminals that always have something to send share evenly.
        #[test]
        fn floods_share(count in 2..=16_u16, typed in 1..=16_u16, rounds in 1..20_u64) {
            let ready: Vec<u16> = (1..=count).collect();
            let mut turns = Turns::default();
            turns.typed(typed);
            let mut sent = BTreeMap::<u16, u64>::new();
            for _ in 0..rounds * u64::from(count) {
                let (id, most) = turns.next(&ready).unwrap();
                turns.spent(id, most);
                *sent.entry(id).or_default() += most;
            }
            prop_assert!(ready.iter().all(|id| sent[id] == rounds * QUANTUM_BYTES), "{sent:?}");
        }
    }
}
