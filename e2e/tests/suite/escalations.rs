//! A question stops a Run until a human answers: while its agent still waits, and long after its pod is gone.

use anyhow::{Context, Result, ensure};
use fabrica_crds::Run;
use fabrica_crds::run::Phase;
use fabrica_e2e::archive::{await_recorded, check_numbers, messages};
use fabrica_e2e::cluster::wait_gone;
use fabrica_e2e::forge::{Forge, ForgeRepository};
use fabrica_e2e::run::{causes, phase_of, succeeded};
use fabrica_e2e::{Gateway, Namespace};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::agent_runs::{spec, with_repository};
use crate::lifecycle::editor;

/// A Run whose agent asks for a colour, when it has asked.
async fn asking(namespace: &Namespace, name: &str, spec: Value) -> Result<String> {
    namespace.run(name, spec).await?;
    let run = namespace.await_phase(name, Phase::Escalated).await?;
    let asked = run.status.and_then(|status| status.escalation).context("a question")?;
    ensure!(asked.question == "Which colour?" && asked.options == ["red", "blue"], "{asked:?}");
    Ok(asked.id)
}

/// Both commits of the agent are there, the second made of what was not committed when it asked.
async fn went_on(namespace: &Namespace, repository: &ForgeRepository, name: &str) -> Result<Run> {
    let run = namespace.await_end(name).await?;
    ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);
    let forge = Forge::new()?;
    let pulls = forge.pull_requests(repository).await?;
    let number = pulls.first().and_then(|pull| pull["number"].as_i64()).context("a request")?;
    let diff = forge.diff(repository, number).await?;
    ensure!(diff.contains("+one") && diff.contains("+draft"), "{diff}");
    Ok(run)
}

#[tokio::test]
async fn an_answer_in_time_reaches_the_agent_in_its_pod() {
    with_repository(|namespace, place| async move {
        let id = asking(&namespace, "asks", spec(&place.1, "ask")).await?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let answers = format!("/api/v1/namespaces/{}/runs/asks/answers", namespace.name);
        let answer = json!({"id": id, "text": "blue"});
        let (status, wrong) = gateway.post(&answers, &json!({"id": "other", "text": "x"})).await?;
        ensure!(status == 409 && wrong.to_string().contains(&id), "{status} {wrong}");
        let (status, run) = gateway.post(&answers, &answer).await?;
        ensure!(status == 200, "{status} {run}");
        let by = run["spec"]["answers"][0]["answeredBy"].as_str().unwrap_or_default();
        ensure!(by.contains("system:serviceaccount"), "{run}");
        let (status, again) = gateway.post(&answers, &json!({"id": id, "text": "red"})).await?;
        ensure!(status == 409, "{status} {again}");
        let run = went_on(&namespace, &place.1, "asks").await?;
        ensure!(causes(&run) == ["Succeeded"], "{:?}", run.status);
        let run = await_recorded(&namespace, "asks", "True").await?;
        let rows = messages(&run).await?;
        ensure!(rows.iter().any(|row| row.r#type == "escalation"), "{rows:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_answer_long_after_the_pod_is_gone_continues_the_very_call() {
    with_repository(|namespace, place| async move {
        let id = asking(&namespace, "waits", spec(&place.1, "ask")).await?;
        let gone = |run: &Run| causes(run) == ["Escalated"];
        namespace.await_run("waits", "let go", gone).await?;
        // It has ended; that it is gone, files and all, must not matter either.
        let pods = namespace.api::<Pod>();
        pods.delete("waits-run-1", &DeleteParams::default()).await?;
        wait_gone(&pods, "waits-run-1").await?;
        let answers = json!({"spec": {"answers": [{"id": id, "text": "blue"}]}});
        let runs = namespace.api::<Run>();
        runs.patch("waits", &PatchParams::default(), &Patch::Merge(answers)).await?;
        let run = went_on(&namespace, &place.1, "waits").await?;
        ensure!(causes(&run) == ["Escalated", "Succeeded"], "{:?}", run.status);
        let run = await_recorded(&namespace, "waits", "True").await?;
        let rows = messages(&run).await?;
        check_numbers(&rows)?;
        let asked = rows.iter().filter(|row| row.r#type == "escalation").count();
        ensure!(asked >= 1, "{rows:?}");
        let answered = rows.iter().find(|row| row.content["metadata"]["kind"] == "answered");
        let said = answered.and_then(|row| row.content["message"].as_str());
        ensure!(said.is_some_and(|text| text.contains("blue")), "{rows:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_question_that_nobody_answers_has_an_end() {
    with_repository(|namespace, place| async move {
        for (name, policy) in [
            ("fails", json!({})),
            ("goes-on", json!({"onTimeout": "Default", "defaultAnswer": "red"})),
        ] {
            let mut spec = spec(&place.1, "ask");
            spec["escalation"] = policy;
            // The least there is.
            spec["escalation"]["timeoutSeconds"] = json!(60);
            namespace.run(name, spec).await?;
        }
        let failed = namespace.await_end("fails").await?;
        ensure!(succeeded(&failed).1 == "EscalationTimedOut", "{:?}", failed.status);
        went_on(&namespace, &place.1, "goes-on").await.map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn an_escalated_run_can_be_cancelled() {
    with_repository(|namespace, place| async move {
        asking(&namespace, "stops", spec(&place.1, "ask")).await?;
        namespace.cancel("stops").await?;
        let run = namespace.await_end("stops").await?;
        ensure!(phase_of(&run) == Some(Phase::Cancelled), "{:?}", run.status);
        ensure!(run.status.is_some_and(|status| status.escalation.is_none()));
        Ok(())
    })
    .await;
}
