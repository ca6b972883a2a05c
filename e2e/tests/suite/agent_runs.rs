//! Runs by the real agent, whose model is scripted, on a real forge.

use std::future::Future;

use anyhow::{Context, Result, ensure};
use fabrica_crds::run::Phase;
use fabrica_e2e::cluster::with_namespace;
use fabrica_e2e::forge::{Forge, ForgeRepository};
use fabrica_e2e::run::{causes, phase_of, succeeded};
use fabrica_e2e::scenario::{command, said, tool, words};
use fabrica_e2e::{Gateway, Namespace};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::lifecycle::editor;

/// A namespace and a repository for one test; both go with it.
pub(crate) async fn with_repository<F, Fut>(test: F)
where
    F: FnOnce(Namespace, std::sync::Arc<(Forge, ForgeRepository)>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    with_namespace(|namespace| async move {
        let forge = Forge::new()?;
        namespace.agent_secret(&forge).await?;
        let repository = forge.repository().await?;
        let place = std::sync::Arc::new((forge, repository));
        // Its own task, so that the repository goes also when the test panics.
        let outcome = tokio::spawn(test(namespace, std::sync::Arc::clone(&place))).await;
        place.0.delete(&place.1).await?;
        outcome?
    })
    .await;
}

pub(crate) fn spec(repository: &ForgeRepository, scenario: &str) -> Value {
    json!({
        "plan": format!("# Play\n\nscenario: {scenario}\n"),
        "repository": {"url": repository.url, "forge": "Gitea"},
        "agent": {"driver": "Claude"},
    })
}

