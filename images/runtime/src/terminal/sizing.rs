//! Whose size a terminal has when several clients show it. No I/O.

use super::client::Client;
use super::size::{Size, SizePolicy};
use super::state::State;

impl State {
    /// A client has another size, or says its size again.
    pub(super) fn resize(&mut self, connection: u32, id: u16, size: Size) {
        if let Some(attachment) = self.attachment(connection, id) {
            attachment.size = Some(size);
        }
        match self.size_policy {
            SizePolicy::Latest => self.take_size(id, connection, size),
            SizePolicy::Smallest => {
                self.fit(id);
                self.tell_size(connection, id, size);
            }
        }
    }

    /// Whoever asked for a size and has another one is told so, also where it is the one of before.
    fn tell_size(&mut self, connection: u32, id: u16, asked: Size) {
        let given = self.terminals.get(&id).is_some_and(|terminal| terminal.size == asked);
        if !given && let Some(attachment) = self.attachment(connection, id) {
            attachment.resized_due = true;
        }
    }

    /// A person typed here: the size follows.
    pub(super) fn size_follows(&mut self, connection: u32, id: u16) {
        let own = self.terminals.get(&id).is_some_and(|terminal| terminal.owner == connection);
        if self.size_policy == SizePolicy::Latest
            && !own
            && let Some(size) = self.attachment(connection, id).and_then(|attached| attached.size)
        {
            self.take_size(id, connection, size);
        }
    }

    /// Somebody came, went or may no longer type.
    pub(super) fn fit(&mut self, id: u16) {
        if self.size_policy != SizePolicy::Smallest {
            return;
        }
        let sizes = self.clients.iter().filter_map(|(connection, client)| {
            let attached = client.attachments.get(&id).filter(|attached| !attached.view)?;
            attached.size.map(|size| (*connection, size))
        });
        let sizes: Vec<(u32, Size)> = sizes.collect();
        let smallest = sizes.iter().map(|(_, size)| *size).reduce(|one, other| Size {
            cols: one.cols.min(other.cols),
            rows: one.rows.min(other.rows),
        });
        if let Some(smallest) = smallest {
            let owner = sizes.iter().find(|(_, size)| *size == smallest);
            self.take_size(id, owner.map_or(0, |(connection, _)| *connection), smallest);
        }
    }

    /// Whether one whom no person brought to a terminal just now, for it came back by itself or nobody sees it, may have its
    /// size: not when that is another's who shows it too.
    pub(super) fn may_return_to_size(&self, connection: u32, id: u16) -> bool {
        let Some(client) = self.clients.get(&connection) else { return false };
        let types = |other: &Client| other.attachments.get(&id).is_some_and(|it| !it.view);
        let mut others = self.clients.values().filter(|other| other.client_id != client.client_id);
        let own = self.terminals.get(&id).is_some_and(|it| it.sized_by == client.client_id);
        own || self.size_policy == SizePolicy::Smallest || !others.any(types)
    }

    fn take_size(&mut self, id: u16, owner: u32, size: Size) {
        let Some(terminal) = self.terminals.get_mut(&id) else { return };
        terminal.owner = owner;
        let client = self.clients.get(&owner);
        terminal.sized_by = client.map(|client| client.client_id.clone()).unwrap_or_default();
        if terminal.size == size {
            return;
        }
        terminal.size = size;
        terminal.history.resized(terminal.ring.head(), size);
        terminal.resize_due = Some(size);
        terminal.wake.notify_one();
        for client in self.clients.values_mut() {
            if let Some(attachment) = client.attachments.get_mut(&id) {
                attachment.resized_due = true;
                client.wake.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fabrica_protocol::kterm::{ClientFrame, Hello, HelloTerminal};

    use super::*;
    use crate::terminal::fixture::{self, say, state};

    /// Says HELLO as this user, who shows the terminal in so many columns.
    fn join(state: &mut State, user: &str, cols: u16, hello: Hello) -> u32 {
        let id = fixture::join(state, user);
        let terms = vec![HelloTerminal { id: 1, have_off: None, cols, rows: 24 }];
        let hello = Hello { client_id: "page".into(), terms, ..hello };
        say(state, id, ClientFrame::Hello(hello), 0);
        id
    }

    fn seen() -> Hello {
        Hello { visible: true, ..Hello::default() }
    }

    fn back() -> Hello {
        Hello { cause: Some("ping timeout".into()), ..seen() }
    }

    fn cols(state: &State) -> u16 {
        state.terminals[&1].size.cols
    }

    #[test]
    fn who_asks_for_more_than_the_smallest_is_told_what_it_is() {
        let mut state = state();
        state.size_policy = SizePolicy::Smallest;
        join(&mut state, "ada", 80, seen());
        let wide = join(&mut state, "eve", 100, seen());
        state.attachment(wide, 1).unwrap().resized_due = false;
        let size =
            ClientFrame::Resize { terminal: 1, cols: 120, rows: 24, x_pixels: 0, y_pixels: 0 };
        say(&mut state, wide, size, 0);
        assert_eq!(cols(&state), 80);
        assert!(state.attachment(wide, 1).unwrap().resized_due);
    }

    #[test]
    fn who_comes_back_takes_no_size_from_another() {
        let mut state = state();
        let ada = join(&mut state, "ada", 100, seen());
        let eve = join(&mut state, "eve", 90, seen());
        assert_eq!(cols(&state), 90);
        state.leave(ada);
        let ada = join(&mut state, "ada", 100, back());
        assert_eq!(cols(&state), 90);
        state.leave(eve);
        let eve = join(&mut state, "eve", 95, back());
        assert_eq!(cols(&state), 95, "it was its own");
        state.size_follows(ada, 1);
        assert_eq!(cols(&state), 100, "a person typed here");
        state.leave(ada);
        state.leave(eve);
        join(&mut state, "eve", 95, back());
        assert_eq!(cols(&state), 95, "nobody else is there");
    }

    #[test]
    fn a_page_that_nobody_sees_takes_no_size_from_another() {
        let mut state = state();
        join(&mut state, "ada", 100, Hello::default());
        assert_eq!(cols(&state), 100, "nobody else is there");
        join(&mut state, "eve", 90, Hello::default());
        assert_eq!(cols(&state), 100);
    }
}
