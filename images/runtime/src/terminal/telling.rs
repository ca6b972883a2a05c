//! What may change with every byte of output is told four times a second at most: titles, folders, and that terminals which
//! a client does not watch have printed or rung. When a command ended is told at once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fabrica_protocol::kterm::ServerFrame;

use super::client::Client;
use super::marks::{Found, Mark};
use super::prompt::{Command, Outcome, Progress};
use super::shared::Shared;
use super::state::{State, Terminal};

/// From one telling to the next.
const PERIOD: Duration = Duration::from_millis(250);

/// Tells what there is to tell, for as long as the runtime lives.
pub(super) async fn tell(shared: Shared) {
    let wake = Arc::clone(&shared.state().news.wake);
    loop {
        wake.notified().await;
        shared.state().tell_news();
        tokio::time::sleep(PERIOD).await;
    }
}

impl State {
    /// Takes what the newest bytes of a terminal's ring say.
    pub(super) fn heard(&mut self, id: u16, count: usize) {
        let unwatched = self.clients.values().any(|client| hears_of(client, id));
        let Some(terminal) = self.terminals.get_mut(&id) else { return };
        let (found, ended) = terminal.scan(count);
        let listed = found.marks.into_iter().fold(false, |changed, mark| match mark {
            Mark::Title(title) => terminal.title.told(title) || changed,
            Mark::Folder(folder) => {
                std::mem::replace(&mut terminal.cwd, folder) != terminal.cwd || changed
            }
            _ => changed,
        });
        self.news.listed |= listed;
        if unwatched {
            *self.news.stirred.entry(id).or_default() |= found.bell;
        }
        if listed || unwatched {
            self.news.wake.notify_one();
        }
        for command in ended {
            self.tell_command(id, &command);
        }
    }

    fn tell_news(&mut self) {
        if std::mem::take(&mut self.news.listed) {
            self.announce();
        }
        for (id, rang) in std::mem::take(&mut self.news.stirred) {
            for client in self.clients.values_mut().filter(|client| hears_of(client, id)) {
                *client.activity.entry(id).or_default() |= rang;
                client.wake.notify_one();
            }
        }
    }

    /// ACTIVITY that a client has not been told. What comes while its socket is full is one frame a terminal.
    pub(super) fn next_activity(&mut self, connection: u32) -> Option<Bytes> {
        let client = self.clients.get_mut(&connection)?;
        while let Some((terminal, bell)) = client.activity.pop_first() {
            if let Some(head) = self.terminals.get(&terminal).map(|terminal| terminal.ring.head()) {
                return Some(ServerFrame::Activity { terminal, bell, head }.encode());
            }
        }
        None
    }

    /// Tells the client that sent a command how it ended, on whichever connection it is now. One that is away asks again.
    pub(super) fn tell_command(&mut self, terminal: u16, command: &Command) {
        let Progress::Ended(Outcome { exit, start, end }) = command.progress else { return };
        let asks = |client: &&mut Client| {
            client.client_id == command.client && client.caps.commands == Some(true)
        };
        // An older connection of the same client may not be gone yet.
        if let Some(client) = self.clients.values_mut().rev().find(asks) {
            client.reply(&ServerFrame::CommandDone { terminal, id: command.id, exit, start, end });
            client.wake.notify_one();
        }
    }
}

impl Terminal {
    /// What the newest bytes say, and the commands that ended in them.
    fn scan(&mut self, count: usize) -> (Found, Vec<Command>) {
        let head = self.ring.head();
        let mut all = Found::default();
        for piece in self.ring.slices(head - count as u64, head) {
            let found = self.scanner.read(piece);
            all.bell |= found.bell;
            all.marks.extend(found.marks);
        }
        let ended = all.marks.iter().filter_map(|mark| self.prompt.mark(mark)).collect();
        (all, ended)
    }
}

/// Whether a client wants to know that a terminal it does not watch has printed.
fn hears_of(client: &Client, id: u16) -> bool {
    client.caps.activity == Some(true) && !client.attachments.contains_key(&id)
}
