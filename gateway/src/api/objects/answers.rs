//! Answers to the questions of an agent.

use axum::Json;
use axum::extract::Request;
use fabrica_crds::parts::Answer;
use fabrica_crds::{Run, RunSpec, RunStatus, Session, SessionSpec, SessionStatus};
use fabrica_protocol::run::{DECISION, decides};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::write::{change, living, permitted_in};
use crate::access::{Question, Verb};
use crate::api::body::read_json;
use crate::app::App;
use crate::identity::Identity;
use crate::names::ObjectKey;
use crate::objects::{Served, View};
use crate::problem::Problem;

/// The longest answer, as the CRD has it.
const TEXT_BYTES: usize = 4096;

/// The longest id, as the CRD has it.
const ID_BYTES: usize = 128;

/// How much of a user's name stands beside the answer, as the CRD has it, in characters.
const NAME_CHARACTERS: usize = 256;

/// How often the answer is written when others answer other questions at the same time.
const WRITES: usize = 3;

/// What is wrong with an answer that would reject without saying so.
const UNDECIDED: &str = "must be approve or reject, alone or with a comment behind a colon, such as: reject: what is to change";

/// An answer. It is given once and never changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveAnswer {
    /// Of the question: `status.escalation.id` of a run, `status.faber.pendingApprovals[].id` of a session.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    id: String,
    /// At most 4096 bytes. Any words; where the options are `approve` and `reject`, one of them, alone or as in `approve: a comment`.
    #[schema(min_length = 1, max_length = 4096)]
    text: String,
}

/// A resource whose agent asks.
pub trait Asking: Served {
    /// The answers that were given.
    fn answers(spec: &Self::Spec) -> Vec<Answer>;

    /// The questions that wait for one.
    fn open(status: &Self::Status) -> Vec<Open<'_>>;
}

/// A question that waits for its answer.
#[derive(Debug)]
pub struct Open<'a> {
    id: &'a str,
    /// Whether the runtime itself reads the answer, as leave or a refusal. An agent understands any words.
    decides: bool,
}

impl Asking for Run {
    fn answers(spec: &RunSpec) -> Vec<Answer> {
        spec.answers.clone().unwrap_or_default()
    }

    fn open(status: &RunStatus) -> Vec<Open<'_>> {
        status.escalation.iter().map(|open| Open { id: &open.id, decides: false }).collect()
    }
}

impl Asking for Session {
    fn answers(spec: &SessionSpec) -> Vec<Answer> {
        spec.answers.clone().unwrap_or_default()
    }

    fn open(status: &SessionStatus) -> Vec<Open<'_>> {
        let open = status.faber.iter().flat_map(|faber| &faber.pending_approvals);
        open.map(|open| Open { id: &open.id, decides: open.options == DECISION }).collect()
    }
}

/// Takes the answer in a body, from whoever may give one.
pub async fn answer<R: Asking>(
    app: &App,
    identity: &Identity,
    key: &ObjectKey,
    request: Request,
) -> Result<Json<View<R>>, Problem> {
    let (parts, body) = request.into_parts();
    let GiveAnswer { id, text } = read_json(&parts.headers, body).await?;
    let question = Question::part(R::KIND, "answers", Verb::Create, key);
    let mut view = permitted_in(app, identity, question, living::<R>(app, key)).await?;
    check(&id, &text)?;
    let answered_by = identity.name().chars().take(NAME_CHARACTERS).collect();
    let answer = Answer { id, text, answered_by: Some(answered_by) };
    let mut writes = 0;
    loop {
        let answers = answered(&view, answer.clone())?;
        writes += 1;
        let problem = match change(app, &view, json!({"answers": answers})).await {
            Ok(view) => {
                let (user, id) = (identity.name(), &answer.id);
                tracing::info!(user, %key, id, "answered");
                return Ok(view);
            }
            Err(problem) => problem,
        };
        // The API server lets no answer go: somebody else's came in between, or this one is wrong.
        if problem.status != StatusCode::UNPROCESSABLE_ENTITY.as_u16() || writes == WRITES {
            return Err(problem);
        }
        view = living::<R>(app, key).await?;
    }
}

fn check(id: &str, text: &str) -> Result<(), Problem> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !(1..=ID_BYTES).contains(&id.len()) || !id.bytes().all(letter) {
        let message =
            format!("must be 1 to {ID_BYTES} letters, digits, '_' and '-': copy the question's id");
        return Err(Problem::invalid("id", message));
    }
    if !(1..=TEXT_BYTES).contains(&text.len()) {
        return Err(Problem::invalid("text", format!("must be 1 to {TEXT_BYTES} bytes long")));
    }
    Ok(())
}

