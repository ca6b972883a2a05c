//! The live sockets of this replica: whose they are, and the handle that cuts them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::decision::Rights;
use super::door::Door;
use crate::identity::Identity;
use crate::names::ObjectKey;
use crate::pods::Pod;
use crate::quota::{Place, Quota};

/// Sockets one user may hold at a time, in this replica: some pages and tools, and their reconnects.
const SOCKETS_PER_USER: usize = 64;

/// Sockets at a time, in this replica.
const SOCKETS: usize = 10_000;

/// One live socket.
#[derive(Debug)]
pub struct LiveSocket {
    /// Id of the connection: in logs, in the assertion and in the pod.
    pub id: Uuid,
    pub identity: Identity,
    pub key: ObjectKey,
    pub pod: Pod,
    pub door: Door,
    pub rights: Rights,
    /// Cancelled to cut the tunnel.
    pub cut: CancellationToken,
    /// When access was last confirmed. Written by the recheck alone.
    confirmed: Mutex<Instant>,
}

impl LiveSocket {
    /// A socket whose access was confirmed just now.
    pub fn new(identity: Identity, key: ObjectKey, pod: Pod, door: Door, rights: Rights) -> Self {
        let cut = CancellationToken::new();
        let confirmed = Mutex::new(Instant::now());
        Self { id: Uuid::new_v4(), identity, key, pod, door, rights, cut, confirmed }
    }

    /// Notes that access was confirmed.
    pub fn confirm(&self) {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// When access was last confirmed.
    pub fn confirmed(&self) -> Instant {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All live sockets.
#[derive(Debug, Clone)]
pub struct LiveSockets {
    sockets: Arc<Mutex<HashMap<Uuid, Arc<LiveSocket>>>>,
    quota: Quota,
}

impl Default for LiveSockets {
    fn default() -> Self {
        Self { sockets: Arc::default(), quota: Quota::new(SOCKETS, SOCKETS_PER_USER) }
    }
}

impl LiveSockets {
    /// Takes a place for a socket of this user, if there is one left.
    pub fn reserve(&self, user: &str) -> Option<Place> {
        self.quota.take(user)
    }

    /// Enters a socket for as long as the returned value lives.
    pub fn enter(&self, socket: Arc<LiveSocket>, place: Place) -> Entered {
        self.sockets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(socket.id, Arc::clone(&socket));
        Entered { sockets: Arc::clone(&self.sockets), socket, _place: place }
    }

    /// All of them, as they are now.
    pub fn all(&self) -> Vec<Arc<LiveSocket>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// A socket's entry; dropping it takes the socket out.
#[derive(Debug)]
pub struct Entered {
    sockets: Arc<Mutex<HashMap<Uuid, Arc<LiveSocket>>>>,
    pub socket: Arc<LiveSocket>,
    _place: Place,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.socket.id);
    }
}
