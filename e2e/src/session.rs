//! Sessions as tests make and await them.

use anyhow::{Context, Result};
use fabrica_crds::Session;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::Namespace;
use crate::cluster::wait_for;

impl Namespace {
    /// Creates a Session with this spec.
    pub async fn session(&self, name: &str, spec: Value) -> Result<Session> {
        let session: Session = serde_json::from_value(json!({
            "apiVersion": "fabrica.dev/v1alpha1", "kind": "Session",
            "metadata": {"name": name}, "spec": spec,
        }))
        .context("a Session manifest")?;
        Ok(self.api::<Session>().create(&PostParams::default(), &session).await?)
    }

    /// Creates a Session and waits until it is Ready.
    pub async fn ready_session(&self, name: &str, spec: Value) -> Result<Session> {
        self.session(name, spec).await?;
        self.await_ready(name).await
    }

    /// Waits until the Session is Ready for its present generation.
    pub async fn await_ready(&self, name: &str) -> Result<Session> {
        self.await_session(name, "Ready", |session| {
            condition(session, "Ready") == Some(("True", "Ready"))
        })
        .await
    }

    /// Waits until Ready is False for this reason, and answers the sentence that says why.
    pub async fn await_reason(&self, name: &str, reason: &str) -> Result<String> {
        let session = self
            .await_session(name, reason, |session| {
                condition(session, "Ready") == Some(("False", reason))
            })
            .await?;
        Ok(message(&session, "Ready"))
    }

    /// Waits until a Session satisfies what the caller asks.
    pub async fn await_session(
        &self,
        name: &str,
        what: &str,
        predicate: impl Fn(&Session) -> bool + Send + Sync,
    ) -> Result<Session> {
        let found = wait_for(&self.api::<Session>(), name, what, |session: Option<&Session>| {
            session.is_some_and(&predicate)
        })
        .await?;
        found.with_context(|| format!("{name} vanished"))
    }

    /// Changes a Session's spec by a JSON merge patch.
    pub async fn patch_spec(&self, name: &str, spec: Value) -> Result<Session> {
        let patch = Patch::Merge(json!({"spec": spec}));
        Ok(self.api::<Session>().patch(name, &PatchParams::default(), &patch).await?)
    }
}

/// Status and reason of a condition, if it was set for the present generation.
pub fn condition<'a>(session: &'a Session, kind: &str) -> Option<(&'a str, &'a str)> {
    let status = session.status.as_ref()?;
    let found = status.conditions.iter().find(|condition| condition.type_ == kind)?;
    (found.observed_generation == session.metadata.generation)
        .then_some((found.status.as_str(), found.reason.as_str()))
}

/// The sentence of a condition, or nothing.
pub fn message(session: &Session, kind: &str) -> String {
    let conditions = session.status.as_ref().map(|status| status.conditions.as_slice());
    conditions
        .unwrap_or_default()
        .iter()
        .find(|condition| condition.type_ == kind)
        .map(|condition| condition.message.clone())
        .unwrap_or_default()
}

/// The object's UID, which every stored object has.
pub fn uid(session: &Session) -> String {
    session.uid().unwrap_or_default()
}
