//! Flags as typed, and the configuration they mean.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use fabrica_crds::run::Driver;
use fabrica_store::Store;
use k8s_openapi::api::core::v1::ResourceRequirements;
use serde::Deserialize;

use crate::lease::Identity;

/// What was typed. Every flag is an environment variable too.
#[derive(Debug, Parser)]
#[command(version, about = "Turns Session and Run resources into pods")]
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
    /// Whether Sessions may have the mode Chat.
    #[arg(long, env = "FABRICA_CHAT_ENABLED", default_value_t = true, action = clap::ArgAction::Set)]
    pub chat_enabled: bool,
    /// The image of Runs and Chats that name none.
    #[arg(long, env = "FABRICA_RUN_IMAGE")]
    pub run_image: String,
    /// Resources of Runs and Chats that name none, as JSON.
    #[arg(
        long,
        env = "FABRICA_RUN_RESOURCES",
        default_value = r#"{"requests":{"cpu":"250m","memory":"512Mi"},"limits":{"cpu":"2","memory":"4Gi"}}"#
    )]
    pub run_resources: String,
    /// Who carries out the plans of Runs that do not say: Claude or Script.
    #[arg(long, env = "FABRICA_RUN_DRIVER", default_value = "Claude", value_parser = driver)]
    pub run_driver: Driver,
    /// The model of Runs and Chats that name none. Empty: the agent's own choice.
    #[arg(long, env = "FABRICA_RUN_MODEL", default_value = "")]
    pub run_model: String,
    /// How often a Run or Chat that does not say may ask its model. 0: as often as it likes.
    #[arg(long, env = "FABRICA_RUN_MAX_TURNS", default_value_t = 0)]
    pub run_max_turns: u16,
    /// What the model calls of a Run or Chat that does not say may cost in US dollars, such as 2.50. Empty: no bound.
    #[arg(long, env = "FABRICA_RUN_BUDGET_USD", default_value = "")]
    pub run_budget_usd: String,
    /// Where the model of Runs and Chats is that do not say. Empty: where its maker offers it.
    #[arg(long, env = "FABRICA_RUN_BASE_URL", default_value = "")]
    pub run_base_url: String,
    /// The Secret, in their namespace, with the credentials of Runs and Chats that name none; it need not be there. Empty: none.
    #[arg(long, env = "FABRICA_RUN_CREDENTIALS_SECRET", default_value = "")]
    pub run_credentials_secret: String,
    /// How many Runs of a namespace go at once; the others are queued.
    #[arg(long, env = "FABRICA_RUNS_PER_NAMESPACE", default_value_t = 5)]
    pub runs_per_namespace: u16,
    /// How long an agent's question holds its call before its pod may be let go: below the agent's own bound of 10 minutes.
    #[arg(long, env = "FABRICA_QUESTION_HOLD_SECONDS", value_parser = clap::value_parser!(u16).range(1..=540))]
    pub question_hold_seconds: Option<u16>,
    /// The archive's URL, postgres://…; unset: no archive.
    #[arg(long, env = "FABRICA_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<DatabaseUrl>,
    /// History is deleted so many days after the end of what it is of. Unset: never.
    #[arg(long, env = "FABRICA_RETENTION_DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    pub retention_days: Option<u32>,
    /// Where traces are sent over OTLP/HTTP, such as http://collector.monitoring:4318. Unset: there are none.
    #[arg(long, env = "FABRICA_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// Whether a clone's npm dependencies are installed at the start.
    #[arg(long, env = "FABRICA_INSTALL_DEPENDENCIES", default_value_t = true, action = clap::ArgAction::Set)]
    pub install_dependencies: bool,
    /// Whose size a terminal has that several clients show: `latest` or `smallest`. Unset: the runtime's own choice.
    #[arg(long, env = "FABRICA_TERMINAL_SIZE", value_parser = ["latest", "smallest"])]
    pub terminal_size: Option<String>,
    /// The Secret with the signing keys.
    #[arg(long, env = "FABRICA_TRUST_SECRET", default_value = "fabrica-trust")]
    pub trust_secret: String,
    /// A signing key is replaced after so many days.
    #[arg(long, env = "FABRICA_TRUST_ROTATION_DAYS", default_value_t = 30)]
    pub trust_rotation_days: u32,
    /// A new key signs so many seconds after it was published: longer than a kubelet takes to tell its pods.
    #[arg(long, env = "FABRICA_TRUST_PUBLISH_SECONDS", default_value_t = 300)]
    pub trust_publish_seconds: u32,
    /// How many objects of each kind, Sessions and Runs, are reconciled at once.
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
    pub session: Defaults,
    pub run: RunDefaults,
    pub trust: TrustConfig,
    pub archive: Option<Store>,
    pub retention_days: Option<u32>,
    /// Where traces are sent.
    pub otlp_endpoint: Option<String>,
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
    /// Whose size a terminal has that several clients show. Unset: the runtime's own choice.
    pub terminal_size: Option<String>,
    pub pending_deadline: Duration,
    /// Whether pods are told their trace.
    pub traces: bool,
}

