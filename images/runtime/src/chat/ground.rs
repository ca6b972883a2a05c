//! The repository under the conversation: cloned once, on the branch that is pushed. A pod that finds it leaves it as it is.

use std::path::Path;
use std::time::Duration;

use fabrica_protocol::runtime::EventType;

use crate::config::{Config, Repository};
use crate::idle::Activity;
use crate::journal::Journal as Steps;
use crate::run::branch::{Begun, Branch};
use crate::run::checkpoint::door::Door;
use crate::run::git::{Git, GitError};
use crate::run::lent;
use crate::run::verdict::Ending;
use crate::start::{self, StartError};

/// Git's folder for the question where the work began, below the workspace.
const FOLDER: &str = ".fabrica-base";
/// People commit to the branch, too: among this many of its newest commits there is one of ours.
const COMMITS: u16 = 100;
/// A remote that has not answered by then is away, and people wait for their conversation.
const LOOK: Duration = Duration::from_mins(2);
/// The base is compared with, and nobody goes back behind it.
const SHALLOW: [&str; 2] = ["--depth", "1"];

/// Takes the start steps; where the work begins. From here on git has no login.
pub(super) async fn prepare(
    config: &Config,
    repository: &Repository,
    branch: &Branch<'_>,
    steps: &Steps,
    activity: &Activity,
) -> Result<Begun, StartError> {
    let is_new = !config.workspace.join("repo/.git").exists();
    let login = start::arrive(config, steps, activity).await?;
    let git = Git::find(config, repository).map_err(failed)?;
    if !is_new {
        return Ok(found(&git, branch, steps).await);
    }
    let begun = branch.look(&git, COMMITS, steps).await.map_err(failed)?;
    drop(login);
    branch.take(&git, &begun, steps).await.map_err(failed)?;
    Ok(begun)
}

/// What lies here is the agent's, too; the remote says what was there before. The conversation goes on without that, and
/// the remote is asked again before anything is pushed.
async fn found(git: &Git<'_>, branch: &Branch<'_>, steps: &Steps) -> Begun {
    let looked = async {
        let remote = branch.pushed(git).await?;
        let folder = lent::lend(git, FOLDER).await?;
        let fetched = lent::fetch(git, &folder, &SHALLOW, &wanted(git)).await;
        Ok::<_, GitError>((remote, fetched))
    };
    let late = |_| Err(GitError("the remote did not answer in time".to_owned()));
    let looked = tokio::time::timeout(LOOK, looked).await.unwrap_or_else(late);
    let (remote, base) = looked.unwrap_or_else(|error| (None, Err(error)));
    let base = base.inspect_err(|error| {
        let text = format!("It is not known what the remote has, which is asked again before anything is pushed: {error}");
        steps.tell("clone", EventType::Notice, text);
    });
    Begun { base: base.ok(), remote }
}

/// The commit that the work is compared with, asked while the agent lives; none where the remote has nothing but our branch.
pub(super) async fn base(
    git: &Git<'_>,
    folder: &Path,
    branch: &Branch<'_>,
) -> Result<Option<String>, GitError> {
    let door = Door::open_to_read(git.repository).await;
    let door = door.map_err(|error| GitError(crate::chain(&error)))?;
    let url = door.url();
    let fetched = lent::fetch_through(git, folder, &url, &SHALLOW, &wanted(git)).await;
    let Err(error) = fetched else { return fetched.map(Some) };
    let words = ["-c", "http.proxy=", "ls-remote", "--heads", "--", &url];
    let heads = git.remote(folder, &words).await?;
    let ours = branch.reference();
    let is_ours = |line: &str| line.split_once('\t').is_some_and(|(_, name)| name == ours);
    if heads.lines().all(is_ours) { Ok(None) } else { Err(error) }
}

/// What the pull request is merged into.
fn wanted(git: &Git<'_>) -> String {
    let named = git.repository.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
    named.unwrap_or_else(|| "HEAD".to_owned())
}

fn failed(ending: Ending) -> StartError {
    match ending {
        Ending::Start(error) => error,
        other => {
            let message = other.verdict().message;
            StartError { step: "clone", reason: "CloneFailed", message }
        }
    }
}
