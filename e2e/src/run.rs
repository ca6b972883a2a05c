//! Runs as tests make and await them.

use anyhow::{Context, Result};
use fabrica_crds::Run;
use fabrica_crds::run::Phase;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{EvictParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::Namespace;
use crate::cluster::wait_for;

/// The finalizer of a pod that a test wants to stay.
const KEPT: &str = "test.fabrica.dev/kept";

impl Namespace {
    /// Creates a Run with this spec.
    pub async fn run(&self, name: &str, spec: Value) -> Result<Run> {
        let run: Run = serde_json::from_value(json!({
            "apiVersion": "fabrica.dev/v1alpha1", "kind": "Run",
            "metadata": {"name": name}, "spec": spec,
        }))
        .context("a Run manifest")?;
        Ok(self.api::<Run>().create(&PostParams::default(), &run).await?)
    }

    /// Waits until a Run satisfies what the caller asks.
    pub async fn await_run(
        &self,
        name: &str,
        what: &str,
        predicate: impl Fn(&Run) -> bool + Send + Sync,
    ) -> Result<Run> {
        let found = wait_for(&self.api::<Run>(), name, what, |run: Option<&Run>| {
            run.is_some_and(&predicate)
        })
        .await?;
        found.with_context(|| format!("{name} vanished"))
    }

    /// Waits until it is in this phase.
    pub async fn await_phase(&self, name: &str, phase: Phase) -> Result<Run> {
        self.await_run(name, &format!("{phase:?}"), |run| phase_of(run) == Some(phase)).await
    }

    /// Waits until it ended, however.
    pub async fn await_end(&self, name: &str) -> Result<Run> {
        self.await_run(name, "ended", |run| phase_of(run).is_some_and(Phase::is_final)).await
    }

    /// Has the pod of its present attempt evicted, and waits until the operator has seen how that ended: a pod can be gone
    /// before a busy operator looks, so this one is kept until then.
    pub async fn evict(&self, name: &str) -> Result<()> {
        let run = self.api::<Run>().get(name).await?;
        let attempts = run.status.map(|status| status.attempts).unwrap_or_default();
        let pod = &attempts.last().context("an attempt")?.pod_name;
        let (pods, parameters) = (self.api::<Pod>(), PatchParams::default());
        let keep = |finalizers| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
        pods.patch(pod, &parameters, &keep(json!([KEPT]))).await?;
        let seen = async {
            pods.evict(pod, &EvictParams::default()).await?;
            let ended = |run: &Run| causes(run).get(attempts.len() - 1) != Some(&"");
            self.await_run(name, "put out", ended).await
        };
        let seen = seen.await;
        // Whatever came of it: the namespace could not go.
        pods.patch(pod, &parameters, &keep(Value::Null)).await?;
        seen.map(|_| ())
    }

    /// Says that a Run must not go on.
    pub async fn cancel(&self, name: &str) -> Result<Run> {
        let patch = Patch::Merge(json!({"spec": {"desiredState": "Cancelled"}}));
        Ok(self.api::<Run>().patch(name, &PatchParams::default(), &patch).await?)
    }
}

/// Its phase, once it has one.
pub fn phase_of(run: &Run) -> Option<Phase> {
    run.status.as_ref()?.phase
}

/// A condition, by its type.
pub fn condition<'a>(run: &'a Run, kind: &str) -> Option<&'a Condition> {
    let conditions = run.status.as_ref().map(|status| status.conditions.as_slice());
    conditions.unwrap_or_default().iter().find(|condition| condition.type_ == kind)
}

/// Status, reason and sentence of `Succeeded`.
pub fn succeeded(run: &Run) -> (&str, &str, &str) {
    condition(run, "Succeeded")
        .map(|found| (found.status.as_str(), found.reason.as_str(), found.message.as_str()))
        .unwrap_or_default()
}

/// The cause of each attempt, oldest first; empty while it goes on.
pub fn causes(run: &Run) -> Vec<&str> {
    let attempts = run.status.as_ref().map(|status| status.attempts.as_slice());
    attempts
        .unwrap_or_default()
        .iter()
        .map(|attempt| attempt.cause.as_deref().unwrap_or_default())
        .collect()
}
