//! Searching forges: who may, what is found, and what is said of a forge that does not answer.

use std::net::SocketAddr;

use fabrica_test_network::own_address;
use rstest::rstest;
use serde_json::{Value, json};

use crate::common::World;
use crate::common::forge::Forge;

const DOOR: &str = "The door squeaks";

/// A gateway that knows this forge, with a file that may hold its token.
async fn world(kind: &str, address: SocketAddr, token: Option<&std::path::Path>) -> World {
    let mut forge = json!({"kind": kind, "url": format!("http://{address}/")});
    if let Some(token) = token {
        forge["tokenFile"] = json!(token);
    }
    let world = World::start(&["--forges", &json!([forge]).to_string()]).await;
    world.grant_all();
    world
}

#[rstest]
#[case(
    "Gitea",
    "/api/v1/repos/search?q=sho&",
    "/api/v1/repos/team/shop/issues?type=issues&state=open&"
)]
#[case(
    "GitHub",
    "/api/v3/search/repositories?q=sho+in%3Aname",
    "/api/v3/search/issues?q=repo%3Ateam%2Fshop+is%3Aissue"
)]
#[tokio::test]
async fn both_kinds_are_searched_with_the_gateways_token(
    #[case] kind: &str,
    #[case] repositories: &str,
    #[case] items: &str,
) {
    let (forge, address) = Forge::start().await;
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "secret-of-the-forge\n").unwrap();
    let world = world(kind, address, Some(token.path())).await;

    let (status, list) = world.get("dana", "/api/v1/forges").await;
    let url = format!("http://{address}");
    let expected = json!([{"id": 0, "kind": kind, "url": url, "authenticated": true}]);
    assert_eq!((status, &list["items"]), (200, &expected));

    let (status, found) = world.get("dana", "/api/v1/forges/0/repositories?q=sho").await;
    let expected = json!([{"name": "team/shop", "url": format!("{url}/team/shop.git"), "description": "A shop", "private": true}]);
    assert_eq!((status, &found["items"]), (200, &expected));

    let path = "/api/v1/forges/0/work-items?repository=team/shop&q=door";
    let (status, found) = world.get("dana", path).await;
    assert_eq!(
        (status, &found["items"]),
        (200, &json!([{"number": 12, "title": DOOR, "open": true}]))
    );

    let asked = forge.asked();
    assert_eq!(asked.len(), 2);
    for ((target, login), expected) in asked.iter().zip([repositories, items]) {
        assert!(target.starts_with(expected), "{target}");
        assert_eq!(login.as_deref(), Some("Bearer secret-of-the-forge"));
    }
}

#[tokio::test]
async fn an_answer_is_remembered_and_a_token_need_not_be_there() {
    let (forge, address) = Forge::start().await;
    let folder = tempfile::tempdir().unwrap();
    let world = world("GitHub", address, Some(&folder.path().join("0"))).await;
    let (_, list) = world.get("dana", "/api/v1/forges").await;
    assert_eq!(list["items"][0]["authenticated"], false);
    for _ in 0..3 {
        assert_eq!(world.get("dana", "/api/v1/forges/0/repositories?q=sho").await.0, 200);
    }
    // GitHub lists nothing to nobody: it is not asked.
    let (status, found) = world.get("dana", "/api/v1/forges/0/repositories").await;
    assert_eq!((status, &found["items"]), (200, &json!([])));
    let asked = forge.asked();
    assert_eq!((asked.len(), &asked[0].1), (1, &None));
}

#[tokio::test]
async fn a_number_is_an_item_or_nothing() {
    let (_, address) = Forge::start().await;
    let world = world("Gitea", address, None).await;
    for (query, expected) in [("%2312", 1), ("12", 1), ("13", 0)] {
        let path = format!("/api/v1/forges/0/work-items?repository=team/shop&q={query}");
        let (status, found) = world.get("dana", &path).await;
        assert_eq!((status, found["items"].as_array().map(Vec::len)), (200, Some(expected)));
    }
    let path = "/api/v1/forges/0/work-items?repository=team/other";
    assert_eq!(world.get("dana", path).await.0, 404);
}

