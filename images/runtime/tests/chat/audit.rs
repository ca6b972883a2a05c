//! What is written down of calls of our tools, which the test makes by itself.

use fabrica_protocol::assertion::Role;
use rstest::rstest;
use serde_json::{Value, json};

use crate::actor::{call, call_by, program, text, walk};
use crate::faber::{begin, forge};
use crate::github::TOKEN;
use crate::mcp::{Client, Way};
use crate::pod::{BRANCH, Pod, model};

const WORKFLOW: (&str, &str) = ("FABRICA_CHAT_WORKFLOW", "none");
const AUTONOMY: (&str, &str) = ("FABRICA_CHAT_AUTONOMY", "assist");
/// What may stand nowhere but in what the agent itself tells.
const SAID: &str = "said to nobody else";
/// The longest record of a call, in bytes: its texts are cut.
const RECORD_BYTES: usize = 1024;

async fn records(pod: &Pod) -> Vec<Value> {
    let all = pod.0.get("/v1/events?follow=false", Role::Operator).await.text().await.unwrap();
    all.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[rstest]
#[case::http(Way::Http)]
#[case::stdio(Way::Stdio)]
#[tokio::test]
async fn every_call_leaves_one_short_record_and_nothing_of_what_was_said(#[case] way: Way) {
    let (_folder, cli) = program("true");
    let (github, model) = (forge("chat").await, model().await);
    let pod = begin(&github, &model, &cli, &[WORKFLOW, AUTONOMY]).await;
    let mut ada = pod.talk("ada", Role::View, json!({})).await;
    let long = "x".repeat(5000);
    let consult = json!({"provider": "openai", "model": "gpt-5-mini", "prompt": SAID});
    let calls = [
        ("fractary-faber", "get_state", json!({}), "ok", ""),
        ("fractary-faber", "complete", json!({"summary": SAID}), "refused", ""),
        (
            "fractary-faber",
            "ask_human",
            json!({"kind": "review", "question": SAID}),
            "failed",
            "kind review",
        ),
        ("fractary-repo", "status", json!({}), "ok", ""),
        ("fractary-repo", "push", json!({}), "refused", ""),
        ("fractary-repo", "diff", json!({"base": TOKEN}), "failed", "base ***"),
        ("fractary-repo", "pr_comment", json!({"number": 7, "body": SAID}), "refused", "number 7"),
        ("fractary-work", "issue_fetch", json!({"issue_number": "1"}), "ok", "issue_number 1"),
        (
            "fractary-work",
            "issue_fetch",
            json!({"issue_number": "77"}),
            "failed",
            "issue_number 77",
        ),
        ("fractary-work", "issue_fetch", json!({"number": SAID.len()}), "failed", "number 19"),
        ("multi-model-router", "consult", consult, "refused", "provider openai, model gpt-5-mini"),
        ("multi-model-router", &long, json!({"model": long}), "failed", "model xxx"),
    ];
    for (server, tool, input, ..) in &calls {
        call_by(way, &pod, server, tool, input.clone()).await;
    }
    let records = records(&pod).await;
    let told: Vec<&Value> = records.iter().filter(|it| it["kind"] == "toolAudited").collect();
    assert_eq!(told.len(), calls.len(), "{told:#?}");
    for (told, (server, tool, _, outcome, subject)) in told.iter().zip(&calls) {
        assert_eq!(
            (&told["server"], &told["outcome"]),
            (&json!(server), &json!(outcome)),
            "{told}"
        );
        assert!(tool.starts_with(told["tool"].as_str().unwrap().trim_end_matches('…')), "{told}");
        assert!(told["subject"].as_str().unwrap_or_default().starts_with(subject), "{told}");
        assert!(told["durationMs"].is_u64() && told.to_string().len() < RECORD_BYTES, "{told}");
    }
    let all = Value::from(records).to_string();
    assert!(!all.contains(SAID) && !all.contains(TOKEN), "{all}");
    // Clients see each once, too.
    let is_last = |it: &Value| it["type"] == "tool_audit" && it["subject"] == told_subject(&calls);
    ada.until("the last one", is_last).await;
    assert_eq!(ada.of("tool_audit").len(), calls.len());
}

/// As the last call is told: its own name, cut.
fn told_subject(calls: &[(&str, &str, Value, &str, &str)]) -> String {
    let (_, long, ..) = calls[calls.len() - 1];
    let text = format!("model {long}");
    text.chars().take(199).chain(['…']).collect()
}

#[tokio::test]
async fn an_agent_says_how_far_it_is_and_asks_where_it_is() {
    let (_folder, cli) = program("true");
    let (github, model) = (forge("chat").await, model().await);
    let pod = begin(&github, &model, &cli, &[AUTONOMY]).await;
    let mut ada = pod.talk("ada", Role::View, json!({})).await;
    ada.until("the workflow", |it| it["type"] == "workflow_started").await;
    let faber = async |tool: &str, input: Value| call(&pod, "fractary-faber", tool, input).await;
    let state: Value = serde_json::from_str(&faber("get_state", json!({})).await).unwrap();
    assert_eq!((&state["at"], &state["autonomy"]), (&Value::Null, &json!("assist")), "{state}");
    assert_eq!(state["workflow"], "core", "{state}");
    assert!(state["next"].as_str().unwrap().contains("frame started"), "{state}");

    let noted = faber("report_progress", json!({"message": "Half of it is oiled."})).await;
    assert_eq!(noted, format!("Noted. {}", state["next"].as_str().unwrap()));
    ada.text("Half of it is oiled.").await;
    faber("set_phase", json!({"phase": "frame", "status": "started"})).await;
    let state: Value = serde_json::from_str(&faber("get_state", json!({})).await).unwrap();
    assert_eq!(state["at"], json!({"phase": "frame", "status": "started"}), "{state}");
}

#[tokio::test]
async fn what_is_done_with_the_repository_is_answered_with_what_comes_next() {
    let (_folder, cli) = program("true");
    let (github, model) = (forge("chat").await, model().await);
    let pod = begin(&github, &model, &cli, &[("FABRICA_CHAT_AUTONOMY", "autonomous")]).await;
    let mut ada = pod.talk("ada", Role::View, json!({})).await;
    ada.until("the workflow", |it| it["type"] == "workflow_started").await;
    std::fs::write(pod.0.workspace().join("repo/door"), "oil\n").unwrap();
    let pull = json!({"title": "Oil the door"});
    let issue = |more: Value| {
        let mut issue = json!({"issue_number": "1"});
        issue.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        issue
    };
    let done = [
        ("repo", "branch", json!({"name": BRANCH}), "On the branch "),
        ("repo", "commit", json!({"message": "Oil the door"}), "Committed as "),
        ("repo", "push", json!({}), "The remote's branch "),
        ("repo", "pr_create", pull.clone(), "Refused: it is opened in the phase release. "),
        ("repo", "pr_comment", json!({"number": 1, "body": "b"}), "The comment is there."),
        ("work", "comment_create", issue(json!({"body": "b"})), "The comment is there."),
        ("work", "label_add", issue(json!({"labels": ["bot"]})), "The labels are there."),
        ("work", "label_set", issue(json!({"labels": ["bot"]})), "The labels are there."),
        ("work", "label_remove", issue(json!({"labels": ["bot"]})), "The labels are gone."),
        ("work", "issue_close", issue(json!({})), "It is closed."),
        ("work", "issue_reopen", issue(json!({})), "It is open."),
    ];
    for (server, tool, input, words) in done {
        let answer = call(&pod, &format!("fractary-{server}"), tool, input).await;
        let next = ". Next with set_phase: frame started, or frame skipped.";
        assert!(answer.starts_with(words) && answer.ends_with(next), "{answer}");
    }
    walk(&pod).await;
    let answer = call(&pod, "fractary-repo", "pr_create", pull.clone()).await;
    assert!(answer.starts_with("Refused: it is opened in the phase release. "), "{answer}");
    let release = json!({"phase": "release", "status": "started"});
    call(&pod, "fractary-faber", "set_phase", release).await;
    let answer = call(&pod, "fractary-repo", "pr_create", pull).await;
    let next = ". Next: call complete, once, with title, body and summary.";
    assert!(answer.starts_with("The pull request is ") && answer.ends_with(next), "{answer}");
}

#[rstest]
#[case::in_a_workflow("faber", "\n\nNext with set_phase: frame started, or frame skipped.")]
#[case::in_a_plain_conversation("none", "")]
#[tokio::test]
async fn an_answer_is_followed_by_what_comes_next(#[case] workflow: &str, #[case] next: &str) {
    let (_folder, cli) = program("true");
    let (github, model) = (forge("chat").await, model().await);
    let pod = begin(&github, &model, &cli, &[("FABRICA_CHAT_WORKFLOW", workflow)]).await;
    let mut ada = pod.talk_answering("ada").await;
    if workflow == "faber" {
        ada.until("the workflow", |it| it["type"] == "workflow_started").await;
    }
    let (mut client, _) = Client::open(Way::Http, &pod, "fractary-faber").await;
    let question = json!({"kind": "selection", "question": "Which oil?"});
    let asked = json!({"name": "ask_human", "arguments": question,
        "_meta": {"claudecode/toolUseId": "toolu_1"}});
    let answered = async {
        ada.until("the question", |it| it["questionId"] == "toolu_1").await;
        ada.send(&json!({"type": "answer", "questionId": "toolu_1", "text": "olive"})).await;
    };
    let (answer, ()) = tokio::join!(client.ask("tools/call", &asked), answered);
    assert_eq!(text(&answer), format!("The answer of ada is: olive{next}"));
}
