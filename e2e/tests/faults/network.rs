//! Terminals while the parts between them and their people come and go: gateways killed and rolled, an operator that is
//! away, an API server that hangs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fabrica_e2e::cluster::{Cluster, SYSTEM_NAMESPACE, eventually, wait_for, with_namespace};
use fabrica_e2e::helm::{RELEASE, install, present_values};
use fabrica_e2e::page::{PRINTER, Page};
use fabrica_e2e::person::{Person, plugin};
use fabrica_e2e::processes::kill_pod;
use fabrica_e2e::terminal::{Terminal, closed, open};
use fabrica_e2e::{Gateway, Namespace};
use fabrica_protocol::kterm::{SUBPROTOCOL, close};
use fabrica_protocol::trust::{KEYS, KeyDocument};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::sync::watch;

use super::{alone, check_count, cluster_part, counting, scale, stands};

/// Live terminals under a gateway that is killed. `FABRICA_TERMINALS` says otherwise.
const TERMINALS: usize = 200;
/// The same on a machine with less memory than this, where so many shells would not fit beside a cluster.
const FEW: usize = 64;
const ROOMY: u64 = 8 * 1024 * 1024;
/// As many as a Session may have.
const EACH: usize = 16;
/// What is remembered of rights and tokens is forgotten by then, and questions that hang are given up.
const FORGOTTEN: Duration = Duration::from_secs(15);

fn terminals() -> Result<usize> {
    if let Ok(text) = std::env::var("FABRICA_TERMINALS") {
        return text.parse().context("FABRICA_TERMINALS");
    }
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let total: u64 =
        total.and_then(|line| line.split_whitespace().next()).context("MemTotal")?.parse()?;
    Ok(if total < ROOMY { FEW } else { TERMINALS })
}

/// Lets time pass: what is absent meanwhile is the test.
async fn pass(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_killed_under_two_hundred_terminals_cost_no_byte() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        let mut pages = crowd(&namespace, terminals()?).await?;
        let count: usize = pages.len();
        let (stop, stopped) = watch::channel(false);
        let killing = async {
            let outcome = kill_each_gateway(&namespace.cluster).await;
            stop.send_replace(true);
            outcome
        };
        let living = pages.iter_mut().map(|page| page.live(stopped.clone()));
        let (killed, lived) = tokio::join!(killing, futures::future::try_join_all(living));
        killed?;
        lived?;
        let mut returns = Vec::new();
        for page in &mut pages {
            page.check_numbers().await?;
            returns.append(&mut page.returns);
        }
        returns.sort_unstable();
        // Both replicas were killed, so each connection was cut at least once.
        ensure!(returns.len() >= terminals()?, "{} returns in {count} Sessions", returns.len());
        // How long that may take is for `make bench-terminal` to say (6m), on a machine that does nothing else.
        let (p50, p99) = (returns[returns.len() / 2], returns[returns.len() * 99 / 100]);
        eprintln!("{} returns, p50 {p50:?}, p99 {p99:?}", returns.len());
        Ok(())
    })
    .await;
}

/// So many terminals that print, in as few Sessions as can hold them.
async fn crowd(namespace: &Namespace, count: usize) -> Result<Vec<Page>> {
    let gateway = Gateway::new(Some(&namespace.user("crowd", "edit").await?))?;
    let names: Vec<String> =
        (0..count.div_ceil(EACH)).map(|number| format!("crowd-{number}")).collect();
    for name in &names {
        namespace.session(name, json!({})).await?;
    }
    let mut pages = Vec::new();
    for (number, name) in names.iter().enumerate() {
        namespace.await_ready(name).await?;
        let terminals = EACH.min(count - number * EACH);
        let mut page = Page::open(&gateway, &namespace.name, name, terminals).await?;
        page.type_line(PRINTER).await?;
        page.read_until("begin\r\n").await?;
        pages.push(page);
    }
    Ok(pages)
}

