//! Whether a terminal's shell waits at its prompt, and the lines that clients had it run. No I/O.

use std::collections::VecDeque;

use super::marks::{Mark, NO_STATUS};

/// Commands that are remembered, so that one that is sent again is not run again: more than clients have on their way.
const RECENT: usize = 16;

/// Bytes that end a line, or throw it away: return, line feed, ^C, ^D and ^U.
const LINE_ENDS: [u8; 5] = [b'\r', b'\n', 0x03, 0x04, 0x15];

/// What brackets a paste, so that a shell takes it for text alone.
const PASTE: &str = "\x1b[200~";
const PASTED: &str = "\x1b[201~";

/// How a command ended, and between which offsets its output lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    pub exit: i32,
    pub start: u64,
    pub end: u64,
}

/// Where a command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Its output begins here, once it has begun.
    Runs(Option<u64>),
    Ended(Outcome),
    /// The shell tells nothing of its commands.
    Unknown,
}

/// A line that a client had run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub client: String,
    pub id: u64,
    pub progress: Progress,
}

/// Why a line is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("The shell is not at its prompt, or something is typed there.")]
    Busy,
    #[error("A command line has no control characters.")]
    Control,
    #[error("Line breaks and tabs need a shell that takes bracketed pastes.")]
    Breaks,
}

/// What a shell has told of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Told {
    #[default]
    Nothing,
    /// It waits, and nobody has typed since.
    Waits,
    /// It told that it waits once, and may not do so now.
    Works,
}

/// Whether a shell takes bracketed pastes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Pastes {
    #[default]
    Never,
    /// It does, but not now: it has told its prompt and does not read yet.
    NotNow,
    Now,
}

/// What is known of a terminal's shell.
#[derive(Debug, Default)]
pub struct Prompt {
    told: Told,
    /// Something is typed that no return has ended.
    begun: bool,
    pastes: Pastes,
    /// From a prompt to the command that follows it: what is asked for then, the shell asks for.
    is_read: bool,
    /// The shell asked for pastes in brackets at its last prompt.
    asked: bool,
    recent: VecDeque<Command>,
}

impl Prompt {
    /// Takes what output says. Returns a command that ended by it.
    pub fn mark(&mut self, mark: &Mark) -> Option<Command> {
        match mark {
            Mark::Title(_) | Mark::Folder(_) => None,
            Mark::Paste(set) => {
                self.asked |= *set && self.is_read;
                self.pastes = match (*set, self.pastes) {
                    (true, _) => Pastes::Now,
                    (false, Pastes::Never) => Pastes::Never,
                    (false, _) => Pastes::NotNow,
                };
                None
            }
            Mark::Started(offset) => {
                self.works();
                self.is_read = false;
                // Of several lines each tells that it begins: the first one is where the output does.
                if let Some(Progress::Runs(start)) = self.last() {
                    start.get_or_insert(*offset);
                }
                None
            }
            Mark::Done(end, exit) => self.ended(*end, *exit),
            Mark::Prompt(offset) => {
                self.told = Told::Waits;
                // A program between two prompts may have asked for pastes in brackets; the shell does so at its own.
                if !std::mem::take(&mut self.asked) {
                    self.pastes = Pastes::Never;
                }
                self.is_read = true;
                // A shell that tells its prompts alone tells by the next one that a command ended.
                self.ended(*offset, NO_STATUS)
            }
        }
    }

    /// Somebody typed this.
    pub fn typed(&mut self, bytes: &[u8]) {
        self.works();
        if let Some(last) = bytes.last() {
            self.begun = !LINE_ENDS.contains(last);
        }
    }

    /// What this client was told, or would be, of a command of this id.
    pub fn known(&self, client: &str, id: u64) -> Option<Progress> {
        let same = |command: &&Command| command.client == client && command.id == id;
        self.recent.iter().find(same).map(|command| command.progress)
    }

