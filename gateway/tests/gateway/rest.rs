//! Login, rights, lists and writes over REST.

use crate::common::{World, until};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_login_is_a_cookie_that_needs_our_origin_to_change_something() {
    let world = World::start(&[]).await;
    world.grant_all();
    let cookie = world.login("dana").await;
    let (status, me) = world
        .answer(world.client.get(format!("{}/api/v1/me", world.url)).header("cookie", &cookie))
        .await;
    assert_eq!((status, &me["username"]), (200, &json!("dana")));
    assert_eq!(
        me["namespaces"],
        json!([{"name": "demo", "createSessions": true, "createRuns": true}])
    );
    assert_eq!(me["defaultNamespace"], "demo");
    let create = || {
        let url = format!("{}/api/v1/namespaces/demo/sessions", world.url);
        world.client.post(url).header("cookie", &cookie).json(&json!({"spec": {}}))
    };
    assert_eq!(world.answer(create()).await.0, 403);
    assert_eq!(world.answer(create().header("origin", "http://evil.example")).await.0, 403);
    let (status, created) = world.answer(create().header("origin", &world.url)).await;
    assert_eq!((status, &created["spec"]["owner"]), (201, &json!("dana")));
}

#[tokio::test]
async fn logout_forgets_and_strangers_are_told_to_log_in() {
    let world = World::start(&[]).await;
    let answer = world.client.post(format!("{}/api/v1/logout", world.url)).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert!(answer.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    for path in
        ["/api/v1/me", "/api/v1/sessions", "/api/v1/events", "/api/v1/namespaces/demo/sessions/a"]
    {
        let (status, problem) =
            world.answer(world.client.get(format!("{}{path}", world.url))).await;
        assert_eq!((status, &problem["status"]), (401, &json!(401)), "{path}");
    }
    let wrong = world.client.get(format!("{}/api/v1/me", world.url)).bearer_auth("wrong");
    let (status, problem) = world.answer(wrong).await;
    assert_eq!(status, 401);
    assert!(problem["detail"].as_str().unwrap().contains("kubectl create token"), "{problem}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_a_problem_that_names_the_part() {
    let world = World::start(&[]).await;
    world.grant_all();
    let answer = world.request("dana", Method::PATCH, "/api/v1/me").send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "GET,HEAD");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!((&problem["status"], &problem["recovery"]), (&json!(405), &json!("button")));
    for (query, part) in [
        ("limit=many", "limit"),
        ("limit=0", "limit"),
        ("spaces=1", "spaces"),
        ("continue=%25", "continue"),
    ] {
        let (status, problem) = world.get("dana", &format!("/api/v1/sessions?{query}")).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (400, &json!(part)), "{problem}");
    }
    for (body, field) in [
        (json!({"repoUrl": "https://h/a", "workId": 4}), "workId"),
        (json!({"repoUrl": "https://h/a", "mode": "Chat"}), "mode"),
    ] {
        let request = world.request("dana", Method::POST, "/api/sessions").json(&body);
        let (status, problem) = world.answer(request).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
}

#[tokio::test]
async fn failed_logins_are_limited_and_successes_are_not() {
    let world = World::start(&[]).await;
    let attempt = |token: String| {
        let body = json!({"token": token});
        world.answer(world.client.post(format!("{}/api/v1/login", world.url)).json(&body))
    };
    for _ in 0..20 {
        world.login("dana").await;
    }
    for number in 0..10 {
        assert_eq!(attempt(format!("wrong{number}")).await.0, 401);
    }
    let body = json!({"token": "wrong"});
    let answer =
        world.client.post(format!("{}/api/v1/login", world.url)).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 429);
    assert!(answer.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn one_review_answers_all_who_send_the_same_token_at_once() {
    let world = World::start(&[]).await;
    world.kubernetes.hold_token_reviews(true);
    let first_is_asked = async {
        until(async || world.kubernetes.token_reviews() > 0).await;
        world.kubernetes.hold_token_reviews(false);
    };
    let all = join_all((0..40).map(|_| world.get("dana", "/api/v1/me")));
    let (answers, ()) = tokio::join!(all, first_is_asked);
    assert_eq!(answers.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [200; 40]);
    assert_eq!(world.kubernetes.token_reviews(), 1);
}

#[tokio::test]
async fn many_people_behind_one_address_wait_for_each_other() {
    let world = World::start(&[]).await;
    world.kubernetes.hold_token_reviews(true);
    let as_many_as_may_fail_are_asked = async {
        until(async || world.kubernetes.token_reviews() == 10).await;
        world.kubernetes.hold_token_reviews(false);
    };
    let people: Vec<String> = (0..30).map(|number| format!("person-{number}")).collect();
    let all = join_all(people.iter().map(|person| world.get(person, "/api/v1/me")));
    let (answers, ()) = tokio::join!(all, as_many_as_may_fail_are_asked);
    assert_eq!(answers.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [200; 30]);
    assert_eq!(world.kubernetes.token_reviews(), 30);
}

#[tokio::test]
async fn what_one_may_not_know_does_not_exist() {
    let world = World::start(&[]).await;
    world.grant_all();
    world.put("a", json!({}), json!({})).await;
    world.kubernetes.grant(("viewer", "get", "sessions", "demo", "a"));
    let path = "/api/v1/namespaces/demo/sessions/a";
    assert_eq!(world.get("viewer", path).await.0, 200);
    assert_eq!(world.answer(world.request("viewer", Method::DELETE, path)).await.0, 403);
    assert_eq!(world.answer(world.request("stranger", Method::DELETE, path)).await.0, 404);
    assert_eq!(world.get("stranger", path).await.0, 404);
    assert_eq!(world.get("stranger", "/api/v1/namespaces/demo/sessions").await.0, 404);
    let (status, list) = world.get("stranger", "/api/v1/sessions").await;
    assert_eq!((status, &list["items"]), (200, &json!([])));
    let (_, list) = world.get("viewer", "/api/v1/namespaces/demo/sessions").await;
    assert_eq!(list["items"][0]["name"], "a");
    let body = json!({"spec": {}});
    let create =
        |user| world.request(user, Method::POST, "/api/v1/namespaces/demo/sessions").json(&body);
    assert_eq!(world.answer(create("stranger")).await.0, 404);
}

#[tokio::test]
async fn decisions_are_remembered() {
    let world = World::start(&[]).await;
    world.grant_all();
    world.put("a", json!({}), json!({})).await;
    let path = "/api/v1/namespaces/demo/sessions/a";
    world.get("dana", path).await;
    let before = world.kubernetes.reviews();
    for _ in 0..10 {
        assert_eq!(world.get("dana", path).await.0, 200);
    }
    assert_eq!(world.kubernetes.reviews(), before);
    world.kubernetes.set_away(true);
    assert_eq!(world.get("dana", path).await.0, 200);
    let (status, problem) = world.get("dana", "/api/v1/namespaces/demo/sessions/b").await;
    assert_eq!((status, problem["title"].as_str()), (503, Some("Service Unavailable")));
}

#[tokio::test]
async fn with_owner_access_only_the_owner_sees_a_session() {
    let world = World::start(&["--access", "Owner"]).await;
    world.grant_all();
    for verb in ["get", "list", "delete"] {
        world.kubernetes.grant(("eve", verb, "sessions", "demo", "*"));
    }
    world.put("a", json!({"owner": "dana"}), json!({})).await;
    assert_eq!(world.get("dana", "/api/v1/namespaces/demo/sessions/a").await.0, 200);
    assert_eq!(world.get("eve", "/api/v1/namespaces/demo/sessions/a").await.0, 404);
    let (status, list) = world.get("eve", "/api/v1/namespaces/demo/sessions").await;
    assert_eq!((status, &list["items"]), (200, &json!([])));
    let delete = world.request("eve", Method::DELETE, "/api/v1/namespaces/demo/sessions/a");
    assert_eq!(world.answer(delete).await.0, 404);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let world = World::start(&[]).await;
    world.grant_all();
    for name in ["a", "b", "c"] {
        let phase = if name == "b" { "Stopped" } else { "Running" };
        world.put(name, json!({}), json!({"phase": phase, "conditions": []})).await;
    }
    let names = |list: &serde_json::Value| -> Vec<String> {
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, page) = world.get("dana", "/api/v1/sessions?phase=Running&limit=1").await;
    assert_eq!(names(&page), ["a"]);
    let next = format!(
        "/api/v1/sessions?phase=Running&limit=1&continue={}",
        page["continue"].as_str().unwrap()
    );
    let (_, page) = world.get("dana", &next).await;
    assert_eq!((names(&page), page.get("continue")), (vec!["c".to_owned()], None));
    for wrong in ["limit=0", "limit=501", "phase=Odd", "mode=Neither", "continue=%25", "unknown=1"]
    {
        let (status, _) = world.get("dana", &format!("/api/v1/sessions?{wrong}")).await;
        assert_eq!(status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn sessions_are_created_stopped_resumed_and_deleted() {
    let world = World::start(&[]).await;
    world.grant_all();
    let post =
        |path: &str, body: serde_json::Value| world.request("dana", Method::POST, path).json(&body);
    let sessions = "/api/v1/namespaces/demo/sessions";
    let (status, created) = world
        .answer(post(sessions, json!({"name": "a", "spec": {"workspace": {"size": "1Gi"}}})))
        .await;
    assert_eq!((status, &created["uid"]), (201, &json!("uid-a")));
    assert_eq!(world.answer(post(sessions, json!({"name": "a", "spec": {}}))).await.0, 409);
    let (_, stopped) = world.answer(post(&format!("{sessions}/a/suspend"), json!({}))).await;
    assert_eq!(stopped["spec"]["operatingMode"], "Suspended");
    let (_, resumed) = world.answer(post(&format!("{sessions}/a/resume"), json!({}))).await;
    assert_eq!(resumed["spec"]["operatingMode"], "Running");
    assert!(resumed["spec"]["wakeTime"].is_string());
    assert_eq!(
        world.answer(world.request("dana", Method::DELETE, &format!("{sessions}/a"))).await.0,
        204
    );
    assert_eq!(world.get("dana", &format!("{sessions}/a")).await.0, 404);
}

#[tokio::test]
async fn wrong_bodies_name_their_fields() {
    let world = World::start(&[]).await;
    world.grant_all();
    let sessions = "/api/v1/namespaces/demo/sessions";
    let cases = [
        (json!({"name": "a", "spec": {}, "extra": 1}), 422, "extra"),
        (json!({"name": "a.b", "spec": {}}), 422, "name"),
        (json!({"name": "a", "spec": {"foo": 1}}), 422, "spec.foo"),
        (json!({"name": "a", "spec": {"owner": "eve"}}), 422, "spec.owner"),
        (json!({"name": "a"}), 422, "spec"),
    ];
    for (body, expected, field) in cases {
        let (status, problem) =
            world.answer(world.request("dana", Method::POST, sessions).json(&body)).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (expected, &json!(field)), "{body}");
    }
    let broken = world
        .request("dana", Method::POST, sessions)
        .header("content-type", "application/json")
        .body("{");
    assert_eq!(world.answer(broken).await.0, 400);
    let large = world
        .request("dana", Method::POST, sessions)
        .json(&json!({"spec": {"image": "x".repeat(300_000)}}));
    assert_eq!(world.answer(large).await.0, 413);
    for (path, field) in [
        ("/api/v1/namespaces/..%2f..%2fsecrets/sessions/a", "namespace"),
        ("/api/v1/namespaces/Demo/sessions", "namespace"),
        ("/api/v1/namespaces/demo/sessions/a.b", "name"),
        ("/api/sessions/a%2fb", "id"),
        ("/sessions/A_B", "id"),
    ] {
        let (status, problem) = world.get("dana", path).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (400, &json!(field)), "{path}");
        let way = (&problem["recoverable"], &problem["recovery"]);
        assert_eq!(way, (&json!(false), &json!("button")), "{path}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let world = World::start(&[]).await;
    for path in ["/", "/health", "/openapi.json", "/api/v1/none"] {
        let answer = world.client.get(format!("{}{path}", world.url)).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
    }
    let metrics = world
        .client
        .get(format!("http://{}/metrics", world.admin))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(metrics.contains("fabrica_gateway_requests_total"), "{metrics}");
    let creations = "fabrica_gateway_creations_total{mode=\"Chat\",outcome=\"failed\"} 0";
    assert!(metrics.lines().any(|line| line == creations), "{metrics}");
}

#[tokio::test]
async fn what_is_created_belongs_to_the_trace_of_its_request() {
    // Nobody listens there, which holds nothing up.
    let world = World::start(&["--otlp-endpoint", "http://127.0.0.1:9"]).await;
    world.grant_all();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let sessions = "/api/v1/namespaces/demo/sessions";
    let create = |name: &str, header: &str| {
        let request = world.request("dana", Method::POST, sessions);
        request.header("traceparent", header).json(&json!({"name": name, "spec": {}}))
    };
    let annotation = |name: &str| {
        let found = world.kubernetes.session(name);
        found["metadata"]["annotations"]["fabrica.dev/traceparent"].as_str().map(str::to_owned)
    };
    let header = format!("00-{trace}-b7ad6b7169203331-01");
    assert_eq!(world.answer(create("one", &header)).await.0, 201);
    let kept = annotation("one").unwrap();
    assert!(kept.starts_with(&format!("00-{trace}-")) && kept != header, "{kept}");
    assert_eq!(world.answer(create("two", "nonsense")).await.0, 201);
    assert_eq!(annotation("two").unwrap().len(), header.len());
    let plain = World::start(&[]).await;
    plain.grant_all();
    let request =
        plain.request("dana", Method::POST, sessions).json(&json!({"name": "one", "spec": {}}));
    assert_eq!(plain.answer(request).await.0, 201);
    assert!(plain.kubernetes.session("one")["metadata"]["annotations"].is_null());
}
