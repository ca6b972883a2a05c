//! What a Run told, in PostgreSQL.

use anyhow::ensure;
use fabrica_crds::run::Phase;
use fabrica_e2e::archive::{await_recorded, check_numbers, messages, select};
use fabrica_e2e::cluster::with_namespace;
use fabrica_e2e::git_server::GitServer;
use fabrica_e2e::run::phase_of;
use kube::ResourceExt;
use serde_json::json;

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
