//! A FAKE of GitHub's REST API: GitHub itself cannot be had for tests. It holds one repository whose branches are those of
//! a real git server, refuses what GitHub's published reference does not allow, and can be told to fail.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::server::{PASSWORD, Server};

/// What the fake wants to see; other than git's.
pub const TOKEN: &str = "github_pat_c4nary";
/// GitHub's own limits, in characters.
const TITLE: usize = 256;
const BODY: usize = 65_536;

/// What the fake does instead of answering.
#[derive(Debug, Clone)]
pub struct Trouble {
    pub status: u16,
    pub header: Option<(&'static str, String)>,
    /// Whether it does what it is asked before it says that it did not.
    pub after: bool,
}

/// The fake.
#[derive(Clone)]
pub struct GitHub {
    pub git: Arc<Server>,
    pub api: String,
    /// Whether it answers nobody for now.
    pub away: watch::Sender<bool>,
    state: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    pulls: Vec<Value>,
    issues: Vec<Value>,
    /// Each with the number that it is about.
    comments: Vec<(Value, Value)>,
    labels: Vec<Value>,
    /// For attempts to open a pull request, in order.
    troubles: VecDeque<Trouble>,
    asked: Vec<String>,
    /// Whether git's login may only read. Until it is said, the forge does not tell.
    is_reader: Option<bool>,
}

impl GitHub {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}/api/v3", listener.local_addr().unwrap());
        let git = Arc::new(Server::start().await);
        let away = watch::Sender::new(false);
        let github = Self { git, api, away, state: Arc::default() };
        let router = Router::new().fallback(answer).with_state(github.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        github
    }

    /// The next attempts to open a pull request meet with these.
    pub fn trouble(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.state.lock().unwrap().troubles.extend(troubles);
    }

    /// Says from now on what git's login may do.
    pub fn tell_rights(&self, is_reader: bool) {
        self.state.lock().unwrap().is_reader = Some(is_reader);
    }

    /// What it was asked, as method and path.
    pub fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }
}

async fn answer(State(github): State<GitHub>, request: Request) -> Response {
    // The sender lives as long as we do.
    let _ = github.away.subscribe().wait_for(|away| !away).await;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1024 * 1024).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = match parts.uri.path() {
        "/api/v3/search/issues" => "/search",
        path => path.strip_prefix("/api/v3/repos/team/x").unwrap_or("elsewhere"),
    };
    let mut inside = github.state.lock().unwrap();
    inside.asked.push(format!("{} {path}", parts.method));
    if let Some((status, told)) = refusal(&parts.headers) {
        return respond(status, None, &told);
    }
    let opens = parts.method == Method::POST && path == "/pulls";
    let trouble = if opens { inside.troubles.pop_front() } else { None };
    if let Some(trouble) = &trouble
        && !trouble.after
    {
        return respond(trouble.status, trouble.header.as_ref(), &json!({"message": "Trouble"}));
    }
    let query = parts.uri.query().unwrap_or_default();
    let (status, told) = inside.answer(&github.git, &parts.method, path, query, &body);
    match trouble {
        Some(trouble) => respond(trouble.status, None, &json!({"message": "Trouble"})),
        None => respond(status, None, &told),
    }
}

fn refusal(headers: &HeaderMap) -> Option<(u16, Value)> {
    let header = |name| headers.get(name).map_or("", |value| value.to_str().unwrap());
    if header(header::USER_AGENT).is_empty() {
        return Some((403, json!({"message": "Request forbidden by administrative rules."})));
    }
    assert_eq!(header(header::ACCEPT), "application/vnd.github+json");
    let known = [TOKEN, PASSWORD].map(|token| format!("Bearer {token}"));
    (!known.iter().any(|known| known == header(header::AUTHORIZATION)))
        .then(|| (401, json!({"message": "Bad credentials", "status": "401"})))
}

