//! Secrets that an agent has come by must not go out with its commits.

use fabrica_protocol::run::Outcome;
use rstest::rstest;

use crate::pod::{BRANCH, Pod};
use crate::server::{PASSWORD, Server};

/// The password, from a plan that does not hold it.
const SAY: &str = "say() { printf '%s%s' hunter2- s3cret; }\n";

#[rstest]
#[case::left_lying("say > left", "the file left")]
#[case::among_bytes(
    "mkdir a; { printf '\\000\\377'; say; printf '\\000'; } > 'a/b c'",
    "the file a/b c"
)]
#[case::taken_away(
    "say > gone; git add .; git commit -qm one; git rm -q gone; echo x > x",
    "the file gone"
)]
#[case::in_a_message("echo x > x; git add .; git commit -qm \"Add x: $(say)\"", "the commit")]
#[case::as_an_author(
    "echo x > x; git add .; git commit -qm x --author=\"$(say) <a@fabrica.test>\"",
    "the commit"
)]
#[case::as_a_name("mkdir a; echo x > \"a/$(say)\"", "the folder /a")]
#[case::in_a_merge(
    "git checkout -q -b other; echo x > x; git add .; git commit -qm x; git checkout -q -; echo y > y; git add .; git commit -qm y; git merge -q --no-commit other; say > x; git add .; git commit -qm merge",
    "the file x"
)]
#[case::behind_another_object(
    "say > x; git add .; git commit -qm x; echo x > x; git add .; git commit -qm y; git replace HEAD~ HEAD",
    "the file x"
)]
#[case::behind_an_attribute("echo '* -diff -text' > .gitattributes; say > x", "the file x")]
#[tokio::test]
async fn a_secret_is_not_pushed(#[case] commands: &str, #[case] place: &str) {
    let server = Server::start().await;
    let plan = format!("```sh\n{SAY}{commands}\n```");
    let end = Pod::run(&server, &plan, &[]).await;
    let verdict = &end.verdict;
    assert_eq!(
        (&*verdict.reason, verdict.outcome, verdict.again),
        ("SecretInCommit", Outcome::Failed, false),
        "{} {:?}",
        verdict.message,
        end.outputs()
    );
    assert!(verdict.message.contains(place), "{}", verdict.message);
    assert_eq!(server.head(BRANCH), None);
    let told =
        std::fs::read_to_string(end.folder.path().join("workspace/.fabrica/journal-1.ndjson"));
    let last = std::fs::read_to_string(end.folder.path().join("termination"));
    assert!(!told.unwrap().contains(PASSWORD) && !last.unwrap().contains(PASSWORD));
}

#[rstest]
#[case::left_where_it_is("echo more >> config; mkdir -p docs; echo x > docs/x")]
#[case::taken_out("echo clean > config")]
#[tokio::test]
async fn what_the_remote_has_is_out_already(#[case] commands: &str) {
    let server = Server::start().await;
    server.commit_files("main", &[("config", &format!("password={PASSWORD}\n"))]);
    let end = Pod::run(&server, &format!("```sh\n{commands}\n```"), &[]).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{}", end.verdict.message);
    assert_eq!(server.head(BRANCH), end.verdict.commit);
}

#[tokio::test]
async fn what_the_remote_has_elsewhere_is_not() {
    let server = Server::start().await;
    server.commit_files("main", &[("config", &format!("password={PASSWORD}\n"))]);
    let end = Pod::run(&server, "```sh\ncat config config > copy\n```", &[]).await;
    assert_eq!(end.verdict.reason, "SecretInCommit", "{}", end.verdict.message);
    assert!(end.verdict.message.contains("the file copy"), "{}", end.verdict.message);
}
