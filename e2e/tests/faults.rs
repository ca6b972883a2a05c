//! What breaks, and what stands afterwards: the desired state, no orphan, no doubled pod, shell output without a
//! gap or a repeat. These tests disturb others, so they run in a binary of their own, one after another.

#[path = "faults/chat.rs"]
mod chat;
#[path = "faults/network.rs"]
mod network;
#[path = "faults/runs.rs"]
mod runs;

use std::sync::LazyLock;

use anyhow::{Result, ensure};
use fabrica_crds::run::Phase;
use fabrica_e2e::archive::{await_recorded, check_numbers, messages};
use fabrica_e2e::cluster::{
    Cluster, SYSTEM_NAMESPACE, eventually, is_ready, wait_for, with_namespace,
};
use fabrica_e2e::git_server::GitServer;
use fabrica_e2e::processes::kill_pod;
use fabrica_e2e::run::{causes, condition, phase_of};
use fabrica_e2e::terminal::Terminal;
use fabrica_e2e::{Gateway, Namespace};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};

/// One disturbance at a time, and each begins when all that the one before it took down stands again.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);
    let guard = ALONE.lock().await;
    eventually("what was taken down stands again", || async { Ok(stands().await?.then_some(())) })
        .await
        .expect("our own parts");
    guard
}

/// Whether all of our own pods are there and ready, and the Service leads to none that is gone.
async fn stands() -> Result<bool> {
    /// Each on a connection of its own: enough to meet every replica.
    const LOOKS: usize = 10;
    let cluster = Cluster::connect().await?;
    let everything = ListParams::default();
    let deployments = cluster.api::<Deployment>(SYSTEM_NAMESPACE).list(&everything).await?;
    let sets = cluster.api::<StatefulSet>(SYSTEM_NAMESPACE).list(&everything).await?;
    let wanted: i32 = deployments
        .iter()
        .filter_map(|deployment| deployment.spec.as_ref()?.replicas)
        .chain(sets.iter().filter_map(|set| set.spec.as_ref()?.replicas))
        .sum();
    let pods = cluster.api::<Pod>(SYSTEM_NAMESPACE).list(&everything).await?.items;
    let ready = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none() && is_ready(pod))
        .count();
    if pods.len() != ready || usize::try_from(wanted)? != ready {
        return Ok(false);
    }
    // A pod that was deleted at once answers until it has ended, and its address stands until a controller takes it off.
    let here = |address: &String| {
        pods.iter().any(|pod| {
            pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()) == Some(address)
        })
    };
    let slices = cluster.api::<EndpointSlice>(SYSTEM_NAMESPACE).list(&everything).await?;
    let mut endpoints = slices.items.iter().flat_map(|slice| &slice.endpoints);
    if !endpoints.all(|endpoint| endpoint.addresses.iter().all(here)) {
        return Ok(false);
    }
    for _ in 0..LOOKS {
        let health = Gateway::new(None)?.request(reqwest::Method::GET, "/health").send().await?;
        ensure!(health.status() == 200, "{}", health.status());
    }
    Ok(true)
}

/// Ends a pod as fast as it can be asked to: what runs in it may still step down. [`kill_pod`] lets nothing say goodbye.
fn at_once() -> DeleteParams {
    DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() }
}

