//! `kubectl fabrica` at a real pseudo-terminal, through the gateway, against a Session of the cluster.

use anyhow::{Result, ensure};
use fabrica_e2e::Namespace;
use fabrica_e2e::cluster::{DEADLINE, eventually, with_namespace};
use fabrica_e2e::person::{self, Person};
use serde_json::json;
use tokio::process::Command;

use crate::lifecycle::editor;

/// The plugin, as a user of this namespace.
async fn plugin(namespace: &Namespace, arguments: &[&str]) -> Result<Command> {
    Ok(person::plugin(namespace, &editor(namespace).await?, arguments))
}

#[tokio::test]
async fn a_shell_at_home_outlives_its_pods_connections() {
    with_namespace(|namespace| async move {
        namespace.ready_session("box", json!({})).await?;
        let mut person = Person::at(&plugin(&namespace, &["attach", "box"]).await?)?;
        person.types("echo at-'home'\r")?;
        person.sees("at-home").await?;
        person.types("\r~.")?;
        person.sees("Detached from box; its shell goes on.").await?;
        let ended = tokio::time::timeout(DEADLINE, person.command.wait()).await??;
        ensure!(ended.success(), "{ended}");
        // What is shown to somebody who comes is what was there.
        let mut person = Person::at(&plugin(&namespace, &["attach", "box"]).await?)?;
        person.sees("at-home").await?;
        person.types("exit 5\r")?;
        person.sees("The shell of box ended with code 5.").await?;
        let ended = tokio::time::timeout(DEADLINE, person.command.wait()).await??;
        ensure!(ended.code() == Some(5), "{ended}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn attaching_wakes_what_rests() {
    with_namespace(|namespace| async move {
        let spec = json!({"operatingMode": "Suspended", "workspace": {"size": "64Mi"}});
        namespace.session("asleep", spec).await?;
        eventually("ls shows that it rests", || async {
            let output = plugin(&namespace, &["ls"]).await?.output().await?;
            let listed = String::from_utf8_lossy(&output.stdout).into_owned();
            Ok(listed.contains("session/asleep  Stopped").then_some(()))
        })
        .await?;
        let mut person = Person::at(&plugin(&namespace, &["attach", "asleep"]).await?)?;
        person.sees("asleep rests; it is being woken.").await?;
        person.types("echo wide-'awake'\r")?;
        person.sees("wide-awake").await
    })
    .await;
}

#[tokio::test]
async fn files_and_pages() {
    with_namespace(|namespace| async move {
        namespace.ready_session("files", json!({})).await?;
        let folder = tempfile::tempdir()?;
        let (there, back) = (folder.path().join("there"), folder.path().join("back"));
        std::fs::write(&there, vec![7; 1_000_000])?;
        let (there, back) = (there.to_string_lossy(), back.to_string_lossy());
        for arguments in [["cp", &*there, "files:sub/"], ["cp", "files:sub/there", &*back]] {
            let output = plugin(&namespace, &arguments).await?.output().await?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        ensure!(std::fs::read(&*back)? == vec![7; 1_000_000]);
        let output =
            plugin(&namespace, &["open", "files"]).await?.env("BROWSER", "true").output().await?;
        let address = String::from_utf8_lossy(&output.stdout).into_owned();
        let page = reqwest::get(address.trim()).await?;
        ensure!(page.status().is_success(), "{address}");
        Ok(())
    })
    .await;
}
