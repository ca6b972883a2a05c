//! Runs whose operator goes while another one stands by, and while an agent works.

use anyhow::{Context, ensure};
use fabrica_crds::run::Phase;
use fabrica_e2e::archive::{await_recorded, check_numbers, messages};
use fabrica_e2e::cluster::{SYSTEM_NAMESPACE, with_namespace};
use fabrica_e2e::forge::Forge;
use fabrica_e2e::git_server::GitServer;
use fabrica_e2e::processes::kill_pod;
use fabrica_e2e::run::{causes, phase_of};
use fabrica_e2e::scenario::{command, said, words};
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::{alone, live_leader, scale, scale_database};

/// Of a second each. A leader that is killed says no goodbye, so its Lease may stand for 15 s more before the other leads: two
/// leaders are killed in the first half, whatever else the machine does.
const BLOCKS: usize = 60;

#[tokio::test]
async fn a_run_goes_on_under_the_other_operator_and_each_record_is_kept_once() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        let server = GitServer::start().await?;
        server.repository("pair", &[("README.md", "hello")]).await?;
        scale(&namespace.cluster, "fabrica-operator", 2).await?;
        let block = "```sh\nsleep 1; echo step >> steps; cat steps\n```\n";
        let spec = json!({"plan": block.repeat(BLOCKS), "agent": {"driver": "Script"},
            "repository": {"url": server.url("pair")}});
        namespace.run("pair", spec).await?;
        let mut killed = Vec::new();
        for _ in 0..2 {
            namespace.await_phase("pair", Phase::Running).await?;
            let leader = live_leader(&namespace.cluster).await?;
            let pod = namespace.cluster.api::<Pod>(SYSTEM_NAMESPACE).get(&leader).await?;
            kill_pod(&namespace.cluster, &pod).await?;
            ensure!(!killed.contains(&leader), "{leader} leads though it was killed");
            killed.push(leader);
        }
        let run = namespace.await_end("pair").await?;
        scale(&namespace.cluster, "fabrica-operator", 1).await?;
        ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);
        ensure!(causes(&run) == ["Succeeded"], "{:?}", run.status);
        let branch = run.status.and_then(|status| status.branch).unwrap_or_default();
        let steps = server.ask("pair", &["show", &format!("{branch}:steps")]).await?;
        ensure!(steps.unwrap_or_default().lines().count() == BLOCKS, "each block ran once");
        let rows = messages(&await_recorded(&namespace, "pair", "True").await?).await?;
        check_numbers(&rows)?;
        ensure!(rows.iter().filter(|row| row.r#type == "completion").count() == 1, "{rows:?}");
        Ok(())
    })
    .await;
}

/// The real agent is within a call when the operator is killed, and the database away until it has ended its work.
#[tokio::test]
async fn an_agent_works_on_without_operator_and_database() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        let forge = Forge::new()?;
        namespace.agent_secret(&forge).await?;
        let repository = forge.repository().await?;
        // Longer than the Lease of an operator that says no goodbye.
        let work =
            "for n in $(seq 25); do sleep 1; done; echo one > one; git add one; git commit -qm One";
        let spec = json!({
            "plan": words(&[command(work), said("Done.")]),
            "repository": {"url": repository.url, "forge": "Gitea"},
            "agent": {"driver": "Claude", "budgetUSD": "0.50"}});
        namespace.run("alone", spec).await?;
        namespace.await_phase("alone", Phase::Running).await?;
        for pod in namespace.cluster.component_pods("operator").await? {
            kill_pod(&namespace.cluster, &pod).await?;
        }
        scale_database(&namespace.cluster, 0).await?;
        let ended = namespace.await_end("alone").await;
        scale_database(&namespace.cluster, 1).await?;
        let pulls = forge.pull_requests(&repository).await;
        forge.delete(&repository).await?;
        let (run, pulls) = (ended?, pulls?);
        ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);
        ensure!(causes(&run) == ["Succeeded"], "{:?}", run.status);
        ensure!(pulls.len() == 1, "{pulls:?}");
        let rows = messages(&await_recorded(&namespace, "alone", "True").await?).await?;
        check_numbers(&rows)?;
        let end = rows.last().context("what was told")?;
        ensure!(end.r#type == "completion", "{end:?}");
        Ok(())
    })
    .await;
}
