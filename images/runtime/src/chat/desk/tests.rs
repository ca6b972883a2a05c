use futures::FutureExt;

use super::*;

fn desk(folder: &tempfile::TempDir) -> Desk {
    let workspace = folder.path().to_string_lossy();
    let variables =
        [("MODE", "chat"), ("REPO_URL", "http://forge.test/x"), ("FABRICA_WORKSPACE", &*workspace)];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let config = Config::from_environment(variables);
    let chat = Chat::open(&config).unwrap().unwrap();
    let (repository, steps) = (config.repository.clone().unwrap(), Arc::new(chat.steps()));
    Desk::new(config, repository, chat, steps, Begun::default())
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

#[test]
fn leave_is_given_to_our_own_question_and_for_one_workflow() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(&folder);
    let begin = || {
        let (work_id, author) = ("1".to_owned(), "ada".to_owned());
        let autonomy = Autonomy::Guarded;
        desk.chat.tell(Entry::WorkflowStarted { work_id, autonomy, author });
    };
    let may_publish = || desk.with_engine(|engine| engine.may_publish());
    begin();
    let ours = approval::ask(approval::RELEASE);
    let harmless = Question { question: "Are olives good?".to_owned(), ..ours.clone() };
    desk.chat.questions.restore(&harmless, None);
    assert!(desk.adopt(&leave(&harmless)));
    assert_eq!(may_publish(), Some(false));

    let late = approval::ask(approval::RELEASE);
    desk.chat.questions.restore(&late, None);
    desk.end_workflow(1, "It cannot be done.", None);
    begin();
    assert!(desk.chat.questions.take(leave(&late)).is_err() && !desk.adopt(&leave(&late)));
    assert_eq!(may_publish(), Some(false));

    let asked = approval::ask(approval::RELEASE);
    desk.chat.questions.restore(&asked, None);
    assert!(desk.adopt(&leave(&asked)));
    assert_eq!(may_publish(), Some(true));
}

#[test]
fn what_former_processes_used_counts() {
    let usage = |model: &str, input, cost: &str| Usage {
        models: [(model.to_owned(), Tokens { input, ..Tokens::default() })].into(),
        estimated_cost_usd: cost.to_owned(),
    };
    let all = sum(&usage("a", 1, "0.5"), &usage("a", 2, "0.25"));
    assert_eq!((all.models["a"].input, all.estimated_cost_usd.as_str()), (3, "0.75"));
    let all = sum(&Usage::default(), &usage("b", 2, "0.25"));
    assert_eq!(all, usage("b", 2, "0.25"));
}