    /// What is to be typed for a line, which counts as run from now on. `in_front` says that the shell is what the terminal's
    /// foreground is.
    pub fn run(
        &mut self,
        client: &str,
        id: u64,
        line: &str,
        in_front: bool,
    ) -> Result<String, Refusal> {
        let breaks = |character: char| matches!(character, '\n' | '\t');
        if line.contains(|character: char| character.is_control() && !breaks(character)) {
            return Err(Refusal::Control);
        }
        let waits = match self.told {
            Told::Nothing => in_front && !self.begun,
            told => told == Told::Waits && self.pastes != Pastes::NotNow,
        };
        if !waits {
            return Err(Refusal::Busy);
        }
        let pastes = self.pastes == Pastes::Now;
        if !pastes && line.contains(breaks) {
            return Err(Refusal::Breaks);
        }
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        let progress = match self.told {
            Told::Nothing => Progress::Unknown,
            _ => Progress::Runs(None),
        };
        self.works();
        self.recent.push_back(Command { client: client.to_owned(), id, progress });
        let (before, behind) = if pastes { (PASTE, PASTED) } else { ("", "") };
        Ok(format!("{before}{line}{behind}\r"))
    }

    fn works(&mut self) {
        if self.told == Told::Waits {
            self.told = Told::Works;
        }
    }

    fn last(&mut self) -> Option<&mut Progress> {
        self.recent.back_mut().map(|command| &mut command.progress)
    }

