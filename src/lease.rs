//! Leader election by a Lease: a pure decision, and the little I/O around it.
//!
//! Writes carry the resourceVersion that was read, so two candidates cannot both win. A holder is judged by when *we*
//! last saw its record change, on our own clock: clocks of nodes differ. The record belongs to the holder's pod, and the
//! garbage collector takes it when that pod is gone: after an uninstall, or before another pod leads.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference};
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The Lease's name.
const NAME: &str = "fabrica-operator";
/// How long a silent holder keeps the Lease.
const DURATION: Duration = Duration::from_secs(15);
/// A leader that could not renew for so long stops before somebody else starts.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Between two looks.
const RETRY: Duration = Duration::from_secs(2);

/// Why leadership could not be sought or kept.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("the Lease was lost to {0}")]
    Lost(String),
    #[error("the Lease could not be renewed for {RENEW_DEADLINE:?}: {0}")]
    Expired(String),
}

/// What to do with the record that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Acquire,
    Renew,
    Wait,
}

/// `unchanged` is how long the record has looked the same to us.
fn decide(holder: Option<&str>, me: &str, unchanged: Duration, duration: Duration) -> Decision {
    match holder {
        Some(holder) if holder == me => Decision::Renew,
        None | Some("") => Decision::Acquire,
        Some(_) if unchanged >= duration => Decision::Acquire,
        Some(_) => Decision::Wait,
    }
}

/// Who wants to lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The pod's name.
    pub name: String,
    /// The pod's UID. None outside of a cluster.
    pub uid: Option<String>,
}

impl Identity {
    /// The pod as an owner. It blocks nothing, which would need a right of its own.
    fn owner(&self) -> Option<OwnerReference> {
        self.uid.clone().map(|uid| OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: self.name.clone(),
            uid,
            ..OwnerReference::default()
        })
    }
}

/// A candidate's view of the Lease.
#[derive(Debug)]
pub struct Candidate {
    api: Api<Lease>,
    me: Identity,
    seen: Option<(String, Instant)>,
}

impl Candidate {
    /// A candidate for the Lease of this namespace.
    pub fn new(client: kube::Client, namespace: &str, me: Identity) -> Self {
        Self { api: Api::namespaced(client, namespace), me, seen: None }
    }

    /// Waits until we lead; `false` when told to stop first.
    pub async fn acquire(&mut self, stop: &CancellationToken) -> bool {
        loop {
            match self.step().await {
                Ok(None) => return true,
                Ok(Some(holder)) => tracing::debug!(holder, "somebody else leads"),
                Err(error) => tracing::warn!(error = %error, "the Lease cannot be reached"),
            }
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// Renews until told to stop, or until leadership is lost.
    pub async fn keep(&mut self, stop: &CancellationToken) -> Result<(), LeaseError> {
        let mut renewed = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(RETRY) => {}
            }
            match tokio::time::timeout(RETRY, self.step()).await {
                Ok(Ok(None)) => renewed = Instant::now(),
                Ok(Ok(Some(holder))) => return Err(LeaseError::Lost(holder)),
                Ok(Err(error)) => expired(renewed, &error.to_string())?,
                Err(late) => expired(renewed, &late.to_string())?,
            }
        }
    }

    /// Gives the Lease up, so that the next one need not wait. Best effort: it expires anyway.
    pub async fn release(&self) {
        let Ok(Some(mut lease)) = self.api.get_opt(NAME).await else { return };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() == Some(&self.me.name) {
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
            let _ = self.api.replace(NAME, &PostParams::default(), &lease).await;
        }
    }

    /// One look: `None` when we lead now, else who does.
    async fn step(&mut self) -> Result<Option<String>, kube::Error> {
        let Some(lease) = self.api.get_opt(NAME).await? else {
            let made = self.api.create(&PostParams::default(), &record(&self.me, None)).await;
            return settle(made).map(|won| (!won).then(|| "another".to_owned()));
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let unchanged = self.observe(&lease);
        let duration = spec
            .lease_duration_seconds
            .map_or(DURATION, |seconds| Duration::from_secs(seconds.unsigned_abs().into()));
        match decide(spec.holder_identity.as_deref(), &self.me.name, unchanged, duration) {
            Decision::Wait => Ok(Some(spec.holder_identity.unwrap_or_default())),
            Decision::Acquire | Decision::Renew => {
                let written = self
                    .api
                    .replace(NAME, &PostParams::default(), &record(&self.me, Some(&lease)))
                    .await;
                settle(written).map(|won| (!won).then(|| "another".to_owned()))
            }
        }
    }

    /// How long the record has looked the same.
    fn observe(&mut self, lease: &Lease) -> Duration {
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        match &self.seen {
            Some((seen, since)) if *seen == version => since.elapsed(),
            _ => {
                self.seen = Some((version, Instant::now()));
                Duration::ZERO
            }
        }
    }
}

/// The record as it should be once `me` holds it.
fn record(me: &Identity, before: Option<&Lease>) -> Lease {
    let now = MicroTime(jiff::Timestamp::now());
    let old = before.and_then(|lease| lease.spec.clone()).unwrap_or_default();
    let renewing = old.holder_identity.as_deref() == Some(&me.name);
    let metadata = before.map_or_else(
        || ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() },
        |lease| lease.metadata.clone(),
    );
    let transitions = old.lease_transitions.unwrap_or(0);
    Lease {
        metadata: ObjectMeta { owner_references: me.owner().map(|owner| vec![owner]), ..metadata },
        spec: Some(LeaseSpec {
            holder_identity: Some(me.name.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: if renewing { old.acquire_time } else { Some(now.clone()) },
            renew_time: Some(now),
            lease_transitions: Some(if renewing { transitions } else { transitions + 1 }),
            ..LeaseSpec::default()
        }),
    }
}

fn expired(renewed: Instant, why: &str) -> Result<(), LeaseError> {
    if renewed.elapsed() < RENEW_DEADLINE {
        Ok(())
    } else {
        Err(LeaseError::Expired(why.to_owned()))
    }
}

/// A conflict is no error: somebody else was quicker.
fn settle(written: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::free(None, 0, Decision::Acquire)]
    #[case::released(Some(""), 0, Decision::Acquire)]
    #[case::mine(Some("me"), 0, Decision::Renew)]
    #[case::mine_and_old(Some("me"), 60, Decision::Renew)]
    #[case::held(Some("other"), 14, Decision::Wait)]
    #[case::silent(Some("other"), 15, Decision::Acquire)]
    fn decisions(#[case] holder: Option<&str>, #[case] unchanged: u64, #[case] expected: Decision) {
        assert_eq!(decide(holder, "me", Duration::from_secs(unchanged), DURATION), expected);
    }

    fn pod(name: &str) -> Identity {
        Identity { name: name.to_owned(), uid: Some(format!("uid-of-{name}")) }
    }

    #[test]
    fn the_record_belongs_to_the_pod_that_holds_it() {
        let owners = |lease: &Lease| {
            let owners = lease.metadata.owner_references.iter().flatten();
            owners.map(|owner| (owner.kind.clone(), owner.uid.clone())).collect::<Vec<_>>()
        };
        let first = record(&pod("first"), None);
        assert_eq!(owners(&first), [("Pod".to_owned(), "uid-of-first".to_owned())]);
        let second = record(&pod("second"), Some(&first));
        assert_eq!(owners(&second), [("Pod".to_owned(), "uid-of-second".to_owned())]);
        let outside = Identity { name: "laptop".to_owned(), uid: None };
        assert!(owners(&record(&outside, Some(&second))).is_empty());
    }
}
