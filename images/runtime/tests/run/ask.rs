//! Questions of the real Claude Code: held, put off, answered.

use fabrica_protocol::assertion::Role;
use fabrica_protocol::run::{Entry, Outcome, QuestionKind};
use serde_json::json;

use crate::claude::{begin, cli, entries, journal, model, settled};
use crate::pod::{BRANCH, End, Pod};
use crate::server::{Server, git};

pub async fn answer(pod: &Pod, id: &str, text: &str) -> u16 {
    let body = json!({"id": id, "text": text, "answeredBy": "ada"}).to_string();
    pod.post("/v1/answers", &body, Role::Operator).await
}

/// The id of the question, once it is asked.
pub async fn asked(pod: &Pod) -> String {
    pod.until("a question", |entry| matches!(entry, Entry::Question(_))).await;
    let id = pod.records().await.into_iter().find_map(|record| match record.entry {
        Entry::Question(question) => Some(question.id),
        _ => None,
    });
    id.unwrap()
}

/// What the model was told, when it asked for the last time.
pub fn is_told(model: &fabrica_model_api::ModelApi, words: &str) -> bool {
    model.asked().last().unwrap().question.to_string().contains(words)
}

pub fn is_done(server: &Server, end: &End) {
    assert_eq!(end.verdict.outcome, Outcome::Completed, "{}", journal(end));
    assert_eq!(git(&server.repository(), &["ls-tree", "--name-only", BRANCH]), "README\none\ntwo");
    let answered = |entry: &&&Entry| matches!(entry, Entry::Answered { answered_by, .. } if answered_by == "ada");
    assert_eq!(entries(end).iter().filter(answered).count(), 1, "{}", journal(end));
    let asked = |entry: &&&Entry| matches!(entry, Entry::Question(_));
    assert_eq!(entries(end).iter().filter(asked).count(), 1, "{}", journal(end));
}

#[tokio::test]
async fn a_question_is_held_until_somebody_answers() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    // The agent may say nothing for as long as a human does, and no time passes for the Run.
    let more = [("FABRICA_AGENT_SILENCE_SECONDS", "2"), ("FABRICA_RUN_SECONDS", "20")];
    let pod = begin(&server, &model, &cli, "scenario: ask", &more).await;
    let id = asked(&pod).await;
    let question = pod.records().await.into_iter().find_map(|record| match record.entry {
        Entry::Question(question) => Some(question),
        _ => None,
    });
    let question = question.unwrap();
    assert_eq!(
        (question.kind, &*question.question, &*question.options),
        (QuestionKind::Selection, "Which colour?", &["red".to_owned(), "blue".to_owned()][..])
    );
    let waiting = tokio::time::Instant::now() + std::time::Duration::from_secs(21);
    tokio::time::sleep_until(waiting).await;
    assert_eq!(answer(&pod, &id, "blue").await, 200);
    assert_eq!(answer(&pod, &id, "blue").await, 200);
    assert_eq!(answer(&pod, &id, "red").await, 409);
    let body = json!({"id": id, "text": "red"}).to_string();
    assert_eq!(pod.post("/v1/answers", &body, Role::Control).await, 403);
    let end = settled(pod).await;
    is_done(&server, &end);
    assert!(is_told(&model, "The answer of ada is: blue"), "{}", journal(&end));
}

#[tokio::test]
async fn a_question_that_was_put_off_is_asked_again_in_place() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let more = [("FABRICA_QUESTION_HOLD_SECONDS", "1")];
    let pod = begin(&server, &model, &cli, "scenario: ask", &more).await;
    let id = asked(&pod).await;
    let workspace = pod.0.workspace();
    crate::support::eventually("the agent's program ends", async || {
        let running = std::process::Command::new("pgrep").arg("-f").arg(&workspace).output();
        running.is_ok_and(|running| running.stdout.is_empty())
    })
    .await;
    assert_eq!(answer(&pod, &id, "blue").await, 200);
    let end = settled(pod).await;
    is_done(&server, &end);
    assert!(is_told(&model, "The answer of ada is: blue"), "{}", journal(&end));
}

#[tokio::test]
async fn an_answer_may_come_before_its_question() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let pod = begin(&server, &model, &cli, "scenario: ask", &[]).await;
    pod.until("its doors are open", |_| true).await;
    // The scripted model numbers its calls by the questions that it was asked.
    for number in 0..5 {
        assert_eq!(answer(&pod, &format!("toolu_scripted_{number}_0"), "blue").await, 200);
    }
    let end = settled(pod).await;
    is_done(&server, &end);
}
