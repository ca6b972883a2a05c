//! How long a Session takes to start, beside a bare pod that is the same but for us.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fabrica_crds::Session;
use fabrica_e2e::cluster::{is_ready, wait_for, wait_gone};
use fabrica_e2e::{Gateway, Namespace};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::link::{Link, Way};
use crate::stats::{describe, median};
use crate::table::{Kind, Row, Table};

/// Starts of each kind.
const ROUNDS: usize = 40;

/// The golden section of a second: what waits for a multiple of it, whole seconds aside, comes at moments that lie apart evenly.
const SPREAD: u64 = 618;

/// How long the gateway asks a client of a starting Session to wait, and how often one may be asked.
const HINT: Duration = Duration::from_secs(1);
const REFUSALS: u32 = 10;

/// Interleaves starts of Sessions and of bare pods, and compares their medians.
pub(crate) async fn measure(namespace: &Namespace, table: &Table) -> Result<()> {
    let gateway = Gateway::new(Some(&namespace.user("bench", "edit").await?))?;
    namespace.ready_session("model", json!({})).await?;
    let model = bare(&namespace.api::<Pod>().get("model-session").await?)?;
    remove(namespace, "model").await?;
    let (mut pods, mut ready, mut prompts) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Whoever goes first alternates, so that neither gains from what the other warmed.
        if round % 2 == 0 {
            pods.push(start_pod(namespace, &model, round).await?);
        }
        let (until_ready, until_prompt) = start_session(namespace, &gateway, round).await?;
        ready.push(until_ready);
        prompts.push(until_prompt);
        if round % 2 == 1 {
            pods.push(start_pod(namespace, &model, round).await?);
        }
    }
    let floor = median(&pods).as_secs_f64();
    let rows = [
        ("Session created → Ready, against a bare pod (p50)", &ready, 1.15),
        ("Session created → first prompt byte at a client, against the same", &prompts, 1.25),
    ];
    for (what, samples, ceiling) in rows {
        table.add(Row {
            what,
            measured: median(samples).as_secs_f64() / floor,
            ceiling,
            unit: "×",
            kind: Kind::Gate,
            detail: format!("Session {}; bare pod {}", describe(samples), describe(&pods)),
        });
    }
    Ok(())
}

/// A Session's pod as anybody could write it: same image, probe, volumes and limits, no owner and no labels.
fn bare(pod: &Pod) -> Result<Value> {
    let mut spec = json!(pod.spec.clone().context("the pod's spec")?);
    let fields = spec.as_object_mut().context("a spec is an object")?;
    fields.remove("nodeName");
    Ok(json!({"metadata": {"annotations": pod.metadata.annotations}, "spec": spec}))
}

/// Waits for another moment of the second in each round. The kubelet looks at its pods once a second, and a pod is gone
/// when it has looked: what begins then begins at the same moment always, and measures whether it needs a look more.
pub(crate) async fn at_another_moment(round: usize) {
    tokio::time::sleep(Duration::from_millis(round as u64 * SPREAD % 1_000)).await;
}

pub(crate) async fn start_pod(
    namespace: &Namespace,
    model: &Value,
    round: usize,
) -> Result<Duration> {
    let name = format!("bare-{round}");
    let mut manifest = model.clone();
    manifest["metadata"]["name"] = json!(name);
    let pods = namespace.api::<Pod>();
    let pod: Pod = serde_json::from_value(manifest)?;
    at_another_moment(round).await;
    let started = Instant::now();
    pods.create(&PostParams::default(), &pod).await?;
    wait_for(&pods, &name, "Ready", |pod| pod.is_some_and(is_ready)).await?;
    let taken = started.elapsed();
    pods.delete(&name, &DeleteParams::default().grace_period(0)).await?;
    wait_gone(&pods, &name).await?;
    Ok(taken)
}

async fn start_session(
    namespace: &Namespace,
    gateway: &Gateway,
    round: usize,
) -> Result<(Duration, Duration)> {
    let name = format!("bench-{round}");
    at_another_moment(round).await;
    let started = Instant::now();
    namespace.session(&name, json!({})).await?;
    namespace.await_ready(&name).await?;
    let until_ready = started.elapsed();
    let mut link = come_in(&Way::through(gateway, namespace, &name)).await?;
    while !link.shown.contains(&b'$') {
        link.read().await?;
    }
    let until_prompt = started.elapsed();
    drop(link);
    remove(namespace, &name).await?;
    Ok((until_ready, until_prompt))
}

/// Connects as a page does: a gateway that has not heard of the pod's readiness yet asks to come again.
async fn come_in(way: &Way) -> Result<Link> {
    let mut refusals = 0;
    loop {
        match Link::open(way, None).await {
            Ok(link) => return Ok(link),
            Err(error) if refusals == REFUSALS => return Err(error.context("come in")),
            Err(_) => {
                refusals += 1;
                tokio::time::sleep(HINT).await;
            }
        }
    }
}

pub(crate) async fn remove(namespace: &Namespace, name: &str) -> Result<()> {
    let (pods, pod) = (namespace.api::<Pod>(), format!("{name}-session"));
    namespace.api::<Session>().delete(name, &DeleteParams::default()).await?;
    wait_gone(&namespace.api::<Session>(), name).await?;
    // The garbage collector may have been faster.
    let _ = pods.delete(&pod, &DeleteParams::default().grace_period(0)).await;
    wait_gone(&pods, &pod).await
}
