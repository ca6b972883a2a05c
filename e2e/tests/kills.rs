//! Parts are killed at random while Runs go on: every Run ends right, the archive holds each record once, and nothing is
//! pushed or opened twice. It takes down what others need, so it is a binary of its own, and reads this machine's processes,
//! so it needs the cluster of `make up`.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fabrica_crds::Run;
use fabrica_crds::run::Phase;
use fabrica_e2e::archive::{Row, await_recorded, check_numbers, messages};
use fabrica_e2e::cluster::{eventually, is_ready, wait_for, with_namespace};
use fabrica_e2e::forge::{Forge, ForgeRepository};
use fabrica_e2e::processes::{self, kill_pod};
use fabrica_e2e::run::{causes, condition, phase_of};
use fabrica_e2e::{Cluster, Namespace};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::json;

/// How many parts are killed: enough that each kind is met in different moments. `FABRICA_KILLS` says otherwise.
const KILLS: usize = 20;
/// Runs that go on at any time, so that each kill meets some.
const AT_WORK: usize = 4;
/// The most attempts of a Run that its pod is killed in: infrastructure is forgiven five times.
const OWN_KILLS: usize = 3;
/// All Runs end within this: each attempt takes seconds, and a killed operator's Lease has to pass.
const PATIENCE: Duration = Duration::from_mins(20);

/// What is killed next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Runtime,
    Operator,
    Gateway,
    Database,
}

const PARTS: [Part; 4] = [Part::Runtime, Part::Operator, Part::Gateway, Part::Database];

#[tokio::test]
async fn whatever_is_killed_runs_end_right_and_nothing_is_lost_or_doubled() {
    let kills =
        std::env::var("FABRICA_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    with_namespace(move |namespace| async move {
        let forge = Forge::new()?;
        let repository = forge.repository().await?;
        let outcome = live_through(&namespace, &forge, &repository, kills).await;
        forge.delete(&repository).await?;
        outcome
    })
    .await;
}

async fn live_through(
    namespace: &Namespace,
    forge: &Forge,
    repository: &ForgeRepository,
    kills: usize,
) -> Result<()> {
    namespace
        .create::<Secret>(
            json!({"metadata": {"name": "forge"}, "stringData": {"token": forge.token()}}),
        )
        .await?;
    let mut names = Vec::new();
    let mut killed: HashMap<Part, usize> = HashMap::new();
    while killed.values().sum::<usize>() < kills {
        keep_at_work(namespace, repository, &mut names).await?;
        // Chance decides: the seed is nobody's, for what is hit depends on the moment as well.
        let part = PARTS[usize::from(uuid::Uuid::new_v4().as_bytes()[0]) % PARTS.len()];
        if kill(namespace, &names, part).await? {
            *killed.entry(part).or_default() += 1;
        }
    }
    eprintln!("killed: {killed:?}");
    let ended = tokio::time::timeout(PATIENCE, async {
        for name in &names {
            while namespace.await_end(name).await.is_err() {}
        }
    });
    ended.await.context("every Run ends")?;
    check(namespace, forge, repository, &names).await
}

/// Makes Runs until enough of them go on.
async fn keep_at_work(
    namespace: &Namespace,
    repository: &ForgeRepository,
    names: &mut Vec<String>,
) -> Result<()> {
    let runs = namespace.api::<Run>().list(&ListParams::default()).await?.items;
    let ended = runs.iter().filter(|run| phase_of(run).is_some_and(Phase::is_final)).count();
    for number in names.len()..ended + AT_WORK {
        let name = format!("killed-{number}");
        // A change of its own for each, in blocks between which something may happen.
        let block = format!("```sh\nsleep 1; echo step >> {name}\n```\n");
        let spec = json!({"plan": format!("# Change {name}\n\n{}", block.repeat(6)),
            "agent": {"driver": "Script"},
            "repository": {"url": repository.url, "forge": "Gitea", "secretRef": {"name": "forge"}}});
        namespace.run(&name, spec).await?;
        names.push(name);
    }
    Ok(())
}

/// Kills one part without a goodbye and waits until it is there again; false when there was nothing to kill.
async fn kill(namespace: &Namespace, names: &[String], part: Part) -> Result<bool> {
    let cluster = &namespace.cluster;
    match part {
        Part::Runtime => kill_runtime(namespace, names).await,
        Part::Operator => replace(cluster, "operator").await.map(|()| true),
        Part::Gateway => replace(cluster, "gateway").await.map(|()| true),
        Part::Database => replace(cluster, "database").await.map(|()| true),
    }
}

