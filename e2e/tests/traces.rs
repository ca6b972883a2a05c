//! One trace from the request that creates a Session or a Run to what its agent does and asks of the forge, seen by a receiver
//! that stands where a collector would. The chart is told of it, which replaces operator and gateway, so it is a binary of its own.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use fabrica_crds::Session;
use fabrica_crds::run::Phase;
use fabrica_e2e::chat::Chat;
use fabrica_e2e::cluster::{SYSTEM_NAMESPACE, eventually, with_namespace};
use fabrica_e2e::forge::{Forge, ForgeRepository};
use fabrica_e2e::helm::{chart, succeed};
use fabrica_e2e::run::phase_of;
use fabrica_e2e::scenario::{said, tool, words};
use fabrica_e2e::traces::{Receiver, Span};
use fabrica_e2e::{Gateway, Namespace};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

const RELEASE: &str = "fabrica";
/// How long helm waits for Deployments.
const TIMEOUT: &str = "3m";
/// What a caller of ours may have begun.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test]
async fn a_session_and_a_run_are_one_trace_from_their_creation_to_their_calls_of_the_forge() {
    with_namespace(|namespace| async move {
        let receiver = Receiver::start().await?;
        let values = present_values()?;
        install(&values, &["--set", &format!("telemetry.otlpEndpoint={}", receiver.url)])?;
        let outcome = tokio::spawn(async move { traced(&namespace, &receiver).await }).await;
        // Whatever happened: the tests after this one find the release they know.
        install(&values, &[])?;
        outcome?
    })
    .await;
}

async fn traced(namespace: &Namespace, receiver: &Receiver) -> Result<()> {
    let forge = Forge::new()?;
    namespace.agent_secret(&forge).await?;
    let repository = forge.repository().await?;
    let done = async {
        let item = forge.issue(&repository, "Add one and two", "scenario: happy\n").await?;
        let chat = talk(namespace, &repository, item).await?;
        Ok::<_, anyhow::Error>((chat, work(namespace, &repository, item).await?))
    };
    let done = done.await;
    forge.delete(&repository).await?;
    let (chat, run) = done?;
    let of_the_chat = [
        ("fabrica-gateway", "create Session"),
        ("fabrica-operator", "start"),
        ("fabrica-runtime", "step clone"),
        ("fabrica-runtime", "turn"),
        ("fabrica-runtime", "tool Bash"),
        // It asks the forge for the item.
        ("fabrica-runtime", "tool mcp__fractary-work__issue_fetch"),
    ];
    is_one_trace(receiver, &chat, &of_the_chat).await?;
    let of_the_run = [
        ("fabrica-gateway", "create Run"),
        ("fabrica-operator", "start"),
        // The runtime's own calls of the forge: the item, the branch, the pull request.
        ("fabrica-runtime", "step workItem"),
        ("fabrica-runtime", "step push"),
        ("fabrica-runtime", "step pullRequest"),
    ];
    is_one_trace(receiver, &run, &of_the_run).await
}

/// Waits for these spans of an object, service and name each; all that it has are of the one trace.
async fn is_one_trace(receiver: &Receiver, uid: &str, wanted: &[(&str, &str)]) -> Result<()> {
    let spans = eventually("the whole trace is there", || async {
        let spans: Vec<_> = receiver.spans().into_iter().filter(|span| span.uid == uid).collect();
        let has = |(service, name): &(&str, &str)| {
            spans.iter().any(|span: &Span| span.service == *service && span.name == *name)
        };
        Ok(wanted.iter().all(has).then_some(spans))
    })
    .await
    .with_context(|| format!("{:#?}", receiver.spans()))?;
    ensure!(spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    let starts = spans.iter().filter(|span| span.name == "start").count();
    ensure!(starts == 1, "a start is told {starts} times");
    Ok(())
}

/// Creates a Session or a Run over REST, with a trace of the caller's.
async fn create(gateway: &Gateway, path: &str, name: &str, spec: &Value) -> Result<()> {
    let request = gateway
        .request(reqwest::Method::POST, path)
        .header("content-type", "application/json")
        .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
        .body(json!({"name": name, "spec": spec}).to_string());
    let (status, answer) = fabrica_e2e::gateway::decode(request.send().await?).await?;
    ensure!(status == 201, "{status} {answer}");
    Ok(())
}

/// A Chat whose agent uses a tool of its own and asks the forge for the item; the Session's UID.
async fn talk(namespace: &Namespace, repository: &ForgeRepository, item: i64) -> Result<String> {
    let gateway = Gateway::new(Some(&namespace.user("editor", "edit").await?))?;
    let spec = json!({"mode": "Chat", "workflow": "None", "repository": {"url": repository.url, "forge": "Gitea"}});
    let path = format!("/api/v1/namespaces/{}/sessions", namespace.name);
    create(&gateway, &path, "traced", &spec).await?;
    namespace.await_ready("traced").await?;
    let session = namespace.api::<Session>().get("traced").await?;
    let annotation = session.annotations().get("fabrica.dev/traceparent").cloned();
    ensure!(annotation.is_some_and(|text| text.contains(TRACE)), "{:?}", session.annotations());
    let pod = namespace.api::<Pod>().get("traced-session").await?;
    let told = serde_json::to_string(&pod.spec)?;
    ensure!(told.contains("TRACEPARENT") && told.contains(TRACE), "{told}");
    let mut ada = Chat::connect(&gateway, &namespace.name, "traced").await?;
    ada.say("m-1", "Look.\nscenario: chat-tool").await?;
    ada.text("It is found.").await?;
    let fetch = tool("work__issue_fetch", &json!({"issue_number": item.to_string()}));
    ada.say("m-2", &words(&[fetch, said("It is read.")])).await?;
    ada.text("It is read.").await?;
    session.uid().context("a UID")
}

/// A Run of the item, which ends with a pull request; its UID.
async fn work(namespace: &Namespace, repository: &ForgeRepository, item: i64) -> Result<String> {
    let gateway = Gateway::new(Some(&namespace.user("worker", "edit").await?))?;
    let spec = json!({"workId": format!("#{item}"), "agent": {"driver": "Claude"},
        "repository": {"url": repository.url, "forge": "Gitea"}});
    let path = format!("/api/v1/namespaces/{}/runs", namespace.name);
    create(&gateway, &path, "worked", &spec).await?;
    let run = namespace.await_end("worked").await?;
    ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);
    run.uid().context("a UID")
}

fn present_values() -> Result<NamedTempFile> {
    let values =
        succeed(&["get", "values", RELEASE, "--namespace", SYSTEM_NAMESPACE, "--output", "yaml"])?;
    let mut file = NamedTempFile::with_suffix(".yaml")?;
    file.write_all(values.as_bytes())?;
    Ok(file)
}

fn install(values: &NamedTempFile, flags: &[&str]) -> Result<()> {
    let (file, chart) = (values.path().to_string_lossy().into_owned(), chart());
    let common = [
        "upgrade",
        RELEASE,
        &chart,
        "--namespace",
        SYSTEM_NAMESPACE,
        "--values",
        &file,
        "--wait",
        "--timeout",
        TIMEOUT,
    ];
    succeed(&[&common[..], flags].concat()).map(drop)
}
