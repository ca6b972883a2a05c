//! Runs over REST, and the short forms for a markdown plan.

use crate::common::World;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

const RUNS: &str = "/api/v1/namespaces/demo/runs";

const PLAN: &str =
    "---\nrepo: https://git.example.com/a\nbase: main\n---\n# Fix the shop\n\n```sh\ntrue\n```\n";

fn spec() -> Value {
    json!({"repository": {"url": "https://git.example.com/a", "branch": "main"}, "plan": "# Plan"})
}

fn message(seq: i64, kind: &str) -> Value {
    json!({"seq": seq, "time": "2026-01-01T00:00:05Z", "type": kind, "text": format!("line {seq}")})
}

fn post(world: &World, path: &str) -> RequestBuilder {
    world.request("dana", Method::POST, path)
}

fn submit(world: &World, user: &str, plan: &str) -> RequestBuilder {
    let request = world.request(user, Method::POST, "/run");
    request.header("content-type", "text/markdown; charset=utf-8").body(plan.to_owned())
}

#[tokio::test]
async fn runs_are_created_listed_cancelled_and_deleted() {
    let world = World::start(&[]).await;
    world.grant_all();
    let body = json!({"name": "a", "spec": spec()});
    let (status, created) = world.answer(post(&world, RUNS).json(&body)).await;
    assert_eq!((status, &created["spec"]["owner"]), (201, &json!("dana")));
    assert_eq!(world.answer(post(&world, RUNS).json(&body)).await.0, 409);
    let (status, cancelled) = world.answer(post(&world, &format!("{RUNS}/a/cancel"))).await;
    assert_eq!((status, &cancelled["spec"]["desiredState"]), (200, &json!("Cancelled")));
    for (name, phase) in [("b", "Completed"), ("c", "Failed"), ("d", "Completed")] {
        world.put_run(name, spec(), json!({"phase": phase, "conditions": []})).await;
    }
    let (status, problem) = world.answer(post(&world, &format!("{RUNS}/b/cancel"))).await;
    assert_eq!(status, 409, "{problem}");
    let (_, page) = world.get("dana", &format!("{RUNS}?phase=Completed&limit=1")).await;
    assert_eq!(page["items"][0]["name"], "b");
    let token = page["continue"].as_str().unwrap();
    let path = format!("/api/v1/runs?phase=Completed&limit=1&continue={token}");
    let (_, page) = world.get("dana", &path).await;
    assert_eq!((&page["items"][0]["name"], page.get("continue")), (&json!("d"), None));
    for wrong in ["limit=0", "phase=Stopped", "mode=Terminal", "continue=%25"] {
        assert_eq!(world.get("dana", &format!("{RUNS}?{wrong}")).await.0, 400, "{wrong}");
    }
    let delete = world.request("dana", Method::DELETE, &format!("{RUNS}/b"));
    assert_eq!(world.answer(delete).await.0, 204);
    assert_eq!(world.get("dana", &format!("{RUNS}/b")).await.0, 404);
}

#[tokio::test]
async fn a_queued_run_says_its_position() {
    let world = World::start(&[]).await;
    world.grant_all();
    let status = json!({"phase": "Queued", "queuePosition": 3, "conditions": []});
    world.put_run("a", spec(), status).await;
    world.put_run("b", spec(), json!({"phase": "Running", "conditions": []})).await;
    let (_, page) = world.get("dana", RUNS).await;
    let (_, alone) = world.get("dana", &format!("{RUNS}/a")).await;
    let told = [&page["items"][0], &alone, &page["items"][1]];
    let told = told.map(|run| run["status"].get("queuePosition").and_then(Value::as_i64));
    assert_eq!(told, [Some(3), Some(3), None]);
}

