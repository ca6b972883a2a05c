//! Agents that may not do everything, that lose their way, and that nobody agrees with: what becomes of their workflows.

use anyhow::{Context, Result, ensure};
use fabrica_crds::Session;
use fabrica_crds::session::{Faber, PhaseStatus, WorkflowOutcome};
use fabrica_e2e::chat::Chat;
use fabrica_e2e::cluster::eventually;
use fabrica_e2e::forge::{Forge, ForgeRepository};
use fabrica_e2e::scenario::{command, phase, said, tool, words, workflow};
use fabrica_e2e::terminal::Terminal;
use fabrica_e2e::{Gateway, Namespace};
use serde_json::{Value, json};

use crate::agent_runs::with_repository;
use crate::chat::{conversation, talk};
use crate::chat_model::unpublished;
use crate::lifecycle::editor;

/// What the status says of a workflow that has ended with these words.
async fn outcome(namespace: &Namespace, name: &str, summary: &str) -> Result<Faber> {
    let of = |session: &Session| session.status.as_ref().and_then(|status| status.faber.clone());
    let has_ended = |session: &Session| {
        let faber = of(session);
        faber.is_some_and(|it| it.outcome.is_some() && it.summary.as_deref() == Some(summary))
    };
    let session = namespace.await_session(name, summary, has_ended).await?;
    of(&session).context("a workflow")
}

/// How the workflows of a Session ended, oldest first, once its history holds so many.
async fn ends(namespace: &Namespace, name: &str, count: usize) -> Result<Vec<(Value, Value)>> {
    let gateway = Gateway::new(Some(&editor(namespace).await?))?;
    eventually("the history holds every end", || async {
        let all = gateway.history(&namespace.name, name).await?;
        let ends = all.iter().filter(|it| it["type"] == "completion").map(|it| &it["content"]);
        let ends: Vec<_> =
            ends.map(|end| (end["metadata"]["exitCode"].clone(), end["message"].clone())).collect();
        Ok((ends.len() >= count).then_some(ends))
    })
    .await
}

#[tokio::test]
async fn a_dry_run_plans_and_changes_nothing() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        let number = forge.issue(repository, "The door squeaks", "scenario: faber\n").await?;
        let spec = json!({"mode": "Chat", "workId": number.to_string(), "autonomy": "DryRun",
            "repository": {"url": repository.url, "forge": "Gitea"}});
        let mut ada = talk(&namespace, "plans", spec).await?;
        let asked = match ada.of("question").first() {
            Some(asked) => (*asked).clone(),
            None => ada.question().await?,
        };
        // Nobody gives it more than the Session has.
        ada.start_workflow("w-1", number, "autonomous").await?;
        ensure!(ada.error().await?["code"] == "forbidden");
        ada.answer(&asked, "olive").await?;
        let end = ada.until("the end", |it| it["type"] == "workflow_complete").await?;
        ensure!(end["exitCode"] == 0 && end["prUrl"].is_null(), "{end}");
        ada.text("The pull request is open.").await?;
        ada.say("m-1", "Look.\nscenario: chat-tool").await?;
        ada.text("It is found.").await?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut terminal = Terminal::connect(&gateway, &namespace.name, "plans").await?;
        let there = "cd /workspace/repo && printf '%s ' * && git rev-list --count HEAD";
        let there = terminal.run(there).await?;
        ensure!(there.trim() == "README.md 1", "it changed something: {there}");
        let faber = outcome(&namespace, "plans", "The door is quiet.").await?;
        ensure!(faber.outcome == Some(WorkflowOutcome::Completed), "{faber:?}");
        let phases: Vec<_> = faber.phases.iter().map(|it| (&*it.name, it.status)).collect();
        let planned = [("frame", PhaseStatus::Completed), ("architect", PhaseStatus::Completed)];
        ensure!(phases == planned, "{faber:?}");
        let kept = ends(&namespace, "plans", 1).await?;
        ensure!(kept == [(json!(0), json!("The door is quiet."))], "{kept:?}");
        unpublished(forge, repository).await
    })
    .await;
}

/// A Session whose agent works one item after the other.
struct Works<'a> {
    namespace: &'a Namespace,
    forge: &'a Forge,
    repository: &'a ForgeRepository,
    ada: Chat,
    /// Somebody else, who hears and says as much.
    bob: Chat,
}

