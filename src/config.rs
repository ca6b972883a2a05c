//! Flags as typed, and the configuration they mean.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use k8s_openapi::api::core::v1::ResourceRequirements;
use serde::Deserialize;

use crate::lease::Identity;

/// What was typed. Every flag is an environment variable too.
#[derive(Debug, Parser)]
#[command(version, about = "Turns Session resources into workspace pods")]
pub struct Flags {
    /// The namespace the operator runs in: its Lease and its keys are there.
    #[arg(long, env = "POD_NAMESPACE", default_value = "fabrica-system")]
    pub namespace: String,
    /// Who holds the Lease: the pod's name.
    #[arg(long, env = "POD_NAME", default_value = "fabrica-operator")]
    pub identity: String,
    /// The UID of that pod: the Lease belongs to it, and goes with it.
    #[arg(long, env = "POD_UID")]
    pub pod_uid: Option<String>,
    /// The image of Sessions that name none.
    #[arg(long, env = "FABRICA_SESSION_IMAGE")]
    pub session_image: String,
    /// The image that the runtime is copied from into Sessions with an image of their own.
    #[arg(long, env = "FABRICA_RUNTIME_IMAGE")]
    pub runtime_image: String,
    #[arg(long, env = "FABRICA_IMAGE_PULL_POLICY", default_value = "IfNotPresent")]
    pub image_pull_policy: String,
    /// Take part in leader election; needed with more than one replica.
    #[arg(long, env = "FABRICA_LEADER_ELECT")]
    pub leader_elect: bool,
    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, env = "FABRICA_ADMIN_ADDRESS", default_value = "0.0.0.0:8081")]
    pub admin_address: SocketAddr,
    /// After so many seconds a Pending Session counts as Failed.
    #[arg(long, env = "FABRICA_PENDING_DEADLINE_SECONDS", default_value_t = 600)]
    pub pending_deadline_seconds: u64,
    /// Resources of Sessions that name none, as JSON.
    #[arg(
        long,
        env = "FABRICA_SESSION_RESOURCES",
        default_value = r#"{"requests":{"cpu":"100m","memory":"256Mi"},"limits":{"cpu":"2","memory":"2Gi"}}"#
    )]
    pub session_resources: String,
    /// What Sessions may reach besides DNS and the public web, as JSON: `[{"cidr": "10.0.0.0/8", "ports": [443]}]`.
    #[arg(long, env = "FABRICA_SESSION_EGRESS", default_value = "[]")]
    pub session_egress: String,
    /// Whether a clone's npm dependencies are installed at the start.
    #[arg(long, env = "FABRICA_INSTALL_DEPENDENCIES", default_value_t = true, action = clap::ArgAction::Set)]
    pub install_dependencies: bool,
    /// The Secret with the signing keys.
    #[arg(long, env = "FABRICA_TRUST_SECRET", default_value = "fabrica-trust")]
    pub trust_secret: String,
    /// A signing key is replaced after so many days.
    #[arg(long, env = "FABRICA_TRUST_ROTATION_DAYS", default_value_t = 30)]
    pub trust_rotation_days: u32,
    /// A new key signs so many seconds after it was published: longer than a kubelet takes to tell its pods.
    #[arg(long, env = "FABRICA_TRUST_PUBLISH_SECONDS", default_value_t = 300)]
    pub trust_publish_seconds: u32,
    /// How many Sessions are reconciled at once.
    #[arg(long, env = "FABRICA_CONCURRENCY", default_value_t = 16)]
    pub concurrency: u16,
    /// Log filter, as tracing writes it.
    #[arg(long, env = "FABRICA_LOG", default_value = "info,kube=warn")]
    pub log: String,
}

/// What the flags mean.
#[derive(Debug, Clone)]
pub struct Config {
    pub namespace: String,
    pub identity: Identity,
    pub leader_elect: bool,
    pub admin_address: SocketAddr,
    pub concurrency: u16,
    pub session: SessionDefaults,
    pub trust: TrustConfig,
}

/// What Sessions get that say nothing else.
#[derive(Debug, Clone)]
pub struct SessionDefaults {
    /// The operator's namespace: gateway and operator reach pods from there.
    pub system_namespace: String,
    pub image: String,
    pub runtime_image: String,
    pub image_pull_policy: String,
    pub resources: ResourceRequirements,
    pub egress: Vec<Egress>,
    pub install_dependencies: bool,
    pub pending_deadline: Duration,
}

/// One range that Sessions may reach.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    pub cidr: String,
    /// Empty: every port.
    #[serde(default)]
    pub ports: Vec<u16>,
}

/// How signing keys live.
#[derive(Debug, Clone)]
pub struct TrustConfig {
    pub secret: String,
    pub rotate_after: chrono::Duration,
    pub publish_before: chrono::Duration,
}

impl Flags {
    /// Reads the flags that hold JSON and groups the rest.
    pub fn into_config(self) -> anyhow::Result<Config> {
        let resources = serde_json::from_str(&self.session_resources)
            .context("--session-resources is not a JSON ResourceRequirements")?;
        let egress = serde_json::from_str(&self.session_egress)
            .context("--session-egress is not a JSON list of {cidr, ports}")?;
        Ok(Config {
            session: SessionDefaults {
                system_namespace: self.namespace.clone(),
                image: self.session_image,
                runtime_image: self.runtime_image,
                image_pull_policy: self.image_pull_policy,
                resources,
                egress,
                install_dependencies: self.install_dependencies,
                pending_deadline: Duration::from_secs(self.pending_deadline_seconds),
            },
            trust: TrustConfig {
                secret: self.trust_secret,
                rotate_after: chrono::Duration::days(i64::from(self.trust_rotation_days)),
                publish_before: chrono::Duration::seconds(i64::from(self.trust_publish_seconds)),
            },
            namespace: self.namespace,
            identity: Identity { name: self.identity, uid: self.pod_uid },
            leader_elect: self.leader_elect,
            admin_address: self.admin_address,
            concurrency: self.concurrency,
        })
    }
}
