//! Lines that clients have a shell run, with real shells, and how a user's own settings fare beside them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

mod support;

use fabrica_protocol::assertion::Role;
use fabrica_protocol::kterm::{Capabilities, ClientFrame, ErrorCode, Hello, ServerFrame};
use rstest::rstest;
use support::{Client, Runtime, eventually, folder, hello};

fn asking(name: &str) -> Hello {
    let caps = Capabilities { commands: Some(true), ..Capabilities::default() };
    Hello { caps, ..hello(name, None, None) }
}

/// A client, and all of a terminal's output that it got.
struct Page {
    client: Client,
    start: u64,
    output: Vec<u8>,
}

/// What came of a command.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Done {
        id: u64,
        exit: i32,
        start: u64,
        end: u64,
    },
    Refused(ErrorCode),
    /// A PONG.
    Answer,
}

impl Page {
    async fn open(runtime: &Runtime, name: &str) -> Self {
        let (client, _) = runtime.greet(Role::Control, asking(name)).await;
        Self { client, start: 0, output: Vec::new() }
    }

    async fn command(&mut self, id: u64, line: &str) {
        self.client.send(&ClientFrame::Command { terminal: 1, id, line: line.to_owned() }).await;
    }

    async fn next(&mut self) -> Option<Came> {
        match self.client.next().await {
            ServerFrame::Snapshot { offset, .. } => {
                self.start = offset;
                self.output.clear();
                None
            }
            ServerFrame::Output { terminal, offset, bytes } => {
                assert_eq!(offset, self.start + self.output.len() as u64);
                self.output.extend_from_slice(&bytes);
                let offset = offset + bytes.len() as u64;
                self.client.send(&ClientFrame::Ack { terminal, offset }).await;
                None
            }
            ServerFrame::CommandDone { terminal: 1, id, exit, start, end } => {
                Some(Came::Done { id, exit, start, end })
            }
            ServerFrame::Error { reference: 0x0B, code, .. } => Some(Came::Refused(code)),
            ServerFrame::Pong { .. } => Some(Came::Answer),
            _ => None,
        }
    }

    async fn came(&mut self) -> Came {
        loop {
            if let Some(came) = self.next().await {
                return came;
            }
        }
    }

