//! How long a message takes through one gateway when many others are connected to it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fabrica_e2e::chat::path;
use fabrica_e2e::cluster::SYSTEM_NAMESPACE;
use fabrica_e2e::git_server::GitServer;
use fabrica_e2e::terminal::{Socket, open};
use fabrica_e2e::{Gateway, Namespace};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::local::{PROTOCOL, send, until};
use crate::memory::{replica, start_replica};
use crate::stats::{describe, milliseconds, percentile};
use crate::table::{Kind, Row, Table};

/// Clients of one gateway.
const CLIENTS: usize = 500;
/// As many as one Session admits, and Sessions of a user: a user may have 64 connections.
const OF_A_SESSION: usize = 16;
const SESSIONS_OF_A_USER: usize = 4;
/// Messages that are timed: enough for a 99th percentile.
const TIMED: u64 = 1_000;
/// Between two of them. One after the other without it, all would fall into a fifth of a second, and a single pass of
/// somebody else on the machine would be the percentile.
const PAUSE: Duration = Duration::from_millis(10);
/// Each of the others says something so often.
const PERIOD: Duration = Duration::from_secs(1);

/// Chats whose image has no agent: what is measured is the way to the runtime.
pub(crate) async fn measure(namespace: &Namespace, table: &Table) -> Result<()> {
    let server = GitServer::start().await?;
    server.repository("crowd", &[("README.md", "hello")]).await?;
    let spec = json!({"mode": "Chat", "workflow": "None", "image": image(namespace).await?,
        "repository": {"url": server.url("crowd")}});
    // The crowd has to fit on a node. Who asks for next to nothing gets it when others are busy, so the Session whose
    // messages are timed asks for what every Session does.
    let mut small = spec.clone();
    small["resources"] = json!({"requests": {"cpu": "1m", "memory": "16Mi"}});
    let sessions = CLIENTS.div_ceil(OF_A_SESSION);
    for number in 0..sessions {
        let spec = if number == 0 { &spec } else { &small };
        namespace.session(&name(number), spec.clone()).await?;
    }
    for number in 0..sessions {
        namespace.await_ready(&name(number)).await?;
    }
    let measured = Box::pin(through(namespace, table)).await;
    let pods = namespace.cluster.api::<Pod>(SYSTEM_NAMESPACE);
    let _ = pods.delete(&replica(namespace), &DeleteParams::default().grace_period(0)).await;
    measured
}

fn name(number: usize) -> String {
    format!("crowd-{number}")
}

/// The image of Terminals.
async fn image(namespace: &Namespace) -> Result<String> {
    let deployments = namespace.cluster.api::<Deployment>(SYSTEM_NAMESPACE);
    let found = deployments.get("fabrica-operator").await?;
    let pod = found.spec.and_then(|spec| spec.template.spec).context("a pod template")?;
    let variables = pod.containers.into_iter().next().and_then(|one| one.env).unwrap_or_default();
    let image = variables.into_iter().find(|one| one.name == "FABRICA_SESSION_IMAGE");
    image.and_then(|one| one.value).context("the operator knows the image of Sessions")
}

async fn through(namespace: &Namespace, table: &Table) -> Result<()> {
    let pod = start_replica(namespace).await?;
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref());
    let url = format!("http://{}:8080", address.context("the gateway's address")?);
    let mut token = namespace.user("crowd", "edit").await?;
    let first = first(namespace.name.clone(), url.clone(), token.clone());
    let alone = samples(&first).await?;
    // They end with the set.
    let mut others = JoinSet::new();
    for number in 1..CLIENTS {
        if number % (OF_A_SESSION * SESSIONS_OF_A_USER) == 0 {
            token = namespace.user(&format!("crowd-{number}"), "edit").await?;
        }
        let socket = come(&namespace.name, &url, &token, number).await?;
        others.spawn(talk(socket));
    }
    let crowded = samples(&first).await?;
    let gone = others.try_join_next().is_some();
    let (one, many) = (percentile(&alone, 99), percentile(&crowded, 99));
    table.add(Row {
        what: "a message through one gateway and back, p99 with 500 clients against one",
        measured: many.as_secs_f64() / one.as_secs_f64(),
        ceiling: 1.5,
        unit: "×",
        kind: Kind::Ceiling,
        detail: format!(
            "p99 {:.2} to {:.2} ms; one {}; 500, each at a message a second {}{}",
            milliseconds(one),
            milliseconds(many),
            describe(&alone),
            describe(&crowded),
            if gone { "; some were cut off" } else { "" }
        ),
    });
    Ok(())
}

/// A client of the Session that has a place for it.
async fn come(namespace: &str, url: &str, token: &str, number: usize) -> Result<Socket> {
    let gateway = Gateway::at(url, Some(token));
    let path = path(namespace, &name(number / OF_A_SESSION));
    let mut socket = open(&gateway, &path, Some(PROTOCOL)).await?;
    send(&mut socket, &json!({"type": "hello"})).await?;
    until(&mut socket, |it| it["type"] == "caught_up").await?;
    Ok(socket)
}

/// What each of the others does.
async fn talk(mut socket: Socket) -> Result<()> {
    let mut ticks = tokio::time::interval(PERIOD);
    for number in 0_u64.. {
        ticks.tick().await;
        say(&mut socket, number).await?;
    }
    Ok(())
}

/// A message that the runtime answers by itself.
async fn say(socket: &mut Socket, number: u64) -> Result<()> {
    let nonce = number.to_string();
    send(socket, &json!({"type": "ping", "nonce": nonce})).await?;
    until(socket, |it: &Value| it["type"] == "pong" && it["nonce"] == nonce.as_str()).await?;
    Ok(())
}

/// Where samples are asked for.
type First = mpsc::Sender<oneshot::Sender<Result<Vec<Duration>>>>;

/// The client whose messages are timed: on a thread of its own, so that it waits for the gateway and not for the crowd's turn
/// in this program.
fn first(namespace: String, url: String, token: String) -> First {
    let (ask, mut asked) = mpsc::channel::<oneshot::Sender<Result<Vec<Duration>>>>(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut socket = None;
            while let Some(answer) = asked.recv().await {
                let samples = async {
                    if socket.is_none() {
                        socket = Some(come(&namespace, &url, &token, 0).await?);
                    }
                    timed(socket.as_mut().context("a socket")?).await
                };
                let samples = samples.await;
                // Whoever asked may have given up.
                let _ = answer.send(samples);
            }
        });
        Ok::<_, std::io::Error>(())
    });
    ask
}

async fn samples(first: &First) -> Result<Vec<Duration>> {
    let (answer, answered) = oneshot::channel();
    first.send(answer).await.context("the first client is gone")?;
    answered.await.context("the first client is gone")?
}

async fn timed(socket: &mut Socket) -> Result<Vec<Duration>> {
    let mut samples = Vec::new();
    let mut ticks = tokio::time::interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0..TIMED {
        ticks.tick().await;
        let started = Instant::now();
        say(socket, number).await?;
        samples.push(started.elapsed());
    }
    Ok(samples)
}
