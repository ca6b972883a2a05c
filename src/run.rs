//! One Run, carried to its verdict.
//!
//! [`reconcile`] is the same steps as a Session's: observe (asks the API server and the pods), plan, deliver (tells the pods what
//! was decided), apply (writes to the API server), report, record (what is kept; the pods are told once the status says so), and
//! announce (Events). `plan` and `report` are pure, and time is an argument.

mod announce;
mod apply;
mod build;
#[cfg(test)]
mod call_tests;
mod cause;
mod clock;
mod deliver;
mod escalation;
mod faber;
mod journal;
mod measured;
mod observe;
mod pause;
mod plan;
mod queue;
mod recorded;
mod report;
mod snapshot;
#[cfg(test)]
mod tests;
mod usage;

pub use recorded::Acknowledgement;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use fabrica_crds::run::Phase;
use fabrica_crds::{Run, names};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
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
use crate::config::RunDefaults;
use crate::controller::{self, Around, Panicked, changes, uid};
use crate::metrics::{Counted, Mode};
use crate::retry::Retry;
use crate::runtime_client::RuntimeClient;
use crate::telemetry::{Telemetry, Watched};
use crate::trust::Keys;

/// Why a pass failed. What is merely not done yet is no error but a condition.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("observe the Run's children")]
    Observe(#[source] kube::Error),
    #[error(transparent)]
    Apply(#[from] WriteError),
    #[error("write the status")]
    Report(#[source] kube::Error),
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// A Run as the watch hands it out: one that cannot be read must not hide the others.
type Guarded = DeserializeGuard<Run>;

/// What is known of a Run beside its status. Whoever forgets it reads the journal again.
#[derive(Debug, Default)]
struct Memory {
    /// Of each pod, by the pod's UID.
    journals: HashMap<String, journal::Journal>,
    /// When the status was last written.
    written: Option<DateTime<Utc>>,
}

/// What every pass shares.
pub struct Context {
    client: kube::Client,
    defaults: RunDefaults,
    keys: Keys,
    runtimes: RuntimeClient,
    telemetry: Arc<Telemetry>,
    keeper: Acknowledgement,
    pub retry: Retry,
    recorder: Recorder,
    answers: Looked,
    store: OnceLock<Store<Guarded>>,
    /// Who may go, while the store does not show it yet.
    admitted: Mutex<HashSet<String>>,
    memory: Mutex<HashMap<String, Memory>>,
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
        defaults: RunDefaults,
        keys: Keys,
        runtimes: RuntimeClient,
        telemetry: Arc<Telemetry>,
        keeper: Acknowledgement,
    ) -> Self {
        let reporter = Reporter { controller: "fabrica-operator".to_owned(), instance: None };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            defaults,
            keys,
            runtimes,
            telemetry,
            keeper,
            retry: Retry::default(),
            answers: Looked::default(),
            store: OnceLock::new(),
            admitted: Mutex::default(),
            memory: Mutex::default(),
        }
    }

    /// All Runs, by the controller's cache.
    pub fn census(&self) -> Vec<Counted> {
        readable(&self.runs()).map(measured::counted).collect()
    }

    /// The UIDs of all Runs; `None` while nobody knows.
    pub async fn living(&self) -> Option<Vec<String>> {
        let store = self.store.get()?;
        store.wait_until_ready().await.ok()?;
        Some(store.state().iter().filter_map(|run| run.meta().uid.clone()).collect())
    }

    fn reference(&self, uid: Uuid) -> Option<ObjectRef<Guarded>> {
        let uid = uid.to_string();
        let found = self.runs().into_iter().find(|run| run.meta().uid.as_ref() == Some(&uid))?;
        Some(ObjectRef::from_obj(&*found))
    }

    /// The UIDs of all Runs, as far as the cache knows.
    fn there(&self) -> HashSet<String> {
        self.runs().iter().map(|run| uid(&**run)).collect()
    }

    fn runs(&self) -> Vec<Arc<Guarded>> {
        self.store.get().map(Store::state).unwrap_or_default()
    }

    /// Whether this Run goes, or how many go before it.
    fn place(&self, run: &Run, now: DateTime<Utc>) -> queue::Place {
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = self.runs();
        self.prune(&runs, &mut admitted);
        let near =
            readable(&runs).filter(|other| other.metadata.namespace == run.metadata.namespace);
        let entries: Vec<_> = near
            .map(|other| queue::Entry::of(other, admitted.contains(&uid(other)), now))
            .collect();
        let place = queue::place(&entries, &uid(run), self.defaults.per_namespace);
        if place == queue::Place::Goes {
            admitted.insert(uid(run));
        }
        place
    }

    /// Forgets Runs that are deleted, and who was admitted once the store shows it.
    fn prune(&self, runs: &[Arc<Guarded>], admitted: &mut HashSet<String>) {
        let there: HashMap<_, _> = readable(runs)
            .map(|run| (uid(run), run.status.as_ref().is_some_and(queue::has_left)))
            .collect();
        admitted.retain(|uid| there.get(uid) == Some(&false));
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.retain(|uid, _| there.contains_key(uid));
    }

    /// Remembers something of a pod's journal, or asks what is remembered.
    fn journal<T>(&self, run: &Run, pod: &str, with: impl FnOnce(&mut journal::Journal) -> T) -> T {
        self.remember(run, |memory| with(memory.journals.entry(pod.to_owned()).or_default()))
    }

    /// Remembers something of a Run, or asks what is remembered.
    fn remember<T>(&self, run: &Run, with: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        with(memory.entry(uid(run)).or_default())
    }

    fn forget(&self, run: &Run) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(&uid(run));
        self.leave_queue(run);
    }

    /// A Run that was let go queues again.
    fn leave_queue(&self, run: &Run) {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner).remove(&uid(run));
    }
}

