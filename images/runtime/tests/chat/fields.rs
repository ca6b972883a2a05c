//! What the tools may be given, as the test calls them by itself.

use fabrica_protocol::assertion::Role;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::actor::{call, program};
use crate::faber::{begin, forge};
use crate::github::{GitHub, TOKEN};
use crate::pod::{BRANCH, Pod, model};
use crate::server::git;

const ALONE: [(&str, &str); 2] =
    [("FABRICA_CHAT_WORKFLOW", "none"), ("FABRICA_CHAT_AUTONOMY", "autonomous")];

struct Scene {
    github: GitHub,
    pod: Pod,
    _program: TempDir,
    _model: fabrica_model_api::ModelApi,
}

impl Scene {
    async fn begin(more: &[(&str, &str)]) -> Self {
        let (folder, cli) = program(":");
        let (github, model) = (forge("chat").await, model().await);
        let pod = begin(&github, &model, &cli, &[&ALONE, more].concat()).await;
        Self { github, pod, _program: folder, _model: model }
    }

    /// Calls a tool; its answer holds this.
    async fn expect(&self, server: &str, tool: &str, input: Value, expected: &str) {
        let told = input.to_string();
        let answer = call(&self.pod, server, tool, input).await;
        assert!(answer.contains(expected), "{tool} {told}: {expected}: {answer}");
    }

    async fn repo(&self, tool: &str, input: Value, expected: &str) {
        self.expect("fractary-repo", tool, input, expected).await;
    }

    async fn work(&self, tool: &str, input: Value, expected: &str) {
        self.expect("fractary-work", tool, input, expected).await;
    }

    /// What the forge has.
    async fn get(&self, path: &str) -> Value {
        self.ask(reqwest::Method::GET, path, &Value::Null).await
    }

    async fn ask(&self, method: reqwest::Method, path: &str, body: &Value) -> Value {
        let client = reqwest::Client::builder().user_agent("test").build().unwrap();
        let asked = client.request(method, format!("{}/repos/team/x{path}", self.github.api));
        let asked = asked.bearer_auth(TOKEN).header("accept", "application/vnd.github+json");
        asked.json(body).send().await.unwrap().json().await.unwrap()
    }

    fn write(&self, name: &str) {
        std::fs::write(self.folder().join(name), name).unwrap();
    }

    fn folder(&self) -> std::path::PathBuf {
        self.pod.0.workspace().join("repo")
    }
}

#[tokio::test]
async fn a_commit_says_what_kind_of_change_it_is() {
    let scene = Scene::begin(&[]).await;
    scene.write("door");
    let words = json!({"message": "oil the door", "type": "fix", "scope": "door", "breaking": true, "body": "It squeaks.", "work_id": "1"});
    scene.repo("commit", words, "Committed as ").await;
    let said = git(&scene.folder(), &["log", "-1", "--format=%B"]);
    assert_eq!(said, "fix(door)!: oil the door\n\nIt squeaks.\n\nRefs: #1");
    scene.write("more");
    scene.repo("commit", json!({"message": "m", "type": "feature"}), "expected one of").await;
    scene.repo("commit", json!({"message": "m", "scope": "door"}), "name one as well").await;
    scene.repo("commit", json!({"message": " "}), "message is empty").await;
    scene.repo("commit", json!({"message": "m", "amend": true}), "unknown field `amend`").await;
    let first = git(&scene.folder(), &["rev-parse", "HEAD~1"]);
    let aside = json!({"name": "aside", "base_branch": "HEAD~1"});
    scene.repo("branch", aside, "On the branch aside.").await;
    assert_eq!(git(&scene.folder(), &["rev-parse", "HEAD"]), first);
    let again = json!({"name": BRANCH, "base_branch": "aside"});
    scene.repo("branch", again, "leave base_branch out").await;
    let nowhere = json!({"name": "new", "base_branch": "nowhere"});
    scene.repo("branch", nowhere, "nowhere").await;
    scene.repo("branch", json!({"name": "new", "base_branch": "--x"}), "base_branch is").await;
}

