use futures::FutureExt;

use super::*;
use crate::run::journal::Journal;

fn desk(folder: &tempfile::TempDir) -> Desk {
    desk_of(folder, "guarded")
}

fn desk_of(folder: &tempfile::TempDir, autonomy: &str) -> Desk {
    let workspace = folder.path().to_string_lossy();
    let variables = [
        ("MODE", "chat"),
        ("REPO_URL", "http://forge.test/x"),
        ("FABRICA_WORKSPACE", &*workspace),
        ("FABRICA_CHAT_AUTONOMY", autonomy),
    ];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let config = Config::from_environment(variables);
    let chat = Chat::open(&config).unwrap().unwrap();
    let (repository, steps) = (config.repository.clone().unwrap(), Arc::new(chat.steps()));
    Desk::new(config, repository, chat, steps, Begun::default())
}

fn begin(desk: &Desk, autonomy: Autonomy) {
    let (work_id, author, id) = ("1".to_owned(), "ada".to_owned(), "w-1".to_owned());
    desk.chat.tell(Entry::WorkflowStarted { work_id, autonomy, author, id, plan: None });
}

fn leave(question: &Question) -> Answer {
    let (id, text) = (question.id.clone(), "approve".to_owned());
    Answer { id, text, answered_by: "ada".to_owned() }
}

#[tokio::test]
async fn an_answer_is_told_by_the_call_that_waits_for_it_or_else_by_us() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(&folder);
    let question = approval::ask(approval::PROPOSE);
    let mut call = std::pin::pin!(desk.ask(question.clone()));
    assert!(call.as_mut().now_or_never().is_none());
    assert!(desk.waits() && desk.orphans().is_empty());
    desk.chat.questions.take(leave(&question)).unwrap();
    assert!(!desk.adopt(&leave(&question)), "a call waits for it");
    assert!(matches!(call.await, Asked::Answered(_)) && !desk.waits());
    assert!(!desk.adopt(&leave(&question)), "it was told");
    // Of a former process: no call waits.
    let former = approval::ask(approval::PROPOSE);
    desk.chat.questions.restore(&former, None);
    assert_eq!(desk.orphans(), std::slice::from_ref(&former));
    assert!(desk.adopt(&leave(&former)) && !desk.adopt(&leave(&former)));
}

#[tokio::test]
async fn a_question_that_nobody_can_see_is_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = desk(&folder);
    Arc::get_mut(&mut desk.chat).unwrap().journal = Arc::new(Journal::full());
    let question = approval::ask(approval::PROPOSE);
    assert!(matches!(desk.ask(question).now_or_never(), Some(Asked::Unwritten)));
    assert!(!desk.waits() && desk.chat.questions.open().is_empty());
    let refused = desk.approval(approval::PROPOSE).now_or_never();
    assert_eq!(refused, Some(Err(UNWRITTEN.to_owned())));
}

#[tokio::test]
async fn leave_is_given_to_our_own_question_and_for_one_workflow() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(&folder);
    let is_allowed = || desk.with_engine(|engine| engine.is_allowed());
    begin(&desk, Autonomy::Guarded);
    // What a journal says that a former process asked: whoever wrote it, nothing is released by its answer.
    let forged = approval::ask(approval::RELEASE);
    let harmless = Question { question: "Are olives good?".to_owned(), ..approval::ask("") };
    for question in [&forged, &harmless] {
        desk.chat.questions.restore(question, None);
        assert!(desk.adopt(&leave(question)));
        assert_eq!(is_allowed(), Some(false));
    }
    let former = approval::ask(approval::RELEASE);
    desk.chat.questions.restore(&former, None);
    let mut asking = std::pin::pin!(desk.approve_release());
    assert!(asking.as_mut().now_or_never().is_none());
    assert_eq!(desk.chat.questions.open().len(), 2, "it is asked anew");
    desk.withdraw_former();
    assert!(desk.chat.questions.take(leave(&former)).is_err());
    let open = desk.chat.questions.open();
    assert_eq!(open.len(), 1, "our own stays");

    desk.end_workflow(1, "It cannot be done.", None);
    begin(&desk, Autonomy::Guarded);
    assert!(desk.chat.questions.take(leave(&open[0])).is_err() && !desk.adopt(&leave(&open[0])));
    assert_eq!(is_allowed(), Some(false));

    let mut asking = std::pin::pin!(desk.approve_release());
    assert!(asking.as_mut().now_or_never().is_none());
    let open = desk.chat.questions.open();
    desk.chat.questions.take(leave(&open[0])).unwrap();
    assert_eq!(asking.await, Ok(()));
    assert_eq!(is_allowed(), Some(true));
}

#[tokio::test]
async fn who_ends_a_workflow_is_no_freer_than_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk_of(&folder, "autonomous");
    assert_eq!(desk.may_publish().await, Ok(()));
    begin(&desk, Autonomy::Guarded);
    desk.end_workflow(1, "It was rejected.", None);
    let mut asking = std::pin::pin!(desk.may_publish());
    assert!(asking.as_mut().now_or_never().is_none());
    assert!(approval::asks(&desk.chat.questions.open()[0], approval::PROPOSE));
    begin(&desk, Autonomy::Assist);
    desk.end_workflow(1, "It cannot be done.", None);
    let refused = Undone::Refused(UNPUBLISHED.to_owned());
    assert_eq!((desk.autonomy(), desk.may_publish().await), (Autonomy::Assist, Err(refused)));
}

#[tokio::test]
async fn an_answer_with_a_condition_is_no_leave_and_one_with_a_comment_is() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(&folder);
    for (text, is_given) in [
        ("Approve button is still broken, fix it first", false),
        ("approve only after the tests pass", false),
        ("approve: and oil the lock next", true),
    ] {
        let mut asking = std::pin::pin!(desk.may_publish());
        assert!(asking.as_mut().now_or_never().is_none());
        let open = desk.chat.questions.open();
        let answer = Answer { text: text.to_owned(), ..leave(&open[0]) };
        desk.chat.questions.take(answer).unwrap();
        assert_eq!(asking.await.is_ok(), is_given, "{text}");
    }
}
