//! Work that goes on in another pod: the real Claude Code, the real runtime twice, and what the operator carries.

use fabrica_protocol::assertion::Role;
use fabrica_protocol::run::{Checkpoint, Entry, Outcome, Record, SHA256_HEADER};
use rstest::rstest;
use rustix::process::Signal;

use crate::ask::{answer, asked, is_done, is_told};
use crate::claude::{KEY, STORM, begin, cli, entries, journal, model, settled};
use crate::pod::{BRANCH, Pod, termination};
use crate::server::{Server, git};
use crate::support::UID;

/// What the operator carries from one pod to the next.
struct Kept {
    checkpoint: Checkpoint,
    seq: u64,
    gzip: Vec<u8>,
}

/// Takes a pod's newest checkpoint, as the operator does.
async fn keep(pod: &Pod) -> Kept {
    pod.until("a checkpoint", |entry| matches!(entry, Entry::Checkpoint(_))).await;
    let records = pod.records().await;
    let newest = records.into_iter().rev().find_map(|record| match record.entry {
        Entry::Checkpoint(checkpoint) => Some((record.seq, checkpoint)),
        _ => None,
    });
    let (seq, checkpoint) = newest.unwrap();
    assert_eq!(pod.0.get("/v1/checkpoint", Role::Control).await.status(), 403);
    let given = pod.0.get("/v1/checkpoint", Role::Operator).await;
    assert_eq!(given.headers()["content-type"], "application/gzip");
    assert_eq!(given.headers()[SHA256_HEADER], checkpoint.sha256);
    let gzip = given.bytes().await.unwrap().to_vec();
    assert_eq!(gzip.len() as u64, checkpoint.bytes);
    Kept { checkpoint, seq, gzip }
}

/// Waits for a checkpoint after a record.
async fn next_checkpoint(pod: &Pod, after: u64) {
    let is_next =
        |record: &Record| record.seq > after && matches!(record.entry, Entry::Checkpoint(_));
    while !pod.records().await.iter().any(is_next) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn acknowledge(pod: &Pod, seq: u64) {
    let body = format!("{{\"seq\":{seq}}}");
    assert_eq!(pod.post("/v1/ack", &body, Role::Operator).await, 204);
}

async fn hand(pod: &Pod, kept: &Kept) -> u16 {
    let Checkpoint { commit, conversation, sha256, .. } = kept.checkpoint.clone();
    let path = format!(
        "/v1/checkpoint?commit={}&conversation={}&sha256={sha256}",
        commit.unwrap(),
        conversation.unwrap()
    );
    pod.until("its doors are open", |_| true).await;
    pod.0.put(&path, kept.gzip.clone(), Role::Operator).await.status().as_u16()
}

fn work_in_progress(server: &Server) -> String {
    git(&server.repository(), &["for-each-ref", "--format=%(refname)", "refs/fabrica"])
}

/// What the next pod is told.
const NEXT: [(&str, &str); 3] =
    [("FABRICA_CHECKPOINTS", "true"), ("FABRICA_RESUME", "true"), ("FABRICA_RUN_ATTEMPT", "2")];

#[tokio::test]
async fn an_escalated_run_goes_on_in_another_pod() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let more = [("FABRICA_CHECKPOINTS", "true"), ("FABRICA_QUESTION_HOLD_SECONDS", "1")];
    let pod = begin(&server, &model, &cli, "scenario: ask", &more).await;
    let id = asked(&pod).await;
    let kept = keep(&pod).await;
    acknowledge(&pod, kept.seq).await;
    let end = settled(pod).await;
    assert_eq!(
        (&*end.verdict.reason, end.verdict.outcome, end.verdict.again),
        ("Escalated", Outcome::Escalated, false),
        "{}",
        journal(&end)
    );
    assert_eq!(end.verdict.question.as_ref().unwrap().id, id);
    let reference = format!("refs/fabrica/{UID}/wip");
    assert_eq!(work_in_progress(&server), reference);
    let files = git(&server.repository(), &["ls-tree", "--name-only", &reference]);
    assert_eq!(files, "README\ndraft\none");
    drop(end);

    let pod = begin(&server, &model, &cli, "scenario: ask", &NEXT).await;
    assert_eq!(hand(&pod, &kept).await, 204);
    assert_eq!(hand(&pod, &kept).await, 409);
    assert_eq!(answer(&pod, &id, "blue").await, 200);
    let end = settled(pod).await;
    is_done(&server, &end);
    assert!(is_told(&model, "The answer of ada is: blue"));
    let subjects = git(&server.repository(), &["log", "--format=%s", BRANCH]);
    assert_eq!(subjects, "Do it\nAdd one\nfirst");
    assert_eq!(work_in_progress(&server), "");
}