/// Kills one replica after the other, each when all that stood before stands again.
async fn kill_each_gateway(cluster: &Cluster) -> Result<()> {
    for pod in cluster.component_pods("gateway").await? {
        kill_pod(cluster, &pod).await?;
        eventually("the gateways stand again", || async { Ok(stands().await?.then_some(())) })
            .await?;
    }
    Ok(())
}

/// A page with sixteen terminals, and sixteen people with `kubectl fabrica attach`, while helm replaces every gateway.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_under_live_terminals_costs_no_byte() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        let mut pages = crowd(&namespace, EACH).await?;
        namespace.ready_session("attached", json!({})).await?;
        let token = namespace.user("people", "edit").await?;
        let gateway = Gateway::new(Some(&token))?;
        drop(Page::open(&gateway, &namespace.name, "attached", EACH).await?);
        let mut people = Vec::new();
        for terminal in 1..=EACH {
            let arguments = ["attach", "attached", "--terminal", &terminal.to_string()];
            people.push(Person::at(&plugin(&namespace, &token, &arguments))?);
        }
        for person in &mut people {
            person.types(&format!("{PRINTER}\r"))?;
            person.sees("begin\r\n").await?;
        }
        let before = gateways(&namespace.cluster).await?;
        let (stop, stopped) = watch::channel(false);
        let upgrading = tokio::task::spawn_blocking(move || {
            let values = present_values()?;
            let upgraded =
                install(&["upgrade", RELEASE, "--set", "gateway.recheckSeconds=44"], &values);
            Ok::<_, anyhow::Error>((upgraded, values))
        });
        let living = pages.iter_mut().map(|page| page.live(stopped.clone()));
        let upgrading = async {
            let outcome = upgrading.await;
            stop.send_replace(true);
            outcome
        };
        let (upgraded, lived) = tokio::join!(upgrading, futures::future::try_join_all(living));
        let (upgraded, values) = upgraded??;
        let after = gateways(&namespace.cluster).await;
        let checked = check_everybody(&mut pages, &mut people).await;
        // Whatever came of it: the tests after this one find the release they know.
        install(&["upgrade", RELEASE], &values).context("put the release back")?;
        upgraded?;
        lived?;
        let after = after?;
        ensure!(before.iter().all(|name| !after.contains(name)), "{before:?} are {after:?}");
        checked
    })
    .await;
}

async fn gateways(cluster: &Cluster) -> Result<Vec<String>> {
    let pods = cluster.component_pods("gateway").await?;
    Ok(pods.iter().map(ResourceExt::name_any).collect())
}

async fn check_everybody(pages: &mut [Page], people: &mut [Person]) -> Result<()> {
    for page in pages {
        page.check_numbers().await?;
    }
    for (number, person) in people.iter_mut().enumerate() {
        person.check_numbers().await.with_context(|| format!("person {number}"))?;
    }
    Ok(())
}

/// An hour without an operator is not waited for. What can happen in one is made to happen: a key that it had published
/// begins to sign, both gateways start afresh, connections are cut, and somebody makes a Session.
#[tokio::test]
async fn terminals_need_no_operator() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        namespace.ready_session("alone", json!({})).await?;
        let mut terminal = counting(&namespace, "alone").await?;
        publish_a_key(&namespace, "alone-session").await?;
        scale(&namespace.cluster, "fabrica-operator", 0).await?;
        let lived = live_without_operator(&namespace, &mut terminal).await;
        scale(&namespace.cluster, "fabrica-operator", 1).await?;
        lived?;
        check_count(&mut terminal).await?;
        namespace.await_ready("orphan").await?;
        Ok(())
    })
    .await;
}

/// Asks for a new key, and waits until the pod was told of it.
async fn publish_a_key(namespace: &Namespace, pod: &str) -> Result<()> {
    let told = |pod: &Pod| pod.annotations().get("fabrica.dev/trust-keys").cloned();
    let before = told(&namespace.api::<Pod>().get(pod).await?);
    let wish = Patch::Merge(
        json!({"metadata": {"annotations": {"fabrica.dev/rotate": chrono::Utc::now().to_rfc3339()}}}),
    );
    let secrets = namespace.cluster.api::<Secret>(SYSTEM_NAMESPACE);
    secrets.patch("fabrica-trust", &PatchParams::default(), &wish).await?;
    wait_for(&namespace.api::<Pod>(), pod, "told of the new key", |pod: Option<&Pod>| {
        pod.is_some_and(|pod| told(pod) != before)
    })
    .await?;
    Ok(())
}

