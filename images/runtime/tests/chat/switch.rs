//! The agent of a Terminal, switched on and off while the terminals stay.

use bytes::Bytes;
use fabrica_protocol::assertion::Role;
use fabrica_protocol::kterm::{
    Attach, AttachRole, ClientFrame, Hello, OpenRequest, ServerFrame, TerminalType, Terminals,
};
use fabrica_protocol::runtime::{AgentPower, AgentReport};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::forged::keep;
use crate::pod::{BRANCH, KEY, Pod, cli, model};
use crate::server::{PASSWORD, Server};
use crate::support::{Runtime, assertion, eventually, folder};
use crate::talk::Talk;

const SEEN: &str = "echo \"[$(env | grep -c -e _KEY= -e GIT_CONFIG_KEY)]\" en''d\r";

async fn terminal(server: &Server, command: &str, model: &str, more: &[(&str, &str)]) -> Pod {
    terminal_in(folder(), server, command, model, more).await
}

async fn terminal_in(
    folder: tempfile::TempDir,
    server: &Server,
    command: &str,
    model: &str,
    more: &[(&str, &str)],
) -> Pod {
    let mut variables = vec![
        ("REPO_URL", &*server.url),
        ("FABRICA_REPOSITORY_SECRET", "login"),
        ("FABRICA_REPOSITORY_token", PASSWORD),
        ("FABRICA_AGENT_COMMAND", command),
        ("FABRICA_AGENT_BASE_URL", model),
        ("FABRICA_CREDENTIAL_ANTHROPIC_API_KEY", KEY),
        // It wants to be told when its user is root, as tests may be.
        ("IS_SANDBOX", "1"),
    ];
    variables.extend(more);
    let pod = Pod(Runtime::begin_in(folder, &[], &variables));
    pod.0.ready().await;
    pod
}

async fn switch(pod: &Pod, on: bool) {
    let settings = json!({"FABRICA_RUN_BRANCH": BRANCH, "FABRICA_CHAT_WORKFLOW": "none", "FABRICA_CHAT_ATTEMPT": "1"});
    let body = json!({"on": on, "settings": if on { settings } else { json!({}) }});
    let answer = post(pod, &body, Role::Operator).await;
    assert_eq!(answer.status(), 204);
}

async fn post(pod: &Pod, body: &Value, role: Role) -> reqwest::Response {
    let request = reqwest::Client::new().post(pod.0.url("/v1/agent")).bearer_auth(assertion(role));
    request.body(body.to_string()).send().await.unwrap()
}

async fn report(pod: &Pod) -> AgentReport {
    pod.0.idle().await.agent.unwrap()
}

async fn comes_to(pod: &Pod, power: AgentPower) {
    eventually("the agent is so", async || report(pod).await.power == power).await;
}

/// What a shell has that is opened now: how many of the variables that only people may have.
async fn opened_now(pod: &Pod) -> String {
    let name = uuid::Uuid::new_v4().to_string();
    let greeting = Hello { client_id: name, visible: true, ..Hello::default() };
    let (mut client, welcome) = pod.0.greet(Role::Control, greeting).await;
    let known: Vec<u16> = welcome.terms.iter().map(|term| term.id).collect();
    let key = uuid::Uuid::new_v4().as_u128();
    client.send(&ClientFrame::Open { key, request: OpenRequest::default() }).await;
    let terminal = client
        .until(|frame| match frame {
            ServerFrame::Terms(Terminals { terms }) => {
                terms.iter().map(|term| term.id).find(|id| !known.contains(id))
            }
            _ => None,
        })
        .await;
    let role = AttachRole::Control;
    let attach = Attach { have: None, epoch: 0, history: 0, cols: 80, rows: 24, role };
    client.send(&ClientFrame::Attach { terminal, attach }).await;
    let bytes = Bytes::from_static(SEEN.as_bytes());
    client.send(&ClientFrame::Input { terminal, auto: false, offset: 0, bytes }).await;
    let seen = client.read_until("] end").await;
    client.send(&ClientFrame::Close { terminal, signal: 0 }).await;
    let (before, _) = seen.rsplit_once("] end").unwrap();
    before.rsplit('[').next().unwrap().to_owned()
}

/// The model's key, and how git asks for the repository's login.
const ALL: &str = "2";
const NONE: &str = "0";

