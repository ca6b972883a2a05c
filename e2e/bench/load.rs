//! Many Runs at work at once: how late a page hears of a message, what the operator holds, how often it writes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};
use fabrica_crds::Run;
use fabrica_crds::run::Phase;
use fabrica_e2e::cluster::{SYSTEM_NAMESPACE, wait_for};
use fabrica_e2e::git_server::GitServer;
use fabrica_e2e::run::phase_of;
use fabrica_e2e::{Gateway, Namespace};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::watcher::{self, Event, watcher};
use reqwest::Method;
use serde_json::{Value, json};

use crate::node;
use crate::stats::{count, describe, percentile};
use crate::table::{Kind, Row, Table};

/// Live pods when pages are compared with the one of a single pod.
const CROWD: usize = 100;
/// Live pods when the operator is measured.
const MANY: usize = 200;
/// Messages that are timed: enough for a 99th percentile.
const TIMED: usize = 300;
/// Between two messages of the Run that is watched, in seconds.
const QUICK: &str = "0.1";
/// A block tells two records, that it began and that it ended. This is one every five seconds, as of an agent that thinks:
/// the programs that a hundred pods start each second would take all of a small machine, and be what is measured.
const CALM: &str = "10";
/// One each second.
const STEADY: &str = "2";
/// Blocks of a Run that must not end while it is measured.
const BLOCKS: usize = 600;
/// How long the operator's writes are counted.
const COUNTED: Duration = Duration::from_mins(1);
/// All pods are at work within this: a node starts a few each second.
const GATHERING: Duration = Duration::from_mins(10);
/// Requests on their way at once.
const PARALLEL: usize = 16;
/// Which flag of the operator bounds Runs that go at once.
const LIMIT: &str = "FABRICA_RUNS_PER_NAMESPACE";

/// Lets more Runs go than usual, and measures.
pub(crate) async fn measure(namespace: &Namespace, table: &Table) -> Result<()> {
    let usual = admit(namespace, &(MANY + 2).to_string()).await?;
    let outcome = Box::pin(gather(namespace, table)).await;
    let all = ListParams::default();
    namespace.api::<Run>().delete_collection(&DeleteParams::default(), &all).await?;
    admit(namespace, &usual).await?;
    outcome
}

/// Sets how many Runs of a namespace go at once; what it was before.
async fn admit(namespace: &Namespace, runs: &str) -> Result<String> {
    let deployments = namespace.cluster.api::<Deployment>(SYSTEM_NAMESPACE);
    let mut found = deployments.get("fabrica-operator").await?;
    let pod = found.spec.as_mut().and_then(|spec| spec.template.spec.as_mut());
    let variables = pod.and_then(|pod| pod.containers.first_mut()?.env.as_mut());
    let variable = variables.and_then(|all| all.iter_mut().find(|one| one.name == LIMIT));
    let before = variable.context("the operator's limit")?.value.replace(runs.to_owned());
    let name = "operator";
    let patch = json!({"spec": {"template": {"spec": {"containers": [
        {"name": name, "env": [{"name": LIMIT, "value": runs}]}]}}}});
    deployments
        .patch("fabrica-operator", &PatchParams::default(), &Patch::Strategic(patch))
        .await?;
    wait_for(&deployments, "fabrica-operator", "replaced", |found: Option<&Deployment>| {
        found.is_some_and(|found| {
            let status = found.status.as_ref();
            let replicas = |status: &k8s_openapi::api::apps::v1::DeploymentStatus| {
                status.updated_replicas == status.replicas
                    && status.ready_replicas == status.replicas
            };
            status.is_some_and(|status| {
                status.observed_generation >= found.metadata.generation && replicas(status)
            })
        })
    })
    .await?;
    before.context("the limit had a value")
}

async fn gather(namespace: &Namespace, table: &Table) -> Result<()> {
    let server = GitServer::start().await?;
    server.repository("crowd", &[("README.md", "hello")]).await?;
    let url = server.url("crowd");
    let token = namespace.user("reader", "view").await?;
    let gateway = Gateway::new(Some(&token))?;
    let alone = timed(namespace, &gateway, &url, "alone").await?;
    crowd(namespace, &url, "calm", CALM, CROWD).await?;
    let crowded = timed(namespace, &gateway, &url, "crowded").await?;
    let (first, second) = (percentile(&alone, 99), percentile(&crowded, 99));
    table.add(Row {
        what: "a message of the journal → a page that listens, p99 with 100 live pods against one",
        measured: second.as_secs_f64() / first.as_secs_f64(),
        ceiling: 2.0,
        unit: "×",
        kind: Kind::Ceiling,
        detail: format!(
            "p99 {} to {} ms; alone {}; crowded {}",
            first.as_millis(),
            second.as_millis(),
            describe(&alone),
            describe(&crowded)
        ),
    });
    namespace
        .api::<Run>()
        .delete_collection(&DeleteParams::default(), &ListParams::default())
        .await?;
    crowd(namespace, &url, "steady", STEADY, MANY).await?;
    writes(namespace, table).await?;
    operator(namespace, table).await
}