#[tokio::test]
async fn the_operator_may_be_killed_at_every_step_of_a_create() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        // Each round kills it a little later: nothing made, some of it made, pod starting, Ready. The next leads when the
        // Lease is over.
        let steps = [0, 40, 160, 640];
        for step in steps {
            let name = format!("killed-{step}");
            namespace.session(&name, json!({"workspace": {"size": "64Mi"}})).await?;
            let step = tokio::time::Duration::from_millis(step);
            let (pods, pod) = (namespace.api::<Pod>(), format!("{name}-session"));
            let _ = tokio::time::timeout(step, wait_for(&pods, &pod, "made", |pod| pod.is_some()))
                .await;
            for pod in namespace.cluster.component_pods("operator").await? {
                kill_pod(&namespace.cluster, &pod).await?;
            }
            namespace.await_ready(&name).await?;
        }
        let pods = namespace.api::<Pod>().list(&ListParams::default()).await?.items;
        ensure!(pods.len() == steps.len(), "{} pods for {} Sessions", pods.len(), steps.len());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_run_ends_right_though_the_operator_goes_in_its_middle() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        let server = GitServer::start().await?;
        server.repository("moved", &[("README.md", "hello")]).await?;
        // Long enough for three operators; one may go before it leads.
        let block = "```sh\nsleep 1; echo step >> steps\n```\n";
        let spec = json!({"plan": block.repeat(8), "agent": {"driver": "Script"},
            "repository": {"url": server.url("moved")}});
        namespace.run("moved", spec).await?;
        for _ in 0..3 {
            namespace.await_phase("moved", Phase::Running).await?;
            for pod in namespace.cluster.component_pods("operator").await? {
                let pods = namespace.cluster.api::<Pod>(SYSTEM_NAMESPACE);
                pods.delete(&pod.name_any(), &at_once()).await?;
            }
        }
        let run = namespace.await_end("moved").await?;
        ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);
        ensure!(causes(&run) == ["Succeeded"], "{:?}", run.status);
        let branch = run.status.and_then(|status| status.branch).unwrap_or_default();
        let steps = server.ask("moved", &["show", &format!("{branch}:steps")]).await?;
        ensure!(steps.unwrap_or_default().lines().count() == 8, "each block ran once");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_away_holds_no_run_up_and_misses_nothing() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        let server = GitServer::start().await?;
        server.repository("away", &[("README.md", "hello")]).await?;
        let spec = json!({"plan": "# Go on\n\n```sh\nseq 100; echo done > done\n```\n",
            "agent": {"driver": "Script"}, "repository": {"url": server.url("away")}});
        scale_database(&namespace.cluster, 0).await?;
        namespace.run("away", spec).await?;
        let ended = namespace.await_end("away").await;
        let behind = await_recorded(&namespace, "away", "False").await;
        scale_database(&namespace.cluster, 1).await?;
        ensure!(phase_of(&ended?) == Some(Phase::Completed));
        let told = behind?;
        let told = condition(&told, "Recorded").map(|found| found.message.clone());
        ensure!(told.as_ref().is_some_and(|told| told.contains("database")), "{told:?}");
        let run = await_recorded(&namespace, "away", "True").await?;
        let rows = messages(&run).await?;
        check_numbers(&rows)?;
        ensure!(rows.last().is_some_and(|row| row.r#type == "completion"), "{rows:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn two_operators_make_one_pod() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        scale(&namespace.cluster, "fabrica-operator", 2).await?;
        for round in 0..3 {
            let name = format!("pair-{round}");
            namespace.session(&name, json!({})).await?;
            let holder = live_leader(&namespace.cluster).await?;
            // The leader goes; its place is taken, and the Lease says by whom.
            namespace.cluster.api::<Pod>(SYSTEM_NAMESPACE).delete(&holder, &at_once()).await?;
            namespace.await_ready(&name).await?;
        }
        let pods = namespace.api::<Pod>().list(&ListParams::default()).await?.items;
        ensure!(pods.len() == 3, "{} pods for 3 Sessions", pods.len());
        scale(&namespace.cluster, "fabrica-operator", 1).await
    })
    .await;
}

#[tokio::test]
async fn a_leader_that_loses_its_lease_steps_down() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        let leases = namespace.cluster.api::<Lease>(SYSTEM_NAMESPACE);
        let stolen = Patch::Merge(
            json!({"spec": {"holderIdentity": "a-stranger", "leaseDurationSeconds": 15}}),
        );
        leases.patch("fabrica-operator", &PatchParams::default(), &stolen).await?;
        wait_for(&leases, "fabrica-operator", "taken back", |lease: Option<&Lease>| {
            lease
                .and_then(|lease| lease.spec.as_ref()?.holder_identity.as_deref())
                .is_some_and(|holder| holder.starts_with("fabrica-operator"))
        })
        .await?;
        namespace.ready_session("after", json!({})).await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_gateway_killed_under_a_live_terminal_costs_no_byte() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        namespace.ready_session("live", json!({})).await?;
        let mut terminal = counting(&namespace, "live").await?;
        for _ in 0..4 {
            terminal.read_some().await?;
            for pod in namespace.cluster.component_pods("gateway").await?.iter().take(1) {
                kill_pod(&namespace.cluster, pod).await?;
            }
            terminal.resume().await?;
        }
        check_count(&mut terminal).await
    })
    .await;
}

#[tokio::test]
async fn a_container_runtime_restarted_keeps_the_shell() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        namespace.ready_session("runtime", json!({})).await?;
        let mut terminal = counting(&namespace, "runtime").await?;
        cluster_part("restart", "containerd").await?;
        check_count(&mut terminal).await?;
        namespace.ready_session("fresh", json!({})).await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_api_server_away_for_twenty_seconds_costs_nothing() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        namespace.ready_session("before", json!({})).await?;
        let mut terminal = counting(&namespace, "before").await?;
        cluster_part("stop", "kube-apiserver").await?;
        let away = tokio::time::Duration::from_secs(20);
        // Not a wait for something: the absence itself is the test.
        let silence = tokio::time::timeout(away, std::future::pending::<()>()).await;
        let back = cluster_part("start", "kube-apiserver").await;
        ensure!(silence.is_err());
        back?;
        check_count(&mut terminal).await?;
        eventually("a new Session becomes Ready", || async {
            namespace.session("after", json!({})).await.map(Some)
        })
        .await?;
        namespace.await_ready("after").await?;
        namespace.await_ready("before").await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn keys_rotate_under_live_sockets() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        namespace.ready_session("keys", json!({})).await?;
        let mut terminal = counting(&namespace, "keys").await?;
        let annotation = |pod: &Pod| pod.annotations().get("fabrica.dev/trust-keys").cloned();
        let before = annotation(&namespace.api::<Pod>().get("keys-session").await?);
        let rotate = Patch::Merge(json!({"metadata": {"annotations": {"fabrica.dev/rotate": chrono::Utc::now().to_rfc3339()}}}));
        namespace
            .cluster
            .api::<Secret>(SYSTEM_NAMESPACE)
            .patch("fabrica-trust", &PatchParams::default(), &rotate)
            .await?;
        wait_for(&namespace.api::<Pod>(), "keys-session", "told of the new key", |pod: Option<&Pod>| {
            pod.is_some_and(|pod| annotation(pod) != before)
        })
        .await?;
        for _ in 0..3 {
            terminal.resume().await?;
        }
        check_count(&mut terminal).await
    })
    .await;
}

