//! Changes as server-sent events: first a snapshot, then every change that the subscriber may see. One stream carries
//! Sessions and Runs, for a page holds one.

mod feed;
mod talk;

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use fabrica_crds::{Run, Session};
use futures::stream;
use http::HeaderMap;
use prometheus_client::metrics::gauge::Gauge;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior};
use utoipa::IntoParams;

use self::feed::{Feed, Viewer};
use self::talk::Talk;
use super::caller::Caller;
use crate::app::App;
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

/// What is told beside changes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// The UID of a run whose messages are told too, each as an event `message`. A stream that comes back with
    /// Last-Event-ID goes on exactly where it was.
    #[param(nullable = false)]
    messages: Option<String>,
    /// Only messages whose `seq` is greater; absent: all.
    #[param(nullable = false)]
    after: Option<i64>,
}

/// Streams all sessions and runs that the caller may see: an event `snapshot` ({sessions, runs}), then `session` (a
/// Session), `run` (a Run) and `deleted` ({kind, namespace, name, uid}). A new snapshot replaces everything before it.
/// With `messages` also `message` (a RunMessage).
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events",
    params(EventQuery, ("Last-Event-ID" = Option<String>, Header, description = "The id of the last message that came")),
    responses(
        (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many streams", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn events(
    State(app): State<App>,
    Caller(identity): Caller,
    query: Result<Query<EventQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    subscribe(Viewer { app, identity, namespace: None }, query?.0, &headers).await
}

/// Streams the sessions and runs of one namespace, like the stream of all.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/events", tag = "events",
    params(
        ("namespace" = String, Path, description = "The namespace"), EventQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last message that came"),
    ),
    responses(
        (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such namespace or run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many streams", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn events_in_namespace(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(namespace): Path<String>,
    query: Result<Query<EventQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check_namespace(&namespace)?;
    subscribe(Viewer { app, identity, namespace: Some(namespace) }, query?.0, &headers).await
}

async fn subscribe(
    viewer: Viewer,
    query: EventQuery,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let Viewer { app, identity, .. } = &viewer;
    if !(app.sessions.is_synced() && app.runs.is_synced()) {
        return Err(Problem::unavailable("The lists are still being read; try again in a moment."));
    }
    let place = app.streams.take(identity.name());
    let place = place
        .ok_or_else(|| Problem::too_many("You hold too many event streams; close some.", 5))?;
    let talk = match &query.messages {
        Some(uid) => Some(Talk::open(app, identity, uid, query.after, headers).await?),
        None => None,
    };
    let mut subscription = Subscription::new(viewer, talk, place);
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
    talk: Option<Talk>,
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
    Talk,
}

impl Subscription {
    fn new(viewer: Viewer, talk: Option<Talk>, place: Place) -> Self {
        let app = &viewer.app;
        let mut rechecks = tokio::time::interval(app.config.recheck);
        rechecks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rechecks.reset();
        let open = app.metrics.connections("events");
        open.inc();
        let (sessions, runs) = (Feed::new(app), Feed::new(app));
        Self { viewer, sessions, runs, talk, first: None, rechecks, open, _place: place }
    }

    /// The next event; none when the stream ends, with the login or with the gateway.
    async fn next(&mut self) -> Option<Event> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            if let Some(message) = self.talk.as_mut().and_then(Talk::pop) {
                return Some(message);
            }
            let left = (self.viewer.identity.expires - Utc::now()).to_std().ok()?;
            let stop = self.viewer.app.stop.clone();
            let undecided = self.is_undecided();
            let woken_by = tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(left) => return None,
                _ = self.rechecks.tick() => Step::Look,
                () = tokio::time::sleep(UNDECIDED_PAUSE), if undecided => Step::Look,
                change = self.sessions.changes.recv() => Step::Session(change),
                change = self.runs.changes.recv() => Step::Run(change),
                () = woken(&mut self.talk) => Step::Talk,
            };
            let event = match woken_by {
                Step::Look => self.recheck().await,
                Step::Talk => {
                    self.listen().await;
                    Ok(None)
                }
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
        if let Some(talk) = &self.talk {
            let Viewer { app, identity, .. } = &self.viewer;
            if !talk.is_permitted(app, identity).await? {
                self.talk = None;
            }
        }
        self.show().await.map(|(event, differs)| differs.then_some(event))
    }

    /// Reads what there is of messages.
    async fn listen(&mut self) {
        if let Some(talk) = &mut self.talk {
            talk.read(&self.viewer.app).await;
        }
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

/// Returns when there may be messages; without a Run to hear of never.
async fn woken(talk: &mut Option<Talk>) {
    match talk {
        Some(talk) => talk.woken().await,
        None => std::future::pending().await,
    }
}
