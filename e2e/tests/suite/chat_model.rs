//! A model's service at its worst, money that is used up, and people who have enough: a chat says what it is and goes on.

use anyhow::{Context, Result, ensure};
use fabrica_crds::Session;
use fabrica_crds::session::WorkflowOutcome;
use fabrica_e2e::chat::Chat;
use fabrica_e2e::cluster::eventually;
use fabrica_e2e::forge::{Forge, ForgeRepository};
use fabrica_e2e::scenario::{command, said, words, workflow};
use fabrica_e2e::session::message;
use fabrica_e2e::terminal::Terminal;
use fabrica_e2e::{Gateway, Namespace};
use serde_json::{Value, json};

use crate::agent_runs::with_repository;
use crate::chat::{HELLO, conversation, talk};
use crate::lifecycle::editor;

/// What the program waits for an answer, in milliseconds, and what a service takes that is too late.
const PATIENCE: &str = "5000";
const TOO_LATE: u64 = 20_000;
/// How often the program asks before it gives a turn up: once, and six times again.
const ASKED: u32 = 7;

/// What the service says once each. The program asks again by itself.
fn passing() -> String {
    words(&[
        json!({"error": 429, "retryAfter": 0, "times": 1}),
        json!({"error": 529, "retryAfter": 0, "times": 1}),
        json!({"wait": TOO_LATE, "times": 1}),
        json!({"cut": true, "times": 1, "text": "This is going to be cut off before it ends."}),
        said("It went well in the end."),
    ])
}

/// Nothing has left the pod.
pub(crate) async fn unpublished(forge: &Forge, repository: &ForgeRepository) -> Result<()> {
    let (branches, pulls) =
        (forge.branches(repository).await?, forge.pull_requests(repository).await?);
    ensure!(branches == ["main"] && pulls.is_empty(), "{branches:?} {pulls:?}");
    Ok(())
}

/// A service that says this however often it is asked: people are told under its name, and the history says the same. Then
/// the agent can be spoken to again.
async fn lasts(
    namespace: &Namespace,
    ada: &mut Chat,
    name: &str,
    code: &str,
    step: Value,
) -> Result<()> {
    ada.say(code, &words(&[step])).await?;
    let error = ada.error().await?;
    ensure!(error["code"] == code && error["recoverable"] == true, "{code}: {error}");
    ada.say(&format!("after-{code}"), "Hi.\nscenario: chat").await?;
    ada.text(HELLO).await?;
    is_kept(namespace, name, &error).await
}

/// The history holds that a turn went wrong.
async fn is_kept(namespace: &Namespace, name: &str, error: &Value) -> Result<()> {
    let gateway = Gateway::new(Some(&editor(namespace).await?))?;
    eventually("the history says so", || async {
        let all = gateway.history(&namespace.name, name).await?;
        let is_so = |it: &Value| {
            let content = &it["content"];
            it["type"] == "error"
                && content["message"] == error["message"]
                && content["metadata"]["kind"] == "turn"
                && content["metadata"]["code"] == error["code"]
        };
        Ok(all.iter().any(is_so).then_some(()))
    })
    .await
}

/// What passes, the program mends by itself; a key that is not accepted ends a turn at once.
async fn passes(namespace: &Namespace, repository: &ForgeRepository) -> Result<()> {
    let mut spec = conversation(repository);
    spec["env"] = json!([{"name": "API_TIMEOUT_MS", "value": PATIENCE}]);
    let mut ada = talk(namespace, "passes", spec).await?;
    ada.say("m-1", &passing()).await?;
    ada.text("It went well in the end.").await?;
    let told = json!(ada.of("progress")).to_string();
    for (answered, times) in [("429", 1), ("529", 1), ("nothing", 2)] {
        let found = told.matches(&format!("service answered {answered};")).count();
        ensure!(found >= times, "{answered}: {told}");
    }
    ada.say("m-2", "Hi.\nscenario: unauthorized").await?;
    ensure!(ada.error().await?["code"] == "auth_rejected");
    let why = "The agent does not work: The model's service does not accept the key";
    let says = |session: &Session| message(session, "Ready").starts_with(why);
    namespace.await_session("passes", "its status says why", says).await?;
    lasts(namespace, &mut ada, "passes", "auth_rejected", json!({"error": 401})).await?;
    let says = |session: &Session| !message(session, "Ready").contains("does not work");
    namespace.await_session("passes", "its status says that it works", says).await?;
    let cut = json!({"cut": true, "text": "This is going to be cut off before it ends."});
    lasts(namespace, &mut ada, "passes", "stream_cut", cut).await
}