fn spec(url: &str, pause: &str) -> Value {
    let block = format!("```sh\nsleep {pause}\n```\n");
    json!({"plan": block.repeat(BLOCKS), "agent": {"driver": "Script"}, "repository": {"url": url},
        "resources": {"requests": {"cpu": "1m", "memory": "16Mi"}}})
}

/// Starts Runs and waits until all of them are at work.
async fn crowd(
    namespace: &Namespace,
    url: &str,
    name: &str,
    pause: &str,
    number: usize,
) -> Result<()> {
    let creations = (0..number).map(|place| async move {
        namespace.run(&format!("{name}-{place}"), spec(url, pause)).await
    });
    futures::stream::iter(creations).buffer_unordered(PARALLEL).try_collect::<Vec<_>>().await?;
    let began = Instant::now();
    loop {
        let runs = namespace.api::<Run>().list(&ListParams::default()).await?.items;
        let crowd = runs.iter().filter(|run| run.name_any().starts_with(name));
        let at_work = crowd.filter(|run| phase_of(run) == Some(Phase::Running)).count();
        if at_work == number {
            return Ok(());
        }
        ensure!(began.elapsed() < GATHERING, "{at_work} of {number} are at work");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// How long after each record of a quick Run its message was here.
async fn timed(
    namespace: &Namespace,
    gateway: &Gateway,
    url: &str,
    name: &str,
) -> Result<Vec<Duration>> {
    let mut quick = spec(url, QUICK);
    // Who asks for next to nothing gets it when others are busy: the crowd does, for it has to fit on a node.
    quick["resources"] = Value::Null;
    let run = namespace.run(name, quick).await?;
    namespace.await_phase(name, Phase::Running).await?;
    let uid = run.uid().context("a UID")?;
    let path = format!("/api/v1/namespaces/{}/events?messages={uid}", namespace.name);
    let answer = gateway.request(Method::GET, &path).send().await?.error_for_status()?;
    let late = tokio::time::timeout(GATHERING, listen(answer)).await??;
    namespace.api::<Run>().delete(name, &DeleteParams::default()).await?;
    Ok(late)
}

async fn listen(answer: reqwest::Response) -> Result<Vec<Duration>> {
    let began = Utc::now();
    let mut body = answer.bytes_stream();
    let (mut buffer, mut late) = (Vec::new(), Vec::new());
    while let Some(piece) = body.next().await {
        buffer.extend_from_slice(&piece?);
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = buffer.drain(..end + 2).collect();
            let now = Utc::now();
            let Some(told) = told_at(&String::from_utf8_lossy(&event))? else { continue };
            // What was told before we listened is history.
            if told > began {
                late.push((now - told).to_std().unwrap_or_default());
            }
            if late.len() == TIMED {
                return Ok(late);
            }
        }
    }
    bail!("the stream ended after {} messages", late.len())
}

/// When the message of an event was told; none when it is no message.
fn told_at(event: &str) -> Result<Option<DateTime<Utc>>> {
    if !event.lines().any(|line| line == "event: message") {
        return Ok(None);
    }
    let data = event.lines().find_map(|line| line.strip_prefix("data: ")).context("no data")?;
    let message: Value = serde_json::from_str(data)?;
    let time = message["createdAt"].as_str().context("no createdAt")?;
    Ok(Some(time.parse()?))
}

/// How often the status of a Run that only goes on is written.
async fn writes(namespace: &Namespace, table: &Table) -> Result<()> {
    let mut events = std::pin::pin!(watcher(namespace.api::<Run>(), watcher::Config::default()));
    let mut changes: HashMap<String, usize> = HashMap::new();
    let counting = async {
        while let Some(event) = events.try_next().await? {
            if let Event::Apply(run) = event {
                *changes.entry(run.name_any()).or_default() += 1;
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    // The minute itself is what is measured.
    if let Ok(ended) = tokio::time::timeout(COUNTED, counting).await {
        ended?;
        bail!("the watch ended");
    }
    let most = changes.values().copied().max().unwrap_or_default();
    let all: usize = changes.values().sum();
    table.add(Row {
        what: "writes of a Run's status in 10 s while it only goes on, the most of 200 Runs",
        measured: count(most) / COUNTED.as_secs_f64() * 10.0,
        // A minute holds a seventh at its edge.
        ceiling: 7.0 / 6.0,
        unit: "writes",
        kind: Kind::Gate,
        detail: format!("{all} writes in {} s for {} Runs", COUNTED.as_secs(), changes.len()),
    });
    Ok(())
}

async fn operator(namespace: &Namespace, table: &Table) -> Result<()> {
    let (mut whole, mut own) = (0.0_f64, 0.0_f64);
    for pod in namespace.cluster.component_pods("operator").await? {
        whole = whole.max(node::memory(&pod, "VmRSS")? / 1024.0);
        own = own.max(node::memory(&pod, "RssAnon")? / 1024.0);
    }
    let pods = namespace.api::<Pod>().list(&ListParams::default()).await?.items.len();
    table.add(Row {
        what: "operator's memory (RSS) with 200 Runs at a message a second each",
        measured: whole,
        ceiling: 60.0,
        unit: "MiB",
        kind: Kind::Ceiling,
        detail: format!("{pods} pods; of these {own:.1} MiB its own (RssAnon)"),
    });
    Ok(())
}