#[tokio::test]
async fn a_plan_comes_back_as_a_pull_request() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        let mut spec = spec(repository, "happy");
        spec["pullRequest"] = json!({"draft": true});
        namespace.run("happy", spec).await?;
        let run = namespace.await_end("happy").await?;
        ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);
        ensure!(succeeded(&run).1 == "Succeeded", "{:?}", run.status);
        let status = run.status.context("a status")?;
        let pulls = forge.pull_requests(repository).await?;
        ensure!(pulls.len() == 1, "{pulls:?}");
        ensure!(pulls[0]["html_url"].as_str() == status.pull_request_url.as_deref(), "{pulls:?}");
        let title = pulls[0]["title"].as_str().unwrap_or_default();
        ensure!(title.contains("Add one and two") && title.starts_with("WIP:"), "{title}");
        let branch = status.branch.context("a branch")?;
        let subjects = forge.subjects(repository, &branch).await?;
        ensure!(subjects.iter().any(|text| text.starts_with("Add one")), "{subjects:?}");
        ensure!(subjects.iter().any(|text| text.starts_with("Add two")), "{subjects:?}");
        let usage = status.usage.context("usage")?;
        ensure!(usage.output_tokens > 0 && usage.estimated_cost_usd != "0", "{usage:?}");
        let faber = status.faber.context("what the agent said of its work")?;
        ensure!(faber.phase.as_deref() == Some("build") && faber.todos.len() == 2, "{faber:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_work_item_is_worked_on() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        let number = forge.issue(repository, "Add one and two", "scenario: happy\n").await?;
        let mut spec = spec(repository, "unused");
        spec["plan"].take();
        spec.as_object_mut().context("a spec")?.remove("plan");
        spec["workId"] = json!(format!("#{number}"));
        namespace.run("item", spec).await?;
        let run = namespace.await_end("item").await?;
        ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);
        let pulls = forge.pull_requests(repository).await?;
        let body = pulls.first().and_then(|pull| pull["body"].as_str()).unwrap_or_default();
        ensure!(body.contains(&format!("#{number}")), "{pulls:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_refused_ends_the_run_at_once() {
    with_repository(|namespace, place| async move {
        namespace.run("refused", spec(&place.1, "unauthorized")).await?;
        let run = namespace.await_end("refused").await?;
        ensure!(succeeded(&run).1 == "AuthRejected", "{:?}", run.status);
        ensure!(causes(&run) == ["AuthRejected"], "{:?}", run.status);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_budget_that_is_used_up_ends_the_run_for_good() {
    with_repository(|namespace, place| async move {
        let mut spec = spec(&place.1, "endless");
        spec["agent"]["budgetUSD"] = json!("0.0100");
        namespace.run("budget", spec).await?;
        let run = namespace.await_end("budget").await?;
        ensure!(succeeded(&run).1 == "BudgetExceeded", "{:?}", run.status);
        ensure!(causes(&run) == ["BudgetExceeded"], "{:?}", run.status);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_subagents_use_up_counts_for_the_budget() {
    with_repository(|namespace, place| async move {
        let mut spec = spec(&place.1, "subagent");
        spec["agent"]["budgetUSD"] = json!("0.0100");
        namespace.run("helpers", spec).await?;
        let run = namespace.await_end("helpers").await?;
        ensure!(succeeded(&run).1 == "BudgetExceeded", "{:?}", run.status);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn trouble_of_the_model_that_passes_costs_no_attempt() {
    with_repository(|namespace, place| async move {
        for scenario in ["limited-twice", "cut-once", "left-behind"] {
            namespace.run(scenario, spec(&place.1, scenario)).await?;
        }
        for scenario in ["limited-twice", "cut-once", "left-behind"] {
            let run = namespace.await_end(scenario).await?;
            ensure!(phase_of(&run) == Some(Phase::Completed), "{scenario}: {:?}", run.status);
            ensure!(causes(&run) == ["Succeeded"], "{scenario}: {:?}", run.status);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_hangs_can_be_cancelled() {
    with_repository(|namespace, place| async move {
        namespace.run("hangs", spec(&place.1, "hang")).await?;
        namespace.await_phase("hangs", Phase::Running).await?;
        namespace.cancel("hangs").await?;
        let run = namespace.await_end("hangs").await?;
        ensure!(phase_of(&run) == Some(Phase::Cancelled), "{:?}", run.status);
        ensure!(place.0.pull_requests(&place.1).await?.is_empty());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_changes_nothing_opens_no_pull_request() {
    with_repository(|namespace, place| async move {
        namespace.run("nothing", spec(&place.1, "nothing")).await?;
        let run = namespace.await_end("nothing").await?;
        ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);
        ensure!(succeeded(&run).1 == "NoChanges", "{:?}", run.status);
        ensure!(place.0.pull_requests(&place.1).await?.is_empty());
        Ok(())
    })
    .await;
}

/// Its word that all is done and pushed is a word: what counts is what there is.
#[tokio::test]
async fn an_agent_that_says_it_is_done_and_is_not_is_not_believed() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        let claim = json!({"title": "All is pushed", "body": "The tests pass.", "summary": "All is pushed."});
        let end = [tool("faber__complete", &claim), said("It is pushed, and the pull request is open.")];
        let elsewhere = "git checkout -qb elsewhere && echo one > one && git add one && git commit -qm One && git checkout -q -";
        for (name, work) in [("nothing", "true"), ("elsewhere", elsewhere), ("uncommitted", "echo one > one")] {
            let steps: Vec<Value> = std::iter::once(command(work)).chain(end.clone()).collect();
            let mut spec = spec(repository, "unused");
            spec["plan"] = json!(words(&steps));
            namespace.run(name, spec).await?;
            let run = namespace.await_end(name).await?;
            ensure!(phase_of(&run) == Some(Phase::Completed), "{name}: {:?}", run.status);
            let pulls = forge.pull_requests(repository).await?;
            let (reason, count) = if name == "uncommitted" { ("Succeeded", 1) } else { ("NoChanges", 0) };
            ensure!(succeeded(&run).1 == reason, "{name}: {:?}", run.status);
            ensure!(pulls.len() == count, "{name}: {pulls:?}");
        }
        let pulls = forge.pull_requests(repository).await?;
        let diff = forge.diff(repository, pulls[0]["number"].as_i64().context("a number")?).await?;
        ensure!(diff.contains("+one"), "{diff}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn without_a_key_the_run_says_which_is_missing() {
    with_repository(|namespace, place| async move {
        let mut spec = spec(&place.1, "happy");
        spec["credentialsRef"] = json!({"name": "empty"});
        namespace
            .create::<k8s_openapi::api::core::v1::Secret>(json!({"metadata": {"name": "empty"},
                "stringData": {"GITEA_TOKEN": place.0.token()}}))
            .await?;
        namespace.run("keyless", spec).await?;
        let run = namespace.await_end("keyless").await?;
        let (_, reason, message) = succeeded(&run);
        ensure!(
            reason == "CredentialsMissing" && message.contains("ANTHROPIC_API_KEY"),
            "{:?}",
            run.status
        );
        Ok(())
    })
    .await;
}

/// As the README does it: a markdown file, a token, one request.
#[tokio::test]
async fn a_file_is_all_that_is_needed() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let plan = format!(
            "---\nrepo: {}\nforge: gitea\n---\n# Do it\n\nscenario: happy\n",
            repository.url
        );
        let path = format!("/run?namespace={}", namespace.name);
        let request = gateway.request(Method::POST, &path).header("content-type", "text/markdown");
        let (status, accepted) =
            fabrica_e2e::gateway::decode(request.body(plan).send().await?).await?;
        ensure!(status == 202, "{status} {accepted}");
        let name = accepted["name"].as_str().context("a name")?;
        namespace.await_phase(name, Phase::Completed).await?;
        let id = accepted["sessionId"].as_str().context("an id")?;
        let (_, run) = gateway.get(&format!("/sessions/{id}")).await?;
        ensure!(run["status"] == "completed" && run["prUrl"].is_string(), "{run}");
        ensure!(forge.pull_requests(repository).await?.len() == 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn kubectl_hands_a_plan_in_and_tells_how_it_ended() {
    with_repository(|namespace, place| async move {
        let folder = tempfile::tempdir()?;
        let plan = folder.path().join("plan.md");
        let text =
            format!("---\nrepo: {}\nforge: Gitea\n---\n# Do it\n\nscenario: happy\n", place.1.url);
        tokio::fs::write(&plan, text).await?;
        let output = Command::new("kubectl")
            .args([
                "fabrica",
                "run",
                "--watch",
                "--namespace",
                &namespace.name,
                "--token",
                &editor(&namespace).await?,
            ])
            .arg(&plan)
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
        ensure!(
            said.contains("completed (Succeeded)") && said.contains("pull request: http"),
            "{said}"
        );
        Ok(())
    })
    .await;
}
