//! Runs whose operator goes while another one stands by.

use anyhow::ensure;
use fabrica_crds::run::Phase;
use fabrica_e2e::archive::{await_recorded, check_numbers, messages};
use fabrica_e2e::cluster::{SYSTEM_NAMESPACE, with_namespace};
use fabrica_e2e::git_server::GitServer;
use fabrica_e2e::run::{causes, phase_of};
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::{alone, at_once, live_leader, scale};

#[tokio::test]
async fn a_run_goes_on_under_the_other_operator_and_each_record_is_kept_once() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        let server = GitServer::start().await?;
        server.repository("pair", &[("README.md", "hello")]).await?;
        scale(&namespace.cluster, "fabrica-operator", 2).await?;
        // Long enough that each of two leaders is killed in its middle.
        let block = "```sh\nsleep 1; echo step >> steps; cat steps\n```\n";
        let spec = json!({"plan": block.repeat(30), "agent": {"driver": "Script"},
            "repository": {"url": server.url("pair")}});
        namespace.run("pair", spec).await?;
        for _ in 0..2 {
            namespace.await_phase("pair", Phase::Running).await?;
            let leader = live_leader(&namespace.cluster).await?;
            namespace.cluster.api::<Pod>(SYSTEM_NAMESPACE).delete(&leader, &at_once()).await?;
        }
        let run = namespace.await_end("pair").await?;
        scale(&namespace.cluster, "fabrica-operator", 1).await?;
        ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);
        ensure!(causes(&run) == ["Succeeded"], "{:?}", run.status);
        let branch = run.status.and_then(|status| status.branch).unwrap_or_default();
        let steps = server.ask("pair", &["show", &format!("{branch}:steps")]).await?;
        ensure!(steps.unwrap_or_default().lines().count() == 30, "each block ran once");
        let rows = messages(&await_recorded(&namespace, "pair", "True").await?).await?;
        check_numbers(&rows)?;
        ensure!(rows.iter().filter(|row| row.r#type == "completion").count() == 1, "{rows:?}");
        Ok(())
    })
    .await;
}
