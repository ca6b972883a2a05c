//! What is asked of a forge, and what of its answers is told. Pure.

use reqwest::Url;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::settings::{Kind, Settings};

/// Found at a time: more than anybody reads below a field.
const FOUND: usize = 20;

/// The longest words that are looked for, in characters.
const WORDS_CHARACTERS: usize = 100;

/// The longest title or description that is told, in characters.
const TEXT_CHARACTERS: usize = 200;

/// The longest owner and name together: both forges allow less.
const SLUG_BYTES: usize = 200;

/// An owner's repository, as a forge's API names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slug(String);

impl Slug {
    /// `owner/name` of plain characters; none for anything else, as it stands in a path of the API.
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once('/')?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name = |text: &str| {
            !text.is_empty() && text.bytes().all(is_plain) && !matches!(text, "." | "..")
        };
        let is_slug = text.len() <= SLUG_BYTES && is_name(owner) && is_name(name);
        is_slug.then(|| Self(text.to_owned()))
    }
}

/// Words without what a forge would take for an operator: nobody searches elsewhere than asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Words(String);

impl Words {
    /// The words of a text, shortened.
    pub fn of(text: &str) -> Self {
        let kept = |character: char| {
            let is_word = character.is_alphanumeric() || "-_./#".contains(character);
            if is_word { character } else { ' ' }
        };
        let plain: String = text.chars().take(WORDS_CHARACTERS).map(kept).collect();
        // GitHub takes these for operators, and an OR would search other repositories.
        let words = plain.split_whitespace().filter(|word| !matches!(*word, "AND" | "OR" | "NOT"));
        Self(words.collect::<Vec<_>>().join(" "))
    }

    /// The work item that they name: `12` or `#12`.
    pub fn number(&self) -> Option<u64> {
        let digits = self.0.strip_prefix('#').unwrap_or(&self.0);
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number| is_number && *number > 0)
    }
}

/// A repository that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FoundRepository)]
pub struct Repository {
    /// Owner and name.
    pub name: String,
    /// For `spec.repository.url`.
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
    /// Whether a Session or Run needs a `secretRef` to clone it.
    pub private: bool,
}

/// A work item that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FoundWorkItem)]
pub struct WorkItem {
    pub number: u64,
    pub title: String,
    /// Whether there is still something to do.
    pub open: bool,
}

/// Where to ask for repositories; none when there is nothing to ask: without a token and words, GitHub lists nothing.
pub(super) fn repositories(
    settings: &Settings,
    Words(words): &Words,
    authenticated: bool,
) -> Option<String> {
    let count = FOUND.to_string();
    match settings.kind {
        Kind::GitHub if words.is_empty() => authenticated
            .then(|| address(settings, "/user/repos", &[("sort", "pushed"), ("per_page", &count)])),
        Kind::GitHub => {
            let query = github_words(words);
            let parameters = [("q", &*query), ("per_page", &count)];
            Some(address(settings, "/search/repositories", &parameters))
        }
        Kind::Gitea => {
            let newest = [("sort", "updated"), ("order", "desc")];
            let parameters = [("q", &**words), ("limit", &*count), newest[0], newest[1]];
            Some(address(settings, "/repos/search", &parameters))
        }
    }
}

/// `owner/na` looks for `na` among what the owner has.
fn github_words(words: &str) -> String {
    match words.split_once('/') {
        Some((owner, "")) => format!("user:{owner} fork:true"),
        Some((owner, name)) => format!("{name} in:name user:{owner} fork:true"),
        None => format!("{words} in:name fork:true"),
    }
}

/// Where to ask for open work items, or for the one that is named.
pub(super) fn work_items(settings: &Settings, Slug(slug): &Slug, words: &Words) -> String {
    if let Some(number) = words.number() {
        return address(settings, &format!("/repos/{slug}/issues/{number}"), &[]);
    }
    let (count, Words(words)) = (FOUND.to_string(), words);
    match settings.kind {
        Kind::GitHub => {
            let query = format!("repo:{slug} is:issue is:open {words}");
            let mut parameters = vec![("q", query.trim_end()), ("per_page", &count)];
            // With words the best fit comes first.
            parameters.extend(words.is_empty().then_some(("sort", "updated")));
            address(settings, "/search/issues", &parameters)
        }
        Kind::Gitea => {
            let fixed = [("type", "issues"), ("state", "open")];
            let parameters = [fixed[0], fixed[1], ("limit", &*count), ("q", words)];
            address(settings, &format!("/repos/{slug}/issues"), &parameters)
        }
    }
}

fn address(settings: &Settings, path: &str, parameters: &[(&str, &str)]) -> String {
    let plain = format!("{}{path}", settings.api());
    if parameters.is_empty() {
        return plain;
    }
    Url::parse_with_params(&plain, parameters).map_or(plain, String::from)
}

/// A list as the forges write it: alone, or in a field. A single thing is a list of one.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Listed<T> {
    Alone(Vec<T>),
    Items { items: Vec<T> },
    Data { data: Vec<T> },
    One(T),
}

impl<T> Listed<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::Alone(list) | Self::Items { items: list } | Self::Data { data: list } => list,
            Self::One(one) => vec![one],
        }
    }
}

/// A repository in a forge's words.
#[derive(Deserialize)]
pub(super) struct ToldRepository {
    full_name: String,
    description: Option<String>,
    #[serde(default)]
    private: bool,
}

/// A work item in a forge's words.
#[derive(Deserialize)]
pub(super) struct ToldItem {
    number: u64,
    title: String,
    state: String,
    /// An issue that is a pull request.
    pull_request: Option<IgnoredAny>,
}

/// Repositories by the address that people give: a forge may know itself by another.
pub(super) fn told_repositories(
    settings: &Settings,
    listed: Listed<ToldRepository>,
) -> Vec<Repository> {
    let told = listed.into_vec().into_iter().filter_map(|told| {
        let Slug(name) = Slug::parse(&told.full_name)?;
        let url = format!("{}/{name}.git", settings.url);
        let description = told.description.map(|text| shown(&text));
        let description = description.filter(|text| !text.is_empty());
        Some(Repository { name, url, description, private: told.private })
    });
    told.take(FOUND).collect()
}

/// Work items, without pull requests.
pub(super) fn told_items(listed: Listed<ToldItem>) -> Vec<WorkItem> {
    let issues = listed.into_vec().into_iter().filter(|told| told.pull_request.is_none());
    let told = issues.map(|told| WorkItem {
        number: told.number,
        title: shown(&told.title),
        open: told.state == "open",
    });
    told.take(FOUND).collect()
}

fn shown(text: &str) -> String {
    let printable = |character: char| if character.is_control() { ' ' } else { character };
    text.trim().chars().map(printable).take(TEXT_CHARACTERS).collect()
}

#[cfg(test)]
#[path = "questions_tests.rs"]
mod tests;
