//! One Session, brought to what its spec says.
//!
//! [`reconcile`] is five calls, the same on every pass. Only `observe` and `apply` talk to the API server; what lies
//! between is pure, and time is an argument.

mod announce;
mod apply;
mod build;
mod cause;
mod clock;
mod observe;
mod plan;
mod report;

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use fabrica_crds::session::Phase;
use fabrica_crds::{Session, names};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::Store;
use kube::runtime::{Controller, watcher};
use kube::{Api, ResourceExt};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::config::SessionDefaults;
use crate::metrics::Metrics;
use crate::retry::Retry;
use crate::runtime_client::RuntimeClient;
use crate::trust::Keys;

/// Why a pass failed. What is merely not ready yet is no error but a condition.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("observe the Session's children")]
    Observe(#[source] kube::Error),
    #[error("apply the {kind}")]
    Apply {
        kind: &'static str,
        #[source]
        source: kube::Error,
    },
    #[error("write the status")]
    Report(#[source] kube::Error),
}

/// A Session as the watch hands it out: one that cannot be read must not hide the others.
type Guarded = DeserializeGuard<Session>;

/// What every pass shares.
pub struct Context {
    pub client: kube::Client,
    pub defaults: SessionDefaults,
    pub keys: Keys,
    pub runtimes: RuntimeClient,
    pub metrics: Metrics,
    pub retry: Retry,
    recorder: Recorder,
    store: std::sync::OnceLock<Store<Guarded>>,
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
        defaults: SessionDefaults,
        keys: Keys,
        runtimes: RuntimeClient,
    ) -> Self {
        let reporter = Reporter { controller: "fabrica-operator".to_owned(), instance: None };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            defaults,
            keys,
            runtimes,
            metrics: Metrics::default(),
            retry: Retry::default(),
            store: std::sync::OnceLock::new(),
        }
    }

    /// How many Sessions are in each phase, by the controller's cache.
    pub fn phases(&self) -> Vec<(&'static str, i64)> {
        let phases = [
            (Phase::Pending, "Pending"),
            (Phase::Starting, "Starting"),
            (Phase::Running, "Running"),
            (Phase::Stopped, "Stopped"),
            (Phase::Failed, "Failed"),
        ];
        let sessions = self.store.get().map(Store::state).unwrap_or_default();
        let count = |wanted| {
            let found = sessions.iter().filter(|session| {
                let status = session.0.as_ref().ok().and_then(|session| session.status.as_ref());
                status.and_then(|status| status.phase) == Some(wanted)
            });
            i64::try_from(found.count()).unwrap_or(i64::MAX)
        };
        phases.into_iter().map(|(phase, name)| (name, count(phase))).collect()
    }
}

/// One pass: look, think, make, and say what came of it.
async fn reconcile(session: Arc<Session>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let observed = observe::observe(&context, &session).await?;
    let now = Utc::now();
    let planned = plan::plan(&observed, &context.defaults, &context.keys.current(), now);
    let applied = apply::apply(&context, &observed, planned).await?;
    let status = report::report(&observed, &applied, &context.defaults, now);
    apply::write_status(&context, &session, &status).await?;
    announce::announce(&context, &session, &status).await;
    let next = clock::next_look(&observed, &applied, &status, &context.defaults, now);
    Ok(Action::requeue(next))
}

/// Runs the controller until told to stop.
pub async fn run(
    context: Arc<Context>,
    concurrency: u16,
    keys_changed: watch::Receiver<()>,
    stop: CancellationToken,
) {
    let client = context.client.clone();
    let ours =
        watcher::Config::default().labels(&format!("{}={}", names::MANAGED_BY, names::MANAGER));
    let controller =
        Controller::new(Api::<Guarded>::all(client.clone()), watcher::Config::default())
            .with_config(Config::default().concurrency(concurrency))
            .owns(Api::<Pod>::all(client.clone()), ours.clone())
            .owns(Api::<PersistentVolumeClaim>::all(client.clone()), ours.clone())
            .owns(Api::<NetworkPolicy>::all(client), ours)
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

/// A pass over an object that can be read. One that cannot is told, and looked at again when it changes.
async fn guarded(session: Arc<Guarded>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    match &session.0 {
        Ok(session) => Box::pin(attempt(Arc::new(session.clone()), context)).await,
        Err(invalid) => {
            let (namespace, name) = (session.namespace().unwrap_or_default(), session.name_any());
            tracing::warn!(namespace, name, error = invalid.error, "a Session cannot be read");
            Ok(Action::await_change())
        }
    }
}

/// A pass with its span, its metrics and its back-off.
async fn attempt(session: Arc<Session>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let (uid, started) = (uid(&*session), Instant::now());
    let span = tracing::info_span!(
        "session",
        namespace = session.namespace().unwrap_or_default(),
        name = session.name_any(),
        uid
    );
    if session.metadata.deletion_timestamp.is_some() {
        context.retry.forget(&uid);
        context.metrics.report(&uid, None);
        return Ok(Action::await_change());
    }
    let outcome = context
        .retry
        .attempt(&uid, Box::pin(reconcile(session, context.clone())).instrument(span.clone()))
        .await;
    context.metrics.reconciled(outcome.is_ok(), started.elapsed());
    if let Err(error) = &outcome {
        let _entered = span.entered();
        tracing::warn!(error = error_chain(error), "a pass failed and will be tried again");
    }
    outcome
}

fn uid(session: &impl ResourceExt) -> String {
    session.uid().unwrap_or_default()
}

/// An error with its sources, in one line.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// One item for each change.
fn changes(receiver: watch::Receiver<()>) -> impl futures::Stream<Item = ()> + Send + 'static {
    futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.changed().await.ok().map(|()| ((), receiver))
    })
}

/// Whether an object is controlled by this Session.
fn is_ours(session: &Session, metadata: &kube::api::ObjectMeta) -> bool {
    metadata.owner_references.iter().flatten().any(|owner| {
        owner.controller == Some(true) && Some(&owner.uid) == session.metadata.uid.as_ref()
    })
}

/// Between two looks at a Session that nothing is expected of.
const QUIET: Duration = Duration::from_hours(1);

#[cfg(test)]
#[path = "session/call_tests.rs"]
mod tests;