#[tokio::test]
async fn rights_on_sessions_are_none_on_runs() {
    let world = World::start(&["--access", "Owner"]).await;
    world.grant_all();
    world.put_run("a", json!({"owner": "dana", "repository": {"url": "x"}}), json!({})).await;
    for verb in ["get", "list", "create", "patch", "delete"] {
        world.kubernetes.grant(("eve", verb, "runs", "demo", "*"));
        world.kubernetes.grant(("guest", verb, "sessions", "demo", "*"));
    }
    let one = format!("{RUNS}/a");
    assert_eq!(world.get("dana", &one).await.0, 200);
    for user in ["eve", "guest", "stranger"] {
        for path in [one.clone(), format!("{one}/messages"), "/sessions/run-uid-a".to_owned()] {
            assert_eq!(world.get(user, &path).await.0, 404, "{user} {path}");
        }
        for path in ["cancel", "retry"] {
            let request = world.request(user, Method::POST, &format!("{one}/{path}"));
            assert_eq!(world.answer(request).await.0, 404, "{user} {path}");
        }
    }
    assert_eq!(world.get("guest", RUNS).await.0, 404);
    assert_eq!(world.get("eve", RUNS).await.1["items"], json!([]));
    let nobody = world.client.get(format!("{}{RUNS}", world.url));
    assert_eq!(world.answer(nobody).await.0, 401);
}

#[tokio::test]
async fn a_retry_is_a_new_run_from_the_old_ones_branch() {
    let world = World::start(&[]).await;
    world.grant_all();
    world.put_run("going", spec(), json!({"phase": "Running", "conditions": []})).await;
    let ended =
        json!({"phase": "Failed", "conditions": [], "branch": "fabrica/1", "commit": "abc"});
    world.put_run("ended", spec(), ended).await;
    let retry = |name: &str| post(&world, &format!("{RUNS}/{name}/retry"));
    assert_eq!(world.answer(retry("going")).await.0, 409);
    assert_eq!(world.answer(retry("none")).await.0, 404);
    assert_eq!(world.answer(retry("ended").json(&json!({"plann": "x"}))).await.0, 422);
    let file = json!({"plan": "---\nrepo: https://git.example.com/a\n---\n# Better"});
    let (status, problem) = world.answer(retry("ended").json(&file)).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("plan")));
    let (status, new) = world.answer(retry("ended").json(&json!({"plan": "# Better"}))).await;
    assert_eq!((status, &new["name"]), (201, &json!("ended-abcde")));
    assert_eq!(new["spec"]["repository"]["branch"], "fabrica/1");
    assert_eq!((&new["spec"]["plan"], &new["spec"]["owner"]), (&json!("# Better"), &json!("dana")));
    assert_eq!(new["spec"]["desiredState"], "Running");
    // The same name would be made again: without a body the plan is the old one's, and only the fake's name is taken.
    assert_eq!(world.answer(retry("ended")).await.0, 409);
}

#[tokio::test]
async fn messages_are_read_by_a_cursor() {
    let world = World::start(&[]).await;
    world.grant_all();
    let messages = [message(1, "Started"), message(2, "Failed"), message(4, "Finished")];
    let status = json!({"phase": "Failed", "conditions": [], "messages": messages});
    world.put_run("a", spec(), status).await;
    let (_, page) = world.get("dana", &format!("{RUNS}/a/messages?after=1&limit=1")).await;
    let expected = json!({"id": "run-uid-a/2", "sessionId": "run-uid-a", "seq": 2, "type": "error",
        "content": {"message": "line 2", "metadata": {"type": "Failed"}}, "createdAt": "2026-01-01T00:00:05Z"});
    assert_eq!(page, json!({"items": [expected]}));
    for wrong in ["limit=501", "wait=61", "unread=maybe"] {
        assert_eq!(
            world.get("dana", &format!("{RUNS}/a/messages?{wrong}")).await.0,
            400,
            "{wrong}"
        );
    }
    // Without a database nobody knows what is read.
    assert_eq!(world.get("dana", &format!("{RUNS}/a/messages?unread=true")).await.0, 409);
    let mark = post(&world, &format!("{RUNS}/a/messages/read")).json(&json!({"through": 1}));
    assert_eq!(world.answer(mark).await.0, 409);
    assert_eq!(world.get("dana", &format!("{RUNS}/a/messages?limit=0")).await.0, 400);
    let (_, short) = world.get("dana", "/sessions/run-uid-a/messages?after=1").await;
    assert_eq!(short[0]["type"], "error");
    assert_eq!(short[0]["content"]["message"], "line 2");
    assert_eq!((&short[1]["id"], &short[1]["seq"]), (&json!("run-uid-a/4"), &json!(4)));
}

