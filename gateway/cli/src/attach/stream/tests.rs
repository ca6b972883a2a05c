use fabrica_protocol::kterm::{
    AttachRole, Limits, SnapshotReason, TerminalInfo, TerminalType, Terminals,
};
use rstest::rstest;

use super::*;

const SIZE: Size = Size { cols: 80, rows: 24 };

fn stream(terminal: Option<u16>, view: bool) -> Stream {
    Stream::new("me".to_owned(), Wish { terminal, view, take_over: false }, SIZE)
}

fn info(id: u16, alive: bool, head: u64, in_off: u64) -> TerminalInfo {
    TerminalInfo {
        id,
        key: None,
        terminal_type: TerminalType::System,
        title: "bash".to_owned(),
        cwd: "/".to_owned(),
        alive,
        cols: 80,
        rows: 24,
        head,
        tail: 0,
        in_off: Some(in_off),
        in_written: Some(in_off),
    }
}

fn welcome(epoch: &str, terms: Vec<TerminalInfo>) -> Welcome {
    let limits = Limits { max_frame: 65_536, window: 262_144, terminals: 16, clients: 16 };
    let (epoch, role) = (epoch.to_owned(), "control".to_owned());
    Welcome { epoch, conn_id: 7, role, limits, terms, commands: None }
}

fn snapshot(offset: u64, bytes: &'static [u8]) -> ServerFrame {
    let bytes = Bytes::from_static(bytes);
    let reason = SnapshotReason::Attach;
    ServerFrame::Snapshot { terminal: 1, offset, cols: 80, rows: 24, reason, bytes }
}

fn output(offset: u64, bytes: &'static [u8]) -> ServerFrame {
    ServerFrame::Output { terminal: 1, offset, bytes: Bytes::from_static(bytes) }
}

/// What the screen got, with `~` before what somebody else had an answer to.
fn shown(effects: &[Effect]) -> String {
    let text = effects.iter().filter_map(|effect| match effect {
        Effect::Write { bytes, silent, .. } => {
            Some(format!("{}{}", if *silent { "~" } else { "" }, String::from_utf8_lossy(bytes)))
        }
        _ => None,
    });
    text.collect()
}

/// What was sent as input: offset and bytes.
fn typed(effects: &[Effect]) -> Vec<(u64, String)> {
    let frames = effects.iter().filter_map(|effect| match effect {
        Effect::Send(ClientFrame::Input { offset, bytes, .. }) => {
            Some((*offset, String::from_utf8_lossy(bytes).into_owned()))
        }
        _ => None,
    });
    frames.collect()
}

fn notices(effects: &[Effect]) -> Vec<&str> {
    let words = effects.iter().filter_map(|effect| match effect {
        Effect::Notice(words) => Some(words.as_str()),
        _ => None,
    });
    words.collect()
}

#[test]
fn a_resume_is_exact_in_both_directions() {
    let mut stream = stream(None, false);
    stream.typed(b"early ");
    stream.welcome(welcome("a", vec![info(1, true, 3, 0)]));
    let begun = stream.effects();
    assert!(matches!(&begun[0], Effect::Send(ClientFrame::Attach { terminal: 1, .. })));
    assert_eq!(typed(&begun), [(0, "early ".to_owned())]);
    stream.frame(snapshot(3, b"\x1bcold"));
    stream.frame(output(3, b"new"));
    assert_eq!(shown(&stream.effects()), "~oldnew");
    stream.frame(ServerFrame::InputAck { terminal: 1, offset: 4 });
    stream.lost();
    stream.typed(b"late");
    assert_eq!((stream.waiting(), stream.effects().len()), (6, 0));
    let hello = stream.hello(None);
    assert_eq!((hello.epoch.as_deref(), hello.terms[0].have_off), (Some("a"), Some(6)));
    // The runtime has five of the bytes, and printed four while nobody listened.
    stream.welcome(welcome("a", vec![info(1, true, 10, 5)]));
    assert_eq!(typed(&stream.effects()), [(5, " late".to_owned())]);
    stream.frame(output(4, b"ewmissed!"));
    assert_eq!(shown(&stream.effects()), "~missed!");
}

/// Only the runtime knows which of all emulators is to answer, so it is told what an emulator says.
#[test]
fn what_the_emulator_answers_is_not_typed() {
    let mut stream = stream(None, false);
    stream.welcome(welcome("a", vec![info(1, true, 0, 0)]));
    stream.effects();
    stream.typed(b"ls");
    stream.typed(b"\x1b[?1;2c");
    stream.typed(b"\r");
    let effects = stream.effects();
    let sent: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(ClientFrame::Input { offset, auto, .. }) => Some((*offset, *auto)),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [(0, false), (2, true), (9, false)]);
}

