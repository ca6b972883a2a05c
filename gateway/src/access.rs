//! What somebody may do: SubjectAccessReviews, remembered for a few seconds, and the owner's restriction.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};

use crate::cache::ExpiringTable;
use crate::flags::AccessMode;
use crate::identity::Identity;
use crate::kubernetes::{ApiError, answer};
use crate::metrics::Metrics;
use crate::names::{Kind, ObjectKey};
use crate::problem::Problem;

/// How long a decision holds.
pub const LIFETIME: Duration = Duration::from_secs(10);

/// Decisions remembered at a time.
const CAPACITY: usize = 16_384;

/// Why no decision could be had. That is no refusal.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("ask the API server what somebody may do")]
    Ask(#[source] ApiError),
}

/// A verb of RBAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    Get,
    List,
    Create,
    Patch,
    Delete,
}

impl Verb {
    /// The verb in a rule.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// What somebody wants to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    pub kind: Kind,
    pub verb: Verb,
    /// `terminal`, `chat`, `answers`, or none for the object itself.
    pub subresource: Option<&'static str>,
    /// Empty: in all namespaces.
    pub namespace: String,
    /// Empty: no single object.
    pub name: String,
}

impl Question {
    /// About one object.
    pub fn object(kind: Kind, verb: Verb, key: &ObjectKey) -> Self {
        let ObjectKey { namespace, name } = key.clone();
        Self { kind, verb, subresource: None, namespace, name }
    }

    /// About a part of one object. Of `terminal`, which files belong to, and of `chat`, `create` is control and `get` is view;
    /// of `answers`, to the questions of its agent, `create` gives one.
    pub fn part(kind: Kind, name: &'static str, verb: Verb, key: &ObjectKey) -> Self {
        Self { subresource: Some(name), ..Self::object(kind, verb, key) }
    }

    /// About the objects of a namespace, or of all of them if it is empty.
    pub fn namespace(kind: Kind, verb: Verb, namespace: &str) -> Self {
        let namespace = namespace.to_owned();
        Self { kind, verb, subresource: None, namespace, name: String::new() }
    }
}

/// Decides by asking the API server.
pub struct Access {
    api: Api<SubjectAccessReview>,
    mode: AccessMode,
    known: Mutex<ExpiringTable<(Arc<str>, Question), bool>>,
    metrics: Metrics,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Access").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Access {
    /// Decides through this client.
    pub fn new(client: kube::Client, mode: AccessMode, metrics: Metrics) -> Self {
        let known = Mutex::new(ExpiringTable::new(LIFETIME, CAPACITY));
        Self { api: Api::all(client), mode, known, metrics }
    }

    /// Whether RBAC (or whatever authorizes in this cluster) lets this identity do it.
    pub async fn allows(
        &self,
        identity: &Identity,
        question: Question,
    ) -> Result<bool, AccessError> {
        let key = (Arc::clone(&identity.fingerprint), question);
        let known =
            self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key, Instant::now());
        if let Some(allowed) = known {
            self.metrics.decision("remembered");
            return Ok(allowed);
        }
        let review = review(identity, &key.1);
        let parameters = PostParams::default();
        let answer = answer(self.api.create(&parameters, &review)).await.map_err(|error| {
            self.metrics.decision("failed");
            AccessError::Ask(error)
        })?;
        let allowed =
            answer.status.is_some_and(|status| status.allowed && status.denied != Some(true));
        self.metrics.decision(if allowed { "allowed" } else { "denied" });
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(
            key,
            allowed,
            Instant::now(),
        );
        Ok(allowed)
    }

    /// The same for an answer over HTTP: a failure to decide is 503.
    pub async fn permits(&self, identity: &Identity, question: Question) -> Result<bool, Problem> {
        self.allows(identity, question).await.map_err(|error| {
            tracing::warn!(error = %crate::chain(&error), "access could not be decided");
            Problem::unavailable("Your rights cannot be checked now; try again in a moment.")
        })
    }

    /// Whether the owner's restriction lets this identity near an object of that owner.
    pub fn admits_owner(&self, identity: &Identity, owner: Option<&str>) -> bool {
        match self.mode {
            AccessMode::Rbac => true,
            AccessMode::Owner => owner == Some(identity.name()),
        }
    }
}

fn review(identity: &Identity, question: &Question) -> SubjectAccessReview {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let resource = ResourceAttributes {
        group: Some("fabrica.dev".to_owned()),
        version: Some("v1alpha1".to_owned()),
        resource: Some(question.kind.plural().to_owned()),
        subresource: question.subresource.map(str::to_owned),
        verb: Some(question.verb.as_str().to_owned()),
        namespace: some(&question.namespace),
        name: some(&question.name),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(identity.user.name.clone()),
        uid: some(&identity.user.uid),
        groups: Some(identity.user.groups.clone()),
        extra: Some(identity.user.extra.clone()),
        resource_attributes: Some(resource),
        non_resource_attributes: None,
    };
    SubjectAccessReview { spec, ..SubjectAccessReview::default() }
}