#[tokio::test]
async fn a_markdown_plan_becomes_a_run() {
    let world = World::start(&[]).await;
    world.grant_all();
    let (status, accepted) = world.answer(submit(&world, "dana", PLAN)).await;
    assert_eq!((status, &accepted["sessionId"]), (202, &json!("run-uid-run-abcde")));
    assert_eq!(accepted["url"], format!("{}/ns/demo/runs/run-abcde", world.url));
    let place = (&accepted["namespace"], &accepted["name"]);
    assert_eq!(place, (&json!("demo"), &json!("run-abcde")));
    let (status, run) = world.get("dana", "/sessions/run-uid-run-abcde").await;
    assert_eq!(
        (status, &run["status"], &run["title"]),
        (200, &json!("pending"), &json!("Fix the shop"))
    );
    assert_eq!(run["repoUrl"], "https://git.example.com/a");
    let (_, full) = world.get("dana", &format!("{RUNS}/run-abcde")).await;
    assert_eq!(full["spec"]["repository"]["branch"], "main");
    assert_eq!(full["spec"]["plan"], "# Fix the shop\n\n```sh\ntrue\n```");
    assert_eq!(world.get("dana", "/sessions/none").await.0, 404);
    let (status, problem) = world.answer(submit(&world, "stranger", PLAN)).await;
    assert_eq!(status, 403, "{problem}");
}

#[tokio::test]
async fn front_matter_names_agent_and_forge_and_the_query_the_namespace() {
    let world = World::start(&[]).await;
    world.grant_all();
    let plan = "---\nrepo: https://git.example.com/a\nmodel: opus\nbudgetUSD: 2.50\nforge: gitea\n---\n# Plan\n";
    let into = |user: &str, namespace: &str| {
        let path = format!("/run?namespace={namespace}");
        let request = world.request(user, Method::POST, &path);
        request.header("content-type", "text/markdown").body(plan)
    };
    let keyed = || into("dana", "demo").header("idempotency-key", "k");
    let (status, accepted) = world.answer(keyed()).await;
    assert_eq!((status, &accepted["namespace"]), (202, &json!("demo")), "{accepted}");
    assert_eq!(world.answer(keyed()).await, (202, accepted.clone()));
    let name = accepted["name"].as_str().unwrap();
    let (_, run) = world.get("dana", &format!("{RUNS}/{name}")).await;
    assert_eq!(run["spec"]["agent"], json!({"model": "opus", "budgetUSD": "2.50"}));
    assert_eq!(run["spec"]["repository"]["forge"], "Gitea");
    world.kubernetes.grant(("eve", "list", "runs", "demo", "*"));
    for (user, namespace, expected) in
        [("eve", "demo", 403), ("stranger", "demo", 404), ("dana", "No", 400)]
    {
        let (status, problem) = world.answer(into(user, namespace)).await;
        assert_eq!(status, expected, "{user} {namespace} {problem}");
    }
    let unknown = world.request("dana", Method::POST, "/run?space=demo");
    assert_eq!(
        world.answer(unknown.header("content-type", "text/markdown").body(plan)).await.0,
        400
    );
}

#[tokio::test]
async fn cost_and_pull_request_are_told_and_work_items_found() {
    let world = World::start(&[]).await;
    world.grant_all();
    let usage = json!({"inputTokens": 1, "outputTokens": 2, "cacheReadTokens": 3, "cacheWriteTokens": 4, "estimatedCostUSD": "0.0017"});
    let status = json!({"phase": "Completed", "conditions": [], "usage": usage, "pullRequestURL": "https://git.example.com/a/pulls/7"});
    let item = json!({"repository": {"url": "https://git.example.com/a"}, "workId": "12"});
    world.put_run("a", item, status).await;
    world.put_run("b", spec(), json!({"phase": "Completed", "conditions": []})).await;
    let (_, short) = world.get("dana", "/sessions/run-uid-a").await;
    let told = (&short["costUsd"], &short["prUrl"]);
    assert_eq!(told, (&json!("0.0017"), &json!("https://git.example.com/a/pulls/7")));
    assert_eq!(world.get("dana", "/sessions/run-uid-b").await.1.get("costUsd"), None);
    let (_, page) = world.get("dana", &format!("{RUNS}?workId=12")).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!(page["items"][0]["name"], "a");
    assert_eq!(world.get("dana", "/api/v1/runs?workId=1").await.1["items"], json!([]));
}

