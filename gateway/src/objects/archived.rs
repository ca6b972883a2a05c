//! Runs and Sessions as the archive has them.

use std::collections::BTreeMap;

use fabrica_crds::{Run, RunStatus, Session, SessionStatus};
use fabrica_store::{Object, Spec};
use serde_json::json;

use super::{Metadata, Served, View};
use crate::names::ObjectKey;

/// A resource of whose objects the archive keeps the last that the cluster had.
pub trait Archived: Served {
    /// What a row itself says of the status, where the whole one cannot be read.
    fn status(object: &Object) -> Self::Status;
}

impl Archived for Run {
    fn status(object: &Object) -> RunStatus {
        RunStatus {
            phase: serde_json::from_value(json!(object.phase)).ok(),
            branch: object.branch.clone(),
            commit: object.commit.clone(),
            pull_request_url: object.pull_request_url.clone(),
            ..RunStatus::default()
        }
    }
}

impl Archived for Session {
    fn status(object: &Object) -> SessionStatus {
        SessionStatus {
            phase: serde_json::from_value(json!(object.phase)).ok(),
            pull_request_url: object.pull_request_url.clone(),
            ..SessionStatus::default()
        }
    }
}

/// The kind of the archive's rows that are of this resource.
pub fn kind<R: Served>() -> String {
    R::kind(&()).into_owned()
}

/// Where the object was.
pub fn key(object: &Object) -> ObjectKey {
    ObjectKey { namespace: object.namespace.clone(), name: object.name.clone() }
}

/// An object that the cluster has no more, with the last spec and status that it had; none when this version cannot read
/// its spec.
pub fn view<R: Archived>(mut object: Object, spec: &Spec) -> Option<View<R>> {
    let uid = object.uid.to_string();
    let readable = serde_json::from_value(spec.spec.clone());
    let last = readable
        .inspect_err(|error| tracing::warn!(uid, %error, "an archived object cannot be read"))
        .ok()?;
    let whole = object.status.take().and_then(|status| serde_json::from_value(status).ok());
    let status = whole.unwrap_or_else(|| R::status(&object));
    let metadata = Metadata {
        namespace: object.namespace,
        name: object.name,
        uid,
        created_at: object.created_at,
        deletion_timestamp: None,
        generation: spec.version.into(),
        // It never changes any more, and nothing is older.
        resource_version: "0".to_owned(),
        labels: BTreeMap::new(),
    };
    Some(View { metadata, spec: last, status: Some(status), archived: true })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use fabrica_crds::run::Phase;
    use rstest::rstest;
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;

    #[rstest]
    #[case::whole(Some(json!({"phase": "Failed", "commit": "abc", "conditions": []})), Some(Phase::Failed), Some("abc"))]
    #[case::none(None, Some(Phase::Completed), None)]
    #[case::of_another_version(Some(json!({"phase": 7})), Some(Phase::Completed), None)]
    fn a_row_becomes_a_run(
        #[case] status: Option<Value>,
        #[case] phase: Option<Phase>,
        #[case] commit: Option<&str>,
    ) {
        let object = Object {
            uid: Uuid::nil(),
            kind: kind::<Run>(),
            namespace: "demo".to_owned(),
            name: "a".to_owned(),
            owner: None,
            parent: None,
            phase: "Completed".to_owned(),
            branch: None,
            commit: None,
            pull_request_url: None,
            estimated_cost_usd: None,
            status,
            created_at: DateTime::UNIX_EPOCH,
            started_at: None,
            finished_at: None,
            deleted_at: None,
        };
        let spec = |spec| Spec { version: 2, spec, created_at: DateTime::UNIX_EPOCH };
        assert!(view::<Run>(object.clone(), &spec(json!({"plan": 1}))).is_none());
        let readable =
            spec(json!({"plan": "x", "repository": {"url": "https://git.example.com/a"}}));
        let view = view::<Run>(object, &readable).unwrap();
        let told = view.status.unwrap();
        assert_eq!((told.phase, told.commit.as_deref()), (phase, commit));
        assert!(view.archived && view.metadata.generation == 2);
    }
}
