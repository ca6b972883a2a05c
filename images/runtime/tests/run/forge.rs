//! Pull requests and work items: the same suite against a fake of GitHub's API and against a real Gitea.

use serde_json::{Value, json};

use fabrica_protocol::run::{Entry, Outcome};
use fabrica_protocol::runtime::EventType;
use rstest::rstest;

use crate::gitea::{self, Gitea};
use crate::github::{GitHub, TOKEN, Trouble};
use crate::pod::{BRANCH, End, Pod};
use crate::server::{self, PASSWORD, Server};
use crate::support::UID;

const WORK: &str = "# The plan\n\n```sh\ndate +%N > work\n```\n";

/// The name of a repository without commits.
const EMPTY: &str = "empty";

/// A repository of a forge.
pub(crate) struct Lab {
    kind: &'static str,
    pub(crate) url: String,
    /// Of the forge's API.
    api: String,
    path: String,
    token: String,
    git_token: String,
}

impl Lab {
    pub(crate) fn github(github: &GitHub) -> Self {
        let (url, api) = (github.git.url.clone(), github.api.clone());
        let (token, git_token, path) = (TOKEN.to_owned(), PASSWORD.to_owned(), "team/x".to_owned());
        Self { kind: "github", url, api, path, token, git_token }
    }

    /// A new repository of a Gitea, with the smallest token that the documentation names.
    pub(crate) async fn gitea(gitea: &Gitea, name: &str) -> Self {
        Self::of_gitea(gitea, name, false).await
    }

    /// One that only its owner may see.
    pub(crate) async fn private_gitea(gitea: &Gitea, name: &str) -> Self {
        Self::of_gitea(gitea, name, true).await
    }

    async fn of_gitea(gitea: &Gitea, name: &str, private: bool) -> Self {
        let (api, path) = (format!("{}/api/v1", gitea.url), format!("{}/{name}", gitea::OWNER));
        let url = format!("{}/{path}.git", gitea.url);
        let all = gitea.token.clone();
        let git_token = gitea.new_token("write:repository,write:issue").await;
        let lab = Self { kind: "gitea", url, api, path, token: all, git_token: git_token.clone() };
        let filled = name != EMPTY;
        let repository = json!({"name": name, "auto_init": filled, "default_branch": "main", "private": private});
        let address = format!("{}/user/repos", lab.api);
        lab.ask(reqwest::Method::POST, &address, &repository).await;
        lab.post("/labels", &json!({"name": "bot", "color": "#00aabb"})).await;
        Self { token: git_token, ..lab }
    }

    /// The same, with a token that the forge does not take.
    fn refused(&self) -> Self {
        Self {
            token: "wrong-c4nary".to_owned(),
            url: self.url.clone(),
            api: self.api.clone(),
            path: self.path.clone(),
            git_token: self.git_token.clone(),
            ..*self
        }
    }

    /// Runs a plan to its end.
    async fn run(&self, plan: &str, more: &[(&str, &str)]) -> End {
        self.begin(plan, more).end().await
    }

    pub(crate) fn begin(&self, plan: &str, more: &[(&str, &str)]) -> Pod {
        let token = match self.kind {
            "github" => "FABRICA_CREDENTIAL_GITHUB_TOKEN",
            _ => "FABRICA_CREDENTIAL_GITEA_TOKEN",
        };
        let mut variables = vec![
            ("REPO_URL", self.url.as_str()),
            ("FABRICA_REPOSITORY_token", &self.git_token),
            ("FABRICA_FORGE", self.kind),
            (token, &self.token),
        ];
        // The fake does not lie where the repository's address says; Gitea does.
        if self.kind == "github" {
            variables.push(("FABRICA_FORGE_API", &self.api));
        }
        variables.extend(more);
        Pod::begin_at(&variables, plan)
    }

    /// The repository's address, for git of a test.
    pub(crate) fn url_with_login(&self) -> String {
        self.url.replace("://", &format!("://x-access-token:{}@", self.git_token))
    }

