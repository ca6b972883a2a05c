//! Who is connected to a conversation.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// As many pages as look at one conversation.
const MOST: usize = 16;

/// Why a connection ends: a code and a reason.
pub(crate) type Closing = (u16, String);

/// All of them.
#[derive(Debug, Default)]
pub struct Clients(Mutex<BTreeMap<u64, Connected>>);

#[derive(Debug)]
struct Connected {
    /// The name by which the gateway closes it.
    connection: String,
    /// Whether somebody sees its page.
    is_visible: bool,
    end: watch::Sender<Option<Closing>>,
}

impl Clients {
    /// A client comes; what ends it, unless there are too many.
    pub(crate) fn join(&self, connection: &str) -> Option<(u64, watch::Receiver<Option<Closing>>)> {
        let mut clients = self.lock();
        if clients.len() >= MOST {
            return None;
        }
        let id = clients.last_key_value().map_or(0, |(last, _)| last + 1);
        let (end, ended) = watch::channel(None);
        let connection = connection.to_owned();
        clients.insert(id, Connected { connection, is_visible: false, end });
        Some((id, ended))
    }

    pub(crate) fn leave(&self, id: u64) {
        self.lock().remove(&id);
    }

    /// A client says whether somebody sees its page.
    pub(crate) fn see(&self, id: u64, is_visible: bool) {
        if let Some(client) = self.lock().get_mut(&id) {
            client.is_visible = is_visible;
        }
    }

    /// How many there are, and how many of them somebody sees.
    pub fn count(&self) -> (usize, usize) {
        let clients = self.lock();
        (clients.len(), clients.values().filter(|client| client.is_visible).count())
    }

    /// Ends a connection; whether there was one of that name.
    pub fn close(&self, connection: &str, code: u16, reason: &str) -> bool {
        let clients = self.lock();
        let found = clients.values().find(|client| client.connection == connection);
        found.map(|client| client.end.send_replace(Some((code, reason.to_owned())))).is_some()
    }

    pub fn close_all(&self, code: u16, reason: &str) {
        for client in self.lock().values() {
            client.end.send_replace(Some((code, reason.to_owned())));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Connected>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_count_while_they_are_there() {
        let clients = Clients::default();
        let (first, _) = clients.join("a").unwrap();
        let (second, ended) = clients.join("b").unwrap();
        clients.see(second, true);
        assert_eq!(clients.count(), (2, 1));
        assert!(clients.close("b", 4403, "over") && !clients.close("c", 4403, "over"));
        assert_eq!(*ended.borrow(), Some((4403, "over".to_owned())));
        clients.leave(second);
        clients.see(second, true);
        assert_eq!(clients.count(), (1, 0));
        clients.leave(first);
        assert!((0..MOST).all(|_| clients.join("d").is_some()) && clients.join("e").is_none());
    }
}
