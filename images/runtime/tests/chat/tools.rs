//! The tools that the agent has of us, as the real CLI calls them.

use fabrica_protocol::assertion::Role;
use rstest::rstest;
use serde_json::{Value, json};

use crate::faber::{begin, forge};
use crate::pod::{BRANCH, Pod, cli, model};
use crate::server::git;
use crate::talk::Talk;

/// A message that makes the model call these tools one after the other.
pub fn calls(tools: &[(&str, Value)]) -> String {
    let step = |(name, input): &(&str, Value)| json!({"tools": [{"name": format!("mcp__fractary-{name}"), "input": input}]});
    let mut steps: Vec<Value> = tools.iter().map(step).collect();
    steps.push(json!({"text": "All was called."}));
    format!("Do it.\n```scenario\n{}\n```", Value::from(steps))
}

/// What the tools answered.
pub fn answers(talk: &Talk) -> Vec<String> {
    let results = talk.all.iter().filter(|it| it["kind"] == "tool_result");
    results.map(|it| it["content"].as_str().unwrap().to_owned()).collect()
}

const PLAIN: (&str, &str) = ("FABRICA_CHAT_WORKFLOW", "none");

/// Calls in a row, each with what its answer holds.
fn reached() -> Vec<((&'static str, Value), &'static str)> {
    vec![
        (("repo__status", json!({})), "?? new"),
        (("repo__diff", json!({"staged": true})), "+staged"),
        (("repo__branch", json!({"name": "aside"})), "On the branch aside."),
        (("repo__branch", json!({})), "aside"),
        (("repo__branch", json!({"name": BRANCH})), "On the branch fabrica/uid-1."),
        (("repo__branch", json!({"name": "--orphan"})), "name is the name of a branch"),
        (("repo__branch", json!({"name": "a..b"})), "not a valid branch name"),
        (("repo__branch", json!({})), BRANCH),
        (("repo__commit", json!({"message": "Add new"})), "Committed as "),
        (("repo__commit", json!({"message": "Add nothing"})), "nothing to commit"),
        (("repo__diff", json!({"base": "HEAD~1", "head": "HEAD"})), "+new"),
        (("repo__diff", json!({"base": "--output=/tmp/x"})), "base and head are names"),
        (("repo__push", json!({})), "The remote's branch fabrica/uid-1 is at "),
        (
            ("repo__pr_create", json!({"title": "Add new", "body": "It was missing."})),
            "The pull request is https://github.test/team/x/pull/2",
        ),
        (("repo__pr_get", json!({"number": 2})), "\"title\": \"Add new\""),
        (("repo__pr_get", json!({"number": 77})), "404"),
        (("repo__pr_comment", json!({"number": 2, "body": "Look."})), "The comment is there."),
        (("work__issue_fetch", json!({"issue_number": "#1"})), "The door squeaks"),
        (("work__issue_fetch", json!({"issue_number": "77"})), "404"),
        (("work__issue_search", json!({"query": "door"})), "The door squeaks"),
        (
            ("work__comment_create", json!({"issue_number": "1", "body": "On it."})),
            "The comment is there.",
        ),
        (
            ("work__label_add", json!({"issue_number": "1", "labels": ["bot"]})),
            "The labels are there.",
        ),
        (("work__issue_close", json!({"issue_number": "1"})), "It is closed."),
        (("work__issue_reopen", json!({"issue_number": "one"})), "issue_number is a number"),
        (("work__issue_reopen", json!({"issue_number": "1"})), "It is open."),
        (
            ("faber__set_phase", json!({"phase": "frame", "status": "started"})),
            "No workflow is running",
        ),
    ]
}

#[tokio::test]
async fn the_repository_and_its_issues_are_within_reach() {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("chat").await, model().await);
    let pod: Pod = begin(&github, &model, &cli, &[PLAIN]).await;
    let repository = pod.0.workspace().join("repo");
    for name in ["new", "staged"] {
        std::fs::write(repository.join(name), format!("{name}\n")).unwrap();
    }
    git(&repository, &["add", "staged"]);
    let mut ada = pod.talk_answering("ada").await;
    let (asked, expected): (Vec<_>, Vec<_>) = reached().into_iter().unzip();
    let text = calls(&asked);
    ada.say("m-1", &text).await;
    let approval = ada.until("the approval", |it| it["kind"] == "approval").await;
    assert!(github.asked().iter().all(|asked| asked != "POST /pulls"), "not before");
    ada.send(&json!({"type": "answer", "questionId": approval["questionId"], "text": "approve"}))
        .await;
    ada.text("All was called.").await;
    let answers = answers(&ada);
    assert_eq!(answers.len(), expected.len(), "{answers:#?}");
    for (answer, expected) in answers.iter().zip(expected) {
        assert!(answer.contains(expected), "{expected}: {answer}");
    }
    assert!(github.git.head(BRANCH).is_some());
    // What we saw of each call goes with what the program says of it.
    let calls = ada.of("claude_message").into_iter().filter(|it| it["kind"] == "tool_use");
    let calls: Vec<Value> = calls.map(|it| it["messageId"].clone()).collect();
    let audits = ada.of("tool_audit");
    let named: Vec<&Value> = audits.iter().map(|it| &it["messageId"]).collect();
    assert_eq!(named, calls.iter().collect::<Vec<_>>(), "{audits:#?}");
}

