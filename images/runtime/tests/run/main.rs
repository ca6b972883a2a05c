//! Attempts of Runs: a real runtime, real blocks, and a git server that wants a password.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    reason = "a test ends at what it did not expect"
)]

mod ask;
mod checkpoint;
mod claude;
mod crash;
mod forge;
mod gitea;
mod github;
mod hostile;
mod leak;
mod moved;
mod pod;
mod reading;
mod rights;
mod server;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use fabrica_protocol::assertion::Role;
use fabrica_protocol::run::{Entry, Outcome};
use fabrica_protocol::runtime::EventType;
use pod::{BRANCH, Pod, read, termination};
use rstest::rstest;
use rustix::process::Signal;
use server::{PASSWORD, Server, git};
use support::{UID, eventually};
use tokio::time::Instant;

/// A block that runs until it is ended.
const ENDLESS: &str = "```sh\necho begun\nsleep 1000\n```";

#[tokio::test]
async fn blocks_run_in_order_and_what_they_leave_is_pushed() {
    let server = Server::start().await;
    let plan = "# Title\n\n```sh\necho one | tee one; test $(stat -c %a ../plan.md) = 444\n```\nthen\n```sh\ntest -f one\necho two > two\necho MODE=$MODE [${FABRICA_RUN_PLAN_FILE}${FABRICA_REPOSITORY_token}]\n```\n";
    let end = Pod::run(&server, plan, &[]).await;
    assert_eq!((&*end.verdict.reason, end.verdict.outcome), ("Succeeded", Outcome::Completed));
    assert_eq!(end.outputs(), ["one\n", "MODE=run []\n"]);
    assert_eq!(end.code, 0);
    let head = server.head(BRANCH).unwrap();
    assert_eq!(end.verdict.commit.as_ref(), Some(&head));
    assert_eq!(end.verdict.branch.as_deref(), Some(BRANCH));
    assert_eq!(server.message(&head), format!("Do it\n\nFabrica-Run: {UID}"));
    assert_eq!(git(&server.repository(), &["ls-tree", "--name-only", &head]), "README\none\ntwo");
    assert_eq!(
        git(&server.repository(), &["log", "-1", "--format=%an %s", &format!("{head}^")]),
        "Test first"
    );
    let finished: Vec<&str> = end
        .records
        .iter()
        .filter_map(|record| match &record.entry {
            Entry::Step { step, kind: EventType::Finished, .. } => Some(step.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(finished, ["identity", "clone", "agent", "verify", "push"]);
}

#[tokio::test]
async fn the_agents_own_commit_keeps_its_words_and_is_marked() {
    let server = Server::start().await;
    let plan = "```sh\necho x > x; git add x; git commit -qm 'Add x' -m 'Because.'\n```";
    let end = Pod::run(&server, plan, &[]).await;
    let commit = end.verdict.commit.unwrap();
    assert_eq!(server.message(&commit), format!("Add x\n\nBecause.\n\nFabrica-Run: {UID}"));
    assert_eq!(git(&server.repository(), &["rev-list", "--count", &commit]), "2");
}

#[tokio::test]
async fn a_repository_without_commits_gets_its_first() {
    let server = Server::start_empty().await;
    let end = Pod::run(&server, "```sh\necho x > x\n```", &[]).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{}", end.verdict.message);
    assert_eq!(server.head(BRANCH), end.verdict.commit);
}

#[rstest]
#[case::nothing_done("```sh\ntrue\n```")]
#[case::undone("```sh\necho x > x; git add x; git commit -qm x; git revert --no-edit HEAD\n```")]
#[tokio::test]
async fn without_changes_nothing_is_pushed(#[case] plan: &str) {
    let server = Server::start().await;
    let end = Pod::run(&server, plan, &[]).await;
    assert_eq!((&*end.verdict.reason, end.verdict.outcome), ("NoChanges", Outcome::Completed));
    assert_eq!((end.code, server.head(BRANCH)), (0, None));
}

#[tokio::test]
async fn a_failing_block_fails_the_run_and_the_rest_does_not_run() {
    let server = Server::start().await;
    let plan =
        "```sh\necho why it failed >&2; false; echo not this\n```\n```sh\necho nor this\n```";
    let end = Pod::run(&server, plan, &[]).await;
    let verdict = &end.verdict;
    assert_eq!((&*verdict.reason, verdict.again, end.code), ("AgentFailed", true, 1));
    assert!(verdict.message.contains("Block 1") && verdict.message.contains("why it failed"));
    assert_eq!(end.outputs(), ["why it failed\n"]);
    assert_eq!(server.head(BRANCH), None);
}

#[rstest]
#[case::none("", "plan.md")]
#[case::no_blocks("# Only words", "```sh")]
#[tokio::test]
async fn without_a_plan_there_is_nothing_to_do(#[case] plan: &str, #[case] expected: &str) {
    let server = Server::start().await;
    let end = Pod::run(&server, plan, &[]).await;
    assert_eq!((&*end.verdict.reason, end.verdict.again), ("PlanMissing", false));
    assert!(end.verdict.message.contains(expected), "{}", end.verdict.message);
}

#[tokio::test]
async fn what_an_earlier_attempt_pushed_is_taken_over() {
    let server = Server::start().await;
    let first = Pod::run(&server, "```sh\necho one > one\n```", &[]).await.verdict.commit.unwrap();
    let plan = "```sh\ntest -f one; echo two > two\n```";
    let end = Pod::run(&server, plan, &[("FABRICA_RUN_ATTEMPT", "2")]).await;
    let second = end.verdict.commit.unwrap();
    assert_eq!(git(&server.repository(), &["rev-parse", &format!("{second}^")]), first);
    assert!(end.folder.path().join("workspace/.fabrica/journal-2.ndjson").exists());
    let end = Pod::run(&server, "```sh\ntest -f two\n```", &[]).await;
    assert_eq!((&*end.verdict.reason, end.verdict.commit), ("Succeeded", Some(second)));
}

#[tokio::test]
async fn a_strangers_branch_is_left_alone() {
    let server = Server::start().await;
    server.commit_elsewhere(BRANCH, "theirs");
    let before = server.head(BRANCH);
    let end = Pod::run(&server, "```sh\necho x > x\n```", &[]).await;
    assert_eq!((&*end.verdict.reason, end.verdict.again), ("BranchExists", false));
    assert_eq!((end.outputs(), server.head(BRANCH)), (Vec::new(), before));
}

#[tokio::test]
async fn a_branch_that_appears_meanwhile_is_not_pushed_over() {
    let server = Server::start().await;
    let pod = Pod::begin(
        &server,
        "```sh\necho x > x\nuntil test -f ../go; do sleep 0.05; done\n```",
        &[],
    );
    pod.until("the block runs", |entry| matches!(entry, Entry::ToolStarted { .. })).await;
    server.commit_elsewhere(BRANCH, "theirs");
    std::fs::write(pod.0.workspace().join("go"), "").unwrap();
    let before = server.head(BRANCH);
    let verdict = pod.end().await.verdict;
    assert_eq!((&*verdict.reason, verdict.again), ("PushRejected", false));
    assert!(verdict.message.contains("somebody else"), "{}", verdict.message);
    assert_eq!(server.head(BRANCH), before);
}

#[rstest]
#[case::branch("GH006: Protected branch update failed")]
#[case::file("GH001: Large files detected. File big is 101.00 MB")]
#[tokio::test]
async fn a_refused_push_is_told_in_the_remotes_words(#[case] words: &str) {
    let server = Server::start().await;
    server.protect(words);
    let end = Pod::run(&server, "```sh\necho x > x\n```", &[]).await;
    assert_eq!((&*end.verdict.reason, end.verdict.again, end.code), ("PushRejected", false, 1));
    assert!(end.verdict.message.contains(words), "{}", end.verdict.message);
}

#[rstest]
#[case::for_git(1_000_000, "exceeds maximum allowed size")]
#[case::for_what_stands_before_it(5_000_000, "413")]
#[tokio::test]
async fn a_push_that_is_too_large_is_not_tried_again(#[case] bytes: u32, #[case] expected: &str) {
    let server = Server::start().await;
    git(&server.repository(), &["config", "receive.maxInputSize", "500000"]);
    let plan = format!("```sh\nhead -c {bytes} /dev/urandom > big\n```");
    let end = Pod::run(&server, &plan, &[]).await;
    assert_eq!((&*end.verdict.reason, end.verdict.again), ("PushRejected", false));
    assert!(end.verdict.message.contains(expected), "{}", end.verdict.message);
    assert_eq!(server.head(BRANCH), None);
}

#[tokio::test]
async fn a_repository_that_cannot_be_cloned_may_be_tried_again() {
    let server = Server::start().await;
    let end = Pod::run(&server, ENDLESS, &[("REPO_URL", "http://127.0.0.1:9/x.git")]).await;
    assert_eq!((&*end.verdict.reason, end.verdict.again), ("CloneFailed", true));
}

#[tokio::test]
async fn a_login_or_an_address_that_is_refused_is_not_tried_again() {
    let server = Server::start().await;
    let url = format!("http://{}/team/nothing.git", server.address);
    let wrong = [
        ("FABRICA_REPOSITORY_token", "wrong-c4nary", "Authentication failed"),
        ("REPO_URL", url.as_str(), "not found"),
    ];
    for (name, value, words) in wrong {
        let verdict = Pod::run(&server, ENDLESS, &[(name, value)]).await.verdict;
        assert_eq!((&*verdict.reason, verdict.again), ("CloneFailed", false), "{verdict:?}");
        assert!(verdict.message.contains(words), "{}", verdict.message);
        assert!(verdict.message.contains("spec.repository.secretRef"), "{}", verdict.message);
        assert!(!verdict.message.contains("c4nary"), "{}", verdict.message);
    }
}

#[rstest]
#[case::to_begin_from("BRANCH", "spec.repository.branch")]
#[case::to_merge_into("FABRICA_PULL_REQUEST_BASE", "spec.pullRequest.base")]
#[tokio::test]
async fn a_branch_that_is_not_there_is_told_before_any_work(
    #[case] variable: &str,
    #[case] field: &str,
) {
    let server = Server::start().await;
    let end = Pod::run(&server, "```sh\necho x > x\n```", &[(variable, "gone/x")]).await;
    assert_eq!((&*end.verdict.reason, end.verdict.again), ("BranchMissing", false));
    let message = &end.verdict.message;
    assert!(message.contains("gone/x") && message.contains(field), "{message}");
    assert_eq!((end.outputs(), server.head(BRANCH)), (Vec::new(), None));
}

#[tokio::test]
async fn the_deadline_ends_a_run() {
    let server = Server::start().await;
    let end = Pod::run(&server, ENDLESS, &[("FABRICA_RUN_SECONDS", "2")]).await;
    assert_eq!((&*end.verdict.reason, end.verdict.again), ("DeadlineExceeded", false));
    assert_eq!((end.code, server.head(BRANCH)), (1, None));
}

#[tokio::test]
async fn what_a_stopped_block_said_is_kept_and_all_that_it_started_is_gone() {
    let server = Server::start().await;
    let plan =
        "```sh\necho begun\ntrap '' TERM\nsetsid sleep 1000 & echo $! > ../pid\nsleep 1000\n```";
    let pod = Pod::begin(&server, plan, &[]);
    let file = pod.0.workspace().join("pid");
    let pid = || std::fs::read_to_string(&file).unwrap_or_default();
    eventually("the block runs", async || pid().ends_with('\n')).await;
    assert_eq!(
        pod.post("/v1/stop", "{\"reason\":\"DeadlineExceeded\"}", Role::Operator).await,
        204
    );
    let pid = pid();
    let end = pod.end().await;
    assert_eq!((&*end.verdict.reason, end.outputs()), ("DeadlineExceeded", vec!["begun\n"]));
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists());
}

#[tokio::test]
async fn a_run_is_cancelled_through_its_door() {
    let server = Server::start().await;
    let pod = Pod::begin(&server, ENDLESS, &[]);
    pod.until("the block runs", |entry| matches!(entry, Entry::ToolStarted { .. })).await;
    pod.0.ready().await;
    let cancel = "{\"reason\":\"Cancelled\"}";
    assert_eq!(pod.post("/v1/stop", cancel, Role::Control).await, 403);
    assert_eq!(pod.post("/v1/stop", "{\"reason\":\"Bored\"}", Role::Operator).await, 400);
    assert_eq!(pod.post("/v1/ack", "{\"seq\":1}", Role::View).await, 403);
    assert_eq!(pod.0.get("/v1/terminal", Role::Control).await.status(), 404);
    assert_eq!(pod.0.get("/v1/files/", Role::Control).await.status(), 404);
    assert_eq!(pod.0.idle().await.terminals, 0);
    assert_eq!(pod.post("/v1/stop", cancel, Role::Operator).await, 204);
    let end = pod.end().await;
    assert_eq!((end.verdict.outcome, end.verdict.again, end.code), (Outcome::Cancelled, false, 1));
}

#[tokio::test]
async fn sigterm_ends_a_run_quickly() {
    let server = Server::start().await;
    let plan = "```sh\ntrap '' TERM\necho begun\nsleep 1000\n```";
    let mut pod = Pod::begin(&server, plan, &[]);
    pod.until("the block runs", |entry| matches!(entry, Entry::ToolStarted { .. })).await;
    let started = Instant::now();
    pod.signal(Signal::TERM);
    assert_eq!(pod.exit().await, 1);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let verdict = termination(pod.0.folder.path());
    assert_eq!((&*verdict.reason, verdict.again), ("PodEvicted", true));
    let journal = pod.0.workspace().join(".fabrica/journal-1.ndjson");
    let records = read(&std::fs::read_to_string(journal).unwrap());
    assert_eq!(records.last().unwrap().entry, Entry::Ended(verdict));
}

#[tokio::test]
async fn a_journal_survives_a_kill() {
    let server = Server::start().await;
    let pod = Pod::begin(&server, "```sh\necho one\n```\n```sh\nsleep 5\n```", &[]);
    pod.until("the first block is done", |entry| matches!(entry, Entry::ToolFinished { .. })).await;
    let before = pod.records().await;
    let Pod(mut runtime) = pod;
    runtime.process.kill().await.unwrap();
    let journal = runtime.workspace().join(".fabrica/journal-1.ndjson");
    let mut torn = std::fs::read(&journal).unwrap();
    torn.extend(b"{\"seq\":99,\"time\":\"20");
    std::fs::write(&journal, torn).unwrap();
    let pod = Pod::begin_in(runtime.folder, &server, "```sh\necho two\n```", &[]);
    let end = pod.end().await;
    assert_eq!(end.records[..before.len()], before);
    assert_eq!(end.outputs(), ["one\n", "two\n"]);
}

#[tokio::test]
async fn the_verdict_waits_for_the_operator_but_not_for_ever() {
    let server = Server::start().await;
    let mut pod = Pod::begin(&server, "```sh\ntrue\n```", &[("FABRICA_LINGER_SECONDS", "1")]);
    pod.0.ready().await;
    let stream = pod.0.get("/v1/events?after=1", Role::Operator).await.text().await;
    assert_eq!(pod.exit().await, 0);
    let records = read(&stream.unwrap());
    assert_eq!(records.first().unwrap().seq, 2);
    assert_eq!(records.last().unwrap().entry, Entry::Ended(termination(pod.0.folder.path())));
}

#[tokio::test]
async fn sigterm_after_the_verdict_changes_nothing() {
    let server = Server::start().await;
    let mut pod = Pod::begin(&server, "```sh\ntrue\n```", &[]);
    pod.until("there is a verdict", |entry| matches!(entry, Entry::Ended(_))).await;
    pod.signal(Signal::TERM);
    assert_eq!(pod.exit().await, 0);
    assert_eq!(termination(pod.0.folder.path()).reason, "NoChanges");
}

#[tokio::test]
async fn what_a_block_leaves_behind_serves_the_next_but_does_not_keep_the_run() {
    let server = Server::start().await;
    let plan = "```sh\nsleep 1000 & echo $! > ../pid\nsetsid sh -c 'trap \"\" TERM; echo $$ > ../other; sleep 1000' &\n```\n```sh\nkill -0 $(cat ../pid)\necho x > x\n```";
    let end = Pod::run(&server, plan, &[]).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{}", end.verdict.message);
    for name in ["pid", "other"] {
        let pid = std::fs::read_to_string(end.folder.path().join("workspace").join(name)).unwrap();
        assert!(!std::path::Path::new("/proc").join(pid.trim()).exists(), "{name}");
    }
}

#[tokio::test]
async fn logins_and_floods_are_cut() {
    let server = Server::start().await;
    let plan = format!("```sh\necho {PASSWORD}\nseq 1 100000\n```");
    let end = Pod::run(&server, &plan, &[]).await;
    let journal = end.folder.path().join("workspace/.fabrica/journal-1.ndjson");
    assert!(!std::fs::read_to_string(journal).unwrap().contains(PASSWORD));
    let output = end.outputs()[0];
    assert!(output.starts_with("***\n1\n") && output.ends_with("99999\n100000\n"));
    assert!(output.contains("left out"));
}

#[rstest]
#[case::driver(&[("FABRICA_RUN_DRIVER", "oracle")], "DriverUnknown", "oracle")]
#[case::agent(
    &[
        ("FABRICA_RUN_DRIVER", "claude"),
        ("FABRICA_AGENT_COMMAND", "/bin/sh"),
        ("FABRICA_CREDENTIAL_ANTHROPIC_API_KEY", "sk-c4nary"),
        ("FABRICA_AGENT_MAX_TURNS", "many"),
    ],
    "AgentMisconfigured",
    "The turns are no number"
)]
#[case::forge(
    &[("FABRICA_FORGE", "github"), ("FABRICA_CREDENTIAL_GITHUB_TOKEN", "two\nlines-c4nary")],
    "ForgeUnusable",
    "token"
)]
#[case::repository(&[("REPO_URL", "")], "RepositoryMissing", "REPO_URL")]
#[tokio::test]
async fn what_cannot_be_worked_with_is_named(
    #[case] variables: &[(&str, &str)],
    #[case] reason: &str,
    #[case] words: &str,
) {
    let server = Server::start().await;
    let end = Pod::run(&server, ENDLESS, variables).await;
    let verdict = &end.verdict;
    assert_eq!((&*verdict.reason, verdict.again, end.code), (reason, false, 1), "{verdict:?}");
    assert!(verdict.message.contains(words), "{}", verdict.message);
    assert!(!verdict.message.contains("c4nary"), "{}", verdict.message);
    assert_eq!((end.outputs(), server.head(BRANCH)), (Vec::new(), None));
}
