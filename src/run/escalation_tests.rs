use super::super::tests::defaults;
use super::*;
use crate::children::agent::UNNAMED;
use fabrica_crds::run::QuestionKind;
use fabrica_protocol::run::Question;
use rstest::rstest;
use serde_json::{Value, json};

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn asked(seconds: i64, id: &str) -> Record {
    let question = Question {
        id: id.to_owned(),
        kind: told::QuestionKind::Selection,
        question: "ä".repeat(3000),
        options: vec!["o".repeat(300); 12],
    };
    Record { seq: 1, time: time(seconds), entry: Entry::Question(question) }
}

fn answered(seconds: i64, id: &str) -> Record {
    let entry =
        Entry::Answered { id: id.to_owned(), text: "yes".to_owned(), answered_by: String::new() };
    Record { seq: 2, time: time(seconds), entry }
}

/// One attempt, begun at 90 and running since 100.
fn status() -> RunStatus {
    let attempt = Attempt {
        number: 1,
        created_at: Some(to_kubernetes(time(90))),
        started_at: Some(to_kubernetes(time(100))),
        ..Attempt::default()
    };
    RunStatus { attempts: vec![attempt], ..RunStatus::default() }
}

fn spec(fields: &Value) -> RunSpec {
    let mut spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"}});
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    serde_json::from_value(spec).unwrap()
}

#[rstest]
#[case::nothing(&[], None, 0, 400)]
#[case::open(&[asked(200, "a")], Some("a"), 0, 100)]
#[case::answered(&[asked(200, "a"), answered(300, "a")], None, 100, 300)]
#[case::twice(&[asked(200, "a"), answered(250, "a"), asked(300, "b"), answered(310, "b")], None, 60, 340)]
#[case::asked_again(&[asked(200, "a"), asked(250, "a")], Some("a"), 0, 100)]
#[case::the_older_first(&[asked(200, "a"), asked(250, "b"), answered(300, "a")], Some("b"), 100, 100)]
#[case::side_by_side(&[asked(200, "a"), asked(250, "b"), answered(300, "a"), answered(350, "b")], None, 150, 250)]
#[case::one_within_another(&[asked(200, "a"), asked(250, "b"), answered(260, "b"), answered(300, "a")], None, 100, 300)]
#[case::what_nobody_asked(&[answered(300, "a")], None, 0, 400)]
#[case::no_id(&[asked(200, "a b")], None, 0, 400)]
fn questions_are_followed_and_their_time_is_no_running_time(
    #[case] records: &[Record],
    #[case] open: Option<&str>,
    #[case] waited: i64,
    #[case] running: i64,
) {
    let spec = spec(&json!({}));
    let once = after(status(), records, 1, &spec);
    let id = once.escalation.as_ref().map(|asked| &*asked.id);
    assert_eq!((id, once.attempts[0].waiting_seconds.unwrap_or_default()), (open, waited));
    assert_eq!(used(&once, time(500)).num_seconds(), running);
    assert_eq!(after(once.clone(), records, 1, &spec), once, "a journal that is read again");
}

#[test]
fn a_question_is_bounded_and_due() {
    let spec = spec(&json!({"escalation": {"timeoutSeconds": 60}}));
    let open = after(status(), &[asked(200, "a")], 1, &spec).escalation.unwrap();
    assert_eq!(open.due_at, to_kubernetes(time(260)));
    assert_eq!((open.question.chars().count(), open.options.len()), (2048, 10));
    assert_eq!((open.options[0].len(), open.kind), (200, QuestionKind::Selection));
}

const WHO: &str = "ada";

#[rstest]
#[case::nobody(json!({}), 100, None, false)]
#[case::somebody(json!({"answers": [{"id": "a", "text": "yes", "answeredBy": "ada"}]}), 100, Some(("yes", WHO)), false)]
#[case::another(json!({"answers": [{"id": "b", "text": "yes"}]}), 100, None, false)]
#[case::too_late(json!({}), 700_000, None, true)]
#[case::soon(json!({"escalation": {"timeoutSeconds": 60}}), 259, None, false)]
#[case::late(json!({"escalation": {"timeoutSeconds": 60}}), 260, None, true)]
#[case::just_in_time(json!({"escalation": {"timeoutSeconds": 60}, "answers": [{"id": "a", "text": "yes"}]}), 300, Some(("yes", UNNAMED)), false)]
#[case::by_hand(json!({"answers": [{"id": "a", "text": "yes"}]}), 100, Some(("yes", UNNAMED)), false)]
#[case::decide(json!({"escalation": {"timeoutSeconds": 60, "onTimeout": "Continue"}}), 260, Some((DECIDE, NOBODY)), false)]
#[case::default(json!({"escalation": {"timeoutSeconds": 60, "onTimeout": "Default", "defaultAnswer": "no"}}), 260, Some(("no", NOBODY)), false)]
#[case::default_later(json!({"escalation": {"timeoutSeconds": 60, "onTimeout": "Default", "defaultAnswer": "no"}}), 259, None, false)]
fn what_a_question_is_answered(
    #[case] fields: Value,
    #[case] now: i64,
    #[case] expected: Option<(&str, &str)>,
    #[case] ends: bool,
) {
    let spec = spec(&fields);
    let status = after(status(), &[asked(200, "a")], 1, &spec);
    let found = answer(&status, &spec, time(now));
    assert_eq!(found.as_ref().map(|it| (&*it.text, &*it.answered_by)), expected);
    assert!(found.is_none_or(|it| it.id == "a"));
    assert_eq!(unanswered(&status, &spec, time(now)).is_some(), expected.is_none());
    assert_eq!(timed_out(&status, &spec, time(now)), ends);
}

