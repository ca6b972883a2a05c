//! The example plan, handed in as the README shows it, and everywhere where people look for what came of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fabrica_crds::run::Phase;
use fabrica_e2e::archive::{check_numbers, messages};
use fabrica_e2e::cluster::eventually;
use fabrica_e2e::forge::{Forge, ForgeRepository};
use fabrica_e2e::gateway::decode;
use fabrica_e2e::helm::text;
use fabrica_e2e::run::phase_of;
use fabrica_e2e::{Gateway, Namespace};
use reqwest::Method;
use tokio::process::Command;

use crate::agent_runs::with_repository;
use crate::lifecycle::editor;

const PLAN: &str = include_str!("../../../crds/examples/plan.md");
/// The repository of the local cluster's demo, which everybody works on.
const DEMO: &str = "repo: http://10.99.0.1:3000/demo/demo.git\n";
/// What is promised of a plan this small, from its request to all that is known of its end.
const PROMISED: Duration = Duration::from_mins(2);

#[tokio::test]
async fn the_example_plan_becomes_a_pull_request_in_under_two_minutes() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        ensure!(PLAN.contains(DEMO), "the example names another repository");
        let plan = PLAN.replace(DEMO, &format!("repo: {}\n", repository.url));
        let done = carried_out(&namespace, &gateway, plan, forge, repository);
        tokio::time::timeout(PROMISED, done).await.context("it took longer than promised")?
    })
    .await;
}

async fn carried_out(
    namespace: &Namespace,
    gateway: &Gateway,
    plan: String,
    forge: &Forge,
    repository: &ForgeRepository,
) -> Result<()> {
    let request = gateway.request(Method::POST, &format!("/run?namespace={}", namespace.name));
    let request = request.header("content-type", "text/markdown").body(plan);
    let (status, accepted) = decode(request.send().await?).await?;
    ensure!(status == 202 && accepted["sessionId"].is_string(), "{status} {accepted}");
    let name = accepted["name"].as_str().context("a name")?;
    let run = namespace.await_end(name).await?;
    ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);

    let pulls = forge.pull_requests(repository).await?;
    ensure!(pulls.len() == 1, "{pulls:?}");
    let url = pulls[0]["html_url"].as_str().context("an address")?;
    let opened = format!("The pull request is {url}.");

    let rows = eventually("all that it told is in PostgreSQL", || async {
        let rows = messages(&run).await?;
        Ok(rows.iter().any(|row| row.r#type == "completion").then_some(rows))
    })
    .await?;
    check_numbers(&rows)?;
    ensure!(rows.iter().any(|row| row.content["message"] == *opened), "{rows:?}");

    // An Event is written beside the status.
    eventually("kubectl describe tells it", || async {
        let described = describe(namespace, name).await?;
        let (object, events) = described.split_once("\nEvents:").context("events")?;
        let said = [opened.as_str(), "Phase:", "Completed"];
        let is_told = said.iter().all(|words| object.contains(words));
        ensure!(is_told && events.contains("Succeeded"), "{described}");
        Ok(Some(()))
    })
    .await
}

async fn describe(namespace: &Namespace, name: &str) -> Result<String> {
    let mut command = Command::new("kubectl");
    command.args(["--namespace", &namespace.name, "describe", "frun", name]);
    let output = command.output().await?;
    ensure!(output.status.success(), "{}", text(&output.stderr));
    Ok(text(&output.stdout))
}