#[tokio::test]
async fn a_push_and_a_pull_request_are_those_of_the_sessions_own_branch() {
    let scene = Scene::begin(&[]).await;
    scene.github.git.commit_elsewhere("next", "next");
    scene.write("door");
    scene.repo("commit", json!({"message": "Oil the door"}), "Committed as ").await;
    for (field, value) in [
        ("branch", json!("main")),
        ("remote", json!("upstream")),
        ("force", json!(true)),
        ("set_upstream", json!(true)),
    ] {
        scene.repo("push", json!({field: value}), &format!("leave {field} out.")).await;
    }
    let pull = |field: &str, value: Value| {
        let mut pull = json!({"title": "Oil the door", "body": "It squeaks."});
        pull[field] = value;
        pull
    };
    scene.repo("pr_create", pull("head", json!("main")), "Refused: only this Session's own").await;
    let fork = json!(format!("eve:{BRANCH}"));
    scene.repo("pr_create", pull("head", fork), "Refused: only this Session's own").await;
    scene.repo("pr_create", pull("base", json!("..")), "The repository has no branch ..").await;
    scene.repo("pr_create", pull("base", json!(BRANCH)), "base is the name of another").await;
    let nowhere = "The repository has no branch no/where to merge into";
    scene.repo("pr_create", pull("base", json!("no/where")), nowhere).await;
    assert_eq!(scene.github.git.head(BRANCH), None, "nothing was pushed");

    let own = json!({"branch": BRANCH, "remote": "origin", "force": false});
    scene.repo("push", own, "The remote's branch fabrica/uid-1 is at ").await;
    let mut draft = pull("base", json!("next"));
    draft["draft"] = json!(true);
    draft["head"] = json!(format!("team:{BRANCH}"));
    scene.repo("pr_create", draft, "The pull request is ").await;
    scene.repo("pr_create", pull("draft", json!(false)), "The pull request is ").await;
    let [first, second] = [scene.get("/pulls/2").await, scene.get("/pulls/3").await];
    assert_eq!((&first["base"]["ref"], &first["draft"]), (&json!("next"), &json!(true)));
    assert_eq!((&second["base"]["ref"], &second["draft"]), (&json!("main"), &json!(false)));
}

#[tokio::test]
async fn labels_come_and_go() {
    let scene = Scene::begin(&[]).await;
    let labels = |names: &[&str]| json!({"issue_number": "1", "labels": names});
    scene.work("label_add", labels(&["bot", "good first"]), "The labels are there.").await;
    scene.work("label_list", json!({"issue_number": "#1"}), "good first").await;
    scene.work("label_remove", labels(&["good first", "old"]), "it never had old.").await;
    assert_eq!(scene.get("/issues/1").await["labels"], json!([{"name": "bot"}]));
    scene.work("label_remove", labels(&["bot"]), "The labels are gone.").await;
    scene.work("label_set", labels(&["a", "b"]), "The labels are there.").await;
    scene.work("label_set", labels(&["b"]), "The labels are there.").await;
    assert_eq!(scene.get("/issues/1").await["labels"], json!([{"name": "b"}]));
    scene.work("label_set", labels(&[]), "The labels are there.").await;
    scene.work("label_list", json!({"issue_number": "1"}), "[]").await;
    scene.work("label_add", labels(&[]), "name one at least").await;
    scene.work("label_add", labels(&["a,b"]), "without commas").await;
    scene.ask(reqwest::Method::POST, "/labels", &json!({"name": "known"})).await;
    scene.work("label_list", json!({}), "\"name\": \"known\"").await;
}

