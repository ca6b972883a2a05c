//! The life of a runtime: who may come in, files, and its end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

mod support;

use std::time::Duration;

use chrono::Utc;
use fabrica_protocol::assertion::{Claims, Role};
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::{Runtime, UID, assertion_named, eventually, sign};
use tokio::time::Instant;

#[tokio::test]
async fn only_the_right_assertion_opens_a_door() {
    let runtime = Runtime::start(&[]).await;
    let past = Utc::now() - chrono::Duration::seconds(120);
    let claims = |audience: &str, when| {
        Claims::new("fabrica-gateway", audience, "ada", Role::Control, "x", when)
    };
    for refused in
        [sign(&claims("uid-2", Utc::now())), sign(&claims(UID, past)), "rubbish".to_owned()]
    {
        assert!(runtime.connect_with(&refused).await.is_err());
        let answer = reqwest::Client::new()
            .get(runtime.url("/v1/files/"))
            .bearer_auth(refused)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401);
    }
    let once = assertion_named(Role::Control, "once");
    let mut client = runtime.connect_with(&once).await.unwrap();
    assert!(runtime.connect_with(&once).await.is_err(), "an assertion opens one socket");
    let close = reqwest::Client::new()
        .post(runtime.url("/v1/connections/once/close"))
        .bearer_auth(support::assertion(Role::Operator))
        .body("{\"code\":4403}");
    assert_eq!(close.send().await.unwrap().status(), 204);
    assert_eq!(client.closed().await.0, 4403);
    assert_eq!(runtime.get("/v1/idle", Role::Control).await.status(), 403);
    std::fs::write(runtime.folder.path().join("keys"), "{\"keys\":[]}").unwrap();
    assert_eq!(
        runtime.get("/v1/idle", Role::Operator).await.status(),
        401,
        "a withdrawn key is believed no longer"
    );
}

#[tokio::test]
async fn shells_heed_signals_that_the_runtime_was_started_to_ignore() {
    /// Signals 32 and 33: it lets nobody touch them, and so do we whatever we were started with.
    const OF_THE_C_LIBRARY: u64 = 0b11 << 31;
    let by = [
        "perl",
        "-MPOSIX",
        "-e",
        "$SIG{INT} = $SIG{QUIT} = $SIG{USR1} = 'IGNORE'; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGUSR2)); exec @ARGV",
    ];
    let runtime = Runtime::begin_in(support::folder(), &by, &[]);
    runtime.ready().await;
    let mut shell = runtime.attach(Role::Control).await;
    shell.type_text(0, "grep -E 'Sig(Ign|Blk)' /proc/self/status; echo the en''d\r").await;
    let seen = shell.read_until("the end").await;
    for what in ["SigIgn", "SigBlk"] {
        let (_, after) = seen.split_once(&format!("{what}:\t")).unwrap();
        let mask = u64::from_str_radix(&after[..16], 16).unwrap();
        assert_eq!(mask & !OF_THE_C_LIBRARY, 0, "{seen}");
    }
}

#[tokio::test]
async fn files_stay_in_the_workspace() {
    let runtime = Runtime::start(&[]).await;
    let put = runtime.put("/v1/files/folder/a.txt", "content", Role::Control).await;
    assert!(put.status().is_success());
    assert_eq!(
        runtime.get("/v1/files/folder/a.txt", Role::View).await.text().await.unwrap(),
        "content"
    );
    let listing = runtime.get("/v1/files/folder", Role::View).await.text().await.unwrap();
    assert!(listing.contains("\"a.txt\""), "{listing}");
    assert_eq!(runtime.put("/v1/files/b", "x", Role::View).await.status(), 403);
    std::os::unix::fs::symlink("/etc", runtime.workspace().join("out")).unwrap();
    assert_eq!(runtime.get("/v1/files/out/passwd", Role::View).await.status(), 403);
    assert_eq!(runtime.put("/v1/files/out/x", "x", Role::Control).await.status().as_u16() / 100, 4);
    let up = runtime.get("/v1/files/..%2f..%2fkeys", Role::View).await;
    assert_eq!(up.status().as_u16() / 100, 4);
    assert_eq!(runtime.get("/v1/files/none", Role::View).await.status(), 404);
}

#[tokio::test]
async fn orphans_are_reaped_and_the_end_is_quick() {
    let mut runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    let pid = runtime.process.id().unwrap();
    client.type_text(0, "(sleep 0.2 &); trap '' HUP TERM; sleep 1000\n").await;
    eventually("a job runs in the foreground", async || runtime.idle().await.busy).await;
    let started = Instant::now();
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(client.closed().await.0, 1001);
    let status = tokio::time::timeout(Duration::from_secs(5), runtime.process.wait())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// Whoever looks for what became of a terminal finds its lines by the Session's ids.
#[rstest]
#[case::as_asked("info")]
#[case::where_nothing_of_the_filter_can_be_read("terminal=loud")]
#[tokio::test]
async fn what_becomes_of_terminals_is_in_the_log(#[case] filter: &str) {
    let folder = support::folder();
    let log = folder.path().join("log");
    let named = [("FABRICA_LOG", filter), ("FABRICA_NAMESPACE", "demo"), ("FABRICA_NAME", "first")];
    let into_log = format!("exec \"$@\" >'{0}' 2>&1", log.display());
    let runtime = Runtime::begin_in(folder, &["sh", "-c", &into_log, "sh"], &named);
    runtime.ready().await;
    let mut client = runtime.attach(Role::Control).await;
    client.type_text(0, "exit 3\n").await;
    let events = || {
        let text = std::fs::read_to_string(&log).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let all = lines.map(|mut line| line["fields"].take());
        let ours = |fields: &Value| {
            fields["event"].as_str().is_some_and(|event| event.starts_with("terminal."))
        };
        all.filter(ours).collect::<Vec<_>>()
    };
    eventually("the end is told", async || {
        events().iter().any(|fields| fields["event"] == "terminal.closed")
    })
    .await;
    let told = events();
    let order: Vec<_> = told.iter().map(|fields| fields["event"].as_str().unwrap()).collect();
    assert_eq!(order, ["terminal.created", "terminal.attached", "terminal.closed"]);
    for fields in &told {
        let ids = ["namespace", "name", "uid", "terminal"].map(|id| fields[id].clone());
        assert_eq!(ids, [json!("demo"), json!("first"), json!(UID), json!(1)], "{fields}");
    }
    assert!(told[1]["connection"].as_str().is_some_and(|id| id.starts_with("connection-")));
    assert_eq!(told[2]["code"], 3);
}
