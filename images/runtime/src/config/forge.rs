//! What a Run's pod is told about the forge: the service around the repository that has pull requests and work items.

use std::fmt;

use fabrica_protocol::run::DEFAULT_BRANCH;

/// Where pull requests are opened, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ForgeConfig {
    /// `github` or `gitea`; unset where the repository's address tells.
    pub kind: Option<String>,
    /// Where its API is, when it is not where the repository's address says.
    pub api: Option<String>,
    pub github_token: Option<Token>,
    pub gitea_token: Option<Token>,
    /// What the pull request is to be merged into.
    pub base: Base,
    /// Names of labels that the pull request gets.
    pub labels: Vec<String>,
    /// Whether the pull request says that it is not to be merged yet.
    pub draft: bool,
    /// The issue to work on, as in `#12`.
    pub work_id: Option<String>,
    /// The trace that questions to it belong to.
    pub traceparent: Option<String>,
}

/// A branch to merge into.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Base {
    /// The one that the work began from.
    #[default]
    Begun,
    /// The repository's default one.
    Default,
    Named(String),
}

impl Base {
    /// Its name, where the work began from this branch; none: the default one.
    pub fn name<'a>(&'a self, begun: Option<&'a str>) -> Option<&'a str> {
        match self {
            Self::Begun => begun,
            Self::Default => None,
            Self::Named(name) => Some(name),
        }
    }
}

/// A token; it shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub(crate) String);

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

/// What the variables say.
pub(super) fn read(text: &impl Fn(&str) -> Option<String>) -> ForgeConfig {
    let token = |name: &str| text(name).map(|value| Token(value.trim().to_owned()));
    let labels = text("FABRICA_PULL_REQUEST_LABELS");
    let base = |name| if name == DEFAULT_BRANCH { Base::Default } else { Base::Named(name) };
    ForgeConfig {
        kind: text("FABRICA_FORGE"),
        api: text("FABRICA_FORGE_API"),
        github_token: token("FABRICA_CREDENTIAL_GITHUB_TOKEN"),
        gitea_token: token("FABRICA_CREDENTIAL_GITEA_TOKEN"),
        base: text("FABRICA_PULL_REQUEST_BASE").map(base).unwrap_or_default(),
        // The operator writes the list, so it is one.
        labels: labels.and_then(|list| serde_json::from_str(&list).ok()).unwrap_or_default(),
        draft: text("FABRICA_PULL_REQUEST_DRAFT").is_some_and(|value| value == "true"),
        work_id: text("FABRICA_WORK_ID"),
        traceparent: text("TRACEPARENT"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn everything_is_read_and_tokens_hide() {
        let forge = read(&|name| {
            let value = match name {
                "FABRICA_FORGE" => "gitea",
                "FABRICA_CREDENTIAL_GITEA_TOKEN" => "hidden\n",
                "FABRICA_PULL_REQUEST_LABELS" => r#"["a b","c"]"#,
                "FABRICA_PULL_REQUEST_DRAFT" => "true",
                "FABRICA_WORK_ID" => "#12",
                _ => return None,
            };
            Some(value.to_owned())
        });
        assert_eq!(forge.gitea_token, Some(Token("hidden".to_owned())));
        assert_eq!(forge.labels, ["a b", "c"]);
        assert_eq!((forge.draft, forge.work_id.as_deref()), (true, Some("#12")));
        assert!(!format!("{forge:?}").contains("hidden"));
        assert_eq!(read(&|_| None), ForgeConfig::default());
    }

    #[rstest]
    #[case::where_it_began(None, Some("begun"))]
    #[case::the_default_one(Some("HEAD"), None)]
    #[case::a_third(Some("main"), Some("main"))]
    fn a_base_is_named_default_or_where_the_work_began(
        #[case] told: Option<&str>,
        #[case] expected: Option<&str>,
    ) {
        let told =
            |name: &str| told.filter(|_| name == "FABRICA_PULL_REQUEST_BASE").map(str::to_owned);
        assert_eq!(read(&told).base.name(Some("begun")), expected);
    }
}
