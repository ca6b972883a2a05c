//! The real Gitea beside the cluster, as its user sees it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::Namespace;
use crate::helm::text;

/// Gitea's REST, with the token of the demo's user.
#[derive(Debug)]
pub struct Forge {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// A repository of one test; [`Forge::delete`] removes it.
#[derive(Debug)]
pub struct ForgeRepository {
    pub full_name: String,
    pub url: String,
}

impl Forge {
    /// The one that `FABRICA_FORGE_URL` names.
    pub fn new() -> Result<Self> {
        let variable = |name: &str| {
            std::env::var(name).with_context(|| {
                format!("{name} is not set: run `make up`, then `eval \"$(make -s env)\"`")
            })
        };
        let (url, token) = (variable("FABRICA_FORGE_URL")?, variable("FABRICA_FORGE_TOKEN")?);
        Ok(Self { http: reqwest::Client::new(), url, token })
    }

    /// The token of the demo's user.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A new repository with one commit on `main`.
    pub async fn repository(&self) -> Result<ForgeRepository> {
        let name = format!("test-{}", uuid::Uuid::new_v4().simple());
        let body = json!({"name": name, "auto_init": true, "default_branch": "main"});
        let made = self.ask(Method::POST, "/user/repos", Some(body)).await?;
        let text = |field: &str| made[field].as_str().map(str::to_owned).context("a repository");
        Ok(ForgeRepository { full_name: text("full_name")?, url: text("clone_url")? })
    }

    /// Removes a repository.
    pub async fn delete(&self, repository: &ForgeRepository) -> Result<()> {
        let path = format!("/repos/{}", repository.full_name);
        self.ask(Method::DELETE, &path, None).await.map(|_| ())
    }

    /// Puts a file onto `main`.
    pub async fn file(
        &self,
        repository: &ForgeRepository,
        path: &str,
        content: &str,
    ) -> Result<()> {
        let body = json!({"content": BASE64_STANDARD.encode(content), "branch": "main"});
        let path = format!("/repos/{}/contents/{path}", repository.full_name);
        self.ask(Method::POST, &path, Some(body)).await.map(|_| ())
    }

    /// What a pull request changes, as git shows it.
    pub async fn diff(&self, repository: &ForgeRepository, number: i64) -> Result<String> {
        let path = format!("/repos/{}/pulls/{number}.diff", repository.full_name);
        let url = format!("{}/api/v1{path}", self.url);
        let request = self.http.get(url).header("authorization", format!("token {}", self.token));
        Ok(request.send().await?.error_for_status()?.text().await?)
    }

    /// All of its pull requests, open or not.
    pub async fn pull_requests(&self, repository: &ForgeRepository) -> Result<Vec<Value>> {
        /// The forge gives no longer pages.
        const PAGE: usize = 50;
        let mut all = Vec::new();
        for page in 1.. {
            let path =
                format!("/repos/{}/pulls?state=all&limit={PAGE}&page={page}", repository.full_name);
            let some = self.ask(Method::GET, &path, None).await?;
            let some = some.as_array().context("a list of pull requests")?;
            all.extend_from_slice(some);
            if some.len() < PAGE {
                break;
            }
        }
        Ok(all)
    }

    /// The names of its branches.
    pub async fn branches(&self, repository: &ForgeRepository) -> Result<Vec<String>> {
        let path = format!("/repos/{}/branches", repository.full_name);
        let all = self.ask(Method::GET, &path, None).await?;
        let name = |branch: &Value| branch["name"].as_str().map(str::to_owned).context("a name");
        all.as_array().context("a list of branches")?.iter().map(name).collect()
    }

    /// The subjects of a branch's commits, newest first.
    pub async fn subjects(
        &self,
        repository: &ForgeRepository,
        branch: &str,
    ) -> Result<Vec<String>> {
        let path = format!("/repos/{}/commits?sha={branch}", repository.full_name);
        let all = self.ask(Method::GET, &path, None).await?;
        let message =
            |commit: &Value| commit["commit"]["message"].as_str().unwrap_or_default().to_owned();
        Ok(all.as_array().into_iter().flatten().map(message).collect())
    }

    /// All that leads to a reference, as git hands it out: words and names of commits, names and contents of files.
    pub async fn objects(&self, repository: &ForgeRepository, reference: &str) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let login = format!("://fabrica:{}@", self.token);
        let url = repository.url.replacen("://", &login, 1);
        git(folder.path(), &["init", "--quiet", "--bare"]).await?;
        git(folder.path(), &["fetch", "--quiet", &url, reference]).await?;
        git(folder.path(), &["cat-file", "--batch-all-objects", "--batch"]).await
    }

    /// An issue; its number.
    pub async fn issue(
        &self,
        repository: &ForgeRepository,
        title: &str,
        body: &str,
    ) -> Result<i64> {
        let path = format!("/repos/{}/issues", repository.full_name);
        let made =
            self.ask(Method::POST, &path, Some(json!({"title": title, "body": body}))).await?;
        made["number"].as_i64().context("an issue")
    }

    /// Nobody wants an issue done any more.
    pub async fn close(&self, repository: &ForgeRepository, number: i64) -> Result<()> {
        let path = format!("/repos/{}/issues/{number}", repository.full_name);
        self.ask(Method::PATCH, &path, Some(json!({"state": "closed"}))).await.map(|_| ())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let url = format!("{}/api/v1{path}", self.url);
        let mut request =
            self.http.request(method, url).header("authorization", format!("token {}", self.token));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

/// What git says. Its arguments may hold a login, so an error does not tell them.
async fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").current_dir(folder).args(arguments).output().await?;
    ensure!(output.status.success(), "git fails at the forge");
    Ok(text(&output.stdout))
}

impl Namespace {
    /// The Secret `agent`: a key of the scripted model, whoever it is asked as, and the forge's token.
    pub async fn agent_secret(&self, forge: &Forge) -> Result<()> {
        let key = std::env::var("FABRICA_MODEL_KEY").context("FABRICA_MODEL_KEY is not set")?;
        self.create::<k8s_openapi::api::core::v1::Secret>(json!({"metadata": {"name": "agent"},
            "stringData": {"ANTHROPIC_API_KEY": key, "OPENAI_API_KEY": key, "GITEA_TOKEN": forge.token()}}))
            .await
            .map(|_| ())
    }
}