#[tokio::test]
async fn issues_are_found_closed_and_talked_about() {
    let scene = Scene::begin(&[]).await;
    let issue = |more: Value| {
        let mut issue = json!({"issue_number": "1"});
        issue.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        issue
    };
    scene.work("label_add", issue(json!({"labels": ["bot"]})), "are there").await;
    scene.work("issue_search", json!({"labels": ["bot"], "state": "open"}), "squeaks").await;
    scene.work("issue_search", json!({"labels": ["other"]}), "[]").await;
    scene.work("issue_search", json!({"assignee": "ada"}), "[]").await;
    scene.work("issue_search", json!({"limit": 51}), "limit is 1 to 50.").await;
    scene.work("issue_search", json!({"state": "shut"}), "expected one of").await;
    let close = issue(json!({"comment": "It is quiet.", "reason": "completed"}));
    scene.work("issue_close", close, "It is closed.").await;
    let closed = scene.get("/issues/1").await;
    assert_eq!(
        (&closed["state"], &closed["state_reason"]),
        (&json!("closed"), &json!("completed"))
    );
    scene.work("issue_search", json!({"query": "door", "state": "open"}), "[]").await;
    scene.work("issue_search", json!({"query": "door"}), "squeaks").await;
    scene.work("issue_reopen", issue(json!({"comment": "It is not."})), "It is open.").await;
    scene.work("issue_reopen", issue(json!({"comment": " "})), "The comment is empty").await;
    let said = issue(json!({"body": "Oil it.", "faber_context": "architect"}));
    scene.work("comment_create", said, "The comment is there.").await;
    let newest = issue(json!({"limit": 1}));
    scene.work("comment_list", newest, "Oil it.\\n\\n_FABER: architect_").await;
    scene.work("comment_list", issue(json!({"since": "yesterday"})), "since is a time").await;
    // More than stands on one page of the forge's.
    for number in 0..250 {
        let said = json!({"body": format!("Again, {number}.")});
        scene.ask(reqwest::Method::POST, "/issues/1/comments", &said).await;
    }
    let listed =
        call(&scene.pod, "fractary-work", "comment_list", issue(json!({"limit": 2}))).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let said: Vec<&Value> = listed.as_array().unwrap().iter().map(|it| &it["body"]).collect();
    assert_eq!(said, ["Again, 249.", "Again, 248."]);
}

#[tokio::test]
async fn an_agent_tells_what_came_of_a_phase_and_that_nothing_was_to_do() {
    let scene = Scene::begin(&[("FABRICA_CHAT_WORKFLOW", "faber")]).await;
    let mut ada = scene.pod.talk("ada", Role::View, json!({})).await;
    ada.until("the workflow", |it| it["type"] == "workflow_started").await;
    let faber = async |tool: &str, input: Value, expected: &str| {
        scene.expect("fractary-faber", tool, input, expected).await;
    };
    let half = json!({"message": "Half of it is oiled.", "percent": 50});
    faber("report_progress", half, "Noted.").await;
    ada.text("Half of it is oiled. (50 %)").await;
    faber("report_progress", json!({"message": "m", "percent": 101}), "percent is 0 to 100").await;
    let spec = json!([{"type": "spec", "path": "docs/door.md"}]);
    let phase =
        json!({"phase": "frame", "status": "started", "message": "Read.", "artifacts": spec});
    faber("set_phase", phase, "Noted.").await;
    let is_it = |it: &Value| it["type"] == "phase_update";
    let update = ada.until("the phase", is_it).await;
    assert_eq!(update["message"], "Read.\nspec: docs/door.md", "{update}");

    let nothing = json!({"outcome": "nothing_to_do", "summary": "It is oiled already."});
    scene.write("door");
    faber("complete", nothing.clone(), "Something has changed").await;
    scene.repo("commit", json!({"message": "Oil the door"}), "Committed as ").await;
    faber("complete", nothing.clone(), "Something has changed").await;
    git(&scene.folder(), &["reset", "-q", "--hard", "HEAD~1"]);
    faber("complete", nothing, "Noted: the workflow has ended.").await;
    let complete = ada.until("the end", |it| it["type"] == "workflow_complete").await;
    assert_eq!(
        (&complete["exitCode"], &complete["summary"]),
        (&json!(0), &json!("It is oiled already."))
    );
    assert_eq!(scene.github.git.head(BRANCH), None);
}
