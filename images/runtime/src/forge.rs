//! The forge: the service around a repository that has pull requests and work items. GitHub and Gitea speak nearly the
//! same API; what differs stands in [`Kind`].

mod address;
mod http;
pub mod items;
pub mod labels;
mod pulls;
mod rights;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use self::address::Slug;
use self::http::{Asker, Http};
use self::pulls::State;
use crate::config::{ForgeConfig, Login, Repository, TOKEN_USER, Token};
use crate::secrets::Secrets;

/// The longest title, in characters, the mark of a draft included: Gitea keeps 255, GitHub 256.
pub const TITLE_CHARACTERS: usize = 250;
/// The longest text, in bytes: GitHub takes 65,536 characters.
pub const BODY_BYTES: usize = 60 * 1024;
/// The longest address of a pull request that fits a verdict.
const ADDRESS_BYTES: usize = 512;
/// What says on Gitea that a pull request is not to be merged yet.
const DRAFT_MARK: &str = "WIP: ";

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    GitHub,
    Gitea,
}

impl Kind {
    fn accept(self) -> &'static str {
        match self {
            Self::GitHub => "application/vnd.github+json",
            Self::Gitea => "application/json",
        }
    }

    /// The token made for the API, else the repository's login.
    fn asker(self, config: &ForgeConfig, login: &Login) -> Asker {
        let token = match self {
            Self::GitHub => &config.github_token,
            Self::Gitea => &config.gitea_token,
        };
        match (token, login) {
            (Some(Token(token)), _) => Asker::Token(token.clone()),
            (None, Login::None | Login::Incomplete { .. }) => Asker::Nobody,
            // GitHub's API knows no passwords, so one that works for git is a token.
            (None, Login::Basic { username, password })
                if self == Self::GitHub || username == TOKEN_USER =>
            {
                Asker::Token(password.clone())
            }
            (None, Login::Basic { username, password }) => {
                Asker::Basic { username: username.clone(), password: password.clone() }
            }
        }
    }

    /// What creates a pull request.
    fn creation(self, proposal: &Proposal<'_>, base: &str) -> Value {
        let draft = proposal.draft && self == Self::Gitea;
        let mark = if draft { DRAFT_MARK } else { "" };
        let kept = TITLE_CHARACTERS - mark.len();
        let title: String = mark.chars().chain(proposal.title.chars().take(kept)).collect();
        let body = &proposal.body[..proposal.body.floor_char_boundary(BODY_BYTES)];
        let mut asked =
            json!({ "title": title, "head": proposal.branch, "base": base, "body": body });
        if self == Self::GitHub {
            asked["draft"] = proposal.draft.into();
        }
        asked
    }
}

/// Why there is no forge to ask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    #[error("spec.repository.forge does not say what runs at the repository's address")]
    Unsaid,
    #[error("no forge of the kind {0} is known: there are github and gitea")]
    Kind(String),
    #[error("the repository's address does not end in an owner and a name")]
    Address,
    #[error("FABRICA_FORGE_API is not a plain address of http or https")]
    Api,
}

/// Why a forge did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    #[error("the client of the forge cannot be made: {0}")]
    Client(String),
    #[error("the forge's token holds characters that no header may")]
    Token,
    #[error("the forge cannot be reached: {0}")]
    Unreachable(String),
    #[error("the forge answered {status}{}: {words}", hint(*status))]
    Refused {
        status: StatusCode,
        /// The token may do it, but not that often.
        limited: bool,
        words: String,
    },
    #[error("the repository has another address by now, {0}: a new Run must name it")]
    Moved(String),
    #[error("the forge's answer is not what its API promises: {0}")]
    Answer(String),
}

impl ForgeError {
    /// Whether the same question may be answered otherwise later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status, limited, .. } => {
                *limited || status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Client(_) | Self::Token | Self::Moved(_) | Self::Answer(_) => false,
        }
    }

    /// Whether it says that what was asked for is not there, or not to be seen.
    fn is_absent(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::NOT_FOUND, .. })
    }

    /// Whether it says that there is such a pull request already; both statuses say other things too.
    fn may_exist(&self) -> bool {
        let statuses = [StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY];
        matches!(self, Self::Refused { status, .. } if statuses.contains(status))
    }
}

