//! `kubectl fabrica` at a real pseudo-terminal, through the gateway, against a Session of the cluster.

use std::process::Output;

use anyhow::{Context, Result, ensure};
use fabrica_e2e::Namespace;
use fabrica_e2e::cluster::{DEADLINE, eventually, with_namespace};
use fabrica_e2e::person::{self, Person};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Patch, PatchParams};
use kube::config::{AuthInfo, Kubeconfig};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::process::Command;

use crate::lifecycle::editor;
use crate::network::network;

/// Where nobody listens.
const DEAD: &str = "http://127.0.0.1:1";

/// The plugin, as a user of this namespace.
pub(crate) async fn plugin(namespace: &Namespace, arguments: &[&str]) -> Result<Command> {
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

/// The test's kubeconfig, with another way to log in to the same cluster.
fn kubeconfig(namespace: &Namespace, login: &AuthInfo) -> Result<NamedTempFile> {
    let mut config = Kubeconfig::read()?;
    for user in &mut config.auth_infos {
        user.auth_info = Some(login.clone());
    }
    for context in config.contexts.iter_mut().filter_map(|named| named.context.as_mut()) {
        context.namespace = Some(namespace.name.clone());
    }
    let file = NamedTempFile::new()?;
    serde_json::to_writer(&file, &config)?;
    Ok(file)
}

/// `ls` of somebody who has said no more than this.
async fn ls(config: &NamedTempFile, said: &[&str], url: Option<&str>) -> Result<Output> {
    let mut command = Command::new("kubectl");
    command.args(["fabrica", "ls"]).args(said).env("KUBECONFIG", config.path());
    command.env_remove("FABRICA_TOKEN").env_remove("FABRICA_URL");
    command.envs(url.map(|url| ("FABRICA_URL", url)));
    Ok(command.output().await?)
}

/// Checks that it failed with these words.
fn check_failed(output: &Output, words: &str) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains(words), "«{words}»: {said}");
    Ok(())
}

fn check_listed(output: &Output) -> Result<()> {
    let listed = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && listed.contains("session/found"), "{listed} {said}");
    Ok(())
}

/// Somebody who may look into one namespace finds what is labelled there as the chart labels its own: the chart's lie elsewhere.
#[tokio::test]
async fn the_gateway_is_found_by_what_was_said_then_by_the_ingress_then_by_the_service() {
    with_namespace(|namespace| async move {
        let asleep = json!({"operatingMode": "Suspended", "workspace": {"size": "64Mi"}});
        namespace.session("found", asleep).await?;
        let token = editor(&namespace).await?;
        let config = AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() };
        let config = kubeconfig(&namespace, &config)?;
        check_failed(&ls(&config, &[], None).await?, "nothing that you may see")?;

        let labels = json!({"app.kubernetes.io/name": "fabrica", "app.kubernetes.io/component": "gateway"});
        let (_way, real) = network().await?;
        let port: u16 = real.rsplit(':').next().context("a port")?.parse()?;
        namespace
            .create::<Service>(json!({"metadata": {"name": "door", "labels": labels},
                "spec": {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": [{"port": port}]}}))
            .await?;
        check_failed(&ls(&config, &[], None).await?, "port-forward service/door 8080:80")?;
        // A name, for the address would be taken over by kube-proxy.
        let status = json!({"status": {"loadBalancer": {"ingress": [{"hostname": "localhost"}]}}});
        let (api, parameters) = (namespace.api::<Service>(), PatchParams::default());
        api.patch_status("door", &parameters, &Patch::Merge(&status)).await?;
        check_listed(&ls(&config, &[], None).await?)?;

        let host = format!("{}.invalid", namespace.name);
        namespace
            .create::<Ingress>(json!({"metadata": {"name": "door", "labels": labels},
                "spec": {"rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix",
                    "backend": {"service": {"name": "door", "port": {"number": port}}}}]}}]}}))
            .await?;
        check_failed(&ls(&config, &[], None).await?, &format!("http://{host} does not answer"))?;

        check_listed(&ls(&config, &[], Some(&real)).await?)?;
        let dead = format!("{DEAD} does not answer");
        check_failed(&ls(&config, &[], Some(DEAD)).await?, &dead)?;
        check_listed(&ls(&config, &["--url", &real], Some(DEAD)).await?)?;
        check_failed(&ls(&config, &["--url", DEAD], Some(&real)).await?, &dead)
    })
    .await;
}

/// The cluster's administrator has a certificate, and the gateway takes no certificates.
#[tokio::test]
async fn who_logs_in_with_a_certificate_is_told_how_to_get_a_token() {
    with_namespace(|namespace| async move {
        let present = Kubeconfig::read()?;
        let login = present.auth_infos.iter().find_map(|user| user.auth_info.clone());
        let certificate =
            AuthInfo { token: None, token_file: None, exec: None, ..login.unwrap_or_default() };
        let config = kubeconfig(&namespace, &certificate)?;
        let (_way, real) = network().await?;
        let output = ls(&config, &[], Some(&real)).await?;
        check_failed(&output, "--token \"$(kubectl create token SERVICEACCOUNT)\"")
    })
    .await;
}