/// What Sessions get that say nothing else, by their mode.
#[derive(Debug, Clone)]
pub struct Defaults {
    pub terminal: SessionDefaults,
    pub chat: ChatDefaults,
}

/// What Chats get that say nothing else.
#[derive(Debug, Clone)]
pub struct ChatDefaults {
    /// Whether there may be any.
    pub enabled: bool,
    /// As a Terminal's, but for image and resources.
    pub pods: SessionDefaults,
    pub agent: AgentDefaults,
    /// The Secret of credentials, which need not be there.
    pub credentials_secret: Option<String>,
}

/// What Runs get that say nothing else.
#[derive(Debug, Clone)]
pub struct RunDefaults {
    /// As a Session's, but for image and resources.
    pub pods: SessionDefaults,
    /// How many of a namespace go at once.
    pub per_namespace: usize,
    /// Whether there is an archive that keeps what another pod can go on from.
    pub checkpoints: bool,
    /// How long an agent's question holds its call before its pod may be let go. Unset: the runtime's own choice.
    pub question_hold_seconds: Option<u16>,
    pub agent: AgentDefaults,
    /// The Secret of credentials, which need not be there.
    pub credentials_secret: Option<String>,
}

/// The agent of Runs that say nothing else.
#[derive(Debug, Clone)]
pub struct AgentDefaults {
    pub driver: Driver,
    pub model: Option<String>,
    pub max_turns: Option<i32>,
    pub budget_usd: Option<String>,
    pub base_url: Option<String>,
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
        let otlp_endpoint = self.otlp_endpoint.and_then(set);
        let session = SessionDefaults {
            system_namespace: self.namespace.clone(),
            image: self.session_image,
            runtime_image: self.runtime_image,
            image_pull_policy: self.image_pull_policy,
            resources,
            egress,
            install_dependencies: self.install_dependencies,
            terminal_size: self.terminal_size,
            pending_deadline: Duration::from_secs(self.pending_deadline_seconds),
            traces: otlp_endpoint.is_some(),
        };
        let resources = serde_json::from_str(&self.run_resources)
            .context("--run-resources is not a JSON ResourceRequirements")?;
        let run = RunDefaults {
            pods: SessionDefaults { image: self.run_image, resources, ..session.clone() },
            per_namespace: self.runs_per_namespace.into(),
            checkpoints: self.database_url.is_some(),
            question_hold_seconds: self.question_hold_seconds,
            agent: AgentDefaults {
                driver: self.run_driver,
                model: set(self.run_model),
                max_turns: Some(self.run_max_turns.into()).filter(|turns| *turns > 0),
                budget_usd: set(self.run_budget_usd),
                base_url: set(self.run_base_url),
            },
            credentials_secret: set(self.run_credentials_secret),
        };
        let chat = ChatDefaults {
            enabled: self.chat_enabled,
            pods: run.pods.clone(),
            agent: run.agent.clone(),
            credentials_secret: run.credentials_secret.clone(),
        };
        let archive = self.database_url.map(|url| Store::connect(&url.0)).transpose()?;
        Ok(Config {
            archive,
            retention_days: self.retention_days,
            session: Defaults { terminal: session, chat },
            run,
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
            otlp_endpoint,
        })
    }
}

/// A driver, as the API spells it.
fn driver(text: &str) -> Result<Driver, String> {
    match text {
        "Claude" => Ok(Driver::Claude),
        "Script" => Ok(Driver::Script),
        _ => Err("a driver is Claude or Script".to_owned()),
    }
}

/// Charts render what is not set as the empty text.
fn set(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
