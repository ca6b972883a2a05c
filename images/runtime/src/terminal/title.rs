//! The title of a terminal: a person's, else the program's, else the shell's name. No I/O.

use fabrica_protocol::kterm::MAX_TITLE;

/// Who called it what.
#[derive(Debug, Default)]
pub struct Title {
    shell: String,
    program: String,
    person: String,
}

impl Title {
    /// Nobody has said anything yet but, maybe, who opened it.
    pub fn new(shell: String, person: String) -> Self {
        Self { shell, program: String::new(), person }
    }

    /// What is shown.
    pub fn shown(&self) -> &str {
        let mut said = [&self.person, &self.program].into_iter().filter(|title| !title.is_empty());
        said.next().unwrap_or(&self.shell)
    }

    /// A person renames it; an empty title gives it back the program's. Says whether another one is shown now.
    pub fn rename(&mut self, title: String) -> bool {
        let before = self.shown().to_owned();
        self.person = title;
        before != self.shown()
    }

    /// The program says what it is. Says whether another one is shown now.
    pub fn told(&mut self, title: String) -> bool {
        let before = self.shown().to_owned();
        self.program = title;
        before != self.shown()
    }
}

/// Whether a title may be given as it is.
pub(super) fn is_clean(title: &str) -> bool {
    title.len() <= MAX_TITLE && !title.contains(char::is_control)
}

/// A title without controls, and no longer than the longest.
pub(super) fn clean(title: &str) -> String {
    let mut title: String = title.chars().filter(|character| !character.is_control()).collect();
    title.truncate(title.floor_char_boundary(MAX_TITLE));
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persons_title_outranks_the_programs() {
        let mut title = Title::new("bash".to_owned(), String::new());
        assert_eq!(title.shown(), "bash");
        assert!(title.told("vim".to_owned()) && !title.told("vim".to_owned()));
        assert!(title.rename("notes".to_owned()) && !title.rename("notes".to_owned()));
        assert!(!title.told("less".to_owned()));
        assert_eq!(title.shown(), "notes");
        assert!(title.rename(String::new()));
        assert_eq!(title.shown(), "less");
        assert!(title.told(String::new()));
        assert_eq!(title.shown(), "bash");
    }

    #[test]
    fn titles_have_no_controls_and_an_end() {
        assert_eq!(clean("a\u{7}b\u{9b}c\n"), "abc");
        assert_eq!(clean(&"漢".repeat(100)), "漢".repeat(42));
        assert!(is_clean(&"x".repeat(MAX_TITLE)) && is_clean(""));
        assert!(!is_clean(&"x".repeat(MAX_TITLE + 1)) && !is_clean("a\u{7}"));
    }
}
