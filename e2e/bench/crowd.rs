//! How long a message takes from a client through one gateway to the agent's standard input, and what the agent says back to
//! the client, when many others are connected to that gateway.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
/// Messages that are timed: enough for a 99th percentile. Those before them warm the way up.
const TIMED: u64 = 1_000;
const WARM_UP: u64 = 20;
/// Between two of them. One after the other without it, all would fall into a fifth of a second, and a single pass of
/// somebody else on the machine would be the percentile.
const PAUSE: Duration = Duration::from_millis(10);
/// Each of the others says something so often.
const PERIOD: Duration = Duration::from_secs(1);
/// The Session whose messages are timed. Its one client is alone in it: what it says goes to nobody else, so that what is
/// measured is the gateway and not how many hear it.
const FIRST: &str = "crowd";
/// Its agent's program, and where it is found: in the repository, as the image has none.
const AGENT: (&str, &str) = ("bin/claude", include_str!("echo.cjs"));
const AGENT_PATH: &str = "/workspace/repo/bin:/usr/local/bin:/usr/bin:/bin";

/// A Chat with an agent that answers at once, and beside it Chats whose image has none.
pub(crate) async fn measure(namespace: &Namespace, table: &Table) -> Result<()> {
    let server = GitServer::start().await?;
    server.repository("crowd", &[("README.md", "hello"), AGENT]).await?;
    let spec = json!({"mode": "Chat", "workflow": "None", "image": image(namespace).await?,
        "credentialsRef": {"name": "agent"}, "repository": {"url": server.url("crowd")}});
    let mut first = spec.clone();
    first["env"] = json!([{"name": "PATH", "value": AGENT_PATH}]);
    namespace.session(FIRST, first).await?;
    // The crowd has to fit on a node. Who asks for next to nothing gets it when others are busy, so the Session whose
    // messages are timed asks for what every Session does.
    let mut small = spec;
    small["resources"] = json!({"requests": {"cpu": "1m", "memory": "16Mi"}});
    let sessions = (CLIENTS - 1).div_ceil(OF_A_SESSION);
    for number in 0..sessions {
        namespace.session(&name(number), small.clone()).await?;
    }
    namespace.await_ready(FIRST).await?;
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
    for number in 0..CLIENTS - 1 {
        if number % (OF_A_SESSION * SESSIONS_OF_A_USER) == 0 {
            token = namespace.user(&format!("crowd-{number}"), "edit").await?;
        }
        let socket = come(&namespace.name, &url, &token, &name(number / OF_A_SESSION)).await?;
        others.spawn(talk(socket));
    }
    let crowded = samples(&first).await?;
    let gone = others.try_join_next().is_some();
    for (what, of) in [
        ("of that, from the client to the agent's standard input (p99, 500 clients)", Leg::There),
        ("of that, from the agent's standard output to the client (p99, 500 clients)", Leg::Back),
    ] {
        let (one, many) = (leg(&alone, of), leg(&crowded, of));
        table.add(Row {
            what,
            measured: milliseconds(percentile(&many, 99)),
            ceiling: 0.0,
            unit: "ms",
            kind: Kind::Note,
            detail: format!(
                "one p99 {:.2} ms, {}; 500 {}",
                milliseconds(percentile(&one, 99)),
                describe(&one),
                describe(&many)
            ),
        });
    }
    let (alone, crowded) = (leg(&alone, Leg::Both), leg(&crowded, Leg::Both));
    let (one, many) = (percentile(&alone, 99), percentile(&crowded, 99));
    table.add(Row {
        what: "a message through one gateway to the agent and back, p99 with 500 clients against one",
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

/// A client of a Session.
async fn come(namespace: &str, url: &str, token: &str, session: &str) -> Result<Socket> {
    let gateway = Gateway::at(url, Some(token));
    let path = path(namespace, session);
    let mut socket = open(&gateway, &path, Some(PROTOCOL)).await?;
    send(&mut socket, &json!({"type": "hello"})).await?;
    until(&mut socket, |it| it["type"] == "caught_up").await?;
    Ok(socket)
}

/// What each of the others does: it says what the runtime answers by itself.
async fn talk(mut socket: Socket) -> Result<()> {
    let mut ticks = tokio::time::interval(PERIOD);
    for number in 0_u64.. {
        ticks.tick().await;
        let nonce = number.to_string();
        send(&mut socket, &json!({"type": "ping", "nonce": nonce})).await?;
        let is_back = |it: &Value| it["type"] == "pong" && it["nonce"] == nonce.as_str();
        until(&mut socket, is_back).await?;
    }
    Ok(())
}

/// When a message was sent, when the agent had read it, and when its answer was here: by the node's one clock, since 1970.
#[derive(Debug, Clone, Copy)]
struct Sample {
    sent: Duration,
    read: Duration,
    back: Duration,
}

/// Which part of the way.
#[derive(Debug, Clone, Copy)]
enum Leg {
    There,
    Back,
    Both,
}

fn leg(samples: &[Sample], of: Leg) -> Vec<Duration> {
    let took = |sample: &Sample| match of {
        Leg::There => sample.read.saturating_sub(sample.sent),
        Leg::Back => sample.back.saturating_sub(sample.read),
        Leg::Both => sample.back.saturating_sub(sample.sent),
    };
    samples.iter().map(took).collect()
}

fn now() -> Result<Duration> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?)
}

/// Says something to the agent, and waits until it has answered and rests.
async fn say(socket: &mut Socket) -> Result<Sample> {
    let id = uuid::Uuid::new_v4().to_string();
    let sent = now()?;
    send(socket, &json!({"type": "user_message", "id": id, "content": id})).await?;
    let is_answer = |it: &Value| {
        let content = it["content"].as_str().unwrap_or_default();
        it["type"] == "claude_message" && content.starts_with(&id)
    };
    let answer = until(socket, is_answer).await?;
    let back = now()?;
    let words = answer["content"].as_str().unwrap_or_default();
    let read = words.rsplit(' ').next().and_then(|word| word.parse().ok());
    let read = Duration::from_micros(read.with_context(|| format!("when it was read: {words}"))?);
    until(socket, |it| it["id"] == id.as_str() && it["state"] == "completed").await?;
    Ok(Sample { sent, read, back })
}

/// Where samples are asked for.
type First = mpsc::Sender<oneshot::Sender<Result<Vec<Sample>>>>;

/// The client whose messages are timed: on a thread of its own, so that it waits for the gateway and not for the crowd's turn
/// in this program.
fn first(namespace: String, url: String, token: String) -> First {
    let (ask, mut asked) = mpsc::channel::<oneshot::Sender<Result<Vec<Sample>>>>(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut socket = None;
            while let Some(answer) = asked.recv().await {
                let samples = async {
                    if socket.is_none() {
                        socket = Some(come(&namespace, &url, &token, FIRST).await?);
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

async fn samples(first: &First) -> Result<Vec<Sample>> {
    let (answer, answered) = oneshot::channel();
    first.send(answer).await.context("the first client is gone")?;
    answered.await.context("the first client is gone")?
}

async fn timed(socket: &mut Socket) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    let mut ticks = tokio::time::interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0..WARM_UP + TIMED {
        ticks.tick().await;
        let sample = say(socket).await?;
        if number >= WARM_UP {
            samples.push(sample);
        }
    }
    Ok(samples)
}
