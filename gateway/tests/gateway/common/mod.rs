//! A gateway on addresses of its own, before a fake API server and a stand-in for the runtime.

pub(crate) mod forge;
pub(crate) mod kubernetes;
pub(crate) mod pod;

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use fabrica_gateway::config::Config;
use fabrica_gateway::flags::Flags;
use fabrica_test_network::own_address;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::kubernetes::Kubernetes;

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running gateway and what is around it.
pub(crate) struct World {
    pub(crate) kubernetes: Kubernetes,
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) client: Client,
    pub(crate) stop: CancellationToken,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

impl World {
    /// Starts a gateway with these flags and waits until it is ready.
    pub(crate) async fn start(flags: &[&str]) -> Self {
        let (kubernetes, api) = Kubernetes::start().await;
        let (address, admin) = (own_address(), own_address());
        let (address_text, admin_text) = (address.to_string(), admin.to_string());
        let mut arguments = vec![
            "gateway",
            "--address",
            &address_text,
            "--admin-address",
            &admin_text,
            "--drain-seconds",
            "0",
        ];
        arguments.extend(flags);
        let config = Config::try_from(Flags::parse_from(arguments)).unwrap();
        let client =
            kube::Client::try_from(kube::Config::new(format!("http://{api}").parse().unwrap()))
                .unwrap();
        let stop = CancellationToken::new();
        let serving = fabrica_gateway::gateway::serve(config, client, stop.clone());
        let task = tokio::spawn(async move { serving.await.unwrap() });
        let world = Self {
            kubernetes,
            url: format!("http://{address}"),
            address,
            admin,
            client: Client::new(),
            stop,
            task,
        };
        let ready = format!("http://{admin}/readyz");
        until(async || {
            world.client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        world
    }

    /// A request with a bearer token of this user.
    pub(crate) fn request(&self, user: &str, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(format!("{user}-token"))
    }

    /// The status and body of a request.
    pub(crate) async fn answer(&self, request: RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap();
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// GET as this user.
    pub(crate) async fn get(&self, user: &str, path: &str) -> (u16, Value) {
        self.answer(self.request(user, Method::GET, path)).await
    }

    /// Logs in and gives the cookie, as a browser sends it.
    pub(crate) async fn login(&self, user: &str) -> String {
        let body = json!({"token": format!("{user}-token")});
        let answer = self
            .client
            .post(format!("{}/api/v1/login", self.url))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// Puts a Session there and waits until the gateway lists it to `dana`, who must be able to get it.
    pub(crate) async fn put(&self, name: &str, spec: Value, status: Value) {
        let session = self.kubernetes.put("demo", name, &spec, &status);
        let version = session["metadata"]["resourceVersion"].clone();
        until(async || {
            let (_, list) = self.get("dana", "/api/v1/sessions").await;
            let items = list["items"].as_array().cloned().unwrap_or_default();
            items.iter().any(|item| item["name"] == name && item["resourceVersion"] == version)
        })
        .await;
    }

    /// Puts a Run there and waits until the gateway lists it to `dana`.
    pub(crate) async fn put_run(&self, name: &str, spec: Value, status: Value) {
        let run = self.kubernetes.put_run("demo", name, &spec, &status);
        let version = run["metadata"]["resourceVersion"].clone();
        until(async || {
            let (_, list) = self.get("dana", "/api/v1/runs").await;
            let items = list["items"].as_array().cloned().unwrap_or_default();
            items.iter().any(|item| item["name"] == name && item["resourceVersion"] == version)
        })
        .await;
    }

    /// Takes a Run out and waits until the gateway has noticed.
    pub(crate) async fn remove_run(&self, name: &str) {
        self.kubernetes.remove_run("demo", name).unwrap();
        until(async || {
            let (_, list) = self.get("dana", "/api/v1/runs").await;
            let items = list["items"].as_array().cloned().unwrap_or_default();
            items.iter().all(|item| item["name"] != name)
        })
        .await;
    }

    /// Grants dana everything in the namespace demo.
    pub(crate) fn grant_all(&self) {
        for verb in ["get", "list", "create", "patch", "delete"] {
            self.kubernetes.grant(("dana", verb, "sessions", "demo", "*"));
            self.kubernetes.grant(("dana", verb, "runs", "demo", "*"));
        }
        for resource in ["runs/answers", "sessions/answers"] {
            self.kubernetes.grant(("dana", "create", resource, "demo", "*"));
        }
        for verb in ["get", "create"] {
            for resource in ["sessions/terminal", "sessions/chat"] {
                self.kubernetes.grant(("dana", verb, resource, "demo", "*"));
            }
        }
    }
}

/// Waits until something is true.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "it did not come true in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A status of a Session whose pod has this address.
pub(crate) fn running(ip: impl std::fmt::Display) -> Value {
    json!({"phase": "Running", "podIP": ip.to_string(), "conditions": []})
}