#[test]
fn what_was_written_is_told_before_the_emulator_answers_it() {
    let mut stream = stream(None, false);
    stream.welcome(welcome("a", vec![info(1, true, 0, 0)]));
    stream.frame(snapshot(0, b""));
    stream.frame(output(0, b"\x1b[5n"));
    let effects = stream.effects();
    let Some(Effect::Write { end: 4, generation, .. }) = effects.last() else {
        panic!("{effects:?}")
    };
    stream.written(4, *generation, Duration::ZERO);
    stream.typed(b"\x1b[0n");
    let sent = stream.effects();
    assert!(
        matches!(
            sent[..],
            [
                Effect::Send(ClientFrame::Ack { offset: 4, .. }),
                Effect::Send(ClientFrame::Input { auto: true, .. }),
            ]
        ),
        "{sent:?}"
    );
}

#[test]
fn another_epoch_is_told_and_begins_anew() {
    let mut stream = stream(None, false);
    stream.welcome(welcome("a", vec![info(1, true, 0, 0)]));
    stream.frame(snapshot(0, b""));
    stream.lost();
    stream.typed(b"rm x");
    stream.effects();
    stream.welcome(welcome("b", vec![info(1, true, 0, 0)]));
    let effects = stream.effects();
    assert_eq!(
        notices(&effects),
        ["the session was restarted: 4 bytes typed meanwhile could not be delivered"]
    );
    assert_eq!(typed(&effects), []);
    let attached = effects.iter().any(|effect| {
        matches!(effect, Effect::Send(ClientFrame::Attach { attach, .. }) if attach.have.is_none())
    });
    assert!(attached, "{effects:?}");
}

#[rstest]
#[case::first_alive(None, vec![info(1, false, 0, 0), info(4, true, 0, 0)], Some(4))]
#[case::wanted(Some(1), vec![info(1, false, 0, 0), info(4, true, 0, 0)], Some(1))]
#[case::missing(Some(9), vec![info(1, true, 0, 0)], None)]
#[case::new(None, vec![info(1, false, 0, 0)], None)]
fn a_terminal_is_chosen(
    #[case] wanted: Option<u16>,
    #[case] terms: Vec<TerminalInfo>,
    #[case] expected: Option<u16>,
) {
    let mut stream = stream(wanted, false);
    stream.welcome(welcome("a", terms));
    match (&stream.effects()[0], expected) {
        (Effect::Send(ClientFrame::Attach { terminal, .. }), Some(id)) => assert_eq!(*terminal, id),
        (Effect::Fail(why), None) => {
            assert_eq!(why, "there is no terminal 9; there are: 1 (bash)");
        }
        (Effect::Send(ClientFrame::Open { key, .. }), None) => {
            let opened = TerminalInfo { key: Some(format!("{key:032x}")), ..info(5, true, 0, 0) };
            stream.frame(ServerFrame::Terms(fabrica_protocol::kterm::Terminals {
                terms: vec![opened],
            }));
            let effects = stream.effects();
            assert!(matches!(effects[0], Effect::Send(ClientFrame::Attach { terminal: 5, .. })));
        }
        (effect, _) => panic!("{effect:?}"),
    }
}

#[test]
fn who_watches_types_nothing_and_attaches_as_a_viewer() {
    let mut stream = stream(None, true);
    stream.welcome(welcome("a", vec![info(1, true, 0, 0)]));
    stream.typed(b"x");
    let effects = stream.effects();
    let [Effect::Send(ClientFrame::Attach { attach, .. }), ..] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(attach.role, AttachRole::View);
    stream.frame(snapshot(1, b"a"));
    stream.frame(output(1, b"b"));
    assert_eq!(shown(&stream.effects()), "~a~b");
    assert!(stream.hello(None).terms.is_empty());
}

#[test]
fn only_what_the_screen_has_is_acknowledged() {
    let mut stream = stream(None, false);
    stream.welcome(welcome("a", vec![info(1, true, 0, 0)]));
    stream.frame(snapshot(0, b""));
    stream.frame(output(0, b"abc"));
    stream.effects();
    let second = Duration::from_secs(1);
    stream.written(2, 0, second);
    assert_eq!(stream.deadline(), None, "an older stream's news");
    stream.written(2, stream.generation, second);
    assert_eq!(stream.deadline(), Some(second + ACK_DELAY));
    stream.tick(second + ACK_DELAY);
    assert_eq!(stream.effects(), [Effect::Send(ClientFrame::Ack { terminal: 1, offset: 2 })]);
}