/// All answers of an object and this one, when it is one that is waited for.
fn answered<R: Asking>(view: &View<R>, answer: Answer) -> Result<Vec<Answer>, Problem> {
    let conflict = |detail: String| Err(Problem::new(StatusCode::CONFLICT, detail));
    let mut answers = R::answers(&view.spec);
    let open = view.status.as_ref().map(R::open).unwrap_or_default();
    let asked = open.iter().find(|open| open.id == answer.id);
    if let Some(given) = answers.iter().find(|given| given.id == answer.id) {
        let by =
            given.answered_by.as_deref().map_or_else(String::new, |user| format!(" by {user}"));
        // An answer may stand there for a question that nobody has asked: kubectl can write any.
        return conflict(match asked {
            Some(_) => format!("The question {} is answered already{by}.", answer.id),
            None => format!(
                "No question {} is open, and spec.answers holds an answer to it already{by}.",
                answer.id
            ),
        });
    }
    let noun = R::KIND.noun();
    if let Some(asked) = asked {
        if asked.decides && !decides(&answer.text) {
            return Err(Problem::invalid("text", UNDECIDED));
        }
        answers.push(answer);
        Ok(answers)
    } else if open.is_empty() {
        conflict(format!("The {noun} waits for no answer: no question is open."))
    } else {
        let open: Vec<_> = open.iter().map(|open| open.id).collect();
        let open = open.join(", ");
        conflict(format!(
            "The {noun} does not wait for {}; the open question is {open}.",
            answer.id
        ))
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
    #[case::not_open(json!([{"id": "q1", "text": "a", "answeredBy": "eve"}]), None, "q1", Err("No question q1 is open"))]
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
        let found = answered(&View::<Run>::from(run), answer(id));
        match expected {
            Ok(count) => assert_eq!(found.unwrap().len(), count),
            Err(words) => {
                let problem = found.unwrap_err();
                assert_eq!(problem.status, 409);
                assert!(problem.detail.contains(words), "{}", problem.detail);
            }
        }
    }

    #[test]
    fn a_session_may_wait_for_more_than_one() {
        let asked = |id| json!({"id": id, "kind": "Approval", "question": "May I?", "askedAt": "2026-01-01T00:00:00Z"});
        let session: Session = serde_json::from_value(json!({
            "apiVersion": "fabrica.dev/v1alpha1", "kind": "Session", "metadata": {"name": "a"},
            "spec": {"mode": "Chat"},
            "status": {"faber": {"pendingApprovals": [asked("q1"), asked("q2")]}},
        }))
        .unwrap();
        let view = View::<Session>::from(session);
        assert_eq!(answered(&view, answer("q2")).unwrap().len(), 1);
        assert!(answered(&view, answer("q3")).unwrap_err().detail.contains("q1, q2"));
    }

    #[rstest]
    #[case("approve", true)]
    #[case(" Approved, but be quick", true)]
    #[case("approve only after the tests pass", false)]
    #[case("Approve button is still broken, fix it first", false)]
    #[case("reject: no test", true)]
    #[case("yes please", false)]
    #[case("I do not approve", false)]
    fn leave_is_given_or_refused_in_so_many_words(#[case] text: &str, #[case] taken: bool) {
        let session: Session = serde_json::from_value(json!({
            "apiVersion": "fabrica.dev/v1alpha1", "kind": "Session", "metadata": {"name": "a"},
            "spec": {"mode": "Chat"},
            "status": {"faber": {"pendingApprovals": [
                {"id": "q1", "kind": "Approval", "question": "May I?", "options": ["approve", "reject"], "askedAt": "2026-01-01T00:00:00Z"},
                {"id": "q2", "kind": "Approval", "question": "May I?", "askedAt": "2026-01-01T00:00:00Z"},
            ]}},
        }))
        .unwrap();
        let view = View::<Session>::from(session);
        let given = |id| answered(&view, Answer { text: text.to_owned(), ..answer(id) });
        let refused =
            given("q1").err().map(|problem| (problem.status, problem.errors[0].field.clone()));
        assert_eq!(refused, (!taken).then(|| (422, "text".to_owned())));
        assert!(given("q2").is_ok(), "an agent understands any words");
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
