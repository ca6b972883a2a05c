//! The CLI's own file of a conversation, of which one thing matters: whether a call was put off at its end.

use serde_json::Value;

/// Kinds of lines that are the conversation itself; the others are notes about it.
const WORDS: [&str; 3] = ["user", "assistant", "attachment"];

/// Whether the conversation ends with a call that was put off: the CLI asks about it again by itself.
pub(super) fn is_deferred(file: &[u8]) -> bool {
    let lines = file.rsplit(|byte| *byte == b'\n');
    let mut values = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let last =
        values.find(|value| value["type"].as_str().is_some_and(|kind| WORDS.contains(&kind)));
    last.is_some_and(|last| last["attachment"]["type"] == "hook_deferred_tool")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const DEFERRED: &str = r#"{"type":"attachment","attachment":{"type":"hook_deferred_tool"}}"#;

    #[rstest]
    #[case::at_the_end(&[r#"{"type":"user"}"#, DEFERRED, r#"{"type":"cost-state"}"#], true)]
    #[case::torn(&[DEFERRED, r#"{"type":"us"#], true)]
    #[case::gone_on(&[DEFERRED, r#"{"type":"assistant"}"#, r#"{"type":"cost-state"}"#], false)]
    #[case::other(&[r#"{"type":"attachment","attachment":{"type":"skill"}}"#], false)]
    #[case::empty(&[], false)]
    fn the_last_word_decides(#[case] lines: &[&str], #[case] expected: bool) {
        assert_eq!(is_deferred(lines.join("\n").as_bytes()), expected);
    }
}
