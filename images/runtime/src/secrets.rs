//! What nobody may read in a journal, cut out of texts.

/// What stands where a secret stood.
const CUT: &str = "***";
/// What stands before the login and the host of an address.
const SCHEME: &str = "://";

/// Everything that nobody may read in a journal.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// A value shorter than this is a word of any text rather than a secret.
    const BYTES: usize = 6;

    /// The password of a login, however short it is, and other values.
    pub fn new(password: Option<&str>, others: impl IntoIterator<Item = String>) -> Self {
        let others = others.into_iter().map(|value| value.trim().to_owned());
        let others = others.filter(|value| value.len() >= Self::BYTES);
        let mut all: Vec<String> = password.map(str::to_owned).into_iter().chain(others).collect();
        // One that begins as another does is cut whole.
        all.sort_by_key(|value| std::cmp::Reverse(value.len()));
        all.dedup();
        Self(all)
    }

    /// The longest form in which one may stand, in bytes: each byte encoded.
    pub fn longest(&self) -> usize {
        3 * self.0.iter().map(String::len).max().unwrap_or_default()
    }

    /// Cuts all of them out of a text, as they stand and as any address would encode them, and whatever stands before
    /// the host of an address.
    pub fn redact(&self, text: &str) -> String {
        let cut = |text: String, secret: &String| cut_password(&text, secret.as_bytes());
        cut_addresses(&self.0.iter().fold(text.to_owned(), cut))
    }

    /// How much of a text stays as it is, whatever follows it.
    fn settled(&self, text: &str) -> usize {
        let begins = |start: &usize| {
            let tail = &text.as_bytes()[*start..];
            self.0.iter().any(|secret| begins_password(tail, secret.as_bytes()))
        };
        let within = text.len().saturating_sub(self.longest());
        let mut starts = text.char_indices().map(|(start, _)| start).filter(|it| *it >= within);
        let secret = starts.find(begins).unwrap_or(text.len());
        secret.min(settled_address(text))
    }
}

/// A text that comes piece by piece, with secrets cut out of it. What may turn out to be one waits for what follows.
#[derive(Debug, Default)]
pub struct Pieces {
    rest: String,
}

impl Pieces {
    /// What can be shown with this piece.
    pub fn push(&mut self, secrets: &Secrets, piece: &str) -> String {
        self.rest.push_str(piece);
        let mut clean = secrets.redact(&self.rest);
        self.rest = clean.split_off(secrets.settled(&clean));
        clean
    }
}

/// Looks for secrets as they stand, in something that is read piece by piece. A password too short to be told from a
/// word is not looked for.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    /// Each, and whether it was found.
    secrets: Vec<(&'a [u8], bool)>,
    /// The end of what was read, where one may begin.
    rest: Vec<u8>,
}

impl<'a> Search<'a> {
    pub fn new(secrets: &'a Secrets) -> Self {
        let long = secrets.0.iter().filter(|secret| secret.len() >= Secrets::BYTES);
        Self { secrets: long.map(|secret| (secret.as_bytes(), false)).collect(), rest: Vec::new() }
    }

    /// Whether there is nothing to look for.
    pub const fn is_idle(&self) -> bool {
        self.secrets.is_empty()
    }

    pub fn push(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
        for (secret, found) in &mut self.secrets {
            *found = *found || self.rest.windows(secret.len()).any(|window| window == *secret);
        }
        let longest = self.secrets.iter().map(|(secret, _)| secret.len()).max().unwrap_or_default();
        self.rest.drain(..self.rest.len().saturating_sub(longest));
    }

    pub fn found(&self) -> bool {
        self.secrets.iter().any(|(_, found)| *found)
    }

    /// Whether this found nothing that the other, of the same secrets, did not.
    pub fn is_within(&self, other: &Self) -> bool {
        self.secrets.iter().zip(&other.secrets).all(|((_, here), (_, there))| !here || *there)
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secrets")
    }
}