    /// Has a line begun, however long it takes until a prompt is there.
    async fn begin(&mut self, id: u64, line: &str) {
        loop {
            self.command(id, line).await;
            self.client.send(&ClientFrame::Ping { visible: true, client_us: 0 }).await;
            match self.came().await {
                Came::Answer => return,
                Came::Refused(ErrorCode::Busy) => {
                    assert_eq!(self.came().await, Came::Answer);
                    self.more().await;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Has a line run, however long it takes until a prompt is there. With its status and its output.
    async fn run(&mut self, id: u64, line: &str) -> (i32, String) {
        loop {
            self.command(id, line).await;
            match self.came().await {
                Came::Done { id: of, exit, start, end } => {
                    assert_eq!(of, id);
                    while self.start + (self.output.len() as u64) < end {
                        assert_eq!(self.next().await, None);
                    }
                    let [from, to] =
                        [start, end].map(|at| usize::try_from(at - self.start).unwrap());
                    return (exit, String::from_utf8_lossy(&self.output[from..to]).into_owned());
                }
                came => {
                    assert_eq!(came, Came::Refused(ErrorCode::Busy));
                    self.more().await;
                }
            }
        }
    }

    /// Waits for output: a prompt is told by it.
    async fn more(&mut self) {
        let before = self.output.len();
        while self.output.len() == before {
            assert_eq!(self.next().await, None);
        }
    }
}

#[tokio::test]
async fn commands_tell_their_status_and_their_output() {
    let runtime = Runtime::start(&[]).await;
    let mut page = Page::open(&runtime, "page").await;
    assert_eq!(page.run(1, "printf 'one\\ntwo\\n'").await, (0, "one\r\ntwo\r\n".to_owned()));
    assert_eq!(page.run(2, "(exit 42)").await, (42, String::new()));
    assert_eq!(page.run(3, "nosuchprogram 2>/dev/null").await, (127, String::new()));
    assert_eq!(page.run(4, "").await.1, "");
    assert_eq!(
        page.run(5, "for x in a b\ndo\n\techo $x\ndone").await,
        (0, "a\r\nb\r\n".to_owned())
    );
    // An unfinished line waits for its rest.
    page.begin(6, "if").await;
    while !page.output.ends_with(b"> ") {
        page.more().await;
    }
    page.client.type_text(0, "\u{3}").await;
    let done = page.came().await;
    assert!(matches!(done, Came::Done { id: 6, exit: 130, .. }), "{done:?}");
}

#[tokio::test]
async fn a_command_waits_for_nobody_and_runs_once() {
    let runtime = Runtime::start(&[]).await;
    let mut page = Page::open(&runtime, "page").await;
    page.run(1, "true").await;
    let file = runtime.workspace().join("runs");
    let line = format!("echo run >> {}; sleep 0.5", file.display());
    page.begin(2, &line).await;
    page.command(2, &line).await;
    page.command(3, "true").await;
    assert_eq!(page.came().await, Came::Refused(ErrorCode::Busy));
    let done = page.came().await;
    assert!(matches!(done, Came::Done { id: 2, exit: 0, .. }), "{done:?}");
    // Sent again after a lost connection, it is answered again.
    let mut again = Page::open(&runtime, "page").await;
    again.command(2, &line).await;
    assert_eq!(again.came().await, done);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "run\n");
    // Another client's second command is its own.
    let mut other = Page::open(&runtime, "other").await;
    assert_eq!(other.run(2, "echo other").await, (0, "other\r\n".to_owned()));
}

#[tokio::test]
async fn nothing_is_added_to_what_somebody_types() {
    let runtime = Runtime::start(&[]).await;
    let mut page = Page::open(&runtime, "page").await;
    page.run(1, "true").await;
    page.client.type_text(0, "echo keep").await;
    page.command(2, "rm -rf everything").await;
    assert_eq!(page.came().await, Came::Refused(ErrorCode::Busy));
    page.client.type_text(9, "ing\r").await;
    page.client.read_until("\u{7}keeping").await;
}

#[rstest]
#[case::end_of_paste("a\u{1b}[201~b")]
#[case::interrupt("a\u{3}")]
#[case::carriage_return("a\rb")]
#[tokio::test]
async fn a_line_is_text(#[case] line: &str) {
    let runtime = Runtime::start(&[]).await;
    let mut page = Page::open(&runtime, "page").await;
    page.run(1, "true").await;
    page.command(2, line).await;
    assert_eq!(page.came().await, Came::Refused(ErrorCode::Invalid));
}

#[tokio::test]
async fn there_is_no_command_for_a_program_or_a_terminal_that_is_gone() {
    let runtime = Runtime::start(&[]).await;
    let mut page = Page::open(&runtime, "page").await;
    page.run(1, "true").await;
    page.client.send(&ClientFrame::Command { terminal: 7, id: 2, line: String::new() }).await;
    assert_eq!(page.came().await, Came::Refused(ErrorCode::NoSuchTerminal));
    page.begin(3, "exec sleep 1000").await;
    page.command(4, "true").await;
    assert_eq!(page.came().await, Came::Refused(ErrorCode::Busy));
    page.client.send(&ClientFrame::Signal { terminal: 1, signal: 9 }).await;
    let ended = |frame| matches!(frame, ServerFrame::Exit { .. }).then_some(());
    page.client.until(ended).await;
    page.command(5, "true").await;
    assert_eq!(page.came().await, Came::Refused(ErrorCode::Ended));
}

/// A shell in which a user has settings of their own behaves as it would without us.
#[rstest]
#[case::string("PROMPT_COMMAND='seen=\"$seen.$?:${PIPESTATUS[*]}\"'", "own=string")]
#[case::array("PROMPT_COMMAND=('seen=\"$seen.$?:${PIPESTATUS[*]}\"' :)", "own=array")]
#[tokio::test]
async fn a_users_prompt_stays_as_it_is(#[case] setting: &str, #[case] kind: &str) {
    let place = folder();
    let home = place.path().join("workspace/home");
    std::fs::create_dir_all(&home).unwrap();
    let rc = format!("{setting}\nPS1='me> '\nPS0='go '\n{kind}\nHISTCONTROL=ignorespace\n");
    std::fs::write(home.join(".bashrc"), rc).unwrap();
    let runtime = Runtime::begin_in(place, &[], &[]);
    runtime.ready().await;
    let mut page = Page::open(&runtime, "page").await;
    page.run(1, "(exit 3) | (exit 4)").await;
    let (_, seen) = page.run(2, "echo \"$? $own [$seen] ${PROMPT_COMMAND[0]}\"").await;
    assert!(seen.starts_with("4 ") && seen.contains(&kind[4..]), "{seen}");
    assert!(seen.contains("4:3 4]") && seen.contains("seen=\"$seen.$?"), "{seen}");
    let (_, prompt) = page.run(3, "echo \"$PS1|$HISTCONTROL\"").await;
    assert_eq!(prompt, "me> |ignorespace\r\n");
    let shown = String::from_utf8_lossy(&page.output).into_owned();
    assert!(shown.contains("me> ") && shown.contains("go "), "{shown}");
}

/// What a user hands down to other programs stays what it is, and then nothing is told.
#[tokio::test]
async fn a_prompt_command_that_is_handed_down_is_left_alone() {
    let runtime = Runtime::start(&[("PROMPT_COMMAND", "handed=down")]).await;
    let mut page = Page::open(&runtime, "page").await;
    eventually("the shell is at its prompt", async || !runtime.idle().await.busy).await;
    page.client.type_text(0, "bash -c 'echo \"[$PROMPT_COMMAND]\"'\n").await;
    let seen = page.client.read_until("[handed=down]").await;
    assert!(!seen.contains("133;D"), "{seen:?}");
}

/// A shell that is no bash: lines are run where it waits, and nobody says how they ended.
#[tokio::test]
async fn another_shell_runs_lines_and_tells_nothing() {
    let place = folder();
    let programs = place.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    for name in ["sh", "sleep", "touch"] {
        let from = format!("/bin/{name}");
        let from = if std::fs::exists(&from).unwrap() { from } else { format!("/usr{from}") };
        std::os::unix::fs::symlink(from, programs.join(name)).unwrap();
    }
    let path = programs.display().to_string();
    let runtime = Runtime::begin_in(place, &[], &[("PATH", &path)]);
    runtime.ready().await;
    let (client, welcome) = runtime.greet(Role::Control, asking("page")).await;
    assert_eq!((welcome.commands, &*welcome.terms[0].title), (Some(false), "sh"));
    let mut page = Page { client, start: 0, output: Vec::new() };
    let file = runtime.workspace().join("made");
    page.begin(1, &format!("touch {}; sleep 1000", file.display())).await;
    eventually("the line has run", async || file.exists() && runtime.idle().await.busy).await;
    page.command(2, "true").await;
    assert_eq!(page.came().await, Came::Refused(ErrorCode::Busy));
    page.client.type_text(0, "\u{3}").await;
    eventually("the shell waits", async || !runtime.idle().await.busy).await;
    page.command(3, "one\ttwo").await;
    assert_eq!(page.came().await, Came::Refused(ErrorCode::Invalid));
}

#[tokio::test]
async fn bash_says_in_welcome_that_it_tells() {
    let runtime = Runtime::start(&[]).await;
    let (_, welcome) = runtime.greet(Role::Control, asking("page")).await;
    assert_eq!(welcome.commands, Some(true));
}

/// Where the shell is, not where it began: links of its output lead from there.
#[tokio::test]
async fn the_list_tells_the_folder_of_the_shell() {
    let runtime = Runtime::start(&[]).await;
    let mut page = Page::open(&runtime, "page").await;
    page.client.type_text(0, "mkdir -p 'a b/100%'; cd 'a b/100%'\n").await;
    let inside = |frame| match frame {
        ServerFrame::Terms(list) => list.terms[0].cwd.ends_with("/a b/100%").then_some(()),
        _ => None,
    };
    page.client.until(inside).await;
}
