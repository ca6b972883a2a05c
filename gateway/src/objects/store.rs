//! All objects of one kind in the cluster, kept current by one watch, and the stream of their changes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::pin::pin;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt;
use kube::Resource;
use kube::api::{Api, ObjectMeta};
use kube::core::DeserializeGuard;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch_objects};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use super::{Served, View};
use crate::names::ObjectKey;

/// Changes a slow subscriber may lag behind before it gets a new snapshot instead.
const CHANGE_QUEUE: usize = 256;

/// How long one watch may last: a dead one is noticed soon after.
const WATCH_SECONDS: u32 = 60;

/// One object and, once somebody asked for it, its JSON.
#[derive(Debug)]
pub struct Entry<R: Served> {
    pub view: View<R>,
    json: OnceLock<String>,
}

impl<R: Served> Entry<R> {
    /// An entry for a view.
    pub fn new(view: View<R>) -> Self {
        Self { view, json: OnceLock::new() }
    }

    /// The view as JSON: written once, however many subscribers send it.
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| serde_json::to_string(&self.view).unwrap_or_default())
    }
}

/// What happened to an object.
#[derive(Debug, Clone)]
pub enum Change<R: Served> {
    Present(Arc<Entry<R>>),
    Deleted(Arc<Entry<R>>),
}

type Entries<R> = BTreeMap<ObjectKey, Arc<Entry<R>>>;

/// The objects. Written by the watch alone.
#[derive(Debug)]
pub struct Store<R: Served> {
    entries: RwLock<Entries<R>>,
    changes: broadcast::Sender<Change<R>>,
    synced: watch::Sender<bool>,
}

impl<R: Served> Default for Store<R> {
    fn default() -> Self {
        let (changes, _) = broadcast::channel(CHANGE_QUEUE);
        Self { entries: RwLock::default(), changes, synced: watch::Sender::new(false) }
    }
}

impl<R: Served> Store<R> {
    /// Whether the first list has come.
    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// One object.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Entry<R>>> {
        self.read().get(key).cloned()
    }

    /// The object of a UID. The watch of this replica may lag behind one that told somebody of it: waits this long for
    /// one that is not there.
    pub async fn find(&self, uid: &str, patience: Duration) -> Option<Arc<Entry<R>>> {
        let mut changes = self.subscribe();
        let known = self.read().values().find(|entry| entry.view.metadata.uid == uid).cloned();
        if known.is_some() {
            return known;
        }
        let appearing = async {
            loop {
                match changes.recv().await {
                    Ok(Change::Present(entry)) if entry.view.metadata.uid == uid => {
                        return Some(entry);
                    }
                    Err(RecvError::Closed) => return None,
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                }
            }
        };
        tokio::time::timeout(patience, appearing).await.ok().flatten()
    }

    /// All objects after a key, of one namespace or of all, in the order of their keys.
    pub fn after(&self, start: Option<&ObjectKey>, namespace: Option<&str>) -> Vec<Arc<Entry<R>>> {
        let bound = start.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.read();
        let range = entries.range((bound, Bound::Unbounded));
        let here = |key: &ObjectKey| namespace.is_none_or(|namespace| key.namespace == namespace);
        range.filter(|(key, _)| here(key)).map(|(_, entry)| Arc::clone(entry)).collect()
    }

    /// All changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Change<R>> {
        self.changes.subscribe()
    }

    /// Puts an object in its place and tells the subscribers.
    pub fn apply(&self, view: View<R>) {
        let entry = Arc::new(Entry::new(view));
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.insert(entry.view.key(), Arc::clone(&entry));
        // Sent under the lock, so that subscribers see changes in the order of the entries. Nobody listening is fine.
        let _ = self.changes.send(Change::Present(entry));
    }

    /// Takes an object out and tells the subscribers.
    pub fn remove(&self, key: &ObjectKey) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.remove(key) {
            let _ = self.changes.send(Change::Deleted(entry));
        }
    }

    /// Ends a list: what it did not name is gone.
    fn retain(&self, listed: &BTreeSet<ObjectKey>) {
        let gone: Vec<ObjectKey> =
            self.read().keys().filter(|key| !listed.contains(key)).cloned().collect();
        for key in &gone {
            self.remove(key);
        }
        self.synced.send_replace(true);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Entries<R>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches the objects of all namespaces, for ever.
pub async fn keep_current<R: Served>(store: Arc<Store<R>>, client: kube::Client) {
    // Guarded: one object that this version cannot read must not hide all others.
    let api: Api<DeserializeGuard<R>> = Api::all(client);
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    let mut events = pin!(watch_objects(api, config).default_backoff());
    let mut listed = BTreeSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => handle(&store, &mut listed, event),
            Err(error) => {
                let kind = R::KIND.plural();
                tracing::warn!(%error, kind, "a watch failed; trying again");
            }
        }
    }
}