    fn ended(&mut self, end: u64, exit: i32) -> Option<Command> {
        let last = self.last()?;
        let Progress::Runs(start) = *last else { return None };
        *last = Progress::Ended(Outcome { exit, start: start.unwrap_or(end), end });
        self.recent.back().cloned()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at_prompt() -> Prompt {
        let mut prompt = Prompt::default();
        prompt.mark(&Mark::Prompt(0));
        prompt.mark(&Mark::Paste(true));
        prompt
    }

    #[test]
    fn a_command_runs_from_one_prompt_to_the_next() {
        let mut prompt = at_prompt();
        let typed = prompt.run("page", 7, "make", false);
        assert_eq!(typed.as_deref(), Ok("\x1b[200~make\x1b[201~\r"));
        assert_eq!(prompt.run("page", 8, "make", true), Err(Refusal::Busy));
        assert_eq!(prompt.known("page", 7), Some(Progress::Runs(None)));
        assert_eq!((prompt.known("page", 8), prompt.known("other", 7)), (None, None));
        assert_eq!(prompt.mark(&Mark::Started(100)), None);
        let ended = prompt.mark(&Mark::Done(160, 2)).unwrap();
        assert_eq!(ended.progress, Progress::Ended(Outcome { exit: 2, start: 100, end: 160 }));
        assert_eq!(prompt.run("page", 8, "make", true), Err(Refusal::Busy), "no prompt yet");
        prompt.mark(&Mark::Prompt(0));
        assert_eq!(prompt.known("page", 7), Some(ended.progress));
        assert_eq!(prompt.mark(&Mark::Done(170, 0)), None, "it is told once");
        assert!(prompt.run("page", 8, "make", true).is_ok());
    }

    #[test]
    fn a_line_that_runs_nothing_ends_too() {
        let mut prompt = at_prompt();
        prompt.run("page", 1, "", true).unwrap();
        let ended = prompt.mark(&Mark::Done(9, 0)).unwrap();
        assert_eq!(ended.progress, Progress::Ended(Outcome { exit: 0, start: 9, end: 9 }));
    }

    #[test]
    fn a_shell_that_tells_prompts_alone_tells_no_status() {
        let mut prompt = at_prompt();
        prompt.run("page", 1, "make", true).unwrap();
        let ended = prompt.mark(&Mark::Prompt(50)).unwrap();
        assert_eq!(ended.progress, Progress::Ended(Outcome { exit: -1, start: 50, end: 50 }));
    }

    #[test]
    fn what_is_typed_at_a_prompt_is_not_run_with_a_command() {
        let mut prompt = at_prompt();
        prompt.typed(b"rm -rf ");
        assert_eq!(prompt.run("page", 1, "x", true), Err(Refusal::Busy));
        prompt.typed(b"\x03");
        assert_eq!(prompt.run("page", 1, "x", true), Err(Refusal::Busy), "no prompt yet");
        prompt.mark(&Mark::Prompt(0));
        assert!(prompt.run("page", 1, "x", true).is_ok());
    }

    /// A shell without marks: the foreground says whether it waits, and nothing says when a command ended.
    #[rstest]
    #[case(b"", true, true)]
    #[case(b"", false, false)]
    #[case(b"ls\r", true, true)]
    #[case(b"ls", true, false)]
    #[case(b"ls\x15", true, true)]
    fn a_shell_without_marks_is_looked_at(
        #[case] typed: &[u8],
        #[case] in_front: bool,
        #[case] runs: bool,
    ) {
        let mut prompt = Prompt::default();
        prompt.typed(typed);
        let expected = if runs { Ok("make\r".to_owned()) } else { Err(Refusal::Busy) };
        assert_eq!(prompt.run("page", 1, "make", in_front), expected);
        assert_eq!(prompt.known("page", 1), runs.then_some(Progress::Unknown));
        assert_eq!(prompt.mark(&Mark::Done(5, 0)), None);
    }

    #[rstest]
    #[case("a\x1b[201~b", Refusal::Control)]
    #[case("a\rb", Refusal::Control)]
    #[case("a\x03", Refusal::Control)]
    #[case("a\u{9b}b", Refusal::Control)]
    #[case("a\nb", Refusal::Breaks)]
    #[case("a\tb", Refusal::Breaks)]
    fn no_line_does_more_than_its_text(#[case] line: &str, #[case] refusal: Refusal) {
        let mut prompt = Prompt::default();
        prompt.mark(&Mark::Prompt(0));
        assert_eq!(prompt.run("page", 1, line, true), Err(refusal));
        prompt.mark(&Mark::Paste(true));
        prompt.mark(&Mark::Paste(false));
        assert_eq!(prompt.run("page", 1, "x", true), Err(Refusal::Busy), "it does not read yet");
        prompt.mark(&Mark::Paste(true));
        assert!(prompt.run("page", 1, "for x in 1 2\ndo\n\techo $x\ndone", true).is_ok());
    }

    #[test]
    fn of_several_lines_the_first_begins_the_output() {
        let mut prompt = at_prompt();
        prompt.run("page", 1, "echo a\necho b", true).unwrap();
        for offset in [10, 20] {
            prompt.mark(&Mark::Started(offset));
        }
        let ended = prompt.mark(&Mark::Done(30, 0)).unwrap();
        assert_eq!(ended.progress, Progress::Ended(Outcome { exit: 0, start: 10, end: 30 }));
    }

    #[test]
    fn what_a_program_asked_for_says_nothing_of_the_shell() {
        let mut prompt = Prompt::default();
        prompt.mark(&Mark::Prompt(0));
        prompt.run("page", 1, "vim", true).unwrap();
        for mark in [Mark::Started(5), Mark::Paste(true), Mark::Paste(false), Mark::Done(9, 0)] {
            prompt.mark(&mark);
        }
        prompt.mark(&Mark::Prompt(9));
        assert_eq!(prompt.run("page", 2, "ls", true).as_deref(), Ok("ls\r"));
    }

    #[test]
    fn old_commands_are_forgotten() {
        let mut prompt = at_prompt();
        for id in 0..=RECENT as u64 {
            prompt.run("page", id, "", true).unwrap();
            prompt.mark(&Mark::Done(id, 0));
            prompt.mark(&Mark::Prompt(0));
        }
        assert_eq!((prompt.known("page", 0), prompt.recent.len()), (None, RECENT));
    }
}
