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
    /// When the record was last written by us: others count from then, at the earliest.
    renewed: Instant,
}

impl Candidate {
    /// A candidate for the Lease of this namespace.
    pub fn new(client: kube::Client, namespace: &str, me: Identity) -> Self {
        Self { api: Api::namespaced(client, namespace), me, seen: None, renewed: Instant::now() }
    }

    /// Waits until we lead; `false` when told to stop first.
    pub async fn acquire(&mut self, stop: &CancellationToken) -> bool {
        loop {
            match self.look().await {
                Ok(None) => return true,
                Ok(Some(holder)) => tracing::debug!(holder, "somebody else leads"),
                Err(error) => tracing::warn!(error, "the Lease cannot be reached"),
            }
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// Renews until told to stop, or until leadership is lost.
    pub async fn keep(&mut self, stop: &CancellationToken) -> Result<(), LeaseError> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(RETRY) => {}
            }
            match self.look().await {
                Ok(None) => {}
                Ok(Some(holder)) => return Err(LeaseError::Lost(holder)),
                Err(error) if self.renewed.elapsed() < RENEW_DEADLINE => {
                    tracing::warn!(error, "the Lease cannot be renewed yet");
                }
                Err(error) => return Err(LeaseError::Expired(error)),
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

    /// One look, which takes no longer than the time between two; an error in words.
    async fn look(&mut self) -> Result<Option<String>, String> {
        match tokio::time::timeout(RETRY, self.step()).await {
            Ok(looked) => looked.map_err(|error| error.to_string()),
            Err(late) => Err(late.to_string()),
        }
    }

    /// `None` when we lead now, else who does.
    async fn step(&mut self) -> Result<Option<String>, kube::Error> {
        let Some(lease) = self.api.get_opt(NAME).await? else { return self.write(None).await };
        let spec = lease.spec.clone().unwrap_or_default();
        let unchanged = self.observe(&lease);
        let duration = spec
            .lease_duration_seconds
            .map_or(DURATION, |seconds| Duration::from_secs(seconds.unsigned_abs().into()));
        match decide(spec.holder_identity.as_deref(), &self.me.name, unchanged, duration) {
            Decision::Wait => Ok(Some(spec.holder_identity.unwrap_or_default())),
            Decision::Acquire | Decision::Renew => self.write(Some(&lease)).await,
        }
    }

    /// Writes that we lead, in place of what was read. A conflict is no error: somebody else was quicker.
    async fn write(&mut self, before: Option<&Lease>) -> Result<Option<String>, kube::Error> {
        let (now, record, how) = (Instant::now(), record(&self.me, before), PostParams::default());
        let written = match before {
            Some(_) => self.api.replace(NAME, &how, &record).await,
            None => self.api.create(&how, &record).await,
        };
        match written {
            Ok(_) => {
                self.renewed = now;
                Ok(None)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Some("another".to_owned())),
            Err(error) => Err(error),
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

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response};
    use kube::client::Body;
    use rstest::rstest;
    use serde_json::json;
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

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

    #[tokio::test]
    async fn the_time_to_renew_begins_when_the_lease_is_written() {
        let calls = Arc::new(AtomicUsize::new(0));
        let mut candidate = Candidate::new(client(calls.clone()), "demo", pod("first"));
        let stop = CancellationToken::new();
        assert!(candidate.acquire(&stop).await);
        // Something else took so long meanwhile.
        candidate.renewed -= RENEW_DEADLINE;
        assert!(matches!(candidate.keep(&stop).await, Err(LeaseError::Expired(_))));
        assert_eq!(calls.load(Ordering::Relaxed), 3, "others lead after the first look");
    }

    /// An API server that has no record, takes one, and fails from then on.
    fn client(calls: Arc<AtomicUsize>) -> kube::Client {
        let service = tower::service_fn(move |_: Request<Body>| {
            let (code, answer) = match calls.fetch_add(1, Ordering::Relaxed) {
                0 => (404, json!({"code": 404, "reason": "NotFound"})),
                1 => (201, json!({"metadata": {"name": NAME}})),
                _ => (500, json!({"code": 500})),
            };
            let answer = Body::from(answer.to_string().into_bytes());
            let response = Response::builder().status(code).body(answer).unwrap();
            async move { Ok::<_, Infallible>(response) }
        });
        kube::Client::new(service, "demo")
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
