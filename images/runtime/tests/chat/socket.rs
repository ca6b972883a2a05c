//! What clients may do wrong. No agent is needed for that: where its program is missing, the socket is the same.

use std::time::Duration;

use fabrica_protocol::assertion::Role;
use futures::SinkExt;
use rstest::rstest;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::pod::{Pod, model};
use crate::server::Server;
use crate::support::{assertion, eventually, folder};
use crate::talk::Talk;

async fn pod() -> Pod {
    let (server, model) = (Server::start().await, model().await);
    Pod::begin(&server, &model, "/nowhere/claude", &[]).await
}

#[rstest]
#[case::not_json(Message::text("{"), 4400, true)]
#[case::a_mebibyte(Message::text("x".repeat(1024 * 1024)), 4400, true)]
#[case::too_long(Message::text(format!("\"{}\"", "x".repeat(256 * 1024))), 4400, true)]
#[case::binary(Message::binary(vec![1, 2]), 1003, false)]
#[tokio::test]
async fn what_is_no_message_closes_the_socket(
    #[case] message: Message,
    #[case] code: u16,
    #[case] is_told: bool,
) {
    let pod = pod().await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.caught_up().await;
    ada.raw(message.clone()).await;
    let closed = ada.closed().await;
    assert_eq!(closed.0, code, "{closed:?}");
    let malformed = |it: &serde_json::Value| it["code"] == "malformed";
    assert_eq!(ada.all.iter().any(malformed), is_told);
    // In the place of hello, too.
    let mut eve = pod.socket("eve", Role::Control, false).await;
    eve.raw(message).await;
    assert_eq!(eve.closed().await.0, code);
}

#[tokio::test]
async fn hello_comes_first_and_once() {
    let (server, model) = (Server::start().await, model().await);
    let more = [("FABRICA_HELLO_MILLISECONDS", "300")];
    let pod = Pod::begin(&server, &model, "/nowhere/claude", &more).await;
    let mut silent = pod.socket("ada", Role::Control, false).await;
    assert_eq!(silent.closed().await.0, 4408);
    let mut early = pod.socket("ada", Role::Control, false).await;
    early.send(&json!({"type": "interrupt"})).await;
    assert_eq!(early.closed().await.0, 4400);
    let mut twice = pod.talk("ada", Role::Control, json!({})).await;
    twice.send(&json!({"type": "hello"})).await;
    let error = twice.until("it is told", |it| it["code"] == "malformed").await;
    assert_eq!(error["recoverable"], true);
}

#[tokio::test]
async fn what_is_refused_is_told_and_the_socket_stays() {
    let pod = pod().await;
    let mut ada = pod.talk_answering("ada").await;
    ada.caught_up().await;
    let refused = [
        (json!({"type": "shout"}), "malformed"),
        (json!({"type": "user_message", "id": "a b", "content": "x"}), "malformed"),
        (json!({"type": "user_message", "id": "m"}), "malformed"),
        (json!({"type": "answer", "questionId": "q-1", "text": "x"}), "unknown_question"),
    ];
    for (message, code) in refused {
        ada.send(&message).await;
        let error = ada.until(code, |it| it["code"] == code).await;
        assert_eq!((&error["type"], &error["recoverable"]), (&json!("error"), &json!(true)));
    }
    ada.say("m-1", "one").await;
    ada.say("m-1", "two").await;
    let error = ada.until("duplicate", |it| it["code"] == "duplicate").await;
    assert_eq!(error["ref"], "m-1");
    let said = |it: &&serde_json::Value| it["type"] == "user_message" && it["author"] == "ada";
    assert_eq!(ada.all.iter().filter(said).count(), 1);
    for number in 2..=64 {
        ada.say(&format!("m-{number}"), "x").await;
    }
    ada.say("m-65", "x").await;
    ada.until("too many", |it| it["code"] == "too_many" && it["ref"] == "m-65").await;
    ada.send(&json!({"type": "ping", "nonce": "7"})).await;
    let pong = ada.until("pong", |it| it["type"] == "pong").await;
    assert_eq!(pong["nonce"], "7");

    let mut eve = pod.talk("eve", Role::View, json!({})).await;
    for message in [
        json!({"type": "user_message", "id": "e-1", "content": "x"}),
        json!({"type": "start_workflow", "id": "e-2", "workId": "1"}),
        json!({"type": "interrupt"}),
        json!({"type": "answer", "questionId": "q", "text": "x"}),
    ] {
        eve.send(&message).await;
        eve.until("forbidden", |it| it["code"] == "forbidden").await;
    }
}

#[tokio::test]
async fn as_many_clients_as_fit_and_each_can_be_closed() {
    let pod = pod().await;
    let mut clients = Vec::new();
    for number in 0..16 {
        let mut client = pod.talk(&format!("user-{number}"), Role::Control, json!({})).await;
        client.caught_up().await;
        clients.push(client);
    }
    let mut late = pod.socket("late", Role::Control, false).await;
    assert_eq!(late.closed().await.0, 4429);
    clients[7].say("m-1", "hello").await;
    for client in &mut clients {
        client.until("everybody hears it", |it| it["author"] == "user-7").await;
    }
    revoke(&pod, &clients[3]).await;
    assert_eq!(clients[3].closed().await.0, 4403);
}

