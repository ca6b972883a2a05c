//! `kubectl fabrica` and Runs of the cluster: they are followed, answered and cancelled.

use anyhow::{Context, Result, ensure};
use fabrica_crds::run::Phase;
use fabrica_e2e::Namespace;
use fabrica_e2e::archive::await_recorded;
use fabrica_e2e::cluster::DEADLINE;
use fabrica_e2e::helm::text;
use fabrica_e2e::person::Person;
use fabrica_e2e::run::phase_of;

use crate::agent_runs::{spec, with_repository};
use crate::cli::plugin;

/// What a command that succeeds says.
async fn said(namespace: &Namespace, arguments: &[&str]) -> Result<String> {
    let output = plugin(namespace, arguments).await?.output().await?;
    ensure!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    Ok(text(&output.stdout))
}

#[tokio::test]
async fn a_run_is_followed_to_its_end_and_answered_on_the_way() {
    with_repository(|namespace, place| async move {
        namespace.run("asks", spec(&place.1, "ask")).await?;
        let mut person = Person::at(&plugin(&namespace, &["logs", "-f", "asks"]).await?)?;
        person.sees("I begin.").await?;
        person.sees("asks asks: Which colour?").await?;
        let told = said(&namespace, &["answer", "asks", "blue"]).await?;
        ensure!(told.contains("asks has the answer and goes on."), "{told}");
        person.sees("asks completed (Succeeded)").await?;
        person.sees("pull request: http").await?;
        let ended = tokio::time::timeout(DEADLINE, person.command.wait()).await??;
        ensure!(ended.success(), "{ended}");

        // What was said last may reach the archive behind the verdict.
        let run = await_recorded(&namespace, "asks", "True").await?;
        let answer = run.spec.answers.iter().flatten().next().context("an answer")?;
        let by = answer.answered_by.as_deref().unwrap_or_default();
        ensure!(answer.text == "blue" && by.contains("system:serviceaccount"), "{answer:?}");
        let told = said(&namespace, &["logs", "asks"]).await?;
        ensure!(told.contains("I begin.") && told.contains("All is done."), "{told}");
        let late = plugin(&namespace, &["answer", "asks", "red"]).await?.output().await?;
        let complaint = text(&late.stderr);
        ensure!(!late.status.success() && complaint.contains("no question is open"), "{complaint}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_ends_for_who_follows_it() {
    with_repository(|namespace, place| async move {
        namespace.run("hangs", spec(&place.1, "hang")).await?;
        namespace.await_phase("hangs", Phase::Running).await?;
        let mut person = Person::at(&plugin(&namespace, &["logs", "--follow", "hangs"]).await?)?;
        let told = said(&namespace, &["cancel", "hangs"]).await?;
        ensure!(told.contains("hangs is being cancelled."), "{told}");
        person.sees("hangs cancelled (Cancelled)").await?;
        let ended = tokio::time::timeout(DEADLINE, person.command.wait()).await??;
        ensure!(ended.code() == Some(1), "{ended}");
        let run = namespace.await_end("hangs").await?;
        ensure!(phase_of(&run) == Some(Phase::Cancelled), "{:?}", run.status);
        Ok(())
    })
    .await;
}
