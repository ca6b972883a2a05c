//! The agent's terminal: what the agent runs is shown there. It has no program, and nobody types into it.

use fabrica_protocol::kterm::TerminalType;
use tokio::time::Instant;

use super::opening::{Opening, Wanted};
use super::reference::{COMMAND, INPUT, SIGNAL};
use super::shells::Shells;
use super::size::Size;
use super::state::State;
use super::title::Title;

/// What it is called until a person calls it otherwise.
const TITLE: &str = "agent";

impl Shells {
    /// Shows more in the agent's terminal, which is opened where there is none, unless the Session has as many as it may have.
    pub fn show(&self, bytes: &[u8]) {
        let id = self.shared.state().agents_terminal();
        if let Some(id) = id.or_else(|| self.open_agents()) {
            self.shared.state().print(id, bytes, self.started.elapsed());
        }
    }

    fn open_agents(&self) -> Option<u16> {
        let Opening::New(id) = self.shared.state().opening(None) else { return None };
        let title = Title::new(TITLE.to_owned(), String::new());
        let kind = TerminalType::Agent;
        self.list(id, Wanted { key: None, kind, title, size: Size::default() }, String::new());
        let mut state = self.shared.state();
        state.created(0, id);
        state.events.write(Instant::now());
        Some(id)
    }
}

impl State {
    /// The one that is open.
    fn agents_terminal(&self) -> Option<u16> {
        let mut open = self.terminals.iter().filter(|(_, terminal)| terminal.exit.is_none());
        open.find(|(_, terminal)| terminal.kind == TerminalType::Agent).map(|(id, _)| *id)
    }

    /// Whether a frame is for a program where there is none.
    pub(super) fn lacks_program(&self, id: u16, reference: u32) -> bool {
        let is_agents = self.terminals.get(&id).is_some_and(|it| it.kind == TerminalType::Agent);
        is_agents && matches!(reference, INPUT | SIGNAL | COMMAND)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use fabrica_protocol::kterm::{ClientFrame, Hello};

    use super::*;
    use crate::terminal::fixture::{join, say, state};
    use crate::terminal::ring::READ_BYTES;

    /// A state in which the agent's terminal is number 2.
    fn agents() -> State {
        let mut state = state();
        let title = Title::new(TITLE.to_owned(), String::new());
        let (kind, size) = (TerminalType::Agent, Size::default());
        state.opened(2, Wanted { key: None, kind, title, size }, String::new());
        state
    }

    #[test]
    fn nobody_types_into_it() {
        let mut state = agents();
        let ada = join(&mut state, "ada");
        let hello = Hello { client_id: "page".into(), ..Hello::default() };
        say(&mut state, ada, ClientFrame::Hello(hello), 0);
        let bytes = Bytes::from_static(b"rm -rf\r");
        let typed = ClientFrame::Input { terminal: 2, auto: false, offset: 0, bytes };
        say(&mut state, ada, typed, 0);
        let signal = ClientFrame::Signal { terminal: 2, signal: 2 };
        let asks = state.handle(ada, signal, chrono::DateTime::UNIX_EPOCH, Duration::ZERO);
        assert_eq!(asks, None);
        let input = &state.terminals[&2].input;
        assert!(input.front().is_none(), "nobody would ever read it");
        assert!(state.may_read(ada));
    }

    #[test]
    fn it_is_one_until_it_is_closed() {
        let mut state = agents();
        assert_eq!(state.agents_terminal(), Some(2));
        state.print(2, &vec![b'x'; 3 * READ_BYTES], Duration::ZERO);
        assert_eq!(state.terminals[&2].ring.head(), 3 * READ_BYTES as u64);
        let ada = join(&mut state, "ada");
        let hello = Hello { client_id: "page".into(), ..Hello::default() };
        say(&mut state, ada, ClientFrame::Hello(hello), 0);
        say(&mut state, ada, ClientFrame::Close { terminal: 2, signal: 0 }, 0);
        assert_eq!(state.agents_terminal(), None);
    }
}
