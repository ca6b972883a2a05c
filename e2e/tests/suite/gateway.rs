//! The gateway: who may come in, what they see, and what they are told when they may not.

use anyhow::{Context, Result, ensure};
use fabrica_crds::Session;
use fabrica_e2e::cluster::{eventually, wait_gone, with_namespace};
use fabrica_e2e::gateway::decode;
use fabrica_e2e::{Gateway, Namespace};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::DeleteParams;
use reqwest::Method;
use serde_json::{Value, json};

use crate::lifecycle::editor;

fn sessions(namespace: &Namespace) -> String {
    format!("/api/v1/namespaces/{}/sessions", namespace.name)
}

#[tokio::test]
async fn health_and_openapi_are_open_and_nothing_else_is() {
    with_namespace(|namespace| async move {
        let stranger = Gateway::new(None)?;
        ensure!(stranger.request(Method::GET, "/health").send().await?.status() == 200);
        let (status, document) = stranger.get("/openapi.json").await?;
        ensure!(status == 200 && document["openapi"].is_string());
        for path in ["/api/v1/me", "/api/v1/sessions", &sessions(&namespace)] {
            let (status, body) = stranger.get(path).await?;
            ensure!(status == 401 && body["title"].is_string(), "{path}: {status} {body}");
        }
        let forged = Gateway::new(Some("not-a-token"))?;
        ensure!(forged.get("/api/v1/me").await?.0 == 401);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_login_is_a_cookie_that_needs_its_origin() {
    with_namespace(|namespace| async move {
        let token = editor(&namespace).await?;
        let stranger = Gateway::new(None)?;
        let login = stranger
            .request(Method::POST, "/api/v1/login")
            .header("content-type", "application/json")
            .header("origin", &stranger.url)
            .body(json!({"token": token}).to_string())
            .send()
            .await?;
        ensure!(login.status().is_success(), "{}", login.status());
        let cookie = login.headers()["set-cookie"].to_str()?.to_owned();
        ensure!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        ensure!(!cookie.contains(&token), "the cookie carries the token");
        let cookie = cookie.split(';').next().context("a cookie")?.to_owned();
        let create = |origin: Option<&str>, name: &str| {
            let request = stranger
                .request(Method::POST, &sessions(&namespace))
                .header("cookie", &cookie)
                .header("content-type", "application/json")
                .body(json!({"name": name, "spec": {}}).to_string());
            match origin {
                Some(origin) => request.header("origin", origin),
                None => request,
            }
        };
        ensure!(create(None, "a").send().await?.status() == 403, "no Origin");
        ensure!(
            create(Some("https://evil.test"), "b").send().await?.status() == 403,
            "a foreign Origin"
        );
        let (status, body) = decode(create(Some(&stranger.url), "c").send().await?).await?;
        ensure!(status == 201, "{status} {body}");
        let (status, me) = decode(
            stranger.request(Method::GET, "/api/v1/me").header("cookie", &cookie).send().await?,
        )
        .await?;
        ensure!(status == 200 && me.to_string().contains(&namespace.name), "{me}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_session_lives_over_rest() {
    with_namespace(|namespace| async move {
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let path = sessions(&namespace);
        let spec = json!({"workspace": {"size": "64Mi"}});
        let (status, made) = gateway.post(&path, &json!({"name": "rest", "spec": spec})).await?;
        ensure!(status == 201 && made["uid"].is_string(), "{status} {made}");
        let (status, again) = gateway.post(&path, &json!({"name": "rest", "spec": spec})).await?;
        ensure!(status == 409, "{status} {again}");
        namespace.await_ready("rest").await?;
        let one = format!("{path}/rest");
        ensure!(gateway.get(&one).await?.1["status"]["phase"] == "Running");
        let (status, _) = gateway.post(&format!("{one}/suspend"), &Value::Null).await?;
        ensure!(status == 200, "{status}");
        wait_gone(&namespace.api::<Pod>(), "rest-session").await?;
        let (status, _) = gateway.post(&format!("{one}/resume"), &Value::Null).await?;
        ensure!(status == 200, "{status}");
        namespace.await_ready("rest").await?;
        ensure!(gateway.delete(&one).await?.0.is_success());
        wait_gone(&namespace.api::<Session>(), "rest").await?;
        ensure!(gateway.get(&one).await?.0 == 404);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn lists_filter_and_page() {
    with_namespace(|namespace| async move {
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let spec = json!({"workspace": {"size": "64Mi"}, "operatingMode": "Suspended"});
        for number in 0..5 {
            namespace.session(&format!("page-{number}"), spec.clone()).await?;
        }
        let path = sessions(&namespace);
        eventually("five stopped Sessions in the list", || async {
            let (_, list) = gateway.get(&format!("{path}?phase=Stopped")).await?;
            Ok((list["items"].as_array().context("items")?.len() == 5).then_some(()))
        })
        .await?;
        let (mut seen, mut next) = (Vec::new(), String::new());
        loop {
            let (status, page) = gateway.get(&format!("{path}?limit=2&continue={next}")).await?;
            ensure!(status == 200, "{page}");
            let items = page["items"].as_array().context("items")?;
            ensure!(items.len() <= 2);
            seen.extend(items.iter().map(|item| item["name"].clone()));
            match page["continue"].as_str() {
                Some(token) => token.clone_into(&mut next),
                None => break,
            }
        }
        ensure!(seen == ["page-0", "page-1", "page-2", "page-3", "page-4"], "{seen:?}");
        ensure!(gateway.get(&format!("{path}?phase=Running")).await?.1["items"] == json!([]));
        ensure!(gateway.get(&format!("{path}?phase=Dancing")).await?.0.is_client_error());
        ensure!(gateway.get(&format!("{path}?continue=rubbish")).await?.0.is_client_error());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_one_may_not_see_does_not_exist() {
    with_namespace(|namespace| async move {
        namespace.session("hidden", json!({})).await?;
        namespace
            .create::<k8s_openapi::api::core::v1::ServiceAccount>(
                json!({"metadata": {"name": "nobody"}}),
            )
            .await?;
        let nobody =
            Gateway::new(Some(&namespace.cluster.token(&namespace.name, "nobody").await?))?;
        let path = sessions(&namespace);
        ensure!(nobody.get(&format!("{path}/hidden")).await?.0 == 404);
        ensure!(nobody.delete(&format!("{path}/hidden")).await?.0 == 404);
        let (status, everywhere) = nobody.get("/api/v1/sessions").await?;
        ensure!(status == 200 && !everywhere.to_string().contains("hidden"), "{everywhere}");
        let viewer = Gateway::new(Some(&namespace.user("viewer", "view").await?))?;
        ensure!(viewer.get(&format!("{path}/hidden")).await?.0 == 200);
        let (status, body) = viewer.delete(&format!("{path}/hidden")).await?;
        ensure!(status == 403, "{status} {body}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_revoked_right_is_gone_within_the_cache_time() {
    with_namespace(|namespace| async move {
        namespace.session("seen", json!({})).await?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let one = format!("{}/seen", sessions(&namespace));
        ensure!(gateway.get(&one).await?.0 == 200);
        namespace.api::<RoleBinding>().delete("editor", &DeleteParams::default()).await?;
        eventually("404 after the binding is gone", || async {
            Ok((gateway.get(&one).await?.0 == 404).then_some(()))
        })
        .await
    })
    .await;
}

#[tokio::test]
async fn changes_arrive_as_events() {
    with_namespace(|namespace| async move {
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let path = format!("/api/v1/namespaces/{}/events", namespace.name);
        let answer = gateway.request(Method::GET, &path).send().await?;
        ensure!(answer.status() == 200, "{}", answer.status());
        let mut stream = answer.bytes_stream();
        let mut text = String::new();
        namespace.session("told", json!({})).await?;
        let reading = async {
            while !(text.contains("event: snapshot") && text.contains("\"Running\"")) {
                let chunk = stream.next().await.context("the stream ended")??;
                text += &String::from_utf8_lossy(&chunk);
            }
            namespace.api::<Session>().delete("told", &DeleteParams::default()).await?;
            while !text.contains("event: deleted") {
                let chunk = stream.next().await.context("the stream ended")??;
                text += &String::from_utf8_lossy(&chunk);
            }
            anyhow::Ok(())
        };
        let outcome = tokio::time::timeout(fabrica_e2e::cluster::DEADLINE, reading).await;
        outcome.with_context(|| text.clone())?
    })
    .await;
}

#[tokio::test]
async fn files_go_up_and_down_and_nowhere_else() {
    with_namespace(|namespace| async move {
        namespace.ready_session("files", json!({})).await?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let files = format!("{}/files/files", sessions(&namespace));
        let body = vec![7_u8; 3 << 20];
        let put = gateway
            .request(Method::PUT, &format!("{files}/up/load.bin"))
            .body(body.clone())
            .send()
            .await?;
        ensure!(put.status().is_success(), "{} {}", put.status(), put.text().await?);
        let got = gateway.request(Method::GET, &format!("{files}/up/load.bin")).send().await?;
        ensure!(got.status() == 200 && got.bytes().await? == body);
        let (status, listing) = gateway.get(&format!("{files}/up")).await?;
        ensure!(status == 200 && listing.to_string().contains("load.bin"), "{status} {listing}");
        ensure!(gateway.get(&format!("{files}/none")).await?.0 == 404);
        for outside in
            ["..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "up/..%2f..%2f..%2fetc%2fpasswd"]
        {
            let (status, body) = gateway.get(&format!("{files}/{outside}")).await?;
            ensure!(status.is_client_error(), "{outside}: {status} {body}");
        }
        symlinks_lead_nowhere(&namespace, &gateway, &files).await?;
        let viewer = Gateway::new(Some(&namespace.user("viewer", "view").await?))?;
        let put = viewer.request(Method::PUT, &format!("{files}/no")).body("x").send().await?;
        ensure!(put.status().is_client_error(), "{}", put.status());
        Ok(())
    })
    .await;
}

async fn symlinks_lead_nowhere(
    namespace: &Namespace,
    gateway: &Gateway,
    files: &str,
) -> Result<()> {
    let mut terminal = crate::lifecycle::open_terminal(namespace, "files").await?;
    terminal.run("ln -s /etc /workspace/out; ln -s /etc/passwd /workspace/passwd").await?;
    for link in ["out/passwd", "passwd"] {
        let (status, body) = gateway.get(&format!("{files}/{link}")).await?;
        ensure!(status.is_client_error(), "{link}: {status} {body}");
    }
    let put = gateway.request(Method::PUT, &format!("{files}/out/x")).body("x").send().await?;
    ensure!(put.status().is_client_error(), "{}", put.status());
    Ok(())
}
