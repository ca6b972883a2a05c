//! What one stream shows of one kind of objects.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::response::sse::Event;
use serde_json::json;
use tokio::sync::broadcast;

use crate::app::{App, Watched};
use crate::identity::Identity;
use crate::names::ObjectKey;
use crate::objects::store::{Change, Entry};
use crate::objects::visibility::{is_visible, visible};
use crate::problem::Problem;

/// Who looks, and at which namespace: none is all of them.
pub(super) struct Viewer {
    pub(super) app: App,
    pub(super) identity: Identity,
    pub(super) namespace: Option<String>,
}

/// The objects of one kind in one stream.
pub(super) struct Feed<R: Watched> {
    pub(super) changes: broadcast::Receiver<Change<R>>,
    /// What the subscriber has been shown. None after rights could not be decided: then a snapshot is due.
    pub(super) known: Option<BTreeSet<ObjectKey>>,
}

impl<R: Watched> Feed<R> {
    pub(super) fn new(app: &App) -> Self {
        Self { changes: R::store(app).subscribe(), known: None }
    }

    pub(super) fn shows_nothing(&self) -> bool {
        self.known.as_ref().is_none_or(BTreeSet::is_empty)
    }

    /// Leaves out what has changed until now.
    pub(super) fn skip(&mut self) {
        self.changes = self.changes.resubscribe();
    }

    pub(super) async fn visible(&self, viewer: &Viewer) -> Result<Vec<Arc<Entry<R>>>, Problem> {
        let Viewer { app, identity, namespace } = viewer;
        let entries = R::store(app).after(None, namespace.as_deref());
        visible(&app.access, identity, entries).await
    }

    /// The entries as JSON, and whether they are others than were shown before.
    pub(super) fn show(&mut self, entries: &[Arc<Entry<R>>]) -> (String, bool) {
        let keys = Some(entries.iter().map(|entry| entry.view.key()).collect());
        let differs = self.known != keys;
        self.known = keys;
        let items: Vec<&str> = entries.iter().map(|entry| entry.json()).collect();
        (format!("[{}]", items.join(",")), differs)
    }

    pub(super) async fn translate(
        &mut self,
        viewer: &Viewer,
        change: Change<R>,
    ) -> Result<Option<Event>, Problem> {
        let Viewer { app, identity, namespace } = viewer;
        let (entry, present) = match change {
            Change::Present(entry) => (entry, true),
            Change::Deleted(entry) => (entry, false),
        };
        let here = &entry.view.metadata.namespace;
        if namespace.as_ref().is_some_and(|namespace| namespace != here) {
            return Ok(None);
        }
        // Taken out: should the decision fail, a snapshot is due.
        let Some(mut known) = self.known.take() else { return Ok(None) };
        let key = entry.view.key();
        if present && is_visible(&app.access, identity, &entry).await? {
            known.insert(key);
            self.known = Some(known);
            return Ok(Some(Event::default().event(R::KIND.noun()).data(entry.json())));
        }
        let shown = known.remove(&key);
        self.known = Some(known);
        let ObjectKey { namespace, name } = key;
        let (kind, uid) = (R::kind(&()), &entry.view.metadata.uid);
        let gone = json!({"kind": kind, "namespace": namespace, "name": name, "uid": uid});
        Ok(shown.then(|| Event::default().event("deleted").data(gone.to_string())))
    }
}
