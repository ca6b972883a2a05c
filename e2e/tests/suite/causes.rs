//! Every cause of not-ready that a real cluster can be made to show: one reason, one sentence.

use anyhow::ensure;
use fabrica_crds::names;
use fabrica_e2e::cluster::with_namespace;
use fabrica_e2e::git_server::GitServer;
use fabrica_e2e::session::condition;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota, Secret};
use kube::ResourceExt;
use serde_json::json;

use crate::lifecycle::open_terminal;

#[tokio::test]
async fn an_image_that_does_not_exist() {
    with_namespace(|namespace| async move {
        namespace.session("image", json!({"image": "fabrica.invalid/none:1"})).await?;
        let why = namespace.await_reason("image", "ImagePullFailed").await?;
        ensure!(why.contains("fabrica.invalid/none:1"), "{why}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_fits_no_node() {
    with_namespace(|namespace| async move {
        let spec = json!({"podTemplate": {"nodeSelector": {"fabrica-e2e/nowhere": "true"}}});
        namespace.session("nowhere", spec).await?;
        let why = namespace.await_reason("nowhere", "Unschedulable").await?;
        ensure!(why.contains("node"), "{why}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_quota_that_is_used_up() {
    with_namespace(|namespace| async move {
        namespace
            .create::<ResourceQuota>(
                json!({"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}),
            )
            .await?;
        namespace.session("quota", json!({})).await?;
        let why = namespace.await_reason("quota", "QuotaExceeded").await?;
        ensure!(why.contains("quota") && why.contains("none"), "{why}");
        namespace
            .api::<ResourceQuota>()
            .delete("none", &kube::api::DeleteParams::default())
            .await?;
        namespace.await_ready("quota").await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_volume_larger_than_the_quota() {
    with_namespace(|namespace| async move {
        let hard = json!({"requests.storage": "32Mi"});
        namespace
            .create::<ResourceQuota>(json!({"metadata": {"name": "disk"}, "spec": {"hard": hard}}))
            .await?;
        namespace.session("disk", json!({"workspace": {"size": "1Gi"}})).await?;
        let why = namespace.await_reason("disk", "QuotaExceeded").await?;
        ensure!(why.contains("storage"), "{why}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_is_missing_and_then_made() {
    with_namespace(|namespace| async move {
        namespace.session("secret", json!({"credentialsRef": {"name": "keys"}})).await?;
        let why = namespace.await_reason("secret", "SecretMissing").await?;
        ensure!(why.contains("keys"), "{why}");
        let secret =
            json!({"metadata": {"name": "keys"}, "stringData": {"OPENAI_API_KEY": "sk-visible"}});
        namespace.create::<Secret>(secret).await?;
        namespace.await_ready("secret").await?;
        let said = open_terminal(&namespace, "secret")
            .await?
            .run("echo $OPENAI_API_KEY; env | grep -c FABRICA_")
            .await?;
        ensure!(said.contains("sk-visible") && said.contains("\n0"), "{said}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_secret_without_the_key() {
    with_namespace(|namespace| async move {
        namespace.create::<Secret>(json!({"metadata": {"name": "keys"}, "stringData": {"other": "x"}})).await?;
        let env = json!([{"name": "WANTED", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "wanted"}}}]);
        namespace.session("key", json!({"env": env})).await?;
        let why = namespace.await_reason("key", "SecretKeyMissing").await?;
        ensure!(why.contains("wanted") && why.contains("keys"), "{why}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_repository_that_cannot_be_reached() {
    with_namespace(|namespace| async move {
        let spec = json!({"repository": {"url": "http://10.99.0.1:9/none.git"}});
        namespace.session("clone", spec).await?;
        let why = namespace.await_reason("clone", "CloneFailed").await?;
        ensure!(why.contains("10.99.0.1"), "git's own words are missing: {why}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_private_repository_opens_when_its_secret_is_mended() {
    with_namespace(|namespace| async move {
        let server = GitServer::start_private("robot:hunter2secret").await?;
        server.repository("private", &[("file", "inside")]).await?;
        let secret = |password: &str| {
            json!({"metadata": {"name": "login"}, "stringData": {"username": "robot", "password": password}})
        };
        namespace.create::<Secret>(secret("wrongpassword")).await?;
        let spec = json!({"repository": {"url": server.url("private"), "secretRef": {"name": "login"}}});
        namespace.session("private", spec).await?;
        let why = namespace.await_reason("private", "CloneFailed").await?;
        ensure!(!why.contains("wrongpassword"), "a credential reached the status: {why}");
        let patch = kube::api::Patch::Merge(secret("hunter2secret"));
        namespace.api::<Secret>().patch("login", &kube::api::PatchParams::default(), &patch).await?;
        namespace.await_ready("private").await?;
        // People's shells reach the remote through the helper, yet no file or variable holds the password.
        let said = open_terminal(&namespace, "private").await?
            .run("cat file; git ls-remote >/dev/null && echo reached; env | grep -c hunter2; grep -rc hunter2 .git/config").await?;
        ensure!(said.contains("inside") && said.contains("reached") && !said.contains("hunter2secret"), "{said}");
        Ok(())
    })
    .await;
}

/// The runtime's own image is one without git and without a shell.
#[tokio::test]
async fn an_own_image_gets_the_runtime_and_needs_git_for_a_repository() {
    with_namespace(|namespace| async move {
        let plain = namespace.ready_session("plain", json!({})).await?;
        let pod = namespace.api::<Pod>().get(&names::pod(&plain.name_any())).await?;
        let image = pod.spec.and_then(|spec| spec.containers[0].image.clone());
        namespace.ready_session("own", json!({"image": image})).await?;
        let said = open_terminal(&namespace, "own").await?.run("ls /fabrica").await?;
        ensure!(said.contains("fabrica-runtime"), "{said}");
        let pod = namespace.api::<Pod>().get(&names::pod("own")).await?;
        let bare = pod.spec.and_then(|spec| spec.init_containers?.first()?.image.clone());
        let server = GitServer::start().await?;
        server.repository("any", &[("file", "inside")]).await?;
        let spec = json!({"image": bare, "repository": {"url": server.url("any")}});
        namespace.session("bare", spec).await?;
        let why = namespace.await_reason("bare", "GitMissing").await?;
        ensure!(why.contains("git"), "{why}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_repository_without_commits_is_no_error() {
    with_namespace(|namespace| async move {
        let server = GitServer::start().await?;
        server.repository("empty", &[]).await?;
        let session = namespace
            .ready_session(
                "empty",
                json!({"repository": {"url": server.url("empty"), "branch": "start"}}),
            )
            .await?;
        ensure!(condition(&session, "WorkspaceReady").is_some_and(|(status, _)| status == "True"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_shell_that_eats_all_memory_is_told() {
    with_namespace(|namespace| async move {
        let limits = json!({"memory": "64Mi", "cpu": "500m"});
        namespace
            .ready_session("hungry", json!({"resources": {"limits": limits, "requests": limits}}))
            .await?;
        let mut terminal = open_terminal(&namespace, "hungry").await?;
        terminal.type_line("tail /dev/zero").await?;
        namespace
            .await_session("hungry", "told of the lack of memory", |session| {
                json!(session.status).to_string().contains("memory")
            })
            .await?;
        let pod = namespace.api::<Pod>().get("hungry-session").await?;
        ensure!(pod.metadata.deletion_timestamp.is_none(), "the pod was replaced");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn dependencies_are_installed_and_their_failure_leaves_the_terminal() {
    with_namespace(|namespace| async move {
        let server = GitServer::start().await?;
        let package = r#"{"name": "a", "version": "1.0.0", "dependencies": {"b": "file:./b"}}"#;
        let inner = r#"{"name": "b", "version": "1.0.0"}"#;
        server.repository("good", &[("package.json", package), ("b/package.json", inner)]).await?;
        server.repository("broken", &[("package.json", "{ this is not JSON")]).await?;
        namespace.ready_session("good", json!({"repository": {"url": server.url("good")}})).await?;
        let said = open_terminal(&namespace, "good").await?.run("ls node_modules").await?;
        ensure!(said.contains('b'), "{said}");
        let broken = namespace
            .ready_session("broken", json!({"repository": {"url": server.url("broken")}}))
            .await?;
        ensure!(
            condition(&broken, "WorkspaceReady") == Some(("False", "DependenciesFailed")),
            "{:?}",
            broken.status
        );
        Ok(())
    })
    .await;
}
