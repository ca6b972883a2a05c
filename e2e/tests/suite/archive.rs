//! What a Run told, in PostgreSQL.

use anyhow::{Context, Result, ensure};
use fabrica_crds::Run;
use fabrica_crds::run::Phase;
use fabrica_e2e::Gateway;
use fabrica_e2e::archive::{await_recorded, check_numbers, messages, select};
use fabrica_e2e::cluster::{eventually, wait_gone, with_namespace};
use fabrica_e2e::git_server::GitServer;
use fabrica_e2e::run::phase_of;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::lifecycle::editor;

#[tokio::test]
async fn everything_that_a_run_told_is_kept_once_and_in_order() {
    with_namespace(|namespace| async move {
        let server = GitServer::start().await?;
        server.repository("kept", &[("README.md", "hello")]).await?;
        // What no column can hold comes as an agent's output may: a null character and broken UTF-8.
        let plan = "# Tell\n\n```sh\nprintf 'odd \\0 \\377 bytes\\n'; seq 300\n```\n```sh\necho two > two\n```\n";
        let spec = json!({"plan": plan, "agent": {"driver": "Script"},
            "repository": {"url": server.url("kept")}});
        namespace.run("kept", spec).await?;
        let ended = namespace.await_end("kept").await?;
        ensure!(phase_of(&ended) == Some(Phase::Completed), "{:?}", ended.status);
        let run = await_recorded(&namespace, "kept", "True").await?;
        let rows = messages(&run).await?;
        check_numbers(&rows)?;
        let last = rows.last().map(|row| row.r#type.as_str());
        ensure!(last == Some("completion"), "the last one is {last:?}");
        let told: Vec<_> =
            rows.iter().filter_map(|row| row.content["message"].as_str()).collect();
        ensure!(told.iter().any(|text| text.contains("odd")), "{told:?}");
        let uid = run.uid().unwrap_or_default();
        let object = select(&format!("SELECT * FROM objects WHERE uid = '{uid}'")).await?;
        ensure!(object.len() == 1 && object[0]["phase"] == "Completed", "{object:?}");
        let specs = select(&format!("SELECT spec FROM specs WHERE uid = '{uid}'")).await?;
        ensure!(specs.len() == 1 && specs[0]["spec"]["plan"] == plan, "{specs:?}");
        Ok(())
    })
    .await;
}

/// What the gateway says of a path, which is there.
async fn found(gateway: &Gateway, path: &str) -> Result<Value> {
    let (status, answer) = gateway.get(path).await?;
    ensure!(status == 200, "{path}: {status} {answer}");
    Ok(answer)
}

#[tokio::test]
async fn a_run_can_be_read_when_it_and_its_pod_are_gone() {
    with_namespace(|namespace| async move {
        let server = GitServer::start().await?;
        server.repository("past", &[("README.md", "hello")]).await?;
        let plan = "# Tell\n\n```sh\nseq 10; echo two > two\n```\n";
        let spec = json!({"plan": plan, "agent": {"driver": "Script"},
            "repository": {"url": server.url("past")}});
        namespace.run("past", spec).await?;
        namespace.await_end("past").await?;
        let run = await_recorded(&namespace, "past", "True").await?;
        let uid = run.uid().context("a UID")?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let short = format!("/sessions/{uid}");
        let runs = format!("/api/v1/namespaces/{}/runs", namespace.name);
        let told = found(&gateway, &format!("{short}/messages")).await?;
        let rows = messages(&run).await?;
        ensure!(told.as_array().is_some_and(|told| told.len() == rows.len()), "{told}");

        namespace.api::<Run>().delete("past", &DeleteParams::default()).await?;
        wait_gone(&namespace.api::<Run>(), "past").await?;
        wait_gone(&namespace.api::<Pod>(), "past-run-1").await?;
        // Each replica learns by its own watch that it is gone.
        let past = eventually("it is archived", || async {
            let past = found(&gateway, &short).await?;
            Ok((past["archived"] == true).then_some(past))
        })
        .await?;
        ensure!(past["status"] == "completed" && past["id"] == *uid, "{past}");
        ensure!(found(&gateway, &format!("{short}/messages")).await? == told);
        for which in [String::new(), format!("?uid={uid}")] {
            let whole = found(&gateway, &format!("{runs}/past{which}")).await?;
            ensure!(whole["uid"] == *uid && whole["spec"]["plan"] == plan, "{whole}");
            ensure!(whole["status"]["attempts"][0]["cause"] == "Succeeded", "{whole}");
        }
        eventually("it is listed among those that were", || async {
            let listed = found(&gateway, &format!("{runs}?archived=true")).await?;
            let mut items = listed["items"].as_array().into_iter().flatten();
            Ok(items.any(|item| item["uid"] == *uid && item["archived"] == true).then_some(()))
        })
        .await?;

        // The journal as the page saves it: page by page, to the one that is empty.
        let mut journal: Vec<Value> = Vec::new();
        loop {
            let after = journal.last().map_or(0, |last| last["seq"].as_i64().unwrap_or(i64::MAX));
            let path = format!("{runs}/past/messages?uid={uid}&after={after}&limit=5");
            let page = found(&gateway, &path).await?;
            match page["items"].as_array() {
                Some(items) if !items.is_empty() => journal.extend(items.iter().cloned()),
                _ => break,
            }
        }
        ensure!(Value::from(journal) == told);
        Ok(())
    })
    .await;
}