#[tokio::test]
async fn an_image_without_the_agent_has_terminals_all_the_same() {
    let (server, model) = (Server::start().await, model().await);
    let pod = terminal(&server, "/nowhere/claude", &model.url(), &[]).await;
    assert_eq!((report(&pod).await.power, &*opened_now(&pod).await), (AgentPower::Off, ALL));
    let mut kept = pod.0.attach(Role::Control).await;
    switch(&pod, true).await;
    comes_to(&pod, AgentPower::Failed).await;
    let failed = report(&pod).await;
    assert_eq!(failed.reason.as_deref(), Some("AgentMissing"));
    assert!(failed.message.unwrap().contains("no Claude Code"));
    assert!(pod.0.ready_now().await, "the Session stays what it was");
    assert_eq!(opened_now(&pod).await, NONE, "an agent may come");
    kept.type_text(0, "echo still h''ere\r").await;
    kept.read_until("still here").await;
    let chat = Talk::connect(pod.0.address, &assertion(Role::Control), "c".to_owned()).await;
    assert!(chat.is_err(), "there is nobody to talk to");
    switch(&pod, false).await;
    comes_to(&pod, AgentPower::Off).await;
    assert_eq!(opened_now(&pod).await, ALL);
    assert_eq!(pod.0.idle().await.journal, None, "nothing was ever said");
}

/// A word that comes again changes nothing, and another spec is another word.
#[tokio::test]
async fn an_agent_whose_spec_is_another_one_is_started_anew() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let pod = terminal(&server, &cli, &model.url(), &[]).await;
    let on = async |spec: &str, autonomy: &str| {
        let settings = json!({"FABRICA_RUN_BRANCH": BRANCH, "FABRICA_CHAT_WORKFLOW": "none",
            "FABRICA_CHAT_ATTEMPT": "1", "FABRICA_CHAT_AUTONOMY": autonomy, "FABRICA_AGENT_SPEC": spec});
        let answer = post(&pod, &json!({"on": true, "settings": settings}), Role::Operator).await;
        assert_eq!(answer.status(), 204);
    };
    on("a", "assist").await;
    comes_to(&pod, AgentPower::On).await;
    assert_eq!(report(&pod).await.spec.as_deref(), Some("a"));
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    on("a", "autonomous").await;
    ada.send(
        &json!({"type": "start_workflow", "id": "w-1", "workId": "12", "autonomy": "autonomous"}),
    )
    .await;
    assert_eq!(ada.error().await["code"], "forbidden", "it goes on as it was told first");
    on("b", "autonomous").await;
    assert_eq!(ada.closed().await.0, 4503);
    assert_eq!(report(&pod).await.spec.as_deref(), Some("b"));
    comes_to(&pod, AgentPower::On).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.caught_up().await;
    ada.send(
        &json!({"type": "start_workflow", "id": "w-2", "workId": "12", "autonomy": "autonomous"}),
    )
    .await;
    ada.until("it begins", |it| it["type"] == "workflow_started").await;
}

#[tokio::test]
async fn without_a_key_the_agent_says_what_it_lacks() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let more = [("FABRICA_CREDENTIAL_ANTHROPIC_API_KEY", "")];
    let pod = terminal(&server, &cli, &model.url(), &more).await;
    switch(&pod, true).await;
    comes_to(&pod, AgentPower::Failed).await;
    assert_eq!(report(&pod).await.reason.as_deref(), Some("CredentialsMissing"));
}

#[tokio::test]
async fn only_the_operator_switches() {
    let (server, model) = (Server::start().await, model().await);
    let pod = terminal(&server, "/nowhere/claude", &model.url(), &[]).await;
    for role in [Role::Control, Role::View] {
        assert_eq!(post(&pod, &json!({"on": true}), role).await.status(), 403);
    }
    for wrong in [json!({}), json!({"on": "yes"}), json!({"on": true, "more": 1})] {
        assert_eq!(post(&pod, &wrong, Role::Operator).await.status(), 400, "{wrong}");
    }
    assert_eq!(report(&pod).await, AgentReport::default());
}