async fn is_limited(namespace: &Namespace, repository: &ForgeRepository) -> Result<()> {
    let mut ada = talk(namespace, "limited", conversation(repository)).await?;
    let limit = json!({"error": 429, "retryAfter": 0});
    lasts(namespace, &mut ada, "limited", "rate_limited", limit).await
}

/// A workflow goes on by itself when the service has failed for longer than the program asks.
async fn goes_on(namespace: &Namespace, forge: &Forge, repository: &ForgeRepository) -> Result<()> {
    let commit = command("echo oil > door && git add door && git commit -qm 'Oil the door'");
    let mut steps = workflow(&[commit]);
    steps.insert(1, json!({"error": 529, "retryAfter": 0, "times": ASKED}));
    let number = forge.issue(repository, "The door squeaks", &words(&steps)).await?;
    let mut spec = conversation(repository);
    spec["autonomy"] = json!("Autonomous");
    let mut ada = talk(namespace, "overloaded", spec).await?;
    ada.start_workflow("w-1", number, "autonomous").await?;
    let error = ada.error().await?;
    ensure!(error["code"] == "overloaded" && error["recoverable"] == true, "{error}");
    let end = ada.until("the end", |it| it["type"] == "workflow_complete").await?;
    ensure!(end["exitCode"] == 0 && end["prUrl"].is_string(), "{end}");
    let pulls = forge.pull_requests(repository).await?;
    ensure!(pulls.len() == 1 && pulls[0]["html_url"] == end["prUrl"], "{pulls:?} {end}");
    is_kept(namespace, "overloaded", &error).await
}

#[tokio::test]
async fn whatever_a_models_service_does_wrong_has_a_name_and_the_conversation_goes_on() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        // All of them will be this person.
        editor(&namespace).await?;
        // The program asks for half a minute before it gives up: they do it at the same time.
        tokio::try_join!(
            passes(&namespace, repository),
            is_limited(&namespace, repository),
            goes_on(&namespace, forge, repository),
        )
        .map(|_| ())
    })
    .await;
}

/// Tells an agent to stop that is in the middle of something; it does, and says so.
async fn stop(ada: &mut Chat) -> Result<()> {
    ada.send(&json!({"type": "interrupt"})).await?;
    ada.until("it stopped", |it| it["text"] == "The agent was interrupted.").await.map(|_| ())
}

