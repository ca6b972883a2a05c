//! The child objects. Pure: one file and one snapshot per kind.

mod network_policy;
mod pod;
mod volume_claim;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fabrica_crds::session::Mode;
use fabrica_crds::{Session, names};
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};

pub(super) use network_policy::network_policy;
pub(super) use pod::{CONTAINER, INIT_CONTAINER, pod};
pub(super) use volume_claim::volume_claim;

/// The labels of every child.
fn labels(session: &Session) -> BTreeMap<String, String> {
    let mode = match session.spec.mode {
        Mode::Terminal => "terminal",
    };
    [
        ("app.kubernetes.io/name", "session"),
        ("app.kubernetes.io/instance", &session.name_any()),
        ("app.kubernetes.io/component", "session"),
        ("app.kubernetes.io/part-of", "fabrica"),
        (names::MANAGED_BY, names::MANAGER),
        (names::SESSION_ID, &session.uid().unwrap_or_default()),
        (names::SESSION_NAME, &session.name_any()),
        (names::MODE, mode),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

/// Metadata of a child that goes with its Session.
fn metadata(session: &Session, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: session.namespace(),
        labels: Some(labels(session)),
        owner_references: session.controller_owner_ref(&()).map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

/// What tells one template from another: a digest of its JSON.
fn hash<T: serde::Serialize>(template: &T) -> String {
    /// 96 bits: enough that no two templates meet.
    const BYTES: usize = 12;
    let text = serde_json::to_vec(template).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, &text).as_ref()[..BYTES])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{Egress, SessionDefaults};
    use std::time::Duration;

    /// A Session that says nothing.
    pub(in crate::session) fn minimal() -> Session {
        session(serde_json::json!({}))
    }

    /// The committed example that says everything.
    pub(in crate::session) fn everything() -> Session {
        let text = include_str!("../../crds/examples/everything.yaml");
        let example: serde_json::Value = serde_saphyr::from_str(text).unwrap();
        session(example["spec"].clone())
    }

    #[expect(clippy::needless_pass_by_value, reason = "calls read like manifests")]
    pub(in crate::session) fn session(spec: serde_json::Value) -> Session {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "fabrica.dev/v1alpha1", "kind": "Session", "spec": spec,
            "metadata": {"name": "one", "namespace": "demo", "generation": 1,
                "uid": "6f8b7c1e-0000-4000-8000-000000000001", "creationTimestamp": "2026-01-01T00:00:00Z"},
        }))
        .unwrap()
    }

    pub(in crate::session) fn defaults() -> SessionDefaults {
        SessionDefaults {
            system_namespace: "fabrica-system".to_owned(),
            image: "registry.example/terminal:1".to_owned(),
            runtime_image: "registry.example/runtime:1".to_owned(),
            image_pull_policy: "IfNotPresent".to_owned(),
            resources: serde_json::from_str(r#"{"limits": {"cpu": "2", "memory": "2Gi"}}"#)
                .unwrap(),
            egress: vec![Egress { cidr: "10.1.0.0/16".to_owned(), ports: vec![5432] }],
            install_dependencies: true,
            pending_deadline: Duration::from_mins(10),
        }
    }

    #[test]
    fn policy_snapshot() {
        insta::assert_yaml_snapshot!(network_policy(&minimal(), &defaults()));
    }

    #[test]
    fn claim_snapshot() {
        insta::assert_yaml_snapshot!(volume_claim(&everything()));
    }

    #[test]
    fn a_retained_volume_has_no_owner_and_another_has() {
        assert!(volume_claim(&minimal()).is_none());
        assert!(volume_claim(&everything()).unwrap().metadata.owner_references.is_none());
        let kept = session(serde_json::json!({"workspace": {"size": "1Gi"}}));
        assert!(volume_claim(&kept).unwrap().metadata.owner_references.is_some());
    }
}
