//! Claude Code that crashes in the middle of its work: the real one, killed by a tool of its own.

use fabrica_model_api::Asked;
use fabrica_protocol::run::Entry;
use rstest::rstest;

use crate::claude::{cli, entries, journal, model, run};
use crate::pod::{BRANCH, End};
use crate::server::{Server, git};

/// How often the agent went on after a crash, as the journal tells.
fn went_on(end: &End) -> usize {
    let told = |entry: &Entry| matches!(entry, Entry::Step { text, .. } if text.contains("It goes on, for"));
    entries(end).into_iter().filter(|entry| told(entry)).count()
}

#[tokio::test]
async fn an_agent_that_crashes_goes_on_where_it_was() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let more = [("FABRICA_AGENT_MAX_TURNS", "9")];
    let end = run(&server, &model, &cli, "scenario: crash-once", &more).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{}", journal(&end));
    assert_eq!(went_on(&end), 1, "{}", journal(&end));
    // The scenario writes something else where what its tool left behind is still at work.
    assert_eq!(git(&server.repository(), &["show", &format!("{BRANCH}:one")]), "one");
    let pid = std::fs::read_to_string(end.folder.path().join("workspace/pid")).unwrap();
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists());
    let told = |asked: &Asked| asked.question.to_string().contains("was restarted");
    assert!(model.asked().iter().any(told), "it was told what happened");
    // What it was used for before the crash counts.
    let usage = end.verdict.usage.clone().unwrap();
    let asked = u64::try_from(model.asked().len()).unwrap();
    assert!(usage.models.values().map(|tokens| tokens.output).sum::<u64>() >= asked, "{usage:?}");
}

#[rstest]
#[case::too_often(&[], "AgentFailed", true, 2)]
#[case::turns_count_on(&[("FABRICA_AGENT_MAX_TURNS", "2")], "MaxTurns", false, 2)]
#[tokio::test]
async fn an_agent_that_crashes_again_and_again_fails(
    #[case] more: &[(&str, &str)],
    #[case] reason: &str,
    #[case] again: bool,
    #[case] times: usize,
) {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let end = run(&server, &model, &cli, "scenario: crash", more).await;
    assert_eq!((&*end.verdict.reason, end.verdict.again), (reason, again), "{}", journal(&end));
    assert_eq!(went_on(&end), times, "{}", journal(&end));
}