#[test]
fn an_answer_after_the_end_comes_too_late() {
    let spec = spec(
        &json!({"escalation": {"timeoutSeconds": 60}, "answers": [{"id": "a", "text": "yes"}]}),
    );
    let mut status = after(status(), &[asked(200, "a")], 1, &spec);
    assert!(!timed_out(&status, &spec, time(300)));
    status.stopping_at = Some(to_kubernetes(time(261)));
    assert!(timed_out(&status, &spec, time(300)));
}

/// Let go at 500 with the question `a`, and a next attempt that runs since 1000.
fn continued(spec: &RunSpec) -> RunStatus {
    let mut status = after(status(), &[asked(200, "a")], 1, spec);
    close(&mut status, time(500));
    status.attempts[0].finished_at = Some(to_kubernetes(time(500)));
    status.attempts[0].cause = Some("Escalated".to_owned());
    assert!(is_parked(&status));
    assert_eq!(used(&status, time(900)).num_seconds(), 100);
    status.attempts.push(Attempt {
        number: 2,
        created_at: Some(to_kubernetes(time(990))),
        started_at: Some(to_kubernetes(time(1000))),
        ..Attempt::default()
    });
    status
}

#[rstest]
#[case::not_yet(&[], Some("a"))]
#[case::has_it(&[answered(1010, "a")], None)]
#[case::asked_again(&[asked(1005, "a")], Some("a"))]
#[case::another(&[asked(1005, "b")], Some("b"))]
fn a_next_attempt_goes_on_with_the_answer(#[case] records: &[Record], #[case] open: Option<&str>) {
    let spec = spec(&json!({"answers": [{"id": "a", "text": "yes"}]}));
    let status = after(continued(&spec), records, 2, &spec);
    assert!(!is_parked(&status));
    assert_eq!(status.escalation.as_ref().map(|asked| &*asked.id), open);
    let waits = if open == Some("b") { 95 } else { 0 };
    assert_eq!(used(&status, time(1100)).num_seconds(), 100 + 100 - waits);
    assert_eq!(status.attempts[1].waiting_seconds, None);
}

#[rstest]
#[case::unanswered(json!({}), false)]
#[case::answered(json!({"answers": [{"id": "a", "text": "yes"}]}), true)]
fn what_a_lost_agent_asked_goes_with_it_unless_it_is_answered(
    #[case] fields: Value,
    #[case] stays: bool,
) {
    let spec = spec(&fields);
    let mut status = after(status(), &[asked(200, "a")], 1, &spec);
    lost(&mut status, &spec, time(300));
    assert_eq!(status.escalation.is_some(), stays);
}

#[test]
fn a_verdict_tells_a_question_that_no_journal_told() {
    let spec = spec(&json!({}));
    let Entry::Question(question) = asked(0, "a").entry else { unreachable!() };
    let mut status = status();
    let_go(&mut status, Some(&question), &spec, time(300));
    assert_eq!(status.escalation.as_ref().unwrap().asked_at, to_kubernetes(time(300)));
    let known = status.clone();
    let_go(&mut status, Some(&question), &spec, time(400));
    assert_eq!(status, known);
}

#[rstest]
#[case::held(true, None, 389, true)]
#[case::not_let_go(true, None, 390, false)]
#[case::held_without_an_archive(false, None, 299, true)]
#[case::waits_in_its_pod(false, None, 300, false)]
#[case::by_the_chart(false, Some(10), 10, false)]
fn how_long_a_call_is_held(
    #[case] checkpoints: bool,
    #[case] hold: Option<u16>,
    #[case] after_seconds: i64,
    #[case] expected: bool,
) {
    let spec = spec(&json!({}));
    let status = after(status(), &[asked(200, "a")], 1, &spec);
    let defaults = RunDefaults { checkpoints, question_hold_seconds: hold, ..defaults() };
    let open = status.escalation.as_ref().unwrap();
    assert_eq!(is_held(open, &status, &defaults, time(200 + after_seconds)), expected);
}

#[test]
fn after_so_many_continuations_the_pod_waits() {
    let mut status = RunStatus::default();
    let attempt = Attempt { cause: Some("Escalated".to_owned()), ..Attempt::default() };
    status.attempts = vec![attempt.clone(); CONTINUATIONS - 1];
    assert!(may_let_go(&status, &defaults()));
    status.attempts.push(attempt);
    assert!(!may_let_go(&status, &defaults()));
}