impl Works<'_> {
    /// Has an item worked by this script; the record that says so.
    async fn begin(&mut self, id: &str, autonomy: &str, steps: &[Value]) -> Result<u64> {
        let number = self.forge.issue(self.repository, "The door squeaks", &words(steps)).await?;
        self.ada.start_workflow(id, number, autonomy).await?;
        let begun = self.ada.until(id, |it| it["type"] == "workflow_started").await?;
        ensure!(begun["autonomy"] == autonomy, "{begun}");
        begun["seq"].as_u64().context("a seq")
    }

    /// It ends like this, and both its status and what the forge holds say the same.
    async fn ends(&mut self, exit_code: u8, summary: &str) -> Result<Faber> {
        let end = self.ada.until("the end", |it| it["type"] == "workflow_complete").await?;
        ensure!(end["exitCode"] == exit_code && end["summary"] == summary, "{end}");
        ensure!(end["prUrl"].is_null(), "{end}");
        let faber = outcome(self.namespace, "works", summary).await?;
        let expected =
            if exit_code == 0 { WorkflowOutcome::Completed } else { WorkflowOutcome::Ended };
        ensure!(faber.outcome == Some(expected), "{faber:?}");
        unpublished(self.forge, self.repository).await?;
        Ok(faber)
    }

    /// What tools have answered since a record.
    fn answers(&self, since: u64) -> Vec<&str> {
        let told = self.ada.records.range(since..).flat_map(|(_, told)| told);
        let results = told.filter(|it| it["kind"] == "tool_result");
        results.filter_map(|it| it["content"].as_str()).collect()
    }

    fn has_answered(&self, since: u64, words: &str) -> Result<()> {
        let answers = self.answers(since);
        ensure!(answers.iter().any(|it| it.contains(words)), "«{words}»: {answers:#?}");
        Ok(())
    }
}

const FORGOTTEN: &str = "The agent rested again and again without completing the workflow.";

/// It makes phases up, jumps, says that it is done, and never is.
async fn loses_its_way(works: &mut Works<'_>) -> Result<()> {
    let done = tool("faber__complete", &json!({"title": "All", "summary": "All is done."}));
    let steps = [
        phase("party", "started"),
        phase("release", "started"),
        phase("frame", "finished"),
        done,
        phase("frame", "started"),
        phase("evaluate", "started"),
        said("That is all."),
    ];
    let since = works.begin("w-lost", "autonomous", &steps).await?;
    let faber = works.ends(1, FORGOTTEN).await?;
    let expected = [
        "architect",
        "Refused. This is not its turn",
        "completed",
        "Not yet. Next with set_phase: frame started",
        "Noted. You are in the phase frame",
        "Refused. This is not its turn",
    ];
    let answers = works.answers(since);
    ensure!(answers.len() == expected.len(), "{answers:#?}");
    for (answer, expected) in answers.iter().zip(expected) {
        ensure!(answer.contains(expected), "{expected}: {answer}");
    }
    // It was told twice that it is not over.
    let texts = works.ada.records.range(since..).flat_map(|(_, told)| told);
    let rested = texts.filter(|it| it["content"] == "That is all.").count();
    ensure!(rested == 3, "it rested {rested} times");
    let phases: Vec<_> = faber.phases.iter().map(|it| (&*it.name, it.status)).collect();
    ensure!(phases == [("frame", PhaseStatus::Started)], "{faber:?}");
    Ok(())
}

/// It builds again and again, until it may not any more.
async fn tries_too_often(works: &mut Works<'_>) -> Result<()> {
    let build =
        [phase("build", "started"), phase("build", "completed"), phase("evaluate", "started")];
    let mut steps = vec![phase("frame", "skipped"), phase("architect", "skipped")];
    (0..4).for_each(|_| steps.extend_from_slice(&build));
    steps.push(phase("build", "started"));
    steps.push(given_up("It squeaks on."));
    steps.push(said("I give up."));
    let since = works.begin("w-retries", "autonomous", &steps).await?;
    let faber = works.ends(1, "It squeaks on.").await?;
    works.ada.text("I give up.").await?;
    works.has_answered(since, "The phase build was begun 4 times: that is all.")?;
    let retries: Vec<_> = faber.phases.iter().map(|it| (&*it.name, it.retries)).collect();
    let expected = [("frame", 0), ("architect", 0), ("build", 3), ("evaluate", 3)];
    ensure!(retries == expected, "{faber:?}");
    Ok(())
}

/// The agent says that the work cannot be done.
fn given_up(summary: &str) -> Value {
    tool("faber__complete", &json!({"outcome": "failed", "summary": summary}))
}

/// All phases with a commit in them, and these as last words.
fn built(file: &str, last: &[Value]) -> Vec<Value> {
    let commit = format!("echo oil > {file} && git add {file} && git commit -qm 'Oil the {file}'");
    let mut steps = workflow(&[command(&commit)]);
    steps.pop();
    steps.extend_from_slice(last);
    steps
}

/// It does what it may, which ends before the release, and no more once that is over.
async fn assists(works: &mut Works<'_>) -> Result<()> {
    let steps = built("door", &[tool("repo__push", &json!({})), said("Look at it.")]);
    let since = works.begin("w-assist", "assist", &steps).await?;
    let faber = works.ends(0, "It is quiet.").await?;
    works.ada.text("Look at it.").await?;
    works.has_answered(since, "The autonomy of this workflow ends here.")?;
    works.has_answered(since, "publishes nothing")?;
    unpublished(works.forge, works.repository).await?;
    let last = faber.phases.last().map(|it| (&*it.name, it.status));
    ensure!(last == Some(("evaluate", PhaseStatus::Completed)), "{faber:?}");
    Ok(())
}

