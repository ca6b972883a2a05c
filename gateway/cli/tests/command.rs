//! The command against a gateway of the test's own: what it sends, says and returns.
#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

/// The longest anything is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a Run was looked at that cannot always be.
static LOOKS: AtomicUsize = AtomicUsize::new(0);

/// Answers as the gateway does. Every request must carry the token.
async fn answer(method: Method, uri: Uri, headers: HeaderMap, body: String) -> Response {
    if headers["authorization"] != "Bearer secret" {
        let text = json!({"title": "Unauthorized", "detail": "Log in first."});
        return problem(StatusCode::UNAUTHORIZED, text);
    }
    match (method.as_str(), uri.to_string().as_str()) {
        ("POST", "/run?namespace=demo") if headers["content-type"] == "text/markdown" => {
            submitted(&body)
        }
        ("GET", "/api/v1/namespaces/demo/runs/plan-1") => Json(run("Completed")).into_response(),
        ("GET", "/api/v1/namespaces/demo/runs/wobbly") => wobbly(),
        ("GET", "/api/v1/namespaces/demo/runs/bad") => Json(run("Failed")).into_response(),
        ("GET", path) if path.contains("/messages?after=") => messages(path),
        ("GET", "/api/v1/namespaces/demo/runs/asks") => Json(asking()).into_response(),
        ("POST", "/api/v1/namespaces/demo/runs/asks/answers") => {
            let sent: Value = serde_json::from_str(&body).unwrap();
            match sent["id"].as_str().unwrap() {
                "q1" => Json(asking()).into_response(),
                _ => problem(StatusCode::CONFLICT, json!({"detail": "The open question is q1."})),
            }
        }
        ("GET", "/api/v1/namespaces/demo/sessions/new") => {
            Json(json!({"name": "new"})).into_response()
        }
        ("GET", "/api/v1/namespaces/demo/sessions" | "/api/v1/namespaces/demo/sessions?") => {
            let ready = json!([{"type": "Ready", "status": "True", "reason": "Ready", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
            let box_one =
                json!({"name": "box", "status": {"phase": "Running", "conditions": ready}});
            Json(json!({"items": [box_one], "continue": "more"})).into_response()
        }
        ("GET", "/api/v1/namespaces/watched/sessions" | "/api/v1/namespaces/watched/sessions?") => {
            Json(json!({"items": [{"name": "box"}]})).into_response()
        }
        ("GET", "/api/v1/namespaces/demo/sessions?continue=more") => {
            Json(json!({"items": [{"name": "new"}]})).into_response()
        }
        ("GET", "/api/v1/namespaces/demo/runs" | "/api/v1/namespaces/demo/runs?") => {
            Json(json!({"items": [run("Completed")]})).into_response()
        }
        ("GET", "/api/v1/namespaces/demo/runs/sly") => {
            let mut view = asking();
            view["status"]["escalation"]["question"] = json!("May\n\tI\u{1b}]52;c;cm0=\u{7}?");
            Json(view).into_response()
        }
        ("POST", "/api/v1/namespaces/demo/runs/plan-1/cancel") => {
            Json(run("Cancelled")).into_response()
        }
        _ => problem(
            StatusCode::NOT_FOUND,
            json!({"title": "Not Found", "detail": "This run does not exist."}),
        ),
    }
}

fn submitted(plan: &str) -> Response {
    if plan.starts_with("---") {
        return Json(json!({"sessionId": "1", "namespace": "demo", "name": "plan-1", "message": "Taken.", "url": "http://page"}))
            .into_response();
    }
    let errors = json!([{"field": "repo", "message": "line 1: repo is required"}]);
    let detail = match plan {
        "twice" => "repo: line 1: repo is required",
        _ => "The plan has errors.",
    };
    let text = json!({"title": "Bad Request", "detail": detail, "errors": errors});
    problem(StatusCode::BAD_REQUEST, text)
}

/// Away at the second look.
fn wobbly() -> Response {
    match LOOKS.fetch_add(1, Relaxed) {
        0 => Json(run("Running")).into_response(),
        1 => problem(StatusCode::SERVICE_UNAVAILABLE, json!({"detail": "Try again."})),
        _ => Json(run("Completed")).into_response(),
    }
}

/// Two in all.
fn messages(path: &str) -> Response {
    if path.contains("after=2&") {
        return Json(json!({"items": []})).into_response();
    }
    let seq = if path.contains("after=1&") { 2 } else { 1 };
    let message = json!({"id": "7", "sessionId": "1", "seq": seq, "type": "progress",
        "content": {"message": "cloned", "metadata": {"kind": "step", "type": "Finished"}},
        "createdAt": "2026-01-01T10:20:30Z"});
    Json(json!({"items": [message]})).into_response()
}

fn run(phase: &str) -> Value {
    json!({"namespace": "demo", "name": "plan-1", "uid": "1", "spec": {}, "status": {"phase": phase,
        "conditions": [{"type": "Succeeded", "status": "True", "reason": "Because", "message": "So it is.",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})
}

fn asking() -> Value {
    let mut view = run("Escalated");
    view["status"]["escalation"] = json!({"id": "q1", "kind": "Approval", "question": "May I?",
        "askedAt": "2026-01-01T00:00:00Z", "dueAt": "2026-01-08T00:00:00Z"});
    view
}

fn problem(status: StatusCode, text: Value) -> Response {
    (status, Json(text)).into_response()
}

async fn fabrica(token: &str, arguments: &[&str], input: &str) -> Output {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-fabrica"))
        .args(["--url", &url, "--token", token])
        .args(if arguments.contains(&"--namespace") { &[][..] } else { &["--namespace", "demo"] })
        .args(arguments)
        .env("BROWSER", "true")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    serving.abort();
    output
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_plan_is_watched_to_its_end() {
    let output = fabrica("secret", &["run", "-", "--watch"], "---\nrepo: x\n---\n# Do it").await;
    let (out, error) = said(&output);
    assert!(output.status.success(), "{error}");
    assert_eq!(
        out,
        "Taken. http://page\n10:20:30 + cloned\n10:20:30 + cloned\nplan-1 completed (Because): So it is.\n"
    );
}

#[tokio::test]
async fn a_plan_with_errors_is_told_field_by_field() {
    let output = fabrica("secret", &["run", "-"], "# Do it").await;
    let (_, error) = said(&output);
    assert!(!output.status.success());
    assert_eq!(error, "error: The plan has errors.\n  repo: line 1: repo is required\n");
    let output = fabrica("secret", &["run", "-"], "twice").await;
    assert_eq!(said(&output).1, "error: repo: line 1: repo is required\n");
}

#[tokio::test]
async fn following_outlives_a_gateway_that_is_away() {
    let output = fabrica("secret", &["logs", "--follow", "wobbly"], "").await;
    let (out, error) = said(&output);
    assert!(output.status.success(), "{error}");
    assert!(out.ends_with("wobbly completed (Because): So it is.\n"), "{out}");
    assert_eq!(error, "Try again. The run goes on; this waits for news.\n");
}

#[tokio::test]
async fn following_ends_as_the_run_does() {
    let output = fabrica("secret", &["logs", "--follow", "bad"], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).0.ends_with("bad failed (Because): So it is.\n"));
}

#[tokio::test]
async fn a_question_is_shown_and_answered() {
    let output = fabrica("secret", &["logs", "asks"], "").await;
    let told = "asks asks: May I?\nanswer until 2026-01-08 00:00 UTC: kubectl fabrica answer -n demo asks ";
    assert!(said(&output).0.contains(told));
    let output = fabrica("secret", &["answer", "asks", "yes"], "").await;
    assert_eq!(said(&output), ("asks has the answer and goes on.\n".to_owned(), String::new()));
    let output = fabrica("secret", &["answer", "asks", "yes", "--question", "q0"], "").await;
    assert_eq!(said(&output).1, "error: The open question is q1.\n");
    let output = fabrica("secret", &["answer", "plan-1", "yes"], "").await;
    assert_eq!(said(&output).1, "error: plan-1 waits for no answer: no question is open\n");
}

#[tokio::test]
async fn what_an_agent_writes_is_text_and_nothing_else() {
    let (out, _) = said(&fabrica("secret", &["logs", "sly"], "").await);
    assert!(out.contains("sly asks: May\n\tI]52;c;cm0=?\n"), "{out:?}");
}

#[tokio::test]
async fn cancelling_says_so() {
    let output = fabrica("secret", &["cancel", "plan-1"], "").await;
    assert_eq!(said(&output).0, "plan-1 is being cancelled.\n");
}

#[tokio::test]
async fn refusals_are_told_in_the_gateways_words() {
    let output = fabrica("wrong", &["cancel", "plan-1"], "").await;
    assert_eq!(said(&output).1, "error: Log in first.\n");
    let output = fabrica("secret", &["logs", "nothing", "-f"], "").await;
    let elsewhere = "does not exist, or you may not see it: -n names another namespace, and ls lists what one has\n";
    assert_eq!(said(&output).1, format!("error: run demo/nothing {elsewhere}"));
    let (_, error) = said(&fabrica("secret", &["cancel", "gone"], "").await);
    assert_eq!(error, format!("error: run demo/gone {elsewhere}"));
}

#[tokio::test]
async fn all_pages_of_sessions_and_runs_are_listed() {
    let output = fabrica("secret", &["ls"], "").await;
    let (out, error) = said(&output);
    let lines = [
        "NAME         STATE      WHY",
        "session/box  Ready",
        "session/new  Starting",
        "run/plan-1   Completed  So it is.",
    ];
    assert_eq!(out.lines().collect::<Vec<_>>(), lines, "{error}");
}

#[tokio::test]
async fn who_may_see_sessions_alone_is_shown_them() {
    let output = fabrica("secret", &["--namespace", "watched", "ls"], "").await;
    let (out, error) = said(&output);
    assert!(output.status.success(), "{error}");
    assert_eq!(out, "NAME         STATE     WHY\nsession/box  Starting\n");
    assert_eq!(error, "Runs are not listed: This run does not exist.\n");
}

/// As `| head` does.
#[tokio::test]
async fn a_reader_that_has_read_enough_ends_a_command_without_a_word() {
    for arguments in [&["completion", "bash"][..], &["completion", "zsh"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-fabrica"))
            .args(arguments)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(said(&output).1, "");
        assert_eq!(output.status.code(), Some(141));
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_no_success() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_kubectl-fabrica"))
        .args(["completion", "bash"])
        .stdout(full)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).1.contains("No space left on device"));
}

#[tokio::test]
async fn an_address_needs_its_scheme() {
    let arguments = ["--url", "localhost:30080", "ls"];
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-fabrica")).args(arguments).output();
    let (_, error) = said(&output.await.unwrap());
    assert!(error.contains("--url <URL>': begin it with http:// or https://"), "{error}");
}

#[tokio::test]
async fn a_page_has_an_address() {
    let (out, _) = said(&fabrica("secret", &["open", "run/plan-1"], "").await);
    assert!(
        out.starts_with("http://127.0.0.1:") && out.ends_with("/ns/demo/runs/plan-1\n"),
        "{out}"
    );
}

/// This browser reads from a pipe that the test opens once it has seen the address.
#[tokio::test]
async fn an_address_is_said_before_a_browser_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let made = Command::new("mkfifo").arg(at("window")).status().await.unwrap();
    assert!(made.success());
    std::fs::write(at("browser"), "#!/bin/sh\nread -r line < \"${0%/*}/window\"\n").unwrap();
    std::fs::set_permissions(at("browser"), Permissions::from_mode(0o755)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-fabrica"))
        .args(["--url", "http://page", "--token", "secret", "--namespace", "demo", "open", "box"])
        .env("BROWSER", at("browser"))
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert_eq!(line, "http://page/ns/demo/sessions/box");
    let window = at("window");
    let closed = tokio::task::spawn_blocking(move || std::fs::write(window, "closed\n"));
    tokio::time::timeout(PATIENCE, closed).await.unwrap().unwrap().unwrap();
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert!(ended.success());
}

#[tokio::test]
async fn attaching_needs_a_terminal_and_says_what_else_there_is() {
    let (_, error) = said(&fabrica("secret", &["attach", "new"], "").await);
    assert!(
        error.contains("attach needs a terminal") && error.contains("kubectl fabrica cp"),
        "{error}"
    );
}

/// Shells take what is printed: bash reads it without a complaint, and it names every command.
#[tokio::test]
async fn shells_can_complete() {
    for shell in ["bash", "zsh", "fish"] {
        let (script, _) = said(&fabrica("secret", &["completion", shell], "").await);
        assert!(
            script.contains("attach") && script.contains("kubectl-fabrica"),
            "{shell}: {script}"
        );
        if shell == "bash" {
            let read = Command::new("bash").args(["-n", "-c", &script]).output().await.unwrap();
            assert!(read.status.success(), "{}", said(&read).1);
        }
    }
}
