//! What the agent runs is shown in the agent's terminal while it runs: its program has each command write into a file, which
//! is read while it grows. Where that cannot be, what the program tells of the command is shown when it has ended.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fabrica_protocol::run::{Entry, TurnState};

use super::handle::{Chat, for_each, name};
use crate::config::Config;
use crate::regular;
use crate::run::claude::launch;
use crate::terminal::screen::Plain;
use crate::terminal::shells::Shells;

/// The agent's tool that runs a command.
const SHELL: &str = "Bash";
/// From one look at a command's file to the next: what changes so often looks as if it were always there.
const LOOK: Duration = Duration::from_millis(50);
/// Of what a command has written since the last look, so much is shown: a terminal does not keep more.
const SHOWN_BYTES: u64 = 256 * 1024;
/// As many files are looked at: a program keeps few, and the agent can put any number there.
const FILES: usize = 2_000;
/// As many commands wait to be shown: an agent runs a few at a time. One beyond that is not shown.
const COMMANDS: usize = 64;
/// Characters at the end of a call's id that name it in the terminal.
const MARK_CHARACTERS: usize = 6;

/// Shows what the agent runs from now on.
pub(crate) async fn show(chat: &Chat, config: &Config, shells: &Shells) -> Infallible {
    let id = name(&config.session_id, chat.number, "conversation");
    let mut commands = Commands::new(launch::outputs(config, id));
    let mut newest = chat.journal.watch();
    let mut cursor = *newest.borrow_and_update();
    loop {
        let runs = commands.run();
        tokio::select! {
            // The journal lives as long as the conversation.
            _ = newest.changed() => {
                cursor = for_each(&chat.journal, cursor, |record| commands.learn(record.entry));
            }
            () = tokio::time::sleep(LOOK), if runs => {}
        }
        if commands.all.is_empty() {
            continue;
        }
        // On a thread of its own: what it looks at is the agent's, and may take its time.
        let looking = tokio::task::spawn_blocking(move || {
            let text = commands.look();
            (commands, text)
        });
        // Only a mistake of ours ends it early; then nothing more is shown.
        let Ok((looked, text)) = looking.await else { return std::future::pending().await };
        commands = looked;
        if !text.is_empty() {
            shells.show(&text);
        }
    }
}

/// Commands that run, and what is not shown of those that ran. One is shown after the other.
#[derive(Debug)]
struct Commands {
    folder: PathBuf,
    all: VecDeque<Command>,
    /// Files that belong to no command which runs.
    former: HashSet<OsString>,
    plain: Plain,
}

#[derive(Debug)]
struct Command {
    id: String,
    line: String,
    is_headed: bool,
    file: Option<File>,
    end: Option<End>,
}

/// How a command ended, as the agent's program tells it.
#[derive(Debug)]
struct End {
    output: String,
    outcome: &'static str,
    took: Option<u64>,
}

impl Commands {
    fn new(folder: PathBuf) -> Self {
        let former = files(&folder);
        Self { folder, all: VecDeque::new(), former, plain: Plain::default() }
    }

    /// Whether one runs.
    fn run(&self) -> bool {
        self.all.iter().any(|command| command.end.is_none())
    }

    fn learn(&mut self, entry: Entry) {
        match entry {
            Entry::ToolStarted { id, name, input: line }
                if name == SHELL && self.all.len() < COMMANDS =>
            {
                self.all.push_back(Command { id, line, is_headed: false, file: None, end: None });
            }
            Entry::ToolFinished { id, output, failed, duration_ms: took } => {
                let outcome = if failed { "failed" } else { "done" };
                if let Some(command) = self.all.iter_mut().find(|command| command.id == id) {
                    command.end = Some(End { output, outcome, took });
                }
            }
            // Of what ran in it nothing more is told: it must not stand before what comes.
            Entry::Turn { state, .. } if state != TurnState::Started => {
                for command in self.all.iter_mut().filter(|command| command.end.is_none()) {
                    let output = String::new();
                    command.end = Some(End { output, outcome: "over", took: None });
                }
            }
            _ => {}
        }
    }

    /// What there is to show now.
    fn look(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        self.find();
        while let Some(command) = self.all.front_mut() {
            if !std::mem::replace(&mut command.is_headed, true) {
                text.extend(head(command).into_bytes());
            }
            if let Some(file) = &mut command.file {
                text.extend(self.plain.read(&written(file)));
            }
            let Some(End { output, outcome, took }) = &command.end else { break };
            if command.file.is_none() {
                text.extend(self.plain.read(output.as_bytes()));
            }
            text.extend(self.plain.end());
            text.extend(foot(&command.id, outcome, *took).into_bytes());
            self.all.pop_front();
            if self.all.is_empty() {
                self.former = files(&self.folder);
            }
        }
        text
    }

    /// Finds the file of the one command that runs. Which of several files is whose nobody tells, so there has to be one alone.
    fn find(&mut self) {
        let mut running = self.all.iter_mut().filter(|command| command.end.is_none());
        let (Some(command), None) = (running.next(), running.next()) else { return };
        if command.file.is_some() {
            return;
        }
        let now = files(&self.folder);
        let mut new = now.difference(&self.former);
        if let (Some(name), None) = (new.next(), new.next()) {
            command.file = regular::read(&self.folder.join(name)).ok();
            self.former = now;
        }
    }
}

/// Files that commands write; none where there are too many to tell a new one.
fn files(folder: &Path) -> HashSet<OsString> {
    let all = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let all: Vec<OsString> = all.map(|entry| entry.file_name()).take(FILES + 1).collect();
    let is_output =
        |name: &OsString| Path::new(name).extension().is_some_and(|end| end == "output");
    let is_few = all.len() <= FILES;
    all.into_iter().filter(|name| is_few && is_output(name)).collect()
}

/// What was written since the last time, or the end of it.
fn written(file: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    let length = file.metadata().map_or(0, |data| data.len());
    let at = file.stream_position().unwrap_or(length);
    let from = at.max(length.saturating_sub(SHOWN_BYTES));
    if from > at {
        bytes.extend(format!("\n… {} bytes are left out …\n", from - at).into_bytes());
        // What cannot be sought is read from where it is.
        let _ = file.seek(SeekFrom::Start(from));
    }
    // What cannot be read is not shown; what the agent's program tells of it stands in the conversation.
    let _ = file.take(SHOWN_BYTES).read_to_end(&mut bytes);
    bytes
}

/// The line that a command is found by: its mark begins it.
fn head(Command { id, line, .. }: &Command) -> String {
    let shown = |character: char| if character.is_control() { ' ' } else { character };
    let mut lines = line.trim().lines().map(|line| line.chars().map(shown).collect::<String>());
    let first = lines.next().unwrap_or_default();
    let head = format!("\x1b[2m[{}]\x1b[22;1m $ {first}\x1b[0m\r\n", mark(id));
    std::iter::once(head).chain(lines.map(|line| format!("> {line}\r\n"))).collect()
}

fn foot(id: &str, outcome: &str, took: Option<u64>) -> String {
    let took = took.map(|took| Duration::from_millis(took).as_secs_f64());
    let took = took.map(|seconds| format!(" after {seconds:.1} s")).unwrap_or_default();
    format!("\x1b[2m[{}] {outcome}{took}\x1b[0m\r\n\r\n", mark(id))
}

/// What names a call in the terminal: the last letters and digits of its id.
fn mark(id: &str) -> String {
    let letters: Vec<char> = id.chars().filter(char::is_ascii_alphanumeric).collect();
    letters[letters.len().saturating_sub(MARK_CHARACTERS)..].iter().collect()
}

#[cfg(test)]
mod tests;