#[tokio::test]
async fn who_may_create_nothing_searches_nothing() {
    let (forge, address) = Forge::start().await;
    let world = world("Gitea", address, None).await;
    for verb in ["get", "list"] {
        world.kubernetes.grant(("viewer", verb, "sessions", "demo", "*"));
    }
    world.kubernetes.grant(("runner", "create", "runs", "demo", "*"));
    let paths = [
        "/api/v1/forges",
        "/api/v1/forges/0/repositories?q=x",
        "/api/v1/forges/0/work-items?repository=team/shop",
    ];
    for path in paths {
        assert_eq!(world.get("viewer", path).await.0, 403, "{path}");
        assert_eq!(world.get("runner", path).await.0, 200, "{path}");
        let stranger = world.client.get(format!("{}{path}", world.url));
        assert_eq!(world.answer(stranger).await.0, 401, "{path}");
    }
    assert_eq!(forge.asked().len(), 2);
}

#[rstest]
#[case::unknown("1/repositories", 404)]
#[case::no_number("x/repositories", 400)]
#[case::no_repository("0/work-items", 400)]
#[case::path("0/work-items?repository=../user", 400)]
#[case::deep("0/work-items?repository=team/shop/hooks", 400)]
#[case::unknown_field("0/repositories?page=2", 400)]
#[tokio::test]
async fn what_makes_no_sense_reaches_no_forge(#[case] path: &str, #[case] expected: u16) {
    let (forge, address) = Forge::start().await;
    let world = world("Gitea", address, None).await;
    let (status, problem) = world.get("dana", &format!("/api/v1/forges/{path}")).await;
    assert_eq!((status, problem["detail"].is_string()), (expected, true), "{problem}");
    assert_eq!(problem["errors"][0]["field"].is_string(), status == 400, "{problem}");
    assert_eq!(forge.asked(), []);
}

#[rstest]
#[case::token(401, "", 502, "an administrator has to renew it")]
#[case::scope(403, "", 502, "an administrator has to allow it")]
#[case::limit(429, "7", 429, "try again in 7 s")]
#[case::broken(500, "", 502, "cannot be searched now")]
#[case::moved(302, "", 502, "cannot be searched now")]
#[case::no_json(200, "", 502, "cannot be searched now")]
#[tokio::test]
async fn a_forge_that_fails_is_named(
    #[case] status: u16,
    #[case] retry_after: &'static str,
    #[case] expected: u16,
    #[case] words: &str,
) {
    let (forge, address) = Forge::start().await;
    forge.fail(status, retry_after);
    let world = world("Gitea", address, None).await;
    let (status, problem) = world.get("dana", "/api/v1/forges/0/repositories?q=x").await;
    let detail = problem["detail"].as_str().unwrap();
    assert_eq!(status, expected, "{detail}");
    assert!(detail.contains(words) && detail.contains(&address.to_string()), "{detail}");
    assert_eq!(forge.asked().len(), 1);
}

#[tokio::test]
async fn a_forge_that_is_away_leaves_the_field() {
    let world = world("GitHub", own_address(), None).await;
    let (status, problem) = world.get("dana", "/api/v1/forges/0/repositories?q=x").await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(status == 502 && detail.contains("give the address by hand"), "{detail}");
}

#[tokio::test]
async fn without_forges_there_are_none() {
    let world = World::start(&[]).await;
    world.grant_all();
    assert_eq!(world.get("dana", "/api/v1/forges").await, (200, json!({"items": []})));
}

#[rstest]
#[case(&[], json!(true), Value::Null)]
#[case(&["--chat-enabled", "false", "--run-budget-usd", "2.50"], json!(false), json!("2.50"))]
#[case(&["--run-budget-usd", ""], json!(true), Value::Null)]
#[tokio::test]
async fn the_caller_is_told_what_forms_need(
    #[case] flags: &[&str],
    #[case] chat: Value,
    #[case] budget: Value,
) {
    let world = World::start(flags).await;
    let (_, me) = world.get("dana", "/api/v1/me").await;
    assert_eq!((&me["chatEnabled"], &me["defaultBudgetUSD"]), (&chat, &budget));
}
