//! Plans that Runs refer to.

use anyhow::ensure;
use fabrica_crds::Run;
use fabrica_crds::run::Phase;
use fabrica_e2e::cluster::{wait_gone, with_namespace};
use fabrica_e2e::git_server::GitServer;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::DeleteParams;
use serde_json::json;

/// Whatever becomes of the ConfigMap: the spec never changes, so neither does the plan.
#[tokio::test]
async fn a_plan_that_a_run_refers_to_is_fixed_at_its_first_attempt() {
    with_namespace(|namespace| async move {
        let server = GitServer::start().await?;
        server.repository("fixed", &[("README.md", "hello")]).await?;
        let plans = namespace.api::<ConfigMap>();
        // Ends by itself only in its second attempt.
        let plan = "```sh\nif [ -e ../.fabrica/journal-1.ndjson ]; then sleep 100000; fi\necho first > plan\n```\n";
        namespace
            .create::<ConfigMap>(json!({"metadata": {"name": "plans"}, "data": {"a.md": plan}}))
            .await?;
        let spec = json!({"planRef": {"name": "plans", "key": "a.md"}, "branch": "fixed",
            "repository": {"url": server.url("fixed")}, "agent": {"driver": "Script"}});
        namespace.run("fixed", spec).await?;
        namespace.await_phase("fixed", Phase::Running).await?;
        let copy = plans.get("fixed-run").await?;
        ensure!(copy.immutable == Some(true), "{copy:?}");
        plans.delete("plans", &DeleteParams::default()).await?;
        wait_gone(&plans, "plans").await?;
        let other = json!({"metadata": {"name": "plans"}, "data": {"a.md": "```sh\necho second > plan\n```\n"}});
        namespace.create::<ConfigMap>(other).await?;
        namespace.api::<Pod>().delete("fixed-run-1", &DeleteParams::default()).await?;
        namespace.await_phase("fixed", Phase::Completed).await?;
        let told = server.ask("fixed", &["show", "fixed:plan"]).await?;
        ensure!(told.as_deref() == Some("first"), "{told:?}");
        namespace.api::<Run>().delete("fixed", &DeleteParams::default()).await?;
        wait_gone(&plans, "fixed-run").await
    })
    .await;
}
