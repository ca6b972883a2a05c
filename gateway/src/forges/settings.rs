//! Which forges there are, as the chart tells it.

use std::path::PathBuf;

use reqwest::Url;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Forges at a time: the page asks each of them for every search.
const FORGES: usize = 8;

/// Why the forges cannot be searched as they are told.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("it must be a JSON list of kind, url and tokenFile")]
    Json(#[source] serde_json::Error),
    #[error("{0} is no plain address of http or https")]
    Url(String),
    #[error("there may be {FORGES} at most")]
    TooMany,
}

/// What a forge speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[schema(as = ForgeKind)]
pub enum Kind {
    GitHub,
    Gitea,
}

/// A forge that may be searched.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    pub kind: Kind,
    /// What stands before `owner/name` in the addresses of its repositories, without a slash at the end.
    pub url: String,
    /// Holds a token that may read. Read for each search, as Secrets change; without the file only what is public is found.
    pub token_file: Option<PathBuf>,
}

impl Settings {
    /// The forges of a JSON list.
    pub fn parse(text: &str) -> Result<Vec<Self>, SettingsError> {
        let told: Vec<Self> = serde_json::from_str(text).map_err(SettingsError::Json)?;
        if told.len() > FORGES {
            return Err(SettingsError::TooMany);
        }
        told.into_iter().map(Self::checked).collect()
    }

    fn checked(self) -> Result<Self, SettingsError> {
        let url = self.url.trim_end_matches('/').to_owned();
        if Url::parse(&url).is_ok_and(|url| is_plain(&url)) {
            return Ok(Self { url, ..self });
        }
        Err(SettingsError::Url(self.url))
    }

    /// Where its API is, without a slash at the end.
    pub fn api(&self) -> String {
        let told = Url::parse(&self.url).ok();
        let origin = told.as_ref().map(|url| url.origin().ascii_serialization());
        let is_public = told.as_ref().and_then(Url::host_str) == Some("github.com");
        match (self.kind, origin) {
            (Kind::GitHub, _) if is_public => "https://api.github.com".to_owned(),
            // GitHub on a server of somebody's own.
            (Kind::GitHub, Some(origin)) => format!("{origin}/api/v3"),
            _ => format!("{}/api/v1", self.url),
        }
    }
}

fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("GitHub", "https://github.com", "https://api.github.com")]
    #[case("GitHub", "https://git.test:8443/", "https://git.test:8443/api/v3")]
    #[case("Gitea", "http://10.0.0.1:3000", "http://10.0.0.1:3000/api/v1")]
    #[case("Gitea", "https://h.test/git/", "https://h.test/git/api/v1")]
    fn the_address_tells_where_the_api_is(
        #[case] kind: &str,
        #[case] url: &str,
        #[case] expected: &str,
    ) {
        let told = format!(r#"[{{"kind": "{kind}", "url": "{url}"}}]"#);
        let settings = Settings::parse(&told).unwrap();
        assert_eq!(settings[0].api(), expected);
    }

    #[rstest]
    #[case::user(r#"[{"kind": "Gitea", "url": "https://ada:x@h"}]"#)]
    #[case::scheme(r#"[{"kind": "Gitea", "url": "ssh://h"}]"#)]
    #[case::no_address(r#"[{"kind": "Gitea", "url": "h"}]"#)]
    #[case::query(r#"[{"kind": "Gitea", "url": "https://h?a"}]"#)]
    #[case::kind(r#"[{"kind": "Svn", "url": "https://h"}]"#)]
    #[case::unknown(r#"[{"kind": "Gitea", "url": "https://h", "token": "t"}]"#)]
    #[case::no_list("{}")]
    fn what_makes_no_sense_is_refused(#[case] told: &str) {
        Settings::parse(told).unwrap_err();
    }

    #[test]
    fn there_are_not_too_many() {
        let one = r#"{"kind": "Gitea", "url": "https://h"}"#;
        assert_eq!(Settings::parse("[]").unwrap(), []);
        Settings::parse(&format!("[{}]", [one; FORGES].join(","))).unwrap();
        Settings::parse(&format!("[{}]", [one; FORGES + 1].join(","))).unwrap_err();
    }
}
