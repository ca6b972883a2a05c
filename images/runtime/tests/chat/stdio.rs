//! The servers of tools over stdio: a real process with real pipes, which has no more to say than the door behind it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::actor::{program, text};
use crate::faber::{begin, forge};
use crate::mcp::{Client, Stdio, Way, file, initialize, request};
use crate::pod::{Pod, model};
use crate::support::{eventually, folder};

const SERVERS: [&str; 4] =
    ["fractary-faber", "fractary-repo", "fractary-work", "multi-model-router"];
const WORKFLOW: (&str, &str) = ("FABRICA_CHAT_WORKFLOW", "none");

/// A workspace where somebody has written down that the servers are here.
fn told(url: &str, key: &str) -> tempfile::TempDir {
    let place = folder();
    let headers = json!({"Authorization": format!("Bearer {key}")});
    let server = json!({"type": "http", "url": url, "headers": headers, "timeout": 1000});
    let file = file(&place.path().join("workspace"));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let servers = json!({"mcpServers": {"fractary-faber": server}});
    std::fs::write(file, servers.to_string()).unwrap();
    place
}

/// How the command ends when its program says hello and waits.
async fn failed(workspace: &Path, server: &str) -> String {
    let mut client = Stdio::start(workspace, server);
    // It may have ended already.
    let _ = client.input.write_all(format!("{}\n", initialize()).as_bytes()).await;
    let (code, words) = client.ended().await;
    assert_eq!(code, Some(1), "{words}");
    assert!(words.starts_with("fabrica-runtime: ") && words.lines().count() == 1, "{words}");
    words
}

/// A pod whose agent says nothing, and what it needs beside it.
async fn begun() -> (Pod, impl Sized) {
    let (folder, cli) = program("true");
    let (github, model) = (forge("chat").await, model().await);
    let pod = begin(&github, &model, &cli, &[WORKFLOW]).await;
    eventually("the tools are there", async || file(&pod.0.workspace()).exists()).await;
    (pod, (folder, github, model))
}

#[tokio::test]
async fn each_server_says_over_stdio_what_it_says_over_http() {
    let (pod, _others) = begun().await;
    for server in SERVERS {
        let (mut http, hello) = Client::open(Way::Http, &pod, server).await;
        let (mut stdio, same) = Client::open(Way::Stdio, &pod, server).await;
        assert_eq!(same, hello);
        let tools = http.ask("tools/list", &json!({})).await;
        let listed = tools["result"]["tools"].as_array().unwrap();
        assert!(listed.iter().all(|tool| tool["inputSchema"]["type"] == "object"), "{tools}");
        assert!(!listed.is_empty());
        assert_eq!(stdio.ask("tools/list", &json!({})).await, tools);
        let wrong = json!({"name": "nothing", "arguments": {}});
        let error = http.ask("tools/call", &wrong).await;
        assert!(error["error"]["code"].is_i64(), "{error}");
        assert_eq!(stdio.ask("tools/call", &wrong).await, error);
    }
    let (mut faber, _) = Client::open(Way::Stdio, &pod, SERVERS[0]).await;
    let phase = json!({"phase": "frame", "status": "started"});
    let refused = faber.ask("tools/call", &json!({"name": "set_phase", "arguments": phase})).await;
    assert_eq!(refused["result"]["isError"], true, "{refused}");
    assert!(text(&refused).contains("No workflow is running"), "{refused}");
}

#[tokio::test]
async fn a_question_that_waits_holds_no_other_call_up() {
    let (pod, _others) = begun().await;
    let mut ada = pod.talk_answering("ada").await;
    let mut client = Stdio::start(&pod.0.workspace(), "fractary-faber");
    client.initialize().await;
    let asked = json!({"kind": "selection", "question": "Which?", "options": ["red", "blue"]});
    let call =
        json!({"name": "ask_human", "arguments": asked, "_meta": {"claudecode/toolUseId": "t-1"}});
    client.say(&request(7, "tools/call", &call)).await;
    let question = ada.until("the question", |it| it["type"] == "question").await;
    client.say(&request(8, "tools/call", &json!({"name": "get_state", "arguments": {}}))).await;
    let state = client.hear().await;
    assert_eq!((&state["id"], &state["result"]["isError"]), (&json!(8), &json!(false)), "{state}");
    let id = &question["questionId"];
    ada.send(&json!({"type": "answer", "questionId": id, "text": "blue"})).await;
    let answer = client.hear().await;
    assert_eq!(answer["id"], 7, "{answer}");
    assert_eq!(text(&answer), "The answer of ada is: blue");
    // The record is that of any other call.
    let told =
        ada.until("the record", |it| it["type"] == "tool_audit" && it["tool"] == "ask_human");
    assert_eq!(told.await["outcome"], "ok");
}

