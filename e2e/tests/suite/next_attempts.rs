//! Attempts that end in the middle of an agent's work, and the ones that go on with it.

use anyhow::{Context, Result, ensure};
use fabrica_crds::Run;
use fabrica_crds::run::Phase;
use fabrica_e2e::Namespace;
use fabrica_e2e::archive::select;
use fabrica_e2e::cluster::eventually;
use fabrica_e2e::forge::{Forge, ForgeRepository};
use fabrica_e2e::run::{causes, phase_of};
use fabrica_e2e::scenario::{command, said, words};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::agent_runs::{spec, with_repository};

/// Leaves a draft, and a commit that says how often a conversation has begun: a checkpoint follows.
const BEGIN: &str =
    "echo draft > draft; echo begun >> log && git add log && git commit -qm 'Begin the log'";
const FINISH: &str = "mv draft two; true";

/// A Run whose model says this.
async fn playing(
    namespace: &Namespace,
    repository: &ForgeRepository,
    name: &str,
    steps: &[Value],
) -> Result<Run> {
    let mut spec = spec(repository, "unused");
    spec["plan"] = json!(words(steps));
    namespace.run(name, spec).await
}

/// The work is there once, as one conversation did it, in one pull request.
async fn is_done_once(forge: &Forge, repository: &ForgeRepository, run: &Run) -> Result<()> {
    ensure!(phase_of(run) == Some(Phase::Completed), "{:?}", run.status);
    let pulls = forge.pull_requests(repository).await?;
    ensure!(pulls.len() == 1, "{pulls:?}");
    let diff = forge.diff(repository, pulls[0]["number"].as_i64().context("a number")?).await?;
    ensure!(diff.matches("+begun").count() == 1 && diff.contains("+draft"), "{diff}");
    Ok(())
}

/// A Run whose agent has begun, is kept in a checkpoint, and stays in its first pod until that is gone.
async fn staying(namespace: &Namespace, repository: &ForgeRepository, name: &str) -> Result<()> {
    let stay = "case $(cat /etc/hostname) in *-run-1) tail -f /dev/null;; esac";
    let stay = json!({"tools": [{"name": "Bash", "input": {"command": stay, "timeout": 600_000}}]});
    // The CLI may put a word of its own between what was lost and what comes next, and so do a step or not.
    let steps =
        [command(BEGIN), stay.clone(), stay, command(FINISH), command(FINISH), said("Done.")];
    let uid = playing(namespace, repository, name, &steps).await?.uid().context("a UID")?;
    eventually("a checkpoint is kept", || async {
        let asked = format!("SELECT attempt FROM checkpoints WHERE uid = '{uid}'");
        Ok((!select(&asked).await?.is_empty()).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_pod_that_is_killed_costs_an_attempt_and_no_work() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        staying(&namespace, repository, "killed").await?;
        let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        namespace.api::<Pod>().delete("killed-run-1", &at_once).await?;
        let run = namespace.await_end("killed").await?;
        // Its runtime may have had the time to say goodbye.
        let causes = causes(&run);
        let is_lost = matches!(causes[..], ["PodLost" | "PodEvicted", "Succeeded"]);
        ensure!(is_lost, "{:?}", run.status);
        is_done_once(forge, repository, &run).await
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_is_evicted_says_so_and_costs_no_work() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        staying(&namespace, repository, "evicted").await?;
        namespace.evict("evicted").await?;
        let run = namespace.await_end("evicted").await?;
        ensure!(causes(&run) == ["PodEvicted", "Succeeded"], "{:?}", run.status);
        is_done_once(forge, repository, &run).await
    })
    .await;
}

#[tokio::test]
async fn a_model_that_takes_no_more_for_long_costs_an_attempt_and_no_work() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        // The runtime's own folder for a checkpoint's push: once it is there, another pod can go on.
        let kept = command("until test -d ../.fabrica-wip; do sleep 1; done");
        // More than the CLI tries in one attempt (7), and fewer than in two.
        let storm = json!({"error": 429, "retryAfter": 0, "times": 10});
        let steps = [command(BEGIN), kept, storm, command(FINISH), command(FINISH), said("Done.")];
        playing(&namespace, repository, "storm", &steps).await?;
        let limited = |run: &Run| causes(run).first() == Some(&"RateLimited");
        let run = namespace.await_run("storm", "limited", limited).await?;
        ensure!(phase_of(&run) == Some(Phase::Pending), "{:?}", run.status);
        let run = namespace.await_end("storm").await?;
        ensure!(causes(&run) == ["RateLimited", "Succeeded"], "{:?}", run.status);
        is_done_once(forge, repository, &run).await
    })
    .await;
}
