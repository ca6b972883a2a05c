//! The same against a real Gitea, where FABRICA_TEST_GITEA names its program.

use reqwest::Method;
use serde_json::{Value, json};

use crate::gitea::{Gitea, OWNER};
use crate::pod::{Pod, cli, model};
use crate::server::Server;
use crate::tools::{answers, calls};

async fn ask(gitea: &Gitea, method: Method, path: &str, body: &Value) -> Value {
    let request = reqwest::Client::new().request(method, format!("{}/api/v1{path}", gitea.url));
    let answer = request.bearer_auth(&gitea.token).json(body).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap()
}

/// With a label, and an item that names a scenario; its path in the API.
async fn repository(gitea: &Gitea) -> String {
    let repository = json!({"name": "x", "auto_init": true, "default_branch": "main"});
    ask(gitea, Method::POST, "/user/repos", &repository).await;
    let repo = format!("/repos/{OWNER}/x");
    for name in ["bot", "good first"] {
        let label = json!({"name": name, "color": "#00aabb"});
        ask(gitea, Method::POST, &format!("{repo}/labels"), &label).await;
    }
    let branch = json!({"new_branch_name": "next"});
    ask(gitea, Method::POST, &format!("{repo}/branches"), &branch).await;
    let item = json!({"title": "The door squeaks", "body": "Please.\n\nscenario: faber\n"});
    ask(gitea, Method::POST, &format!("{repo}/issues"), &item).await;
    repo
}

#[tokio::test]
async fn an_autonomous_agent_releases_on_a_real_gitea() {
    let (Some(cli), Some(gitea)) = (cli(), Gitea::start().await) else { return };
    let model = model().await;
    let repo = repository(&gitea).await;
    let url = format!("{}/{OWNER}/x.git", gitea.url);
    let token = gitea.new_token("write:repository,write:issue").await;
    let more = [
        ("REPO_URL", url.as_str()),
        ("FABRICA_REPOSITORY_token", &token),
        ("FABRICA_CREDENTIAL_GITEA_TOKEN", &token),
        ("FABRICA_FORGE", "gitea"),
        ("FABRICA_WORK_ID", "1"),
        ("FABRICA_CHAT_WORKFLOW", "faber"),
        ("FABRICA_CHAT_AUTONOMY", "autonomous"),
    ];
    let pod = Pod::begin(&Server::start().await, &model, &cli, &more).await;
    let mut ada = pod.talk_answering("ada").await;
    let question = ada.until("a question", |it| it["type"] == "question").await;
    let id = &question["questionId"];
    ada.send(&json!({"type": "answer", "questionId": id, "text": "olive"})).await;
    let complete = ada.until("the end", |it| it["type"] == "workflow_complete").await;
    assert_eq!(complete["exitCode"], 0, "{complete}");
    assert!(ada.all.iter().all(|it| it["kind"] != "approval"));
    let pull = ask(&gitea, Method::GET, &format!("{repo}/pulls/2"), &Value::Null).await;
    assert_eq!((&pull["html_url"], &pull["title"]), (&complete["prUrl"], &json!("Oil the door")));
    assert!(pull["body"].as_str().unwrap().contains("Refs #1"));
    ada.text("The pull request is open.").await;

    let (asked, expected): (Vec<_>, Vec<_>) = reached().into_iter().unzip();
    let before = answers(&ada).len();
    ada.say("m-1", &calls(&asked)).await;
    ada.text("All was called.").await;
    let answers = answers(&ada).split_off(before);
    assert_eq!(answers.len(), expected.len(), "{answers:#?}");
    for (answer, expected) in answers.iter().zip(expected) {
        assert!(answer.contains(expected), "{expected}: {answer}");
    }
    let item = ask(&gitea, Method::GET, &format!("{repo}/issues/1"), &Value::Null).await;
    assert_eq!((&item["state"], &item["comments"]), (&json!("closed"), &json!(2)));
    let labels: Vec<&Value> =
        item["labels"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(labels, ["good first"]);
    let pull = ask(&gitea, Method::GET, &format!("{repo}/pulls/3"), &Value::Null).await;
    let (base, draft) = (&pull["base"]["ref"], &pull["draft"]);
    assert_eq!(
        (base, draft, &pull["title"]),
        (&json!("next"), &json!(true), &json!("WIP: Oil it"))
    );
}

/// Calls in a row, each with what its answer holds.
fn reached() -> Vec<((&'static str, Value), &'static str)> {
    let labels = |names: &[&str]| json!({"issue_number": "1", "labels": names});
    vec![
        (("work__issue_fetch", json!({"issue_number": "1"})), "The door squeaks"),
        (("work__issue_search", json!({"query": "squeaks"})), "The door squeaks"),
        (
            ("work__comment_create", json!({"issue_number": "1", "body": "It is oiled."})),
            "The comment is there.",
        ),
        (("work__comment_list", json!({"issue_number": "1", "limit": 1})), "It is oiled."),
        (("work__label_list", json!({})), "good first"),
        (("work__label_add", labels(&["bot", "good first"])), "The labels are there."),
        (("work__label_add", labels(&["unknown"])), "no label unknown"),
        (("work__label_list", json!({"issue_number": "1"})), "good first"),
        (("work__issue_search", json!({"labels": ["good first", "bot"]})), "The door squeaks"),
        (("work__issue_search", json!({"labels": ["bot", "unknown"]})), "[]"),
        (("work__issue_search", json!({"labels": ["bot"], "state": "closed"})), "[]"),
        (("work__issue_search", json!({"query": "squeaks", "assignee": "team"})), "[]"),
        (("work__label_remove", labels(&["bot", "unknown"])), "it never had unknown."),
        (("work__label_set", labels(&["bot"])), "The labels are there."),
        (("work__label_set", labels(&["good first"])), "The labels are there."),
        (
            ("work__issue_close", json!({"issue_number": "1", "reason": "completed"})),
            "This forge keeps no reason",
        ),
        (
            ("work__issue_close", json!({"issue_number": "1", "comment": "It is quiet."})),
            "It is closed.",
        ),
        (("repo__pr_get", json!({"number": 2})), "Oil the door"),
        (("repo__pr_comment", json!({"number": 2, "body": "Look."})), "The comment is there."),
        (
            ("repo__pr_create", json!({"title": "Oil it", "base": "no/where"})),
            "The repository has no branch no/where to merge into",
        ),
        (
            ("repo__pr_create", json!({"title": "Oil it", "base": "next", "draft": true})),
            "/pulls/3.",
        ),
    ]
}
