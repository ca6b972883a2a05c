//! Answers to the questions of a Run's agent.

use axum::Json;
use axum::extract::{Request, State};
use fabrica_crds::Run;
use fabrica_crds::run::{Answer, OpenQuestion};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::access::{Question, Verb};
use crate::api::body::read_json;
use crate::api::caller::Caller;
use crate::api::named::Named;
use crate::api::objects::write::{change, living, permitted_in};
use crate::app::App;
use crate::objects::RunView;
use crate::problem::Problem;

/// The longest answer, as the CRD has it.
const TEXT_BYTES: usize = 4096;

/// The longest id, as the CRD has it.
const ID_BYTES: usize = 128;

/// How much of a user's name stands beside the answer, as the CRD has it, in characters.
const NAME_CHARACTERS: usize = 256;

/// How often the answer is written when others answer other questions at the same time.
const WRITES: usize = 3;

/// An answer. It is given once and never changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRun {
    /// Of the question: `status.escalation.id`.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    id: String,
    /// At most 4096 bytes. Where the question has options, one of them or anything else.
    #[schema(min_length = 1, max_length = 4096)]
    text: String,
}

/// Answers the question that a run waits for. It goes on when its agent has the answer.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/runs/{name}/answers", tag = "runs", request_body = AnswerRun,
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The run's name")),
    responses(
        (status = 200, description = "The run with the answer", body = RunView),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "You may see the run and not answer it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is answered already, or this is not the open question; the detail says which is", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields are wrong; errors names them", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn answer_run(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Run>,
    request: Request,
) -> Result<Json<RunView>, Problem> {
    let (parts, body) = request.into_parts();
    let AnswerRun { id, text } = read_json(&parts.headers, body).await?;
    let question = Question::answers(Verb::Create, &key);
    let mut run = permitted_in(&app, &identity, question, living::<Run>(&app, &key)).await?;
    check(&id, &text)?;
    let answered_by = identity.name().chars().take(NAME_CHARACTERS).collect();
    let answer = Answer { id, text, answered_by: Some(answered_by) };
    let mut writes = 0;
    loop {
        let answers = answered(&run, answer.clone())?;
        writes += 1;
        let problem = match change(&app, &run, json!({"answers": answers})).await {
            Ok(run) => {
                let (user, id) = (identity.name(), &answer.id);
                tracing::info!(user, %key, id, "answered");
                return Ok(run);
            }
            Err(problem) => problem,
        };
        // The API server lets no answer go: somebody else's came in between, or this one is wrong.
        if problem.status != StatusCode::UNPROCESSABLE_ENTITY.as_u16() || writes == WRITES {
            return Err(problem);
        }
        run = living::<Run>(&app, &key).await?;
    }
}

fn check(id: &str, text: &str) -> Result<(), Problem> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !(1..=ID_BYTES).contains(&id.len()) || !id.bytes().all(letter) {
        let message = format!(
            "must be 1 to {ID_BYTES} letters, digits, '_' and '-': copy status.escalation.id"
        );
        return Err(Problem::invalid("id", message));
    }
    if !(1..=TEXT_BYTES).contains(&text.len()) {
        return Err(Problem::invalid("text", format!("must be 1 to {TEXT_BYTES} bytes long")));
    }
    Ok(())
}

/// All answers of a Run and this one, when it is the one that the Run waits for.
fn answered(run: &RunView, answer: Answer) -> Result<Vec<Answer>, Problem> {
    let conflict = |detail: String| Err(Problem::new(StatusCode::CONFLICT, detail));
    let mut answers = run.spec.answers.clone().unwrap_or_default();
    if let Some(given) = answers.iter().find(|given| given.id == answer.id) {
        let by =
            given.answered_by.as_deref().map_or_else(String::new, |user| format!(" by {user}"));
        return conflict(format!("The question {} is answered already{by}.", answer.id));
    }
    let open = run.status.as_ref().and_then(|status| status.escalation.as_ref());
    match open {
        Some(OpenQuestion { id, .. }) if *id == answer.id => {
            answers.push(answer);
            Ok(answers)
        }
        Some(OpenQuestion { id, .. }) => {
            conflict(format!("The run does not wait for {}; the open question is {id}.", answer.id))
        }
        None => conflict("The run waits for no answer: no question is open.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::Value;

    use super::*;

    fn answer(id: &str) -> Answer {
        Answer { id: id.to_owned(), text: "yes".to_owned(), answered_by: None }
    }

    #[rstest]
    #[case::open(json!([{"id": "q1", "text": "a"}]), Some("q2"), "q2", Ok(2))]
    #[case::first(Value::Null, Some("q1"), "q1", Ok(1))]
    #[case::given(json!([{"id": "q1", "text": "a", "answeredBy": "eve"}]), Some("q1"), "q1", Err("by eve"))]
    #[case::another(Value::Null, Some("q2"), "q1", Err("open question is q2"))]
    #[case::none(Value::Null, None, "q1", Err("no question is open"))]
    fn the_open_question_is_answered_once(
        #[case] answers: Value,
        #[case] open: Option<&str>,
        #[case] id: &str,
        #[case] expected: Result<usize, &str>,
    ) {
        let open = open.map(|id| {
            json!({"id": id, "kind": "Approval", "question": "May I?",
                "askedAt": "2026-01-01T00:00:00Z", "dueAt": "2026-01-02T00:00:00Z"})
        });
        let run: Run = serde_json::from_value(json!({
            "apiVersion": "fabrica.dev/v1alpha1", "kind": "Run", "metadata": {"name": "a"},
            "spec": {"repository": {"url": "https://git.example.com/a"}, "plan": "x", "answers": answers},
            "status": {"phase": "Escalated", "escalation": open},
        }))
        .unwrap();
        let found = answered(&run.into(), answer(id));
        match expected {
            Ok(count) => assert_eq!(found.unwrap().len(), count),
            Err(words) => {
                let problem = found.unwrap_err();
                assert_eq!(problem.status, 409);
                assert!(problem.detail.contains(words), "{}", problem.detail);
            }
        }
    }

    #[rstest]
    #[case("toolu_01-a", "yes", None)]
    #[case("", "yes", Some("id"))]
    #[case("a b", "yes", Some("id"))]
    #[case("a", "", Some("text"))]
    fn fields_are_checked(#[case] id: &str, #[case] text: &str, #[case] field: Option<&str>) {
        let found = check(id, text).err().map(|problem| problem.errors[0].field.clone());
        assert_eq!(found.as_deref(), field);
        assert!(check("a", &"ä".repeat(TEXT_BYTES)).is_err());
    }
}
