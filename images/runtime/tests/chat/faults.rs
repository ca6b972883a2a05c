//! What goes wrong around a conversation: its servers, its model, its pod, and people who speak at the same time.

use std::os::unix::fs::PermissionsExt;

use fabrica_protocol::assertion::Role;
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::faber::{begin, forge};
use crate::pod::{KEY, Pod, cli, model};
use crate::server::{PASSWORD, Server};
use crate::support::folder;
use crate::talk::Talk;
use crate::tools::answers;

const HELLO: &str = "Hello, I am the scripted model.";

/// A program that does something and then is the real one.
fn before(cli: &str, script: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("claude");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\nexec {cli} \"$@\"\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let command = file.to_str().unwrap().to_owned();
    (folder, command)
}

/// The program goes on without a server that it does not reach, and without a word: we must notice.
#[rstest]
#[case::faber("fractary-faber", "http://127.0.0.1:9/mcp/nobody")]
#[case::repo("fractary-repo", "http://127.0.0.1:9/mcp/nobody")]
#[case::work("fractary-work", "http://127.0.0.1:9/mcp/nobody")]
#[case::models("multi-model-router", "http://127.0.0.1:9/mcp/nobody")]
#[tokio::test]
async fn a_server_of_tools_that_does_not_start_is_noticed(
    #[case] name: &str,
    #[case] elsewhere: &str,
) {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let bend = format!(
        "test -e ../mended || sed -i 's#http://[^\"]*/mcp/{name}#{elsewhere}#' ../.fabrica/agent/mcp.json"
    );
    let (_folder, command) = before(&cli, &bend);
    let pod = Pod::begin(&server, &model, &command, &[]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.say("m-1", "scenario: chat").await;
    let told = "could not reach our tools";
    let is_told = |it: &Value| it.to_string().contains(told);
    ada.until("it is noticed", is_told).await;
    let failed = |it: &Value| it["type"] == "agent" && it["state"] == "failed";
    ada.until("it is given up", failed).await;
    // What was said meanwhile is not lost: the next program that is whole hears it.
    std::fs::write(pod.0.workspace().join("mended"), "").unwrap();
    ada.say("m-2", "Once more.").await;
    ada.text(HELLO).await;
}

#[rstest]
#[case::limited(r#"{"error": 429, "retryAfter": 0}"#, &[], "rate_limited")]
#[case::overloaded(r#"{"error": 529, "retryAfter": 0}"#, &[], "overloaded")]
#[case::cut_off(r#"{"cut": true, "text": "This is cut off before it ends."}"#, &[], "stream_cut")]
#[case::silent(r#"{"hang": true}"#, &[("FABRICA_AGENT_SILENCE_SECONDS", "3")], "agent_failed")]
#[tokio::test]
async fn a_service_that_does_not_answer_has_a_name_and_the_conversation_goes_on(
    #[case] step: &str,
    #[case] more: &[(&str, &str)],
    #[case] code: &str,
) {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let pod = Pod::begin(&server, &model, &cli, more).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.say("m-1", &format!("Hi.\n```scenario\n[{step}]\n```")).await;
    let error = ada.error().await;
    assert_eq!((&error["code"], &error["recoverable"]), (&json!(code), &json!(true)), "{error}");
    ada.say("m-2", "scenario: chat").await;
    ada.text(HELLO).await;
}

#[tokio::test]
async fn of_two_who_answer_at_once_one_is_heard_and_the_other_is_told_who() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let pod = Pod::begin(&server, &model, &cli, &[]).await;
    let (mut ada, mut bob) = (pod.talk_answering("ada").await, pod.talk_answering("bob").await);
    ada.say("m-1", "scenario: chat-ask").await;
    let id = ada.until("the question", |it| it["type"] == "question").await["questionId"].clone();
    bob.until("the question", |it| it["type"] == "question").await;
    let answer = |text: &str| json!({"type": "answer", "questionId": id, "text": text});
    let (red, blue) = (answer("red"), answer("blue"));
    tokio::join!(ada.send(&red), bob.send(&blue));
    for client in [&mut ada, &mut bob] {
        client.text("So be it.").await;
    }
    let answered = |talk: &Talk| {
        let all = talk.of("question");
        all.into_iter().filter(|it| it["state"] == "answered").collect::<Vec<_>>()
    };
    assert_eq!(answered(&ada), answered(&bob), "both see the same");
    let [one] = &answered(&ada)[..] else { panic!("{:?}", answered(&ada)) };
    let (winner, mut late) = if one["answeredBy"] == "ada" { ("ada", bob) } else { ("bob", ada) };
    if late.of("error").is_empty() {
        late.error().await;
    }
    let error = &late.of("error")[0];
    assert_eq!(error["code"], "already_answered");
    assert!(error["message"].as_str().unwrap().contains(winner), "{error}");
    let told = model.asked().last().unwrap().question.to_string();
    let words = format!("The answer of {winner} is: {}", one["text"].as_str().unwrap());
    assert!(told.contains(&words), "{told}");
}

