//! What is counted, asked by a real Prometheus that reads the real endpoints: every query of dashboard and alerts is one
//! that it answers, and what people do is in the answers.

use anyhow::{Context, Result, ensure};
use fabrica_e2e::chat::Chat;
use fabrica_e2e::cluster::{SYSTEM_NAMESPACE, eventually};
use fabrica_e2e::terminal::Terminal;
use fabrica_e2e::watching::{Prometheus, names, queries, rules};
use fabrica_e2e::{Gateway, Namespace};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::ResourceExt;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::agent_runs::with_repository;
use crate::chat::{HELLO, conversation};
use crate::lifecycle::editor;

/// Between two looks of Prometheus: as short as its own answers allow.
const INTERVAL: &str = "2s";

#[tokio::test]
async fn prometheus_answers_every_query_of_dashboard_and_alerts() {
    with_repository(|namespace, place| async move {
        let right = Right::grant(&namespace).await?;
        let watched = watched(&namespace, &right).await;
        let outcome = match watched {
            Ok(prometheus) => answers(&namespace, &conversation(&place.1), &prometheus).await,
            Err(error) => Err(error),
        };
        right.revoke(&namespace).await?;
        outcome
    })
    .await;
}

async fn answers(namespace: &Namespace, chat: &Value, prometheus: &Prometheus) -> Result<()> {
    let targets = prometheus.get("targets", &[]).await?;
    let before = |expression| sum(prometheus, expression);
    let started = "sum(fabrica_operator_start_seconds_count{mode=~\"Terminal|Chat\"})";
    let created = "sum(fabrica_gateway_creations_total{outcome=\"created\"})";
    let (starts, creations) = eventually("both are scraped", || async {
        let both = (before(started).await?, before(created).await?);
        Ok(if let (Some(starts), Some(creations)) = both {
            Some((starts, creations))
        } else {
            None
        })
    })
    .await
    .with_context(|| targets.to_string())?;
    use_both_modes(namespace, chat).await?;
    // Sums over all of the cluster: other tests only add to them.
    grows(prometheus, started, starts + 2.0).await?;
    grows(prometheus, created, creations + 2.0).await?;
    for direction in ["in", "out"] {
        let count =
            format!("fabrica_operator_chat_message_seconds_count{{direction=\"{direction}\"}}");
        grows(prometheus, &format!("sum({count})"), 1.0).await?;
    }
    grows(prometheus, "sum(fabrica_operator_turns_total{outcome=\"completed\"})", 1.0).await?;
    grows(prometheus, "sum(fabrica_operator_cost_dollars_total{mode=\"Chat\"}) > 0", 0.0).await?;
    for grown in [
        "sum(fabrica_operator_terminal_resumes_total{outcome=\"exact\"})",
        "fabrica_operator_terminal_resume_seconds_count",
        "fabrica_operator_client_away_seconds_count",
        "fabrica_operator_terminal_echo_seconds_count",
        "sum(fabrica_operator_terminal_bytes_total{direction=\"in\"})",
        "sum(fabrica_operator_terminal_opens_total{outcome=\"opened\"})",
    ] {
        grows(prometheus, &format!("sum({grown})"), 1.0).await?;
    }
    grows(prometheus, "sum(fabrica_operator_leader)", 1.0).await?;
    for query in queries()? {
        let series = prometheus.query(&query.expression).await?;
        ensure!(!series.is_empty(), "{}: {} gives nothing", query.owner, query.expression);
    }
    rules_are_known(prometheus).await
}

/// Each alert can be evaluated, and asks for nothing that is not there.
async fn rules_are_known(prometheus: &Prometheus) -> Result<()> {
    let groups = prometheus.get("rules", &[]).await?;
    let all = groups["groups"][0]["rules"].as_array().context("rules")?;
    ensure!(all.len() > 10, "{groups}");
    for rule in all {
        ensure!(rule["health"] == "ok", "{rule}");
        ensure!(rule["name"] != "FabricaNoLeader" || rule["state"] == "inactive", "{rule}");
    }
    let known = prometheus.get("label/__name__/values", &[]).await?.to_string();
    let text = std::fs::read_to_string(rules())?;
    for name in names(&text) {
        ensure!(known.contains(&format!("\"{name}\"")), "no series is called {name}");
    }
    Ok(())
}

