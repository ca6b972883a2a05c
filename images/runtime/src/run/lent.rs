//! A folder for git whose configuration is ours, and which has the repository's objects: the repository's own configuration
//! could send a login anywhere.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::git::{Git, GitError};
use crate::regular;

/// A list of commits whose parents are not here: one for each branch, so never near this.
const SHALLOW_BYTES: u64 = 1024 * 1024;

/// Makes the folder, below the workspace.
pub(crate) async fn lend(git: &Git<'_>, name: &str) -> Result<PathBuf, GitError> {
    let folder = git.scratch(name);
    // Absent unless the agent made it, or an earlier push.
    let _ = tokio::fs::remove_dir_all(&folder).await;
    std::fs::create_dir(&folder).map_err(|error| told(&error))?;
    git.remote(&folder, &["init", "-q", "--bare", "--template=", "."]).await?;
    borrow(&git.folder().join(".git"), &folder).map_err(|error| told(&error))?;
    Ok(folder)
}

/// Fetches something of the remote, which becomes the repository's; its commit.
pub(crate) async fn fetch(
    git: &Git<'_>,
    folder: &Path,
    depth: &[&str],
    what: &str,
) -> Result<String, GitError> {
    let words = [&["fetch", "-q", "--no-tags"], depth, &["--", &git.repository.url, what]].concat();
    keep(git, folder, &words).await
}

/// As [`fetch`], through a door, while git can ask for no login.
pub(crate) async fn fetch_through(
    git: &Git<'_>,
    folder: &Path,
    door: &str,
    depth: &[&str],
    what: &str,
) -> Result<String, GitError> {
    // No proxy of the pod stands between git and us.
    let words = ["-c", "http.proxy=", "fetch", "-q", "--no-tags"];
    keep(git, folder, &[&words[..], depth, &["--", door, what]].concat()).await
}

async fn keep(git: &Git<'_>, folder: &Path, words: &[&str]) -> Result<String, GitError> {
    let source = git.folder().join(".git");
    let objects = source.join("objects").to_string_lossy().into_owned();
    let into = [("GIT_OBJECT_DIRECTORY".to_owned(), objects)];
    git.remote_with(folder, words, &into).await?;
    let list = folder.join("shallow");
    if list.exists() {
        // In its place, whatever lies there.
        let fresh = source.join("shallow.fabrica");
        std::fs::copy(&list, &fresh)
            .and_then(|_| std::fs::rename(&fresh, source.join("shallow")))
            .map_err(|error| told(&error))?;
    }
    git.remote(folder, &["rev-parse", "--verify", "FETCH_HEAD^{commit}"]).await
}

fn told(error: &std::io::Error) -> GitError {
    GitError(error.to_string())
}

/// Lets our folder use the repository's objects, and know which commits have no parents there.
fn borrow(source: &Path, folder: &Path) -> std::io::Result<()> {
    let objects = source.join("objects");
    std::fs::create_dir_all(folder.join("objects/info"))?;
    std::fs::write(folder.join("objects/info/alternates"), format!("{}\n", objects.display()))?;
    let Ok(file) = regular::read(&source.join("shallow")) else { return Ok(()) };
    let mut list = Vec::new();
    file.take(SHALLOW_BYTES).read_to_end(&mut list)?;
    std::fs::write(folder.join("shallow"), list)
}