#[tokio::test]
async fn no_key_can_be_found_by_the_agent_of_a_chat() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    // The last letters are classes, so that the search does not find itself.
    let search = "{ cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'; \
         grep -rhs . .. $HOME /run/fabrica; env; git config --list; } 2> /dev/null > /tmp/$$; \
         grep -ac -e 'sk-ant-test-real-ke[y]' -e 'hunter2-s3cre[t]' /tmp/$$; rm /tmp/$$";
    let steps =
        json!([{"tools": [{"name": "Bash", "input": {"command": search}}]}, {"text": "Looked."}]);
    // Tests may be root, who may look into every process. Nobody in a pod has any such right.
    let without_rights = format!(
        "test $(id -u) != 0 || exec setpriv --bounding-set=-all --inh-caps=-all {cli} \"$@\""
    );
    let (_folder, command) = before(&cli, &without_rights);
    let pod = Pod::begin(&server, &model, &command, &[]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.say("m-1", &format!("Look.\n```scenario\n{steps}\n```")).await;
    ada.text("Looked.").await;
    assert_eq!(answers(&ada), ["0"]);
    let journal = pod.0.get("/v1/events?follow=false", Role::Operator).await.text().await.unwrap();
    assert!(!journal.contains(KEY) && !journal.contains(PASSWORD));
}

/// An item that an autonomous agent works, and that gives us time while it builds. The step that is cut off is said again,
/// as the program may put a word of its own in between.
fn slow() -> String {
    let phase = |phase: &str, status: &str| json!({"tools": [{"name": "mcp__fractary-faber__set_phase", "input": {"phase": phase, "status": status}}]});
    let build = json!({"tools": [{"name": "Bash", "input": {"command": "test -e ../built || { touch ../built; python3 -c 'import time; time.sleep(30)'; }; echo oil > door"}}]});
    let complete = json!({"tools": [{"name": "mcp__fractary-faber__complete", "input": {"title": "Oil the door", "summary": "It is quiet."}}]});
    let steps = json!([
        phase("frame", "started"), phase("frame", "completed"), phase("architect", "skipped"),
        phase("build", "started"), build, build, build, phase("build", "completed"),
        phase("evaluate", "started"), phase("evaluate", "completed"), phase("release", "started"),
        complete, {"text": "Done."},
    ]);
    format!("slow\n```scenario\n{steps}\n```")
}

fn begun(all: &[Value], phase: &str) -> usize {
    let is_so = |it: &&Value| it["phase"] == phase && it["status"] == "started";
    all.iter().filter(is_so).count()
}

#[rstest]
#[case::told_to_end(Signal::TERM)]
#[case::killed(Signal::KILL)]
#[tokio::test]
async fn a_workflow_whose_pod_is_lost_in_mid_phase_goes_on_in_its_volume(#[case] signal: Signal) {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge(&slow()).await, model().await);
    let more = [("FABRICA_CHAT_AUTONOMY", "autonomous")];
    let mut pod = begin(&github, &model, &cli, &more).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.until("it builds", |it| it["name"] == "Bash").await;
    let welcome = ada.welcome.clone();
    if signal == Signal::KILL {
        // With a pod all of it is gone at once.
        pod.kill_agent(&cli);
    }
    pod.signal(signal);
    pod.exit().await;
    let more = [("FABRICA_CHAT_AUTONOMY", "autonomous"), ("FABRICA_CHAT_ATTEMPT", "2")];
    let pod = crate::faber::begin_in(pod.0.folder, &github, &model, &cli, &more).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    assert_eq!(ada.welcome["journalId"], welcome["journalId"]);
    let complete = ada.until("the end", |it| it["type"] == "workflow_complete").await;
    assert_eq!(complete["exitCode"], 0, "{complete}");
    assert!(complete["prUrl"].is_string(), "{complete}");
    for phase in ["frame", "evaluate", "release"] {
        assert_eq!(begun(&ada.all, phase), 1, "{phase}: {:#?}", ada.all);
    }
    // A killed agent does again what it had not written down yet.
    let most = if signal == Signal::KILL { 2 } else { 1 };
    assert!((1..=most).contains(&begun(&ada.all, "build")), "{:#?}", ada.all);
    assert_eq!(ada.of("workflow_started").len(), 1);
    let told = model.asked().last().unwrap().question.to_string();
    assert!(told.contains("The agent process was restarted."), "{told}");
    assert!(told.contains("Run FABER workflow"), "it is the same conversation");
}

#[tokio::test]
async fn a_pod_that_finds_nothing_of_the_one_before_says_so() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let more = [("FABRICA_CHAT_ATTEMPT", "2")];
    let pod = Pod::begin_in(folder(), &server, &model, &cli, &more).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    let said = |it: &Value| it["text"].as_str().is_some_and(|text| text.contains("is gone"));
    let told = ada.until("it is said", said).await;
    assert_eq!((&told["type"], &told["kind"]), (&json!("progress"), &json!("notice")), "{told}");
    ada.say("m-1", "scenario: chat").await;
    ada.text(HELLO).await;
    let told = model.asked()[0].question.to_string();
    assert!(told.contains("An earlier pod of this Session is gone"), "{told}");
}