async fn revoke(pod: &Pod, client: &Talk) {
    let path = format!("/v1/connections/{}/close", client.connection);
    let asked = reqwest::Client::new()
        .post(pod.0.url(&path))
        .bearer_auth(assertion(Role::Operator))
        .body("{\"code\":4403}");
    assert_eq!(asked.send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn whose_access_ends_sees_no_more_however_slowly_it_reads() {
    let (folder, server, model) = (folder(), Server::start().await, model().await);
    long_journal(folder.path(), 1000, 60_000);
    let more = [("FABRICA_CHAT_ATTEMPT", "3")];
    let pod = Pod::begin_in(folder, &server, &model, "/nowhere/claude", &more).await;
    let mut deaf = pod.socket("deaf", Role::View, false).await;
    deaf.send(&json!({"type": "hello"})).await;
    eventually("it has come", async || pod.0.idle().await.clients == 1).await;
    let began = std::time::Instant::now();
    revoke(&pod, &deaf).await;
    eventually("it is gone", async || pod.0.idle().await.clients == 0).await;
    assert!(began.elapsed() < Duration::from_secs(8), "sooner than one that never reads");
}

/// A journal of an earlier pod with this many long texts.
fn long_journal(folder: &std::path::Path, texts: u64, bytes: usize) {
    let place = folder.join("workspace/.fabrica");
    std::fs::create_dir_all(&place).unwrap();
    let line = |seq: u64| json!({"seq": seq, "time": "2026-01-01T00:00:00Z", "kind": "said", "text": "x".repeat(bytes)});
    let lines: Vec<String> = (1..=texts).map(|seq| line(seq).to_string() + "\n").collect();
    std::fs::write(place.join("journal-3.ndjson"), lines.concat()).unwrap();
}

#[tokio::test]
async fn a_client_that_never_reads_is_closed_and_others_are_not_held_up() {
    let (folder, server, model) = (folder(), Server::start().await, model().await);
    long_journal(folder.path(), 1000, 60_000);
    let more = [("FABRICA_CHAT_ATTEMPT", "5")];
    let pod = Pod::begin_in(folder, &server, &model, "/nowhere/claude", &more).await;
    assert_eq!(pod.0.idle().await.journal, Some(3));
    let mut deaf = pod.socket("deaf", Role::Control, false).await;
    deaf.send(&json!({"type": "hello"})).await;
    deaf.socket.flush().await.unwrap();
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    let seen = ada.caught_up().await;
    assert!(seen.iter().filter(|it| it["type"] == "claude_message").count() == 1000);
    ada.say("m-1", "hello").await;
    ada.until("it is heard", |it| it["author"] == "ada").await;
    eventually("the deaf one is gone", async || pod.0.idle().await.clients == 1).await;
    drop(deaf);
}

#[tokio::test]
async fn ten_thousand_messages_are_shown_again() {
    let (folder, server, model) = (folder(), Server::start().await, model().await);
    long_journal(folder.path(), 10_000, 100);
    let more = [("FABRICA_CHAT_ATTEMPT", "3")];
    let pod = Pod::begin_in(folder, &server, &model, "/nowhere/claude", &more).await;
    let began = std::time::Instant::now();
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    let seen = ada.caught_up().await;
    eprintln!("10,000 messages in {:?}", began.elapsed());
    assert!(seen.len() >= 10_000 && began.elapsed() < Duration::from_secs(10));
    let order: Vec<u64> = seen.iter().map(|it| it["seq"].as_u64().unwrap()).collect();
    assert!(order.is_sorted());
    // No number is beyond what was shown: who is cut off now and comes back with it misses nothing.
    assert_eq!(ada.welcome["seq"], 0);
    let hello = json!({"journalId": ada.welcome["journalId"], "after": 7});
    let again = pod.talk("ada", Role::Control, hello).await;
    assert_eq!(again.welcome["seq"], 7);
    assert!(again.welcome["newest"].as_u64().unwrap() >= 10_000);
}

#[tokio::test]
async fn a_page_that_somebody_sees_is_activity() {
    let pod = pod().await;
    let silent = pod.talk("bob", Role::View, json!({})).await;
    let mut ada = pod.talk("ada", Role::View, json!({"visible": true})).await;
    let idle = pod.0.idle().await;
    assert_eq!((idle.clients, idle.visible_clients), (2, 1));
    let seen = idle.last_activity_at;
    eventually("being seen goes on being activity", async || {
        pod.0.idle().await.last_activity_at > seen
    })
    .await;
    ada.send(&json!({"type": "ping", "visible": false})).await;
    ada.until("it is heard", |it| it["type"] == "pong").await;
    let idle = pod.0.idle().await;
    assert_eq!((idle.clients, idle.visible_clients), (2, 0));
    // Who says nothing of it changes nothing.
    ada.send(&json!({"type": "ping", "visible": true})).await;
    ada.send(&json!({"type": "ping"})).await;
    ada.until("both are heard", |it| it["type"] == "pong").await;
    ada.until("both are heard", |it| it["type"] == "pong").await;
    assert_eq!(pod.0.idle().await.visible_clients, 1);
    drop(ada);
    eventually("the page is gone", async || pod.0.idle().await.visible_clients == 0).await;
    drop(silent);
}
