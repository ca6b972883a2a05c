//! The push, by us alone. The repository's own configuration could send the login anywhere, so git runs in a fresh
//! folder with a configuration of ours, and takes nothing from the repository but its objects.

use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::branch::{self, Begun, Branch};
use super::git::{Git, GitError};
use super::verdict::Ending;
use crate::credential;
use crate::journal::Journal;

/// Git's folder for the push, below the workspace.
const FOLDER: &str = ".fabrica-push";
/// A list of commits whose parents are not here: one for each branch, so never near this.
const SHALLOW_BYTES: u64 = 1024 * 1024;

/// Pushes a commit and looks whether the remote has it.
pub(super) async fn push(
    git: &Git<'_>,
    branch: &Branch<'_>,
    begun: &Begun,
    commit: &str,
    steps: &Journal,
) -> Result<(), Ending> {
    let step = steps.begin("push", &format!("Pushing the branch {}.", branch.name));
    match arrive(git, branch, begun, commit).await {
        Ok(()) => {
            step.finish(format!("The remote's branch {} is at {commit}.", branch.name));
            Ok(())
        }
        Err(GitError(words)) => {
            step.fail(&words);
            Err(Ending::Push { words })
        }
    }
}

async fn arrive(
    git: &Git<'_>,
    branch: &Branch<'_>,
    begun: &Begun,
    commit: &str,
) -> Result<(), GitError> {
    let folder = lend(git, FOLDER).await?;
    let _login = credential::serve(git.repository.clone()).map_err(|error| told(&error))?;
    let reference = branch.reference();
    // The branch is where we saw it, or still absent: so nobody else's commit is ever pushed over.
    let lease =
        format!("--force-with-lease={reference}:{}", begun.remote.as_deref().unwrap_or_default());
    let target = format!("{commit}:{reference}");
    git.remote(&folder, &["push", "--no-verify", &lease, "--", &git.repository.url, &target])
        .await?;
    match git.remote_head(&folder, branch.name).await? {
        Some(there) if there == commit => {
            forget(git, &folder, branch.uid).await;
            Ok(())
        }
        there => Err(GitError(format!(
            "the remote's branch is at {}, not at {commit}",
            there.as_deref().unwrap_or("no commit")
        ))),
    }
}

/// Removes the work in progress from the remote, now that it is done: most Runs have none, and nothing depends on it.
async fn forget(git: &Git<'_>, folder: &Path, uid: &str) {
    let reference = branch::work_in_progress(uid);
    let there = git.remote(folder, &["ls-remote", "--", &git.repository.url, &reference]).await;
    if there.is_ok_and(|lines| !lines.is_empty()) {
        let target = format!(":{reference}");
        let words = ["push", "--no-verify", "--", &git.repository.url, &target];
        if let Err(error) = git.remote(folder, &words).await {
            tracing::warn!(%error, "the work in progress stays at the remote");
        }
    }
}

/// A folder with a configuration of ours that has the repository's objects.
pub(super) async fn lend(git: &Git<'_>, name: &str) -> Result<PathBuf, GitError> {
    let folder = git.scratch(name);
    // Absent unless the agent made it, or an earlier push.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).map_err(|error| told(&error))?;
    git.remote(&folder, &["init", "-q", "--bare", "--template=", "."]).await?;
    borrow(&git.folder().join(".git"), &folder).map_err(|error| told(&error))?;
    Ok(folder)
}

fn told(error: &std::io::Error) -> GitError {
    GitError(error.to_string())
}

/// Lets our folder use the repository's objects, and know which commits have no parents there.
fn borrow(source: &Path, folder: &Path) -> std::io::Result<()> {
    let objects = source.join("objects");
    std::fs::create_dir_all(folder.join("objects/info"))?;
    std::fs::write(folder.join("objects/info/alternates"), format!("{}\n", objects.display()))?;
    let shallow = source.join("shallow");
    // The agent may have put anything there, which could keep us waiting or lead elsewhere.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(file) = openat(CWD, &shallow, flags, Mode::empty()) else { return Ok(()) };
    let file = std::fs::File::from(file);
    if !file.metadata()?.is_file() {
        return Ok(());
    }
    let mut list = Vec::new();
    file.take(SHALLOW_BYTES).read_to_end(&mut list)?;
    std::fs::write(folder.join("shallow"), list)
}