#[tokio::test]
async fn shells_get_nothing_before_it_is_known_whether_an_agent_is_to_work() {
    let (server, model) = (Server::start().await, model().await);
    let more = [("FABRICA_AGENT_STATE", "On")];
    let pod = terminal(&server, "/nowhere/claude", &model.url(), &more).await;
    assert_eq!((report(&pod).await.power, &*opened_now(&pod).await), (AgentPower::Unasked, NONE));
    switch(&pod, false).await;
    comes_to(&pod, AgentPower::Off).await;
    assert_eq!(opened_now(&pod).await, ALL);
    let repository = pod.0.workspace().join("repo");
    server.commit_elsewhere("main", "later");
    let mut shell = pod.0.attach(Role::Control).await;
    let fetch = format!("git -C {} fetch -q && echo fe''tched\r", repository.display());
    // The first shell was opened beside the agent that might have come: git asks it for a password.
    shell.type_text(0, &fetch).await;
    shell.read_until("Username").await;
}

#[tokio::test]
async fn an_agent_comes_and_goes_and_the_conversation_is_one() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let mut pod = terminal(&server, &cli, &model.url(), &[]).await;
    let mut kept = pod.0.attach(Role::Control).await;
    kept.type_text(0, "export MINE=yes; git config --global user.name ''Ada\r").await;
    switch(&pod, true).await;
    comes_to(&pod, AgentPower::On).await;
    assert_eq!(opened_now(&pod).await, NONE);
    let mut ada = pod.talk_answering("ada").await;
    ada.say("m-1", "scenario: chat").await;
    ada.text("Hello, I am the scripted model.").await;
    // What the operator keeps is heard here too, and what it saw used up.
    keep(&pod, 1, json!({"estimatedCostUSD": "0.5", "turns": 1})).await;
    ada.until("it is told", |it| it["step"] == "journal" && it["kind"] == "failed").await;
    ada.say("m-2", "scenario: long-tool").await;
    ada.until("the tool", |it| it["kind"] == "tool_use").await;
    let welcome = ada.welcome.clone();
    switch(&pod, false).await;
    assert_eq!(ada.closed().await.0, 4503);
    comes_to(&pod, AgentPower::Off).await;
    assert_eq!(opened_now(&pod).await, ALL);
    let journal = pod.0.idle().await.journal;
    assert_eq!(journal, Some(1), "what was said can still be kept");
    switch(&pod, true).await;
    comes_to(&pod, AgentPower::On).await;
    let hello = json!({"journalId": welcome["journalId"], "after": 0});
    let mut ada = pod.talk_with("ada", Role::Control, true, hello).await;
    assert_eq!(ada.welcome["journalId"], welcome["journalId"]);
    let missed = ada.caught_up().await;
    assert!(missed.iter().any(|it| it["id"] == "m-1" && it["state"] == "completed"));
    let is_over = |it: &Value| it["text"] == "The agent was interrupted.";
    assert!(missed.iter().any(is_over), "it does not go on by itself: {missed:?}");
    ada.say("m-3", "scenario: chat").await;
    ada.text("Hello, I am the scripted model.").await;
    let told = model.asked().last().unwrap().question.to_string();
    assert!(told.contains("scenario: long-tool"), "it is the same conversation");
    let (_, watcher) = pod.0.greet(Role::View, crate::support::hello("watcher", None, None)).await;
    let agents = watcher.terms.iter().filter(|term| term.terminal_type == TerminalType::Agent);
    assert_eq!(agents.count(), 1, "what it ran is in a terminal: {:?}", watcher.terms);
    let at = u64::try_from("export MINE=yes; git config --global user.name ''Ada\r".len()).unwrap();
    kept.type_text(at, "echo $MINE $(git config user.name) en''d\r").await;
    assert!(kept.read_until(" end").await.contains("yes Ada end"), "the shell is the same");
    // The next pod gives shells nothing before it is told.
    pod.signal(Signal::TERM);
    pod.exit().await;
    let pod = terminal_in(pod.0.folder, &server, &cli, &model.url(), &[]).await;
    assert_eq!((report(&pod).await.power, &*opened_now(&pod).await), (AgentPower::Unasked, NONE));
    switch(&pod, true).await;
    comes_to(&pod, AgentPower::On).await;
    let hello = json!({"journalId": welcome["journalId"], "after": 0});
    let ada = pod.talk_with("ada", Role::Control, true, hello).await;
    assert_eq!(ada.welcome["journalId"], welcome["journalId"]);
}