#[tokio::test]
async fn whoever_cannot_be_served_is_told_why() {
    let (pod, _others) = begun().await;
    let workspace = pod.0.workspace();
    let words = failed(&workspace, "fractary").await;
    assert!(words.contains("no server fractary") && words.contains(&SERVERS.join(", ")), "{words}");

    let nowhere = folder();
    let words = failed(&nowhere.path().join("workspace"), "fractary-repo").await;
    assert!(words.contains("no agent is on") && words.contains("mcp.json"), "{words}");

    let off = told("http://127.0.0.1:9/mcp/fractary-faber", "k");
    let words = failed(&off.path().join("workspace"), "fractary-faber").await;
    assert!(words.contains("the agent is off"), "{words}");

    let text = std::fs::read(file(&workspace)).unwrap();
    let known: Value = serde_json::from_slice(&text).unwrap();
    let url = known["mcpServers"]["fractary-faber"]["url"].as_str().unwrap();
    let stranger = told(url, "another");
    let words = failed(&stranger.path().join("workspace"), "fractary-faber").await;
    assert!(words.contains("refuse the key") && !words.contains("another"), "{words}");

    std::fs::write(file(&stranger.path().join("workspace")), "{}").unwrap();
    let words = failed(&stranger.path().join("workspace"), "fractary-faber").await;
    assert!(words.contains("does not say where"), "{words}");
}

#[tokio::test]
async fn what_is_asked_when_the_agent_has_gone_ends_it() {
    let (mut pod, _others) = begun().await;
    let mut client = Stdio::start(&pod.0.workspace(), "fractary-faber");
    client.initialize().await;
    let ask = |id| request(id, "tools/call", &json!({"name": "get_state", "arguments": {}}));
    client.say(&ask(2)).await;
    assert_eq!(client.hear().await["id"], 2);
    pod.signal(Signal::TERM);
    pod.exit().await;
    client.say(&ask(3)).await;
    let (code, words) = client.ended().await;
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("the agent's tools"), "{words}");
}

/// What a door was asked, and with which key.
type Asked = Arc<Mutex<Vec<(Method, String, Value)>>>;

/// A door that has sessions and answers no call.
async fn door() -> (String, Asked) {
    let asked = Asked::default();
    let router = Router::new().fallback(answer).with_state(asked.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, asked)
}

async fn answer(State(asked): State<Asked>, request: Request) -> Response {
    let method = request.method().clone();
    let key = request.headers()[header::AUTHORIZATION].to_str().unwrap().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 65_536).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    asked.lock().unwrap().push((method.clone(), key, body.clone()));
    if method != Method::POST {
        let is_end = method == Method::DELETE;
        let status = if is_end { StatusCode::OK } else { StatusCode::METHOD_NOT_ALLOWED };
        return status.into_response();
    }
    match body["method"].as_str() {
        Some("initialize") => {
            let server = json!({"name": "door", "version": "1"});
            let version = &body["params"]["protocolVersion"];
            let hello =
                json!({"protocolVersion": version, "capabilities": {}, "serverInfo": server});
            let told = json!({"jsonrpc": "2.0", "id": body["id"], "result": hello});
            ([("mcp-session-id", "s-1")], axum::Json(told)).into_response()
        }
        Some("tools/call") => std::future::pending().await,
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

#[tokio::test]
async fn with_its_program_it_ends_its_session_and_itself() {
    let (url, asked) = door().await;
    let place = told(&url, "k");
    let workspace = place.path().join("workspace");
    let mut client = Stdio::start(&workspace, "fractary-faber");
    client.initialize().await;
    client.say(&request(2, "tools/call", &json!({"name": "ask_human", "arguments": {}}))).await;
    let seen = |wanted: &Method, method: Option<&str>| {
        let asked = asked.lock().unwrap();
        asked.iter().any(|(verb, _, body)| verb == wanted && body["method"].as_str() == method)
    };
    eventually("it is called", async || seen(&Method::POST, Some("tools/call"))).await;
    assert_eq!(client.closed().await, (Some(0), String::new()));
    assert!(seen(&Method::DELETE, None));
    assert!(asked.lock().unwrap().iter().all(|(_, key, _)| key == "Bearer k"));

    // Nothing was ever said.
    let silent = Stdio::start(&workspace, "fractary-faber");
    assert_eq!(silent.closed().await, (Some(0), String::new()));
}
