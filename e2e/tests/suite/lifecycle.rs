//! A Session from its creation to its end.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use fabrica_crds::Session;
use fabrica_e2e::cluster::{eventually, wait_for, wait_gone, with_namespace};
use fabrica_e2e::session::{condition, message, uid};
use fabrica_e2e::terminal::Terminal;
use fabrica_e2e::{Gateway, Namespace};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

/// A volume that local storage always has room for.
fn workspace() -> serde_json::Value {
    json!({"workspace": {"size": "64Mi"}})
}

#[tokio::test]
async fn a_minimal_session_becomes_ready_with_labelled_children() {
    with_namespace(|namespace| async move {
        let session = namespace.ready_session("minimal", json!({})).await?;
        let status = session.status.clone().context("a status")?;
        ensure!(json!(status)["phase"] == "Running", "{status:?}");
        ensure!(
            condition(&session, "WorkspaceReady").is_some()
                && condition(&session, "Suspended").is_some()
        );
        let selector = format!("fabrica.dev/session-id={}", uid(&session));
        let listing = ListParams::default().labels(&selector);
        let pods = namespace.api::<Pod>().list(&listing).await?;
        ensure!(pods.items.len() == 1, "{} pods", pods.items.len());
        let labels = pods.items[0].labels();
        ensure!(labels["fabrica.dev/mode"] == "terminal", "{labels:?}");
        ensure!(labels["app.kubernetes.io/managed-by"] == "fabrica", "{labels:?}");
        ensure!(namespace.api::<NetworkPolicy>().list(&listing).await?.items.len() == 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_holds_no_cluster_credential_and_is_restricted() {
    with_namespace(|namespace| async move {
        namespace.ready_session("bare", json!({})).await?;
        let pod = namespace.api::<Pod>().get("bare-session").await?;
        let spec = pod.spec.context("a spec")?;
        ensure!(spec.automount_service_account_token == Some(false));
        let mut terminal = open_terminal(&namespace, "bare").await?;
        let said = terminal.run("ls /var/run/secrets/kubernetes.io 2>&1; id -u").await?;
        ensure!(said.contains("No such file") && said.contains("1000"), "{said}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn deleting_a_session_leaves_no_orphan() {
    with_namespace(|namespace| async move {
        namespace.ready_session("gone", workspace()).await?;
        namespace.api::<Session>().delete("gone", &DeleteParams::default()).await?;
        wait_gone(&namespace.api::<Pod>(), "gone-session").await?;
        wait_gone(&namespace.api::<PersistentVolumeClaim>(), "gone-workspace").await?;
        wait_gone(&namespace.api::<NetworkPolicy>(), "gone-session").await
    })
    .await;
}

#[tokio::test]
async fn a_retained_volume_outlives_its_session_and_is_taken_over_by_the_next() {
    with_namespace(|namespace| async move {
        let spec = json!({"workspace": {"size": "64Mi", "retain": true}});
        namespace.ready_session("kept", spec.clone()).await?;
        open_terminal(&namespace, "kept").await?.run("echo precious > /workspace/file").await?;
        namespace.api::<Session>().delete("kept", &DeleteParams::default()).await?;
        wait_gone(&namespace.api::<Pod>(), "kept-session").await?;
        namespace.api::<PersistentVolumeClaim>().get("kept-workspace").await?;
        namespace.ready_session("kept", spec).await?;
        let said = open_terminal(&namespace, "kept").await?.run("cat /workspace/file").await?;
        ensure!(said.contains("precious"), "{said}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn suspending_stops_the_pod_and_running_brings_the_files_back() {
    with_namespace(|namespace| async move {
        namespace.ready_session("nap", workspace()).await?;
        open_terminal(&namespace, "nap").await?.run("echo still-here > /workspace/file").await?;
        namespace.patch_spec("nap", json!({"operatingMode": "Suspended"})).await?;
        wait_gone(&namespace.api::<Pod>(), "nap-session").await?;
        let stopped = namespace
            .await_session("nap", "suspended", |session| {
                condition(session, "Suspended") == Some(("True", "Suspended"))
                    && condition(session, "Ready").is_some_and(|(status, _)| status == "False")
            })
            .await?;
        ensure!(
            json!(stopped.status)["phase"] == "Stopped"
                && json!(stopped.status)["stoppedAt"].is_string()
        );
        namespace.patch_spec("nap", json!({"operatingMode": "Running"})).await?;
        let back = namespace.await_ready("nap").await?;
        ensure!(condition(&back, "Suspended").is_some_and(|(status, _)| status == "False"));
        let said = open_terminal(&namespace, "nap").await?.run("cat /workspace/file").await?;
        ensure!(said.contains("still-here"), "{said}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn shutdown_time_stops_and_wake_time_starts_again() {
    with_namespace(|namespace| async move {
        let now = chrono::Utc::now();
        let mut spec = workspace();
        spec["shutdownTime"] = json!((now + chrono::Duration::seconds(5)).to_rfc3339());
        namespace.session("hours", spec).await?;
        namespace
            .await_session("hours", "shut down", |session| {
                condition(session, "Suspended") == Some(("True", "ShutdownTime"))
            })
            .await?;
        wait_gone(&namespace.api::<Pod>(), "hours-session").await?;
        namespace.patch_spec("hours", json!({"wakeTime": chrono::Utc::now().to_rfc3339()})).await?;
        namespace.await_ready("hours").await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_deleted_by_hand_comes_back() {
    with_namespace(|namespace| async move {
        namespace.ready_session("again", json!({})).await?;
        let before = namespace.api::<Pod>().get("again-session").await?.uid();
        namespace.api::<Pod>().delete("again-session", &DeleteParams::default()).await?;
        wait_for(&namespace.api::<Pod>(), "again-session", "a new pod", |pod| {
            pod.is_some_and(|pod| pod.uid() != before)
        })
        .await?;
        namespace.await_ready("again").await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_changed_template_waits_for_the_next_start() {
    with_namespace(|namespace| async move {
        namespace.ready_session("later", workspace()).await?;
        let before = namespace.api::<Pod>().get("later-session").await?.uid();
        namespace
            .patch_spec("later", json!({"env": [{"name": "COLOUR", "value": "green"}]}))
            .await?;
        namespace
            .await_session("later", "restart required", |session| {
                condition(session, "RestartRequired").is_some_and(|(status, _)| status == "True")
            })
            .await?;
        ensure!(
            namespace.api::<Pod>().get("later-session").await?.uid() == before,
            "a live pod was replaced"
        );
        namespace.api::<Pod>().delete("later-session", &DeleteParams::default()).await?;
        namespace
            .await_session("later", "restarted", |session| {
                condition(session, "RestartRequired").is_some_and(|(status, _)| status == "False")
                    && condition(session, "Ready") == Some(("True", "Ready"))
            })
            .await?;
        let said = open_terminal(&namespace, "later").await?.run("echo $COLOUR").await?;
        ensure!(said.contains("green"), "{said}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_foreign_pod_with_our_name_is_left_alone() {
    with_namespace(|namespace| async move {
        let session = namespace.ready_session("model", json!({})).await?;
        let image =
            namespace.api::<Pod>().get("model-session").await?.spec.context("a spec")?.containers
                [0]
            .image
            .clone();
        drop(session);
        let foreign: Pod = namespace.create(foreign_pod("taken-session", image.as_deref())).await?;
        namespace.session("taken", json!({})).await?;
        let why = namespace.await_reason("taken", "NameConflict").await?;
        ensure!(why.contains("taken-session"), "{why}");
        let after = namespace.api::<Pod>().get("taken-session").await?;
        ensure!(after.uid() == foreign.uid() && after.metadata.owner_references.is_none());
        namespace.api::<Pod>().delete("taken-session", &DeleteParams::default()).await?;
        namespace.await_ready("taken").await?;
        Ok(())
    })
    .await;
}

fn foreign_pod(name: &str, image: Option<&str>) -> serde_json::Value {
    json!({"metadata": {"name": name}, "spec": {
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "sleeper", "image": image, "command": ["sleep", "600"],
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}],
    }})
}

#[tokio::test]
async fn start_steps_are_told_in_status() {
    with_namespace(|namespace| async move {
        let server = fabrica_e2e::git_server::GitServer::start().await?;
        server.repository("steps", &[("README.md", "hello")]).await?;
        let spec = json!({"repository": {"url": server.url("steps"), "branch": "topic"}});
        let session = namespace.ready_session("steps", spec).await?;
        ensure!(condition(&session, "WorkspaceReady").is_some_and(|(status, _)| status == "True"));
        let told = json!(session.status)["messages"].to_string();
        ensure!(told.contains("topic"), "the new branch is not told: {told}");
        let sequence: Vec<i64> =
            session.status.context("a status")?.messages.iter().map(|m| m.seq).collect();
        ensure!(
            sequence.is_sorted()
                && sequence.iter().collect::<BTreeSet<_>>().len() == sequence.len()
        );
        let said = open_terminal(&namespace, "steps")
            .await?
            .run("git branch --show-current; pwd; cat README.md")
            .await?;
        ensure!(
            said.contains("topic") && said.contains("/workspace/repo") && said.contains("hello"),
            "{said}"
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_quiet_session_causes_no_writes() {
    with_namespace(|namespace| async move {
        let session = namespace.ready_session("quiet", json!({})).await?;
        let settled = settle(&namespace, &session).await?;
        // Touching the pod makes the operator look again; looking must change nothing.
        for round in 0..10 {
            let patch = Patch::Merge(
                json!({"metadata": {"annotations": {"fabrica-e2e/touch": round.to_string()}}}),
            );
            namespace.api::<Pod>().patch("quiet-session", &PatchParams::default(), &patch).await?;
        }
        let marker = format!("marker-{}", uuid::Uuid::new_v4());
        namespace.session("beside", json!({})).await?;
        namespace.await_ready("beside").await.with_context(|| marker)?;
        let after = namespace.api::<Session>().get("quiet").await?;
        ensure!(
            after.resource_version() == settled.resource_version(),
            "{:?}",
            message(&after, "Ready")
        );
        Ok(())
    })
    .await;
}

/// A Session whose last start step was written: nothing is left to tell.
async fn settle(namespace: &Namespace, session: &Session) -> Result<Session> {
    /// Longer than the operator takes to look again at a Session that starts.
    const STILL: tokio::time::Duration = tokio::time::Duration::from_secs(3);
    let (sessions, name) = (namespace.api::<Session>(), session.name_any());
    eventually("a Session that stays as it is", || async {
        let now = sessions.get(&name).await?;
        let version = now.resource_version();
        let changes = wait_for(&sessions, &name, "changed", |session: Option<&Session>| {
            session.is_some_and(|session| session.resource_version() != version)
        });
        Ok(tokio::time::timeout(STILL, changes).await.is_err().then_some(now))
    })
    .await
}

/// The Session's first terminal, through the gateway, as a user who may edit the namespace.
pub(crate) async fn open_terminal(namespace: &Namespace, session: &str) -> Result<Terminal> {
    let token = editor(namespace).await?;
    let gateway = Gateway::new(Some(&token))?;
    Terminal::connect(&gateway, &namespace.name, session).await
}

/// The token of a user who may edit; made at its first use.
pub(crate) async fn editor(namespace: &Namespace) -> Result<String> {
    let accounts = namespace.api::<k8s_openapi::api::core::v1::ServiceAccount>();
    if accounts.get_opt("editor").await?.is_some() {
        return namespace.cluster.token(&namespace.name, "editor").await;
    }
    namespace.user("editor", "edit").await
}