/// Here and not beside the other tests, whose logins it would slow down too.
#[tokio::test]
async fn guessing_tokens_is_slowed_down() {
    let _alone = alone().await;
    with_namespace(|_| async move {
        /// Many more than a person types, few enough to end soon.
        const GUESSES: usize = 200;
        let stranger = Gateway::new(None)?;
        for guess in 0..GUESSES {
            let answer = stranger
                .request(reqwest::Method::POST, "/api/v1/login")
                .header("content-type", "application/json")
                .header("origin", &stranger.url)
                .body(json!({"token": format!("guess-{guess}")}).to_string())
                .send()
                .await?;
            if answer.status() == 429 {
                ensure!(answer.headers().contains_key("retry-after"));
                return Ok(());
            }
            ensure!(answer.status() == 401, "{}", answer.status());
        }
        anyhow::bail!("{GUESSES} guesses were all answered")
    })
    .await;
}

/// How far the shells count: long enough to be under way while things break.
const COUNT: usize = 40_000;

/// A terminal whose shell is counting.
async fn counting(namespace: &Namespace, session: &str) -> Result<Terminal> {
    let token = namespace.user("counter", "edit").await?;
    let gateway = Gateway::new(Some(&token))?;
    let mut terminal = Terminal::connect(&gateway, &namespace.name, session).await?;
    let command =
        format!("stty -echo; for i in $(seq {COUNT}); do echo \"n=$i\"; done; echo all-counted");
    terminal.type_line(&command).await?;
    // Whoever has seen nothing yet is a newcomer when it comes back, and is shown the end alone.
    terminal.read_until("n=1\r").await?;
    Ok(terminal)
}

/// Reads to the end of the count: every number once, in order.
async fn check_count(terminal: &mut Terminal) -> Result<()> {
    let text = terminal.read_until("\nall-counted").await?;
    let numbers: Vec<usize> =
        // The shell's own sequences stand before the first line, ended by a carriage return or a bell.
        text.split(['\r', '\n', '\u{7}']).filter_map(|line| line.strip_prefix("n=")?.parse().ok()).collect();
    ensure!(numbers.len() == COUNT, "{} of {COUNT} numbers arrived", numbers.len());
    ensure!(numbers.iter().copied().eq(1..=COUNT), "a number is missing or doubled");
    Ok(())
}

/// The pod that leads: a holder that was killed keeps the Lease for a while, but is no pod any more.
async fn live_leader(cluster: &Cluster) -> Result<String> {
    eventually("a leader that lives", || async {
        let lease = cluster.api::<Lease>(SYSTEM_NAMESPACE).get("fabrica-operator").await?;
        let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
        let pods = cluster.component_pods("operator").await?;
        Ok(pods.iter().any(|pod| pod.name_any() == holder).then_some(holder))
    })
    .await
}

async fn scale_database(cluster: &Cluster, replicas: i32) -> Result<()> {
    let sets = cluster.api::<StatefulSet>(SYSTEM_NAMESPACE);
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    sets.patch("fabrica-database", &PatchParams::default(), &patch).await?;
    wait_for(&sets, "fabrica-database", "scaled", |set: Option<&StatefulSet>| {
        set.and_then(|set| set.status.as_ref()).is_some_and(|status| {
            status.ready_replicas.unwrap_or(0) == replicas && status.replicas == replicas
        })
    })
    .await?;
    Ok(())
}

async fn scale(cluster: &Cluster, name: &str, replicas: i32) -> Result<()> {
    let deployments = cluster.api::<Deployment>(SYSTEM_NAMESPACE);
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    deployments.patch(name, &PatchParams::default(), &patch).await?;
    wait_for(&deployments, name, "scaled", |deployment: Option<&Deployment>| {
        deployment.and_then(|deployment| deployment.status.as_ref()).is_some_and(|status| {
            status.ready_replicas.unwrap_or(0) == replicas
                && status.replicas.unwrap_or(0) == replicas
        })
    })
    .await?;
    Ok(())
}

/// Stops, starts, restarts, freezes or thaws one part of the local cluster.
async fn cluster_part(action: &str, part: &str) -> Result<()> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/part");
    let output = tokio::process::Command::new(script).args([action, part]).output().await?;
    ensure!(
        output.status.success(),
        "{action} {part}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