#[rstest]
#[case("assist", &["Committed as ", "publishes nothing", "publishes nothing", "publishes nothing"])]
#[case("dryRun", &["this is a dry run", "publishes nothing", "publishes nothing", "publishes nothing"])]
#[tokio::test]
async fn autonomy_bounds_what_leaves_the_pod(#[case] autonomy: &str, #[case] expected: &[&str]) {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("chat").await, model().await);
    let more = [PLAIN, ("FABRICA_CHAT_AUTONOMY", autonomy)];
    let pod = begin(&github, &model, &cli, &more).await;
    std::fs::write(pod.0.workspace().join("repo/new"), "new\n").unwrap();
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    let text = calls(&[
        ("repo__commit", json!({"message": "Add new"})),
        ("repo__push", json!({})),
        ("repo__pr_create", json!({"title": "Add new"})),
        ("work__comment_create", json!({"issue_number": "1", "body": "On it."})),
    ]);
    ada.say("m-1", &text).await;
    ada.text("All was called.").await;
    for (answer, expected) in answers(&ada).iter().zip(expected) {
        assert!(answer.contains(expected), "{expected}: {answer}");
    }
    assert_eq!(github.git.head(BRANCH), None);
    let raised =
        json!({"type": "start_workflow", "id": "w", "workId": "1", "autonomy": "autonomous"});
    ada.send(&raised).await;
    ada.until("it is not raised", |it| it["code"] == "forbidden").await;
}

#[tokio::test]
async fn a_dry_run_reads_and_delegates_and_writes_no_file() {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("chat").await, model().await);
    let pod = begin(&github, &model, &cli, &[PLAIN, ("FABRICA_CHAT_AUTONOMY", "dryRun")]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    let call = |name, input: Value| json!({"tools": [{"name": name, "input": input}]});
    let part = json!({"description": "Look", "prompt": "Look.\nscenario: chat-tool", "subagent_type": "general-purpose"});
    let steps = json!([
        call("Bash", json!({"command": "git log --format=%s"})),
        call("Bash", json!({"command": "echo found > found"})),
        call("Task", part),
        {"text": "All was called."},
    ]);
    ada.say("m-1", &format!("Look.\n```scenario\n{steps}\n```")).await;
    ada.text("All was called.").await;
    let answers = answers(&ada);
    let [read, wrote, part_wrote, part] = &answers[..] else { panic!("{answers:#?}") };
    assert_eq!(read, "first");
    for refused in [wrote, part_wrote] {
        assert_eq!(refused, "This is a dry run: read and plan, and change nothing.");
    }
    assert!(part.contains("It is found."), "{part}");
    assert!(!pod.0.workspace().join("repo/found").exists(), "{answers:#?}");
}
