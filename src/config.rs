//! Flags as typed, and the configuration they mean.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use fabrica_store::Store;
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
    /// The image of Runs that name none. Unset: the Sessions'.
    #[arg(long, env = "FABRICA_RUN_IMAGE")]
    pub run_image: Option<String>,
    /// Resources of Runs that name none, as JSON. Unset: the Sessions'.
    #[arg(long, env = "FABRICA_RUN_RESOURCES")]
    pub run_resources: Option<String>,
    /// How many Runs of a namespace go at once; the others are queued.
    #[arg(long, env = "FABRICA_RUNS_PER_NAMESPACE", default_value_t = 5)]
    pub runs_per_namespace: u16,
    /// The archive's URL, postgres://…; unset: no archive.
    #[arg(long, env = "FABRICA_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<DatabaseUrl>,
    /// History is deleted so many days after the end of what it is of. Unset: never.
    #[arg(long, env = "FABRICA_RETENTION_DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    pub retention_days: Option<u32>,
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

/// A URL with a password in it, which is never shown.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DatabaseUrl")
    }
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
    pub run: RunDefaults,
    pub trust: TrustConfig,
    pub archive: Option<Store>,
    pub retention_days: Option<u32>,
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

/// What Runs get that say nothing else.
#[derive(Debug, Clone)]
pub struct RunDefaults {
    /// As a Session's, but for image and resources.
    pub pods: SessionDefaults,
    /// How many of a namespace go at once.
    pub per_namespace: usize,
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
    /// Reads the flags that hold JSON and groups the rest. Must be called within a tokio runtime.
    pub fn into_config(self) -> anyhow::Result<Config> {
        let resources = serde_json::from_str(&self.session_resources)
            .context("--session-resources is not a JSON ResourceRequirements")?;
        let egress = serde_json::from_str(&self.session_egress)
            .context("--session-egress is not a JSON list of {cidr, ports}")?;
        let session = SessionDefaults {
            system_namespace: self.namespace.clone(),
            image: self.session_image,
            runtime_image: self.runtime_image,
            image_pull_policy: self.image_pull_policy,
            resources,
            egress,
            install_dependencies: self.install_dependencies,
            pending_deadline: Duration::from_secs(self.pending_deadline_seconds),
        };
        let mut pods = session.clone();
        if let Some(image) = self.run_image {
            pods.image = image;
        }
        if let Some(resources) = self.run_resources {
            pods.resources = serde_json::from_str(&resources)
                .context("--run-resources is not a JSON ResourceRequirements")?;
        }
        let archive = self.database_url.map(|url| Store::connect(&url.0)).transpose()?;
        Ok(Config {
            archive,
            retention_days: self.retention_days,
            session,
            run: RunDefaults { pods, per_namespace: self.runs_per_namespace.into() },
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
