//! What helps when git could not clone, by git's own words. Pure.

use crate::config::Login;

/// The server wants another login, or any.
const REFUSED: [&str; 7] = [
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "Access denied",
    "Permission denied",
    "returned error: 401",
    "returned error: 403",
];
/// Nothing is there, or nothing that this login may see.
const ABSENT: [&str; 2] = ["not found", "returned error: 404"];
/// No server is there.
const AWAY: [&str; 4] =
    ["Could not resolve host", "Failed to connect", "Couldn't connect", "Connection refused"];

/// The field to change, as a sentence to append. It holds none of the words that tell failures apart.
pub(super) fn clone(words: &str, login: &Login) -> &'static str {
    let says = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
    let has_login = *login != Login::None;
    if says(&AWAY) {
        " Correct spec.repository.url, or make its host reachable from the pod."
    } else if says(&REFUSED) && has_login {
        " Put a login that may read it into the Secret of spec.repository.secretRef (without one, of spec.credentialsRef)."
    } else if says(&REFUSED) {
        " Name a Secret with a login in spec.repository.secretRef, or correct spec.repository.url."
    } else if says(&ABSENT) && has_login {
        " Correct spec.repository.url, or put a login that may read it into the Secret of spec.repository.secretRef (without one, of spec.credentialsRef)."
    } else if says(&ABSENT) {
        " Correct spec.repository.url; where it is private, name a Secret with a login in spec.repository.secretRef."
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nobody("fatal: could not read Username for 'https://h'", false, "Name a Secret")]
    #[case::wrong(
        "remote: Invalid token. fatal: Authentication failed for 'https://h/'",
        true,
        "Put a login"
    )]
    #[case::hidden("remote: Repository not found.", false, "where it is private")]
    #[case::absent(
        "fatal: repository 'https://h/x/' not found",
        true,
        "Correct spec.repository.url, or put"
    )]
    #[case::away("fatal: Could not resolve host: h", true, "make its host reachable")]
    #[case::other("fatal: early EOF", true, "")]
    fn the_field_to_change_is_named(
        #[case] words: &str,
        #[case] has_login: bool,
        #[case] expected: &str,
    ) {
        let basic = Login::Basic { username: "u".to_owned(), password: "p".to_owned() };
        let told = clone(words, if has_login { &basic } else { &Login::None });
        assert_eq!(told.is_empty(), expected.is_empty());
        assert!(told.contains(expected), "{told}");
        let signs = REFUSED.iter().chain(&ABSENT).chain(&AWAY);
        assert!(!signs.into_iter().any(|sign| told.contains(sign)), "{told}");
    }
}