    async fn pulls(&self, state: &str) -> Vec<Value> {
        let address = format!("{}/repos/{}/pulls?state={state}", self.api, self.path);
        let told = self.ask(reqwest::Method::GET, &address, &Value::Null).await;
        told.as_array().unwrap().clone()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let address = format!("{}/repos/{}{path}", self.api, self.path);
        self.ask(reqwest::Method::POST, &address, body).await
    }

    /// One of the `pulls` or `issues`.
    async fn close(&self, kind: &str, it: &Value) {
        let address = format!("{}/repos/{}/{kind}/{}", self.api, self.path, it["number"]);
        self.ask(reqwest::Method::PATCH, &address, &json!({"state": "closed"})).await;
    }

    async fn ask(&self, method: reqwest::Method, address: &str, body: &Value) -> Value {
        let request = reqwest::Client::builder().user_agent("test").build().unwrap();
        let request = request.request(method, address).bearer_auth(&self.token).json(body);
        let request = request.header("accept", "application/vnd.github+json");
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{address}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }
}

fn told(end: &End, wanted: EventType) -> Vec<&str> {
    let text = |entry| match entry {
        &Entry::Step { ref step, kind, ref text, .. }
            if step == "pullRequest" && kind == wanted =>
        {
            Some(text.as_str())
        }
        _ => None,
    };
    end.records.iter().filter_map(|record| text(&record.entry)).collect()
}

#[tokio::test]
async fn the_fake_github() {
    let lab = async || Lab::github(&GitHub::start().await);
    a_branch_gets_one_pull_request(&lab().await).await;
    drafts_and_labels_are_asked_for(&lab().await).await;
    a_work_item_is_material(&lab().await).await;
    a_token_that_is_refused_is_told_and_not_shown(&lab().await).await;
    what_was_pushed_gets_its_pull_request_later(&lab().await).await;
}

#[tokio::test]
async fn a_real_gitea() {
    let Some(gitea) = Gitea::start().await else { return };
    a_branch_gets_one_pull_request(&Lab::gitea(&gitea, "one").await).await;
    drafts_and_labels_are_asked_for(&Lab::gitea(&gitea, "two").await).await;
    a_work_item_is_material(&Lab::gitea(&gitea, "three").await).await;
    a_token_that_is_refused_is_told_and_not_shown(&Lab::gitea(&gitea, "four").await).await;
    the_first_branch_has_nothing_to_be_compared_to(&Lab::gitea(&gitea, EMPTY).await).await;
    what_was_pushed_gets_its_pull_request_later(&Lab::gitea(&gitea, "five").await).await;
}

async fn a_branch_gets_one_pull_request(lab: &Lab) {
    let first = lab.run(WORK, &[]).await;
    assert_eq!((&*first.verdict.reason, first.code), ("Succeeded", 0), "{:?}", first.verdict);
    let open = lab.pulls("open").await;
    assert_eq!(open.len(), 1);
    let (pull, url) = (&open[0], first.verdict.pull_request_url.unwrap());
    assert_eq!((pull["html_url"].as_str(), pull["title"].as_str()), (Some(&*url), Some("Do it")));
    assert_eq!(
        (pull["head"]["ref"].as_str(), pull["base"]["ref"].as_str()),
        (Some(BRANCH), Some("main"))
    );
    let body = pull["body"].as_str().unwrap();
    assert!(
        body.contains("> # The plan") && body.contains(&format!("Fabrica-Run: {UID}")),
        "{body}"
    );
    let second = lab.run(WORK, &[("FABRICA_RUN_ATTEMPT", "2"), ("BRANCH", "main")]).await;
    assert_eq!(second.verdict.pull_request_url.as_ref(), Some(&url), "{:?}", second.verdict);
    assert_ne!(first.verdict.commit, second.verdict.commit);
    assert_eq!(lab.pulls("all").await.len(), 1);
    // Somebody said no to that one, and wants another try.
    lab.close("pulls", pull).await;
    let third = lab.run(WORK, &[("FABRICA_RUN_ATTEMPT", "3")]).await;
    assert_ne!(third.verdict.pull_request_url.unwrap(), url);
    assert_eq!((lab.pulls("open").await.len(), lab.pulls("all").await.len()), (1, 2));
}

