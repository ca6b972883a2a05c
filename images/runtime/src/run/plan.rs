//! The plan: markdown, in which blocks fenced as `sh` are what a script runs.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::config::RunConfig;

/// The longest plan, in bytes: as long as a ConfigMap's text may be, and what the gateway takes.
const PLAN_BYTES: u64 = 1024 * 1024;
/// As much as an agent is given at once, in bytes: of what is twice as long from a tool Claude Code shows the agent only
/// the beginning.
const PART_BYTES: usize = 32 * 1024;

/// Why there is nothing to work on.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    #[error("The pod has no plan: the file {0} is not there")]
    Missing(String),
    #[error("The plan is empty")]
    Empty,
    #[error("The plan is longer than {PLAN_BYTES} bytes")]
    TooLong,
    #[error("The plan has no block fenced with ```sh, so there is nothing to run")]
    NoBlocks,
    #[error(
        "The Run has a work item and no plan: script runs blocks of a plan alone, never those of a work item, which anybody may have written"
    )]
    WorkItemAlone,
    #[error("The plan cannot be read")]
    Read(#[source] std::io::Error),
}

/// The plan's text; nothing when there is none and a work item says what to do.
pub(super) fn load(settings: &RunConfig) -> Result<Option<String>, PlanError> {
    match read(&settings.plan) {
        Err(PlanError::Missing(_)) if settings.forge.work_id.is_some() => Ok(None),
        read => read.map(Some),
    }
}

fn read(path: &Path) -> Result<String, PlanError> {
    let file =
        std::fs::File::open(path).map_err(|_| PlanError::Missing(path.display().to_string()))?;
    let mut text = String::new();
    file.take(PLAN_BYTES + 1).read_to_string(&mut text).map_err(PlanError::Read)?;
    if text.trim().is_empty() {
        return Err(PlanError::Empty);
    }
    if text.len() as u64 > PLAN_BYTES {
        return Err(PlanError::TooLong);
    }
    Ok(text)
}

/// Writes a plan where the agent can read it.
pub(super) fn write(file: &Path, plan: &str) -> std::io::Result<()> {
    // Absent unless the container came back; read-only, so it is not written over.
    let _ = std::fs::remove_file(file);
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o444).open(file)?;
    file.write_all(plan.as_bytes())
}

/// A plan in parts that an agent can be given. Each ends with a line, unless a line is longer.
pub(super) fn parts(plan: &str) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), plan);
    while rest.len() > PART_BYTES {
        let most = rest.floor_char_boundary(PART_BYTES);
        let end = rest[..most].rfind('\n').map_or(most, |end| end + 1);
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

/// The text of every block fenced as `sh`, in order.
pub(super) fn blocks(plan: &str) -> Vec<String> {
    let (mut blocks, mut open) = (Vec::new(), None::<(Fence, String)>);
    for line in plan.lines() {
        match &mut open {
            None => open = Fence::opening(line).map(|fence| (fence, String::new())),
            Some((fence, text)) if fence.is_closed_by(line) => {
                blocks.extend(fence.is_script.then(|| std::mem::take(text)));
                open = None;
            }
            Some((fence, text)) => {
                text.push_str(fence.unindented(line));
                text.push('\n');
            }
        }
    }
    // A fence that nobody closes reaches to the end, as in every other reader of markdown.
    blocks.extend(open.filter(|(fence, _)| fence.is_script).map(|(_, text)| text));
    blocks
}

struct Fence {
    mark: char,
    length: usize,
    indent: usize,
    is_script: bool,
}

impl Fence {
    fn opening(line: &str) -> Option<Self> {
        let (indent, mark, length, info) = split(line)?;
        // A line with more of these marks is code in a sentence.
        if mark == '`' && info.contains('`') {
            return None;
        }
        let is_script = info.split_whitespace().next() == Some("sh");
        Some(Self { mark, length, indent, is_script })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        split(line).is_some_and(|(_, mark, length, rest)| {
            mark == self.mark && length >= self.length && rest.trim().is_empty()
        })
    }

    /// Without the indentation that the fence has itself.
    fn unindented<'text>(&self, line: &'text str) -> &'text str {
        &line[spaces(line).min(self.indent)..]
    }
}

/// Indentation, mark, number of marks, and what follows them.
fn split(line: &str) -> Option<(usize, char, usize, &str)> {
    let indent = spaces(line);
    let rest = &line[indent..];
    let mark = rest.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let after = rest.trim_start_matches(mark);
    let length = rest.len() - after.len();
    (indent <= 3 && length >= 3).then_some((indent, mark, length, after))
}

fn spaces(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::two("# T\n```sh\na\nb\n```\ntext\n```sh\nc\n```\n", &["a\nb\n", "c\n"])]
    #[case::other_languages("```python\na\n```\n```\nb\n```\n```shell\nc\n```", &[])]
    #[case::more_words("```sh title=x\na\n```", &["a\n"])]
    #[case::quoted_in_a_longer_fence("````markdown\n```sh\na\n```\n````\n~~~ sh\nb\n~~~", &["b\n"])]
    #[case::unclosed("```sh\na", &["a\n"])]
    #[case::indented("  ```sh\n  if x\n    y\n  ```", &["if x\n  y\n"])]
    #[case::code_block_by_indentation("    ```sh\n    a\n    ```", &[])]
    #[case::in_a_sentence("```sh``` is not\na\n", &[])]
    #[case::windows("```sh\r\na\r\n```\r\n", &["a\n"])]
    #[case::empty("```sh\n```", &[""])]
    fn blocks_are_found(#[case] plan: &str, #[case] expected: &[&str]) {
        assert_eq!(blocks(plan), expected);
    }

    proptest! {
        #[test]
        fn anything_is_parsed(plan in "([`~]{3,5}| {0,4}|sh|\n|\r|é|x){0,60}") {
            let length: usize = blocks(&plan).iter().map(String::len).sum();
            prop_assert!(length <= plan.len() + 1);
        }

        #[test]
        fn what_is_fenced_comes_back(texts in prop::collection::vec("([a-z $'\"]{0,9}\n){0,4}", 0..5)) {
            let mut plan = String::new();
            for text in &texts {
                plan.extend(["words\n\n```sh\n", text, "```\n"]);
            }
            prop_assert_eq!(blocks(&plan), texts);
        }
    }
}
