//! Reads everything a pass decides by. Reads only.

use chrono::Utc;
use fabrica_crds::run::Phase;
use fabrica_crds::{Run, RunStatus, names};
use fabrica_protocol::run::{Entry, Record};
use k8s_openapi::api::core::v1::{Event as CoreEvent, PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;

use super::build::CONTAINER;
use super::escalation;
use super::queue::Place;
use super::snapshot::{self, Snapshot};
use super::{Context, ReconcileError};
use crate::children::apply::api;
use crate::children::cause::Subject;
use crate::children::is_ours;
use crate::children::reading::read;
use crate::children::state::{container_runs, events_of_pod, has_ended, is_ready};
use crate::metrics::Mode;
use crate::telemetry::Watched;

/// What stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Observed {
    pub(super) run: Run,
    pub(super) policy: Option<NetworkPolicy>,
    /// The pod of the present attempt, which is the last one once the Run has ended.
    pub(super) pod: Option<Pod>,
    pub(super) claim: Option<PersistentVolumeClaim>,
    /// The pod of a former attempt that has the volume still, by its name.
    pub(super) holds_volume: Option<String>,
    /// Events of a pod and a claim that are not ready.
    pub(super) events: Vec<CoreEvent>,
    /// What the present attempt's runtime tells, then what a former one's does that was never acknowledged.
    pub(super) asked: Vec<Asked>,
    pub(super) place: Place,
    pub(super) kept: Kept,
    /// Asked for before a pod is made.
    pub(super) snapshot: Snapshot,
}

/// Whether the archive keeps something that the next attempt can go on from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nobody needed to know.
    #[default]
    Unasked,
    Nothing,
    There,
    /// The archive does not answer.
    Unknown,
}

/// What one runtime told since it was last acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) pod: String,
    pub(super) address: String,
    pub(super) records: Vec<Record>,
    /// Whether that is all there is.
    pub(super) whole: bool,
}

impl Observed {
    pub(super) fn status(&self) -> RunStatus {
        self.run.status.clone().unwrap_or_default()
    }

    /// The status with what the present attempt tells of questions. In a part of a journal a question may stand without
    /// its answer, so nothing is made of that.
    pub(super) fn asked_status(&self) -> RunStatus {
        let status = self.status();
        let number = number(&status);
        let whole = self.present().filter(|asked| asked.whole);
        let records = whole.map(|asked| &*asked.records).unwrap_or_default();
        escalation::after(status, records, number, &self.run.spec)
    }

    /// The present pod, if it is this Run's.
    pub(super) fn own_pod(&self) -> Option<&Pod> {
        self.pod.as_ref().filter(|pod| is_ours(&self.run, &pod.metadata))
    }

    /// The present attempt's records.
    pub(super) fn records(&self) -> &[Record] {
        self.present().map(|asked| &*asked.records).unwrap_or_default()
    }

    /// The present attempt's runtime.
    pub(super) fn present(&self) -> Option<&Asked> {
        let uid = self.pod.as_ref().and_then(ResourceExt::uid);
        self.asked.iter().find(|asked| Some(&asked.pod) == uid.as_ref())
    }

    /// What is to be explained.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            kind: "Run",
            container: CONTAINER,
            ready: "The plan is being carried out.",
            pod: self.pod.as_ref(),
            events: &self.events,
            step: self.records().iter().rev().find_map(|record| match &record.entry {
                Entry::Step { text, .. } => Some(text.as_str()),
                _ => None,
            }),
        }
    }
}

/// The number of the present attempt.
pub(super) fn number(status: &RunStatus) -> usize {
    let finished = status.phase.is_some_and(Phase::is_final);
    let closed = status.attempts.last().is_some_and(|last| last.finished_at.is_some());
    status.attempts.len().max(1) + usize::from(closed && !finished)
}

