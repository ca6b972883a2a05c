//! Changes as server-sent events: first a snapshot, then every change that the subscriber may see. One stream carries
//! Sessions and Runs, for a page holds one.

mod feed;

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use fabrica_crds::{Run, Session};
use futures::stream;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior};

use self::feed::{Feed, Viewer};
use super::caller::Caller;
use crate::app::App;
use crate::identity::Identity;
use crate::names::{Kind, check_namespace};
use crate::objects::store::Change;
use crate::objects::visibility::may_see_namespace;
use crate::problem::Problem;
use crate::quota::Place;

/// How often a comment is sent, so that proxies keep the stream open.
const PING: Duration = Duration::from_secs(15);

/// How soon rights are looked at again after they could not be decided.
const UNDECIDED_PAUSE: Duration = Duration::from_secs(3);

/// How soon a browser reconnects.
const RETRY: Duration = Duration::from_secs(2);

/// Streams all sessions and runs that the caller may see: an event `snapshot` ({sessions, runs}), then `session` (a
/// Session), `run` (a Run) and `deleted` ({kind, namespace, name, uid}). A new snapshot replaces everything before it.
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

/// Streams the sessions and runs of one namespace, like the stream of all.
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
    if !(app.sessions.is_synced() && app.runs.is_synced()) {
        return Err(Problem::unavailable("The lists are still being read; try again in a moment."));
    }
    let place = app.streams.take(identity.name());
    let place = place
        .ok_or_else(|| Problem::too_many("You hold too many event streams; close some.", 5))?;
    let mut subscription = Subscription::new(Viewer { app, identity, namespace }, place);
    // The first snapshot decides whether there is a stream at all.
    let first = subscription.snapshot().await?;
    let Viewer { app, identity, namespace } = &subscription.viewer;
    if let Some(namespace) = namespace.as_deref().filter(|_| subscription.shows_nothing()) {
        may_see_namespace(&app.access, identity, &[Kind::Session, Kind::Run], namespace).await?;
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
    viewer: Viewer,
    sessions: Feed<Session>,
    runs: Feed<Run>,
    first: Option<Event>,
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

/// Why a stream wakes up.
enum Step {
    Look,
    Session(Result<Change<Session>, RecvError>),
    Run(Result<Change<Run>, RecvError>),
}

impl Subscription {
    fn new(viewer: Viewer, place: Place) -> Self {
        let app = &viewer.app;
        let mut rechecks = tokio::time::interval(app.config.recheck);
        rechecks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rechecks.reset();
        let open = app.metrics.connections("events");
        open.inc();
        let (sessions, runs) = (Feed::new(app), Feed::new(app));
        Self { viewer, sessions, runs, first: None, rechecks, open, _place: place }
    }

    /// The next event; none when the stream ends, with the login or with the gateway.
    async fn next(&mut self) -> Option<Event> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let left = (self.viewer.identity.expires - Utc::now()).to_std().ok()?;
            let stop = self.viewer.app.stop.clone();
            let undecided = self.is_undecided();
            let woken = tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(left) => return None,
                _ = self.rechecks.tick() => Step::Look,
                () = tokio::time::sleep(UNDECIDED_PAUSE), if undecided => Step::Look,
                change = self.sessions.changes.recv() => Step::Session(change),
                change = self.runs.changes.recv() => Step::Run(change),
            };
            let event = match woken {
                Step::Look => self.recheck().await,
                Step::Session(Ok(change)) => self.sessions.translate(&self.viewer, change).await,
                Step::Run(Ok(change)) => self.runs.translate(&self.viewer, change).await,
                Step::Session(Err(RecvError::Lagged(_))) | Step::Run(Err(RecvError::Lagged(_))) => {
                    self.snapshot().await.map(Some)
                }
                Step::Session(Err(RecvError::Closed)) | Step::Run(Err(RecvError::Closed)) => {
                    return None;
                }
            };
            match event {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                // Whichever could not be decided: the next look shows both.
                Err(_) => self.sessions.known = None,
            }
        }
    }

    fn shows_nothing(&self) -> bool {
        self.sessions.shows_nothing() && self.runs.shows_nothing()
    }

    fn is_undecided(&self) -> bool {
        self.sessions.known.is_none() || self.runs.known.is_none()
    }

    async fn snapshot(&mut self) -> Result<Event, Problem> {
        // What came before is in the snapshot; sending it again would show old states after new ones.
        self.sessions.skip();
        self.runs.skip();
        self.show().await.map(|(event, _)| event)
    }

    /// A new snapshot, when the caller may see other objects than before.
    async fn recheck(&mut self) -> Result<Option<Event>, Problem> {
        self.show().await.map(|(event, differs)| differs.then_some(event))
    }

    async fn show(&mut self) -> Result<(Event, bool), Problem> {
        let sessions = self.sessions.visible(&self.viewer).await?;
        let runs = self.runs.visible(&self.viewer).await?;
        let (sessions, other_sessions) = self.sessions.show(&sessions);
        let (runs, other_runs) = self.runs.show(&runs);
        self.viewer.app.metrics.snapshot();
        let data = format!("{{\"sessions\":{sessions},\"runs\":{runs}}}");
        Ok((Event::default().event("snapshot").data(data), other_sessions || other_runs))
    }
}
