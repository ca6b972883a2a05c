//! The chart's life on a cluster: upgraded, uninstalled, installed again under another name. People's Sessions run on
//! through all of it. Takes operator and gateway away, so it is a binary of its own.

use anyhow::{Context, Result, ensure};
use fabrica_e2e::Namespace;
use fabrica_e2e::cluster::{SYSTEM_NAMESPACE, with_namespace};
use fabrica_e2e::helm::{RELEASE, arguments, helm, install, present_values, succeed, text};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, ResourceExt};
use serde_json::json;
use tempfile::NamedTempFile;

/// Another one, in the same namespace.
const OTHER: &str = "another";

#[tokio::test]
async fn sessions_survive_upgrade_uninstall_and_another_release_name() {
    with_namespace(|namespace| async move {
        let values = present_values()?;
        let outcome = live_through(&namespace, &values).await;
        // Whatever happened: the tests after this one find the release they know.
        restore(&values)?;
        outcome?;
        namespace.await_ready("before").await?;
        Ok(())
    })
    .await;
}

async fn live_through(namespace: &Namespace, values: &NamedTempFile) -> Result<()> {
    namespace.ready_session("before", json!({})).await?;
    let pod = pod_uid(namespace, "before").await?;

    // A changed Deployment, so that the operator and the gateway are really replaced.
    install(
        &[
            "upgrade",
            RELEASE,
            "--set",
            "operator.concurrency=15",
            "--set",
            "gateway.recheckSeconds=44",
        ],
        values,
    )?;
    ensure!(pod_uid(namespace, "before").await? == pod, "the upgrade replaced a live pod");

    succeed(&["uninstall", RELEASE, "--namespace", SYSTEM_NAMESPACE, "--wait"])?;
    ensure!(pod_uid(namespace, "before").await? == pod, "the uninstall took a live pod");
    let definitions: Api<CustomResourceDefinition> = Api::all(namespace.cluster.client.clone());
    definitions.get("sessions.fabrica.dev").await.context("the CRD stays on uninstall")?;

    let refused = helm(&arguments(&["install", OTHER], values))?;
    let words = text(&refused.stderr);
    ensure!(
        !refused.status.success() && words.contains("meta.helm.sh/release-name"),
        "not refused: {words}"
    );
    install(&["install", OTHER, "--take-ownership"], values)?;
    namespace.await_ready("before").await?;
    ensure!(pod_uid(namespace, "before").await? == pod, "another release replaced a live pod");
    namespace.ready_session("after", json!({})).await?;
    Ok(())
}

/// Puts the well-known release back with the values it had.
fn restore(values: &NamedTempFile) -> Result<()> {
    // Absent unless the test got that far.
    let _ = helm(&["uninstall", OTHER, "--namespace", SYSTEM_NAMESPACE, "--wait"])?;
    install(&["upgrade", RELEASE, "--install", "--take-ownership"], values)
        .context("put the release back")
}

async fn pod_uid(namespace: &Namespace, session: &str) -> Result<String> {
    let pod = namespace.api::<Pod>().get(&format!("{session}-session")).await?;
    ensure!(pod.metadata.deletion_timestamp.is_none(), "{session}'s pod is going");
    pod.uid().context("a stored pod has a UID")
}
