//! One Session, brought to what its spec says.
//!
//! [`reconcile`] is the same steps on every pass: observe (asks the API server and the pod), plan, deliver (tells the pod what
//! people decided), apply (writes to the API server), report, record (what is kept; the pod is told once the status says so), and
//! announce (Events). `plan` and `report` are pure, and time is an argument.

mod announce;
mod apply;
mod build;
mod chat;
mod clock;
mod deliver;
mod measured;
mod observe;
mod plan;
mod recorded;
mod report;
mod switch;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Utc;
use fabrica_crds::{Session, names};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Controller, watcher};
use kube::{Api, Resource};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::children::answers::Looked;
use crate::children::apply::WriteError;
use crate::children::is_ours;
use crate::config::Defaults;
use crate::controller::{self, Around, Panicked, changes, uid};
use crate::metrics::Counted;
use crate::retry::Retry;
use crate::runtime_client::RuntimeClient;
use crate::telemetry::{Telemetry, Watched};
use crate::trust::Keys;

/// Why a pass failed. What is merely not ready yet is no error but a condition.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("observe the Session's children")]
    Observe(#[source] kube::Error),
    #[error(transparent)]
    Apply(#[from] WriteError),
    #[error("write the status")]
    Report(#[source] kube::Error),
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// A Session as the watch hands it out: one that cannot be read must not hide the others.
type Guarded = DeserializeGuard<Session>;

/// What every pass shares.
pub struct Context {
    pub client: kube::Client,
    pub defaults: Defaults,
    pub keys: Keys,
    pub runtimes: RuntimeClient,
    pub telemetry: Arc<Telemetry>,
    pub retry: Retry,
    recorder: Recorder,
    /// What keeps the conversations of Chats, where there is a database.
    archive: Option<Arc<crate::recorder::Recorder>>,
    answers: Looked,
    store: std::sync::OnceLock<Store<Guarded>>,
    /// Of Chats, by their UIDs.
    memory: Mutex<HashMap<String, chat::Memory>>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("defaults", &self.defaults).finish_non_exhaustive()
    }
}

impl Context {
    /// A context without any state yet.
    pub fn new(
        client: kube::Client,
        defaults: Defaults,
        keys: Keys,
        runtimes: RuntimeClient,
        telemetry: Arc<Telemetry>,
        archive: Option<Arc<crate::recorder::Recorder>>,
    ) -> Self {
        let reporter = Reporter { controller: "fabrica-operator".to_owned(), instance: None };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            defaults,
            keys,
            runtimes,
            telemetry,
            retry: Retry::default(),
            archive,
            answers: Looked::default(),
            store: std::sync::OnceLock::new(),
            memory: Mutex::default(),
        }
    }

    /// The UIDs of all Sessions; `None` while nobody knows.
    pub async fn living(&self) -> Option<Vec<String>> {
        let store = self.store.get()?;
        store.wait_until_ready().await.ok()?;
        Some(store.state().iter().filter_map(|session| session.meta().uid.clone()).collect())
    }

    fn reference(&self, uid: Uuid) -> Option<ObjectRef<Guarded>> {
        let (uid, sessions) = (uid.to_string(), self.store.get().map(Store::state)?);
        let found = sessions.iter().find(|session| session.meta().uid.as_ref() == Some(&uid))?;
        Some(ObjectRef::from_obj(&**found))
    }

    /// Remembers something of a Chat, or asks what is remembered.
    fn remember<T>(&self, session: &Session, with: impl FnOnce(&mut chat::Memory) -> T) -> T {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = uid(session);
        if !memory.contains_key(&uid) {
            let there = self.there();
            memory.retain(|uid, _| there.contains(uid));
        }
        with(memory.entry(uid).or_default())
    }

    /// The UIDs of all Sessions, as far as the cache knows.
    fn there(&self) -> HashSet<String> {
        let sessions = self.store.get().map(Store::state).unwrap_or_default();
        sessions.iter().map(|session| uid(&**session)).collect()
    }

    /// All Sessions, by the controller's cache.
    pub fn census(&self) -> Vec<Counted> {
        let sessions = self.store.get().map(Store::state).unwrap_or_default();
        sessions.iter().filter_map(|it| it.0.as_ref().ok()).map(measured::counted).collect()
    }
}

/// One pass: look, think, make, and say what came of it.
async fn reconcile(session: Arc<Session>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let observed = observe::observe(&context, &session).await?;
    let now = Utc::now();
    let planned = plan::plan(&observed, &context.defaults, &context.keys.current(), now);
    deliver::answer(&context, &observed).await;
    deliver::switch(&context, &observed, planned.intent).await;
    let applied = apply::apply(&context, &observed, planned).await?;
    let mut status = report::report(&observed, &applied, &context.defaults, now);
    let answers = deliver::look(&context, &observed, &status);
    if let Some(found) = &answers {
        found.note(&mut status.messages, now);
    }
    let unsettled = recorded::record(&context, &observed, applied.intent, &mut status, now);
    if apply::write_status(&context, &session, &status, now).await? {
        let watched = Watched::of(&*session, session.spec.mode);
        context.telemetry.step(&watched, measured::step(&observed, &status));
        recorded::acknowledge(&context, &observed).await;
        announce::announce(&context, &observed, &status, answers.as_ref()).await;
        if let Some(found) = answers {
            context.answers.keep(uid(&*session), found, || context.there());
        }
    }
    let followed = recorded::is_followed(&context, &observed);
    let defaults = &context.defaults;
    let next = clock::next_look(&observed, &applied, &status, followed, defaults, now);
    Ok(Action::requeue(unsettled.map_or(next, |soon| next.min(soon))))
}

/// Runs the controller until told to stop.
pub async fn run(
    context: Arc<Context>,
    concurrency: u16,
    keys_changed: watch::Receiver<()>,
    mut woken: mpsc::Receiver<Uuid>,
    stop: CancellationToken,
) {
    let client = context.client.clone();
    let ours =
        watcher::Config::default().labels(&format!("{}={}", names::MANAGED_BY, names::MANAGER));
    let known = context.clone();
    let named = futures::stream::poll_fn(move |task| woken.poll_recv(task))
        .filter_map(move |uid| std::future::ready(known.reference(uid)));
    let controller =
        Controller::new(Api::<Guarded>::all(client.clone()), watcher::Config::default())
            .with_config(Config::default().concurrency(concurrency))
            .owns(Api::<Pod>::all(client.clone()), ours.clone())
            .owns(Api::<PersistentVolumeClaim>::all(client.clone()), ours.clone())
            .owns(Api::<NetworkPolicy>::all(client), ours)
            .reconcile_on(named)
            .reconcile_all_on(changes(keys_changed))
            .graceful_shutdown_on(stop.cancelled_owned());
    // Set once: a process leads at most once.
    let _ = context.store.set(controller.store());
    controller
        .run(
            guarded,
            |session, _, context| Action::requeue(context.retry.remaining(&uid(&*session))),
            context,
        )
        .for_each(|outcome| {
            if let Err(error) = outcome {
                tracing::debug!(error = %error, "a pass ended early");
            }
            std::future::ready(())
        })
        .await;
}

async fn guarded(session: Arc<Guarded>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let around = Around {
        metrics: &context.telemetry.metrics,
        retry: &context.retry,
        span: |metadata| {
            tracing::info_span!(
                "session",
                namespace = metadata.namespace,
                name = metadata.name,
                uid = metadata.uid
            )
        },
    };
    controller::guarded(session, around, |session| reconcile(session, context.clone())).await
}

#[cfg(test)]
#[path = "session/call_tests.rs"]
mod tests;
