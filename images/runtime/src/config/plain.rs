//! Which values that came out of Secrets are no secrets.

/// A longer value without a dot is no name, whatever it is made of: passphrases are words, too.
const LONGEST_NAME: usize = 20;
/// Digits of a port, and behind a word.
const PORT_DIGITS: usize = 5;
const WORD_DIGITS: usize = 2;

/// Whether a value is a name rather than a secret, as users, databases and hosts have them: cut out of every text, it would
/// take words from all of them, and no push that says it would go through.
pub(super) fn is_plain_name(value: &str) -> bool {
    let host = value.split_once("://").map_or(value, |(_, host)| host.trim_end_matches('/'));
    let fits = host.len() <= LONGEST_NAME || host.contains('.');
    fits && host.split(['.', '-', '_', ':']).all(is_plain_part)
}

/// A word, a number, or a word with a short number.
fn is_plain_part(part: &str) -> bool {
    let word = part.trim_end_matches(|last: char| last.is_ascii_digit());
    let digits = if word.is_empty() { PORT_DIGITS } else { WORD_DIGITS };
    let is_word = word.strip_prefix(|first: char| first.is_ascii_uppercase()).unwrap_or(word);
    is_word.bytes().all(|byte| byte.is_ascii_lowercase()) && part.len() - word.len() <= digits
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("postgres", true)]
    #[case("app_user1", true)]
    #[case("eu-west-1", true)]
    #[case("localhost:5432", true)]
    #[case("database.of-the-team.svc.cluster.local", true)]
    #[case("https://api.example.com/", true)]
    #[case("tops3cret", false)]
    #[case("TopSecret", false)]
    #[case("314159265", false)]
    #[case("correct-horse-battery-staple", false)]
    #[case("https://user:word@example.com/", false)]
    #[case("https://example.com/hooks/abc", false)]
    fn names_are_told_from_secrets(#[case] value: &str, #[case] expected: bool) {
        assert_eq!(is_plain_name(value), expected);
    }
}
