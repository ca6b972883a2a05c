//! A login that may only read: told before an agent works for nothing.

use fabrica_protocol::run::Outcome;
use rstest::rstest;

use crate::forge::Lab;
use crate::gitea::Gitea;
use crate::github::{GitHub, TOKEN};
use crate::pod::End;
use crate::server::PASSWORD;

/// An agent whose program is not there: whoever reaches it ends otherwise.
const AGENT: [(&str, &str); 3] = [
    ("FABRICA_RUN_DRIVER", "claude"),
    ("FABRICA_AGENT_COMMAND", "/nonexistent"),
    ("FABRICA_CREDENTIAL_ANTHROPIC_API_KEY", "sk-unused"),
];

fn is_refused(end: &End, repository: &str) -> bool {
    let verdict = &end.verdict;
    assert_eq!((verdict.outcome, verdict.branch.as_ref()), (Outcome::Failed, None), "{verdict:?}");
    let is_it = verdict.reason == "PushRejected";
    if is_it {
        let words = [repository, "not push to it", "spec.repository.secretRef"];
        assert!(words.iter().all(|words| verdict.message.contains(words)), "{verdict:?}");
        assert!(!verdict.again);
    }
    is_it
}

#[rstest]
#[case::reader(Some(true), PASSWORD, true, 1)]
#[case::writer(Some(false), PASSWORD, false, 1)]
#[case::silent(None, PASSWORD, false, 1)]
// What the API says is about this token, and git has another one.
#[case::another_token(Some(true), TOKEN, false, 0)]
#[tokio::test]
async fn an_agent_does_not_begin_what_cannot_be_pushed(
    #[case] is_reader: Option<bool>,
    #[case] token: &str,
    #[case] refused: bool,
    #[case] asked: usize,
) {
    let github = GitHub::start().await;
    if let Some(is_reader) = is_reader {
        github.tell_rights(is_reader);
    }
    let variables = [&AGENT[..], &[("FABRICA_CREDENTIAL_GITHUB_TOKEN", token)]].concat();
    let end = Lab::github(&github).begin("Do it.", &variables).end().await;
    assert_eq!(is_refused(&end, "team/x"), refused, "{:?}", end.verdict);
    assert_eq!(github.asked().iter().filter(|asked| *asked == "GET ").count(), asked);
}

#[tokio::test]
async fn a_script_may_look_with_a_login_that_only_reads() {
    let github = GitHub::start().await;
    github.tell_rights(true);
    let variables = [("FABRICA_CREDENTIAL_GITHUB_TOKEN", PASSWORD)];
    let end = Lab::github(&github).begin("```sh\ntest -f README\n```\n", &variables).end().await;
    assert_eq!(end.verdict.reason, "NoChanges", "{:?}", end.verdict);
}

#[tokio::test]
async fn a_real_gitea_tells_a_reader() {
    let Some(gitea) = Gitea::start().await else { return };
    let lab = Lab::gitea(&gitea, "read").await;
    let end = lab.begin("Do it.", &AGENT).end().await;
    assert!(!is_refused(&end, "team/read"), "{:?}", end.verdict);
    let token = gitea.readers_token("write:repository").await;
    let login =
        [("FABRICA_REPOSITORY_token", &*token), ("FABRICA_CREDENTIAL_GITEA_TOKEN", &*token)];
    let end = lab.begin("Do it.", &[&AGENT[..], &login].concat()).end().await;
    assert!(is_refused(&end, "team/read"), "{:?}", end.verdict);
}
