//! Keys that are for this program, as ssh has them: `~` right after Enter, then a letter.

/// What a person pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// For the shell.
    Bytes(Vec<u8>),
    Detach,
    /// Forget what waits to be sent.
    Discard,
    Help,
}

/// What `~?` tells.
pub(super) const HELP: &str = "Enter ~ .  detach; the shell goes on\r\nEnter ~ d  discard what waits to be sent\r\nEnter ~ ~  type one ~\r\n";

/// Where in a line the keys are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    LineStart,
    Tilde,
    Inside,
}

/// Looks through what is typed.
#[derive(Debug, Default)]
pub(super) struct Escapes {
    place: Place,
}

impl Escapes {
    /// Sorts bytes into what the shell gets and what is ours, in order.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Key> {
        let (mut keys, mut plain) = (Vec::new(), Vec::new());
        for byte in bytes {
            let ours = match (self.place, byte) {
                (Place::LineStart, b'~') => {
                    self.place = Place::Tilde;
                    continue;
                }
                (Place::Tilde, b'.') => Some(Key::Detach),
                (Place::Tilde, b'd') => Some(Key::Discard),
                (Place::Tilde, b'?') => Some(Key::Help),
                (Place::Tilde, b'~') => None,
                (Place::Tilde, _) => {
                    plain.push(b'~');
                    None
                }
                _ => None,
            };
            self.place = match (&ours, byte) {
                (Some(_), _) | (None, b'\r' | b'\n') => Place::LineStart,
                _ => Place::Inside,
            };
            match ours {
                None => plain.push(*byte),
                Some(key) => {
                    if !plain.is_empty() {
                        keys.push(Key::Bytes(std::mem::take(&mut plain)));
                    }
                    keys.push(key);
                }
            }
        }
        if !plain.is_empty() {
            keys.push(Key::Bytes(plain));
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn bytes(text: &str) -> Key {
        Key::Bytes(text.as_bytes().to_vec())
    }

    #[rstest]
    #[case::at_once("~.", vec![Key::Detach])]
    #[case::after_enter("ls\r~.", vec![bytes("ls\r"), Key::Detach])]
    #[case::not_in_a_line("cd ~.", vec![bytes("cd ~.")])]
    #[case::a_tilde("~~.", vec![bytes("~.")])]
    #[case::another_letter("~x~.", vec![bytes("~x~.")])]
    #[case::help("~?~d", vec![Key::Help, Key::Discard])]
    #[case::enter_after_tilde("~\r~.", vec![bytes("~\r"), Key::Detach])]
    fn a_tilde_after_enter_is_ours(#[case] typed: &str, #[case] keys: Vec<Key>) {
        assert_eq!(Escapes::default().take(typed.as_bytes()), keys);
        // And no less so key by key.
        let mut escapes = Escapes::default();
        let single: Vec<Key> = typed.bytes().flat_map(|byte| escapes.take(&[byte])).collect();
        let commands = |keys: &[Key]| -> Vec<Key> {
            keys.iter().filter(|key| !matches!(key, Key::Bytes(_))).cloned().collect()
        };
        assert_eq!(commands(&single), commands(&keys));
    }
}