#[tokio::test]
async fn the_same_key_gives_the_same_run() {
    let world = World::start(&[]).await;
    world.grant_all();
    let keyed = |plan: &str| submit(&world, "dana", plan).header("idempotency-key", "k1");
    let (status, first) = world.answer(keyed(PLAN)).await;
    assert_eq!(status, 202);
    assert_eq!(world.answer(keyed(PLAN)).await, (202, first));
    let (status, problem) = world.answer(keyed(&PLAN.replace("shop", "house"))).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("Idempotency-Key")));
    let long = submit(&world, "dana", PLAN).header("idempotency-key", "x".repeat(256));
    assert_eq!(world.answer(long).await.0, 400);
}

#[tokio::test]
async fn a_key_counts_wherever_a_run_is_made() {
    let world = World::start(&[]).await;
    world.grant_all();
    let ended = json!({"phase": "Failed", "conditions": [], "branch": "b", "commit": "abc"});
    for name in ["one", "two"] {
        world.put_run(name, spec(), ended.clone()).await;
    }
    let keyed =
        |path: &str, body: &Value| post(&world, path).header("idempotency-key", "k").json(body);
    let create = (
        RUNS.to_owned(),
        json!({"spec": spec()}),
        json!({"spec": {"plan": "# Other", "repository": {"url": "https://git.example.com/a"}}}),
    );
    let retry =
        |name: &str| (format!("{RUNS}/{name}/retry"), json!({}), json!({"plan": "# Other"}));
    let mut names = Vec::new();
    for (path, same, other) in [create, retry("one"), retry("two")] {
        let (status, first) = world.answer(keyed(&path, &same)).await;
        assert_eq!(status, 201, "{first}");
        assert_eq!(world.answer(keyed(&path, &same)).await, (201, first.clone()));
        let (status, problem) = world.answer(keyed(&path, &other)).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("Idempotency-Key")));
        names.push(first["name"].clone());
        let none = post(&world, &path).header("idempotency-key", "").json(&same);
        assert_eq!(world.answer(none).await.0, 400);
    }
    assert!(names[0] != names[1] && names[1] != names[2], "{names:?}");
    // A name of the caller's own is its own key.
    let own = json!({"name": "mine", "spec": spec()});
    assert_eq!(world.answer(keyed(RUNS, &own)).await.1["name"], "mine");
    assert_eq!(world.answer(keyed(RUNS, &own)).await.0, 409);
}

#[tokio::test]
async fn wrong_plans_name_line_and_field() {
    let world = World::start(&[]).await;
    world.grant_all();
    let cases = [
        ("# Plan", "repo", "line 1: "),
        ("---\nrepo: x\nmodels: y\n---\nx", "models", "line 3: "),
        ("---\nrepo: x\nrepo: y\n---\nx", "repo", "line 3: this field stands here twice"),
        ("---\nrepo: x\nbudgetUSD: 0\n---\nx", "budgetUSD", "line 3: must be a decimal number"),
        ("---\nrepo: x\n# Plan", "repo", "line 1: the front matter that begins here has no end"),
        ("---\nrepo: x\nforge: gitlab\n---\nx", "forge", "line 3: must be GitHub or Gitea"),
        ("---\ntitle: t\nrepo: ftp://refused\n---\nx", "repo", "line 3: must be http"),
    ];
    for (plan, field, message) in cases {
        let (status, problem) = world.answer(submit(&world, "dana", plan)).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
        let words = problem["errors"][0]["message"].as_str().unwrap();
        assert!(words.starts_with(message), "{words}");
    }
    let long = format!("{PLAN}{}", "x".repeat(40_000));
    let (status, problem) = world.answer(submit(&world, "dana", &long)).await;
    assert_eq!(status, 413);
    assert!(problem["detail"].as_str().unwrap().contains("planRef"), "{problem}");
    let huge = format!("{PLAN}{}", "x".repeat(1024 * 1024));
    assert_eq!(world.answer(submit(&world, "dana", &huge)).await.0, 413);
    let json = world.request("dana", Method::POST, "/run").json(&json!({}));
    assert_eq!(world.answer(json).await.0, 415);
}