fn respond(status: u16, header: Option<&(&'static str, String)>, told: &Value) -> Response {
    let mut response = Response::builder().status(status);
    if let Some((name, value)) = header {
        response = response.header(*name, value);
    }
    response.body(Body::from(told.to_string())).unwrap()
}

impl Inside {
    fn answer(
        &mut self,
        git: &Server,
        method: &Method,
        path: &str,
        query: &str,
        body: &Value,
    ) -> (u16, Value) {
        let pieces: Vec<&str> = path.split('/').skip(1).collect();
        match (method.as_str(), &pieces[..]) {
            ("GET", []) => (200, self.repository()),
            ("POST", ["pulls"]) => self.open(git, body),
            ("GET", ["pulls"]) => (200, self.list(query)),
            ("PATCH", ["pulls", number]) => {
                let found = self.pulls.iter_mut().find(|pull| pull["number"] == number_of(number));
                found.unwrap()["state"] = body["state"].clone();
                (200, json!({}))
            }
            ("POST", ["issues"]) => {
                let mut issue = body.clone();
                issue["number"] = self.next().into();
                self.issues.push(issue.clone());
                (201, issue)
            }
            ("GET", ["pulls", number]) => {
                let found = self.pulls.iter().find(|pull| pull["number"] == number_of(number));
                found.map_or_else(not_found, |pull| (200, pull.clone()))
            }
            ("GET", ["compare", ..]) => {
                let ends = path.trim_start_matches("/compare/").split_once("...").unwrap();
                compare(git, ends.0, ends.1)
            }
            ("GET", ["branches", ..]) => {
                let head = git.head(path.trim_start_matches("/branches/"));
                head.map_or_else(not_found, |head| (200, json!({"commit": {"sha": head}})))
            }
            ("GET", ["search"]) => (200, self.search(query)),
            ("POST", ["labels"]) => {
                self.labels.push(body.clone());
                (201, body.clone())
            }
            ("GET", ["labels"]) => (200, self.labels.clone().into()),
            (_, ["issues", number, rest @ ..]) => self.issue(method, number, rest, query, body),
            _ => not_found(),
        }
    }

    fn issue(
        &mut self,
        method: &Method,
        number: &str,
        rest: &[&str],
        query: &str,
        body: &Value,
    ) -> (u16, Value) {
        match (method.as_str(), rest) {
            ("GET", []) => {
                let number = number_of(number);
                let found = self.issues.iter().find(|issue| issue["number"] == number);
                found.map_or_else(not_found, |issue| {
                    let said = self.comments.iter().filter(|(about, _)| *about == number);
                    let mut issue = issue.clone();
                    issue["comments"] = said.count().into();
                    (200, issue)
                })
            }
            ("POST", ["comments"]) => {
                if self.item(number).is_none() {
                    return not_found();
                }
                let said = json!({"user": {"login": "bot"}, "body": body["body"], "created_at": "2026-11-21T18:00:00Z"});
                self.comments.push((number_of(number), said));
                (201, json!({"id": 1}))
            }
            ("GET", ["comments"]) => (200, self.comments(number, query)),
            ("PATCH", []) => {
                let found = self.issues.iter_mut().find(|it| it["number"] == number_of(number));
                found.map_or_else(not_found, |issue| {
                    for (field, value) in body.as_object().unwrap() {
                        issue[field] = value.clone();
                    }
                    (200, issue.clone())
                })
            }
            (_, ["labels", rest @ ..]) => self.label(method, number, rest, &body["labels"]),
            _ => not_found(),
        }
    }

    fn repository(&self) -> Value {
        let mut told = json!({"full_name": "team/x", "default_branch": "main"});
        if let Some(is_reader) = self.is_reader {
            told["permissions"] = json!({"admin": false, "push": !is_reader, "pull": true});
        }
        told
    }

    fn next(&self) -> usize {
        self.pulls.len() + self.issues.len() + 1
    }

    fn item(&mut self, number: &str) -> Option<&mut Value> {
        let mut all = self.issues.iter_mut().chain(&mut self.pulls);
        all.find(|it| it["number"] == number_of(number))
    }

    /// Labels of an issue: GitHub makes those that it does not have.
    fn label(
        &mut self,
        method: &Method,
        number: &str,
        named: &[&str],
        wanted: &Value,
    ) -> (u16, Value) {
        let Some(found) = self.item(number) else { return not_found() };
        let mut labels = found["labels"].as_array().cloned().unwrap_or_default();
        let before = labels.len();
        match (method.as_str(), named) {
            ("GET" | "POST", []) => {}
            ("PUT", []) => labels.clear(),
            ("DELETE", [name]) => {
                let name = name.replace("%20", " ");
                labels.retain(|label| label["name"] != *name);
            }
            _ => return not_found(),
        }
        if method == Method::DELETE && labels.len() == before {
            return (404, json!({"message": "Label does not exist", "status": "404"}));
        }
        for name in wanted.as_array().into_iter().flatten() {
            let label = json!({"name": name});
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        found["labels"] = labels.clone().into();
        (200, labels.into())
    }

    /// Oldest first, in pages.
    fn comments(&self, number: &str, query: &str) -> Value {
        let number = number_of(number);
        let given = |name: &str| value(query, name).map(|given| given.parse::<usize>().unwrap());
        let (size, page) = (given("per_page").unwrap_or(30), given("page").unwrap_or(1));
        assert!(size <= 100, "GitHub has no longer pages");
        let about = self.comments.iter().filter(|(about, _)| *about == number);
        about.map(|(_, said)| said.clone()).skip(size * (page - 1)).take(size).collect()
    }

    fn search(&self, query: &str) -> Value {
        let wanted = value(query, "q").unwrap();
        let has = |issue: &Value, word: &str| match word.split_once(':') {
            Some(("repo", name)) => name == "team/x",
            Some(("is", kind)) => kind == "issue",
            Some(("state", state)) => issue["state"].as_str().unwrap_or("open") == state,
            Some(("label", name)) => issue["labels"]
                .as_array()
                .is_some_and(|labels| labels.contains(&json!({"name": name.trim_matches('"')}))),
            Some(("assignee", name)) => issue["assignee"]["login"] == name,
            _ => issue["title"].as_str().unwrap().to_lowercase().contains(word),
        };
        let is_found = |issue: &&Value| wanted.split(' ').all(|word| has(issue, word));
        let placed = |issue: &Value| {
            let mut issue = issue.clone();
            issue["repository_url"] = "https://api.github.com/repos/team/x".into();
            issue
        };
        json!({"items": self.issues.iter().filter(is_found).map(placed).collect::<Vec<_>>()})
    }

    fn list(&self, query: &str) -> Value {
        let value = |name: &str| value(query, name);
        let fits = |pull: &&Value| {
            let head = format!("team:{}", pull["head"]["ref"].as_str().unwrap());
            let state = value("state").unwrap_or_else(|| "open".to_owned());
            (state == "all" || pull["state"] == *state)
                && value("head").is_none_or(|wanted| !wanted.contains(':') || wanted == head)
        };
        let first_page = value("page").is_none_or(|page| page == "1");
        self.pulls.iter().filter(|_| first_page).filter(fits).cloned().collect()
    }

    fn open(&mut self, git: &Server, body: &Value) -> (u16, Value) {
        let known = ["title", "head", "base", "body", "draft"];
        let given = body.as_object().unwrap();
        assert!(given.keys().all(|key| known.contains(&&**key)), "{given:?}");
        let text = |key: &str| body[key].as_str().unwrap();
        assert!(body["draft"].is_boolean());
        let (head, base) = (text("head"), text("base"));
        if text("title").is_empty() || text("title").chars().count() > TITLE {
            return invalid("title is too long (maximum is 256 characters)");
        }
        if text("body").chars().count() > BODY {
            return invalid("body is too long (maximum is 65536 characters)");
        }
        if git.head(head).is_none() || git.head(base).is_none() {
            return invalid("head or base is invalid");
        }
        let parents = ["merge-base", "--all", head, base];
        if !std::process::Command::new("git")
            .current_dir(git.repository())
            .args(parents)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap()
            .success()
        {
            return invalid(&format!("The {head} branch has no history in common with {base}"));
        }
        let is_same = |pull: &&Value| {
            pull["state"] == "open" && pull["head"]["ref"] == head && pull["base"]["ref"] == base
        };
        if self.pulls.iter().any(|pull| is_same(&pull)) {
            return invalid(&format!("A pull request already exists for team:{head}."));
        }
        let number = self.next();
        let repository = json!({"full_name": "Team/x"});
        let pull = json!({
            "number": number, "html_url": format!("https://github.test/team/x/pull/{number}"), "state": "open",
            "title": body["title"], "body": body["body"], "draft": body["draft"], "labels": [],
            "head": {"ref": head, "repo": repository}, "base": {"ref": base, "repo": repository},
        });
        self.pulls.push(pull.clone());
        (201, pull)
    }
}

/// Of a query.
fn value(query: &str, name: &str) -> Option<String> {
    let url = reqwest::Url::parse(&format!("http://h/?{query}")).unwrap();
    let found = url.query_pairs().find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned())
}

/// What a branch has that another one has not.
fn compare(git: &Server, base: &str, head: &str) -> (u16, Value) {
    if git.head(base).is_none() || git.head(head).is_none() {
        return not_found();
    }
    let range = format!("{base}..{head}");
    let count = crate::server::git(&git.repository(), &["rev-list", "--count", &range]);
    (200, json!({"total_commits": count.parse::<u64>().unwrap(), "commits": []}))
}

fn number_of(text: &str) -> Value {
    text.parse::<u64>().map_or(Value::Null, Value::from)
}

fn not_found() -> (u16, Value) {
    (404, json!({"message": "Not Found", "status": "404"}))
}

fn invalid(message: &str) -> (u16, Value) {
    (
        422,
        json!({"message": "Validation Failed", "errors": [{"resource": "PullRequest", "code": "custom", "message": message}]}),
    )
}
