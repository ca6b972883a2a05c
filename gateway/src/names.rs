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

impl ObjectKey {
    /// A key whose parts are valid names. What cannot be a name cannot exist: none.
    pub fn checked(namespace: &str, name: &str) -> Option<Self> {
        if is_label(namespace, LABEL_LENGTH) && is_label(name, OBJECT_NAME_LENGTH) {
            return Some(Self { namespace: namespace.to_owned(), name: name.to_owned() });
        }
        None
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// Refuses what cannot be a namespace.
pub fn check_namespace(namespace: &str) -> Result<(), Problem> {
    if is_label(namespace, LABEL_LENGTH) {
        return Ok(());
    }
    Err(Problem::not_found("This namespace"))
}

/// Refuses a name that neither a Session nor a Run can have, in the words of its CEL rule.
pub fn check_new_name(field: &str, name: &str) -> Result<(), Problem> {
    // The API server appends five random characters to a generateName, which may end in a dash.
    let (text, longest) = match field {
        "generateName" => (name.trim_end_matches('-'), OBJECT_NAME_LENGTH - 5),
        _ => (name, OBJECT_NAME_LENGTH),
    };
    let letter_first = name.starts_with(|first: char| first.is_ascii_lowercase());
    if letter_first && name.len() <= longest && is_label(text, longest) {
        return Ok(());
    }
    let message = format!(
        "use lower-case letters, digits and dashes, begin with a letter, end with a letter or digit, and use at most {longest} characters"
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
        assert_eq!(ObjectKey::checked("demo", text).is_some(), valid);
        let new = valid && text.starts_with(|first: char| first.is_ascii_lowercase());
        assert_eq!(check_new_name("name", text).is_ok(), new);
    }

    #[test]
    fn keeps_room_for_suffixes() {
        assert!(check_new_name("name", &"a".repeat(52)).is_ok());
        assert!(check_new_name("name", &"a".repeat(53)).is_err());
        assert!(check_new_name("generateName", "work-").is_ok());
        assert!(check_new_name("generateName", &"a".repeat(48)).is_err());
    }
}
