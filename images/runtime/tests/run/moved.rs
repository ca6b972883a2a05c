//! Work that was kept, and a remote that has moved meanwhile: nothing of it is lost, and whoever has to act is told.

use fabrica_protocol::assertion::Role;
use fabrica_protocol::run::{Entry, Outcome};
use rstest::rstest;

use crate::forge::Lab;
use crate::gitea::Gitea;
use crate::github::GitHub;
use crate::pod::{BRANCH, End, Pod};
use crate::server::{self, Server, git_beside};
use crate::support::UID;

const REFERENCE: &str = "refs/fabrica/uid-1/wip";
/// What the next pod is told.
const NEXT: [(&str, &str); 2] = [("FABRICA_RESUME", "true"), ("FABRICA_RUN_ATTEMPT", "2")];

/// Pushes work in progress as a runtime does, a commit of the agent's with a draft on top, and then rewrites what it began
/// from. The commit of it.
async fn keep_and_rewrite(url: &str) -> String {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path();
    git_beside(folder, &["clone", "-q", url, "."]).await;
    for (file, message) in [("one", "Add one"), ("draft", "Work in progress")] {
        std::fs::write(folder.join(file), file).unwrap();
        git_beside(folder, &["add", "."]).await;
        git_beside(folder, &["commit", "-q", "-m", message]).await;
    }
    let commit = git_beside(folder, &["rev-parse", "HEAD"]).await;
    git_beside(folder, &["push", "-q", "origin", &format!("HEAD:{REFERENCE}")]).await;
    git_beside(folder, &["checkout", "-q", "--orphan", "rewritten"]).await;
    git_beside(folder, &["rm", "-rfq", "."]).await;
    std::fs::write(folder.join("README"), "rewritten").unwrap();
    git_beside(folder, &["add", "."]).await;
    git_beside(folder, &["commit", "-q", "-m", "rewritten"]).await;
    git_beside(folder, &["push", "-q", "--force", "origin", "HEAD:main"]).await;
    commit
}

async fn hand(pod: &Pod, commit: &str) {
    pod.until("its doors are open", |_| true).await;
    let path = format!("/v1/checkpoint?commit={commit}");
    assert_eq!(pod.0.put(&path, "", Role::Operator).await.status(), 204);
}

fn is_told(end: &End, words: &str) -> bool {
    end.records
        .iter()
        .any(|record| matches!(&record.entry, Entry::Step { text, .. } if text.contains(words)))
}

#[tokio::test]
async fn a_base_that_was_rewritten_loses_no_work_on_the_fake_github() {
    let github = GitHub::start().await;
    let lab = Lab::github(&github);
    let end = resumed(&lab).await;
    // GitHub compares nothing that has no common history, and says so.
    let verdict = &end.verdict;
    assert_eq!((&*verdict.reason, verdict.again), ("PullRequestFailed", false), "{verdict:?}");
    assert!(verdict.message.contains("no history in common"), "{}", verdict.message);
    assert_eq!(verdict.commit, github.git.head(BRANCH));
    let subjects = server::git(&github.git.repository(), &["log", "--format=%s", BRANCH]);
    assert_eq!(subjects, "Do it\nAdd one\nfirst");
    let files = server::git(&github.git.repository(), &["ls-tree", "--name-only", BRANCH]);
    assert_eq!(files, "README\ndraft\none\ntwo");
}

#[tokio::test]
async fn a_base_that_was_rewritten_loses_no_work_on_a_real_gitea() {
    let Some(gitea) = Gitea::start().await else { return };
    let lab = Lab::gitea(&gitea, "moved").await;
    let end = resumed(&lab).await;
    let verdict = &end.verdict;
    assert!(["Succeeded", "PullRequestFailed"].contains(&&*verdict.reason), "{verdict:?}");
    assert_eq!(verdict.branch.as_deref(), Some(BRANCH));
    let asked = ["ls-remote", &lab.url_with_login(), BRANCH];
    let heads = git_beside(end.folder.path(), &asked).await;
    assert!(heads.contains(verdict.commit.as_ref().unwrap()), "{heads}");
}

/// Goes on with work whose base is not there any more.
async fn resumed(lab: &Lab) -> End {
    let commit = keep_and_rewrite(&lab.url_with_login()).await;
    let pod = lab.begin("```sh\ntest -f one; test -f draft; echo two > two\n```", &NEXT);
    hand(&pod, &commit).await;
    let end = pod.end().await;
    assert!(is_told(&end, "has moved since"), "{:?}", end.records);
    end
}

#[rstest]
#[case::before_the_work("true", "BranchExists")]
#[case::meanwhile("until test -f ../go; do sleep 0.05; done", "PushRejected")]
#[tokio::test]
async fn a_branch_that_somebody_else_has_moved_leaves_the_work_where_it_is_kept(
    #[case] wait: &str,
    #[case] reason: &str,
) {
    let server = Server::start().await;
    let commit = server.head("main").unwrap();
    server::git(&server.repository(), &["update-ref", REFERENCE, "main"]);
    let before = reason == "BranchExists";
    if before {
        server.commit_elsewhere(BRANCH, "theirs");
    }
    let pod = Pod::begin(&server, &format!("```sh\n{wait}; echo x > x\n```"), &NEXT);
    hand(&pod, &commit).await;
    if !before {
        pod.until("the block runs", |entry| matches!(entry, Entry::ToolStarted { .. })).await;
        server.commit_elsewhere(BRANCH, "theirs");
        std::fs::write(pod.0.workspace().join("go"), "").unwrap();
    }
    let theirs = server.head(BRANCH);
    let verdict = pod.end().await.verdict;
    assert_eq!((&*verdict.reason, verdict.outcome), (reason, Outcome::Failed), "{verdict:?}");
    assert!(verdict.message.contains(&format!("refs/fabrica/{UID}/wip")), "{}", verdict.message);
    assert_eq!(server.head(BRANCH), theirs);
    let kept = server::git(&server.repository(), &["rev-parse", REFERENCE]);
    assert_eq!(kept, commit);
}
