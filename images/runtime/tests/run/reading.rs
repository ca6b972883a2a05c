//! The agent's git reads its own private repository, and nothing else happens through that door.

use crate::claude::{cli, journal, model, run};
use crate::forge::Lab;
use crate::gitea::Gitea;
use crate::pod::{BRANCH, Pod};
use crate::server::{PASSWORD, Server};

/// Fetches what the shallow clone has not, in each way that agents know, and tries what it must not.
const PLAN: &str = r#"
```sh
git fetch -q origin other
git show FETCH_HEAD:README > other
git fetch -q --unshallow
git pull -q origin main
git ls-remote "$(git remote get-url origin)" > refs
```
```sh
echo x > x; git add x; git commit -qm 'Add x'
if git push origin HEAD:refs/heads/evil 2> said; then exit 1; fi
cat said
grep -q 'the runtime pushes it' said
door=$(git config --get-regexp '^url\..*\.insteadof$' | sed 's/^url\.//; s/\.insteadof .*//')
for path in /../secret.git /other.git .git/../../secret.git; do
  if git ls-remote "$door$path" > answer 2>&1; then exit 1; fi
done
origin=$(git config --get-regexp '^url\..*\.insteadof$' | sed 's/^[^ ]* //')
if git ls-remote "${origin%.git}-other.git" > answer 2>&1; then exit 1; fi
rm -f said answer
```
"#;

#[tokio::test]
async fn the_agents_git_reads_the_repository_and_sets_nothing() {
    let server = Server::start().await;
    server.commit_elsewhere("main", "second");
    server.commit_elsewhere("other", "another");
    let end = Pod::run(&server, PLAN, &[]).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{:?} {:?}", end.verdict, end.outputs());
    let file = |name: &str| {
        let shown = format!("{BRANCH}:{name}");
        crate::server::git(&server.repository(), &["show", &shown])
    };
    assert_eq!(file("other"), "another");
    assert!(file("refs").contains("refs/heads/other"), "{}", file("refs"));
    assert_eq!(server.head("evil"), None);
    let journal = end.folder.path().join("workspace/.fabrica/journal-1.ndjson");
    assert!(!std::fs::read_to_string(journal).unwrap().contains(PASSWORD));
}

/// What the agent can read of its own has no login in it.
#[tokio::test]
async fn no_login_is_where_the_agent_can_read_it() {
    let server = Server::start().await;
    let plan =
        "```sh\nenv > ../env; git config --list > ../config; git remote -v >> ../config\n```";
    let end = Pod::run(&server, plan, &[]).await;
    let read = |name: &str| {
        std::fs::read_to_string(end.folder.path().join("workspace").join(name)).unwrap()
    };
    let (env, config) = (read("env"), read("config"));
    assert!(env.contains("GIT_CONFIG_COUNT=2") && config.contains("insteadof"), "{config}");
    assert!(![env, config].iter().any(|text| text.contains(PASSWORD)));
}

#[tokio::test]
async fn the_git_of_claude_code_reads_too() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    server.commit_elsewhere("other", "another");
    let fetch = "git fetch -q origin other && git show FETCH_HEAD:README > other";
    let tool = serde_json::json!({"tools": [{"name": "Bash", "input": {"command": fetch}}]});
    let steps = serde_json::json!([tool, {"text": "It is fetched."}]);
    let end = run(&server, &model, &cli, &format!("```scenario\n{steps}\n```"), &[]).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{}", journal(&end));
    let shown = format!("{BRANCH}:other");
    assert_eq!(crate::server::git(&server.repository(), &["show", &shown]), "another");
}

#[tokio::test]
async fn a_private_repository_of_a_real_gitea_is_read() {
    let Some(gitea) = Gitea::start().await else { return };
    let lab = Lab::private_gitea(&gitea, "private").await;
    let plan = "```sh\ngit fetch -q origin main && git log -1 --format=%s FETCH_HEAD > seen\nif git push -q origin HEAD:refs/heads/evil; then exit 1; fi\n```";
    let end = lab.begin(plan, &[]).end().await;
    assert_eq!(end.verdict.reason, "Succeeded", "{:?} {:?}", end.verdict, end.outputs());
    let refs = format!("{}/info/refs?service=git-upload-pack", lab.url);
    let stranger = reqwest::get(refs).await.unwrap();
    assert_eq!(stranger.status(), 401, "nobody reads it without a login");
    let asked = ["ls-remote", "--heads", &lab.url_with_login()];
    let heads = crate::server::git_beside(end.folder.path(), &asked).await;
    assert!(!heads.contains("evil") && heads.contains(BRANCH), "{heads}");
}