fn handle<R: Served>(
    store: &Store<R>,
    listed: &mut BTreeSet<ObjectKey>,
    event: Event<DeserializeGuard<R>>,
) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(object) => {
            let Some(view) = readable(object) else { return };
            let key = view.key();
            let unchanged = store.get(&key).is_some_and(|entry| {
                entry.view.metadata.resource_version == view.metadata.resource_version
            });
            if !unchanged {
                store.apply(view);
            }
            listed.insert(key);
        }
        Event::InitDone => store.retain(listed),
        Event::Apply(object) => {
            if let Some(view) = readable(object) {
                store.apply(view);
            }
        }
        Event::Delete(object) => store.remove(&key(object.meta())),
    }
}

fn readable<R: Served>(object: DeserializeGuard<R>) -> Option<View<R>> {
    match object.0 {
        Ok(object) => Some(object.into()),
        Err(invalid) => {
            let (kind, key) = (R::KIND.noun(), key(&invalid.metadata));
            tracing::warn!(kind, %key, error = invalid.error, "an object cannot be read");
            None
        }
    }
}

fn key(metadata: &ObjectMeta) -> ObjectKey {
    let namespace = metadata.namespace.clone().unwrap_or_default();
    ObjectKey { namespace, name: metadata.name.clone().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use fabrica_crds::Session;

    use super::*;

    fn session(name: &str, version: &str) -> DeserializeGuard<Session> {
        let mut session = Session::new(name, fabrica_crds::SessionSpec::default());
        session.metadata.namespace = Some("demo".to_owned());
        session.metadata.resource_version = Some(version.to_owned());
        DeserializeGuard(Ok(session))
    }

    fn seen(changes: &mut broadcast::Receiver<Change<Session>>) -> Vec<String> {
        std::iter::from_fn(|| changes.try_recv().ok())
            .map(|change| match change {
                Change::Present(entry) => format!("+{}", entry.view.metadata.name),
                Change::Deleted(entry) => format!("-{}", entry.view.metadata.name),
            })
            .collect()
    }

    #[test]
    fn a_new_list_tells_only_differences() {
        let store = Store::default();
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
        let left: Vec<_> = store
            .after(None, Some("demo"))
            .iter()
            .map(|entry| entry.view.metadata.name.clone())
            .collect();
        assert_eq!(left, ["c"]);
        assert!(store.after(None, Some("other")).is_empty());
    }

    #[tokio::test]
    async fn a_uid_is_found_now_or_soon_or_not() {
        let store = Arc::new(Store::default());
        let view = |name: &str| {
            let mut object = session(name, "1").0.unwrap();
            object.metadata.uid = Some(format!("uid-{name}"));
            View::from(object)
        };
        store.apply(view("a"));
        let patience = Duration::from_secs(10);
        let name = |entry: Option<Arc<Entry<Session>>>| entry.map(|entry| entry.view.key().name);
        assert_eq!(name(store.find("uid-a", patience).await).as_deref(), Some("a"));
        let waiting = Arc::clone(&store);
        let later = tokio::spawn(async move { waiting.find("uid-b", patience).await });
        tokio::task::yield_now().await;
        store.apply(view("b"));
        assert_eq!(name(later.await.unwrap()).as_deref(), Some("b"));
        assert_eq!(name(store.find("uid-c", Duration::from_millis(10)).await), None);
    }
}
