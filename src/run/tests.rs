//! What tests of Runs share.

use std::time::Duration;

use fabrica_crds::Run;
use fabrica_crds::run::Driver;
use serde_json::{Value, json};

use crate::config::{AgentDefaults, RunDefaults, SessionDefaults};

pub(super) fn run(spec: &Value, status: &Value) -> Run {
    let metadata = json!({"name": "r", "namespace": "team", "generation": 1,
        "uid": "11111111-2222-3333-4444-555555555555"});
    let object = json!({"apiVersion": "fabrica.dev/v1alpha1", "kind": "Run", "metadata": metadata,
        "spec": spec, "status": status});
    serde_json::from_value(object).unwrap()
}

pub(super) fn defaults() -> RunDefaults {
    RunDefaults {
        pods: SessionDefaults {
            system_namespace: "fabrica-system".to_owned(),
            image: "registry.example/faber:1".to_owned(),
            runtime_image: "registry.example/runtime:1".to_owned(),
            image_pull_policy: "IfNotPresent".to_owned(),
            resources: serde_json::from_str(r#"{"limits": {"memory": "2Gi"}}"#).unwrap(),
            egress: Vec::new(),
            install_dependencies: true,
            terminal_size: None,
            pending_deadline: Duration::from_mins(10),
            traces: false,
        },
        per_namespace: 5,
        checkpoints: true,
        question_hold_seconds: None,
        agent: AgentDefaults {
            driver: Driver::Claude,
            model: None,
            max_turns: Some(50),
            budget_usd: None,
            base_url: None,
        },
        credentials_secret: Some("team-keys".to_owned()),
    }
}
