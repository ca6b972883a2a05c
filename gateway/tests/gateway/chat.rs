//! Sessions in mode Chat: their sockets and who may do what there, answers, messages, filters and the short forms.

use std::time::Duration;

use crate::common::pod::Pod;
use crate::common::{World, running};
use fabrica_protocol::assertion::Role;
use futures::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const CHAT: &str = "/api/v1/namespaces/demo/sessions/a/chat";

fn chat() -> Value {
    json!({"mode": "Chat", "workId": "12", "repository": {"url": "https://git.example.com/a"}})
}

async fn open(world: &World, user: &str, path: &str, protocol: &str) -> Option<Socket> {
    let mut request = format!("ws://{}{path}", world.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
    request.headers_mut().insert("authorization", format!("Bearer {user}-token").parse().unwrap());
    tokio_tungstenite::connect_async(request).await.ok().map(|(socket, _)| socket)
}

async fn next(socket: &mut Socket) -> Message {
    tokio::time::timeout(Duration::from_secs(25), socket.next()).await.unwrap().unwrap().unwrap()
}

async fn close_code(socket: &mut Socket) -> u16 {
    loop {
        if let Message::Close(Some(frame)) = next(socket).await {
            return frame.code.into();
        }
    }
}

#[tokio::test]
async fn a_chat_is_spoken_read_and_answered_by_who_may() {
    let world = World::start(&["--recheck-seconds", "1"]).await;
    world.grant_all();
    for right in ["sessions", "sessions/chat"] {
        world.kubernetes.grant(("viewer", "get", right, "demo", "a"));
    }
    world.kubernetes.grant(("answerer", "get", "sessions/chat", "demo", "a"));
    world.kubernetes.grant(("answerer", "create", "sessions/answers", "demo", "a"));
    world.kubernetes.grant(("guest", "get", "sessions", "demo", "a"));
    let (pod, ip) = Pod::start("uid-a").await;
    world.put("a", chat(), running(ip)).await;
    let mut sockets = Vec::new();
    for user in ["dana", "viewer", "answerer"] {
        let mut socket = open(&world, user, CHAT, "fabrica.chat.v1").await.unwrap();
        assert_eq!(next(&mut socket).await.into_data(), "welcome");
        socket.send(Message::text("{}")).await.unwrap();
        assert_eq!(next(&mut socket).await, Message::text("{}"));
        sockets.push(socket);
    }
    let claims = pod.claims();
    let seen: Vec<_> =
        claims.iter().map(|claims| (claims.sub.as_str(), claims.role, claims.answers)).collect();
    let (control, view) = (Role::Control, Role::View);
    assert_eq!(seen, [("dana", control, true), ("viewer", view, false), ("answerer", view, true)]);
    for (user, code) in [("guest", 4403), ("stranger", 4404)] {
        let mut socket = open(&world, user, CHAT, "fabrica.chat.v1").await.unwrap();
        assert_eq!(close_code(&mut socket).await, code, "{user}");
    }
    assert!(open(&world, "dana", CHAT, "kterm.v1").await.is_none(), "the wrong subprotocol");
    world.kubernetes.revoke_all();
    for socket in &mut sockets {
        assert_eq!(close_code(socket).await, 4403);
    }
}

#[tokio::test]
async fn a_terminal_has_no_chat_and_a_chat_has_terminals() {
    let world = World::start(&[]).await;
    world.grant_all();
    let (_pod, ip) = Pod::start("uid-a").await;
    world.put("a", json!({}), running(ip)).await;
    let mut socket = open(&world, "dana", CHAT, "fabrica.chat.v1").await.unwrap();
    assert_eq!(close_code(&mut socket).await, 4404);
    world.put("a", chat(), running(ip)).await;
    let terminal = CHAT.replace("/chat", "/terminal");
    let mut socket = open(&world, "dana", &terminal, "kterm.v1").await.unwrap();
    assert_eq!(next(&mut socket).await.into_data(), "welcome");
}

#[tokio::test]
async fn a_terminal_has_a_chat_while_its_agent_works() {
    let world = World::start(&[]).await;
    world.grant_all();
    let (_pod, ip) = Pod::start("uid-a").await;
    let spec = |state| json!({"agentState": state, "repository": {"url": "https://h/x"}});
    let standing = |status, reason| {
        let mut all = running(ip);
        all["conditions"] = json!([{"type": "AgentReady", "status": status, "reason": reason,
            "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        all
    };
    for (state, status, reason) in
        [("Off", "False", "AgentOff"), ("On", "False", "AgentMissing"), ("On", "False", "Starting")]
    {
        world.put("a", spec(state), standing(status, reason)).await;
        let mut socket = open(&world, "dana", CHAT, "fabrica.chat.v1").await.unwrap();
        assert_eq!(close_code(&mut socket).await, 4503, "{reason}");
    }
    world.put("a", spec("On"), standing("True", "AgentOn")).await;
    let mut socket = open(&world, "dana", CHAT, "fabrica.chat.v1").await.unwrap();
    assert_eq!(next(&mut socket).await.into_data(), "welcome");
}

#[tokio::test]
async fn an_agent_is_switched_by_who_may_change_the_session() {
    let world = World::start(&[]).await;
    world.grant_all();
    world.kubernetes.grant(("guest", "get", "sessions", "demo", "a"));
    world.put("a", json!({"repository": {"url": "https://h/x"}}), running("10.0.0.9")).await;
    let path = "/api/v1/namespaces/demo/sessions/a/agent";
    let send = async |user: &str, body: Value| {
        world.answer(world.request(user, Method::POST, path).json(&body)).await
    };
    assert_eq!(send("guest", json!({"state": "On"})).await.0, 403);
    assert_eq!(send("stranger", json!({"state": "On"})).await.0, 404);
    assert_eq!(send("dana", json!({"state": "Maybe"})).await.0, 422);
    for state in ["On", "Off"] {
        let (status, session) = send("dana", json!({"state": state})).await;
        assert_eq!((status, &session["spec"]["agentState"]), (200, &json!(state)), "{session}");
    }
    let world = World::start(&["--chat-enabled", "false"]).await;
    world.grant_all();
    world.put("a", json!({"repository": {"url": "https://h/x"}}), running("10.0.0.9")).await;
    let send = async |state: &str| {
        let request = world.request("dana", Method::POST, path).json(&json!({"state": state}));
        world.answer(request).await.0
    };
    assert_eq!((send("On").await, send("Off").await), (403, 200));
}

#[tokio::test]
async fn an_open_question_is_answered_once() {
    let world = World::start(&[]).await;
    world.grant_all();
    world.kubernetes.grant(("guest", "get", "sessions", "demo", "a"));
    let asked = |id| json!({"id": id, "kind": "Approval", "question": "Publish?", "askedAt": "2026-01-01T00:00:00Z"});
    let faber = json!({"pendingApprovals": [asked("q1"), asked("q2")]});
    world.put("a", chat(), json!({"phase": "Running", "conditions": [], "faber": faber})).await;
    let path = "/api/v1/namespaces/demo/sessions/a/answers";
    let send = async |user: &str, body: Value| {
        world.answer(world.request(user, Method::POST, path).json(&body)).await
    };
    let answer = json!({"id": "q2", "text": "approve"});
    let (status, problem) = send("guest", answer.clone()).await;
    assert_eq!(status, 403);
    assert!(problem["detail"].as_str().unwrap().contains("sessions.fabrica.dev/answers"));
    assert_eq!(send("dana", json!({"id": "q3", "text": "yes"})).await.0, 409);
    let (status, session) = send("dana", answer.clone()).await;
    let given = json!([{"id": "q2", "text": "approve", "answeredBy": "dana"}]);
    assert_eq!((status, &session["spec"]["answers"]), (200, &given), "{session}");
    let (status, problem) = send("dana", answer).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("by dana"), "{problem}");
}

#[tokio::test]
async fn messages_are_those_of_the_status_where_there_is_no_archive() {
    let world = World::start(&[]).await;
    world.grant_all();
    let message =
        |seq| json!({"seq": seq, "time": "2026-01-01T00:00:00Z", "type": "Notice", "text": "word"});
    let status =
        json!({"phase": "Running", "conditions": [], "messages": [message(3), message(5)]});
    world.put("a", chat(), status).await;
    let path = "/api/v1/namespaces/demo/sessions/a/messages";
    let (status, list) = world.get("dana", &format!("{path}?after=3")).await;
    assert_eq!((status, &list["items"][0]["seq"]), (200, &json!(5)), "{list}");
    assert_eq!(world.get("stranger", path).await.0, 404);
    assert_eq!(world.get("dana", &format!("{path}?limit=0")).await.0, 400);
}

#[tokio::test]
async fn sessions_are_found_by_mode_and_work_item() {
    let world = World::start(&[]).await;
    world.grant_all();
    world.put("a", chat(), running("127.0.0.9")).await;
    world.put("b", json!({}), running("127.0.0.9")).await;
    for (query, expected) in [
        ("mode=Chat", vec!["a"]),
        ("mode=Terminal", vec!["b"]),
        ("workId=12", vec!["a"]),
        ("workId=1", vec![]),
        ("mode=Terminal&workId=12", vec![]),
    ] {
        let (_, list) =
            world.get("dana", &format!("/api/v1/namespaces/demo/sessions?{query}")).await;
        let names: Vec<_> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected, "{query}");
        let short = query.replace("Chat", "chat").replace("Terminal", "terminal");
        let (_, list) = world.get("dana", &format!("/api/sessions?{short}")).await;
        let names: Vec<_> =
            list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{short}");
    }
    assert_eq!(world.get("dana", "/api/v1/sessions?mode=chat").await.0, 400);
}

#[tokio::test]
async fn the_short_form_says_all_that_is_known_and_leaves_out_the_rest() {
    let world = World::start(&[]).await;
    world.grant_all();
    let mut repository = chat();
    repository["repository"]["branch"] = json!("topic");
    let (started, stopped, active) =
        ("2026-01-01T00:01:00Z", "2026-01-01T00:03:00Z", "2026-01-01T00:02:00Z");
    let all = json!({"id": "uid-a", "name": "a", "mode": "chat", "workId": "12", "branch": "topic",
        "status": "running", "containerIp": "127.0.0.9", "createdAt": "2026-01-01T00:00:00Z", "startedAt": started,
        "stoppedAt": stopped, "lastActivityAt": active});
    let status = json!({"phase": "Running", "podIP": "127.0.0.9", "startedAt": started, "stoppedAt": stopped,
        "lastActivityAt": active, "conditions": []});
    world.put("a", repository, status).await;
    assert_eq!(world.get("dana", "/api/sessions/uid-a").await, (200, all));
    for (phase, word) in [
        (json!(null), "pending"),
        (json!("Pending"), "pending"),
        (json!("Starting"), "starting"),
        (json!("Running"), "running"),
        (json!("Stopped"), "stopped"),
        (json!("Failed"), "failed"),
    ] {
        world.put("b", json!({}), json!({"phase": phase, "conditions": []})).await;
        let least = json!({"id": "uid-b", "name": "b", "mode": "terminal", "status": word,
            "createdAt": "2026-01-01T00:00:00Z"});
        assert_eq!(world.get("dana", "/api/sessions/uid-b").await, (200, least), "{phase}");
    }
}

#[tokio::test]
async fn short_forms_create_and_show_a_chat_and_open_its_socket() {
    let world = World::start(&[]).await;
    world.grant_all();
    let send = async |body: Value| {
        world.answer(world.request("dana", Method::POST, "/api/sessions").json(&body)).await
    };
    let mut body = json!({"repoUrl": "https://git.example.com/a", "mode": "chat"});
    let (status, problem) = send(body.clone()).await;
    assert_eq!(status, 400);
    assert!(problem["detail"].as_str().unwrap().contains("workId: must be set"), "{problem}");
    body["workId"] = json!("12");
    let (status, session) = send(body).await;
    assert_eq!(
        (status, &session["mode"], &session["workId"]),
        (201, &json!("chat"), &json!("12")),
        "{session}"
    );
    assert_eq!(session["status"], "pending");

    let (pod, ip) = Pod::start("uid-a").await;
    world.put("a", chat(), running(ip)).await;
    let (status, session) = world.get("dana", "/api/sessions/uid-a").await;
    assert_eq!((status, &session["status"]), (200, &json!("running")), "{session}");
    assert_eq!(session["containerIp"], ip.to_string());
    assert_eq!(world.get("stranger", "/api/sessions/uid-a").await.0, 404);
    assert_eq!(world.get("dana", "/api/sessions/uid-b").await.0, 404);
    let socket = "/api/sessions/uid-a/ws";
    let mut opened = open(&world, "dana", socket, "fabrica.chat.v1").await.unwrap();
    assert_eq!(next(&mut opened).await.into_data(), "welcome");
    assert!(pod.claims()[0].answers);
    for (user, path) in [("stranger", socket), ("dana", "/api/sessions/uid-b/ws")] {
        let mut refused = open(&world, user, path, "fabrica.chat.v1").await.unwrap();
        assert_eq!(close_code(&mut refused).await, 4404, "{user} {path}");
    }
    // Whichever subprotocol a stranger offers, what is there looks like what is not.
    for path in [socket, "/api/sessions/uid-b/ws"] {
        let mut refused = open(&world, "stranger", path, "kterm.v1").await.unwrap();
        assert_eq!(close_code(&mut refused).await, 4404, "{path}");
        assert!(open(&world, "stranger", path, "other.v1").await.is_none(), "{path}");
    }
    let mut terminal = open(&world, "dana", socket, "kterm.v1").await.unwrap();
    assert_eq!(next(&mut terminal).await.into_data(), "welcome", "a chat has terminals, too");
    let mut malformed = open(&world, "dana", "/api/sessions/A_B/ws", "kterm.v1").await.unwrap();
    assert_eq!(close_code(&mut malformed).await, 4400);
}

#[tokio::test]
async fn the_short_socket_is_the_one_that_fits_the_mode() {
    let world = World::start(&[]).await;
    world.grant_all();
    let (_pod, ip) = Pod::start("uid-a").await;
    let socket = "/api/sessions/uid-a/ws";
    let answered = async |offer: &str| {
        let mut request = format!("ws://{}{socket}", world.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", offer.parse().unwrap());
        request.headers_mut().insert("authorization", "Bearer dana-token".parse().unwrap());
        let (mut socket, answer) = tokio_tungstenite::connect_async(request).await.unwrap();
        let chosen = answer.headers()["sec-websocket-protocol"].to_str().unwrap().to_owned();
        (chosen, next(&mut socket).await)
    };
    let (terminal, talk) = ("kterm.v1", "fabrica.chat.v1");
    let welcome = |message: &Message| message.clone().into_data() == "welcome";
    world.put("a", json!({}), running(ip)).await;
    let (chosen, first) = answered(terminal).await;
    assert!(chosen == terminal && welcome(&first), "{chosen} {first}");
    let (_, first) = answered(talk).await;
    let Message::Close(Some(closed)) = first else { panic!("{first}") };
    assert_eq!(u16::from(closed.code), 4404, "a terminal has no chat");

    // A chat has both: what is offered first is what is meant.
    world.put("a", chat(), running(ip)).await;
    for (offer, expected) in
        [(talk, talk), (terminal, terminal), ("fabrica.chat.v1, kterm.v1", talk)]
    {
        let (chosen, first) = answered(offer).await;
        assert!(chosen == expected && welcome(&first), "{offer}: {chosen} {first}");
    }
}

#[tokio::test]
async fn short_forms_list_where_they_create() {
    let world = World::start(&[]).await;
    world.grant_all();
    for (verb, namespace) in [("list", "default"), ("list", "demo"), ("create", "demo")] {
        world.kubernetes.grant(("guest", verb, "sessions", namespace, "*"));
    }
    world.kubernetes.grant(("viewer", "list", "sessions", "demo", "*"));
    world.put("a", json!({}), running("127.0.0.9")).await;
    for user in ["guest", "viewer"] {
        let (status, list) = world.get(user, "/api/sessions").await;
        assert_eq!((status, &list[0]["name"]), (200, &json!("a")), "{user}: {list}");
    }
}

#[tokio::test]
async fn a_chat_is_refused_where_the_mode_is_switched_off() {
    let world = World::start(&["--chat-enabled", "false"]).await;
    world.grant_all();
    let post = async |path: &str, body: Value| {
        world.answer(world.request("dana", Method::POST, path).json(&body)).await
    };
    let path = "/api/v1/namespaces/demo/sessions";
    let (status, problem) = post(path, json!({"name": "a", "spec": chat()})).await;
    assert_eq!(status, 403);
    assert!(problem["detail"].as_str().unwrap().contains("session.chatEnabled"), "{problem}");
    let short = json!({"repoUrl": "https://git.example.com/a", "mode": "chat", "workId": "1"});
    assert_eq!(post("/api/sessions", short).await.0, 403);
    assert_eq!(post(path, json!({"name": "a", "spec": {}})).await.0, 201);
}