#[tokio::test]
async fn an_agent_is_interrupted_while_its_tool_runs_and_while_its_model_is_silent() {
    with_repository(|namespace, place| async move {
        let mut ada = talk(&namespace, "stops", conversation(&place.1)).await?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut terminal = Terminal::connect(&gateway, &namespace.name, "stops").await?;
        let endless = command("touch ../begun; python3 -c 'import time; time.sleep(1000)'");
        ada.say("m-1", &words(&[endless, said("Nobody stopped me.")])).await?;
        let call = ada.until("the tool", |it| it["kind"] == "tool_use").await?;
        terminal.run("until test -e /workspace/begun; do :; done").await?;
        stop(&mut ada).await?;
        let is_of_call =
            |it: &&&Value| it["kind"] == "tool_result" && it["messageId"] == call["messageId"];
        let told = ada.of("claude_message");
        let result = told.iter().find(is_of_call).context("what became of the tool")?;
        ensure!(result["isError"] == true, "{result}");
        // What it ran is gone. The search is worded so that it does not find itself.
        let gone =
            "while grep -qs 'sleep(100[0])' /proc/[0-9]*/cmdline; do :; done; echo it is quiet";
        ensure!(terminal.run(gone).await?.contains("it is quiet"));
        // Its turn has begun for certain when a tool has answered.
        ada.say("m-2", &words(&[command("echo begun"), json!({"hang": true})])).await?;
        ada.until("it waits", |it| it["kind"] == "tool_result" && it["isError"] == false).await?;
        stop(&mut ada).await?;
        ada.say("m-3", "Hi.\nscenario: chat").await?;
        ada.text(HELLO).await?;
        let said = json!(ada.of("claude_message")).to_string();
        ensure!(!said.contains("\"Nobody stopped me.\""), "{said}");
        eventually("the history says so", || async {
            let all = gateway.history(&namespace.name, "stops").await?;
            let is_so = |it: &&Value| it["content"]["message"] == "The turn: Interrupted";
            Ok((all.iter().filter(is_so).count() == 2).then_some(()))
        })
        .await?;
        unpublished(&place.0, &place.1).await
    })
    .await;
}

#[tokio::test]
async fn a_budget_that_is_used_up_ends_the_workflow_and_stops_the_agent() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        let script = words(&workflow(&[command("echo oil > door")]));
        let number = forge.issue(repository, "The door squeaks", &script).await?;
        let mut spec = conversation(repository);
        spec["autonomy"] = json!("Autonomous");
        // Less than one answer costs.
        spec["agent"] = json!({"budgetUSD": "0.001"});
        let mut ada = talk(&namespace, "poor", spec).await?;
        ada.start_workflow("w-1", number, "autonomous").await?;
        let error = ada.error().await?;
        let is_so = error["code"] == "budget_exceeded" && error["recoverable"] == true;
        ensure!(is_so && error["message"].to_string().contains("0.001"), "{error}");
        let end = ada.until("the end", |it| it["type"] == "workflow_complete").await?;
        ensure!(end["exitCode"] == 2 && end["prUrl"].is_null(), "{end}");
        ensure!(end["summary"].to_string().contains("budget of $0.001 is used up"), "{end}");
        let has_ended = |session: &Session| {
            let status = session.status.as_ref();
            let faber = status.and_then(|status| status.faber.as_ref());
            let outcome = faber.and_then(|faber| faber.outcome);
            outcome == Some(WorkflowOutcome::Ended)
                && status.is_some_and(|status| status.usage.is_some())
        };
        let before = namespace.await_session("poor", "its status says so", has_ended).await?;
        let why = message(&before, "Ready");
        ensure!(
            why.contains("does not work") && why.contains("budget of $0.001 is used up"),
            "{why}"
        );
        // Whatever people say, no model is asked any more.
        ada.say("m-1", "Hi.\nscenario: chat").await?;
        ensure!(ada.error().await?["code"] == "budget_exceeded");
        ada.start_workflow("w-2", number, "autonomous").await?;
        let again = ada.until("the end", |it| it["type"] == "workflow_complete").await?;
        ensure!(again["exitCode"] == 2, "{again}");
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let ends = eventually("the history holds both", || async {
            let all = gateway.history(&namespace.name, "poor").await?;
            let ends = all.into_iter().filter(|it| it["type"] == "completion");
            let ends: Vec<Value> = ends.map(|it| it["content"]["metadata"].clone()).collect();
            Ok((ends.len() == 2).then_some(ends))
        })
        .await?;
        for end in &ends {
            ensure!(end["kind"] == "workflowEnded" && end["exitCode"] == 2, "{ends:?}");
        }
        let after = namespace.api::<Session>().get("poor").await?;
        let cost = |session: &Session| session.status.as_ref().and_then(|it| it.usage.clone());
        ensure!(cost(&before) == cost(&after), "{before:?} {after:?}");
        unpublished(forge, repository).await
    })
    .await;
}
