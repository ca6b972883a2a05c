//! All Sessions of the cluster, kept current by one watch, and the stream of their changes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::pin::pin;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use fabrica_crds::Session;
use futures::StreamExt;
use kube::Resource;
use kube::api::{Api, ObjectMeta};
use kube::core::DeserializeGuard;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch_sessions};
use tokio::sync::{broadcast, watch};

use super::SessionView;
use crate::names::SessionKey;

/// Changes a slow subscriber may lag behind before it gets a new snapshot instead.
const CHANGE_QUEUE: usize = 256;

/// How long one watch may last: a dead one is noticed soon after.
const WATCH_SECONDS: u32 = 60;

/// One Session and, once somebody asked for it, its JSON.
#[derive(Debug)]
pub struct Entry {
    pub view: SessionView,
    json: OnceLock<String>,
}

impl Entry {
    /// An entry for a view.
    pub fn new(view: SessionView) -> Self {
        Self { view, json: OnceLock::new() }
    }

    /// The view as JSON: written once, however many subscribers send it.
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| serde_json::to_string(&self.view).unwrap_or_default())
    }
}

/// What happened to a Session.
#[derive(Debug, Clone)]
pub enum Change {
    Present(Arc<Entry>),
    Deleted(Arc<Entry>),
}

type Entries = BTreeMap<SessionKey, Arc<Entry>>;

/// The Sessions. Written by the watch alone.
#[derive(Debug)]
pub struct SessionStore {
    entries: RwLock<Entries>,
    changes: broadcast::Sender<Change>,
    synced: watch::Sender<bool>,
}

impl Default for SessionStore {
    fn default() -> Self {
        let (changes, _) = broadcast::channel(CHANGE_QUEUE);
        Self { entries: RwLock::default(), changes, synced: watch::Sender::new(false) }
    }
}

impl SessionStore {
    /// Whether the first list has come.
    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// One Session.
    pub fn get(&self, key: &SessionKey) -> Option<Arc<Entry>> {
        self.read().get(key).cloned()
    }

    /// All Sessions after a key, of one namespace or of all, in the order of their keys.
    pub fn after(&self, start: Option<&SessionKey>, namespace: Option<&str>) -> Vec<Arc<Entry>> {
        let bound = start.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.read();
        let range = entries.range((bound, Bound::Unbounded));
        let here = |key: &SessionKey| namespace.is_none_or(|namespace| key.namespace == namespace);
        range.filter(|(key, _)| here(key)).map(|(_, entry)| Arc::clone(entry)).collect()
    }

    /// All changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Puts a Session in its place and tells the subscribers.
    pub fn apply(&self, view: SessionView) {
        let entry = Arc::new(Entry::new(view));
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.insert(entry.view.key(), Arc::clone(&entry));
        // Sent under the lock, so that subscribers see changes in the order of the entries. Nobody listening is fine.
        let _ = self.changes.send(Change::Present(entry));
    }

    /// Takes a Session out and tells the subscribers.
    pub fn remove(&self, key: &SessionKey) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.remove(key) {
            let _ = self.changes.send(Change::Deleted(entry));
        }
    }

    /// Ends a list: what it did not name is gone.
    fn retain(&self, listed: &BTreeSet<SessionKey>) {
        let gone: Vec<SessionKey> =
            self.read().keys().filter(|key| !listed.contains(key)).cloned().collect();
        for key in &gone {
            self.remove(key);
        }
        self.synced.send_replace(true);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches the Sessions of all namespaces, for ever.
pub async fn keep_current(store: Arc<SessionStore>, client: kube::Client) {
    // Guarded: one Session that this version cannot read must not hide all others.
    let api: Api<DeserializeGuard<Session>> = Api::all(client);
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    let mut events = pin!(watch_sessions(api, config).default_backoff());
    let mut listed = BTreeSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => handle(&store, &mut listed, event),
            Err(error) => tracing::warn!(%error, "the watch of sessions failed; trying again"),
        }
    }
}

fn handle(
    store: &SessionStore,
    listed: &mut BTreeSet<SessionKey>,
    event: Event<DeserializeGuard<Session>>,
) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(session) => {
            let Some(view) = readable(session) else { return };
            let key = view.key();
            let unchanged = store
                .get(&key)
                .is_some_and(|entry| entry.view.resource_version == view.resource_version);
            if !unchanged {
                store.apply(view);
            }
            listed.insert(key);
        }
        Event::InitDone => store.retain(listed),
        Event::Apply(session) => {
            if let Some(view) = readable(session) {
                store.apply(view);
            }
        }
        Event::Delete(session) => store.remove(&key(session.meta())),
    }
}

fn readable(session: DeserializeGuard<Session>) -> Option<SessionView> {
    match session.0 {
        Ok(session) => Some(session.into()),
        Err(invalid) => {
            let session = key(&invalid.metadata);
            tracing::warn!(%session, error = invalid.error, "a session cannot be read");
            None
        }
    }
}

fn key(metadata: &ObjectMeta) -> SessionKey {
    let namespace = metadata.namespace.clone().unwrap_or_default();
    SessionKey { namespace, name: metadata.name.clone().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(name: &str, version: &str) -> DeserializeGuard<Session> {
        let mut session = Session::new(name, fabrica_crds::SessionSpec::default());
        session.metadata.namespace = Some("demo".to_owned());
        session.metadata.resource_version = Some(version.to_owned());
        DeserializeGuard(Ok(session))
    }

    fn seen(changes: &mut broadcast::Receiver<Change>) -> Vec<String> {
        std::iter::from_fn(|| changes.try_recv().ok())
            .map(|change| match change {
                Change::Present(entry) => format!("+{}", entry.view.name),
                Change::Deleted(entry) => format!("-{}", entry.view.name),
            })
            .collect()
    }

    #[test]
    fn a_new_list_tells_only_differences() {
        let store = SessionStore::default();
        let mut listed = BTreeSet::new();
        let mut changes = store.subscribe();
        let first = [
            Event::Init,
            Event::InitApply(session("a", "1")),
            Event::InitApply(session("b", "2")),
            Event::InitDone,
        ];
        for event in first {
            handle(&store, &mut listed, event);
        }
        assert_eq!(seen(&mut changes), ["+a", "+b"]);
        assert!(store.is_synced());
        let again = [
            Event::Init,
            Event::InitApply(session("b", "3")),
            Event::InitApply(session("c", "4")),
            Event::InitDone,
        ];
        for event in again {
            handle(&store, &mut listed, event);
        }
        assert_eq!(seen(&mut changes), ["+b", "+c", "-a"]);
        handle(&store, &mut listed, Event::Delete(session("b", "5")));
        assert_eq!(seen(&mut changes), ["-b"]);
        let left: Vec<_> =
            store.after(None, Some("demo")).iter().map(|entry| entry.view.name.clone()).collect();
        assert_eq!(left, ["c"]);
        assert!(store.after(None, Some("other")).is_empty());
    }
}