#[tokio::test]
async fn who_waits_is_told_when_something_comes() {
    let world = World::start(&[]).await;
    world.grant_all();
    let status =
        |messages: Vec<Value>| json!({"phase": "Running", "conditions": [], "messages": messages});
    world.put_run("a", spec(), status(vec![message(1, "Started")])).await;
    let path = format!("{RUNS}/a/messages?after=1&wait=60");
    let (answer, ()) = tokio::join!(world.get("dana", &path), async {
        // Whether it waits already or not: it is told.
        let _ = world.get("dana", &format!("{RUNS}/a")).await;
        world.kubernetes.put_run("demo", "a", &spec(), &status(vec![message(2, "Finished")]));
    });
    assert_eq!(answer.1["items"][0]["seq"], 2);
    let soon = format!("{RUNS}/a/messages?after=2&wait=1");
    assert_eq!(world.get("dana", &soon).await, (200, json!({"items": []})));
}

#[tokio::test]
async fn a_long_plan_becomes_a_config_map_of_its_run() {
    let world = World::start(&["--long-plans", "true"]).await;
    world.grant_all();
    let long = format!("{PLAN}{}", "x".repeat(40_000));
    let keyed = |plan: &str| submit(&world, "dana", plan).header("idempotency-key", "k");
    let (status, first) = world.answer(keyed(&long)).await;
    assert_eq!(status, 202, "{first}");
    assert_eq!(world.answer(keyed(&long)).await, (202, first.clone()));
    assert_eq!(world.answer(keyed(&format!("{long}y"))).await.0, 422);
    let name = first["name"].as_str().unwrap();
    let (_, run) = world.get("dana", &format!("{RUNS}/{name}")).await;
    let reference = &run["spec"]["planRef"];
    assert_eq!(reference["name"], format!("{name}-plan"));
    assert_eq!((&run["spec"]["title"], run["spec"].get("plan")), (&json!("Fix the shop"), None));
    let made = world.kubernetes.config_maps();
    assert_eq!(made.len(), 1);
    let owner = &made[0]["metadata"]["ownerReferences"][0];
    assert_eq!((&owner["kind"], &owner["uid"]), (&json!("Run"), &run["uid"]));
    let text = made[0]["data"][reference["key"].as_str().unwrap()].as_str().unwrap();
    assert!(text.starts_with("# Fix the shop") && text.ends_with("xxx"));
    let (_, other) = world.answer(submit(&world, "dana", &long)).await;
    assert_ne!(other["name"], first["name"]);
}

#[tokio::test]
async fn a_retry_has_a_long_plan_of_its_own() {
    let world = World::start(&["--long-plans", "true"]).await;
    world.grant_all();
    let long = format!("{PLAN}{}", "ü".repeat(40_000));
    let (_, first) = world.answer(submit(&world, "dana", &long)).await;
    let name = first["name"].as_str().unwrap();
    let (_, run) = world.get("dana", &format!("{RUNS}/{name}")).await;
    let ended = json!({"phase": "Cancelled", "conditions": []});
    world.put_run(name, run["spec"].clone(), ended).await;
    let retry = || post(&world, &format!("{RUNS}/{name}/retry"));
    let (status, new) = world.answer(retry()).await;
    assert_eq!(status, 201, "{new}");
    let new_name = new["name"].as_str().unwrap();
    assert!(new_name.starts_with(&format!("{name}-")), "{new_name}");
    assert_eq!(new["spec"]["planRef"]["name"], format!("{new_name}-plan"));
    let made = world.kubernetes.config_maps();
    let of = |name: &str| {
        made.iter().find(|it| it["metadata"]["name"] == format!("{name}-plan")).unwrap().clone()
    };
    assert_eq!(of(name)["data"], of(new_name)["data"]);
    assert_eq!(of(new_name)["metadata"]["ownerReferences"][0]["uid"], new["uid"]);
    world.kubernetes.disown_config_maps();
    let (status, problem) = world.answer(retry()).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("send the plan again"), "{problem}");
    assert_eq!(world.answer(retry().json(&json!({"plan": "# Short"}))).await.0, 201);
}

#[tokio::test]
async fn a_run_whose_plan_cannot_be_kept_goes() {
    let world = World::start(&["--long-plans", "true"]).await;
    for verb in ["get", "create"] {
        world.kubernetes.grant(("dana", verb, "runs", "other", "*"));
    }
    let long = format!("{PLAN}{}", "x".repeat(40_000));
    let request = world.request("dana", Method::POST, "/run?namespace=other");
    let keyed = request.header("idempotency-key", "k").header("content-type", "text/markdown");
    let (status, problem) = world.answer(keyed.body(long)).await;
    assert_eq!(status, 403, "{problem}");
    let name = world.kubernetes.runs();
    assert!(name.is_empty(), "{name:?}");
}
