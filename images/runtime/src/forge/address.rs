//! Which repository of which forge an address names, and where that forge's API is.

use reqwest::Url;

use super::{Kind, Unknown};

/// An owner's repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slug {
    pub(super) owner: String,
    pub(super) name: String,
}

impl Slug {
    /// As the forge's API names it.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The number of one of this repository's work items: `12`, `#12`, or `owner/name#12`.
    pub(super) fn item_number(&self, text: &str) -> Option<u64> {
        let (place, number) = text.trim().split_once('#').unwrap_or(("", text.trim()));
        let is_ours = place.is_empty() || place.eq_ignore_ascii_case(&self.path());
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if !is_ours || !is_number {
            return None;
        }
        number.parse().ok().filter(|number| *number > 0)
    }
}

/// The kind of forge, its API's address without a slash at the end, and the repository.
pub(super) fn locate(
    kind: Option<&str>,
    api: Option<&str>,
    repository: &str,
) -> Result<(Kind, String, Slug), Unknown> {
    let url = Url::parse(repository).map_err(|_| Unknown::Address)?;
    let kind = match kind {
        Some("github") => Kind::GitHub,
        Some("gitea") => Kind::Gitea,
        Some(other) => return Err(Unknown::Kind(other.to_owned())),
        None if url.host_str() == Some("github.com") => Kind::GitHub,
        None => return Err(Unknown::Unsaid),
    };
    let (before, slug) = split(&url).ok_or(Unknown::Address)?;
    let api = match api {
        Some(api) => own_api(api).ok_or(Unknown::Api)?,
        None => usual_api(kind, &url, &before),
    };
    Ok((kind, api, slug))
}

/// The path before the repository, without a slash at the end, and the repository.
fn split(url: &Url) -> Option<(String, Slug)> {
    let path = url.path().trim_end_matches('/');
    let (rest, name) = path.rsplit_once('/')?;
    let (before, owner) = rest.rsplit_once('/')?;
    let name = name.strip_suffix(".git").unwrap_or(name);
    let is_name = |text: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !text.is_empty() && text.bytes().all(is_plain)
    };
    (is_name(owner) && is_name(name))
        .then(|| (before.to_owned(), Slug { owner: owner.to_owned(), name: name.to_owned() }))
}

fn usual_api(kind: Kind, url: &Url, before: &str) -> String {
    let origin = url.origin().ascii_serialization();
    match kind {
        Kind::GitHub if url.host_str() == Some("github.com") => "https://api.github.com".to_owned(),
        // GitHub on a server of somebody's own.
        Kind::GitHub => format!("{origin}/api/v3"),
        Kind::Gitea => format!("{origin}{before}/api/v1"),
    }
}

fn own_api(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    is_plain.then(|| url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://github.com/team/x.git", None, "https://api.github.com")]
    #[case("https://github.com/team/x/", Some("github"), "https://api.github.com")]
    #[case("https://git.test:8443/team/x", Some("github"), "https://git.test:8443/api/v3")]
    #[case("http://10.0.0.1:3000/team/x.git", Some("gitea"), "http://10.0.0.1:3000/api/v1")]
    #[case("https://h.test/git/team/x.git", Some("gitea"), "https://h.test/git/api/v1")]
    fn the_address_tells_where_the_api_is(
        #[case] repository: &str,
        #[case] kind: Option<&str>,
        #[case] expected: &str,
    ) {
        let (_, api, slug) = locate(kind, None, repository).unwrap();
        assert_eq!((&*api, &*slug.path()), (expected, "team/x"));
        let (_, api, _) = locate(kind, Some("http://own.test/api/"), repository).unwrap();
        assert_eq!(api, "http://own.test/api");
    }

    #[rstest]
    #[case::unsaid("https://git.test/team/x", None, None)]
    #[case::looks_alike("https://github.com.evil.test/team/x", None, None)]
    #[case::kind("https://github.com/team/x", Some("svn"), None)]
    #[case::no_owner("https://github.com/x", None, None)]
    #[case::strange("https://github.com/te%20am/x", None, None)]
    #[case::api("https://github.com/team/x", None, Some("http://u:p@h"))]
    #[case::scheme("https://github.com/team/x", None, Some("file:///etc"))]
    fn what_is_not_known_is_said(
        #[case] repository: &str,
        #[case] kind: Option<&str>,
        #[case] api: Option<&str>,
    ) {
        let unknown = locate(kind, api, repository).unwrap_err();
        assert!(unknown.to_string().len() > 20 && !unknown.to_string().contains("u:p"));
    }

    #[rstest]
    #[case("12", Some(12))]
    #[case(" #12 ", Some(12))]
    #[case("Team/X#12", Some(12))]
    #[case("other/x#12", None)]
    #[case("#0", None)]
    #[case("#+1", None)]
    #[case("#", None)]
    #[case("../x#1", None)]
    #[case("#99999999999999999999", None)]
    fn work_items_are_of_this_repository(#[case] text: &str, #[case] expected: Option<u64>) {
        let slug = Slug { owner: "team".to_owned(), name: "x".to_owned() };
        assert_eq!(slug.item_number(text), expected);
    }
}
