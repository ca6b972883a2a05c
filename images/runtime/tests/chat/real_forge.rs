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
    let label = json!({"name": "bot", "color": "#00aabb"});
    ask(gitea, Method::POST, &format!("{repo}/labels"), &label).await;
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

    let text = calls(&[
        ("work__issue_fetch", json!({"issue_number": "1"})),
        ("work__issue_search", json!({"query": "squeaks"})),
        ("work__comment_create", json!({"issue_number": "1", "body": "It is oiled."})),
        ("work__label_add", json!({"issue_number": "1", "labels": ["bot"]})),
        ("work__issue_close", json!({"issue_number": "1"})),
        ("repo__pr_get", json!({"number": 2})),
        ("repo__pr_comment", json!({"number": 2, "body": "Look."})),
    ]);
    let before = answers(&ada).len();
    ada.say("m-1", &text).await;
    ada.text("All was called.").await;
    let expected = [
        "The door squeaks",
        "The door squeaks",
        "The comment is there.",
        "The labels are there.",
        "It is closed.",
        "Oil the door",
        "The comment is there.",
    ];
    let answers = answers(&ada).split_off(before);
    assert_eq!(answers.len(), expected.len(), "{answers:#?}");
    for (answer, expected) in answers.iter().zip(expected) {
        assert!(answer.contains(expected), "{expected}: {answer}");
    }
    let item = ask(&gitea, Method::GET, &format!("{repo}/issues/1"), &Value::Null).await;
    assert_eq!((&item["state"], &item["comments"]), (&json!("closed"), &json!(1)));
    assert_eq!(item["labels"][0]["name"], "bot");
}
