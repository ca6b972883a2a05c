//! A pod of a Chat.

use chrono::Utc;
use fabrica_model_api::ModelApi;
use fabrica_protocol::assertion::{Claims, Role};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::server::{PASSWORD, Server};
use crate::support::{PATIENCE, Runtime, UID, eventually, folder, sign};
use crate::talk::Talk;

/// What must be seen nowhere.
pub const KEY: &str = "sk-ant-test-real-key";
/// The branch that is pushed.
pub const BRANCH: &str = "fabrica/uid-1";

pub async fn model() -> ModelApi {
    ModelApi::start(([127, 0, 0, 1], 0).into(), Some(KEY.to_owned())).await.unwrap()
}

pub fn cli() -> Option<String> {
    let path = std::env::var("FABRICA_TEST_AGENT_CLI").ok();
    if path.is_none() {
        eprintln!("not run: FABRICA_TEST_AGENT_CLI names no Claude Code");
    }
    path
}

pub struct Pod(pub Runtime);

impl Pod {
    pub async fn begin(
        server: &Server,
        model: &ModelApi,
        cli: &str,
        more: &[(&str, &str)],
    ) -> Self {
        Self::begin_in(folder(), server, model, cli, more).await
    }

    pub async fn begin_in(
        folder: TempDir,
        server: &Server,
        model: &ModelApi,
        cli: &str,
        more: &[(&str, &str)],
    ) -> Self {
        let url = model.url();
        let mut variables = vec![
            ("REPO_URL", &*server.url),
            ("FABRICA_REPOSITORY_SECRET", "login"),
            ("FABRICA_REPOSITORY_token", PASSWORD),
            ("FABRICA_RUN_DRIVER", "claude"),
            ("FABRICA_AGENT_COMMAND", cli),
            ("FABRICA_AGENT_BASE_URL", &url),
            ("FABRICA_CREDENTIAL_ANTHROPIC_API_KEY", KEY),
            // It wants to be told when its user is root, as tests may be.
            ("IS_SANDBOX", "1"),
        ];
        variables.extend(more);
        let pod = Self::bare(folder, &variables);
        pod.furnished().await;
        pod
    }

    /// One with no more than these variables, which may never be ready.
    pub fn bare(folder: TempDir, variables: &[(&str, &str)]) -> Self {
        let own = [("MODE", "chat"), ("FABRICA_RUN_BRANCH", BRANCH)];
        Self(Runtime::begin_in(folder, &[], &[&own, variables].concat()))
    }

    /// The repository is there, and terminals can be used.
    pub async fn furnished(&self) {
        eventually("the first terminal is open", async || {
            self.0.ready_now().await && self.0.idle().await.terminals > 0
        })
        .await;
    }

    pub async fn talk(&self, author: &str, role: Role, hello: Value) -> Talk {
        self.talk_with(author, role, false, hello).await
    }

    pub async fn talk_answering(&self, author: &str) -> Talk {
        self.talk_with(author, Role::Control, true, Value::default()).await
    }

    pub async fn talk_with(&self, author: &str, role: Role, answers: bool, hello: Value) -> Talk {
        let mut talk = self.socket(author, role, answers).await;
        talk.hello(hello).await;
        talk
    }

    /// A socket on which nothing was said yet.
    pub async fn socket(&self, author: &str, role: Role, answers: bool) -> Talk {
        let connection = uuid::Uuid::new_v4().to_string();
        let claims = Claims::new("fabrica-gateway", UID, author, role, &connection, Utc::now());
        Talk::connect(self.0.address, &sign(&Claims { answers, ..claims }), connection)
            .await
            .unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    pub async fn exit(&mut self) {
        tokio::time::timeout(PATIENCE, self.0.process.wait()).await.unwrap().unwrap();
    }

    /// Kills the agent's program.
    pub fn kill_agent(&self, cli: &str) {
        let ours = self.0.process.id().unwrap();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let found = processes
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .find(|pid| {
                let read = |name: &str| {
                    std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default()
                };
                let parent = read("stat")
                    .rsplit(") ")
                    .next()
                    .and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok());
                parent == Some(ours) && read("cmdline").starts_with(cli)
            });
        kill_process(Pid::from_raw(found.unwrap()).unwrap(), Signal::KILL).unwrap();
    }
}
