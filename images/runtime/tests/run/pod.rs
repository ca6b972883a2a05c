//! A pod of a Run, and what it tells.

use std::path::Path;

use fabrica_protocol::assertion::Role;
use fabrica_protocol::run::{Entry, Record, Verdict};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::server::{PASSWORD, Server};
use crate::support::{PATIENCE, Runtime, assertion, eventually, folder};

/// The branch that is pushed unless a test says otherwise.
pub const BRANCH: &str = "fabrica/uid-1";

/// A Run's runtime.
pub struct Pod(pub Runtime);

/// How an attempt ended.
pub struct End {
    pub verdict: Verdict,
    pub records: Vec<Record>,
    pub code: i32,
    pub folder: TempDir,
}

impl Pod {
    pub fn begin(server: &Server, plan: &str, more: &[(&str, &str)]) -> Self {
        Self::begin_in(folder(), server, plan, more)
    }

    pub fn begin_in(folder: TempDir, server: &Server, plan: &str, more: &[(&str, &str)]) -> Self {
        let file = write(&folder, plan);
        let mut variables = general(&file);
        variables.extend([("REPO_URL", &*server.url), ("FABRICA_REPOSITORY_token", PASSWORD)]);
        variables.extend(more);
        Self(Runtime::begin_in(folder, &[], &variables))
    }

    /// Begins with these variables in the place of the git server's.
    pub fn begin_at(variables: &[(&str, &str)], plan: &str) -> Self {
        let folder = folder();
        let file = write(&folder, plan);
        let mut all = general(&file);
        all.extend(variables);
        Self(Runtime::begin_in(folder, &[], &all))
    }

    /// Runs a plan to its end.
    pub async fn run(server: &Server, plan: &str, more: &[(&str, &str)]) -> End {
        Self::begin(server, plan, more).end().await
    }

    pub async fn post(&self, path: &str, body: &str, role: Role) -> u16 {
        let request = reqwest::Client::new().post(self.0.url(path)).bearer_auth(assertion(role));
        request.body(body.to_owned()).send().await.unwrap().status().as_u16()
    }

    /// The records until now.
    pub async fn records(&self) -> Vec<Record> {
        let request = reqwest::Client::new()
            .get(self.0.url("/v1/events?follow=false"))
            .bearer_auth(assertion(Role::Operator));
        let Ok(answer) = request.send().await else { return Vec::new() };
        read(&answer.text().await.unwrap())
    }

    /// Waits for a record.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Entry) -> bool) {
        eventually(what, async || self.records().await.iter().any(|record| wanted(&record.entry)))
            .await;
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits for the verdict, acknowledges it, and waits for the process.
    pub async fn end(mut self) -> End {
        self.until("there is a verdict", |entry| matches!(entry, Entry::Ended(_))).await;
        let records = self.records().await;
        let last = records.last().unwrap();
        let Entry::Ended(verdict) = last.entry.clone() else { panic!("{last:?}") };
        assert!(self.0.process.try_wait().unwrap().is_none(), "the verdict waits to be kept");
        assert_eq!(verdict, termination(self.0.folder.path()));
        assert!(records.iter().zip(1..).all(|(record, seq)| record.seq == seq));
        let body = format!("{{\"seq\":{}}}", last.seq);
        assert_eq!(self.post("/v1/ack", &body, Role::Operator).await, 204);
        let code = self.exit().await;
        End { verdict, records, code, folder: self.0.folder }
    }

    pub async fn exit(&mut self) -> i32 {
        let status = tokio::time::timeout(PATIENCE, self.0.process.wait()).await.unwrap();
        status.unwrap().code().unwrap()
    }
}

/// Puts a plan where the kubelet would; an empty one is none.
fn write(folder: &TempDir, plan: &str) -> String {
    let file = folder.path().join("plan.md");
    if !plan.is_empty() {
        std::fs::write(&file, plan).unwrap();
    }
    file.to_str().unwrap().to_owned()
}

fn general(plan: &str) -> Vec<(&str, &str)> {
    vec![
        ("MODE", "run"),
        ("GIT_USER_NAME", "Ada"),
        ("GIT_USER_EMAIL", "ada@fabrica.test"),
        ("FABRICA_REPOSITORY_SECRET", "login"),
        ("FABRICA_RUN_BRANCH", BRANCH),
        ("FABRICA_RUN_PLAN_FILE", plan),
        ("FABRICA_RUN_TITLE", "Do it"),
    ]
}

pub fn read(lines: &str) -> Vec<Record> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The container's last words.
pub fn termination(folder: &Path) -> Verdict {
    serde_json::from_str(&std::fs::read_to_string(folder.join("termination")).unwrap()).unwrap()
}

impl End {
    pub fn outputs(&self) -> Vec<&str> {
        let output = |record| match record {
            &Record { entry: Entry::ToolFinished { ref output, .. }, .. } => Some(output.as_str()),
            _ => None,
        };
        self.records.iter().filter_map(output).collect()
    }
}
