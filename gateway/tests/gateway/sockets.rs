//! Terminal sockets: refusals as close codes, the tunnel, revocation, and how a stopping gateway lets go.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::common::pod::Pod;
use crate::common::{World, running, until};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fabrica_protocol::assertion::Role;
use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(world: &World, name: &str, headers: &[(&'static str, String)]) -> Socket {
    open_at(world.address, name, headers).await
}

/// Opens a socket at a gateway, or at what stands before it.
pub(crate) async fn open_at(
    address: SocketAddr,
    name: &str,
    headers: &[(&'static str, String)],
) -> Socket {
    let url = format!("ws://{address}/api/v1/namespaces/demo/sessions/{name}/terminal");
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "kterm.v1".parse().unwrap());
    for (header, value) in headers {
        request.headers_mut().insert(*header, value.parse().unwrap());
    }
    tokio_tungstenite::connect_async(request).await.unwrap().0
}

pub(crate) async fn open_as(world: &World, user: &str, name: &str) -> Socket {
    open(world, name, &[("authorization", format!("Bearer {user}-token"))]).await
}

pub(crate) async fn next(socket: &mut Socket) -> Option<Message> {
    let message = tokio::time::timeout(Duration::from_secs(25), socket.next()).await.unwrap();
    message.and_then(Result::ok)
}

async fn close_code(socket: &mut Socket) -> (u16, String) {
    match next(socket).await {
        Some(Message::Close(Some(frame))) => (frame.code.into(), frame.reason.to_string()),
        other => panic!("no close frame: {other:?}"),
    }
}

pub(crate) async fn expect_bytes(socket: &mut Socket, expected: &[u8]) {
    assert_eq!(next(socket).await.unwrap().into_data(), expected);
}

#[tokio::test]
async fn refusals_are_close_codes() {
    let world = World::start(&[]).await;
    world.grant_all();
    world.put("starting", json!({}), json!({"phase": "Starting", "conditions": []})).await;
    world.put("stopped", json!({}), json!({"phase": "Stopped", "conditions": []})).await;
    // Nobody listens there.
    world.put("lost", json!({}), running("127.255.255.254")).await;
    world.kubernetes.grant(("viewer", "get", "sessions", "demo", "starting"));
    let cookie = world.login("dana").await;
    let cases = [
        ("starting", vec![], 4401, ""),
        ("starting", vec![("cookie", cookie.clone())], 4403, ""),
        (
            "starting",
            vec![("cookie", cookie.clone()), ("origin", "http://evil.example".into())],
            4403,
            "",
        ),
        ("starting", vec![("cookie", cookie), ("origin", world.url.clone())], 4503, "ra=1000"),
        ("starting", vec![("authorization", "Bearer viewer-token".into())], 4403, ""),
        ("starting", vec![("authorization", "Bearer stranger-token".into())], 4404, ""),
        ("stopped", vec![("authorization", "Bearer dana-token".into())], 4503, "ra=5000"),
        ("lost", vec![("authorization", "Bearer dana-token".into())], 4504, ""),
        ("absent", vec![("authorization", "Bearer dana-token".into())], 4404, ""),
        (
            "not.a.name",
            vec![("authorization", "Bearer dana-token".into())],
            4400,
            "name: a name has",
        ),
        ("not.a.name", vec![], 4401, ""),
    ];
    for (name, headers, expected, hint) in cases {
        let mut socket = open(&world, name, &headers).await;
        let (code, reason) = close_code(&mut socket).await;
        assert_eq!(code, expected, "{name} {headers:?} {reason}");
        assert!(reason.starts_with(hint), "{reason}");
    }
    world.kubernetes.set_away(true);
    let (code, reason) = close_code(&mut open_as(&world, "dana", "new-question").await).await;
    assert_eq!((code, reason.starts_with("ra=")), (4503, true));
}

#[tokio::test]
async fn a_tunnel_carries_frames_with_an_assertion_of_ours() {
    let world = World::start(&[]).await;
    world.grant_all();
    world.kubernetes.grant(("viewer", "get", "sessions/terminal", "demo", "a"));
    let (pod, ip) = Pod::start("uid-a").await;
    world.put("a", json!({}), running(ip)).await;
    let cookie = world.login("dana").await;
    let mut socket = open(&world, "a", &[("cookie", cookie), ("origin", world.url.clone())]).await;
    expect_bytes(&mut socket, b"welcome").await;
    let large: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    for payload in [b"x".to_vec(), large] {
        socket.send(Message::binary(payload.clone())).await.unwrap();
        expect_bytes(&mut socket, &payload).await;
    }
    let mut viewer = open_as(&world, "viewer", "a").await;
    expect_bytes(&mut viewer, b"welcome").await;
    let claims = pod.claims();
    let seen: Vec<_> = claims.iter().map(|claims| (claims.sub.as_str(), claims.role)).collect();
    assert_eq!(seen, [("dana", Role::Control), ("viewer", Role::View)]);
    assert!(claims.iter().all(|claims| claims.iss == "fabrica-gateway" && claims.aud == "uid-a"));
    assert_ne!(claims[0].jti, claims[1].jti);
    world.stop.cancel();
    assert!(!matches!(next(&mut socket).await, Some(Message::Binary(_))));
    world.task.await.unwrap();
}

#[tokio::test]
async fn a_pod_that_the_watch_has_not_told_of_is_reached() {
    let world = World::start(&[]).await;
    world.grant_all();
    world.put("starting", json!({}), json!({"phase": "Starting", "conditions": []})).await;
    let mut pods = Vec::new();
    for name in ["starting", "unknown"] {
        let (pod, ip) = Pod::start(&format!("uid-{name}")).await;
        pods.push(pod);
        world.kubernetes.put_silently("demo", name, &json!({}), &running(ip));
        expect_bytes(&mut open_as(&world, "dana", name).await, b"welcome").await;
    }
}

#[tokio::test]
async fn a_pod_of_another_session_refuses_and_the_client_waits() {
    let world = World::start(&[]).await;
    world.grant_all();
    let (_pod, ip) = Pod::start("uid-of-another").await;
    world.put("a", json!({}), running(ip)).await;
    assert_eq!(close_code(&mut open_as(&world, "dana", "a").await).await.0, 4503);
}

#[tokio::test]
async fn a_revoked_socket_ends_with_4403_and_an_unreachable_server_is_no_refusal() {
    let world = World::start(&["--recheck-seconds", "1"]).await;
    world.grant_all();
    let (_pod, ip) = Pod::start("uid-a").await;
    world.put("a", json!({}), running(ip)).await;
    let mut socket = open_as(&world, "dana", "a").await;
    expect_bytes(&mut socket, b"welcome").await;
    world.kubernetes.set_away(true);
    let rechecks = format!("http://{}/metrics", world.admin);
    until_long(async || {
        let text = world.client.get(&rechecks).send().await.unwrap().text().await.unwrap();
        !text.contains("rechecks_total{outcome=\"unknown\"} 0")
    })
    .await;
    socket.send(Message::binary("still here")).await.unwrap();
    expect_bytes(&mut socket, b"still here").await;
    world.kubernetes.revoke_all();
    world.kubernetes.set_away(false);
    assert_eq!(close_code(&mut socket).await.0, 4403);
}

/// The client learns that it has to log in again, and not that it may not come back.
#[tokio::test]
async fn a_token_that_ends_ends_its_sockets_with_4401() {
    let world = World::start(&["--recheck-seconds", "1"]).await;
    world.grant_all();
    let (_pod, ip) = Pod::start("uid-a").await;
    world.put("a", json!({}), running(ip)).await;
    let soon = chrono::Utc::now().timestamp() + 4;
    let claims = URL_SAFE_NO_PAD.encode(json!({"exp": soon}).to_string());
    // The stand-in for the API server takes the whole token for a name.
    let user: &'static str = format!("mortal.{claims}.signature").leak();
    world.kubernetes.grant((user, "create", "sessions/terminal", "demo", "a"));
    let mut socket = open_as(&world, user, "a").await;
    expect_bytes(&mut socket, b"welcome").await;
    socket.send(Message::binary("still here")).await.unwrap();
    expect_bytes(&mut socket, b"still here").await;
    assert_eq!(close_code(&mut socket).await.0, 4401);
    assert!(chrono::Utc::now().timestamp() >= soon);
}

#[tokio::test]
async fn one_user_cannot_take_all_sockets() {
    let world = World::start(&[]).await;
    world.grant_all();
    let (_pod, ip) = Pod::start("uid-a").await;
    world.put("a", json!({}), running(ip)).await;
    let mut sockets = Vec::new();
    for _ in 0..64 {
        sockets.push(open_as(&world, "dana", "a").await);
    }
    for socket in &mut sockets {
        expect_bytes(socket, b"welcome").await;
    }
    let (code, reason) = close_code(&mut open_as(&world, "dana", "a").await).await;
    assert_eq!((code, reason.starts_with("ra=")), (4429, true));
    sockets.pop();
    until(async || {
        let mut again = open_as(&world, "dana", "a").await;
        matches!(next(&mut again).await, Some(Message::Binary(_)))
    })
    .await;
}

#[tokio::test]
async fn plain_requests_are_told_what_this_is() {
    let world = World::start(&[]).await;
    let (status, problem) = world.get("dana", "/api/v1/namespaces/demo/sessions/a/terminal").await;
    assert_eq!((status, &problem["status"]), (426, &json!(426)));
}

/// Decisions are remembered for ten seconds: what depends on new ones takes longer.
async fn until_long(mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(Instant::now() < deadline, "it did not come true in time");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
