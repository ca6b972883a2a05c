//! Runs through the gateway: REST, and a markdown plan.

use anyhow::{Context, ensure};
use fabrica_crds::Run;
use fabrica_e2e::Gateway;
use fabrica_e2e::cluster::{eventually, wait_gone, with_namespace};
use fabrica_e2e::gateway::decode;
use k8s_openapi::api::core::v1::ConfigMap;
use reqwest::Method;
use serde_json::{Value, json};

use crate::lifecycle::editor;

/// An image that nobody has: the Run waits for it, whatever the network is like.
const NO_IMAGE: &str = "fabrica.invalid/no/such:image";

const PLAN: &str = "---\nrepo: http://127.0.0.1:9/nothing.git\nbase: main\n---\n# Do nothing\n\n```sh\ntrue\n```\n";

fn waiting() -> Value {
    json!({"repository": {"url": "http://127.0.0.1:9/nothing.git"}, "plan": "# Wait", "image": NO_IMAGE})
}

#[tokio::test]
async fn a_run_lives_over_rest() {
    with_namespace(|namespace| async move {
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let runs = format!("/api/v1/namespaces/{}/runs", namespace.name);
        let one = format!("{runs}/rest");
        let body = json!({"name": "rest", "spec": waiting()});
        let (status, made) = gateway.post(&runs, &body).await?;
        ensure!(status == 201 && made["uid"].is_string(), "{status} {made}");
        ensure!(gateway.post(&runs, &body).await?.0 == 409);
        let (status, problem) = gateway.post(&format!("{one}/retry"), &json!({})).await?;
        ensure!(status == 409, "{status} {problem}");
        ensure!(gateway.get(&format!("{one}/messages?after=0")).await?.1["items"].is_array());
        let (status, cancelled) = gateway.post(&format!("{one}/cancel"), &Value::Null).await?;
        ensure!(status == 200 && cancelled["spec"]["desiredState"] == "Cancelled", "{cancelled}");
        eventually("the Run is Cancelled", || async {
            let (_, run) = gateway.get(&one).await?;
            Ok((run["status"]["phase"] == "Cancelled").then_some(()))
        })
        .await?;
        let (status, again) =
            gateway.post(&format!("{one}/retry"), &json!({"plan": "# New"})).await?;
        ensure!(status == 201 && again["spec"]["plan"] == "# New", "{status} {again}");
        let (status, _) = gateway.delete(&one).await?;
        ensure!(status.is_success(), "{status}");
        wait_gone(&namespace.api::<Run>(), "rest").await
    })
    .await;
}

#[tokio::test]
async fn a_markdown_plan_becomes_a_run() {
    with_namespace(|namespace| async move {
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let submit = |plan: &str| {
            let request = gateway.request(Method::POST, "/run");
            let request = request.header("content-type", "text/markdown");
            request.header("idempotency-key", "once").body(plan.to_owned())
        };
        let (status, accepted) = decode(submit(PLAN).send().await?).await?;
        ensure!(status == 202, "{status} {accepted}");
        let id = accepted["sessionId"].as_str().context("an id")?.to_owned();
        ensure!(decode(submit(PLAN).send().await?).await?.1["sessionId"] == id);
        let (status, run) = gateway.get(&format!("/sessions/{id}")).await?;
        ensure!(status == 200 && run["title"] == "Do nothing", "{status} {run}");
        ensure!(gateway.get(&format!("/sessions/{id}/messages")).await?.1.is_array());
        let long = format!("{PLAN}{}", "A line of a long plan.\n".repeat(2_000));
        let request = gateway.request(Method::POST, "/run").header("content-type", "text/markdown");
        let (status, accepted) = decode(request.body(long).send().await?).await?;
        ensure!(status == 202, "{status} {accepted}");
        let kept = format!("{}-plan", accepted["name"].as_str().context("a name")?);
        let plan = namespace.api::<ConfigMap>().get(&kept).await?;
        ensure!(plan.data.as_ref().is_some_and(|data| data.len() == 1), "{kept} holds no plan");
        let one = format!(
            "/api/v1/namespaces/{}/runs/{}",
            namespace.name,
            kept.trim_end_matches("-plan")
        );
        ensure!(gateway.post(&format!("{one}/cancel"), &Value::Null).await?.0 == 200);
        let again = eventually("it can be tried again", || async {
            let (status, again) = gateway.post(&format!("{one}/retry"), &json!({})).await?;
            ensure!(status == 201 || status == 409, "{status} {again}");
            Ok((status == 201).then_some(again))
        })
        .await?;
        ensure!(gateway.delete(&one).await?.0.is_success());
        let copy = again["spec"]["planRef"]["name"].as_str().context("a reference")?;
        ensure!(
            copy != kept && namespace.api::<ConfigMap>().get(copy).await?.data == plan.data,
            "{again}"
        );
        let wrong = PLAN.replace("http://127.0.0.1:9", "ftp://127.0.0.1");
        let request = gateway.request(Method::POST, "/run").header("content-type", "text/markdown");
        let (status, problem) = decode(request.body(wrong).send().await?).await?;
        ensure!(status == 422 && problem["errors"][0]["field"] == "repo", "{status} {problem}");
        Ok(())
    })
    .await;
}