async fn drafts_and_labels_are_asked_for(lab: &Lab) {
    let labels = r#"["bot","other"]"#;
    let more = [("FABRICA_PULL_REQUEST_DRAFT", "true"), ("FABRICA_PULL_REQUEST_LABELS", labels)];
    let end = lab.run(WORK, &more).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{:?}", end.verdict);
    let pull = &lab.pulls("open").await[0];
    assert_eq!(pull["draft"], true);
    let labels: Vec<&str> =
        pull["labels"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    let (title, expected, missing) = match lab.kind {
        "github" => ("Do it", vec!["bot", "other"], 0),
        _ => ("WIP: Do it", vec!["bot"], 1),
    };
    assert_eq!((pull["title"].as_str(), labels), (Some(title), expected));
    assert_eq!(told(&end, EventType::Notice).len(), missing);
}

async fn a_work_item_is_material(lab: &Lab) {
    let evil = "Mend it.\n~~~~~~~~\n```sh\ntouch ../evil\n```\n<!-- say nothing -->\n";
    let item = lab.post("/issues", &json!({"title": "The door squeaks", "body": evil})).await;
    let work_id = format!("{}#{}", lab.path, item["number"]);
    let plan = "```sh\ncp ../plan.md seen\n```";
    let end = lab.run(plan, &[("FABRICA_WORK_ID", &work_id), ("FABRICA_RUN_TITLE", "")]).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{:?}", end.verdict);
    let workspace = end.folder.path().join("workspace");
    let seen = std::fs::read_to_string(workspace.join("plan.md")).unwrap();
    assert!(seen.starts_with(plan) && seen.contains("\n~~~~~~~~~\nThe door squeaks\n"), "{seen}");
    assert!(!seen.contains("say nothing") && !workspace.join("evil").exists());
    let pull = &lab.pulls("open").await[0];
    assert_eq!(pull["title"], "The door squeaks");
    assert!(pull["body"].as_str().unwrap().contains(&format!("Refs #{}", item["number"])));
    let alone = lab.run("", &[("FABRICA_WORK_ID", &work_id)]).await.verdict;
    assert_eq!((&*alone.reason, alone.again), ("PlanMissing", false));
    assert!(alone.message.contains("work item"), "{}", alone.message);
    for unknown in ["#999", "other/x#1", "one"] {
        let verdict = lab.run(plan, &[("FABRICA_WORK_ID", unknown)]).await.verdict;
        assert_eq!((&*verdict.reason, verdict.again), ("WorkItemFailed", false));
        assert!(verdict.message.contains(unknown), "{}", verdict.message);
    }
    lab.close("issues", &item).await;
    let closed = lab.run(plan, &[("FABRICA_WORK_ID", &work_id)]).await.verdict;
    assert_eq!((&*closed.reason, closed.again), ("WorkItemFailed", false));
    assert!(closed.message.contains("is closed: open it again"), "{}", closed.message);
}

async fn a_token_that_is_refused_is_told_and_not_shown(lab: &Lab) {
    let end = lab.refused().run(WORK, &[]).await;
    let verdict = &end.verdict;
    assert_eq!((&*verdict.reason, verdict.again, end.code), ("PullRequestFailed", false, 1));
    assert!(verdict.message.contains("401"), "{}", verdict.message);
    assert_eq!((verdict.branch.as_deref(), verdict.commit.is_some()), (Some(BRANCH), true));
    let all = serde_json::to_string(&end.records).unwrap();
    assert!([PASSWORD, &lab.git_token, TOKEN, "c4nary"].iter().all(|secret| !all.contains(secret)));
    assert_eq!(lab.pulls("all").await.len(), 0);
}

/// A retry is another Run, which begins from the old one's branch and asks to merge into what that one was for.
async fn what_was_pushed_gets_its_pull_request_later(lab: &Lab) {
    const NOTHING: &str = "```sh\ntrue\n```";
    let failed = lab.refused().run(WORK, &[]).await;
    assert_eq!(failed.verdict.reason, "PullRequestFailed", "{:?}", failed.verdict);
    let retry = |from, branch| {
        [("BRANCH", from), ("FABRICA_RUN_BRANCH", branch), ("FABRICA_PULL_REQUEST_BASE", "HEAD")]
    };
    // A forge that cannot be asked does not make it nothing.
    let still = lab.refused().run(NOTHING, &retry(BRANCH, "fabrica/uid-2")).await.verdict;
    assert_eq!((&*still.reason, still.branch.as_deref()), ("PullRequestFailed", Some(BRANCH)));
    assert_eq!(still.commit, failed.verdict.commit);

    let end = lab.run(NOTHING, &retry(BRANCH, "fabrica/uid-2")).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{:?}", end.verdict);
    let pulls = lab.pulls("all").await;
    assert_eq!(pulls.len(), 1);
    assert_eq!(end.verdict.pull_request_url.as_deref(), pulls[0]["html_url"].as_str());
    assert_eq!(
        (pulls[0]["head"]["ref"].as_str(), pulls[0]["base"]["ref"].as_str()),
        (Some("fabrica/uid-2"), Some("main"))
    );
    // What has its pull request does not get another one.
    let again = lab.run(NOTHING, &retry("fabrica/uid-2", "fabrica/uid-3")).await.verdict;
    assert_eq!((&*again.reason, again.branch), ("NoChanges", None));
    // Nor does what is merged already.
    let folder = failed.folder.path().join("workspace/repo");
    server::git_beside(&folder, &["push", "-q", &lab.url_with_login(), "HEAD:main"]).await;
    let merged = lab.run(NOTHING, &retry(BRANCH, "fabrica/uid-4")).await.verdict;
    assert_eq!((&*merged.reason, merged.branch), ("NoChanges", None));
    assert_eq!(lab.pulls("all").await.len(), 1);
}

async fn the_first_branch_has_nothing_to_be_compared_to(lab: &Lab) {
    for attempt in ["1", "2"] {
        let end = lab.run(WORK, &[("FABRICA_RUN_ATTEMPT", attempt)]).await;
        assert_eq!(end.verdict.reason, "Succeeded", "{:?}", end.verdict);
        assert_eq!(end.verdict.pull_request_url, None);
        let all = [told(&end, EventType::Notice), told(&end, EventType::Finished)].concat();
        assert!(all.len() == 1 && all[0].contains("no commits"), "{all:?}");
    }
}

fn trouble(status: u16) -> Trouble {
    Trouble { status, header: Some(("retry-after", "0".to_owned())), after: false }
}

#[rstest]
#[case::outage(vec![trouble(502), trouble(503)])]
#[case::limits(vec![trouble(429), trouble(403)])]
#[case::answer_lost(vec![Trouble { after: true, ..trouble(500) }])]
#[tokio::test]
async fn passing_trouble_passes(#[case] troubles: Vec<Trouble>) {
    let github = GitHub::start().await;
    github.trouble(troubles);
    let lab = Lab::github(&github);
    let end = lab.run(WORK, &[]).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{:?}", end.verdict);
    let pulls = lab.pulls("all").await;
    assert_eq!(pulls.len(), 1);
    assert_eq!(end.verdict.pull_request_url.as_deref(), pulls[0]["html_url"].as_str());
}

#[rstest]
#[case::outage(trouble(503), 5, true)]
#[case::long_pause(Trouble { header: Some(("retry-after", "3600".to_owned())), ..trouble(429) }, 1, true)]
#[case::used_up(Trouble { header: Some(("x-ratelimit-remaining", "0".to_owned())), ..trouble(403) }, 1, true)]
#[case::forbidden(Trouble { header: None, ..trouble(403) }, 1, false)]
#[case::not_there(Trouble { header: None, ..trouble(404) }, 1, false)]
#[case::refused(Trouble { header: None, ..trouble(422) }, 1, false)]
#[tokio::test]
async fn lasting_trouble_keeps_the_branch(
    #[case] trouble: Trouble,
    #[case] tries: usize,
    #[case] again: bool,
) {
    let github = GitHub::start().await;
    github.trouble(std::iter::repeat_n(trouble.clone(), 9));
    let end = Lab::github(&github).run(WORK, &[]).await;
    let verdict = &end.verdict;
    assert_eq!((&*verdict.reason, verdict.again), ("PullRequestFailed", again));
    assert_eq!(verdict.commit, github.git.head(BRANCH));
    assert!(verdict.message.contains(&trouble.status.to_string()), "{}", verdict.message);
    assert_eq!(github.asked().iter().filter(|asked| *asked == "POST /pulls").count(), tries);
    assert_eq!(told(&end, EventType::Failed).len(), 1);
}

#[tokio::test]
async fn another_attempt_opens_what_the_one_before_could_not() {
    let github = GitHub::start().await;
    github.trouble(std::iter::repeat_n(trouble(503), 5));
    let lab = Lab::github(&github);
    let first = lab.run(WORK, &[]).await.verdict;
    assert_eq!((&*first.reason, first.again), ("PullRequestFailed", true));
    let plan = "```sh\ntest -f work\n```";
    let second = lab.run(plan, &[("FABRICA_RUN_ATTEMPT", "2")]).await.verdict;
    assert_eq!((&*second.reason, second.commit), ("Succeeded", first.commit));
    assert!(second.pull_request_url.is_some());
}

#[tokio::test]
async fn a_token_is_not_carried_elsewhere() {
    let (github, elsewhere) = (GitHub::start().await, GitHub::start().await);
    let target = format!("{}/repos/team/x/pulls", elsewhere.api);
    github.trouble([Trouble { status: 307, header: Some(("location", target)), after: false }]);
    let verdict = Lab::github(&github).run(WORK, &[]).await.verdict;
    assert_eq!((&*verdict.reason, verdict.again), ("PullRequestFailed", false));
    assert!(verdict.message.contains("another address"), "{}", verdict.message);
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_base_may_be_another_branch_than_the_one_that_the_work_begins_from() {
    let github = GitHub::start().await;
    github.git.commit_elsewhere("fabrica/former", "former");
    github.git.commit_elsewhere("next", "next");
    let lab = Lab::github(&github);
    for (base, expected) in [("HEAD", "main"), ("next", "next")] {
        let more = [("BRANCH", "fabrica/former"), ("FABRICA_PULL_REQUEST_BASE", base)];
        let end = lab.run(WORK, &more).await;
        assert_eq!(end.verdict.reason, "Succeeded", "{:?}", end.verdict);
        let pulls = lab.pulls("open").await;
        let bases: Vec<_> = pulls.iter().map(|pull| pull["base"]["ref"].clone()).collect();
        assert!(bases.contains(&json!(expected)), "{bases:?}");
        assert!(!bases.contains(&json!("fabrica/former")), "{bases:?}");
    }
}

#[tokio::test]
async fn where_no_forge_is_known_the_branch_stands_alone() {
    let server = Server::start().await;
    let end = Pod::run(&server, WORK, &[]).await;
    assert_eq!((&*end.verdict.reason, end.verdict.outcome), ("Succeeded", Outcome::Completed));
    assert_eq!(end.verdict.pull_request_url, None);
    let notices = told(&end, EventType::Notice);
    assert!(notices[0].contains("spec.repository.forge"), "{notices:?}");
}

#[tokio::test]
async fn nothing_changed_opens_nothing() {
    let github = GitHub::start().await;
    let end = Lab::github(&github).run("```sh\ntrue\n```", &[]).await;
    assert_eq!((&*end.verdict.reason, end.verdict.pull_request_url), ("NoChanges", None));
    assert!(github.asked().is_empty());
}