/// What a refusal means for whoever made the token.
fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => " (it does not accept the token)",
        StatusCode::FORBIDDEN => " (the token may not do this)",
        StatusCode::NOT_FOUND => " (it is not there, or the token may not see it)",
        _ => "",
    }
}

/// A pull request to open.
#[derive(Debug)]
pub struct Proposal<'a> {
    pub branch: &'a str,
    /// Unset: the repository's default one.
    pub base: Option<&'a str>,
    pub title: &'a str,
    pub body: &'a str,
    pub draft: bool,
}

/// An open pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PullRequest {
    pub number: u64,
    #[serde(rename = "html_url")]
    pub url: String,
}

/// What somebody wants done, in somebody's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkItem {
    pub number: u64,
    pub title: String,
    pub body: String,
    /// Whether nobody wants it done any more.
    pub is_closed: bool,
}

/// One repository of a forge.
pub struct Forge {
    kind: Kind,
    /// Of the repository, in the API.
    address: String,
    slug: Slug,
    http: Http,
    /// Whether git pushes with the login that the API is asked with: else what the API says of rights is about another one.
    asks_as_git: bool,
}

impl Forge {
    /// The forge of a repository; inside, why there is none.
    pub fn of(
        repository: &Repository,
        config: &ForgeConfig,
        secrets: &Secrets,
    ) -> Result<Result<Self, Unknown>, ForgeError> {
        let located =
            address::locate(config.kind.as_deref(), config.api.as_deref(), &repository.url);
        let (kind, api, slug) = match located {
            Ok(located) => located,
            Err(unknown) => return Ok(Err(unknown)),
        };
        let trace = config.traceparent.as_deref();
        let asker = kind.asker(config, &repository.login);
        let of_git = kind.asker(&ForgeConfig::default(), &repository.login).header();
        let asks_as_git = of_git.is_some() && of_git == asker.header();
        let http = Http::new(&asker, kind.accept(), trace, secrets)?;
        let address = format!("{api}/repos/{}", slug.path());
        Ok(Ok(Self { kind, address, slug, http, asks_as_git }))
    }

    /// The number of a work item of this repository.
    pub fn item_number(&self, work_id: &str) -> Option<u64> {
        self.slug.item_number(work_id)
    }

    /// Whether the repository is somebody's.
    pub fn is_of(&self, owner: &str) -> bool {
        self.slug.owner.eq_ignore_ascii_case(owner)
    }

    /// What a work item says.
    pub async fn work_item(&self, number: u64) -> Result<WorkItem, ForgeError> {
        #[derive(Deserialize)]
        struct Item {
            title: String,
            body: Option<String>,
            #[serde(default)]
            state: String,
        }
        let item: Item = self.get(&format!("/issues/{number}")).await?;
        let is_closed = item.state == "closed";
        Ok(WorkItem { number, title: item.title, body: item.body.unwrap_or_default(), is_closed })
    }

    /// The pull request of a branch: a new one, or the one that is open. Opening twice is opening once. None for the
    /// default branch, which a forge makes of the first one that it gets.
    pub async fn open(&self, proposal: &Proposal<'_>) -> Result<Option<PullRequest>, ForgeError> {
        let base = self.base(proposal.base).await?;
        if base == proposal.branch {
            return Ok(None);
        }
        let body = self.kind.creation(proposal, &base);
        let address = format!("{}/pulls", self.address);
        let found = match self.http.ask(Method::POST, &address, Some(&body)).await {
            Err(error) if error.may_exist() => {
                self.find(proposal.branch, &base, State::Open).await?.ok_or(error)?
            }
            answered => answered?,
        };
        checked(found).map(Some)
    }

    /// Whether the repository has a branch.
    pub async fn has_branch(&self, name: &str) -> Result<bool, ForgeError> {
        let Some(name) = segment(name) else { return Ok(false) };
        let name = name.replace("%2F", "/");
        match self.get::<Value>(&format!("/branches/{name}")).await {
            Err(error) if error.is_absent() => Ok(false),
            found => found.map(|_| true),
        }
    }

