//! Reads everything a pass decides by. Reads only.

use std::time::Duration;

use chrono::Utc;
use fabrica_crds::session::{CHAT_READY, TERMINAL_READY};
use fabrica_crds::{Session, names};
use fabrica_protocol::runtime::WorkspaceState;
use k8s_openapi::api::core::v1::{Event as CoreEvent, PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::{Api, ResourceExt};

use super::build::CONTAINER;
use super::chat::{self, Told, has_agent, is_chat};
use super::{Context, ReconcileError, is_ours};
use crate::children::cause::Subject;
use crate::children::state::{container_runs, events_of_pod, is_ready};
use crate::controller::error_chain;
use crate::runtime_client::RuntimeView;
use crate::telemetry::Watched;

/// What stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Observed {
    pub(super) session: Session,
    pub(super) pod: Option<Pod>,
    pub(super) claim: Option<PersistentVolumeClaim>,
    pub(super) policy: Option<NetworkPolicy>,
    /// Events of a pod and a claim that are not ready.
    pub(super) events: Vec<CoreEvent>,
    /// What the runtime said, when it could be reached.
    pub(super) runtime: Option<RuntimeView>,
    /// What the runtime told of a conversation, when it could be reached.
    pub(super) told: Option<Told>,
    /// How many pods a Chat had, or the number of a Terminal's newest conversation, as far as this process knows.
    pub(super) starts: i32,
}

impl Observed {
    /// Whether an object is this Session's.
    pub(super) fn is_ours(&self, child: &Pod) -> bool {
        is_ours(&self.session, &child.metadata)
    }

    /// What is to be explained.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            kind: "Session",
            container: CONTAINER,
            ready: match is_chat(&self.session) {
                true if self.prepares() => {
                    "The chat is open, and the agent begins when the repository is there."
                }
                true => CHAT_READY,
                false => TERMINAL_READY,
            },
            pod: self.pod.as_ref(),
            events: &self.events,
            step: self.step(),
        }
    }
}

impl Observed {
    /// Whether the runtime says that its repository is not there yet.
    pub(super) fn prepares(&self) -> bool {
        let idle = self.runtime.as_ref().and_then(|view| view.idle.as_ref());
        let state = idle.map(|idle| idle.workspace.state);
        self.session.spec.repository.is_some()
            && matches!(state, Some(WorkspaceState::None | WorkspaceState::Pending))
    }

    /// What keeps a Chat's agent from working, as far as its runtime has told.
    pub(super) fn trouble(&self) -> Option<&str> {
        let idle = self.runtime.as_ref().and_then(|view| view.idle.as_ref())?;
        let told = self.told.as_ref().filter(|told| told.whole && is_chat(&self.session))?;
        told.talk.trouble(idle.started_at)
    }

    /// The runtime's last word.
    fn step(&self) -> Option<&str> {
        let event = self.runtime.as_ref().and_then(|view| view.events.last());
        let told = self.told.as_ref().and_then(|told| told.talk.step.as_deref());
        event.map(|event| event.text.as_str()).or(told)
    }
}

/// Looks at a Session's children.
pub(super) async fn observe(
    context: &Context,
    session: &Session,
) -> Result<Observed, ReconcileError> {
    let namespace = session.namespace().unwrap_or_default();
    let name = session.name_any();
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(context.client.clone(), &namespace);
    let policies: Api<NetworkPolicy> = Api::namespaced(context.client.clone(), &namespace);
    let (pod_name, claim_name, policy_name) =
        (names::pod(&name), names::volume_claim(&name), names::network_policy(&name));
    let (pod, claim, policy) = tokio::try_join!(
        pods.get_opt(&pod_name),
        async {
            match session.spec.workspace {
                Some(_) => claims.get_opt(&claim_name).await,
                None => Ok(None),
            }
        },
        policies.get_opt(&policy_name),
    )
    .map_err(ReconcileError::Observe)?;
    let ours = pod.as_ref().filter(|pod| is_ours(session, &pod.metadata));
    let (runtime, told) = match ours {
        Some(pod) if has_agent(session) => match chat::ask(context, session, pod).await {
            // A Terminal whose agent was never started tells its start steps.
            Some((_, None)) if !is_chat(session) => (ask(context, session, pod).await, None),
            Some((idle, told)) => {
                (Some(RuntimeView { events: Vec::new(), idle: Some(idle) }), told)
            }
            None => (None, None),
        },
        Some(pod) => (ask(context, session, pod).await, None),
        None => (None, None),
    };
    context.telemetry.metrics.report(
        &session.uid().unwrap_or_default(),
        session.spec.mode.into(),
        runtime.as_ref().and_then(|view| view.idle.as_ref()),
        Utc::now(),
    );
    let events = match ours {
        Some(pod) if !is_ready(pod) => {
            events_of_pod(&context.client, &namespace, pod, claim.as_ref())
                .await
                .map_err(ReconcileError::Observe)?
        }
        _ => Vec::new(),
    };
    let known = session.status.as_ref().and_then(|status| status.starts).unwrap_or_default();
    let here = told.as_ref().and_then(|told| i32::try_from(told.number).ok());
    let starts = if has_agent(session) {
        context.remember(session, |memory| memory.starts.max(known)).max(here.unwrap_or_default())
    } else {
        0
    };
    let session = session.clone();
    Ok(Observed { session, pod, claim, policy, events, runtime, told, starts })
}

/// The runtime's own words. One that cannot be reached is no error: the pod's state says why.
async fn ask(context: &Context, session: &Session, pod: &Pod) -> Option<RuntimeView> {
    /// A runtime that is only just starting must not hold the pass up.
    const PATIENCE: Duration = Duration::from_secs(1);
    if !container_runs(pod) || pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let address = pod.status.as_ref()?.pod_ip.as_deref()?;
    let uid = session.uid()?;
    match tokio::time::timeout(PATIENCE, context.runtimes.view(address, &uid)).await {
        Ok(Ok(view)) => {
            if let Some(idle) = &view.idle {
                let watched = Watched::of(session, session.spec.mode);
                context.telemetry.steps(&watched, idle.started_at, &view.events);
            }
            Some(view)
        }
        Ok(Err(error)) => {
            tracing::debug!(error = error_chain(&error), "the runtime cannot be asked");
            None
        }
        Err(_) => None,
    }
}