/// A person works in a terminal and talks to an agent.
async fn use_both_modes(namespace: &Namespace, chat: &Value) -> Result<()> {
    let gateway = Gateway::new(Some(&editor(namespace).await?))?;
    let path = format!("/api/v1/namespaces/{}/sessions", namespace.name);
    for (name, spec) in [("watched", json!({})), ("heard", chat.clone())] {
        let (status, answer) = gateway.post(&path, &json!({"name": name, "spec": spec})).await?;
        ensure!(status == 201, "{status} {answer}");
        namespace.await_ready(name).await?;
    }
    let mut terminal = Terminal::connect(&gateway, &namespace.name, "watched").await?;
    ensure!(terminal.run("echo $((40 + 2))").await?.contains("42"));
    terminal.resume().await?;
    ensure!(terminal.run("echo $((50 + 3))").await?.contains("53"));
    let mut ada = Chat::connect(&gateway, &namespace.name, "heard").await?;
    // The first message may wait for the agent's program, which is not the way that is measured.
    for id in ["m-1", "m-2"] {
        ada.say(id, "Hello.\nscenario: chat").await?;
        ada.text(HELLO).await?;
        ada.until("it is done", |it| it["id"] == id && it["state"] == "completed").await?;
    }
    Ok(())
}

async fn grows(prometheus: &Prometheus, expression: &str, least: f64) -> Result<()> {
    eventually(expression, || async {
        let found = sum(prometheus, expression).await?;
        Ok(found.filter(|found| *found >= least).map(|_| ()))
    })
    .await
}

async fn sum(prometheus: &Prometheus, expression: &str) -> Result<Option<f64>> {
    Ok(prometheus.query(expression).await?.first().map(|(_, value)| *value))
}

/// A Prometheus that reads the pods of operator and gateway through the API server, so that it works wherever kubectl does.
async fn watched(namespace: &Namespace, right: &Right) -> Result<Prometheus> {
    let server = kube::Config::infer().await?.cluster_url;
    let authority = server.authority().context("the API server's address")?.to_string();
    let mut jobs = Vec::new();
    for component in ["operator", "gateway"] {
        for pod in namespace.cluster.component_pods(component).await? {
            let name = pod.name_any();
            jobs.push(json!({
                "job_name": name, "scheme": "https",
                "metrics_path": format!("/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/{name}:8081/proxy/metrics"),
                "authorization": {"credentials": right.token},
                // Who answers for the pods' numbers is not what is tested.
                "tls_config": {"insecure_skip_verify": true},
                "static_configs": [{"targets": [authority], "labels": {"pod": name}}],
            }));
        }
    }
    let every = json!({"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL});
    let rules = rules().canonicalize()?;
    Prometheus::start(&json!({"global": every, "rule_files": [rules], "scrape_configs": jobs}))
        .await
}

/// The right to read what the pods of our system serve, for as long as a test needs it.
struct Right {
    name: String,
    token: String,
}

impl Right {
    async fn grant(namespace: &Namespace) -> Result<Self> {
        let name = namespace.name.clone();
        namespace.create::<ServiceAccount>(json!({"metadata": {"name": "prometheus"}})).await?;
        let rule = json!({"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]});
        let role: Role =
            serde_json::from_value(json!({"metadata": {"name": name}, "rules": [rule]}))?;
        let binding: RoleBinding = serde_json::from_value(json!({"metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "prometheus", "namespace": name}]}))?;
        let cluster = &namespace.cluster;
        cluster.api(SYSTEM_NAMESPACE).create(&PostParams::default(), &role).await?;
        cluster.api(SYSTEM_NAMESPACE).create(&PostParams::default(), &binding).await?;
        Ok(Self { token: cluster.token(&name, "prometheus").await?, name })
    }

    async fn revoke(self, namespace: &Namespace) -> Result<()> {
        let cluster = &namespace.cluster;
        let parameters = DeleteParams::default();
        cluster.api::<RoleBinding>(SYSTEM_NAMESPACE).delete(&self.name, &parameters).await?;
        cluster.api::<Role>(SYSTEM_NAMESPACE).delete(&self.name, &parameters).await?;
        Ok(())
    }
}
