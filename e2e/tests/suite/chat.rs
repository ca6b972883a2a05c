//! Sessions in mode Chat: the real agent, whose model is scripted, talked to through the gateway and by kubectl alone.

use anyhow::{Context, Result, ensure};
use fabrica_crds::Session;
use fabrica_crds::session::{PendingApproval, PhaseStatus};
use fabrica_e2e::archive::{check_numbers, messages};
use fabrica_e2e::chat::{Chat, path};
use fabrica_e2e::cluster::{eventually, wait_for};
use fabrica_e2e::forge::ForgeRepository;
use fabrica_e2e::session::condition;
use fabrica_e2e::terminal::{Terminal, closed, open};
use fabrica_e2e::{Gateway, Namespace};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::agent_runs::with_repository;
use crate::lifecycle::editor;

pub(crate) const HELLO: &str = "Hello, I am the scripted model.";

/// A plain conversation.
pub(crate) fn conversation(repository: &ForgeRepository) -> Value {
    json!({"mode": "Chat", "workflow": "None", "repository": {"url": repository.url, "forge": "Gitea"}})
}

/// An agent that works on this item.
fn faber(repository: &ForgeRepository, number: i64) -> Value {
    json!({"mode": "Chat", "workId": number.to_string(),
        "repository": {"url": repository.url, "forge": "Gitea"}})
}

/// A Chat that is ready, and a client of an editor's.
pub(crate) async fn talk(namespace: &Namespace, name: &str, spec: Value) -> Result<Chat> {
    namespace.ready_session(name, spec).await?;
    let gateway = Gateway::new(Some(&editor(namespace).await?))?;
    Chat::connect(&gateway, &namespace.name, name).await
}

/// The question that a Chat's status shows, once there is one.
async fn pending(namespace: &Namespace, name: &str, words: &str) -> Result<PendingApproval> {
    let open = |session: &Session| {
        let faber = session.status.as_ref()?.faber.as_ref()?;
        faber.pending_approvals.iter().find(|asked| asked.question.contains(words)).cloned()
    };
    let session = namespace.await_session(name, words, |session| open(session).is_some()).await?;
    open(&session).context("a question")
}

/// Everything that FABER leaves: five phases, a pull request, what it cost.
fn has_released(session: &Session) -> Result<()> {
    let status = session.status.as_ref().context("a status")?;
    let faber = status.faber.as_ref().context("phases")?;
    let names: Vec<_> = faber.phases.iter().map(|phase| phase.name.as_str()).collect();
    ensure!(names == ["frame", "architect", "build", "evaluate", "release"], "{faber:?}");
    let done = faber.phases.iter().all(|phase| phase.status == PhaseStatus::Completed);
    ensure!(done && faber.pending_approvals.is_empty() && faber.todos.len() == 2, "{faber:?}");
    let usage = status.usage.as_ref().context("usage")?;
    ensure!(usage.output_tokens > 0 && usage.estimated_cost_usd != "0", "{usage:?}");
    Ok(())
}