/// Nor does another process of the runtime, or none, matter any more.
#[test]
fn the_end_is_told_when_the_screen_has_all() {
    let mut stream = stream(None, false);
    stream.welcome(welcome("a", vec![info(1, true, 0, 0)]));
    stream.frame(snapshot(0, b""));
    stream.frame(output(0, b"abc"));
    stream.effects();
    let generation = stream.generation;
    stream.frame(ServerFrame::Exit { terminal: 1, offset: 3, code: 7, signal: 0 });
    stream.written(2, generation, Duration::ZERO);
    stream.lost();
    stream.welcome(welcome("b", vec![]));
    assert_eq!(stream.effects(), []);
    stream.written(3, generation, Duration::ZERO);
    assert_eq!(stream.effects(), [Effect::Exit { code: 7, signal: 0 }]);
}

#[test]
fn what_is_typed_without_a_connection_is_bounded_and_can_be_discarded() {
    let mut stream = stream(None, false);
    stream.typed(&vec![b'x'; OFFLINE_CAP]);
    stream.typed(b"y");
    assert_eq!(notices(&stream.effects()), ["64 KiB wait already: what you type now is not kept"]);
    stream.discard();
    assert_eq!(notices(&stream.effects()), ["65536 bytes discarded"]);
    assert_eq!(stream.waiting(), 0);
}

#[test]
fn a_size_of_another_window_is_taken_back_by_typing() {
    let mut stream = stream(None, false);
    stream.welcome(welcome("a", vec![info(1, true, 0, 0)]));
    stream.frame(ServerFrame::Resized { terminal: 1, offset: 0, cols: 40, rows: 10, owner: 3 });
    stream.effects();
    stream.typed(b"x");
    let effects = stream.effects();
    assert!(matches!(effects[0], Effect::Send(ClientFrame::Resize { cols: 80, rows: 24, .. })));
}

#[test]
fn another_title_is_shown_once() {
    let mut stream = stream(None, false);
    stream.welcome(welcome("1", vec![info(1, true, 0, 0)]));
    assert!(stream.effects().contains(&Effect::Title("bash".to_owned())));
    let renamed = TerminalInfo { title: "notes".to_owned(), ..info(1, true, 0, 0) };
    for expected in [vec![Effect::Title("notes".to_owned())], vec![]] {
        let terms = vec![renamed.clone(), info(2, true, 0, 0)];
        stream.frame(ServerFrame::Terms(Terminals { terms }));
        assert_eq!(stream.effects(), expected);
    }
}

#[test]
fn who_is_taken_over_watches_and_knows_the_way_back() {
    let mut stream = stream(None, false);
    stream.welcome(welcome("1", vec![info(1, true, 0, 0)]));
    stream.effects();
    let (code, text) = (ErrorCode::TakenOver, "Another client has sole control.".to_owned());
    stream.frame(ServerFrame::Error { terminal: 1, reference: 5, code, text });
    stream.typed(b"lost");
    let effects = stream.effects();
    assert!(stream.is_view() && effects.len() == 1, "{effects:?}");
    assert!(matches!(&effects[0], Effect::Notice(words) if words.contains("--take-over")));
}

#[test]
fn a_terminal_is_taken_back_once_and_left_to_all() {
    let wish = Wish { terminal: None, view: false, take_over: true };
    let mut stream = Stream::new("me".to_owned(), wish, SIZE);
    let mut roles = Vec::new();
    for _ in 0..2 {
        stream.welcome(welcome("1", vec![info(1, true, 0, 0)]));
        roles.extend(stream.effects().into_iter().filter_map(|effect| match effect {
            Effect::Send(ClientFrame::Attach { attach, .. }) => Some(attach.role),
            _ => None,
        }));
    }
    assert_eq!(roles[..2], [AttachRole::Alone, AttachRole::Control]);
    assert!(!roles[2..].contains(&AttachRole::Alone));
}

#[test]
fn input_that_the_runtime_lacks_is_sent_on_a_new_socket() {
    let mut stream = stream(None, false);
    stream.welcome(welcome("1", vec![info(1, true, 0, 7)]));
    stream.effects();
    let (code, text) = (ErrorCode::InputGap, "input continues at 7".to_owned());
    stream.frame(ServerFrame::Error { terminal: 1, reference: 1, code, text });
    assert_eq!(stream.effects(), [Effect::Reconnect]);
}
