//! Terminals come and go. No I/O.

use std::sync::Arc;

use fabrica_protocol::kterm::TerminalType;
use tokio::sync::Notify;

use super::history::History;
use super::input::Input;
use super::marks::Scanner;
use super::prompt::Prompt;
use super::ring::Ring;
use super::screen::query::Watch;
use super::size::Size;
use super::state::{MAX_TERMINALS, State, Terminal};
use super::title::Title;

/// Which terminal a request to open one means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// One of this key is there.
    Exists(u16),
    /// A new one has this id.
    New(u16),
    /// There are too many.
    Full,
}

/// A terminal to be, as who opens it wants it.
#[derive(Debug)]
pub struct Wanted {
    /// The idempotency key of its OPEN; none for the first one.
    pub key: Option<u128>,
    pub kind: TerminalType,
    pub title: Title,
    pub size: Size,
}

impl State {
    /// Finds or reserves the terminal for an idempotency key. Ended ones make room, oldest first.
    pub fn opening(&mut self, key: Option<u128>) -> Opening {
        let existing =
            self.terminals.iter().find(|(_, terminal)| key.is_some() && terminal.key == key);
        if let Some((id, _)) = existing {
            return Opening::Exists(*id);
        }
        if self.terminals.len() >= MAX_TERMINALS {
            let ended = self.terminals.iter().find(|(_, terminal)| terminal.exit.is_some());
            let Some(id) = ended.map(|(id, _)| *id) else { return Opening::Full };
            self.remove(id);
        }
        while self.next_terminal == 0 || self.terminals.contains_key(&self.next_terminal) {
            self.next_terminal = self.next_terminal.wrapping_add(1);
        }
        let id = self.next_terminal;
        self.next_terminal = self.next_terminal.wrapping_add(1);
        Opening::New(id)
    }

    /// Adds a terminal whose program runs, and tells everybody.
    pub fn opened(
        &mut self,
        id: u16,
        Wanted { key, kind, title, size }: Wanted,
        cwd: String,
    ) -> Arc<Notify> {
        let wake = Arc::new(Notify::new());
        let terminal = Terminal {
            ring: Ring::default(),
            history: History::new(size),
            watch: Watch::default(),
            answered: 0,
            input: Input::default(),
            size,
            owner: 0,
            sized_by: String::new(),
            exit: None,
            resize_due: None,
            signal_due: None,
            wake: Arc::clone(&wake),
            key,
            kind,
            title,
            cwd,
            alone: None,
            scanner: Scanner::default(),
            prompt: Prompt::default(),
        };
        self.terminals.insert(id, terminal);
        self.measures.counted.opened += 1;
        self.announce();
        wake
    }

    /// Drops an ended terminal, and tells everybody.
    pub fn remove(&mut self, id: u16) {
        self.terminals.remove(&id);
        for client in self.clients.values_mut() {
            client.attachments.remove(&id);
            client.sent.remove(&id);
        }
        self.announce();
    }
}