/// Kills the pods of a component and waits for others in their place.
async fn replace(cluster: &Cluster, component: &str) -> Result<()> {
    let pods = cluster.component_pods(component).await?;
    let before: Vec<_> = pods.iter().map(ResourceExt::uid).collect();
    for pod in &pods {
        kill_pod(cluster, pod).await?;
    }
    eventually(&format!("the {component} is back"), || async {
        let pods = cluster.component_pods(component).await?;
        let back = pods.iter().any(|pod| !before.contains(&pod.uid()) && is_ready(pod));
        Ok(back.then_some(()))
    })
    .await
}

/// Kills the runtime of a Run at work.
async fn kill_runtime(namespace: &Namespace, names: &[String]) -> Result<bool> {
    for name in names {
        let run = namespace.api::<Run>().get(name).await?;
        if phase_of(&run) != Some(Phase::Running) || causes(&run).len() > OWN_KILLS {
            continue;
        }
        let pods = namespace.api::<Pod>().list(&ListParams::default()).await?.items;
        let own = pods.iter().filter(|pod| pod.name_any().starts_with(&format!("{name}-")));
        for pod in own {
            if processes::kill(pod, "fabrica-runtime\0serve")? {
                let uid = pod.uid();
                wait_for(
                    &namespace.api::<Pod>(),
                    &pod.name_any(),
                    "ended",
                    move |now: Option<&Pod>| {
                        now.is_none_or(|now| now.uid() != uid || phase(now) != "Running")
                    },
                )
                .await?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

async fn check(
    namespace: &Namespace,
    forge: &Forge,
    repository: &ForgeRepository,
    names: &[String],
) -> Result<()> {
    let requests = forge.pull_requests(repository).await?;
    ensure!(
        requests.len() == names.len(),
        "{} pull requests for {} Runs",
        requests.len(),
        names.len()
    );
    for name in names {
        let run = namespace.api::<Run>().get(name).await?;
        ensure!(phase_of(&run) == Some(Phase::Completed), "{name}: {:?}", run.status);
        let url = run.status.as_ref().and_then(|status| status.pull_request_url.as_deref());
        let own = requests.iter().filter(|request| request["html_url"].as_str() == url).count();
        ensure!(own == 1, "{name}: {url:?} is {own} of {requests:?}");
        // What a killed runtime had not told is gone with it: its attempt is a beginning without a gap. Only the last attempt
        // had an end to tell, and only its runtime's death excuses that nobody has it.
        let attempts = causes(&run).len();
        let torn = was_killed_after_its_verdict(namespace, name, attempts).await?;
        let whole = attempts == 1 && !torn;
        let said = await_settled(namespace, name, whole).await?;
        let ends = await_kept(&run, usize::from(!torn)).await?;
        ensure!(ends <= 1, "{name}: {ends} completions");
        ensure!(
            said == (attempts == 1 && ends == 1),
            "{name}: Recorded={said}, {ends} completions"
        );
    }
    Ok(())
}

/// Waits until `Recorded` changes no more, and says whether all is there. One that was not killed has to be.
async fn await_settled(namespace: &Namespace, name: &str, whole: bool) -> Result<bool> {
    if whole {
        return await_recorded(namespace, name, "True").await.map(|_| true);
    }
    let settled = |run: Option<&Run>| {
        let found = run.and_then(|run| condition(run, "Recorded"));
        found.is_some_and(|found| found.reason == "RecordsLost" || found.status == "True")
    };
    let run = wait_for(&namespace.api::<Run>(), name, "Recorded is settled", settled).await?;
    let found = run.as_ref().and_then(|run| condition(run, "Recorded"));
    Ok(found.context("Recorded")?.status == "True")
}

/// Whether the runtime of an attempt was killed while it waited for somebody to read its verdict, which the kubelet kept.
async fn was_killed_after_its_verdict(
    namespace: &Namespace,
    name: &str,
    attempt: usize,
) -> Result<bool> {
    /// 128 and the number of SIGKILL.
    const KILLED: i32 = 137;
    let pod = namespace.api::<Pod>().get(&format!("{name}-run-{attempt}")).await?;
    let containers = pod.status.and_then(|status| status.container_statuses);
    let ended = containers.into_iter().flatten().find_map(|found| found.state?.terminated);
    Ok(ended.is_some_and(|ended| ended.exit_code == KILLED && ended.message.is_some()))
}

/// Waits until the archive holds so many ends of this Run, and holds its rows to their numbers; how many it holds.
async fn await_kept(run: &Run, ends: usize) -> Result<usize> {
    let of = |rows: &[Row]| rows.iter().filter(|row| row.r#type == "completion").count();
    let rows = eventually("the last attempt is kept", || async {
        let rows = messages(run).await?;
        Ok((of(&rows) >= ends).then_some(rows))
    })
    .await?;
    check_numbers(&rows)?;
    Ok(of(&rows))
}