/// Looks at a Run's children.
pub(super) async fn observe(context: &Context, run: &Run) -> Result<Observed, ReconcileError> {
    let namespace = run.namespace().unwrap_or_default();
    let name = run.name_any();
    let status = run.status.clone().unwrap_or_default();
    let number = number(&status);
    let pods = api::<Pod>(&context.client, &namespace);
    let policies = api::<NetworkPolicy>(&context.client, &namespace);
    let claims = api::<PersistentVolumeClaim>(&context.client, &namespace);
    let (pod_name, former_name, policy_name, claim_name) = (
        names::run_pod(&name, number),
        names::run_pod(&name, number.saturating_sub(1)),
        names::run_network_policy(&name),
        names::run_volume_claim(&name),
    );
    let finished = status.phase.is_some_and(Phase::is_final);
    let has_claim = run.spec.workspace.is_some() && !finished;
    let (pod, former, policy, claim) = tokio::try_join!(
        pods.get_opt(&pod_name),
        async { if number > 1 { pods.get_opt(&former_name).await } else { Ok(None) } },
        policies.get_opt(&policy_name),
        async { if has_claim { claims.get_opt(&claim_name).await } else { Ok(None) } },
    )
    .map_err(ReconcileError::Observe)?;
    let mut asked = Vec::new();
    for pod in [&pod, &former].into_iter().flatten() {
        if is_ours(run, &pod.metadata) {
            asked.extend(ask(context, run, pod).await);
        }
    }
    let holds =
        former.as_ref().filter(|pod| has_claim && is_ours(run, &pod.metadata) && !has_ended(pod));
    let holds_volume = holds.map(ResourceExt::name_any);
    let events = match &pod {
        Some(pod) if !finished && !is_ready(pod) && is_ours(run, &pod.metadata) => {
            events_of_pod(&context.client, &namespace, pod, claim.as_ref())
                .await
                .map_err(ReconcileError::Observe)?
        }
        _ => Vec::new(),
    };
    let now = Utc::now();
    let parked = escalation::is_parked(&status);
    let rests = parked && escalation::unanswered(&status, &run.spec, now).is_some();
    if rests {
        context.leave_queue(run);
    }
    let queues = !finished && !rests && (parked || status.started_at.is_none());
    let place = if queues { context.place(run, now) } else { Place::Goes };
    let has_pod = pod.as_ref().is_some_and(|pod| is_ours(run, &pod.metadata));
    let makes_pod = !finished && !rests && !has_pod;
    let (kept, snapshot) =
        if makes_pod { given(context, run, number, place).await? } else { Default::default() };
    if (finished || rests) && ![&pod, &former].into_iter().flatten().any(container_runs) {
        context.forget(run);
    }
    let run = run.clone();
    Ok(Observed { run, policy, pod, claim, holds_volume, events, asked, place, kept, snapshot })
}

/// What the next pod is to be given.
async fn given(
    context: &Context,
    run: &Run,
    number: usize,
    place: Place,
) -> Result<(Kept, Snapshot), ReconcileError> {
    let kept =
        if number > 1 { context.keeper.kept(run, &context.defaults).await } else { Kept::Unasked };
    let snapshot = if place == Place::Goes {
        snapshot::look(&context.client, run).await.map_err(ReconcileError::Observe)?
    } else {
        Snapshot::Unasked
    };
    Ok((kept, snapshot))
}

/// The runtime's own words. One that cannot be reached is no error: the pod's state says why.
async fn ask(context: &Context, run: &Run, pod: &Pod) -> Option<Asked> {
    if !container_runs(pod) {
        return None;
    }
    let address = pod.status.as_ref()?.pod_ip.clone()?;
    let (uid, pod) = (run.uid()?, pod.uid()?);
    let after = context.journal(run, &pod, |journal| journal.read);
    let watched = Watched::of(run, Mode::Run);
    let keep = |records: Vec<Record>| {
        context.telemetry.told(&watched, &pod, &records);
        context.journal(run, &pod, |journal| journal.add(records));
    };
    let whole = read(&context.runtimes, &address, &uid, after, keep).await;
    let records = context.journal(run, &pod, |journal| journal.records.clone());
    let stop = !run.status.as_ref().and_then(|status| status.phase).is_some_and(Phase::is_final);
    (stop || !records.is_empty()).then_some(Asked { pod, address, records, whole })
}
