//! What the parts hold in memory.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fabrica_crds::Session;
use fabrica_e2e::cluster::{DEADLINE, SYSTEM_NAMESPACE, wait_for};
use fabrica_e2e::session::condition;
use fabrica_e2e::{Gateway, Namespace};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::json;

use crate::link::{Link, Way};
use crate::node;
use crate::stats::count;
use crate::table::{Kind, Row, Table};

/// Sessions that idle connections go to, and how many to each: what one Session admits.
const SESSIONS: usize = 8;
const CLIENTS: usize = 16;

/// Sessions of one user: a user may have 64 connections.
const SESSIONS_OF_A_USER: usize = 4;

/// Sessions that the operator holds when it is measured.
const MANY: usize = 200;

/// Requests on their way at once.
const PARALLEL: usize = 16;

/// After this long without work a process counts as idle.
const IDLE: Duration = Duration::from_secs(3);

/// Between two looks at many Sessions.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// Measures runtime, gateway and operator.
pub(crate) async fn measure(namespace: &Namespace, table: &Table) -> Result<()> {
    let small = json!({"resources": {"requests": {"cpu": "10m", "memory": "32Mi"}}});
    for number in 0..SESSIONS {
        namespace.session(&name(number), small.clone()).await?;
    }
    for number in 0..SESSIONS {
        namespace.await_ready(&name(number)).await?;
    }
    runtime(namespace, table).await?;
    let measured = Box::pin(gateway(namespace, table)).await;
    let pods = namespace.cluster.api::<Pod>(SYSTEM_NAMESPACE);
    let _ = pods.delete(&replica(namespace), &DeleteParams::default().grace_period(0)).await;
    measured?;
    namespace
        .api::<Session>()
        .delete_collection(&DeleteParams::default(), &ListParams::default())
        .await?;
    operator(namespace, table).await
}

fn name(number: usize) -> String {
    format!("memory-{number}")
}

async fn runtime(namespace: &Namespace, table: &Table) -> Result<()> {
    tokio::time::sleep(IDLE).await;
    let pod = namespace.api::<Pod>().get(&format!("{}-session", name(0))).await?;
    table.add(Row {
        what: "runtime's memory (RssAnon), idle with one terminal",
        measured: node::memory(&pod, "RssAnon")? / 1024.0,
        ceiling: 4.0,
        unit: "MiB",
        kind: Kind::Ceiling,
        detail: "a new Session nobody has attached to".to_owned(),
    });
    Ok(())
}

pub(crate) fn replica(namespace: &Namespace) -> String {
    format!("bench-gateway-{}", namespace.name)
}

/// A gateway of its own, so that neither other clients nor memory that was freed before are in the figure.
pub(crate) async fn start_replica(namespace: &Namespace) -> Result<Pod> {
    let cluster = &namespace.cluster;
    let deployment = cluster.api::<Deployment>(SYSTEM_NAMESPACE).get("fabrica-gateway").await?;
    let spec = deployment.spec.and_then(|spec| spec.template.spec).context("a pod template")?;
    let name = replica(namespace);
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {
            "app.kubernetes.io/name": "fabrica-bench", "app.kubernetes.io/component": "gateway",
        }},
        "spec": spec,
    }))?;
    let pods = cluster.api::<Pod>(SYSTEM_NAMESPACE);
    pods.create(&PostParams::default(), &pod).await?;
    let ready = |pod: Option<&Pod>| {
        let status = pod.and_then(|pod| pod.status.as_ref());
        let conditions = status.and_then(|status| status.conditions.as_ref());
        conditions.into_iter().flatten().any(|one| one.type_ == "Ready" && one.status == "True")
    };
    wait_for(&pods, &name, "Ready", ready).await?.context("the gateway vanished")
}

async fn gateway(namespace: &Namespace, table: &Table) -> Result<()> {
    let pod = start_replica(namespace).await?;
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref());
    let url = format!("http://{}:8080", address.context("the gateway's address")?);
    let mut links = Vec::new();
    let mut before = 0.0;
    for number in 0..SESSIONS {
        if number % SESSIONS_OF_A_USER == 0 {
            namespace.user(&format!("bench-{number}"), "edit").await?;
        }
        let account = format!("bench-{}", number - number % SESSIONS_OF_A_USER);
        let token = namespace.cluster.token(&namespace.name, &account).await?;
        let way = Way::through(&Gateway::at(&url, Some(&token)), namespace, &name(number));
        for _ in 0..CLIENTS {
            links.push(Link::open(&way, None).await?);
        }
        if number == 0 {
            // The first Session's connections warm up what is there once, however many come.
            tokio::time::sleep(IDLE).await;
            before = node::memory(&pod, "RssAnon")?;
        }
    }
    tokio::time::sleep(IDLE).await;
    let after = node::memory(&pod, "RssAnon")?;
    let counted = links.len() - CLIENTS;
    table.add(Row {
        what: "gateway's memory for an idle connection",
        measured: (after - before) / count(counted),
        ceiling: 20.0,
        unit: "KiB",
        kind: Kind::Ceiling,
        detail: format!(
            "RssAnon {before} → {after} KiB with {counted} more terminals at a replica of its own"
        ),
    });
    Ok(())
}

/// Waits until the operator has said something of every Session. Whether it does in time is a figure, not an error:
/// it holds all of them from the moment they exist.
async fn settle(namespace: &Namespace, table: &Table) -> Result<()> {
    let started = Instant::now();
    let told = loop {
        let sessions = namespace.api::<Session>().list(&ListParams::default()).await?.items;
        let known = |session: &&Session| {
            session.name_any().starts_with("many-") && condition(session, "Ready").is_some()
        };
        let told = sessions.iter().filter(known).count();
        if told == MANY || started.elapsed() > DEADLINE {
            break told;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    };
    table.add(Row {
        what: "200 Sessions that no node takes, created at once → each says why",
        measured: started.elapsed().as_secs_f64(),
        ceiling: 0.0,
        unit: "s",
        kind: Kind::Note,
        detail: format!("{told} of {MANY} did within {} s", DEADLINE.as_secs()),
    });
    Ok(())
}

async fn operator(namespace: &Namespace, table: &Table) -> Result<()> {
    // On no node: what the operator holds for a Session does not depend on its pod's running.
    let spec = json!({"podTemplate": {"nodeSelector": {"fabrica.dev/bench": "nowhere"}}});
    let creations = (0..MANY).map(|number| {
        let spec = spec.clone();
        async move { namespace.session(&format!("many-{number}"), spec).await }
    });
    futures::stream::iter(creations).buffer_unordered(PARALLEL).try_collect::<Vec<_>>().await?;
    settle(namespace, table).await?;
    tokio::time::sleep(IDLE).await;
    let (mut whole, mut own) = (0.0_f64, 0.0_f64);
    for pod in namespace.cluster.component_pods("operator").await? {
        whole = whole.max(node::memory(&pod, "VmRSS")? / 1024.0);
        own = own.max(node::memory(&pod, "RssAnon")? / 1024.0);
    }
    table.add(Row {
        what: "operator's memory (RSS) with 200 Sessions",
        measured: whole,
        ceiling: 40.0,
        unit: "MiB",
        kind: Kind::Ceiling,
        detail: format!("of these {own:.1} MiB its own (RssAnon), the rest pages of its program"),
    });
    let parameters = DeleteParams::default();
    namespace.api::<Session>().delete_collection(&parameters, &ListParams::default()).await?;
    Ok(())
}