fn cut_password(text: &str, password: &[u8]) -> String {
    let (mut kept, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some(first) = rest.first() {
        if let Some(behind) = behind_password(rest, password) {
            kept.extend_from_slice(CUT.as_bytes());
            rest = behind;
        } else {
            kept.push(*first);
            rest = &rest[1..];
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// What follows a password at the start of a text. Which bytes are percent-encoded differs between those who encode,
/// but whoever encodes any of them encodes the percent sign.
fn behind_password<'text>(text: &'text [u8], password: &[u8]) -> Option<&'text [u8]> {
    if password.is_empty() {
        return None;
    }
    let encoded = || password.iter().try_fold(text, |text, byte| behind_byte(text, *byte));
    text.strip_prefix(password).or_else(encoded)
}

/// Whether a text may be the beginning of a password, and is not all of it.
fn begins_password(text: &[u8], password: &[u8]) -> bool {
    let mut rest = text;
    for byte in password {
        let encoded = format!("%{byte:02x}").into_bytes();
        if rest.len() < encoded.len() && rest.eq_ignore_ascii_case(&encoded[..rest.len()]) {
            return true;
        }
        match behind_byte(rest, *byte) {
            Some(behind) => rest = behind,
            None => break,
        }
    }
    password.len() > text.len() && password.starts_with(text)
}

/// How much of a text stays as it is by [`cut_addresses`]: the host of its last address may not have come yet.
fn settled_address(text: &str) -> usize {
    /// A longer word is no address, and what waits is bounded.
    const LONGEST: usize = 1024;
    let open = text.rfind(SCHEME).filter(|start| {
        let rest = &text[start + SCHEME.len()..];
        rest.len() < LONGEST && !rest.contains(ends_authority)
    });
    let begun = || {
        let word = [":", ":/"].into_iter().find(|word| text.ends_with(word))?;
        Some(text.len() - word.len())
    };
    open.or_else(begun).unwrap_or(text.len())
}

fn ends_authority(character: char) -> bool {
    character.is_whitespace() || matches!(character, '/' | '?' | '#' | '\'' | '"')
}

fn behind_byte(text: &[u8], byte: u8) -> Option<&[u8]> {
    if let [b'%', high, low, rest @ ..] = text
        && [*high, *low].eq_ignore_ascii_case(format!("{byte:02x}").as_bytes())
    {
        return Some(rest);
    }
    text.strip_prefix(&[byte])
}

fn cut_addresses(text: &str) -> String {
    let mut pieces = text.split(SCHEME);
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(ends_authority);
        let authority = &piece[..end.unwrap_or(piece.len())];
        kept.push_str(SCHEME);
        match authority.rfind('@') {
            Some(at) => kept.extend([CUT, &piece[at..]]),
            None => kept.push_str(piece),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn every_secret_is_cut_out_whole() {
        let others = ["sk-ant-1", "sk-ant-1-more\n", "no", ""].map(str::to_owned);
        let secrets = Secrets::new(Some("pw"), others);
        let text = "sk-ant-1-more, sk-ant-1, pw, no, https://u:x@h";
        assert_eq!(secrets.redact(text), "***, ***, ***, no, https://***@h");
        assert_eq!(format!("{secrets:?}"), "Secrets");
    }

    /// Whatever the pieces are: nothing of it is shown that the whole would not show.
    #[rstest]
    #[case::literal("it is p@s/w%rd, is it not? ", "it is ***, is it not? ")]
    #[case::encoded("said p%40s%2Fw%25rd.", "said ***.")]
    #[case::only_a_beginning("p@s/w and no more", "p@s/w and no more")]
    #[case::address("see https://ada:other@h/x now", "see https://***@h/x now")]
    #[case::plain("a: b: c://d e", "a: b: c://d e")]
    #[case::not_ascii("é p@s/w%rd é.", "é *** é.")]
    fn pieces_show_what_the_whole_does(#[case] text: &str, #[case] expected: &str) {
        let secrets = Secrets::new(Some("p@s/w%rd"), []);
        for size in 1..=text.len() {
            let (mut pieces, mut shown, mut piece) =
                (Pieces::default(), String::new(), String::new());
            for character in text.chars() {
                piece.push(character);
                if piece.len() >= size {
                    shown += &pieces.push(&secrets, &std::mem::take(&mut piece));
                }
            }
            shown += &pieces.push(&secrets, &piece);
            assert_eq!(shown, expected, "in pieces of {size}");
        }
        let mut pieces = Pieces::default();
        let waits = pieces.push(&secrets, "so p%4");
        assert_eq!(waits, "so ", "it may be the beginning");
    }

    #[test]
    fn a_secret_is_found_across_pieces() {
        let secrets = Secrets::new(Some("hunter2"), []);
        for (text, expected) in [("a hunter2 b", true), ("a hunter b 2", false)] {
            let mut search = Search::new(&secrets);
            text.as_bytes().chunks(3).for_each(|piece| search.push(piece));
            assert_eq!(search.found(), expected);
        }
    }

    #[test]
    fn what_was_found_elsewhere_is_nothing_new() {
        let secrets = Secrets::new(Some("short"), ["hunter2", "hunter3"].map(str::to_owned));
        let [none, two, both] = ["a short word", "hunter2", "hunter2 hunter3"].map(|text| {
            let mut search = Search::new(&secrets);
            search.push(text.as_bytes());
            search
        });
        assert!(!none.found() && two.found() && !two.is_idle());
        assert!(none.is_within(&two) && two.is_within(&both) && !both.is_within(&two));
        assert!(Search::new(&Secrets::default()).is_idle());
    }

    #[rstest]
    #[case::literal("fatal: p@s/w%rd", "fatal: ***")]
    #[case::encoded("said p%40s%2Fw%25rd", "said ***")]
    #[case::lower_case_and_partly("said p%40s/w%25rd.", "said ***.")]
    #[case::needlessly("said %70@%73/w%25rd", "said ***")]
    #[case::address(
        "https://u:p%40s%2fw%25rd@h/x and https://u:p@s/w%rd@h",
        "https://***@h/x and https://***@h"
    )]
    #[case::foreign(
        "at 'https://ada:other@h/x': ssh://git@h:22",
        "at 'https://***@h/x': ssh://***@h:22"
    )]
    #[case::plain("https://h/x?mail=a@b p@s/w", "https://h/x?mail=a@b p@s/w")]
    #[case::cut_short("p%4", "p%4")]
    #[case::not_ascii("é p@s/w%rd é", "é *** é")]
    fn logins_are_cut_out(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(Secrets::new(Some("p@s/w%rd"), []).redact(text), expected);
    }

    #[test]
    fn addresses_are_cut_without_a_login_of_ours() {
        assert_eq!(Secrets::default().redact("https://ada:x@h"), "https://***@h");
    }
}