/// Those that can be read.
fn readable(runs: &[Arc<Guarded>]) -> impl Iterator<Item = &Run> {
    runs.iter().filter_map(|run| run.0.as_ref().ok())
}

fn phase(run: &Run) -> Option<Phase> {
    run.status.as_ref().and_then(|status| status.phase)
}

/// One pass: look, think, make, and say what came of it.
async fn reconcile(run: Arc<Run>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let observed = observe::observe(&context, &run).await?;
    let now = Utc::now();
    let planned = plan::plan(&observed, &context.defaults, &context.keys.current(), now);
    deliver::tell(&context, &observed, &planned).await;
    let applied = apply::apply(&context, &observed, planned).await?;
    let mut status = report::report(&observed, &applied, &context.defaults, now);
    let answers = deliver::look(&context, &observed, &status);
    if let Some(found) = &answers {
        found.note(&mut status.messages, now);
    }
    let unsettled = context.keeper.report(&run, &mut status, now);
    context.keeper.see(&observed, &status);
    let told = apply::write_status(&context, &run, &status, now).await?;
    if told {
        let watched = Watched::of(&*run, Mode::Run);
        context.telemetry.step(&watched, measured::step(&observed, &status));
        deliver::acknowledge(&context, &observed).await;
        announce::announce(&context, &run, &status, answers.as_ref()).await;
        if let Some(found) = answers {
            context.answers.keep(uid(&*run), found, || context.there());
        }
    }
    let followed = context.keeper.follows(&observed);
    let look = clock::next_look(&observed, &status, followed, &context.defaults, now);
    Ok(Action::requeue(unsettled.map_or(look, |soon| look.min(soon))))
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
            .owns(Api::<NetworkPolicy>::all(client), ours)
            .reconcile_on(named)
            .reconcile_all_on(changes(keys_changed))
            .graceful_shutdown_on(stop.cancelled_owned());
    // Set once: a process leads at most once.
    let _ = context.store.set(controller.store());
    controller
        .run(
            guarded,
            |run, _, context| Action::requeue(context.retry.remaining(&uid(&*run))),
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

async fn guarded(run: Arc<Guarded>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let around = Around {
        metrics: &context.telemetry.metrics,
        retry: &context.retry,
        span: |metadata| {
            tracing::info_span!(
                "run",
                namespace = metadata.namespace,
                name = metadata.name,
                uid = metadata.uid
            )
        },
    };
    controller::guarded(run, around, |run| reconcile(run, context.clone())).await
}
