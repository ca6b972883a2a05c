//! Which terminal it is, and how the stream goes on where it was.

use fabrica_protocol::kterm::{Attach, AttachRole, ClientFrame, OpenRequest, TerminalInfo};

use super::{Effect, Size, Stream};
use crate::attach::words::count;

/// Output of before that is shown to somebody who comes.
const HISTORY: u32 = 64 * 1024;

impl Stream {
    /// The runtime is another process: what was counted against the old one is void.
    pub(super) fn forget(&mut self) {
        (self.terminal, self.key, self.opening, self.have) = (None, None, None, None);
        self.generation += 1;
        let lost = self.input.restart(0);
        let words = match lost {
            0 => "the session was restarted; this is a new shell".to_owned(),
            lost => format!(
                "the session was restarted: {} typed meanwhile could not be delivered",
                count(lost)
            ),
        };
        self.notice(&words);
    }

    pub(super) fn choose(&mut self, terms: &[TerminalInfo]) {
        let found = match self.wish.terminal {
            Some(id) => terms.iter().find(|term| term.id == id),
            None => terms.iter().find(|term| term.alive),
        };
        match (found, self.wish.terminal) {
            (Some(term), _) => self.attach(&term.clone()),
            (None, Some(id)) => {
                let there: Vec<String> =
                    terms.iter().map(|term| format!("{} ({})", term.id, term.title)).collect();
                let words = format!("there is no terminal {id}; there are: {}", there.join(", "));
                self.effects.push(Effect::Fail(words));
            }
            (None, None) if self.view => {
                self.effects.push(Effect::Fail("no shell runs that could be watched".to_owned()));
            }
            (None, None) => {
                let key = *self.opening.get_or_insert_with(|| uuid::Uuid::new_v4().as_u128());
                let Size { cols, rows } = self.size;
                let request = OpenRequest { cols, rows, ..OpenRequest::default() };
                self.send(ClientFrame::Open { key, request });
            }
        }
    }

    pub(super) fn resume(&mut self, id: u16, terms: Vec<TerminalInfo>) {
        let found = terms.into_iter().find(|term| term.id == id && term.key == self.key);
        let Some(term) = found else {
            let words = "the shell ended while there was no connection; attach again for another";
            return self.effects.push(Effect::Fail(words.to_owned()));
        };
        self.replay_until = term.head;
        let lost = self.resume_input(&term);
        if lost > 0 {
            self.notice(&format!("{} could not be delivered", count(lost)));
        }
        if self.view || self.have.is_none() {
            self.send_attach(id);
        } else {
            self.ack();
        }
        self.pump();
    }

    pub(super) fn attach(&mut self, term: &TerminalInfo) {
        self.terminal = Some(term.id);
        self.key.clone_from(&term.key);
        self.opening = None;
        self.have = None;
        self.generation += 1;
        self.replay_until = term.head;
        self.resume_input(term);
        self.send_attach(term.id);
        self.pump();
    }

    fn resume_input(&mut self, term: &TerminalInfo) -> usize {
        let taken = term.in_off.unwrap_or(0);
        self.input.resume(taken, term.in_written.unwrap_or(taken))
    }

    pub(super) fn send_attach(&mut self, terminal: u16) {
        let role = if self.view { AttachRole::View } else { AttachRole::Control };
        // Sole control is taken to end another's, and given up at once.
        let taken = std::mem::take(&mut self.wish.take_over).then_some(AttachRole::Alone);
        for role in taken.into_iter().chain([role]) {
            let Size { cols, rows } = self.size;
            let (have, epoch) = (self.have, self.epoch.unwrap_or_default());
            let attach = Attach { have, epoch, history: HISTORY, cols, rows, role };
            self.send(ClientFrame::Attach { terminal, attach });
        }
    }

    /// A shell has been opened, by us if its key is ours.
    pub(super) fn terms(&mut self, terms: Vec<TerminalInfo>) {
        let Some(key) = self.opening else { return };
        let ours = |term: &TerminalInfo| {
            term.key.as_deref().and_then(|text| u128::from_str_radix(text, 16).ok()) == Some(key)
        };
        if let Some(term) = terms.into_iter().find(ours) {
            self.attach(&term);
        }
    }
}
