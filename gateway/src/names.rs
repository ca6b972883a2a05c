//! Names of Kubernetes objects, checked before they stand in a path of the API server.

use crate::problem::Problem;

/// The longest name of a Session or Run: room for what its children append.
const OBJECT_NAME_LENGTH: usize = 52;

/// The longest DNS-1123 label.
const LABEL_LENGTH: usize = 63;

/// What the gateway serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Session,
    Run,
}

impl Kind {
    /// The resource of RBAC, and the last part of a list's path.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Session => "sessions",
            Self::Run => "runs",
        }
    }

    /// The word in a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Run => "run",
        }
    }
}

/// Where a Session or Run is: the id that people use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    pub namespace: String,
    pub name: String,
}

/// A part of a URL that no object can have. The sentence fits a close frame's reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{field}: {what} has 1 to {longest} lower-case letters, digits and dashes, and no dash at its ends"
)]
pub struct Malformed {
    /// The part: `namespace`, `name` or `id`.
    pub field: &'static str,
    what: &'static str,
    longest: usize,
}

impl ObjectKey {
    /// A key whose parts are valid names.
    pub fn checked(namespace: &str, name: &str) -> Result<Self, Malformed> {
        check_namespace(namespace)?;
        check("name", "a name", name, OBJECT_NAME_LENGTH)?;
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Self {
        let sentence = malformed.to_string();
        let message = sentence.split_once(": ").map_or(&*sentence, |(_, message)| message);
        Self::bad_part(malformed.field, message)
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// Refuses what cannot be a namespace.
pub fn check_namespace(namespace: &str) -> Result<(), Malformed> {
    check("namespace", "a namespace", namespace, LABEL_LENGTH)
}

/// Refuses what cannot be a UID. To Kubernetes it is opaque; in fact it is a UUID, whose form a label has too.
pub fn check_uid(uid: &str) -> Result<(), Malformed> {
    check("id", "a UID", uid, LABEL_LENGTH)
}

fn check(
    field: &'static str,
    what: &'static str,
    text: &str,
    longest: usize,
) -> Result<(), Malformed> {
    if is_label(text, longest) { Ok(()) } else { Err(Malformed { field, what, longest }) }
}

/// Refuses a name that neither a Session nor a Run can have, in the words of its CEL rule.
pub fn check_new_name(field: &str, name: &str) -> Result<(), Problem> {
    // The API server appends five random characters to a generateName, which may end in a dash.
    let (text, longest) = match field {
        "generateName" => (name.trim_end_matches('-'), OBJECT_NAME_LENGTH - 5),
        _ => (name, OBJECT_NAME_LENGTH),
    };
    if name.len() <= longest && is_label(text, longest) {
        return Ok(());
    }
    let message = format!(
        "use lower-case letters, digits and dashes, begin and end with a letter or digit, and use at most {longest} characters"
    );
    Err(Problem::invalid(field, message))
}

fn is_label(text: &str, longest: usize) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= longest
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a", true)]
    #[case("a-1", true)]
    #[case("0a", true)]
    #[case("", false)]
    #[case("-a", false)]
    #[case("a-", false)]
    #[case("a.b", false)]
    #[case("A", false)]
    #[case("a/b", false)]
    #[case("ü", false)]
    fn knows_labels(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(ObjectKey::checked("demo", text).is_ok(), valid);
        assert_eq!(check_uid(text).is_ok(), valid);
        assert_eq!(check_new_name("name", text).is_ok(), valid);
    }

    #[test]
    fn what_is_malformed_is_named_in_words_that_fit_a_close_frame() {
        let told = |namespace, name| ObjectKey::checked(namespace, name).unwrap_err();
        assert_eq!(told("a.b", "c").field, "namespace");
        assert_eq!(
            told("demo", "a.b").to_string(),
            "name: a name has 1 to 52 lower-case letters, digits and dashes, and no dash at its ends"
        );
        assert!(told("-", "a").to_string().len() <= 123);
    }

    #[test]
    fn keeps_room_for_suffixes() {
        assert!(check_new_name("name", &"a".repeat(52)).is_ok());
        assert!(check_new_name("name", &"a".repeat(53)).is_err());
        assert!(check_new_name("generateName", "work-").is_ok());
        assert!(check_new_name("generateName", "7-").is_ok());
        assert!(check_new_name("generateName", "-").is_err());
        assert!(check_new_name("generateName", &"a".repeat(48)).is_err());
    }
}
