//! The child objects. Pure: one file and one snapshot per kind.

mod network_policy;
mod pod;
mod volume_claim;

use fabrica_crds::session::Mode;
use fabrica_crds::{Session, names};
use kube::ResourceExt;
use kube::api::ObjectMeta;

use crate::children;

pub(super) use network_policy::network_policy;
pub(super) use pod::{CONTAINER, agent_settings, agent_spec, pod};
pub(super) use volume_claim::volume_claim;

/// Metadata of a child that goes with its Session.
fn metadata(session: &Session, name: String) -> ObjectMeta {
    let mode = match session.spec.mode {
        Mode::Terminal => "terminal",
        Mode::Chat => "chat",
    };
    let labels = [
        (names::SESSION_ID, &*session.uid().unwrap_or_default()),
        (names::SESSION_NAME, &session.name_any()),
        (names::MODE, mode),
    ];
    children::metadata(session, "session", labels, name)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{AgentDefaults, ChatDefaults, Defaults, Egress, SessionDefaults};
    use fabrica_crds::run::Driver;
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

    pub(in crate::session) fn defaults() -> Defaults {
        let agent = AgentDefaults {
            driver: Driver::Script,
            model: Some("m".to_owned()),
            max_turns: None,
            budget_usd: None,
            base_url: None,
        };
        let terminal = pods();
        let pods = SessionDefaults { image: "registry.example/faber:1".to_owned(), ..pods() };
        let credentials_secret = Some("team-keys".to_owned());
        let chat = ChatDefaults { enabled: true, pods, agent, credentials_secret };
        Defaults { terminal, chat }
    }

    fn pods() -> SessionDefaults {
        SessionDefaults {
            system_namespace: "fabrica-system".to_owned(),
            image: "registry.example/terminal:1".to_owned(),
            runtime_image: "registry.example/runtime:1".to_owned(),
            image_pull_policy: "IfNotPresent".to_owned(),
            resources: serde_json::from_str(r#"{"limits": {"cpu": "2", "memory": "2Gi"}}"#)
                .unwrap(),
            egress: vec![Egress { cidr: "10.1.0.0/16".to_owned(), ports: vec![5432] }],
            install_dependencies: true,
            terminal_size: None,
            pending_deadline: Duration::from_mins(10),
            traces: false,
        }
    }

    #[test]
    fn policy_snapshot() {
        insta::assert_yaml_snapshot!(network_policy(&minimal(), &defaults().terminal));
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