#[tokio::test]
async fn people_talk_to_an_agent_and_all_of_it_is_kept() {
    with_repository(|namespace, place| async move {
        let mut ada = talk(&namespace, "talk", conversation(&place.1)).await?;
        ensure!(ada.welcome["role"] == "control" && ada.welcome["mayAnswer"] == true);
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut second = Chat::connect(&gateway, &namespace.name, "talk").await?;
        ada.say("m-1", "Look.\nscenario: chat-tool").await?;
        ada.text("It is found.").await?;
        ada.until("m-1 is done", |it| it["id"] == "m-1" && it["state"] == "completed").await?;
        second.until("m-1 is done", |it| it["id"] == "m-1" && it["state"] == "completed").await?;
        let said = ada.of("user_message");
        let author = format!("system:serviceaccount:{}:editor", namespace.name);
        ensure!(said[0]["author"] == author.as_str(), "{said:?}");
        let states: Vec<_> =
            said.iter().map(|it| it["state"].as_str().unwrap_or_default()).collect();
        ensure!(states == ["queued", "started", "completed"], "{said:?}");
        let tools = ada.of("claude_message");
        ensure!(
            tools.iter().any(|it| it["kind"] == "tool_use" && it["name"] == "Bash"),
            "{tools:?}"
        );
        for (seq, told) in &second.records {
            ensure!(
                ada.records.get(seq) == Some(told),
                "two clients see two conversations: {told:?}"
            );
        }
        // People and agent work in the same files.
        let mut terminal = Terminal::connect(&gateway, &namespace.name, "talk").await?;
        ensure!(terminal.run("cat /workspace/repo/found").await?.contains("found"));
        let secrets = terminal.run("env").await?;
        ensure!(!secrets.contains("ANTHROPIC_API_KEY="), "a shell of a Chat sees a key");
        let session = namespace.api::<Session>().get("talk").await?;
        let rows = eventually("everything is archived", || async {
            let rows = messages(&session).await?;
            Ok((rows.len() as u64 >= ada.newest()).then_some(rows))
        })
        .await?;
        check_numbers(&rows)?;
        let list =
            format!("/api/v1/namespaces/{}/sessions/talk/messages?limit=500", namespace.name);
        let (status, list) = gateway.get(&list).await?;
        ensure!(status == 200 && list.to_string().contains("It is found."), "{status} {list}");
        let session = namespace.api::<Session>().get("talk").await?;
        ensure!(condition(&session, "Recorded") == Some(("Unknown", "Recording")));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_item_goes_through_faber_to_its_pull_request() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        let number = forge.issue(repository, "The door squeaks", "scenario: faber\n").await?;
        let mut ada = talk(&namespace, "faber", faber(repository, number)).await?;
        let asked = match ada.of("question").first() {
            Some(asked) => (*asked).clone(),
            None => ada.question().await?,
        };
        ensure!(asked["options"] == json!(["olive", "sewing machine"]), "{asked}");
        pending(&namespace, "faber", "Which oil?").await?;
        ada.answer(&asked, "olive").await?;
        let approval = ada
            .until("the approval", |it| it["kind"] == "approval" && it["state"] == "open")
            .await?;
        ensure!(
            forge.pull_requests(repository).await?.is_empty(),
            "published before it was approved"
        );
        ada.answer(&approval, "approve").await?;
        let done = ada.until("the end", |it| it["type"] == "workflow_complete").await?;
        ensure!(done["exitCode"] == 0, "{done}");
        let pulls = forge.pull_requests(repository).await?;
        ensure!(pulls.len() == 1 && pulls[0]["html_url"] == done["prUrl"], "{pulls:?} {done}");
        let body = pulls[0]["body"].as_str().unwrap_or_default();
        ensure!(body.contains(&format!("#{number}")), "{body}");
        let session = namespace
            .await_session("faber", "a pull request", |session| {
                let status = session.status.as_ref();
                status.is_some_and(|status| status.pull_request_url.is_some())
            })
            .await?;
        has_released(&session)
    })
    .await;
}

