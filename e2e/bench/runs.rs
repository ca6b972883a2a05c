//! How long a Run takes until its agent asks the model, beside a bare pod that is the same but for the work.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fabrica_crds::Run;
use fabrica_e2e::Namespace;
use fabrica_e2e::cluster::{eventually, wait_for, wait_gone};
use fabrica_e2e::forge::Forge;
use fabrica_model_api::ModelApi;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::node;
use crate::start::{at_another_moment, start_pod};
use crate::stats::{describe, median};
use crate::table::{Kind, Row, Table};

/// Starts of each kind.
const ROUNDS: usize = 10;
/// The agent's own start is most of it.
const CEILING: f64 = 1_600.0;

/// Interleaves Runs and bare pods, and compares their medians.
pub(crate) async fn measure(namespace: &Namespace, table: &Table) -> Result<()> {
    let forge = Forge::new()?;
    namespace.agent_secret(&forge).await?;
    let repository = forge.repository().await?;
    let outcome = async {
        interleave(namespace, &repository.url, table).await?;
        memory(namespace, &repository.url, table).await
    };
    let outcome = outcome.await;
    forge.delete(&repository).await?;
    outcome
}

async fn interleave(namespace: &Namespace, repository: &str, table: &Table) -> Result<()> {
    let host = std::env::var("FABRICA_TEST_HOST").context("FABRICA_TEST_HOST is not set")?;
    let model = ModelApi::start(SocketAddr::new(host.parse()?, 0), None).await?;
    let (_, bare) = ask(namespace, &model, repository, ROUNDS).await?;
    let (mut pods, mut asked) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            pods.push(start_pod(namespace, &bare, round).await?);
        }
        asked.push(ask(namespace, &model, repository, round).await?.0);
        if round % 2 == 1 {
            pods.push(start_pod(namespace, &bare, round).await?);
        }
    }
    let above = median(&asked).as_secs_f64() - median(&pods).as_secs_f64();
    table.add(Row {
        what: "Run created → first model request, above a bare pod's Ready (p50)",
        measured: above * 1_000.0,
        ceiling: CEILING,
        unit: "ms",
        kind: Kind::Ceiling,
        detail: format!("Run {}; bare pod {}", describe(&asked), describe(&pods)),
    });
    Ok(())
}

/// What the runtime holds beside an agent that works.
async fn memory(namespace: &Namespace, repository: &str, table: &Table) -> Result<()> {
    let host = std::env::var("FABRICA_TEST_HOST").context("FABRICA_TEST_HOST is not set")?;
    let model = ModelApi::start(SocketAddr::new(host.parse()?, 0), None).await?;
    namespace.run("memory", spec(repository, "long-tool", &model)).await?;
    // The second question comes when the agent has used a tool.
    let asked = || async { Ok((model.asked().len() > 1).then_some(())) };
    eventually("the model is asked twice", asked).await?;
    let pod = namespace.api::<Pod>().get("memory-run-1").await?;
    table.add(Row {
        what: "runtime's memory (RssAnon) beside an agent at work",
        measured: node::memory(&pod, "RssAnon")? / 1024.0,
        ceiling: 12.0,
        unit: "MiB",
        kind: Kind::Ceiling,
        detail: "after a tool call of the real agent".to_owned(),
    });
    namespace.await_end("memory").await?;
    Ok(())
}

fn spec(repository: &str, scenario: &str, model: &ModelApi) -> Value {
    json!({
        "plan": format!("scenario: {scenario}"),
        "repository": {"url": repository, "forge": "Gitea"},
        "credentialsRef": {"name": "agent"},
        "agent": {"driver": "Claude", "model": "claude-sonnet-4-5", "baseURL": model.url()},
    })
}

/// From the Run's creation to the model's first question; and the Run's pod as one without work.
async fn ask(
    namespace: &Namespace,
    model: &ModelApi,
    repository: &str,
    round: usize,
) -> Result<(Duration, Value)> {
    let name = format!("bench-{round}");
    let spec = spec(repository, "nothing", model);
    at_another_moment(round).await;
    let before = Instant::now();
    namespace.run(&name, spec).await?;
    let first = eventually("the model is asked", || async {
        Ok(model.asked().into_iter().map(|asked| asked.at).find(|at| *at > before))
    })
    .await?;
    namespace.await_end(&name).await?;
    let pods = namespace.api::<Pod>();
    let pod = pods.get(&format!("{name}-run-1")).await?;
    namespace.api::<Run>().delete(&name, &DeleteParams::default()).await?;
    wait_for(&namespace.api::<Run>(), &name, "gone", |run: Option<&Run>| run.is_none()).await?;
    wait_gone(&pods, &format!("{name}-run-1")).await?;
    Ok((first - before, idle(&pod)?))
}

/// The same image, probe, volumes and limits; without its variables the runtime opens a terminal and is Ready.
pub(crate) fn idle(pod: &Pod) -> Result<Value> {
    let mut spec = json!(pod.spec.clone().context("the pod's spec")?);
    let fields = spec.as_object_mut().context("a spec is an object")?;
    fields.remove("nodeName");
    for container in fields["containers"].as_array_mut().context("containers")? {
        let container = container.as_object_mut().context("a container is an object")?;
        container.remove("env");
        container.remove("envFrom");
    }
    Ok(json!({"metadata": {"annotations": pod.metadata.annotations}, "spec": spec}))
}