#[tokio::test]
async fn a_lost_attempt_goes_on_in_another_pod() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let more = [("FABRICA_CHECKPOINTS", "true")];
    let question = serde_json::json!({"kind": "approval", "question": "May I?"});
    let write = "echo one > one && git add one && git commit -qm 'Add one' && echo draft > draft";
    let tool = |command: &str| serde_json::json!({"tools": [{"name": "Bash", "input": {"command": command}}]});
    // The CLI may put a word of its own between what was lost and what comes next.
    let steps = serde_json::json!([
        tool(write),
        {"tools": [{"name": "mcp__fractary-faber__ask_human", "input": question}]},
        tool("mv draft two; true"),
        tool("mv draft two; true"),
        {"text": "All is done."},
    ]);
    let plan = format!("```scenario\n{steps}\n```");
    let mut pod = begin(&server, &model, &cli, &plan, &more).await;
    asked(&pod).await;
    // The agent has committed, so there is a checkpoint soon, and another one at the end.
    tokio::time::timeout(STORM, next_checkpoint(&pod, 0)).await.unwrap();
    let first = keep(&pod).await;
    pod.signal(Signal::TERM);
    next_checkpoint(&pod, first.seq).await;
    let kept = keep(&pod).await;
    acknowledge(&pod, kept.seq).await;
    pod.exit().await;
    let verdict = termination(pod.0.folder.path());
    assert_eq!((&*verdict.reason, verdict.again), ("PodEvicted", true));

    let pod = begin(&server, &model, &cli, &plan, &NEXT).await;
    assert_eq!(hand(&pod, &kept).await, 204);
    let end = settled(pod).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{:?}", end.records);
    assert_eq!(git(&server.repository(), &["ls-tree", "--name-only", BRANCH]), "README\none\ntwo");
    assert!(is_told(&model, "The agent process was restarted."));
}

#[tokio::test]
async fn a_model_that_takes_no_more_for_long_costs_an_attempt_and_no_work() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let tool = |command: &str| serde_json::json!({"tools": [{"name": "Bash", "input": {"command": command}}]});
    let steps = serde_json::json!([
        tool("echo draft > draft; echo begun >> log; git add log; git commit -qm 'Begin the log'"),
        // The folder for a checkpoint's push: from then on another pod can go on.
        tool("until test -d ../.fabrica-wip; do sleep 1; done"),
        // More than the CLI tries in one attempt, and fewer than in two.
        {"error": 429, "retryAfter": 0, "times": 10},
        tool("mv draft two; true"),
        tool("mv draft two; true"),
        {"text": "All is done."},
    ]);
    let plan = format!("```scenario\n{steps}\n```");
    let pod = begin(&server, &model, &cli, &plan, &[("FABRICA_CHECKPOINTS", "true")]).await;
    tokio::time::timeout(STORM, next_checkpoint(&pod, 0)).await.unwrap();
    let kept = keep(&pod).await;
    let end = settled(pod).await;
    let verdict = &end.verdict;
    assert_eq!((&*verdict.reason, verdict.again), ("RateLimited", true), "{}", journal(&end));

    let pod = begin(&server, &model, &cli, &plan, &NEXT).await;
    assert_eq!(hand(&pod, &kept).await, 204);
    let end = settled(pod).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{}", journal(&end));
    assert_eq!(git(&server.repository(), &["show", &format!("{BRANCH}:log")]), "begun");
    assert_eq!(git(&server.repository(), &["show", &format!("{BRANCH}:two")]), "draft");
}