#[tokio::test]
async fn kubectl_alone_is_enough() {
    with_repository(|namespace, place| async move {
        let (forge, repository) = &*place;
        let number = forge.issue(repository, "The door squeaks", "scenario: faber\n").await?;
        namespace.session("alone", faber(repository, number)).await?;
        let oil = pending(&namespace, "alone", "Which oil?").await?;
        ensure!(oil.options == ["olive", "sewing machine"], "{oil:?}");
        let first = json!({"id": oil.id, "text": "olive"});
        namespace.patch_spec("alone", json!({"answers": [first]})).await?;
        let approval = pending(&namespace, "alone", "pull request").await?;
        let second = json!({"id": approval.id, "text": "approve"});
        namespace.patch_spec("alone", json!({"answers": [first, second]})).await?;
        let session = namespace
            .await_session("alone", "a pull request", |session| {
                let status = session.status.as_ref();
                status.is_some_and(|status| status.pull_request_url.is_some())
            })
            .await?;
        has_released(&session)?;
        ensure!(forge.pull_requests(repository).await?.len() == 1);
        let error = namespace
            .patch_spec("alone", json!({"answers": [first]}))
            .await
            .expect_err("an answer taken back")
            .to_string();
        ensure!(error.contains("never changes and never goes"), "{error}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn who_comes_back_gets_exactly_what_was_missed() {
    with_repository(|namespace, place| async move {
        let mut ada = talk(&namespace, "back", conversation(&place.1)).await?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut sleeper = Chat::connect(&gateway, &namespace.name, "back").await?;
        let known = sleeper.newest();
        sleeper.raw(Message::Close(None)).await?;
        ada.say("m-1", "Hi.\nscenario: chat").await?;
        ada.text(HELLO).await?;
        let end = ada.until("done", |it| it["id"] == "m-1" && it["state"] == "completed").await?;
        sleeper.resume().await?;
        ensure!(!sleeper.was_reset, "the journal is the same one");
        let until = end["seq"].as_u64().unwrap_or_default();
        ensure!(
            sleeper.records.range(known + 1..=until).eq(ada.records.range(known + 1..=until)),
            "{:?}\n{:?}",
            sleeper.records,
            ada.records
        );
        // A journal that nobody knows: everything, from the beginning.
        sleeper.welcome["journalId"] = json!("00000000-0000-4000-8000-000000000000");
        sleeper.resume().await?;
        ensure!(sleeper.was_reset && sleeper.records.keys().next() == ada.records.keys().next());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn rights_to_read_to_speak_and_to_answer_are_apart() {
    with_repository(|namespace, place| async move {
        let mut ada = talk(&namespace, "rights", conversation(&place.1)).await?;
        ada.say("m-1", "Ask.\nscenario: chat-ask").await?;
        let asked = ada.question().await?;
        let reader = Gateway::new(Some(&namespace.user("reader", "view").await?))?;
        let mut reading = Chat::connect(&reader, &namespace.name, "rights").await?;
        ensure!(reading.welcome["role"] == "view" && reading.welcome["mayAnswer"] == false);
        ensure!(!reading.of("question").is_empty());
        reading.say("m-2", "Me too.").await?;
        reading.until("forbidden", |it| it["code"] == "forbidden").await?;
        reading.answer(&asked, "red").await?;
        reading.until("forbidden", |it| it["code"] == "forbidden").await?;
        let answers = format!("/api/v1/namespaces/{}/sessions/rights/answers", namespace.name);
        let id = asked["questionId"].clone();
        let (status, body) = reader.post(&answers, &json!({"id": id, "text": "red"})).await?;
        ensure!(status == 403, "{status} {body}");
        // Who sees the Session and not its chat.
        namespace
            .create::<Role>(json!({"metadata": {"name": "looker"}, "rules": [
                {"apiGroups": ["fabrica.dev"], "resources": ["sessions"], "verbs": ["get", "list"]}]}))
            .await?;
        let token = namespace.user("guest", "system:basic-user").await?;
        namespace
            .create::<RoleBinding>(json!({"metadata": {"name": "looker"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "looker"},
                "subjects": [{"kind": "ServiceAccount", "name": "guest", "namespace": namespace.name}]}))
            .await?;
        let place = path(&namespace.name, "rights");
        for (token, code) in [(Some(token.as_str()), 4403), (None, 4401)] {
            let gateway = Gateway::new(token)?;
            let mut socket = open(&gateway, &place, Some("fabrica.chat.v1")).await?;
            ensure!(closed(&mut socket).await?.0 == code, "{code}");
        }
        // Two at once: one wins, the other is told who.
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        // A chat shows a question at once; whoever answers over REST has read it in the status.
        pending(&namespace, "rights", "Which colour?").await?;
        let (status, body) = gateway.post(&answers, &json!({"id": id, "text": "blue"})).await?;
        ensure!(status == 200, "{status} {body}");
        ada.until("answered", |it| it["type"] == "question" && it["state"] == "answered").await?;
        ada.answer(&asked, "red").await?;
        let late = ada.until("too late", |it| it["code"] == "already_answered").await?;
        ensure!(late["message"].to_string().contains("editor"), "{late}");
        ada.text("So be it.").await.map(|_| ())
    })
    .await;
}

/// Deletes a Chat's pod, and waits until another is ready.
async fn lose_pod(namespace: &Namespace, name: &str) -> Result<Session> {
    let (pods, pod) = (namespace.api::<Pod>(), format!("{name}-session"));
    let before = pods.get(&pod).await?.uid();
    pods.delete(&pod, &DeleteParams::default()).await?;
    wait_for(&pods, &pod, "replaced", |pod| pod.is_some_and(|pod| pod.uid() != before)).await?;
    namespace
        .await_session(name, "ready again", |session| {
            let status = session.status.as_ref();
            condition(session, "Ready") == Some(("True", "Ready"))
                && status.is_some_and(|status| status.starts == Some(2))
        })
        .await
}

#[tokio::test]
async fn a_conversation_goes_on_in_its_volume_and_begins_anew_without_one() {
    with_repository(|namespace, place| async move {
        let mut kept = conversation(&place.1);
        kept["workspace"] = json!({"size": "512Mi"});
        for (name, spec, goes_on) in [("kept", kept, true), ("lost", conversation(&place.1), false)]
        {
            let mut ada = talk(&namespace, name, spec).await?;
            ada.say("m-1", "Hi.\nscenario: chat").await?;
            ada.text(HELLO).await?;
            ada.until("done", |it| it["id"] == "m-1" && it["state"] == "completed").await?;
            let cost = |session: &Session| {
                let usage = session.status.as_ref()?.usage.as_ref()?;
                Some(usage.output_tokens)
            };
            let before = namespace
                .await_session(name, "what it cost", |session| cost(session).is_some())
                .await?;
            lose_pod(&namespace, name).await?;
            ada.resume().await?;
            ensure!(ada.was_reset != goes_on, "{name}: {}", ada.welcome);
            ensure!(ada.of("user_message").is_empty() != goes_on, "{name}: {:?}", ada.records);
            ada.say("m-2", "Still there?\nscenario: chat").await?;
            ada.until("done", |it| it["id"] == "m-2" && it["state"] == "completed").await?;
            let number = if goes_on { 1 } else { 2 };
            let after = namespace
                .await_session(name, "what both cost", |session| {
                    cost(session) > cost(&before)
                        && session.status.as_ref().is_some_and(|status| {
                            status.conversation.as_ref().is_some_and(|it| it.number == number)
                        })
                })
                .await?;
            let rows = eventually("everything is archived", || async {
                let rows = messages(&after).await?;
                let said = |row: &fabrica_e2e::archive::Row| {
                    row.content.to_string().contains("Still there?")
                };
                Ok(rows.iter().any(said).then_some(rows))
            })
            .await?;
            check_numbers(&rows)?;
            let last = rows.last().map(|row| row.attempt);
            ensure!(last == Some(number), "{name}: {last:?}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_suspended_has_everything_archived_and_goes_on() {
    with_repository(|namespace, place| async move {
        let mut spec = conversation(&place.1);
        spec["workspace"] = json!({"size": "512Mi"});
        let mut ada = talk(&namespace, "rests", spec).await?;
        ada.say("m-1", "Hi.\nscenario: chat").await?;
        ada.text(HELLO).await?;
        namespace.patch_spec("rests", json!({"operatingMode": "Suspended"})).await?;
        namespace
            .await_session("rests", "archived", |session| {
                condition(session, "Recorded") == Some(("True", "AllRecorded"))
            })
            .await?;
        namespace.patch_spec("rests", json!({"operatingMode": "Running"})).await?;
        namespace.await_ready("rests").await?;
        ada.resume().await?;
        ensure!(!ada.was_reset && ada.of("user_message").len() >= 2, "{:?}", ada.records);
        Ok(())
    })
    .await;
}