async fn live_without_operator(namespace: &Namespace, terminal: &mut Terminal) -> Result<()> {
    let cluster = &namespace.cluster;
    sign_with_the_newest_key(cluster).await?;
    for pod in cluster.component_pods("gateway").await? {
        kill_pod(cluster, &pod).await?;
    }
    for _ in 0..3 {
        // A pod learns a key within a minute, from its kubelet; until then it refuses, and a client tries again.
        terminal.resume().await?;
    }
    namespace.session("orphan", json!({})).await?;
    let gateway = Gateway::new(Some(&namespace.user("early", "edit").await?))?;
    // A replica that was killed may be asked for a moment longer.
    let (code, reason) = eventually("somebody is refused", || async {
        refusal(&gateway, namespace, "orphan").await.map(Some)
    })
    .await?;
    ensure!(code == close::NOT_READY && reason.contains("ra="), "{code} {reason}");
    Ok(())
}

/// As if the time had come from which the newest key signs.
async fn sign_with_the_newest_key(cluster: &Cluster) -> Result<()> {
    let secrets = cluster.api::<Secret>(SYSTEM_NAMESPACE);
    let secret = secrets.get("fabrica-trust").await?;
    let data = secret.data.unwrap_or_default();
    let keys = data.get(KEYS).context("the Secret has no keys")?;
    let mut document: KeyDocument = serde_json::from_slice(&keys.0)?;
    let newest = document.keys.iter_mut().max_by_key(|key| key.created_at).context("a key")?;
    newest.active_at = chrono::Utc::now();
    let keys = ByteString(serde_json::to_vec(&document)?);
    let patch = Patch::Merge(json!({"data": {KEYS: keys}}));
    secrets.patch("fabrica-trust", &PatchParams::default(), &patch).await?;
    Ok(())
}

/// An API server that hangs is worse than one that is gone: every question to it is open for as long as it is allowed.
#[tokio::test]
async fn an_api_server_that_hangs_stops_no_terminal() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        let mut pages = crowd(&namespace, EACH).await?;
        let page = pages.first_mut().context("a page")?;
        let gateway = Gateway::new(Some(&namespace.user("late", "edit").await?))?;
        cluster_part("freeze", "kube-apiserver").await?;
        let lived = live_while_it_hangs(&gateway, &namespace, page).await;
        cluster_part("thaw", "kube-apiserver").await?;
        lived?;
        let mut terminal = Terminal::connect(&gateway, &namespace.name, "crowd-0").await?;
        ensure!(terminal.run("echo $((6 * 9))").await?.contains("54"));
        Ok(())
    })
    .await;
}

/// Output goes on, keys are typed, and whoever comes cannot be let in, but is told to come again and not to go away.
async fn live_while_it_hangs(
    gateway: &Gateway,
    namespace: &Namespace,
    page: &mut Page,
) -> Result<()> {
    let (stop, stopped) = watch::channel(false);
    let asking = async {
        pass(FORGOTTEN).await;
        let told = refusal(gateway, namespace, "crowd-0").await;
        stop.send_replace(true);
        told
    };
    let (told, lived) = tokio::join!(asking, page.live(stopped));
    lived?;
    ensure!(page.returns.is_empty(), "no connection was lost");
    page.check_numbers().await?;
    let (code, reason) = told?;
    ensure!(code == close::NOT_READY && reason.contains("ra="), "{code} {reason}");
    Ok(())
}

/// How somebody is refused who wants to open a terminal.
async fn refusal(gateway: &Gateway, namespace: &Namespace, session: &str) -> Result<(u16, String)> {
    let path = format!("/api/v1/namespaces/{}/sessions/{session}/terminal", namespace.name);
    closed(&mut open(gateway, &path, Some(SUBPROTOCOL)).await?).await
}
