//! What a Chat costs: its start beside a bare pod's, its memory, and what many clients of one gateway do to each other.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fabrica_e2e::chat::{Chat, path};
use fabrica_e2e::forge::Forge;
use fabrica_e2e::terminal::open;
use fabrica_e2e::{Gateway, Namespace};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::local::{self, PROTOCOL};
use crate::runs::idle;
use crate::start::{at_another_moment, remove, start_pod};
use crate::stats::{describe, median};
use crate::table::{Kind, Row, Table};
use crate::{crowd, node};

/// Starts of each kind.
const ROUNDS: usize = 40;
/// The agent's own start is most of it.
const CEILING: f64 = 1_600.0;
/// Between two attempts to come in: short beside what is measured.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) async fn measure(namespace: &Namespace, table: &Table) -> Result<()> {
    let forge = Forge::new()?;
    namespace.agent_secret(&forge).await?;
    let repository = forge.repository().await?;
    let spec = json!({"mode": "Chat", "workflow": "None", "credentialsRef": {"name": "agent"},
        "repository": {"url": repository.url, "forge": "Gitea"}});
    let gateway = Gateway::new(Some(&namespace.user("bench", "edit").await?))?;
    let outcome = async {
        start(namespace, &gateway, &spec, table).await?;
        memory(namespace, &gateway, &spec, table).await
    };
    let outcome = outcome.await;
    forge.delete(&repository).await?;
    outcome?;
    Box::pin(crowd::measure(namespace, table)).await
}

/// Interleaves Chats and bare pods, and compares their medians.
async fn start(
    namespace: &Namespace,
    gateway: &Gateway,
    spec: &Value,
    table: &Table,
) -> Result<()> {
    namespace.ready_session("model", spec.clone()).await?;
    let bare = idle(&namespace.api::<Pod>().get("model-session").await?)?;
    remove(namespace, "model").await?;
    let (mut pods, mut ready, mut begun) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            pods.push(start_pod(namespace, &bare, round).await?);
        }
        let (until_ready, until_begun) = start_chat(namespace, gateway, spec, round).await?;
        ready.push(until_ready);
        begun.push(until_begun);
        if round % 2 == 1 {
            pods.push(start_pod(namespace, &bare, round).await?);
        }
    }
    let floor = median(&pods).as_secs_f64();
    table.add(Row {
        what: "Chat created → Ready, against a bare pod (p50)",
        measured: median(&ready).as_secs_f64() / floor,
        ceiling: 1.15,
        unit: "×",
        kind: Kind::Ceiling,
        detail: format!("Chat {}; bare pod {}", describe(&ready), describe(&pods)),
    });
    table.add(Row {
        what: "Chat created → its agent listens, above a bare pod's Ready (p50)",
        measured: (median(&begun).as_secs_f64() - floor) * 1_000.0,
        ceiling: CEILING,
        unit: "ms",
        kind: Kind::Ceiling,
        detail: format!("Chat {}; bare pod {}", describe(&begun), describe(&pods)),
    });
    Ok(())
}

async fn start_chat(
    namespace: &Namespace,
    gateway: &Gateway,
    spec: &Value,
    round: usize,
) -> Result<(Duration, Duration)> {
    let name = format!("bench-{round}");
    at_another_moment(round).await;
    let started = Instant::now();
    namespace.session(&name, spec.clone()).await?;
    namespace.await_ready(&name).await?;
    let until_ready = started.elapsed();
    let until_begun = loop {
        if let Ok(()) = listens(gateway, &path(&namespace.name, &name)).await {
            break started.elapsed();
        }
        // A gateway that has not heard of the pod yet.
        tokio::time::sleep(PAUSE).await;
    };
    remove(namespace, &name).await?;
    Ok((until_ready, until_begun))
}

/// Waits on a socket of a chat until its agent has nothing to do.
async fn listens(gateway: &Gateway, path: &str) -> Result<()> {
    let mut socket = open(gateway, path, Some(PROTOCOL)).await?;
    local::send(&mut socket, &json!({"type": "hello"})).await?;
    let is_idle = |it: &Value| match it["type"].as_str() {
        Some("welcome") => it["agent"] == "idle",
        Some("agent") => it["state"] == "idle",
        _ => false,
    };
    local::until(&mut socket, is_idle).await.map(|_| ())
}

/// What the runtime holds beside an agent that works.
async fn memory(
    namespace: &Namespace,
    gateway: &Gateway,
    spec: &Value,
    table: &Table,
) -> Result<()> {
    namespace.ready_session("memory", spec.clone()).await?;
    let mut chat = Chat::connect(gateway, &namespace.name, "memory").await?;
    chat.say("m-1", "Look.\nscenario: long-tool").await?;
    chat.until("the tool", |it| it["kind"] == "tool_use").await?;
    let pod = namespace.api::<Pod>().get("memory-session").await.context("its pod")?;
    table.add(Row {
        what: "runtime's memory (RssAnon) beside the agent of a chat at work",
        measured: node::memory(&pod, "RssAnon")? / 1024.0,
        ceiling: 14.0,
        unit: "MiB",
        kind: Kind::Ceiling,
        detail: "while the real agent runs a tool; one client, one terminal".to_owned(),
    });
    remove(namespace, "memory").await
}
