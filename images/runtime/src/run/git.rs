//! Git as a Run uses it: in the repository without the login, and at the remote without anybody else's configuration.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout, Command};

use super::verdict::Ending;
use crate::children;
use crate::config::{Config, Repository};
use crate::credential::git_environment;
use crate::secrets::Secrets;
use crate::start::StartError;
use crate::start::command::{self, CommandError, Ended};

/// The longest a command in the repository may take: adding a large tree reads all of it.
const LOCAL_LIMIT: Duration = Duration::from_mins(10);
/// The longest a command at the remote may take: a large push over a slow line.
const REMOTE_LIMIT: Duration = Duration::from_mins(30);
/// Of a long output, as much as is looked at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Whose commits ours are when nobody said.
const NOBODY: (&str, &str) = ("Fabrica", "fabrica@localhost");

/// Nobody's configuration counts but that of the folder. The home may hold a .netrc, too.
const NEUTRAL: [(&str, &str); 3] =
    [("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("HOME", "/dev/null")];

/// Git's words when it did not do what it was told.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct GitError(pub(crate) String);

impl From<CommandError> for GitError {
    fn from(error: CommandError) -> Self {
        Self(error.to_string())
    }
}

/// Git, found before any program of the repository could put another one in its way.
pub(crate) struct Git<'a> {
    config: &'a Config,
    pub(crate) repository: &'a Repository,
    program: PathBuf,
}

impl<'a> Git<'a> {
    pub(crate) fn find(config: &'a Config, repository: &'a Repository) -> Result<Self, Ending> {
        let program = command::find(config, "git").ok_or_else(|| {
            let message = "The image has no git, which a Run needs.".to_owned();
            Ending::Start(StartError { step: "clone", reason: "GitMissing", message })
        })?;
        Ok(Self { config, repository, program })
    }

    /// Where the agent works.
    pub(crate) fn folder(&self) -> PathBuf {
        self.config.workspace.join("repo")
    }

    /// Where we keep what only we may write, until it is there.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.config.workspace.join(name)
    }

    /// What nobody may be told.
    pub(crate) const fn secrets(&self) -> &'a Secrets {
        &self.config.secrets
    }

    /// In the repository. Its configuration is anybody's, and so are programs that it names: they get nothing that the
    /// agent did not have. Hooks are left out, as a commit of ours must not depend on them.
    pub(crate) async fn local(&self, words: &[&str]) -> Result<Ended, GitError> {
        let own = self.own();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let words = [&own[..], words].concat();
        self.run(&self.folder(), &words, &[], LOCAL_LIMIT).await
    }

    /// What holds in the repository whatever its configuration says.
    fn own(&self) -> Vec<String> {
        let (name, email) = self.author();
        let settings = [
            "core.hooksPath=/dev/null".to_owned(),
            "core.fsmonitor=false".to_owned(),
            "commit.gpgSign=false".to_owned(),
            format!("user.name={name}"),
            format!("user.email={email}"),
        ];
        settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect()
    }

    /// As [`Self::local`], and its output; the words of a failure are the error.
    pub(crate) async fn told(&self, words: &[&str]) -> Result<String, GitError> {
        self.succeeded(self.local(words).await?)
    }

    /// As [`Self::told`], with variables of its own.
    pub(crate) async fn told_with(
        &self,
        words: &[&str],
        more: &[(String, String)],
    ) -> Result<String, GitError> {
        let own = self.own();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let words = [&own[..], words].concat();
        self.succeeded(self.run(&self.folder(), &words, more, LOCAL_LIMIT).await?)
    }

    /// Runs a command in the repository and hands its output on, piece by piece, however long it is.
    pub(crate) async fn read(
        &self,
        words: &[&str],
        piece: impl FnMut(&[u8]),
    ) -> Result<(), GitError> {
        let mut command = self.command(&self.folder());
        command.args(self.own()).args(words);
        pour(vec![command], piece).await
    }

    /// Runs commands in a folder whose configuration is ours, each of which reads what the one before it says, and hands
    /// the output of the last one on.
    pub(crate) async fn read_in(
        &self,
        folder: &Path,
        chain: &[&[&str]],
        piece: impl FnMut(&[u8]),
    ) -> Result<(), GitError> {
        let command = |words: &&[&str]| {
            let mut command = self.command(folder);
            command.args(*words).envs(NEUTRAL);
            command
        };
        pour(chain.iter().map(command).collect(), piece).await
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(folder).env_clear().envs(&self.config.shell);
        command
    }

    /// At the remote, with the login, in a folder whose configuration is ours. Neither the home's configuration nor the
    /// image's counts, so no address is rewritten and no proxy or helper put in between.
    pub(crate) async fn remote(&self, folder: &Path, words: &[&str]) -> Result<String, GitError> {
        self.remote_with(folder, words, &[]).await
    }

    /// As [`Self::remote`], with variables of its own.
    pub(crate) async fn remote_with(
        &self,
        folder: &Path,
        words: &[&str],
        more: &[(String, String)],
    ) -> Result<String, GitError> {
        let mut environment = git_environment(self.repository);
        environment.extend(NEUTRAL.map(|(name, value)| (name.to_owned(), value.to_owned())));
        environment.extend_from_slice(more);
        self.succeeded(self.run(folder, words, &environment, REMOTE_LIMIT).await?)
    }

    /// The commit that a branch of the remote is at.
    pub(crate) async fn remote_head(
        &self,
        folder: &Path,
        branch: &str,
    ) -> Result<Option<String>, GitError> {
        let reference = format!("refs/heads/{branch}");
        let lines =
            self.remote(folder, &["ls-remote", "--", &self.repository.url, &reference]).await?;
        // The remote matches ends of names too.
        let found = lines.lines().filter_map(|line| line.split_once('\t'));
        Ok(found.filter(|(_, name)| *name == reference).map(|(commit, _)| commit.to_owned()).next())
    }

    async fn run(
        &self,
        folder: &Path,
        words: &[&str],
        more: &[(String, String)],
        limit: Duration,
    ) -> Result<Ended, GitError> {
        let program = self.program.to_string_lossy();
        let words = [&[&*program][..], words].concat();
        let mut environment = more.to_vec();
        // Git's words are read here, so they have to be the ones that we know.
        environment.push(("LC_ALL".to_owned(), "C".to_owned()));
        environment.push(("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned()));
        Ok(command::run(self.config, folder, &words, &environment, limit, |_| {}).await?)
    }

    fn succeeded(&self, ended: Ended) -> Result<String, GitError> {
        if ended.success {
            return Ok(ended.output.trim().to_owned());
        }
        let said = if ended.words.is_empty() { ended.output } else { ended.words };
        Err(GitError(self.secrets().redact(&said.replace('\n', " "))))
    }

    fn author(&self) -> (&str, &str) {
        self.config.git_user.as_ref().map_or(NOBODY, |user| (&user.name, &user.email))
    }
}

/// Runs commands that read each other, to the end of them all.
async fn pour(commands: Vec<Command>, mut piece: impl FnMut(&[u8])) -> Result<(), GitError> {
    let failed = |error: std::io::Error| GitError(error.to_string());
    let (mut running, mut output) = (Vec::new(), None::<ChildStdout>);
    for mut command in commands {
        let input = output.take().map_or_else(|| Ok(Stdio::null()), TryInto::try_into);
        command.stdin(input.map_err(failed)?).stdout(Stdio::piped()).stderr(Stdio::null());
        command.kill_on_drop(true);
        let (mut child, owned) = children::spawn(|| command.spawn(), Child::id).map_err(failed)?;
        output = child.stdout.take();
        running.push((child, owned));
    }
    let reading = async {
        if let Some(mut output) = output {
            let mut buffer = vec![0; PIECE_BYTES];
            while let count @ 1.. = output.read(&mut buffer).await? {
                piece(&buffer[..count]);
            }
        }
        let mut success = true;
        for (child, _owned) in &mut running {
            success &= child.wait().await?.success();
        }
        Ok(success)
    };
    let ended = tokio::time::timeout(LOCAL_LIMIT, reading).await;
    let ended = ended.map_err(|_| GitError("git did not end in time".to_owned()))?;
    if ended.map_err(failed)? {
        return Ok(());
    }
    Err(GitError("git cannot read what is in the repository".to_owned()))
}
