//! Changes of Sessions as server-sent events: first a snapshot, then every change that the subscriber may see.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use futures::stream;
use prometheus_client::metrics::gauge::Gauge;
use serde_json::json;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior};

use super::caller::Caller;
use crate::app::App;
use crate::identity::Identity;
use crate::names::{SessionKey, check_namespace};
use crate::problem::Problem;
use crate::quota::Place;
use crate::sessions::store::{Change, Entry};
use crate::sessions::visibility::{is_visible, may_see_namespace, visible};

/// How often a comment is sent, so that proxies keep the stream open.
const PING: Duration = Duration::from_secs(15);

/// How soon rights are looked at again after they could not be decided.
const UNDECIDED_PAUSE: Duration = Duration::from_secs(3);

/// How soon a browser reconnects.
const RETRY: Duration = Duration::from_secs(2);

/// Streams all sessions that the caller may see: an event `snapshot` ({items}), then `session` (a Session) and
/// `deleted` ({namespace, name, uid}). A new snapshot replaces everything before it.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events",
    responses(
        (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many streams", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn events(State(app): State<App>, Caller(identity): Caller) -> Result<Response, Problem> {
    subscribe(app, identity, None).await
}

/// Streams the sessions of one namespace, like the stream of all.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/events", tag = "events",
    params(("namespace" = String, Path, description = "The namespace")),
    responses(
        (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such namespace, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many streams", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn events_in_namespace(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(namespace): Path<String>,
) -> Result<Response, Problem> {
    check_namespace(&namespace)?;
    subscribe(app, identity, Some(namespace)).await
}

async fn subscribe(
    app: App,
    identity: Identity,
    namespace: Option<String>,
) -> Result<Response, Problem> {
    if !app.store.is_synced() {
        return Err(Problem::unavailable(
            "The list of sessions is still being read; try again in a moment.",
        ));
    }
    let place = app.streams.take(identity.name());
    let place = place
        .ok_or_else(|| Problem::too_many("You hold too many event streams; close some.", 5))?;
    let mut subscription = Subscription::new(app, identity, namespace, place);
    // The first snapshot decides whether there is a stream at all.
    let first = subscription.snapshot().await?;
    if let Some(namespace) =
        subscription.namespace.as_deref().filter(|_| subscription.shows_nothing())
    {
        may_see_namespace(&subscription.app.access, &subscription.identity, namespace).await?;
    }
    subscription.first = Some(first.retry(RETRY));
    let changes = stream::unfold(subscription, |mut subscription| async move {
        let event = subscription.next().await?;
        Some((Ok::<_, Infallible>(event), subscription))
    });
    Ok(Sse::new(changes).keep_alive(KeepAlive::new().interval(PING).text("ping")).into_response())
}

/// One open stream.
struct Subscription {
    app: App,
    identity: Identity,
    namespace: Option<String>,
    changes: broadcast::Receiver<Change>,
    first: Option<Event>,
    /// What the subscriber has been shown. None after rights could not be decided: then a snapshot is due.
    known: Option<BTreeSet<SessionKey>>,
    /// When rights are looked at again: what was granted appears, what was taken away goes.
    rechecks: Interval,
    open: Gauge,
    _place: Place,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.open.dec();
    }
}

impl Subscription {
    fn new(app: App, identity: Identity, namespace: Option<String>, place: Place) -> Self {
        let mut rechecks = tokio::time::interval(app.config.recheck);
        rechecks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rechecks.reset();
        let open = app.metrics.connections("events");
        open.inc();
        let changes = app.store.subscribe();
        Self {
            app,
            identity,
            namespace,
            changes,
            first: None,
            known: None,
            rechecks,
            open,
            _place: place,
        }
    }

    /// The next event; none when the stream ends, with the login or with the gateway.
    async fn next(&mut self) -> Option<Event> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let left = (self.identity.expires - Utc::now()).to_std().ok()?;
            let stop = self.app.stop.clone();
            let change = tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(left) => return None,
                _ = self.rechecks.tick() => None,
                () = tokio::time::sleep(UNDECIDED_PAUSE), if self.known.is_none() => None,
                change = self.changes.recv() => Some(change),
            };
            let event = match change {
                None => self.recheck().await,
                Some(Ok(change)) => self.translate(change).await,
                Some(Err(RecvError::Lagged(_))) => self.snapshot().await.map(Some),
                Some(Err(RecvError::Closed)) => return None,
            };
            match event {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                Err(_) => self.known = None,
            }
        }
    }

    fn shows_nothing(&self) -> bool {
        self.known.as_ref().is_none_or(BTreeSet::is_empty)
    }

    async fn snapshot(&mut self) -> Result<Event, Problem> {
        // What came before is in the snapshot; sending it again would show old states after new ones.
        self.changes = self.changes.resubscribe();
        let entries = self.visible().await?;
        Ok(self.show(&entries))
    }

    /// A new snapshot, when the caller may see other sessions than before.
    async fn recheck(&mut self) -> Result<Option<Event>, Problem> {
        let entries = self.visible().await?;
        let keys: BTreeSet<SessionKey> = entries.iter().map(|entry| entry.view.key()).collect();
        Ok((Some(keys) != self.known).then(|| self.show(&entries)))
    }

    async fn visible(&self) -> Result<Vec<Arc<Entry>>, Problem> {
        let entries = self.app.store.after(None, self.namespace.as_deref());
        visible(&self.app.access, &self.identity, entries).await
    }

    fn show(&mut self, entries: &[Arc<Entry>]) -> Event {
        self.known = Some(entries.iter().map(|entry| entry.view.key()).collect());
        self.app.metrics.snapshot();
        let items: Vec<&str> = entries.iter().map(|entry| entry.json()).collect();
        Event::default().event("snapshot").data(format!("{{\"items\":[{}]}}", items.join(",")))
    }

    async fn translate(&mut self, change: Change) -> Result<Option<Event>, Problem> {
        let (entry, present) = match change {
            Change::Present(entry) => (entry, true),
            Change::Deleted(entry) => (entry, false),
        };
        let elsewhere =
            self.namespace.as_ref().is_some_and(|namespace| *namespace != entry.view.namespace);
        if elsewhere {
            return Ok(None);
        }
        // Taken out: should the decision fail, a snapshot is due.
        let Some(mut known) = self.known.take() else { return Ok(None) };
        let key = entry.view.key();
        if present && is_visible(&self.app.access, &self.identity, &entry).await? {
            known.insert(key);
            self.known = Some(known);
            return Ok(Some(Event::default().event("session").data(entry.json())));
        }
        let view = &entry.view;
        let gone = json!({"namespace": view.namespace, "name": view.name, "uid": view.uid});
        let shown = known.remove(&key);
        self.known = Some(known);
        Ok(shown.then(|| Event::default().event("deleted").data(gone.to_string())))
    }
}
