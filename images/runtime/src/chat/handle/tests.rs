use fabrica_protocol::run::TurnState;

use super::*;

fn chat(folder: &tempfile::TempDir) -> Arc<Chat> {
    let workspace = folder.path().to_string_lossy();
    let variables = [("MODE", "chat"), ("FABRICA_WORKSPACE", &*workspace)];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    Chat::open(&Config::from_environment(variables)).unwrap().unwrap()
}

#[test]
fn what_cannot_be_written_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut chat = chat(&folder);
    let written =
        std::mem::replace(&mut Arc::get_mut(&mut chat).unwrap().journal, Arc::new(Journal::full()));
    let code = |done: Result<(), Refused>| done.unwrap_err().code;
    let say = |chat: &Chat| chat.say("ada", "m-1".to_owned(), "t".to_owned(), false);
    let work = |chat: &Chat| chat.start_workflow("ada", "w-1", "1".to_owned(), None, None);
    assert_eq!(code(say(&chat)), Code::WorkspaceFull);
    assert_eq!(code(work(&chat)), Code::WorkspaceFull);
    let mut wanted = chat.wanted().unwrap();
    assert!(wanted.try_recv().is_err(), "the agent does not hear of it");
    // With room again, the same messages are new.
    Arc::get_mut(&mut chat).unwrap().journal = written;
    assert_eq!((say(&chat), work(&chat)), (Ok(()), Ok(())));
}

#[test]
fn of_two_who_ask_at_once_one_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let chat = chat(&folder);
    let say = || chat.say("ada", "m-1".to_owned(), "t".to_owned(), false).is_ok();
    let work = || chat.start_workflow("ada", "w-1", "1".to_owned(), None, None).is_ok();
    for ask in [&say as &(dyn Fn() -> bool + Sync), &work] {
        let heard = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|asked| asked.join().unwrap()).filter(|heard| *heard).count()
        });
        assert_eq!(heard, 1);
    }
}

#[test]
fn what_a_former_process_did_not_do_is_wanted_still_and_once() {
    let mut known = Known::new(Autonomy::Guarded);
    let text = "/compact".to_owned();
    let (id, author) = ("m-1".to_owned(), "ada".to_owned());
    let said = Said { id: id.clone(), text: text.clone(), command: true };
    known.learn(&Entry::Message { id, author: author.clone(), text, command: true });
    assert_eq!(left(&known), [Wish::Say(said.clone())]);
    let (work_id, plan) = ("1".to_owned(), Some("Oil it.".to_owned()));
    known.learn(&Entry::WorkflowStarted {
        work_id: work_id.clone(),
        autonomy: Autonomy::Guarded,
        author,
        id: "w-1".to_owned(),
        plan: plan.clone(),
    });
    assert!(is_new(&known, "w-1").is_err() && is_new(&known, "w-2").is_ok());
    assert_eq!(left(&known), [Wish::Work { work_id, plan }, Wish::Say(said.clone())]);
    known.learn(&Entry::Turn { state: TurnState::Started, code: None, message: None });
    assert_eq!(left(&known), [Wish::Say(said)]);
}
