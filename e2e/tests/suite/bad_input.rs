//! Input that the API server refuses: each with a sentence that names the field and the fix.

use anyhow::{Result, ensure};
use fabrica_e2e::cluster::with_namespace;
use fabrica_e2e::{Gateway, Namespace};
use serde_json::{Value, json};

use crate::lifecycle::editor;

/// What is wrong, the manifest's name and spec, and what the refusal must mention.
#[expect(clippy::too_many_lines, reason = "a table")]
fn refused() -> Vec<(&'static str, &'static str, Value, &'static str)> {
    let long = "x".repeat(101);
    vec![
        ("unknown field", "bad", json!({"immage": "x"}), "immage"),
        ("wrong type", "bad", json!({"idleTimeoutSeconds": "soon"}), "idleTimeoutSeconds"),
        ("unknown mode", "bad", json!({"mode": "Robot"}), "mode"),
        (
            "chat without a work item",
            "bad",
            json!({"mode": "Chat", "repository": {"url": "https://h/x"}}),
            "spec.workId is required in mode Chat with workflow Faber",
        ),
        (
            "work item of 51 characters",
            "bad",
            json!({"mode": "Chat", "repository": {"url": "https://h/x"}, "workId": "1".repeat(51)}),
            "workId",
        ),
        (
            "chat without a repository",
            "bad",
            json!({"mode": "Chat", "workflow": "None"}),
            "spec.repository is required in mode Chat",
        ),
        ("work item of a terminal", "bad", json!({"workId": "12"}), "set spec.mode to Chat"),
        ("agent of a terminal", "bad", json!({"agent": {"model": "m"}}), "set spec.mode to Chat"),
        ("ssh repository", "bad", json!({"repository": {"url": "ssh://host/x"}}), "http"),
        (
            "user in the URL",
            "bad",
            json!({"repository": {"url": "https://me:pw@host/x"}}),
            "secretRef",
        ),
        ("empty URL", "bad", json!({"repository": {"url": ""}}), "url"),
        (
            "branch of 0 characters",
            "bad",
            json!({"repository": {"url": "https://h/x", "branch": ""}}),
            "branch",
        ),
        (
            "branch of 101 characters",
            "bad",
            json!({"repository": {"url": "https://h/x", "branch": long}}),
            "branch",
        ),
        (
            "branch git forbids",
            "bad",
            json!({"repository": {"url": "https://h/x", "branch": "a..b"}}),
            "branch",
        ),
        (
            "branch with a space",
            "bad",
            json!({"repository": {"url": "https://h/x", "branch": "a b"}}),
            "branch",
        ),
        ("dotted name", "bad.name", json!({}), "name"),
        ("Suspended without workspace", "bad", json!({"operatingMode": "Suspended"}), "workspace"),
        ("idle timeout without workspace", "bad", json!({"idleTimeoutSeconds": 600}), "workspace"),
        (
            "our label prefix",
            "bad",
            json!({"podTemplate": {"labels": {"fabrica.dev/mode": "x"}}}),
            "fabrica.dev",
        ),
        (
            "our annotation prefix",
            "bad",
            json!({"podTemplate": {"annotations": {"fabrica.dev/trust-keys": "x"}}}),
            "fabrica.dev",
        ),
        (
            "two sources of a variable",
            "bad",
            json!({"env": [{"name": "A", "value": "x",
            "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}),
            "value",
        ),
        (
            "reserved variable",
            "bad",
            json!({"env": [{"name": "FABRICA_X", "value": "x"}]}),
            "FABRICA_",
        ),
    ]
}

#[tokio::test]
async fn the_api_server_refuses_with_the_field() {
    with_namespace(|namespace| async move {
        for (what, name, spec, mentions) in refused() {
            let error = create(&namespace, name, spec).await.expect_err(what).to_string();
            ensure!(error.contains(mentions), "{what}: {error}");
        }
        let long = "n".repeat(53);
        let error =
            create(&namespace, &long, json!({})).await.expect_err("a long name").to_string();
        ensure!(error.contains("52"), "{error}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_gateway_refuses_in_the_same_words() {
    with_namespace(|namespace| async move {
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let path = format!("/api/v1/namespaces/{}/sessions", namespace.name);
        for (what, name, spec, mentions) in refused() {
            let (status, body) = gateway.post(&path, &json!({"name": name, "spec": spec})).await?;
            ensure!(status == 400 || status == 422, "{what}: {status} {body}");
            ensure!(body.to_string().contains(mentions), "{what}: {body}");
            ensure!(
                body["title"].is_string() && body["status"] == status.as_u16(),
                "{what}: {body}"
            );
        }
        let (status, body) = gateway.post(&path, &json!({"nmae": "x", "spec": {}})).await?;
        ensure!(status.is_client_error() && body.to_string().contains("nmae"), "{status} {body}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_must_not_change_does_not() {
    with_namespace(|namespace| async move {
        namespace.session("fixed", json!({"workspace": {"size": "64Mi"}})).await?;
        let error = namespace
            .patch_spec("fixed", json!({"owner": "somebody"}))
            .await
            .expect_err("an owner set later")
            .to_string();
        ensure!(error.contains("owner"), "{error}");
        let error = namespace
            .patch_spec("fixed", json!({"workspace": {"size": "1Gi"}}))
            .await
            .expect_err("a changed volume")
            .to_string();
        ensure!(error.contains("workspace"), "{error}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_owner_is_the_requester() {
    with_namespace(|namespace| async move {
        let token = editor(&namespace).await?;
        let gateway = Gateway::new(Some(&token))?;
        let path = format!("/api/v1/namespaces/{}/sessions", namespace.name);
        let (status, body) = gateway.post(&path, &json!({"name": "mine", "spec": {}})).await?;
        ensure!(status == 201, "{status} {body}");
        let me = format!("system:serviceaccount:{}:editor", namespace.name);
        ensure!(body["spec"]["owner"] == me.as_str(), "{body}");
        let (status, body) =
            gateway.post(&path, &json!({"name": "theirs", "spec": {"owner": "somebody"}})).await?;
        ensure!(status.is_client_error() && body.to_string().contains("owner"), "{status} {body}");
        Ok(())
    })
    .await;
}

/// Creates a Session as strictly as kubectl does, without our types in between.
async fn create(namespace: &Namespace, name: &str, spec: Value) -> Result<()> {
    let url = format!(
        "/apis/fabrica.dev/v1alpha1/namespaces/{}/sessions?fieldValidation=Strict",
        namespace.name
    );
    let body = json!({"apiVersion": "fabrica.dev/v1alpha1", "kind": "Session", "metadata": {"name": name}, "spec": spec});
    let request = http::Request::post(url)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())?;
    namespace.cluster.client.request::<Value>(request).await?;
    Ok(())
}