#[rstest]
#[case::refused("echo draft > draft", "nobody may push there")]
#[case::secret("printf %s%s sk-ant-test- real-key > draft", "holds a secret")]
#[tokio::test]
async fn what_cannot_be_kept_waits_in_its_pod(#[case] command: &str, #[case] words: &str) {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    server.protect_only("refs/fabrica/*", "nobody may push there");
    let question = serde_json::json!({"kind": "approval", "question": "May I?"});
    let steps = serde_json::json!([
        {"tools": [{"name": "Bash", "input": {"command": command}}]},
        {"tools": [{"name": "mcp__fractary-faber__ask_human", "input": question}]},
        {"tools": [{"name": "Bash", "input": {"command": "rm draft; echo one > one"}}]},
        {"text": "All is done."},
    ]);
    let more = [("FABRICA_CHECKPOINTS", "true"), ("FABRICA_QUESTION_HOLD_SECONDS", "1")];
    let plan = format!("```scenario\n{steps}\n```");
    let pod = begin(&server, &model, &cli, &plan, &more).await;
    let id = asked(&pod).await;
    let is_told = |entry: &Entry| matches!(entry, Entry::Step { step, text, .. } if step == "checkpoint" && text.contains(words));
    pod.until("the failure is told", is_told).await;
    assert_eq!(pod.0.get("/v1/checkpoint", Role::Operator).await.status(), 404);
    assert_eq!(answer(&pod, &id, "yes").await, 200);
    let end = settled(pod).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{}", journal(&end));
    assert_eq!(entries(&end).into_iter().filter(|entry| is_told(entry)).count(), 1);
    assert!(!journal(&end).contains(KEY));
}

#[rstest]
#[case::nothing_done("true", None, "NoChanges", false)]
#[case::pushed("echo x > x", None, "Succeeded", false)]
#[case::secret("printf %s%s hunter2- s3cret > x", None, "SecretInCommit", false)]
#[case::failed("false", None, "AgentFailed", true)]
#[case::failed_for_the_last_time("false # LAST", None, "AgentFailed", false)]
#[case::cancelled("sleep 1000", Some("Cancelled"), "Cancelled", false)]
#[tokio::test]
async fn work_in_progress_stays_as_long_as_somebody_may_go_on_with_it(
    #[case] commands: &str,
    #[case] stop: Option<&str>,
    #[case] reason: &str,
    #[case] stays: bool,
) {
    let server = Server::start().await;
    let reference = format!("refs/fabrica/{UID}/wip");
    git(&server.repository(), &["update-ref", &reference, "main"]);
    let plan = format!("```sh\n{commands}\n```");
    let last = if commands.contains("LAST") { "true" } else { "false" };
    let more = [
        ("FABRICA_CHECKPOINTS", "true"),
        ("FABRICA_LAST_OF_AGENT", last),
        ("FABRICA_LAST_OF_OTHERS", "true"),
    ];
    let pod = Pod::begin(&server, &plan, &more);
    if let Some(stop) = stop {
        pod.until("the block runs", |entry| matches!(entry, Entry::ToolStarted { .. })).await;
        let body = format!("{{\"reason\":\"{stop}\"}}");
        assert_eq!(pod.post("/v1/stop", &body, Role::Operator).await, 204);
    }
    let end = pod.end().await;
    assert_eq!(end.verdict.reason, reason, "{}", end.verdict.message);
    assert_eq!(work_in_progress(&server), if stays { &*reference } else { "" });
}

#[tokio::test]
async fn without_a_database_nothing_is_kept() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let mut pod = begin(&server, &model, &cli, "scenario: ask", &[]).await;
    asked(&pod).await;
    pod.signal(Signal::TERM);
    pod.exit().await;
    assert_eq!(termination(pod.0.folder.path()).reason, "PodEvicted");
    assert_eq!(work_in_progress(&server), "");
}