    /// The branch that something is to be merged into: this one, else the default one.
    async fn base(&self, named: Option<&str>) -> Result<String, ForgeError> {
        #[derive(Deserialize)]
        struct Repository {
            default_branch: String,
        }
        if let Some(named) = named {
            return Ok(named.to_owned());
        }
        Ok(self.get::<Repository>("").await?.default_branch)
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, ForgeError> {
        self.http.ask(Method::GET, &format!("{}{path}", self.address), None).await
    }
}

impl std::fmt::Debug for Forge {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Forge").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A pull request whose address may be shown as a link.
fn checked(found: PullRequest) -> Result<PullRequest, ForgeError> {
    let is_link = found.url.starts_with("https://") || found.url.starts_with("http://");
    let is_plain = found.url.bytes().all(|byte| byte.is_ascii_graphic());
    if is_link && is_plain && found.url.len() <= ADDRESS_BYTES {
        return Ok(found);
    }
    Err(ForgeError::Answer("the pull request's address is none".to_owned()))
}

/// A value of a query.
fn encoded(text: &str) -> String {
    reqwest::Url::parse_with_params("http://h/", [("q", text)])
        .ok()
        .and_then(|url| url.query().map(|query| query.trim_start_matches("q=").to_owned()))
        .unwrap_or_default()
}

/// A part of a path; none of what would lead elsewhere.
fn segment(text: &str) -> Option<String> {
    let mut url = reqwest::Url::parse("http://h/").ok()?;
    url.path_segments_mut().ok()?.clear().push(text);
    let path = url.path().trim_start_matches('/');
    // Dots alone are left out.
    (!path.is_empty()).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn proposal(title: &str, draft: bool) -> Value {
        let body = "é".repeat(BODY_BYTES);
        let proposal = Proposal { branch: "b", base: None, title, body: &body, draft };
        let [github, gitea] =
            [Kind::GitHub, Kind::Gitea].map(|kind| kind.creation(&proposal, "main"));
        for asked in [&github, &gitea] {
            assert!(asked["title"].as_str().unwrap().chars().count() <= TITLE_CHARACTERS);
            assert_eq!(asked["body"].as_str().unwrap().len(), BODY_BYTES);
            assert_eq!((asked["head"].as_str(), asked["base"].as_str()), (Some("b"), Some("main")));
        }
        json!([github["title"], github["draft"], gitea["title"], gitea["draft"]])
    }

    #[test]
    fn forges_mark_drafts_each_in_its_way() {
        assert_eq!(proposal("t", false), json!(["t", false, "t", null]));
        assert_eq!(proposal("t", true), json!(["t", true, "WIP: t", null]));
        proposal(&"é".repeat(1000), true);
    }

    #[rstest]
    #[case(Kind::GitHub, Some("api"), "u", "Bearer api")]
    #[case(Kind::GitHub, None, "u", "Bearer p")]
    #[case(Kind::GitHub, None, TOKEN_USER, "Bearer p")]
    #[case(Kind::Gitea, None, TOKEN_USER, "Bearer p")]
    #[case(Kind::Gitea, None, "u", "Basic dTpw")]
    #[case(Kind::Gitea, Some("api"), "u", "Bearer api")]
    fn the_token_made_for_it_is_used_first(
        #[case] kind: Kind,
        #[case] token: Option<&str>,
        #[case] username: &str,
        #[case] expected: &str,
    ) {
        let token = token.map(|token| Token(token.to_owned()));
        let config = ForgeConfig {
            github_token: token.clone(),
            gitea_token: token,
            ..ForgeConfig::default()
        };
        let login = Login::Basic { username: username.to_owned(), password: "p".to_owned() };
        assert_eq!(kind.asker(&config, &login).header().as_deref(), Some(expected));
        let nobody = kind.asker(&ForgeConfig::default(), &Login::None);
        assert_eq!(nobody.header(), None);
    }

    #[rstest]
    #[case("https://h/team/x/pulls/1", true)]
    #[case("javascript:alert(1)", false)]
    #[case("https://h/ x", false)]
    fn addresses_are_links(#[case] url: &str, #[case] expected: bool) {
        let found = PullRequest { number: 1, url: url.to_owned() };
        assert_eq!(checked(found).is_ok(), expected);
    }

    #[test]
    fn names_fit_an_address() {
        assert_eq!(encoded("fabrica/a&b"), "fabrica%2Fa%26b");
        assert_eq!(segment("good first/issue?").as_deref(), Some("good%20first%2Fissue%3F"));
        assert_eq!((segment(".."), segment(".")), (None, None));
    }
}