/// How a question is answered, and what a client hears of its own answer if it hears that first.
async fn heard(chat: &mut Chat, asked: &Value) -> Result<(Value, Option<Value>)> {
    let mut late = None;
    loop {
        let is_wanted = |it: &Value| {
            it["type"] == "error"
                || it["questionId"] == asked["questionId"] && it["state"] == "answered"
        };
        let next = chat.until("the answer", is_wanted).await?;
        if next["type"] != "error" {
            return Ok((next, late));
        }
        late = Some(next);
    }
}

/// Two people refuse the release at once: one is heard, and the other is told who. Until then nothing else is begun. An agent
/// that ends such a workflow and proposes its work all the same needs leave as before.
async fn is_rejected(works: &mut Works<'_>) -> Result<()> {
    let proposed = tool("repo__pr_create", &json!({"title": "Oil the hinge"}));
    let steps = built("hinge", &[given_up("Nobody wants it."), proposed, said("So be it.")]);
    let since = works.begin("w-guarded", "guarded", &steps).await?;
    let is_asked = |it: &Value| it["kind"] == "approval" && it["state"] == "open";
    let approval = works.ada.until("the approval", is_asked).await?;
    works.bob.until("the approval", is_asked).await?;
    for (id, code) in [("w-second", "workflow_running"), ("w-guarded", "duplicate")] {
        works.ada.start_workflow(id, 1, "guarded").await?;
        let error = works.ada.error().await?;
        ensure!(error["code"] == code && error["recoverable"] == true, "{id}: {error}");
    }
    let Works { ada, bob, .. } = works;
    let (one, other) =
        tokio::join!(ada.answer(&approval, "reject: too much"), bob.answer(&approval, "reject"));
    one.and(other)?;
    let (answered, of_ada) = heard(ada, &approval).await?;
    let (same, of_bob) = heard(bob, &approval).await?;
    ensure!(answered == same, "two people see two answers: {answered} {same}");
    let winner = answered["answeredBy"].as_str().context("somebody")?.to_owned();
    let (loser, told) = if winner.ends_with(":bob") { (ada, of_ada) } else { (bob, of_bob) };
    let told = match told {
        Some(told) => told,
        None => loser.error().await?,
    };
    let is_told_who = told["message"].as_str().is_some_and(|text| text.contains(&winner));
    ensure!(told["code"] == "already_answered" && is_told_who, "{told}");
    works.ends(1, "Nobody wants it.").await?;
    let again = works.ada.until("the approval", is_asked).await?;
    works.ada.answer(&again, "reject: still not").await?;
    works.ada.text("So be it.").await?;
    works.has_answered(since, &format!("{winner} does not approve: reject"))?;
    works.has_answered(since, "Not yet.")?;
    works.has_answered(since, "does not approve: reject: still not")?;
    unpublished(works.forge, works.repository).await
}

/// After all of that one goes through to its pull request: the only one.
async fn releases(works: &mut Works<'_>) -> Result<()> {
    let steps = built("lock", &[said("It is open.")]);
    works.begin("w-last", "autonomous", &steps).await?;
    let end = works.ada.until("the end", |it| it["type"] == "workflow_complete").await?;
    ensure!(end["exitCode"] == 0 && end["prUrl"].is_string(), "{end}");
    let pulls = works.forge.pull_requests(works.repository).await?;
    ensure!(pulls.len() == 1 && pulls[0]["html_url"] == end["prUrl"], "{pulls:?} {end}");
    let branches = works.forge.branches(works.repository).await?;
    ensure!(branches.len() == 2, "{branches:?}");
    let has_url = |session: &Session| {
        let url = session.status.as_ref().and_then(|status| status.pull_request_url.as_deref());
        url == end["prUrl"].as_str()
    };
    works.namespace.await_session("works", "a pull request", has_url).await.map(|_| ())
}

#[tokio::test]
async fn whatever_an_agent_does_on_its_way_only_what_it_may_release_leaves_the_pod() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        let mut spec = conversation(repository);
        spec["autonomy"] = json!("Autonomous");
        let ada = talk(&namespace, "works", spec).await?;
        let token = namespace.user("bob", "edit").await?;
        let bob = Chat::connect(&Gateway::new(Some(&token))?, &namespace.name, "works").await?;
        let mut works = Works { namespace: &namespace, forge, repository, ada, bob };
        loses_its_way(&mut works).await?;
        tries_too_often(&mut works).await?;
        assists(&mut works).await?;
        is_rejected(&mut works).await?;
        releases(&mut works).await?;
        let expected = [
            (1, FORGOTTEN),
            (1, "It squeaks on."),
            (0, "It is quiet."),
            (1, "Nobody wants it."),
            (0, "It is quiet."),
        ];
        let expected = expected.map(|(code, summary)| (json!(code), json!(summary)));
        let kept = ends(&namespace, "works", expected.len()).await?;
        ensure!(kept == expected, "{kept:?}");
        Ok(())
    })
    .await;
}
