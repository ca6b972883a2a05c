//! Files: streamed to and from the pod, by rights on terminals, and never as a page of our origin.

use crate::common::pod::Pod;
use crate::common::{World, running};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn files_go_up_and_come_down() {
    let world = World::start(&[]).await;
    world.grant_all();
    world.kubernetes.grant(("viewer", "get", "sessions/terminal", "demo", "a"));
    world.kubernetes.grant(("viewer", "get", "sessions", "demo", "a"));
    let (_pod, ip) = Pod::start("uid-a").await;
    world.put("a", json!({}), running(ip)).await;
    let path = "/api/v1/namespaces/demo/sessions/a/files/repo/a%20b.html";
    let content = vec![b'z'; 1_500_000];
    let put = |user: &str| world.request(user, Method::PUT, path).body(content.clone());
    assert_eq!(world.answer(put("dana")).await.0, 204);
    assert_eq!(world.answer(put("viewer")).await.0, 403);
    assert_eq!(world.answer(put("stranger")).await.0, 404);
    let answer = world.request("viewer", Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let header =
        |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("content-type").unwrap(), "application/octet-stream");
    assert_eq!(header("content-disposition").unwrap(), "attachment");
    assert!(header("content-security-policy").unwrap().contains("sandbox"));
    assert_eq!(header("set-cookie"), None);
    assert_eq!(answer.bytes().await.unwrap(), content);
    let (status, problem) =
        world.get("viewer", "/api/v1/namespaces/demo/sessions/a/files/none").await;
    assert_eq!((status, &problem["status"]), (404, &json!(404)));
    assert_eq!(
        (&problem["detail"], &problem["recovery"]),
        (&json!("no such file"), &json!("recreate"))
    );
    assert_eq!(problem["recoverable"], false);
}

#[tokio::test]
async fn a_session_without_a_pod_has_no_files_now() {
    let world = World::start(&[]).await;
    world.grant_all();
    world.put("a", json!({}), json!({"phase": "Stopped", "conditions": []})).await;
    world.put("lost", json!({}), running("127.255.255.254")).await;
    assert_eq!(world.get("dana", "/api/v1/namespaces/demo/sessions/a/files/x").await.0, 503);
    assert_eq!(world.get("dana", "/api/v1/namespaces/demo/sessions/lost/files/x").await.0, 504);
    let upwards = "/api/v1/namespaces/demo/sessions/a/files/x%2f..%2f..%2fetc";
    assert_eq!(world.get("dana", upwards).await.0, 400);
}
